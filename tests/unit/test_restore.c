/* SPDX-License-Identifier: MIT */
/* plan_restore: what plan_text wrote makes the same plan again, and nothing else does. */
#include "unit.h"

#include "cases/catalog.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "plan/restore.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char settings[] =
	"graphs = [ \"g.conf\" ]; locks = [ \"one\", \"two\" ]; pools = { io = 2; cpu = 7; };\n"
	"state_dir = \"/var/lib/x\"; jobs = 3; undo_keep = \"2d\"; undo_space = \"1MiB\";\n"
	"plugins = { demo = { host = \"here\"; port = 5432; password = \"env:DEMO_PASSWORD\";\n"
	"    stores = ( { name = \"s\"; path = \"/s\"; }, { name = \"t\"; } ); };\n"
	"  other = { plugin = \"demo\"; }; spare = { }; };\n";

static const char graphs[] =
	"graphs = { main = {\n"
	"  about = \"all of it\"; overlap = \"wait\"; wait_max = \"5m\"; timeout = \"2h\";\n"
	"  on_failure = \"stop\"; running = \"finish\"; on_interrupt = \"hold\";\n"
	"  params = { keep = { type = \"int\"; default = 3; }; share = { type = \"float\"; default "
	"= "
	"0.1; };\n"
	"    big = { type = \"int\"; default = 9223372036854775807L; };\n"
	"    names = { type = \"list of string\"; default = [ \"x\", \"y\" ]; }; };\n"
	"  tasks = {\n"
	"    a = { action = \"core.exec\"; argv = [ \"true\", \"$${plain}\" ]; capture = "
	"\"text\";\n"
	"      lock = [ \"two\", \"one\" ]; pool = \"cpu\"; about = \"first\"; umask = \"0027\"; "
	"nice "
	"= -5;\n"
	"      env = { A = \"1\"; B = \"secret:env:B\"; }; cwd = \"/tmp/${run.id}\"; kill_after = "
	"0;\n"
	"      limits = { memory = \"1GiB\"; processes = 7; files = 99; file_size = \"1MiB\";\n"
	"        cpu_time = \"5s\"; };\n"
	"      log_max = \"1MiB\"; timeout = \"10s\"; leaves_running = true; ignore_failure = "
	"true;\n"
	"      run_as = \"root\"; run_as_group = \"root\";\n"
	"      rollback = { action = \"demo.check\"; }; };\n"
	"    b = { action = \"core.exec\"; argv = [ \"n${param.keep}$${x}\", \"${a.stdout}\", "
	"\"${param.keep}\" ];\n"
	"      pivot = true;\n"
	"      rollback = { action = \"core.exec\"; argv = [ \"echo\", \"${a.stdout}\" ];\n"
	"        timeout = \"5m\"; retry = { attempts = 5; delay = \"2s\"; }; }; };\n"
	"    c = { action = \"core.exec\"; argv = [ \"echo\", \"${each}\" ]; each = "
	"\"${param.names}\";\n"
	"      after = \"b\"; };\n"
	"    d = { action = \"core.exec\"; argv = [ \"true\" ]; env = { E = \"${c.exit}\"; };\n"
	"      when = \"${param.keep} > 2 and not ${a.exit} == 1\"; };\n"
	"    e = { action = \"core.exec\"; argv = [ \"${each}\" ]; each = [ 1, 2 ];\n"
	"      when = \"${each} < 2\"; };\n"
	"    sub = { action = \"core.graph\"; graph = \"inner\"; after = \"d\";\n"
	"      params = { text = \"${a.stdout}\"; }; when = \"${a.stdout} == 'yes'\"; };\n"
	"    z = { action = \"core.exec\"; argv = [ \"${sub/first.exit}\" ]; after = \"sub\"; };\n"
	"    many = { action = \"core.graph\"; graph = \"shell\"; each = [ \"p\", \"q\" ]; after = "
	"\"a\";\n"
	"      params = { text = \"${each}\"; }; };\n"
	"    hollow = { action = \"core.graph\"; graph = \"inner\"; each = \"/nowhere/*.none\";\n"
	"      params = { text = \"x\"; }; after = \"a\"; };\n"
	"    none = { action = \"core.exec\"; argv = [ \"true\" ]; each = \"/nowhere/*.none\"; };\n"
	"    w = { action = \"core.exec\"; argv = [ \"cat\" ]; from = \"s\"; pool = \"io\"; lock = "
	"\"one\"; };\n"
	"    s = { action = \"core.exec\"; argv = [ \"cat\" ]; retry = { attempts = 3; delay = "
	"\"1s\"; "
	"}; };\n"
	"    dump = { action = \"demo.dump\"; database = \"main\"; rate = 1.5; full = true; jobs = "
	"4;\n"
	"      room = \"64KiB\"; tables = [ \"t\" ]; store = { name = \"n\"; path = \"/p\"; };\n"
	"      password = \"env:DEMO_PASSWORD\"; };\n"
	"    load = { action = \"other.load\"; database = \"${host.name}\"; from = \"dump\";\n"
	"      lock = \"two\"; retry = { attempts = 9; backoff = 1.25; }; };\n"
	"    tell = { action = \"demo.check\"; run_if = \"done\"; };\n"
	"  }; };\n"
	" shell = { params = { text = { type = \"string\"; }; }; tasks = {\n"
	"    in = { action = \"core.graph\"; graph = \"inner\"; params = { text = "
	"\"<${param.text}>\"; "
	"}; };\n"
	"  }; };\n"
	" inner = { params = { text = { type = \"string\"; }; }; tasks = {\n"
	"    first = { action = \"core.exec\"; argv = [ \"${param.text}!\" ]; };\n"
	"    last = { action = \"core.exec\"; argv = [ \"true\" ]; after = \"first\"; };\n"
	"  }; }; };\n";

