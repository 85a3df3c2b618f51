/* SPDX-License-Identifier: MIT */
/* What a plugin asks of its host, message by message, with this test as the engine. */
#include "tests/unit/talk.h"

#include <poll.h>
#include <sys/eventfd.h>

static struct arena arena;

static void begin(struct talk *talk)
{
	start(talk);
	load(talk, "calling");
	expect(talk, WIRE_LOADED);
}

static void finish(struct talk *talk)
{
	assert_int_equal(end(talk), 0);
	arena_free(&arena);
}

static void begin_start(struct talk *talk, int64_t serial, enum wire_mode mode, const char *action)
{
	wire_begin(&talk->out, WIRE_START);
	wire_number(&talk->out, WIRE_SERIAL, serial);
	wire_number(&talk->out, WIRE_MODE, mode);
	wire_text(&talk->out, WIRE_TASK, "task");
	wire_text(&talk->out, WIRE_RUN_ID, "run");
	wire_number(&talk->out, WIRE_ATTEMPT, 1);
	wire_number(&talk->out, WIRE_TIME, 1);
	wire_text(&talk->out, WIRE_ACTION, action);
}

static void send_now(struct talk *talk)
{
	assert_int_equal(wire_send(talk->socket, &talk->out, 0), 0);
}

static void expect_log(struct talk *talk, const char *line)
{
	expect(talk, WIRE_LOG);
	const struct wire_field *data = &talk->in.fields[WIRE_DATA];
	char text[256];
	snprintf(text, sizeof text, "%.*s", (int)data->size, (const char *)data->bytes);
	if (!strstr(text, line))
		fail_msg("expected the log line \"%s\", got \"%s\"", line, text);
}

/* `fd` is the worker's then. */
static void answer(struct talk *talk, int64_t result, int fd)
{
	wire_begin(&talk->out, WIRE_ANSWER);
	wire_number(&talk->out, WIRE_RESULT, result);
	if (fd >= 0)
		wire_fd(&talk->out, fd);
	send_now(talk);
	if (fd >= 0)
		close(fd);
}

static void answer_id(struct talk *talk, uint64_t id)
{
	wire_begin(&talk->out, WIRE_ANSWER);
	wire_number(&talk->out, WIRE_RESULT, 0);
	wire_number(&talk->out, WIRE_ID, (int64_t)id);
	send_now(talk);
}

static void expect_text(struct talk *talk, enum wire_tag tag, const char *text)
{
	assert_string_equal(wire_get_text(&talk->in, tag), text);
}

static void expect_record(struct talk *talk, enum wire_kind kind, int64_t id)
{
	expect(talk, kind);
	assert_int_equal(wire_get_number(&talk->in, WIRE_ID), id);
}

