/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "base/text.h"
#include "base/vec.h"
#include "model/nearest.h"
#include "model/site.h"
#include "model/state.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static struct value string_value(const char *text)
{
	return (struct value){.kind = VALUE_STRING,
		.string = text,
		.has_refs = strstr(text, "${") != NULL,
		.at = {.line = 1, .column = 1}};
}
static struct value int_value(int64_t n)
{
	return (struct value){.kind = VALUE_INT, .integer = n, .at = {.line = 1, .column = 1}};
}

static void reads_numbers(void **state)
{
	static const struct {
		uint32_t type;
		const char *text;
		int64_t number;
	} cases[] = {
		{UPKEEP_INT, "42", 42},
		{UPKEEP_INT, "-7", -7},
		{UPKEEP_INT, "9223372036854775807", INT64_MAX},
		{UPKEEP_BOOL, "true", 1},
		{UPKEEP_BOOL, "False", 0},
		{UPKEEP_SIZE, "512", 512},
		{UPKEEP_SIZE, "64MiB", 64 << 20},
		{UPKEEP_SIZE, "1GB", 1000000000},
		{UPKEEP_SIZE, "3kB", 3000},
		{UPKEEP_SIZE, "2TiB", 2ll << 40},
		{UPKEEP_SIZE, "0", 0},
		{UPKEEP_DURATION, "250ms", 250},
		{UPKEEP_DURATION, "5m", 300000},
		{UPKEEP_DURATION, "1h30m", 5400000},
		{UPKEEP_DURATION, "7d", 604800000},
		{UPKEEP_DURATION, "0", 0},
		{UPKEEP_DURATION, "2min", 120000},
		{UPKEEP_TIME, "1970-01-02T00:00Z", 86400},
		{UPKEEP_TIME, "1970-01-02 00:00:01Z", 86401},
		{UPKEEP_TIME, "1970-01-01T02:00+02:00", 0},
		{UPKEEP_TIME, "1969-12-31T23:30-00:30", 0},
		{UPKEEP_TIME, "2026-11-23", 1795392000},
	};

	for (size_t i = 0; i < UPKEEP_COUNT(cases); i++) {
		union scalar scalar;
		print_message("%s %s\n", type_name(cases[i].type), cases[i].text);
		assert_int_equal(scalar_parse_text(cases[i].type, cases[i].text, &scalar, NULL), 0);
		assert_int_equal(scalar.integer, cases[i].number);
	}
	(void)state;
}

static void reads_reals(void **state)
{
	union scalar scalar;

	assert_int_equal(scalar_parse_text(UPKEEP_FLOAT, "1.5e3", &scalar, NULL), 0);
	assert_true(scalar.real == 1500.0);
	assert_int_equal(scalar_parse_text(UPKEEP_PERCENT, "85.5%", &scalar, NULL), 0);
	assert_true(scalar.real == 85.5);
	struct value value = int_value(100);
	assert_int_equal(scalar_parse(UPKEEP_PERCENT, &value, &scalar, NULL), 0);
	assert_true(scalar.real == 100.0);
	(void)state;
}

static void takes_strings(void **state)
{
	static const struct {
		uint32_t type;
		const char *text;
	} cases[] = {
		{UPKEEP_STRING, ""},
		{UPKEEP_STRING, "any thing"},
		{UPKEEP_PATH, "/"},
		{UPKEEP_HOSTPORT, "db.example.org:5432"},
		{UPKEEP_HOSTPORT, "[::1]:1"},
		{UPKEEP_HOSTPORT, "10.0.0.1:65535"},
		{UPKEEP_URL, "https://host/path?q"},
		{UPKEEP_URL, "s3://bucket/prefix"},
		{UPKEEP_SECRET, "file:/etc/x.pw"},
		{UPKEEP_SECRET, "env:PASSWORD_1"},
		{UPKEEP_SECRET, "credential:db.pw"},
		{UPKEEP_SECRET, "command:/usr/bin/pass"},
	};

	for (size_t i = 0; i < UPKEEP_COUNT(cases); i++) {
		union scalar scalar;
		print_message("%s %s\n", type_name(cases[i].type), cases[i].text);
		assert_int_equal(scalar_parse_text(cases[i].type, cases[i].text, &scalar, NULL), 0);
		assert_ptr_equal(scalar.string, cases[i].text);
	}
	(void)state;
}