struct fixture {
	char dir[64];
	struct site *site;
	struct plan *plan, *again;
	struct text text;
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

static void load(struct fixture *f)
{
	char path[128];
	struct config_options options = {.path = path};

	snprintf(path, sizeof path, "%s/upkeep.conf", f->dir);
	assert_int_equal(
		config_load(&options, fake_catalog(), &f->site, &f->diagnostics, &f->err), 0);
	if (diagnostics_errors(&f->diagnostics, NULL)) {
		struct text CLEANUP_TEXT all = {0};
		diagnostics_print(&f->diagnostics, f->site, &all);
		fail_msg("%s", text_string(&all));
	}
}

static int build(struct fixture *f, const struct plan_options *options)
{
	plan_free(f->plan);
	f->plan = NULL;
	int r = plan_build(
		f->site, site_graph(f->site, "main"), options, &f->plan, &f->diagnostics, &f->err);
	text_free(&f->text);
	if (r == 0)
		plan_text(f->plan, &f->text);
	return r;
}

static int set_up(void **state)
{
	struct fixture *f = base_alloc(sizeof *f);

	snprintf(f->dir, sizeof f->dir, "/tmp/upkeep-restore-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	write_file(f->dir, "upkeep.conf", settings);
	write_file(f->dir, "g.conf", graphs);
	load(f);
	assert_int_equal(build(f, &(struct plan_options){0}), 0);
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
	plan_free(f->again);
	site_free(f->site);
	text_free(&f->text);
	diagnostics_free(&f->diagnostics);
	error_clear(&f->err);
	free(f);
	return 0;
}

/* From a buffer of just that size, so that a byte too far is seen. */
static int restore(struct fixture *f, const char *text, size_t size)
{
	CLEANUP_FREE char *exact = base_alloc(size);

	memcpy(exact, text, size);
	plan_free(f->again);
	f->again = NULL;
	return plan_restore(exact, size, fake_catalog(), NULL, &f->again, &f->err);
}

static void assert_restores(struct fixture *f, const char *text, size_t size)
{
	struct text CLEANUP_TEXT again = {0};

	if (restore(f, text, size) < 0)
		fail_msg("%s", error_what(&f->err));
	plan_text(f->again, &again);
	assert_string_equal(text_string(&again), text);
}

static bool has_number(const uint32_t *numbers, uint32_t count, uint32_t number)
{
	for (uint32_t i = 0; i < count; i++)
		if (numbers[i] == number)
			return true;
	return false;
}

static void assert_same_undo(const struct task_options *a, const struct task_options *b)
{
	const struct retry *x = &a->rollback_retry, *y = &b->rollback_retry;

	assert_int_equal(a->rollback_timeout_ms, b->rollback_timeout_ms);
	assert_int_equal(x->attempts, y->attempts);
	assert_int_equal(x->delay_ms, y->delay_ms);
	assert_int_equal(x->max_delay_ms, y->max_delay_ms);
	assert_true(x->backoff == y->backoff);
}

/* Of what the text does not say itself. */
static void assert_same_task(const struct fixture *f, uint32_t t)
{
	const struct plan *a = f->plan, *b = f->again;
	const struct plan_task *x = &a->tasks[t], *y = &b->tasks[t];
	const struct plan_detail *d = &b->details[y->detail], *e = &a->details[x->detail];

	assert_int_equal(x->need_count, y->need_count);
	assert_int_equal(x->next_count, y->next_count);
	for (uint32_t k = 0; k < x->next_count; k++)
		assert_true(has_number(b->edges + y->nexts, y->next_count, a->edges[x->nexts + k]));
	assert_int_equal(map_get(&b->index, d->name), t);
	assert_int_equal(
		d->task->options == &task_options_plain, e->task->options == &task_options_plain);
	assert_ptr_equal(d->task->action, e->task->action);
	assert_ptr_equal(d->task->options->rollback_action, e->task->options->rollback_action);
	assert_true(value_equal(d->params, e->params));
	assert_int_equal(d->graph == b->graph, e->graph == a->graph);
	assert_int_equal(d->outer != NULL, e->outer != NULL);
	assert_null(d->missing_action);
	assert_same_undo(d->task->options, e->task->options);
}

static void assert_same(const struct fixture *f)
{
	const struct plan *a = f->plan, *b = f->again;

	assert_int_equal(a->task_count, b->task_count);
	assert_int_equal(a->gang_count, b->gang_count);
	for (uint32_t t = 0; t < a->task_count; t++)
		assert_same_task(f, t);
	for (uint32_t g = 0; g < a->gang_count; g++) {
		const struct plan_gang *x = &a->gangs[g], *y = &b->gangs[g];
		assert_int_equal(x->members, y->members);
		assert_int_equal(x->member_count, y->member_count);
		assert_int_equal(x->resources, y->resources);
	}
	assert_memory_equal(a->members, b->members, a->task_count * sizeof a->members[0]);
	assert_int_equal(a->on_failure, b->on_failure);
	assert_int_equal(a->running, b->running);
	assert_true(a->locks_at_start && b->locks_at_start);
	assert_int_equal(a->index.count, b->index.count);
}

static void test_same(void **state)
{
	struct fixture *f = *state;

	assert_restores(f, text_string(&f->text), f->text.size);
	assert_same(f);
	const struct site *site = f->again->site;
	assert_string_equal(site->state_dir, "/var/lib/x");
	assert_int_equal(site->jobs, 3);
	assert_int_equal(site->instance_count, 3);
	assert_ptr_equal(site->instances[1].description, site->instances[0].description);
	assert_string_equal(site->instances[1].path, "/plugins/demo.so");
	assert_string_equal(site->files[0], f->site->path);
	assert_ptr_equal(site_graph(site, "main"), f->again->graph);
	assert_int_equal(f->again->graph->on_interrupt, ON_INTERRUPT_HOLD);
	const struct task_options *b = f->again->details[1].task->options;
	assert_int_equal(b->rollback_timeout_ms, 300000);
	assert_int_equal(b->rollback_retry.attempts, 5);
	assert_int_equal(b->rollback_retry.delay_ms, 2000);
	assert_int_equal(b->rollback_retry.max_delay_ms, 30000);
	assert_true(b->rollback_retry.backoff == 4);
	assert_null(value_get(&b->rollback, "timeout"));
	assert_null(value_get(&b->rollback, "retry"));
}

/* The text of a plan that was restored outlives configuration and first plan. */
static void test_alone(void **state)
{
	struct fixture *f = *state;
	struct text CLEANUP_TEXT again = {0};

	assert_int_equal(restore(f, f->text.bytes, f->text.size), 0);
	plan_free(f->plan);
	site_free(f->site);
	f->plan = NULL;
	f->site = NULL;
	plan_text(f->again, &again);
	assert_string_equal(text_string(&again), text_string(&f->text));
}

static void test_options(void **state)
{
	struct fixture *f = *state;
	const char *only[] = {"s", "none", "many"};
	const char *params[] = {"names=\xff\xfe\"\\,q,${run.id},\xc3\xa4\n", "keep=-5",
		"share=1e300", "big=-9223372036854775807"};

	assert_int_equal(build(f, &(struct plan_options){.only = only, .only_count = 3}), 0);
	assert_restores(f, text_string(&f->text), f->text.size);
	assert_same(f);
	assert_int_equal(build(f, &(struct plan_options){.params = params, .param_count = 4}), 0);
	assert_non_null(strstr(f->text.bytes, "{\"bytes\":\"fffe225c\"}"));
	assert_non_null(strstr(f->text.bytes, "{\"plain\":\"${run.id}\"}"));
	assert_restores(f, text_string(&f->text), f->text.size);
	assert_same(f);
	const struct plan *plan = f->again;
	const struct plan_detail *copy =
		&plan->details[plan->tasks[map_get(&plan->index, "c[2]")].detail];
	assert_string_equal(copy->each->string, "${run.id}");
	assert_false(copy->each->has_refs);
	copy = &plan->details[plan->tasks[map_get(&plan->index, "c[0]")].detail];
	assert_string_equal(copy->each->string, "\xff\xfe\"\\");
	assert_true(value_get(&plan->params, "share")->real == 1e300);
}

static const struct plan_detail *detail(const struct fixture *f, const char *name)
{
	uint32_t index = map_get(&f->again->index, name);

	assert_int_not_equal(index, MAP_NONE);
	return &f->again->details[f->again->tasks[index].detail];
}

static const char *output(void *data, const char *name, const char *what)
{
	(void)data;
	return strcmp(what, "exit") == 0 ? "0" : strcmp(name, "a") == 0 ? "yes" : NULL;
}

static const char *resolved(
	const struct fixture *f, const char *name, const struct value *given, struct arena *arena)
{
	struct plan_lookup lookup = {.output = output};
	struct value value;

	assert_int_equal(
		plan_resolve(f->again, detail(f, name), given, &lookup, arena, &value, NULL), 0);
	return value.kind == VALUE_UNKNOWN ? value.after : value_text(arena, &value);
}

static const char *argv_of(const struct fixture *f, const char *name, struct arena *arena)
{
	return resolved(f, name, value_get(&detail(f, name)->task->args, "argv"), arena);
}

static void test_values(void **state)
{
	struct fixture *f = *state;
	struct plan_lookup lookup = {.output = output};
	struct arena arena = {0};

	assert_int_equal(restore(f, f->text.bytes, f->text.size), 0);
	assert_string_equal(argv_of(f, "a", &arena), "[ \"true\", \"${plain}\" ]");
	assert_non_null(strstr(argv_of(f, "b", &arena), "\"n3${x}\", \"yes\", 3"));
	assert_non_null(strstr(argv_of(f, "c[1]", &arena), "\"y\""));
	assert_non_null(strstr(argv_of(f, "sub/first", &arena), "yes!"));
	assert_non_null(strstr(argv_of(f, "many[1]/in/first", &arena), "<q>!"));
	assert_non_null(strstr(resolved(f, "d", &detail(f, "d")->task->options->env, &arena), "0"));
	assert_non_null(
		strstr(resolved(f, "b", &detail(f, "b")->task->options->rollback, &arena), "yes"));
	assert_int_equal(plan_when(f->again, detail(f, "d"), &lookup, &f->err), 1);
	assert_int_equal(plan_when(f->again, detail(f, "sub/last"), &lookup, &f->err), 1);
	assert_int_equal(plan_when(f->again, detail(f, "e[0]"), &lookup, &f->err), 1);
	assert_int_equal(plan_when(f->again, detail(f, "e[1]"), &lookup, &f->err), 0);
	lookup.output = NULL;
	assert_true(plan_when(f->again, detail(f, "sub/last"), &lookup, &f->err) < 0);
	arena_free(&arena);
}

static void replace(struct fixture *f, const char *from, const char *to)
{
	struct text out = {0};
	const char *at = f->text.bytes;

	for (const char *hit; (hit = strstr(at, from)); at = hit + strlen(from)) {
		text_add(&out, at, (size_t)(hit - at));
		text_adds(&out, to);
	}
	assert_ptr_not_equal(at, f->text.bytes);
	text_adds(&out, at);
	text_free(&f->text);
	f->text = out;
}

/* As the oldest texts are; then it can be changed. */
static void drop_checksum(struct fixture *f)
{
	const char *body = strchr(f->text.bytes, ',');
	struct text out = {0};

	assert_true(text_starts(f->text.bytes, "{\"checksum\":"));
	text_addf(&out, "{%s", body + 1);
	text_free(&f->text);
	f->text = out;
}

static void test_missing(void **state)
{
	struct fixture *f = *state;
	struct text CLEANUP_TEXT again = {0};

	drop_checksum(f);
	replace(f, "\"action\":\"load\"", "\"action\":\"lade\"");
	replace(f, "\"action\":\"check\"", "\"action\":\"chuck\"");
	replace(f, "\"action\":\"demo.check\"", "\"action\":\"demo.chuck\"");
	replace(f, "\"plugin\":\"spare\"", "\"plugin\":\"ancient\"");
	assert_int_equal(restore(f, f->text.bytes, f->text.size), 0);
	assert_null(detail(f, "load")->task->action);
	assert_string_equal(detail(f, "load")->missing_action, "lade");
	assert_non_null(detail(f, "load")->task->instance);
	assert_null(detail(f, "a")->task->options->rollback_action);
	assert_int_equal(detail(f, "a")->task->options->rollback.kind, VALUE_GROUP);
	assert_non_null(detail(f, "dump")->task->action);
	assert_null(f->again->site->instances[2].description);
	assert_null(f->again->site->instances[2].path);
	plan_text(f->again, &again);
	assert_non_null(strstr(again.bytes, "\"action\":\"lade\""));
	plan_free(f->again);
	assert_int_equal(
		plan_restore(f->text.bytes, f->text.size, NULL, NULL, &f->again, &f->err), 0);
	assert_null(detail(f, "dump")->task->action);
	assert_non_null(detail(f, "b")->task->action);
}

static const char *host_of(const struct fixture *f, uint32_t instance)
{
	const struct value *host = value_get(&f->again->site->instances[instance].settings, "host");

	return host ? host->string : "";
}

static void test_current(void **state)
{
	struct fixture *f = *state;

	site_free(f->site);
	write_file(f->dir, "upkeep.conf",
		"graphs = [ ]; plugins = { demo = { host = \"there\"; }; other = { plugin = "
		"\"spare\"; host = \"no\"; }; };\n");
	load(f);
	assert_int_equal(plan_restore(f->text.bytes, f->text.size, fake_catalog(), f->site,
				 &f->again, &f->err),
		0);
	assert_string_equal(host_of(f, 0), "there");
	assert_null(value_get(&f->again->site->instances[0].settings, "port"));
	assert_string_equal(host_of(f, 1), ""); /* of another plugin now */
	site_free(f->site);
	f->site = NULL;
	assert_string_equal(host_of(f, 0), "there");
}

static void assert_refused(struct fixture *f, const char *text, size_t size)
{
	error_clear(&f->err);
	assert_int_equal(restore(f, text, size), -EBADMSG);
	assert_null(f->again);
	assert_true(text_starts(error_what(&f->err), "the plan of this run cannot be read: "));
	assert_non_null(f->err.next);
}

static void cut(struct fixture *f, size_t from, size_t size, struct text *out)
{
	text_free(out);
	text_add(out, f->text.bytes, from);
	text_add(out, f->text.bytes + from + size, f->text.size - from - size);
}

static void test_cut(void **state)
{
	struct fixture *f = *state;
	static const size_t sizes[] = {1, 2, 17, 300, 3000};
	struct text CLEANUP_TEXT out = {0};
	size_t step = getenv("UPKEEP_LONG") ? 1 : 13;

	for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
		for (size_t i = 0; i + sizes[s] <= f->text.size; i += step) {
			cut(f, i, sizes[s], &out);
			assert_refused(f, out.bytes, out.size);
		}
	for (size_t i = 0; i < f->text.size; i += step)
		assert_refused(f, f->text.bytes, i);
}

/* Without the checksum, what looks like a plan may be one: then it is whole. */
static void assert_harmless(struct fixture *f, const char *text, size_t size)
{
	struct text CLEANUP_TEXT again = {0};

	error_clear(&f->err);
	int r = restore(f, text, size);
	if (r == 0)
		plan_text(f->again, &again);
	else
		assert_int_equal(r, -EBADMSG);
}

static void test_damage(void **state)
{
	struct fixture *f = *state;
	static const char bytes[] = "\"{}[],:0-e\\z\xff";
	struct text CLEANUP_TEXT out = {0};
	size_t step = getenv("UPKEEP_LONG") ? 1 : 41;

	drop_checksum(f);
	assert_int_equal(restore(f, f->text.bytes, f->text.size), 0);
	for (size_t i = 0; i < f->text.size; i += step) {
		for (size_t k = 0; k < sizeof bytes; k++) {
			char kept = f->text.bytes[i];
			f->text.bytes[i] = bytes[k];
			assert_harmless(f, f->text.bytes, f->text.size);
			f->text.bytes[i] = kept;
		}
		cut(f, i, 1 + i % 97 < f->text.size - i ? 1 + i % 97 : 0, &out);
		assert_harmless(f, out.bytes, out.size);
		assert_refused(f, f->text.bytes, i);
	}
}

/* Every number in turn, outside of strings. */
static void test_numbers(void **state)
{
	struct fixture *f = *state;
	bool quoted = false;
	size_t seen = 0;

	drop_checksum(f);
	for (size_t i = 1; i < f->text.size; i++) {
		const char *at = f->text.bytes + i;
		quoted ^= *at == '"' && at[-1] != '\\';
		size_t size = strspn(at, "-+.e0123456789");
		if (quoted || !size || !strchr(":[,", at[-1]))
			continue;
		struct text CLEANUP_TEXT out = {0};
		text_add(&out, f->text.bytes, i);
		text_adds(&out, "99999999999999999999");
		text_adds(&out, at + size);
		assert_refused(f, out.bytes, out.size);
		text_free(&out);
		text_add(&out, f->text.bytes, i);
		text_adds(&out, "4294967295");
		text_adds(&out, at + size);
		assert_harmless(f, out.bytes, out.size);
		seen++;
	}
	assert_true(seen > 200);
}

/* "tasks.0.needs" = JSON; "-": without it. */
static void edit(json_t *all, const char *path, const char *value)
{
	json_t *at = all;
	char key[64];

	for (;;) {
		size_t n = strcspn(path, ".");
		snprintf(key, sizeof key, "%.*s", (int)n, path);
		if (!path[n])
			break;
		at = json_is_array(at) ? json_array_get(at, (size_t)atoi(key))
				       : json_object_get(at, key);
		assert_non_null(at);
		path += n + 1;
	}
	if (strcmp(value, "-") == 0)
		assert_int_equal(json_object_del(at, key), 0);
	else if (json_is_array(at))
		json_array_set_new(at, (size_t)atoi(key), json_loads(value, JSON_DECODE_ANY, NULL));
	else
		json_object_set_new(at, key, json_loads(value, JSON_DECODE_ANY, NULL));
}

/* In the graph above, task 0 is a, 1 is b (after a); w and s are 17 and 18. */
static const struct {
	const char *path, *value, *what;
} edits[] = {
	{"version", "2", "it is of version 2, and this upkeep knows version 1"},
	{"version", "-", "it is of version 0, and this upkeep knows version 1"},
	{"site", "-", "\"state_dir\" is missing"},
	{"site.jobs", "0", "\"jobs\" must be a whole number between 1 and 65535"},
	{"site.jobs", "1.5", "\"jobs\" must be a whole number between 1 and 65535"},
	{"site.plugin_dirs", "[ 1 ]", "\"plugin_dirs\" must be a list of names"},
	{"site.instances", "{}", "\"instances\" must be a list"},
	{"site.instances.1.name", "\"demo\"", "plugin 1: \"demo\" is there twice"},
	{"site.instances.0.settings", "[]", "plugin 0: \"settings\" must be a group"},
	{"graph", "-", "\"name\" is missing"},
	{"graph.overlap", "3", "\"overlap\" must be a whole number between 0 and 2"},
	{"graph.types.keep", "\"ant\"", "parameter \"keep\" is of no type that is known"},
	{"graphs.0.name", "\"main\"", "graph \"main\" is there twice"},
	{"params.many[1]/in/", "-", "the parameters of \"many[1]/in/\" are missing"},
	{"params.sub/", "3", "\"sub/\" must be a group"},
	{"outers.0.outer", "0", "\"outer\" names something that is not there"},
	{"resources.0.places", "0", "\"places\" must be a whole number between 1 and 4294967295"},
	{"resources.0.is_pool", "0", "\"is_pool\" must be true or false"},
	{"retries", "[]", "the first of \"retries\" must be none"},
	{"retries.0.attempts", "2", "the first of \"retries\" must be none"},
	{"retries.1.backoff", "0.5", "\"backoff\" must be a number of at least 1"},
	{"retries.1.backoff", "\"2\"", "\"backoff\" must be a number of at least 1"},
	{"gangs.0.retry", "9", "gang 0: \"retry\" must be a whole number between 0 and "},
	{"gangs.0.resources", "[ 1, 0 ]", "gang 0: \"resources\" are not in order"},
	{"gangs.0.resources", "[ 4 ]", "gang 0: \"resources\" names something that is not there"},
	{"gangs.0", "3", "gang 0: it is damaged"},
	{"tasks.0.needs", "[ 0 ]", "task 0: it waits for a task of its own gang"},
	{"tasks.0.needs", "[ 1 ]", "its tasks wait for each other in a circle"},
	{"tasks.0.needs", "[ 99 ]", "task 0: \"needs\" names something that is not there"},
	{"tasks.0.needs", "[ \"1\" ]", "task 0: \"needs\" names something that is not there"},
	{"tasks.0.run_if", "1", "it waits for a task that runs after all others"},
	{"tasks.0.source", "1", "task 0: it reads from a task of another gang"},
	{"tasks.0.source", "0", "task 0: its stream comes round in a circle"},
	{"tasks.0.gang", "-", "task 0: \"gang\" must be a whole number between 0 and "},
	{"tasks.0.gang", "1", "gang 0: it has no tasks"},
	{"tasks.0.flags", "64", "task 0: \"flags\" must be a whole number between 0 and 63"},
	{"tasks.0.changes", "4", "task 0: \"changes\" must be a whole number between 0 and 3"},
	{"tasks.0.name", "\"b\"", "task 1: \"b\" is there twice"},
	{"tasks.0.name", "\"\"", "task 0: \"name\" is missing"},
	{"tasks.0.name", "{\"bytes\":\"0\"}", "task 0: \"bytes\" are not in hexadecimal"},
	{"tasks.0.name", "{\"bytes\":\"00\"}", "task 0: \"bytes\" are not in hexadecimal"},
	{"tasks.0.instance", "\"nix\"", "task 0: there is no plugin \"nix\""},
	{"tasks.0.args", "{\"group\":{\"argv\":7}}", "task 0: parameter \"argv\" must be a list"},
	{"tasks.0.args", "{\"group\":{\"argv\":null}}", "task 0: a value is of no kind"},
	{"tasks.0.args", "{\"lump\":{}}", "task 0: a value is of no kind that is known"},
	{"tasks.0.options.env", "{\"group\":{\"A\":1}}",
		"task 0: \"env\" must be a group of texts"},
	{"tasks.0.options.umask", "512", "task 0: \"umask\" must be a whole number between 0 and"},
	{"tasks.0.options.retry", "-", "task 0: \"attempts\" must be a whole number between 1"},
	{"tasks.0.options.rollback.args", "[]", "task 0: \"args\" must be a group"},
	{"tasks.0.options.rollback.action", "\"dump\"", "task 0: the rollback is not demo.dump"},
	{"tasks.1.options.rollback.args", "{\"group\":{}}",
		"task 1: parameter \"argv\" is missing"},
	{"tasks.1.options.rollback.retry.attempts", "0", "task 1: \"attempts\" must be a whole"},
	{"tasks.1.options.rollback.timeout_ms", "-1", "task 1: \"timeout_ms\" must be a whole"},
	{"tasks.0.options.when", "3", "task 0: \"when\" is not a text"},
	{"tasks.0.outer", "99", "task 0: \"outer\" must be a whole number between 0 and "},
};

static void test_edits(void **state)
{
	struct fixture *f = *state;

	drop_checksum(f);
	for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
		json_t *all = json_loadb(f->text.bytes, f->text.size, 0, NULL);
		edit(all, edits[i].path, edits[i].value);
		CLEANUP_FREE char *text = json_dumps(all, JSON_COMPACT);
		json_decref(all);
		assert_refused(f, text, strlen(text));
		if (!strstr(f->err.what, edits[i].what))
			fail_msg("%s = %s: %s", edits[i].path, edits[i].value, f->err.what);
	}
}

/* Both ends of one stream read from each other. */
static void test_stream(void **state)
{
	struct fixture *f = *state;
	uint32_t w = map_get(&f->plan->index, "w"), s = map_get(&f->plan->index, "s");
	char path[64], value[32];

	drop_checksum(f);
	json_t *all = json_loadb(f->text.bytes, f->text.size, 0, NULL);
	snprintf(path, sizeof path, "tasks.%u.source", s);
	snprintf(value, sizeof value, "%u", w);
	edit(all, path, value);
	CLEANUP_FREE char *text = json_dumps(all, JSON_COMPACT);
	json_decref(all);
	assert_refused(f, text, strlen(text));
	assert_non_null(strstr(f->err.what, "its stream comes round in a circle"));
}

/* Before graphs, types and the attempts of an undo were in it. */
static void test_oldest(void **state)
{
	struct fixture *f = *state;

	drop_checksum(f);
	json_t *all = json_loadb(f->text.bytes, f->text.size, 0, NULL);
	edit(all, "graphs", "-");
	edit(all, "graph.types", "-");
	edit(all, "tasks.1.options.rollback.retry", "-");
	CLEANUP_FREE char *text = json_dumps(all, JSON_COMPACT);
	json_decref(all);
	if (restore(f, text, strlen(text)) < 0)
		fail_msg("%s", error_what(&f->err));
	assert_string_equal(detail(f, "sub/first")->graph->name, "inner");
	assert_ptr_equal(detail(f, "sub/first")->graph, detail(f, "sub/last")->graph);
	assert_int_equal(detail(f, "b")->task->options->rollback_retry.attempts, 3);
}

static void test_rubbish(void **state)
{
	struct fixture *f = *state;
	static const char *const texts[] = {"", "{", "{}", "[]", "{\"tasks\":[", "{\"tasks\":[]",
		"{\"tasks\":[],\"gangs\":[],", "{\"tasks\":[],\"gangs\":[],}",
		"{\"checksum\":", "{\"tasks\":[{\"a\":\"\\"};

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_refused(f, texts[i], strlen(texts[i]));
	assert_refused(f, "{\"tasks\":[\0]", 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_same, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_options, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_values, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_missing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_current, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_damage, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_numbers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_edits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stream, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_oldest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rubbish, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
