/* SPDX-License-Identifier: MIT */
/* The rules for a plugin's tables: each fault is found, and said. */
#include "../unit.h"

#include "model/describe_bytes.h"
#include "model/describe_check.h"
#include "model/tree.h"

#include <stdlib.h>
#include <string.h>

static char long_text[DESCRIBE_TEXT_MAX + 2];
static char long_name[65];

static const struct upkeep_param field = {.name = "f", .type = UPKEEP_STRING};
static const struct upkeep_param bad_field = {.name = "F", .type = UPKEEP_STRING};

static const struct {
	struct upkeep_param param;
	const char *want; /* NULL: is right */
} params[] = {
	{{.name = "a_1", .type = UPKEEP_STRING}, NULL},
	{{.name = "action", .type = UPKEEP_STRING}, "is a key of the core"},
	{{.name = NULL, .type = UPKEEP_STRING}, "is not a name of the form"},
	{{.name = "Big", .type = UPKEEP_STRING}, "is not a name of the form"},
	{{.name = "a-b", .type = UPKEEP_STRING}, "is not a name of the form"},
	{{.name = long_name, .type = UPKEEP_STRING}, "is not a name of the form"},
	{{.name = "a", .type = UPKEEP_STRING, .about = long_text}, "longer than 64 KiB"},
	{{.name = "a", .type = UPKEEP_STRING, .flags = 1u << 30},
		"flag that its ABI does not have"},
	{{.name = "a", .type = UPKEEP_STRING, .choices = "x|y"}, "choices belong to the type"},
	{{.name = "a", .type = UPKEEP_CHOICE}, "choices belong to the type"},
	{{.name = "a", .type = UPKEEP_CHOICE, .choices = "x|y", .preset = "y"}, NULL},
	{{.name = "a", .type = UPKEEP_CHOICE, .choices = "x|y", .preset = "z"},
		"its default is not"},
	{{.name = "a", .type = UPKEEP_GROUP, .fields_size = 8}, "fields belong to the type"},
	{{.name = "a", .type = UPKEEP_GROUP, .fields = &field, .field_count = 1, .fields_size = 8},
		NULL},
	{{.name = "a",
		 .type = UPKEEP_GROUP,
		 .fields = &field,
		 .field_count = 1,
		 .fields_size = 8,
		 .preset = "x"},
		"a group has no default"},
	{{.name = "a",
		 .type = UPKEEP_GROUP,
		 .fields = &bad_field,
		 .field_count = 1,
		 .fields_size = 8},
		"\"F\": is not a name"},
	{{.name = "a", .type = UPKEEP_GROUP, .fields = &field, .field_count = 1, .fields_size = 4},
		"does not lie in its struct"},
	{{.name = "a", .type = 99}, "type 99 is not known to this host"},
	{{.name = "a", .type = UPKEEP_STRING, .offset = 4}, "does not lie in its struct of 64"},
	{{.name = "a", .type = UPKEEP_BOOL, .offset = 4}, NULL},
	{{.name = "a", .type = UPKEEP_STRING, .offset = 64}, "does not lie in its struct of 64"},
	{{.name = "a", .type = UPKEEP_STRING, .offset = 1u << 31}, "does not lie in its struct"},
	{{.name = "a", .type = UPKEEP_LIST | UPKEEP_STRING, .offset = 56}, "does not lie in"},
	{{.name = "a", .type = UPKEEP_INT, .flags = UPKEEP_REQUIRED, .preset = "1"},
		"leave one out"},
	{{.name = "a", .type = UPKEEP_INT, .preset = "x"}, "its default is not of its type"},
	{{.name = "a", .type = UPKEEP_INT, .min = 1, .max = 5, .preset = "5"}, NULL},
	{{.name = "a", .type = UPKEEP_INT, .min = 1, .max = 5, .preset = "6"},
		"outside its bounds"},
	{{.name = "a", .type = UPKEEP_INT, .min = 1, .preset = "0"}, "outside its bounds"},
	{{.name = "a", .type = UPKEEP_INT, .min = 1, .preset = "700"}, NULL},
	{{.name = "a", .type = UPKEEP_SIZE, .min = 1, .max = 1024, .preset = "1KiB"}, NULL},
	{{.name = "a", .type = UPKEEP_SIZE, .min = 1, .max = 1024, .preset = "2KiB"},
		"outside its"},
	{{.name = "a", .type = UPKEEP_PERCENT, .min = 1, .max = 50, .preset = "50%"}, NULL},
	{{.name = "a", .type = UPKEEP_PERCENT, .min = 1, .max = 50, .preset = "51%"},
		"outside its"},
	{{.name = "a", .type = UPKEEP_FLOAT, .min = 1, .max = 2, .preset = "0.5"}, "outside its"},
	{{.name = "a", .type = UPKEEP_LIST | UPKEEP_INT, .preset = "1|2"}, NULL},
	{{.name = "a", .type = UPKEEP_LIST | UPKEEP_INT, .preset = ""}, NULL},
	{{.name = "a", .type = UPKEEP_LIST | UPKEEP_INT, .preset = "1|x"}, "its default is not"},
	{{.name = "a", .type = UPKEEP_PATH, .preset = "bare"}, "its default is not"},
	{{.name = "a", .type = UPKEEP_PATH, .flags = UPKEEP_SEARCHED, .preset = "bare"}, NULL},
	{{.name = "a", .type = UPKEEP_PATH, .flags = UPKEEP_SEARCHED, .preset = ""}, "its default"},
	{{.name = "a", .type = UPKEEP_BOOL, .flags = UPKEEP_NO_UNDO, .preset = "false"},
		"NO_UNDO belongs to"},
};

