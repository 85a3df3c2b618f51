/* SPDX-License-Identifier: MIT */
/* plan_restore: what plan_text wrote makes the same plan again. */
#include "restore_words.h"

#include "cases/catalog.h"

#include <string.h>

static void assert_restores(struct fixture *f, const char *text, size_t size)
{
	struct text CLEANUP_TEXT again = {0};

	if (restore_text(f, text, size) < 0)
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

	assert_int_equal(restore_text(f, f->text.bytes, f->text.size), 0);
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

	assert_int_equal(
		restore_build(f, &(struct plan_options){.only = only, .only_count = 3}), 0);
	assert_restores(f, text_string(&f->text), f->text.size);
	assert_same(f);
	assert_int_equal(
		restore_build(f, &(struct plan_options){.params = params, .param_count = 4}), 0);
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

	assert_int_equal(plan_resolve(f->again, restored_detail(f, name), given, &lookup, arena,
				 &value, NULL),
		0);
	return value.kind == VALUE_UNKNOWN ? value.after : value_text(arena, &value);
}

static const char *argv_of(const struct fixture *f, const char *name, struct arena *arena)
{
	return resolved(f, name, value_get(&restored_detail(f, name)->task->args, "argv"), arena);
}

static void test_values(void **state)
{
	struct fixture *f = *state;
	struct plan_lookup lookup = {.output = output};
	struct arena arena = {0};

	assert_int_equal(restore_text(f, f->text.bytes, f->text.size), 0);
	assert_string_equal(argv_of(f, "a", &arena), "[ \"true\", \"${plain}\" ]");
	assert_non_null(strstr(argv_of(f, "b", &arena), "\"n3${x}\", \"yes\", 3"));
	assert_non_null(strstr(argv_of(f, "c[1]", &arena), "\"y\""));
	assert_non_null(strstr(argv_of(f, "sub/first", &arena), "yes!"));
	assert_non_null(strstr(argv_of(f, "many[1]/in/first", &arena), "<q>!"));
	assert_non_null(strstr(
		resolved(f, "d", &restored_detail(f, "d")->task->options->env, &arena), "0"));
	assert_non_null(
		strstr(resolved(f, "b", &restored_detail(f, "b")->task->options->rollback, &arena),
			"yes"));
	assert_int_equal(plan_when(f->again, restored_detail(f, "d"), &lookup, &f->err), 1);
	assert_int_equal(plan_when(f->again, restored_detail(f, "sub/last"), &lookup, &f->err), 1);
	assert_int_equal(plan_when(f->again, restored_detail(f, "e[0]"), &lookup, &f->err), 1);
	assert_int_equal(plan_when(f->again, restored_detail(f, "e[1]"), &lookup, &f->err), 0);
	lookup.output = NULL;
	assert_true(plan_when(f->again, restored_detail(f, "sub/last"), &lookup, &f->err) < 0);
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

static void test_missing(void **state)
{
	struct fixture *f = *state;
	struct text CLEANUP_TEXT again = {0};

	restore_drop_checksum(f);
	replace(f, "\"action\":\"load\"", "\"action\":\"lade\"");
	replace(f, "\"action\":\"check\"", "\"action\":\"chuck\"");
	replace(f, "\"action\":\"demo.check\"", "\"action\":\"demo.chuck\"");
	replace(f, "\"plugin\":\"spare\"", "\"plugin\":\"ancient\"");
	assert_int_equal(restore_text(f, f->text.bytes, f->text.size), 0);
	assert_null(restored_detail(f, "load")->task->action);
	assert_string_equal(restored_detail(f, "load")->missing_action, "lade");
	assert_non_null(restored_detail(f, "load")->task->instance);
	assert_null(restored_detail(f, "a")->task->options->rollback_action);
	assert_int_equal(restored_detail(f, "a")->task->options->rollback.kind, VALUE_GROUP);
	assert_non_null(restored_detail(f, "dump")->task->action);
	assert_null(f->again->site->instances[2].description);
	assert_null(f->again->site->instances[2].path);
	plan_text(f->again, &again);
	assert_non_null(strstr(again.bytes, "\"action\":\"lade\""));
	plan_free(f->again);
	assert_int_equal(
		plan_restore(f->text.bytes, f->text.size, NULL, NULL, &f->again, &f->err), 0);
	assert_null(restored_detail(f, "dump")->task->action);
	assert_non_null(restored_detail(f, "b")->task->action);
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
	restore_file(f->dir, "upkeep.conf",
		"graphs = [ ]; plugins = { demo = { host = \"there\"; }; other = { plugin = "
		"\"spare\"; host = \"no\"; }; };\n");
	restore_load(f);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_same, restore_set_up, restore_tear_down),
		cmocka_unit_test_setup_teardown(test_alone, restore_set_up, restore_tear_down),
		cmocka_unit_test_setup_teardown(test_options, restore_set_up, restore_tear_down),
		cmocka_unit_test_setup_teardown(test_values, restore_set_up, restore_tear_down),
		cmocka_unit_test_setup_teardown(test_missing, restore_set_up, restore_tear_down),
		cmocka_unit_test_setup_teardown(test_current, restore_set_up, restore_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
