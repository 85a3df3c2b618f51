/* SPDX-License-Identifier: MIT */
/* plan_restore: nothing but what plan_text wrote makes a plan. */
#include "restore_words.h"

#include "base/cleanup.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static void assert_refused(struct fixture *f, const char *text, size_t size)
{
	error_clear(&f->err);
	assert_int_equal(restore_text(f, text, size), -EBADMSG);
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
	int r = restore_text(f, text, size);
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

	restore_drop_checksum(f);
	assert_int_equal(restore_text(f, f->text.bytes, f->text.size), 0);
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

	restore_drop_checksum(f);
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

/* The plan's text with one thing in it changed, to be freed. */
static char *edited(const struct fixture *f, const char *path, const char *value)
{
	json_t *all = json_loadb(f->text.bytes, f->text.size, 0, NULL);

	edit(all, path, value);
	char *text = json_dumps(all, JSON_COMPACT);
	json_decref(all);
	return text;
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
	{"graph", "3", "\"graph\" must be an object"},
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

	restore_drop_checksum(f);
	for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
		CLEANUP_FREE char *text = edited(f, edits[i].path, edits[i].value);
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

	restore_drop_checksum(f);
	snprintf(path, sizeof path, "tasks.%u.source", s);
	snprintf(value, sizeof value, "%u", w);
	CLEANUP_FREE char *text = edited(f, path, value);
	assert_refused(f, text, strlen(text));
	assert_non_null(strstr(f->err.what, "its stream comes round in a circle"));
}

static void restore_edited(struct fixture *f, const char *path, const char *value)
{
	CLEANUP_FREE char *text = edited(f, path, value);

	if (restore_text(f, text, strlen(text)) < 0)
		fail_msg("%s", error_what(&f->err));
}

/* What an argument or a condition refers to is only known when it is needed. */
static void test_reference(void **state)
{
	struct fixture *f = *state;
	const struct plan_lookup nothing = {0};
	struct value value;

	restore_drop_checksum(f);
	restore_edited(f, "tasks.0.args", "{\"group\":{\"argv\":[\"true\",\"${nix.out}\"]}}");
	const struct plan_detail *a = restored_detail(f, "a");
	assert_int_equal(plan_resolve(f->again, a, value_get(&a->task->args, "argv"), &nothing,
				 &f->again->arena, &value, &f->err),
		-ENOENT);
	assert_string_equal(f->err.what, "there is no task \"nix\"");
	error_clear(&f->err);
	restore_edited(f, "tasks.0.options.when", "\"${nix.out} == 1\"");
	assert_int_equal(plan_when(f->again, restored_detail(f, "a"), &nothing, &f->err), -ENOENT);
	assert_string_equal(f->err.what, "${nix.out} names nothing");
}

/* The tasks of a gang end together. */
static void test_gang(void **state)
{
	struct fixture *f = *state;
	char path[64];

	restore_drop_checksum(f);
	snprintf(path, sizeof path, "tasks.%u.run_if", map_get(&f->plan->index, "w"));
	CLEANUP_FREE char *text = edited(f, path, "1");
	assert_refused(f, text, strlen(text));
	assert_non_null(strstr(f->err.what, "it is not like the others of its gang"));
}

/* Before graphs, types and the attempts of an undo were in it. */
static void test_oldest(void **state)
{
	struct fixture *f = *state;

	restore_drop_checksum(f);
	json_t *all = json_loadb(f->text.bytes, f->text.size, 0, NULL);
	edit(all, "graphs", "-");
	edit(all, "graph.types", "-");
	edit(all, "tasks.1.options.rollback.retry", "-");
	CLEANUP_FREE char *text = json_dumps(all, JSON_COMPACT);
	json_decref(all);
	if (restore_text(f, text, strlen(text)) < 0)
		fail_msg("%s", error_what(&f->err));
	assert_string_equal(restored_detail(f, "sub/first")->graph->name, "inner");
	assert_ptr_equal(
		restored_detail(f, "sub/first")->graph, restored_detail(f, "sub/last")->graph);
	assert_int_equal(restored_detail(f, "b")->task->options->rollback_retry.attempts, 3);
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
		cmocka_unit_test_setup_teardown(test_cut, restore_set_up, restore_tear_down),
		cmocka_unit_test_setup_teardown(test_damage, restore_set_up, restore_tear_down),
		cmocka_unit_test_setup_teardown(test_numbers, restore_set_up, restore_tear_down),
		cmocka_unit_test_setup_teardown(test_edits, restore_set_up, restore_tear_down),
		cmocka_unit_test_setup_teardown(test_stream, restore_set_up, restore_tear_down),
		cmocka_unit_test_setup_teardown(test_gang, restore_set_up, restore_tear_down),
		cmocka_unit_test_setup_teardown(test_reference, restore_set_up, restore_tear_down),
		cmocka_unit_test_setup_teardown(test_oldest, restore_set_up, restore_tear_down),
		cmocka_unit_test_setup_teardown(test_rubbish, restore_set_up, restore_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