static const struct upkeep_output twice[] = {
	{.name = "o", .type = UPKEEP_INT}, {.name = "o", .type = UPKEEP_INT}};
static const struct upkeep_output named = {.name = "O", .type = UPKEEP_INT};
static const struct upkeep_output grouped = {.name = "o", .type = UPKEEP_GROUP};
static const struct upkeep_param same[] = {
	{.name = "p", .type = UPKEEP_STRING}, {.name = "p", .type = UPKEEP_STRING}};
static const struct upkeep_param no_undo = {
	.name = "now", .type = UPKEEP_BOOL, .flags = UPKEEP_NO_UNDO, .preset = "false"};

static const struct {
	struct action_description action;
	const char *want;
} actions[] = {
	{{{.name = "do-it"}, 0}, NULL},
	{{{.name = "do_it"}, 0}, "is not a name of the form"},
	{{{.name = NULL}, 0}, "is not a name of the form"},
	{{{.name = "a", .changes = 77}, 0}, "`changes` is none of"},
	{{{.name = "a", .manual = long_text}, 0}, "longer than 64 KiB"},
	{{{.name = "a", .flags = 1u << 30}, 0}, "flag that its ABI does not have"},
	{{{.name = "a", .flags = UPKEEP_STREAM_IN_NEEDED}, 0}, "a stream that it does not read"},
	{{{.name = "a", .flags = UPKEEP_STREAM_IN_NEEDED | UPKEEP_STREAM_IN}, 0}, NULL},
	{{{.name = "a", .flags = UPKEEP_PLANS_UNKNOWN}, 0}, "and has no plan"},
	{{{.name = "a", .flags = UPKEEP_PLANS_UNKNOWN}, ACTION_HAS_PLAN}, NULL},
	{{{.name = "a", .changes = UPKEEP_CHANGES_RECORDED}, 0}, "and has no undo"},
	{{{.name = "a",
		  .changes = UPKEEP_CHANGES_RECORDED,
		  .params = &no_undo,
		  .param_count = 1,
		  .params_size = 8},
		 ACTION_HAS_UNDO},
		NULL},
	{{{.name = "a", .params = &no_undo, .param_count = 1, .params_size = 8}, 0}, "NO_UNDO"},
	{{{.name = "a", .params = same, .param_count = 2, .params_size = 8}, 0}, "is there twice"},
	{{{.name = "a", .params = same, .param_count = 1, .params_size = 1u << 30}, 0}, "at most"},
	{{{.name = "a", .params = same, .param_count = 9999, .params_size = 8}, 0}, "at most"},
	{{{.name = "a", .outputs = &named, .output_count = 1}, 0}, "is not a name for an output"},
	{{{.name = "a", .outputs = &grouped, .output_count = 1}, 0}, "type other than GROUP"},
	{{{.name = "a", .outputs = twice, .output_count = 2}, 0}, "is an output twice"},
	{{{.name = "a", .outputs = twice, .output_count = 9999}, 0}, "9999 outputs; at most"},
};

static const struct action_description fine[] = {{{.name = "a"}, 0}, {{.name = "a"}, 0}};

static void expect(const struct plugin_description *plugin, const char *want, size_t row)
{
	CLEANUP_ERROR struct error err = {0};
	int r = description_check(plugin, &err);

	if (want ? r != -EPROTO || !err.next || !strstr(error_what(&err), want) : r != 0)
		fail_msg("row %zu: %d, %s, not %s", row, r, r ? error_what(&err) : "right",
			want ? want : "right");
}

static void test_faults_of_parameters(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof params / sizeof params[0]; i++)
		expect(&(struct plugin_description){.name = "p",
			       .version = "1",
			       .settings = &params[i].param,
			       .setting_count = 1,
			       .settings_size = 64,
			       .actions = fine,
			       .action_count = 1},
			params[i].want, i);
}

static void test_faults_of_actions(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
		expect(&(struct plugin_description){.name = "p",
			       .version = "1",
			       .actions = &actions[i].action,
			       .action_count = 1},
			actions[i].want, i);
}

