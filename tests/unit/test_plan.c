/* SPDX-License-Identifier: MIT */
/* What plan_build makes of right graphs; its errors are in tests/cases. */
#include "unit.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "plan/build.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char graphs[] =
	"graphs = { main = {\n"
	"  params = { keep = { type = \"int\"; default = 3; };"
	" names = { type = \"list of string\"; default = [ \"x\", \"y\" ]; }; };\n"
	"  tasks = {\n"
	"    a = { action = \"core.exec\"; argv = [ \"true\" ]; capture = \"text\"; lock = "
	"\"one\"; };\n"
	"    b = { action = \"core.exec\"; argv = [ \"n${param.keep}$${x}\", \"${a.stdout}\", "
	"\"${param.keep}\" ]; };\n"
	"    c = { action = \"core.exec\"; argv = [ \"echo\", \"${each}\" ]; each = "
	"\"${param.names}\";"
	" after = \"b\"; };\n"
	"    d = { action = \"core.exec\"; argv = [ \"true\" ]; env = { E = \"${c.exit}\"; };"
	" when = \"${param.keep} > 2 and not ${a.exit} == 1\"; };\n"
	"    sub = { action = \"core.graph\"; graph = \"inner\"; after = \"d\";"
	" params = { text = \"${a.stdout}\"; }; when = \"${a.stdout} == 'yes'\"; };\n"
	"    z = { action = \"core.exec\"; argv = [ \"${sub/first.exit}\" ]; after = \"sub\"; };\n"
	"    hollow = { action = \"core.graph\"; graph = \"inner\"; each = \"/nowhere/*.none\";"
	" params = { text = \"x\"; }; after = \"a\"; };\n"
	"    y = { action = \"core.exec\"; argv = [ \"true\" ]; after = \"hollow\"; };\n"
	"    tale = { action = \"core.graph\"; graph = \"told\"; after = \"y\"; };\n"
	"    x = { action = \"core.exec\"; argv = [ \"true\" ]; after = \"tale\"; };\n"
	"    none = { action = \"core.exec\"; argv = [ \"true\" ]; each = \"/nowhere/*.none\"; };\n"
	"    w = { action = \"core.exec\"; argv = [ \"cat\" ]; from = \"s\"; pool = \"io\"; lock = "
	"\"one\"; };\n"
	"    s = { action = \"core.exec\"; argv = [ \"cat\" ];"
	" retry = { attempts = 3; delay = \"1s\"; }; };\n"
	"  }; };\n"
	" told = { tasks = {\n"
	"    work = { action = \"core.exec\"; argv = [ \"true\" ]; };\n"
	"    tell = { action = \"core.exec\"; argv = [ \"true\" ]; run_if = \"done\"; };\n"
	"  }; };\n"
	" inner = { params = { text = { type = \"string\"; }; }; tasks = {\n"
	"    first = { action = \"core.exec\"; argv = [ \"${param.text}!\" ]; };\n"
	"    last = { action = \"core.exec\"; argv = [ \"true\" ]; after = \"first\"; };\n"
	"  }; }; };\n";

struct fixture {
	char dir[64];
	struct site *site;
	struct plan *plan;
	struct diagnostics diagnostics;
	struct error err;
};

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	chmod(path, 0600);
}