static void test_undo_records(void **state)
{
	char dir[] = "/tmp/upkeep-undo-XXXXXX", file[64];
	struct talk talk;
	size_t count;

	(void)state;
	assert_non_null(mkdtemp(dir));
	begin(&talk);
	begin_start(&talk, 1, WIRE_MODE_RUN, "undo");
	send_now(&talk);
	expect_log(&talk, "its undo directory was never asked for");
	expect_log(&talk, "too early=-22");
	expect(&talk, WIRE_UNDO_DIR);
	answer(&talk, 0, open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	expect_log(&talk, "\"../copy\" is not a plain name");
	expect_log(&talk, "outside=-22");
	expect(&talk, WIRE_UNDO_PUSH);
	expect_text(&talk, WIRE_NAME, "kind");
	expect_text(&talk, WIRE_ABOUT, "put it back");
	assert_int_equal(wire_get_number(&talk.in, WIRE_VERSION), 3);
	assert_memory_equal(talk.in.fields[WIRE_PAYLOAD].bytes, "a=b\n", 4);
	assert_string_equal(wire_get_texts(&talk.in, WIRE_FILES, &arena, &count)[0], "copy");
	assert_int_equal(count, 1);
	answer_id(&talk, 71);
	expect_log(&talk, "push=0");
	expect(&talk, WIRE_UNDO_PUSH);
	answer_id(&talk, 72);
	expect_log(&talk, "second=0");
	expect_record(&talk, WIRE_UNDO_APPLIED, 71);
	expect_text(&talk, WIRE_TEXT, "print");
	expect_log(&talk, "applied=0");
	expect_record(&talk, WIRE_UNDO_DROP, 72);
	expect_log(&talk, "drop=0");
	expect_log(&talk, "done=-2"); /* a record of someone else */
	expect_done(&talk, 1, UPKEEP_CHANGED);
	finish(&talk);
	snprintf(file, sizeof file, "%s/copy", dir);
	assert_int_equal(unlink(file), 0);
	rmdir(dir);
}

static void test_push_that_fails(void **state)
{
	struct talk talk;

	(void)state;
	begin(&talk);
	begin_start(&talk, 1, WIRE_MODE_RUN, "undo");
	send_now(&talk);
	expect_log(&talk, "never asked for");
	expect_log(&talk, "too early=-22");
	expect(&talk, WIRE_UNDO_DIR);
	answer(&talk, -EACCES, -1);
	expect_log(&talk, "is not a plain name");
	expect_log(&talk, "outside=-22");
	expect_log(&talk, "never asked for"); /* there is none */
	expect_log(&talk, "push=-22");
	expect(&talk, WIRE_UNDO_PUSH);
	answer(&talk, -EIO, -1);
	expect_log(&talk, "second=-5");
	expect_log(&talk, "failing: the second record was not taken");
	expect_done(&talk, 1, UPKEEP_FAILED);
	expect_text(&talk, WIRE_TEXT, "the second record was not taken");
	finish(&talk);
}

static void put_record(struct talk *talk)
{
	const char *none[1] = {NULL};

	wire_text(&talk->out, WIRE_NAME, "kind");
	wire_number(&talk->out, WIRE_VERSION, 2);
	wire_bytes(&talk->out, WIRE_PAYLOAD, "a=b\n", 4);
	wire_texts(&talk->out, WIRE_FILES, none, 0);
	wire_text(&talk->out, WIRE_ABOUT, "put it back");
	wire_number(&talk->out, WIRE_ID, 71);
}

static void test_undo_and_probe(void **state)
{
	struct talk talk;

	(void)state;
	begin(&talk);
	begin_start(&talk, 1, WIRE_MODE_UNDO, "undo");
	put_record(&talk);
	send_now(&talk);
	expect_log(&talk, "record=kind/2 a=b");
	expect_log(&talk, "args=0");
	expect_log(&talk, "push in undo=-22");
	expect_record(&talk, WIRE_UNDO_DONE, 71);
	expect_log(&talk, "done=0");
	expect_done(&talk, 1, UPKEEP_CHANGED);
	begin_start(&talk, 2, WIRE_MODE_PROBE, "undo");
	put_record(&talk);
	send_now(&talk);
	expect_done(&talk, 2, UPKEEP_PARTLY);
	begin_start(&talk, 3, WIRE_MODE_PROBE, "undo");
	send_now(&talk);
	expect_done(&talk, 3, UPKEEP_NOT_DONE);
	begin_start(&talk, 4, WIRE_MODE_UNDO, "wait"); /* it has none */
	put_record(&talk);
	send_now(&talk);
	expect_done(&talk, 4, UPKEEP_FAILED);
	finish(&talk);
}

static void put_args(struct talk *talk, struct value_member *members, uint32_t count)
{
	struct value args = {.kind = VALUE_GROUP, .group = {members, count}};

	wire_value(&talk->out, WIRE_ARGS, &args);
}

static struct value text_value(const char *text)
{
	return (struct value){.kind = VALUE_STRING, .string = text};
}

static void test_spawn(void **state)
{
	struct value word = text_value("hello");
	struct value_member members[] = {{.name = "program", .value = text_value("echo")},
		{.name = "words", .value = {.kind = VALUE_LIST, .list = {&word, 1}}},
		{.name = "stop", .value = text_value("true")}};
	int32_t status = 256 + 15;
	struct talk talk;
	size_t count;
	int ends[2];

	(void)state;
	begin(&talk);
	begin_start(&talk, 1, WIRE_MODE_RUN, "spawn");
	put_args(&talk, members, 3);
	send_now(&talk);
	expect(&talk, WIRE_SPAWN);
	const char **argv = wire_get_texts(&talk.in, WIRE_ARGV, &arena, &count);
	assert_int_equal(count, 2);
	assert_string_equal(argv[0], "echo");
	assert_string_equal(argv[1], "hello");
	assert_string_equal(wire_get_texts(&talk.in, WIRE_ENV, &arena, &count)[0], "CALLING=yes");
	assert_int_equal(wire_get_count(&talk.in, WIRE_TARGETS), 1);
	assert_int_equal(wire_get_item(&talk.in, WIRE_TARGETS, 0), 1);
	int out = wire_take_fd(&talk.in, 0);
	assert_int_equal(write(out, "from it", 7), 7);
	close(out);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	answer(&talk, 5, ends[0]);
	expect(&talk, WIRE_KILL);
	assert_int_equal(wire_get_number(&talk.in, WIRE_ID), 5);
	assert_int_equal(wire_get_number(&talk.in, WIRE_SIGNAL), 15);
	assert_int_equal(write(ends[1], &status, sizeof status), sizeof status);
	close(ends[1]);
	expect_log(&talk, "kill=0");
	expect_log(&talk, "kill other=-10");
	expect_log(&talk, "wait=271");
	expect_log(&talk, "again=271");
	expect(&talk, WIRE_OUTPUT);
	expect_text(&talk, WIRE_TEXT, "from it");
	expect_done(&talk, 1, UPKEEP_UNCHANGED);

	/* What cannot be started. */
	begin_start(&talk, 2, WIRE_MODE_RUN, "spawn");
	put_args(&talk, members, 1);
	send_now(&talk);
	expect(&talk, WIRE_SPAWN);
	answer(&talk, -ENOENT, -1);
	expect_log(&talk, "failing: cannot start echo");
	expect_done(&talk, 2, UPKEEP_FAILED);
	begin_start(&talk, 3, WIRE_MODE_RUN, "spawn"); /* without a program */
	send_now(&talk);
	expect_log(&talk, "Invalid argument");
	expect_done(&talk, 3, UPKEEP_FAILED);
	finish(&talk);
}

static void test_secret(void **state)
{
	struct value_member members[] = {{.name = "secret", .value = text_value("file:/pw")}};
	struct talk talk;

	(void)state;
	begin(&talk);
	for (int64_t serial = 1; serial < 3; serial++) { /* asked for anew in each call */
		begin_start(&talk, serial, WIRE_MODE_RUN, "secret");
		put_args(&talk, members, 1);
		send_now(&talk);
		expect(&talk, WIRE_SECRET);
		expect_text(&talk, WIRE_NAME, "file:/pw");
		wire_begin(&talk.out, WIRE_ANSWER);
		wire_number(&talk.out, WIRE_RESULT, 6);
		wire_bytes(&talk.out, WIRE_DATA, "sesame", 6);
		send_now(&talk);
		expect_log(&talk, "secret=6");
		expect_log(&talk, "secret again=6");
		expect_log(&talk, "same=1");
		expect(&talk, WIRE_SECRET);
		answer(&talk, -EACCES, -1);
		expect_log(&talk, "other=-13");
		expect_log(&talk, "may not hold the text of a secret");
		expect_log(&talk, "push=-1");
		expect_done(&talk, serial, UPKEEP_UNCHANGED);
	}
	finish(&talk);
}

static void test_temp_dir(void **state)
{
	char dir[] = "/tmp/upkeep-temp-XXXXXX", file[64];
	struct talk talk;

	(void)state;
	assert_non_null(mkdtemp(dir));
	begin(&talk);
	begin_start(&talk, 1, WIRE_MODE_RUN, "places");
	send_now(&talk);
	expect(&talk, WIRE_TEMP_DIR);
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	wire_begin(&talk.out, WIRE_ANSWER);
	wire_number(&talk.out, WIRE_RESULT, 0);
	wire_text(&talk.out, WIRE_PATH, dir);
	wire_fd(&talk.out, fd);
	send_now(&talk);
	close(fd);
	expect_log(&talk, "temp=1");
	expect_log(&talk, "same=1"); /* not asked for twice */
	expect(&talk, WIRE_OUTPUT);
	expect_text(&talk, WIRE_TEXT, dir);
	expect_done(&talk, 1, UPKEEP_UNCHANGED);
	finish(&talk);
	snprintf(file, sizeof file, "%s/made", dir);
	assert_int_equal(unlink(file), 0);
	rmdir(dir);
}

static void send_cancel(struct talk *talk, int64_t serial)
{
	wire_begin(&talk->out, WIRE_CANCEL);
	wire_number(&talk->out, WIRE_SERIAL, serial);
	send_now(talk);
}

static void test_cancel(void **state)
{
	int event = eventfd(0, EFD_CLOEXEC);
	struct talk talk;

	(void)state;
	begin(&talk);
	begin_start(&talk, 1, WIRE_MODE_RUN, "wait");
	send_now(&talk);
	begin_start(&talk, 2, WIRE_MODE_RUN, "crash"); /* were it not cancelled in time */
	send_now(&talk);
	expect(&talk, WIRE_CANCEL_FD);
	send_cancel(&talk, 2);
	send_cancel(&talk, 1); /* begun already: takes no harm */
	answer(&talk, 0, dup(event));
	expect_log(&talk, "same=1");
	expect(&talk, WIRE_PROGRESS);
	expect_text(&talk, WIRE_NAME, "waits");
	assert_int_equal(eventfd_write(event, 1), 0);
	do
		assert_int_equal(wire_receive(talk.socket, WIRE_ENGINE, &talk.in, 0), 1);
	while (talk.in.kind == WIRE_PROGRESS);
	assert_int_equal(talk.in.kind, WIRE_DONE);
	assert_int_equal(wire_get_number(&talk.in, WIRE_SERIAL), 1);
	assert_int_equal(wire_get_number(&talk.in, WIRE_RESULT), UPKEEP_CANCELLED);
	expect_done(&talk, 2, UPKEEP_CANCELLED);
	close(event);
	finish(&talk);
}

static struct value group_value(struct value_member *members, uint32_t count)
{
	return (struct value){.kind = VALUE_GROUP, .group = {members, count}};
}

static void test_tells(void **state)
{
	struct value_member one[] = {{.name = "name", .value = text_value("a")}};
	struct value_member two[] = {{.name = "name", .value = text_value("b")},
		{.name = "n", .value = text_value("8")}};
	struct value groups[] = {group_value(one, 1), group_value(two, 2)};
	struct value_member members[] = {
		{.name = "parts", .value = {.kind = VALUE_LIST, .list = {groups, 2}}}};
	struct talk talk;
	size_t count;

	(void)state;
	begin(&talk);
	begin_start(&talk, 1, WIRE_MODE_RUN, "tell");
	put_args(&talk, members, 1);
	wire_number(&talk.out, WIRE_TIMEOUT, 60000);
	wire_bytes(&talk.out, WIRE_DATA, "token", 5);
	send_now(&talk);
	expect_log(&talk, "part a 5");
	expect_log(&talk, "part b 8");
	expect(&talk, WIRE_OUTPUT);
	expect_text(&talk, WIRE_NAME, "number");
	expect_text(&talk, WIRE_TEXT, "7");
	expect_log(&talk, "number=0");
	expect_log(&talk, "output \"number\"");
	expect_log(&talk, "not a number=-22");
	expect_log(&talk, "output \"other\" is not declared");
	expect_log(&talk, "not declared=-2");
	expect(&talk, WIRE_ROW);
	expect_text(&talk, WIRE_NAME, "table");
	const char **cells = wire_get_texts(&talk.in, WIRE_CELLS, &arena, &count);
	assert_int_equal(count, 4);
	assert_string_equal(cells[2], "size");
	assert_string_equal(cells[3], "42");
	assert_int_equal(wire_get_item(&talk.in, WIRE_TYPES, 1), UPKEEP_SIZE);
	expect_log(&talk, "row=0");
	expect_log(&talk, "short row=-22");
	expect(&talk, WIRE_PROGRESS);
	assert_int_equal(wire_get_number(&talk.in, WIRE_TOTAL), 10);
	expect_log(&talk, "would=0");
	expect_log(&talk, "token_put=-22");
	expect_log(&talk, "token_get=5");
	expect_log(&talk, "deadline=1");
	expect_log(&talk, "failing: cannot tell 1: it is early");
	expect_done(&talk, 1, UPKEEP_FAILED_FOR_NOW);
	expect_text(&talk, WIRE_TEXT, "cannot tell 1");
	expect_text(&talk, WIRE_WHY, "it is early");
	expect_text(&talk, WIRE_NEXT, "try again");
	finish(&talk);
}

static void test_plan(void **state)
{
	struct talk talk;

	(void)state;
	begin(&talk);
	begin_start(&talk, 1, WIRE_MODE_PLAN, "tell");
	send_now(&talk);
	expect(&talk, WIRE_WOULD);
	expect_text(&talk, WIRE_TEXT, "tell it");
	expect_text(&talk, WIRE_ABOUT, "untell it");
	expect(&talk, WIRE_WOULD);
	assert_false(wire_has(&talk.in, WIRE_ABOUT));
	expect(&talk, WIRE_TOKEN);
	assert_memory_equal(talk.in.fields[WIRE_DATA].bytes, "token", 5);
	expect_log(&talk, "token_put=0");
	expect_log(&talk, "push in plan=-22");
	expect_log(&talk, "stream=-2");
	expect_done(&talk, 1, UPKEEP_CHANGED);
	finish(&talk);
}

static void test_streams(void **state)
{
	int in[2], out[2];
	struct talk talk;
	char bytes[8];

	(void)state;
	begin(&talk);
	for (int64_t whole = 1; whole >= 0; whole--) {
		assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
		begin_start(&talk, whole, WIRE_MODE_RUN, "stream");
		wire_number(&talk.out, WIRE_FDS_SENT, WIRE_FD_IN | WIRE_FD_OUT);
		wire_fd(&talk.out, in[0]);
		wire_fd(&talk.out, out[1]);
		send_now(&talk);
		close(in[0]);
		close(out[1]);
		assert_int_equal(write(in[1], "stream", 6), 6);
		close(in[1]);
		expect(&talk, WIRE_WHOLE);
		answer(&talk, whole, -1);
		if (!whole)
			expect_log(&talk, "failing: the input is not whole");
		expect_done(&talk, whole, whole ? UPKEEP_CHANGED : UPKEEP_FAILED);
		assert_int_equal(read(out[0], bytes, sizeof bytes), 6);
		assert_int_equal(
			read(out[0], bytes, sizeof bytes), 0); /* the worker's end is closed */
		close(out[0]);
	}
	begin_start(&talk, 3, WIRE_MODE_RUN, "stream");
	send_now(&talk);
	expect_log(&talk, "no input");
	expect_done(&talk, 3, UPKEEP_FAILED);
	finish(&talk);
}

static struct value bool_value(bool truth)
{
	return (struct value){.kind = VALUE_BOOL, .truth = truth};
}

/* check comes first, and where it fails nothing is planned or done. */
static void test_rules(void **state)
{
	struct value_member stop[] = {{.name = "stop", .value = bool_value(true)}};
	struct value_member unknown[] = {{.name = "stop", .value = bool_value(true)},
		{.name = "program", .value = {.kind = VALUE_UNKNOWN, .after = "x"}}};
	struct talk talk;

	(void)state;
	begin(&talk);
	for (int64_t serial = 1; serial < 3; serial++) {
		begin_start(&talk, serial, serial == 1 ? WIRE_MODE_RUN : WIRE_MODE_PLAN, "rules");
		put_args(&talk, stop, 1);
		send_now(&talk);
		expect_log(&talk, "failing: it is against the rules");
		expect_done(&talk, serial, UPKEEP_FAILED);
	}
	begin_start(&talk, 3, WIRE_MODE_PLAN, "rules");
	put_args(&talk, unknown, 2);
	send_now(&talk);
	expect(&talk, WIRE_WOULD);
	expect_text(&talk, WIRE_TEXT, "unknown=1 given=1 stop=1");
	expect_done(&talk, 3, UPKEEP_UNCHANGED);
	begin_start(&talk, 4, WIRE_MODE_RUN, "rules");
	send_now(&talk);
	expect_log(&talk, "broken pipe=32");
	expect_done(&talk, 4, UPKEEP_UNCHANGED);
	finish(&talk);
}

/* Why it failed is in the log also where the plugin does not live to answer. */
static void test_failure_before_a_crash(void **state)
{
	struct talk talk;

	(void)state;
	begin(&talk);
	begin_start(&talk, 1, WIRE_MODE_RUN, "crash");
	send_now(&talk);
	expect_log(&talk, "failing: cannot reach the moon: it is broken");
	assert_true(wire_receive(talk.socket, WIRE_ENGINE, &talk.in, 0) <= 0);
	assert_true(WIFSIGNALED(end(&talk)));
}

static int prepare(void **state)
{
	int r = set_up(state);

	compile("tests/unit/calling.c", "-DCALLING");
	return r;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_undo_records),
		cmocka_unit_test(test_push_that_fails),
		cmocka_unit_test(test_undo_and_probe),
		cmocka_unit_test(test_spawn),
		cmocka_unit_test(test_secret),
		cmocka_unit_test(test_temp_dir),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_tells),
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_failure_before_a_crash),
	};

	alarm(60);
	return !!cmocka_run_group_tests(tests, prepare, tear_down);
}