static void refuses_text(void **state)
{
	static const struct {
		uint32_t type;
		int code;
		const char *text, *says;
	} cases[] = {
		{UPKEEP_INT, -EINVAL, "4x", "must be a whole number, got \"4x\""},
		{UPKEEP_INT, -EINVAL, "", "must be a whole number"},
		{UPKEEP_INT, -EINVAL, " 4", "must be a whole number"},
		{UPKEEP_INT, -ERANGE, "9223372036854775808", "64 bits"},
		{UPKEEP_FLOAT, -EINVAL, "1,5", "must be a number"},
		{UPKEEP_FLOAT, -ERANGE, "1e999", "finite"},
		{UPKEEP_FLOAT, -ERANGE, "nan", "finite"},
		{UPKEEP_PERCENT, -EINVAL, "85", "such as \"85%\""},
		{UPKEEP_PERCENT, -ERANGE, "101%", "between 0% and 100%"},
		{UPKEEP_BOOL, -EINVAL, "yes", "true or false"},
		{UPKEEP_SIZE, -EINVAL, "64M", "must be a size such as"},
		{UPKEEP_SIZE, -EINVAL, "MiB", "must be a size such as"},
		{UPKEEP_SIZE, -EINVAL, "-1", "must be a size such as"},
		{UPKEEP_SIZE, -ERANGE, "99999999PiB", "too large"},
		{UPKEEP_SIZE, -ERANGE, "99999999999999999999", "too large"},
		{UPKEEP_DURATION, -EINVAL, "5", "must be a duration"},
		{UPKEEP_DURATION, -EINVAL, "", "must be a duration"},
		{UPKEEP_DURATION, -EINVAL, "1h 5m", "must be a duration"},
		{UPKEEP_DURATION, -EINVAL, "h", "must be a duration"},
		{UPKEEP_DURATION, -ERANGE, "99999999999999999w", "too long"},
		{UPKEEP_TIME, -EINVAL, "yesterday", "must be a time"},
		{UPKEEP_TIME, -EINVAL, "2026-11-23T25:00", "must be a time"},
		{UPKEEP_TIME, -EINVAL, "2026-11-23T05:00+2", "must be a time"},
		{UPKEEP_TIME, -ERANGE, "2026-02-30", "a day that exists"},
		{UPKEEP_PATH, -EINVAL, "srv", "must be an absolute path"},
		{UPKEEP_HOSTPORT, -EINVAL, "host", "must be a host and port"},
		{UPKEEP_HOSTPORT, -EINVAL, "host:0", "must be a host and port"},
		{UPKEEP_HOSTPORT, -EINVAL, "host:65536", "must be a host and port"},
		{UPKEEP_HOSTPORT, -EINVAL, "[::1:5", "must be a host and port"},
		{UPKEEP_HOSTPORT, -EINVAL, "[::x]:5", "must be a host and port"},
		{UPKEEP_HOSTPORT, -EINVAL, "a b:5", "must be a host and port"},
		{UPKEEP_URL, -EINVAL, "host/path", "must be a URL"},
		{UPKEEP_URL, -EINVAL, "https://", "must be a URL"},
		{UPKEEP_URL, -EINVAL, "https://a b", "must be a URL"},
		{UPKEEP_SECRET, -EINVAL, "env:1X", "must be the name of a secret"},
		{UPKEEP_SECRET, -EINVAL, "credential:../x", "must be the name of a secret"},
		{UPKEEP_SECRET, -EINVAL, "command:/bin/cat /etc/x", "without arguments"},
	};

	for (size_t i = 0; i < UPKEEP_COUNT(cases); i++) {
		struct error CLEANUP_ERROR err = {0};
		union scalar scalar;
		print_message("%s %s\n", type_name(cases[i].type), cases[i].text);
		assert_int_equal(scalar_parse_text(cases[i].type, cases[i].text, &scalar, &err),
			cases[i].code);
		assert_non_null(strstr(error_what(&err), cases[i].says));
	}
	(void)state;
}

