/* SPDX-License-Identifier: MIT */
/* The fake host answers a plugin as the worker's does (test_host.c): the same plugin, linked. */
#include "tests/unit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <upkeep/testing.h>

static struct upkeep_test *make(void)
{
	struct upkeep_test *t = upkeep_test_new(&upkeep_plugin);

	assert_non_null(t);
	return t;
}

static void logs(struct upkeep_test *t, const char *line)
{
	if (!strstr(upkeep_test_log(t), line))
		fail_msg("expected the line \"%s\" in\n%s", line, upkeep_test_log(t));
}

static void test_records(void **state)
{
	struct upkeep_test *t = make();
	char path[4096];
	struct stat st;

	(void)state;
	assert_int_equal(upkeep_test_run(t, "undo"), UPKEEP_CHANGED);
	logs(t, "its undo directory was never asked for");
	logs(t, "\ntoo early=-22\n");
	logs(t, "\noutside=-22\npush=0\nsecond=0\napplied=0\ndrop=0\ndone=-2\n");
	assert_int_equal(upkeep_test_records(t), 2);
	assert_string_equal(upkeep_test_record(t, 0)->files[0], "copy");
	assert_string_equal(upkeep_test_fingerprint(t, 0), "print");
	assert_int_equal(upkeep_test_record_state(t, 0), UPKEEP_TEST_APPLIED);
	assert_int_equal(upkeep_test_record_state(t, 1), UPKEEP_TEST_DROPPED);
	snprintf(path, sizeof path, "%s/copy", upkeep_test_undo_path(t));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(upkeep_test_probe(t, "undo"), UPKEEP_NOT_DONE);
	assert_int_equal(upkeep_test_probe_record(t, "undo", 0), UPKEEP_PARTLY);
	assert_int_equal(upkeep_test_undo(t, "undo"), UPKEEP_CHANGED);
	logs(t, "record=kind/3 a=b\nargs=0\npush in undo=-22\ndone=0\n");
	assert_int_equal(upkeep_test_record_state(t, 0), UPKEEP_TEST_UNDONE);
	assert_int_equal(upkeep_test_record_state(t, 1), UPKEEP_TEST_DROPPED);
	assert_int_equal(upkeep_test_undo(t, "undo"), UPKEEP_UNCHANGED); /* nothing left */
	assert_int_equal(upkeep_test_undo_record(t, "undo", 7), UPKEEP_TEST_WRONG);
	upkeep_test_free(t);
	assert_int_equal(stat(path, &st), -1);
}

static void test_push_fails(void **state)
{
	struct upkeep_test *t = make();

	(void)state;
	upkeep_test_fail_push(t, 2, -ENOSPC);
	assert_int_equal(upkeep_test_run(t, "undo"), UPKEEP_FAILED);
	logs(t, "push=0\nsecond=-28\nfailing: the second record was not taken\n");
	assert_string_equal(upkeep_test_what(t), "the second record was not taken");
	assert_int_equal(upkeep_test_records(t), 1);
	upkeep_test_free(t);
}

static void test_programs(void **state)
{
	struct upkeep_test *t = make();

	(void)state;
	upkeep_test_set(t, "program", "sh");
	upkeep_test_add(t, "words", "-c");
	upkeep_test_add(t, "words", "echo $CALLING; exit 7");
	assert_int_equal(upkeep_test_run(t, "spawn"), UPKEEP_UNCHANGED);
	assert_string_equal(upkeep_test_output(t, "text"), "yes\n");
	logs(t, "kill other=-10\nwait=7\nagain=7\n");
	upkeep_test_clear(t);
	upkeep_test_set(t, "program", "/bin/sleep");
	upkeep_test_add(t, "words", "60");
	upkeep_test_set(t, "stop", "true");
	assert_int_equal(upkeep_test_run(t, "spawn"), UPKEEP_UNCHANGED);
	logs(t, "kill=0\nkill other=-10\nwait=271\nagain=271\n");
	upkeep_test_set(t, "program", "not-there");
	assert_int_equal(upkeep_test_run(t, "spawn"), UPKEEP_FAILED);
	assert_string_equal(upkeep_test_why(t), "No such file or directory");
	upkeep_test_set(t, "program", NULL);
	assert_int_equal(upkeep_test_run(t, "spawn"), UPKEEP_FAILED);
	assert_string_equal(upkeep_test_why(t), "Invalid argument");
	upkeep_test_free(t);
}

static void test_secrets(void **state)
{
	struct upkeep_test *t = make();

	(void)state;
	upkeep_test_secret(t, "file:/pw", "sesame");
	upkeep_test_set(t, "secret", "file:/pw");
	assert_int_equal(upkeep_test_run(t, "secret"), UPKEEP_UNCHANGED);
	logs(t, "secret=6\nsecret again=6\nsame=1\n");
	logs(t, "\nother=-1\n");
	logs(t, "\npush=-1\n");
	assert_int_equal(upkeep_test_records(t), 0);
	upkeep_test_free(t);
	/* An empty one is contained in everything: it refuses nothing. */
	t = make();
	upkeep_test_secret(t, "file:/pw", "");
	upkeep_test_set(t, "secret", "file:/pw");
	assert_int_equal(upkeep_test_run(t, "secret"), UPKEEP_UNCHANGED);
	logs(t, "\npush=0\n");
	upkeep_test_free(t);
}

