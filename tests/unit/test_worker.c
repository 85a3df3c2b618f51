/* SPDX-License-Identifier: MIT */
/* A real worker, spoken to as the engine does; messages that lie; decoding. */
#include "tests/unit/talk.h"

#include "base/text.h"
#include "model/tree.h"
#include "worker/decode.h"

static void send_start(struct talk *talk, int64_t serial, const char *action, struct value *args)
{
	wire_begin(&talk->out, WIRE_START);
	wire_number(&talk->out, WIRE_SERIAL, serial);
	wire_number(&talk->out, WIRE_MODE, WIRE_MODE_RUN);
	wire_text(&talk->out, WIRE_TASK, "task");
	wire_text(&talk->out, WIRE_RUN_ID, "run");
	wire_number(&talk->out, WIRE_ATTEMPT, 1);
	wire_number(&talk->out, WIRE_TIME, 1);
	wire_text(&talk->out, WIRE_ACTION, action);
	if (args)
		wire_value(&talk->out, WIRE_ARGS, args);
	assert_int_equal(wire_send(talk->socket, &talk->out, 0), 0);
}

static void test_runs_what_is_queued(void **state)
{
	struct talk talk;
	struct value_member members[] = {
		{.name = "n", .value = {.kind = VALUE_STRING, .string = "7"}}};
	struct value args = {.kind = VALUE_GROUP, .group = {members, 1}};
	struct text big = {0};

	(void)state;
	compile("tests/compat/fixture.c", "-DGOOD");
	start(&talk);
	load(&talk, "fixture");
	send_start(&talk, 1, "act", &args);
	send_start(&talk, 2, "act", NULL);
	expect(&talk, WIRE_LOADED);
	expect(&talk, WIRE_LOG);
	assert_memory_equal(talk.in.fields[WIRE_DATA].bytes, "n=7 text=(none)", 15);
	expect_done(&talk, 1, UPKEEP_UNCHANGED);
	expect(&talk, WIRE_LOG); /* the default */
	assert_memory_equal(talk.in.fields[WIRE_DATA].bytes, "n=3", 3);
	expect_done(&talk, 2, UPKEEP_UNCHANGED);

	/* Wrong arguments, and an action that is not there, cost only themselves. */
	members[0].value.string = "70";
	send_start(&talk, 3, "act", &args);
	expect_done(&talk, 3, UPKEEP_FAILED);
	assert_non_null(
		strstr(wire_get_text(&talk.in, WIRE_WHY), "must be between 1 and 9, got 70"));
	send_start(&talk, 4, "nothing", NULL);
	expect_done(&talk, 4, UPKEEP_FAILED);

	/* What is no value is not taken for no arguments. */
	struct value deep[40];
	for (size_t i = 0; i < 40; i++)
		deep[i] = (struct value){.kind = VALUE_LIST, .list = {deep + i + 1, i < 39}};
	members[0].value = deep[0];
	send_start(&talk, 6, "act", &args);
	expect_done(&talk, 6, UPKEEP_FAILED);
	assert_string_equal(wire_get_text(&talk.in, WIRE_WHY), "its arguments could not be read");

	/* Arguments longer than a message go by memfd. */
	for (int i = 0; i < 20000; i++)
		text_adds(&big, "0123456789");
	members[0] = (struct value_member){
		.name = "text", .value = {.kind = VALUE_STRING, .string = big.bytes}};
	send_start(&talk, 5, "act", &args);
	expect(&talk, WIRE_LOG);
	expect_done(&talk, 5, UPKEEP_UNCHANGED);
	text_free(&big);
	assert_int_equal(end(&talk), 0);
}

static void test_crash_and_refusal(void **state)
{
	struct talk talk;

	(void)state;
	compile("tests/compat/fixture.c", "-DRUN_CRASH");
	start(&talk);
	load(&talk, "fixture");
	send_start(&talk, 1, "act", NULL);
	expect(&talk, WIRE_LOADED);
	expect(&talk, WIRE_LOG);
	assert_int_equal(wire_receive(talk.socket, WIRE_ENGINE, &talk.in, 0), 0);
	assert_true(WIFSIGNALED(end(&talk)));

	compile("tests/compat/fixture.c", "-DBAD_MAJOR");
	start(&talk);
	load(&talk, "fixture");
	expect(&talk, WIRE_REFUSED);
	assert_non_null(strstr(wire_get_text(&talk.in, WIRE_TEXT), "made for ABI 2.0"));
	assert_true(WEXITSTATUS(end(&talk)) != 0);
}

static void test_lies_are_refused(void **state)
{
	struct wire_in in = {0};
	struct wire_out out = {0};

	(void)state;
	wire_begin(&out, WIRE_DONE);
	wire_number(&out, WIRE_SERIAL, 1);
	wire_number(&out, WIRE_RESULT, 0);
	wire_text(&out, WIRE_TEXT, "text");
	char *bytes = out.bytes.bytes;
	size_t size = out.bytes.size;
	assert_int_equal(wire_parse(bytes, size, WIRE_ENGINE, &in), 0);
	assert_int_equal(wire_parse(bytes, size, WIRE_WORKER, &in), -EBADMSG);
	for (size_t cut = 0; cut < size; cut++)
		if (cut != size - 10) /* without the whole optional text it is a message */
			assert_int_equal(wire_parse(bytes, cut, WIRE_ENGINE, &in), -EBADMSG);
	bytes[size - 1] = 'x'; /* a text without its end */
	assert_int_equal(wire_parse(bytes, size, WIRE_ENGINE, &in), -EBADMSG);
	bytes[size - 1] = 0;
	wire_number(&out, WIRE_RESULT, 1); /* twice */
	assert_int_equal(wire_parse(out.bytes.bytes, out.bytes.size, WIRE_ENGINE, &in), -EBADMSG);
	wire_begin(&out, WIRE_DONE);
	wire_number(&out, WIRE_SERIAL, 1); /* RESULT is missing */
	assert_int_equal(wire_parse(out.bytes.bytes, out.bytes.size, WIRE_ENGINE, &in), -EBADMSG);
	wire_out_free(&out);
}

static void test_tree_of_claims(void **state)
{
	static const unsigned char claims[] = {VALUE_LIST, 0xff, 0xff, 0xff, 0x7f, VALUE_NONE};
	unsigned char deep[5 * 40];
	struct arena arena = {0};
	struct value value;

	(void)state;
	assert_int_equal(tree_read(claims, sizeof claims, &arena, &value), -EBADMSG);
	for (size_t i = 0; i < sizeof deep; i += 5)
		memcpy(deep + i, "\x05\x01\0\0\0", 5);
	deep[sizeof deep - 5] = VALUE_NONE;
	assert_int_equal(tree_read(deep, sizeof deep - 4, &arena, &value), -EBADMSG);
	assert_true(arena_size(&arena) < 100000);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs_what_is_queued),
		cmocka_unit_test(test_crash_and_refusal),
		cmocka_unit_test(test_lies_are_refused),
		cmocka_unit_test(test_tree_of_claims),
	};

	return !!cmocka_run_group_tests(tests, set_up, tear_down);
}