static void never_repeats_a_secret(void **state)
{
	struct error CLEANUP_ERROR err = {0};
	union scalar scalar;

	assert_int_equal(
		scalar_parse_text(UPKEEP_SECRET, "hunter2hunter2", &scalar, &err), -EINVAL);
	assert_null(strstr(error_what(&err), "hunter2"));
	(void)state;
}

static void refuses_kinds(void **state)
{
	struct value values[] = {{.kind = VALUE_LIST}, {.kind = VALUE_GROUP}, {.kind = VALUE_NONE},
		{.kind = VALUE_BOOL, .truth = true}, {.kind = VALUE_FLOAT, .real = 1.5}};
	union scalar scalar;

	for (size_t i = 0; i < UPKEEP_COUNT(values); i++)
		assert_int_equal(scalar_parse(UPKEEP_INT, &values[i], &scalar, NULL), -EINVAL);
	struct value number = int_value(5), negative = int_value(-5);
	assert_int_equal(scalar_parse(UPKEEP_DURATION, &number, &scalar, NULL), -EINVAL);
	assert_int_equal(scalar_parse(UPKEEP_SIZE, &number, &scalar, NULL), 0);
	assert_int_equal(scalar_parse(UPKEEP_SIZE, &negative, &scalar, NULL), -ERANGE);
	assert_int_equal(scalar_parse(UPKEEP_BOOL, &values[3], &scalar, NULL), 0);
	(void)state;
}

static const struct upkeep_param store_fields[] = {
	{.name = "name",
		.about = "its name",
		.type = UPKEEP_STRING,
		.flags = UPKEEP_REQUIRED | UPKEEP_NONEMPTY},
	{.name = "url", .about = "where it is", .type = UPKEEP_URL},
};
static const struct upkeep_param params[] = {
	{.name = "jobs", .about = "workers", .type = UPKEEP_INT, .min = 1, .max = 64},
	{.name = "floor", .about = "f", .type = UPKEEP_INT, .min = 3},
	{.name = "age", .about = "a", .type = UPKEEP_DURATION, .min = 60000, .max = 90000},
	{.name = "room", .about = "r", .type = UPKEEP_SIZE, .min = 1 << 20, .max = 3ll << 30},
	{.name = "share", .about = "s", .type = UPKEEP_PERCENT, .min = 10, .max = 90},
	{.name = "format",
		.about = "f",
		.type = UPKEEP_CHOICE,
		.choices = "plain|custom|directory"},
	{.name = "database",
		.about = "its name",
		.type = UPKEEP_STRING,
		.flags = UPKEEP_REQUIRED | UPKEEP_NONEMPTY},
	{.name = "password", .about = "p", .type = UPKEEP_SECRET},
	{.name = "program", .about = "p", .type = UPKEEP_PATH, .flags = UPKEEP_SEARCHED},
	{.name = "paths",
		.about = "p",
		.type = UPKEEP_LIST | UPKEEP_PATH,
		.flags = UPKEEP_NONEMPTY},
	{.name = "stores",
		.about = "s",
		.type = UPKEEP_LIST | UPKEEP_GROUP,
		.fields = store_fields,
		.field_count = 2},
	{.name = "main",
		.about = "m",
		.type = UPKEEP_GROUP,
		.fields = store_fields,
		.field_count = 2},
	{.name = "any", .about = "a", .type = UPKEEP_GROUP},
};

static void gather(void *data, struct location at, const char *what, const char *next)
{
	text_addf(data, "%u %s; %s\n", at.line, what, next ? next : "-");
}