static void test_faults_of_plugins(void **state)
{
	const struct plugin_description right = {
		.name = "p", .version = "1", .actions = fine, .action_count = 1};
	struct plugin_description one = right;

	(void)state;
	expect(&one, NULL, 0);
	one.name = "P";
	expect(&one, "the plugin's name is not of the form", 1);
	one = right, one.version = NULL;
	expect(&one, "has no version", 2);
	one = right, one.about = long_text;
	expect(&one, "longer than 64 KiB", 3);
	one = right, one.action_count = 0;
	expect(&one, "has 0 actions; it must have 1", 4);
	one = right, one.action_count = 2;
	expect(&one, "is an action twice", 5);
	one = right, one.abi_minor = UPKEEP_ABI_MINOR + 1; /* what a later host may know */
	one.settings = &params[1].param, one.setting_count = 1, one.settings_size = 64;
	expect(&one, NULL, 6);
}

/* What shows it takes it for UTF-8. */
static void test_texts_of_plugins_are_utf8(void **state)
{
	const struct plugin_description odd = {.name = "p",
		.version = "1",
		.about = "caf\xe9",
		.actions = fine,
		.action_count = 1};
	struct plugin_description got;
	CLEANUP_ERROR struct error err = {0};
	CLEANUP_TEXT struct text bytes = {0};
	struct arena arena = {0};

	(void)state;
	description_write(&odd, &bytes);
	assert_int_equal(description_read(bytes.bytes, bytes.size, &arena, &got, &err), 0);
	assert_string_equal(got.about, "(not UTF-8)");
	arena_free(&arena);
}

static void travel(
	const struct value *whole, struct text *bytes, struct arena *arena, struct value *ret)
{
	tree_write(bytes, whole);
	for (size_t size = 0; size < bytes->size; size++) {
		char *cut = test_malloc(size + 1);
		memcpy(cut, bytes->bytes, size);
		assert_int_equal(tree_read((unsigned char *)cut, size, arena, ret), -EBADMSG);
		assert_int_equal(ret->kind, VALUE_NONE);
		test_free(cut);
	}
	assert_int_equal(tree_read((unsigned char *)bytes->bytes, bytes->size, arena, ret), 0);
	assert_true(value_equal(whole, ret));
}

/* What is empty takes no more bytes than its count, also at the very end. */
static void test_empty_values_travel(void **state)
{
	struct value nothing[] = {
		{.kind = VALUE_LIST}, {.kind = VALUE_GROUP}, {.kind = VALUE_LIST}};
	struct value_member members[] = {{.name = "a", .value = {.kind = VALUE_LIST}},
		{.name = "b", .value = {.kind = VALUE_LIST, .list = {nothing, 3}}},
		{.name = "c", .value = {.kind = VALUE_GROUP}}};
	struct value whole = {.kind = VALUE_GROUP, .group = {members, 3}}, got;
	CLEANUP_TEXT struct text bytes = {0};
	struct arena arena = {0};

	(void)state;
	for (whole.group.count = 0; whole.group.count <= 3; whole.group.count++) {
		bytes.size = 0;
		travel(&whole, &bytes, &arena, &got);
	}
	arena_free(&arena);
}

/* A value of every kind, as it travels: whole it is the same, cut anywhere it is refused. */
static void test_values_travel_whole(void **state)
{
	struct value items[] = {{.kind = VALUE_INT, .integer = -7}, {.kind = VALUE_NONE},
		{.kind = VALUE_FLOAT, .real = 0.5}, {.kind = VALUE_BOOL, .truth = true},
		{.kind = VALUE_UNKNOWN, .after = "task"}, {.kind = VALUE_STRING, .string = "s"}};
	struct value_member members[] = {
		{.name = "list", .value = {.kind = VALUE_LIST, .list = {items, 6}}},
		{.name = "", .value = {.kind = VALUE_STRING, .string = ""}}};
	struct value whole = {.kind = VALUE_GROUP, .group = {members, 2}}, got;
	CLEANUP_TEXT struct text bytes = {0};
	struct arena arena = {0};

	(void)state;
	travel(&whole, &bytes, &arena, &got);
	assert_string_equal(got.group.members[0].value.list.items[4].after, "task");
	text_addc(&bytes, 0);
	assert_int_equal(
		tree_read((unsigned char *)bytes.bytes, bytes.size, &arena, &got), -EBADMSG);
	assert_int_equal(tree_read((const unsigned char *)"\x63", 1, &arena, &got), -EBADMSG);
	assert_int_equal(
		tree_read((const unsigned char[]){VALUE_BOOL, 2}, 2, &arena, &got), -EBADMSG);
	arena_free(&arena);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_faults_of_parameters),
		cmocka_unit_test(test_faults_of_actions),
		cmocka_unit_test(test_faults_of_plugins),
		cmocka_unit_test(test_texts_of_plugins_are_utf8),
		cmocka_unit_test(test_empty_values_travel),
		cmocka_unit_test(test_values_travel_whole),
	};

	memset(long_text, 'x', sizeof long_text - 1);
	memset(long_name, 'n', sizeof long_name - 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