static void test_cancelled(void **state)
{
	struct upkeep_test *t = make();

	(void)state;
	upkeep_test_cancel_after(t, 5); /* cancel_fd twice, the log, progress twice */
	assert_int_equal(upkeep_test_run(t, "wait"), UPKEEP_CANCELLED);
	assert_int_equal(upkeep_test_progress(t, NULL), 1);
	upkeep_test_free(t);
	t = make();
	upkeep_test_cancel(t);
	assert_int_equal(upkeep_test_run(t, "wait"), UPKEEP_CANCELLED);
	assert_int_equal(upkeep_test_progress(t, NULL), 0);
	upkeep_test_free(t);
}

static void test_streams(void **state)
{
	static char big[300000]; /* more than a pipe holds */
	struct upkeep_test *t = make();
	size_t size;

	(void)state;
	assert_int_equal(upkeep_test_run(t, "stream"), UPKEEP_FAILED);
	assert_string_equal(upkeep_test_what(t), "no input");
	memset(big, 'x', sizeof big);
	upkeep_test_stream_in(t, big, sizeof big);
	upkeep_test_stream_out(t);
	assert_int_equal(upkeep_test_run(t, "stream"), UPKEEP_CHANGED);
	const char *written = upkeep_test_written(t, &size);
	assert_int_equal(size, sizeof big);
	assert_memory_equal(written, big, sizeof big);
	upkeep_test_whole(t, 0);
	upkeep_test_stream_in(t, "x", 1);
	assert_int_equal(upkeep_test_run(t, "stream"), UPKEEP_FAILED);
	assert_string_equal(upkeep_test_what(t), "the input is not whole");
	upkeep_test_close_streams(t);
	assert_int_equal(upkeep_test_run(t, "stream"), UPKEEP_FAILED);
	assert_string_equal(upkeep_test_what(t), "cannot read");
	upkeep_test_free(t);
}

static void test_told(void **state)
{
	struct upkeep_test *t = make();

	(void)state;
	/* What plan leaves, run finds. */
	assert_int_equal(upkeep_test_plan(t, "tell"), UPKEEP_CHANGED);
	assert_int_equal(upkeep_test_woulds(t), 2);
	assert_string_equal(upkeep_test_would(t, 0), "tell it");
	assert_string_equal(upkeep_test_would_undo(t, 0), "untell it");
	assert_null(upkeep_test_would_undo(t, 1));
	logs(t, "token_put=0\npush in plan=-22\nstream=-2\n");

	upkeep_test_set(t, "parts[0].name", "a");
	upkeep_test_set(t, "parts[1].name", "b");
	upkeep_test_set(t, "parts[1].n", "8");
	assert_int_equal(upkeep_test_run(t, "tell"), UPKEEP_FAILED_FOR_NOW);
	logs(t, "part a 5\npart b 8\nnumber=0\n");
	logs(t, "not a number=-22\n");
	logs(t, "not declared=-2\nrow=0\nshort row=-22\nwould=0\ntoken_put=-22\ntoken_get=5\n");
	assert_string_equal(upkeep_test_output(t, "number"), "7");
	assert_int_equal(upkeep_test_output_count(t, "number"), 1);
	assert_int_equal(upkeep_test_rows(t, "table"), 1);
	assert_string_equal(upkeep_test_cell(t, "table", 0, "size"), "42");
	assert_null(upkeep_test_cell(t, "table", 1, "size"));
	assert_string_equal(upkeep_test_why(t), "it is early");
	assert_string_equal(upkeep_test_next(t), "try again");
	upkeep_test_free(t);
}

/* check comes before plan and run, and what is not known yet is not planned with. */
static void test_rules(void **state)
{
	struct upkeep_test *t = make();

	(void)state;
	upkeep_test_set(t, "stop", "true");
	assert_int_equal(upkeep_test_check(t, "rules"), UPKEEP_FAILED);
	assert_int_equal(upkeep_test_plan(t, "rules"), UPKEEP_FAILED);
	assert_int_equal(upkeep_test_run(t, "rules"), UPKEEP_FAILED);
	assert_string_equal(upkeep_test_what(t), "it is against the rules");
	upkeep_test_set_unknown(t, "program");
	assert_int_equal(upkeep_test_plan(t, "rules"), UPKEEP_UNCHANGED);
	assert_string_equal(upkeep_test_would(t, 0), "unknown=1 given=1 stop=1");
	assert_int_equal(upkeep_test_plan(t, "tell"), UPKEEP_CHANGED); /* and is not called */
	assert_int_equal(upkeep_test_woulds(t), 0);
	upkeep_test_clear(t);
	assert_int_equal(upkeep_test_run(t, "rules"), UPKEEP_UNCHANGED);
	logs(t, "broken pipe=32\n");
	upkeep_test_free(t);
}

static void test_wrong_arguments(void **state)
{
	struct upkeep_test *t = make();

	(void)state;
	upkeep_test_set(t, "parts[1].name", "b");
	assert_int_equal(upkeep_test_run(t, "tell"), UPKEEP_TEST_WRONG); /* parts[0] has no name */
	upkeep_test_clear(t);
	upkeep_test_set(t, "part.n", "many");
	assert_int_equal(upkeep_test_run(t, "tell"), UPKEEP_TEST_WRONG);
	assert_int_equal(upkeep_test_run(t, "nothing"), UPKEEP_TEST_WRONG);
	assert_int_equal(upkeep_test_woulds(t), 0);
	assert_string_equal(upkeep_test_log(t), "");
	upkeep_test_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_push_fails),
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_cancelled),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_wrong_arguments),
	};

	alarm(60);
	return !!cmocka_run_group_tests(tests, NULL, NULL);
}