static void expect_fault(const char *name, struct value value, const char *says)
{
	struct text CLEANUP_TEXT out = {0};
	const struct upkeep_param *param = params_find(params, UPKEEP_COUNT(params), name);

	assert_int_equal(param_check(param, &value, gather, &out), *says != 0);
	assert_string_equal(text_string(&out), says);
}

static void checks_parameters(void **state)
{
	expect_fault("jobs", int_value(64), "");
	expect_fault("jobs", int_value(500), "1 \"jobs\" must be between 1 and 64, got 500; -\n");
	expect_fault("jobs", string_value("4"),
		"1 \"jobs\" must be a whole number, got the string \"4\"; leave out the quotes\n");
	expect_fault("jobs", string_value("${param.jobs}"), "");
	expect_fault("floor", int_value(2), "1 \"floor\" must be at least 3, got 2; -\n");
	expect_fault(
		"age", string_value("1s"), "1 \"age\" must be between 1m and 90s, got 1s; -\n");
	expect_fault("room", int_value(5), "1 \"room\" must be between 1MiB and 3GiB, got 5; -\n");
	expect_fault("share", string_value("5%"),
		"1 \"share\" must be between 10% and 90%, got 5%; -\n");
	expect_fault("format", string_value("custom"), "");
	expect_fault("format", string_value("costum"),
		"1 \"format\" must be one of \"plain\", "
		"\"custom\", \"directory\", got \"costum\"; did you mean \"custom\"?\n");
	expect_fault("database", string_value(""), "1 \"database\" must not be empty; its name\n");
	expect_fault("database", int_value(3),
		"1 \"database\" must be a string, got the number 3; put it in quotes\n");
	expect_fault("password", string_value("${param.pw}"),
		"1 \"password\" names a secret and takes "
		"no ${...}; write file:, env:, credential: or command:\n");
	expect_fault("program", string_value("tar"), "");
	expect_fault("program", string_value("../tar"),
		"1 \"program\" must be an absolute path such as \"/srv/data\", got \"../tar\"; "
		"-\n");
	expect_fault("paths", string_value("/srv"), "1 \"paths\" must be a list [ ... ]; p\n");
	expect_fault("main", int_value(1), "1 \"main\" must be a group { ... }; m\n");
	(void)state;
}

static void checks_groups(void **state)
{
	struct value_member store[] = {
		{.name = "ulr", .at = {.line = 4}, .value = string_value("x")}};
	struct value stores[] = {{.kind = VALUE_GROUP, .group = {store, 1}, .at = {.line = 3}}};
	struct value paths[] = {string_value("/a"), string_value("b")};
	struct value_member members[] = {
		{.name = "stores", .value = {.kind = VALUE_LIST, .list = {stores, 1}}},
		{.name = "paths", .value = {.kind = VALUE_LIST, .list = {paths, 2}}},
		{.name = "jbos", .at = {.line = 9}, .value = int_value(1)},
		{.name = "any", .value = {.kind = VALUE_GROUP, .group = {store, 1}}},
		{.name = "action", .value = int_value(1)},
	};
	struct value group = {.kind = VALUE_GROUP, .group = {members, UPKEEP_COUNT(members)}};
	struct text CLEANUP_TEXT out = {0};

	unsigned faults = params_check(params, UPKEEP_COUNT(params), &group,
		(struct location){.line = 7}, "action after", gather, &out);
	assert_string_equal(text_string(&out),
		"4 \"stores[0].ulr\" is unknown; did you mean \"url\"?\n"
		"3 \"stores[0].name\" is missing; add name, a string (its name)\n"
		"1 \"paths[1]\" must be an absolute path such as \"/srv/data\", got \"b\"; -\n"
		"9 \"jbos\" is unknown; did you mean \"jobs\"?\n"
		"7 \"database\" is missing; add database, a string (its name)\n");
	assert_int_equal(faults, 5);
	(void)state;
}