static int set_up(void **state)
{
	struct fixture *f = base_alloc(sizeof *f);
	char path[128];
	struct config_options options = {.path = path};
	struct catalog *catalog = NULL;

	snprintf(f->dir, sizeof f->dir, "/tmp/upkeep-plan-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(path, sizeof path, "%s/upkeep.conf", f->dir);
	write_file(f->dir, "upkeep.conf",
		"graphs = [ \"g.conf\" ]; locks = [ \"one\" ]; pools = { io = 2; };\n");
	write_file(f->dir, "g.conf", graphs);
	catalog_new(&(struct catalog_options){0}, &catalog, NULL);
	assert_int_equal(config_load(&options, catalog, &f->site, &f->diagnostics, &f->err), 0);
	assert_int_equal(f->diagnostics.list.count, 0);
	catalog_free(catalog);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char path[128];

	snprintf(path, sizeof path, "%s/upkeep.conf", f->dir);
	unlink(path);
	snprintf(path, sizeof path, "%s/g.conf", f->dir);
	unlink(path);
	rmdir(f->dir);
	plan_free(f->plan);
	site_free(f->site);
	diagnostics_free(&f->diagnostics);
	error_clear(&f->err);
	free(f);
	return 0;
}

static int build(struct fixture *f, const struct plan_options *options)
{
	plan_free(f->plan);
	f->plan = NULL;
	return plan_build(
		f->site, site_graph(f->site, "main"), options, &f->plan, &f->diagnostics, &f->err);
}

static const struct plan_task *task(const struct fixture *f, const char *name)
{
	uint32_t index = map_get(&f->plan->index, name);

	assert_int_not_equal(index, MAP_NONE);
	return &f->plan->tasks[index];
}

static const struct plan_detail *detail(const struct fixture *f, const char *name)
{
	return &f->plan->details[task(f, name)->detail];
}

static bool needs(const struct fixture *f, const char *name, const char *other)
{
	const struct plan_task *t = task(f, name);
	uint32_t wanted = map_get(&f->plan->index, other);

	for (uint32_t i = 0; i < t->need_count; i++)
		if (f->plan->edges[t->needs + i] == wanted)
			return true;
	return false;
}

static void test_shape(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(build(f, &(struct plan_options){0}), 0);
	assert_true(needs(f, "b", "a"));
	assert_true(needs(f, "c[0]", "b") && needs(f, "c[1]", "b"));
	assert_true(needs(f, "d", "c[0]") && needs(f, "d", "c[1]") && needs(f, "d", "a"));
	assert_true(needs(f, "sub/first", "d") && needs(f, "sub/first", "a"));
	assert_false(needs(f, "sub/last", "d"));
	assert_true(needs(f, "z", "sub/last") && needs(f, "z", "sub/first"));
	assert_true(task(f, "none")->flags & PLAN_EMPTY_EACH);
	/* a subgraph of no copies keeps the order around it */
	assert_true(task(f, "hollow")->flags & PLAN_EMPTY_EACH);
	assert_true(needs(f, "hollow", "a") && needs(f, "y", "hollow"));
	/* after a graph: after what of it does not wait for the end of the run */
	assert_true(needs(f, "x", "tale/work") && !needs(f, "x", "tale/tell"));
	assert_true(task(f, "sub/last")->flags & PLAN_WHEN);
	assert_int_equal(task(f, "w")->gang, task(f, "s")->gang);
	const struct plan_gang *gang = &f->plan->gangs[task(f, "s")->gang];
	assert_int_equal(gang->member_count, 2);
	assert_int_equal(gang->resource_count, 2);
	assert_string_equal(f->plan->resources[f->plan->taken[gang->resources]].name, "one");
	assert_int_equal(f->plan->resources[f->plan->taken[gang->resources + 1]].places, 2);
	assert_int_equal(f->plan->retries[gang->retry].attempts, 3);
	assert_int_equal(f->plan->tasks[task(f, "w")->source].gang, task(f, "s")->gang);
}

static const char *output(void *data, const char *name, const char *what)
{
	(void)data;
	return strcmp(what, "exit") == 0 ? "0" : strcmp(name, "a") == 0 ? "yes" : NULL;
}

static const char *resolved(
	const struct fixture *f, const char *name, const char *key, struct arena *arena, bool known)
{
	struct plan_lookup lookup = {.output = known ? output : NULL};
	struct value value;
	const struct plan_detail *d = detail(f, name);
	const struct value *given =
		strcmp(key, "env") == 0 ? &d->task->options->env : value_get(&d->task->args, key);

	assert_int_equal(plan_resolve(f->plan, d, given, &lookup, arena, &value, NULL), 0);
	return value.kind == VALUE_UNKNOWN ? value.after : value_text(arena, &value);
}

static void test_values(void **state)
{
	struct fixture *f = *state;
	struct plan_lookup lookup = {.output = output};
	struct arena arena = {0};

	assert_int_equal(build(f, &(struct plan_options){0}), 0);
	assert_non_null(strstr(resolved(f, "b", "argv", &arena, true), "\"n3${x}\", \"yes\", 3"));
	assert_string_equal(resolved(f, "b", "argv", &arena, false), "a");
	assert_non_null(strstr(resolved(f, "c[1]", "argv", &arena, true), "\"y\""));
	assert_non_null(strstr(resolved(f, "d", "env", &arena, true), "0"));
	assert_non_null(strstr(resolved(f, "sub/first", "argv", &arena, true), "yes!"));
	assert_int_equal(plan_when(f->plan, detail(f, "d"), &lookup, NULL), 1);
	assert_int_equal(plan_when(f->plan, detail(f, "sub/last"), &lookup, NULL), 1);
	lookup.output = NULL;
	assert_true(plan_when(f->plan, detail(f, "sub/last"), &lookup, &f->err) < 0);
	arena_free(&arena);
}

static const char *wrong_output(void *data, const char *name, const char *what)
{
	(void)data;
	(void)name;
	(void)what;
	return "many";
}

/* What a task wrote is no value of its output's type. */
static void test_wrong_output(void **state)
{
	struct fixture *f = *state;
	struct plan_lookup lookup = {.output = wrong_output};
	struct arena arena = {0};
	struct value value;

	assert_int_equal(build(f, &(struct plan_options){0}), 0);
	const struct plan_detail *z = detail(f, "z");
	assert_true(plan_resolve(f->plan, z, value_get(&z->task->args, "argv"), &lookup, &arena,
			    &value, &f->err) < 0);
	assert_true(text_starts(f->err.what, "output \"exit\" of task \"sub/first\": "));
	arena_free(&arena);
}

static void test_params(void **state)
{
	struct fixture *f = *state;
	const char *good[] = {"keep=1", "names=p,q,r"}, *bad[] = {"keep=x"}, *none[] = {"kep=1"};
	struct plan_lookup lookup = {.output = output};

	assert_int_equal(build(f, &(struct plan_options){.params = good, .param_count = 2}), 0);
	assert_int_equal(plan_when(f->plan, detail(f, "d"), &lookup, NULL), 0);
	assert_int_not_equal(map_get(&f->plan->index, "c[2]"), MAP_NONE);
	assert_int_equal(
		build(f, &(struct plan_options){.params = bad, .param_count = 1}), -ERANGE);
	assert_int_equal(
		build(f, &(struct plan_options){.params = none, .param_count = 1}), -ENOENT);
	assert_string_equal(f->err.next, "did you mean \"keep\"?");
}

static void test_selection(void **state)
{
	struct fixture *f = *state;
	const char *only[] = {"s", "none"}, *skip[] = {"a"}, *unknown[] = {"aa"};

	assert_int_equal(build(f, &(struct plan_options){.only = only, .only_count = 2}), 0);
	assert_false(task(f, "w")->flags & PLAN_LEFT_OUT);
	assert_true(task(f, "sub/last")->flags & PLAN_LEFT_OUT);
	assert_int_equal(build(f, &(struct plan_options){.skip = skip, .skip_count = 1}), -ENOENT);
	assert_string_equal(f->err.what, "task \"b\" uses ${a.stdout}, but \"a\" is left out");
	assert_int_equal(
		build(f, &(struct plan_options){.skip = unknown, .skip_count = 1}), -ENOENT);
	assert_int_equal(build(f, &(struct plan_options){.start_at = "none"}), 0);
	assert_int_equal(build(f, &(struct plan_options){.start_at = "z"}), -ENOENT);
}

static void test_text(void **state)
{
	struct fixture *f = *state;
	struct text CLEANUP_TEXT text = {0};

	assert_int_equal(build(f, &(struct plan_options){0}), 0);
	plan_text(f->plan, &text);
	json_t *all = json_loadb(text.bytes, text.size, 0, NULL);
	assert_non_null(all);
	assert_int_equal(json_array_size(json_object_get(all, "tasks")), f->plan->task_count);
	assert_int_equal(json_array_size(json_object_get(all, "gangs")), f->plan->gang_count);
	assert_int_equal(json_array_size(json_object_get(all, "outers")), 2);
	assert_non_null(json_object_get(json_object_get(all, "params"), "sub/"));
	json_decref(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_shape, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_values, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wrong_output, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_params, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_selection, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_text, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