static void copies_and_compares(void **state)
{
	struct value items[] = {int_value(1), int_value(5000000000)};
	struct value_member a[] = {{.name = "x", .value = {.kind = VALUE_LIST, .list = {items, 2}}},
		{.name = "s", .value = string_value("a\"b\\\n\x01")},
		{.name = "f", .value = {.kind = VALUE_FLOAT, .real = 0.1}},
		{.name = "w", .value = {.kind = VALUE_FLOAT, .real = 2}},
		{.name = "b", .value = {.kind = VALUE_BOOL, .truth = true}},
		{.name = "u", .value = {.kind = VALUE_UNKNOWN, .after = "dump"}}};
	struct value group = {.kind = VALUE_GROUP, .group = {a, UPKEEP_COUNT(a)}};
	struct value mixed[] = {group, string_value("z")};
	struct value list = {.kind = VALUE_LIST, .list = {mixed, 2}};
	struct arena arena = {0};

	struct value copy = value_copy(&arena, &list);
	assert_true(value_equal(&copy, &list));
	assert_ptr_not_equal(copy.list.items[1].string, mixed[1].string);
	assert_string_equal(value_text(&arena, &copy),
		"( { x = [ 1, 5000000000L ]; s = \"a\\\"b\\\\\\n\\x01\"; f = 0.1; w = 2.0; b = "
		"true; "
		"u = known after dump; }, \"z\" )");
	copy.list.items[0].group.members[0].value.list.items[1].integer++;
	assert_false(value_equal(&copy, &list));
	assert_string_equal(value_text(&arena, &mixed[1]), "z");
	assert_null(value_get(&group, "y"));
	assert_ptr_equal(value_get(&group, "s"), &a[1].value);
	arena_free(&arena);
	(void)state;
}

static void names_states(void **state)
{
	assert_string_equal(task_state_name(TASK_UNKNOWN), "unknown");
	assert_string_equal(task_reason_name(REASON_GANG), "gang");
	assert_string_equal(undo_state_name(UNDO_IRREVERSIBLE), "irreversible");
	assert_string_equal(run_state_name(RUN_AWAITING_CONFIRMATION), "awaiting confirmation");
	assert_string_equal(run_state_name((enum run_state)99), "?");
	for (uint32_t type = UPKEEP_STRING; type <= UPKEEP_GROUP; type++) {
		assert_int_equal(type_from_name(type_name(type)), type);
		assert_int_equal(type_from_name(type_name(type | UPKEEP_LIST)), type | UPKEEP_LIST);
	}
	assert_int_equal(type_from_name("text"), 0);
	assert_string_equal(type_name(77), "unknown type");
	(void)state;
}

static void finds_descriptions(void **state)
{
	const struct action_description *exec = description_action(&core_description, "exec");

	assert_non_null(exec);
	assert_non_null(action_output(exec, "exit"));
	assert_null(action_output(exec, "nothing"));
	assert_null(description_action(&core_description, "none"));
	struct nearest nearest = nearest_start("exce");
	for (size_t i = 0; i < core_description.action_count; i++)
		nearest_try(&nearest, core_description.actions[i].decl.name);
	assert_string_equal(nearest.best, "exec");
	nearest = nearest_start("qqqqqq");
	nearest_try(&nearest, "exec");
	assert_null(nearest.best);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_numbers),
		cmocka_unit_test(reads_reals),
		cmocka_unit_test(takes_strings),
		cmocka_unit_test(refuses_text),
		cmocka_unit_test(never_repeats_a_secret),
		cmocka_unit_test(refuses_kinds),
		cmocka_unit_test(checks_parameters),
		cmocka_unit_test(checks_groups),
		cmocka_unit_test(copies_and_compares),
		cmocka_unit_test(names_states),
		cmocka_unit_test(finds_descriptions),
	};

	setenv("TZ", "UTC", 1);
	return !!cmocka_run_group_tests(tests, NULL, NULL);
}
