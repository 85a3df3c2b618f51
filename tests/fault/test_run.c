/* SPDX-License-Identifier: MIT */
/* Runs of real processes: what comes out, and that nothing stays. */
#include "../unit.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "harness.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FIXTURE struct fixture *f = *state
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

static int set_up(void **state)
{
	*state = fixture_new();
	return 0;
}

static int tear_down(void **state)
{
	fixture_free(*state);
	return 0;
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void expect(struct fixture *f, enum exit_code expected)
{
	CLEANUP_ERROR struct error err = {0};
	enum exit_code code = fixture_run(f, 2, &err);

	if (code == expected)
		return;
	for (uint32_t i = 0; i < 4; i++)
		print_error("task %u: %s\n", i, fixture_seen(f, i).message);
	fail_msg("exit code %d, not %d: %s", code, expected, error_what(&err));
}

static void test_output_goes_to_its_log(void **state)
{
	FIXTURE;
	uint32_t talk = fixture_shell(f, "talk", "echo one; echo two >&2", NULL);
	uint32_t quiet = fixture_shell(f, "quiet", "true", NULL);

	fixture_after(f, quiet, talk);
	expect(f, EXIT_OK);
	CLEANUP_FREE char *log = fixture_log(f, talk, 1);
	assert_string_equal(log, "one\ntwo\n");
	assert_int_equal(fixture_seen(f, talk).state, TASK_SUCCEEDED);
	assert_int_equal(fixture_seen(f, quiet).state, TASK_SUCCEEDED);
	CLEANUP_TEXT struct text path = {0};
	text_addf(&path, "%s/runs/%s/%u.1.log", fixture_dir(f), fixture_id(f), quiet);
	assert_int_equal(access(text_string(&path), F_OK), -1); /* no byte, no file */
}

static void test_output_beyond_any_pipe(void **state)
{
	FIXTURE;
	uint32_t a = fixture_shell(
		f, "a", "head -c 20000000 /dev/zero; head -c 1000 /dev/zero >&2", NULL);

	expect(f, EXIT_OK);
	CLEANUP_TEXT struct text path = {0};
	struct stat st;
	text_addf(&path, "%s/runs/%s/%u.1.log", fixture_dir(f), fixture_id(f), a);
	assert_int_equal(stat(text_string(&path), &st), 0);
	assert_int_equal(st.st_size, 20001000);
}

static void test_failure_says_why(void **state)
{
	FIXTURE;
	uint32_t bad = fixture_shell(f, "bad", "exit 3", NULL);
	uint32_t after = fixture_shell(f, "after", "true", NULL);

	fixture_after(f, after, bad);
	expect(f, EXIT_FAILED_PARTIAL); /* core.exec may have changed anything */
	struct seen seen = fixture_seen(f, bad);
	assert_int_equal(seen.state, TASK_FAILED);
	assert_int_equal(seen.reason, REASON_EXIT);
	assert_int_equal(seen.exit_code, 3);
	assert_string_equal(seen.message, "/bin/sh ended with exit code 3");
	seen = fixture_seen(f, after);
	assert_true(seen.state == TASK_SKIPPED || seen.state == TASK_CANCELLED);
}

static void test_failure_of_what_changes_nothing(void **state)
{
	FIXTURE;
	fixture_changes(f, fixture_shell(f, "bad", "exit 3", NULL), UPKEEP_CHANGES_NONE);
	expect(f, EXIT_FAILED_CLEAN);
}

static void test_signal_and_missing_program(void **state)
{
	FIXTURE;
	const char *const none[] = {"/nonexistent/program", NULL};
	uint32_t killed = fixture_shell(f, "killed", "kill -SEGV $$", NULL);
	uint32_t missing = fixture_exec(f, "missing", none, NULL);

	NOT_UNDER_VALGRIND;
	fixture_graph(f)->on_failure = ON_FAILURE_CONTINUE;
	expect(f, EXIT_FAILED_PARTIAL);
	struct seen seen = fixture_seen(f, killed);
	assert_int_equal(seen.reason, REASON_SIGNAL);
	assert_int_equal(seen.exit_code, 256 + SIGSEGV);
	assert_string_equal(seen.message, "/bin/sh was killed by signal 11 (Segmentation fault)");
	seen = fixture_seen(f, missing);
	assert_int_equal(seen.reason, REASON_START);
	assert_string_equal(
		seen.message, "cannot execute /nonexistent/program: No such file or directory");
}

static void test_capture_outputs_and_stdout_file(void **state)
{
	FIXTURE;
	const char *const no_texts[] = {NULL};
	uint32_t text = fixture_shell(f, "text", "printf 'a b\\n\\n'; echo aside >&2", NULL);
	fixture_argument(f, "capture", value_string("text"));
	uint32_t json = fixture_shell(f, "json", "echo '{ not json'", NULL);
	fixture_argument(f, "capture", value_string("json"));
	uint32_t file = fixture_shell(f, "file", "echo whole", NULL);
	CLEANUP_TEXT struct text path = {0};
	text_addf(&path, "%s/made", fixture_dir(f));
	fixture_argument(f, "stdout", value_string(text_string(&path)));
	uint32_t lines = fixture_shell(f, "lines", "echo size=12KiB >&3", NULL);
	struct value_member members[] = {{.name = "name", .value = value_string("size")},
		{.name = "type", .value = value_string("size")}};
	struct value group = {.kind = VALUE_GROUP, .group = {members, 2}};
	struct value list = value_strings(f, no_texts);
	list.list.items = &group;
	list.list.count = 1;
	fixture_argument(f, "outputs", list);

	fixture_graph(f)->on_failure = ON_FAILURE_CONTINUE;
	expect(f, EXIT_FAILED_PARTIAL);
	CLEANUP_FREE char *stdout_text = fixture_output(f, text, "stdout");
	assert_string_equal(stdout_text, "a b");
	CLEANUP_FREE char *log = fixture_log(f, text, 1);
	assert_string_equal(log, "aside\n");
	assert_int_equal(fixture_seen(f, json).reason, REASON_POSTCONDITION);
	CLEANUP_FREE char *log_json = fixture_log(f, json, 1);
	assert_string_equal(log_json, "{ not json");
	CLEANUP_FREE char *made = NULL;
	assert_int_equal(file_load(text_string(&path), 100, &made, NULL, NULL), 0);
	assert_string_equal(made, "whole\n");
	assert_int_equal(fixture_seen(f, file).state, TASK_SUCCEEDED);
	CLEANUP_FREE char *size = fixture_output(f, lines, "size");
	assert_string_equal(size, "12KiB");
}

static void test_timeout_kills_what_ignores_it(void **state)
{
	FIXTURE;
	struct task_options options = task_options_plain;
	options.timeout_ms = 200;
	options.kill_after_ms = 200;
	uint32_t stubborn = fixture_shell(f, "stubborn",
		"trap '' TERM; sleep 77.01 & while :; do sleep 77.01; done", &options);

	int64_t begin_ms = clock_monotonic_ms();
	expect(f, EXIT_FAILED_PARTIAL);
	assert_in_range(clock_monotonic_ms() - begin_ms, 400, 3000);
	struct seen seen = fixture_seen(f, stubborn);
	assert_int_equal(seen.reason, REASON_TIMEOUT);
	assert_string_equal(seen.message, "not done within 0.200 s");
	assert_int_equal(fixture_alive("77.01"), 0);
}

static void test_retries_until_it_works(void **state)
{
	FIXTURE;
	CLEANUP_TEXT struct text script = {0};
	text_addf(&script, "echo x >> %s/count; test $(wc -l < %s/count) -ge 3 || exit 75",
		fixture_dir(f), fixture_dir(f));
	uint32_t flaky = fixture_shell(f, "flaky", text_string(&script), NULL);

	fixture_retry(f, flaky,
		(struct retry){.attempts = 5, .delay_ms = 5, .max_delay_ms = 10, .backoff = 2});
	expect(f, EXIT_OK);
	struct seen seen = fixture_seen(f, flaky);
	assert_int_equal(seen.state, TASK_SUCCEEDED);
	assert_int_equal(seen.attempt, 3);
}

static void test_options_reach_the_program(void **state)
{
	FIXTURE;
	struct value_member variable = {.name = "COLOUR", .value = value_string("dark red")};
	struct task_options options = task_options_plain;
	options.cwd = "/usr";
	options.has_umask = true;
	options.umask = 027;
	options.has_nice = true;
	options.nice = 3;
	options.limits.files = 99;
	options.env = (struct value){.kind = VALUE_GROUP, .group = {&variable, 1}};
	setenv("LEAKED", "secret of the caller", 1);
	uint32_t task = fixture_shell(f, "task",
		"pwd; umask; nice; ulimit -n; echo $COLOUR; echo ${LEAKED-none}; "
		"readlink /proc/self/fd/0",
		&options);

	NOT_UNDER_VALGRIND;
	expect(f, EXIT_OK);
	CLEANUP_FREE char *log = fixture_log(f, task, 1);
	assert_string_equal(log, "/usr\n0027\n3\n99\ndark red\nnone\n/dev/null\n");
}

static void test_another_user(void **state)
{
	FIXTURE;
	struct task_options options = task_options_plain;
	options.run_as = "nobody";
	uint32_t task = fixture_shell(f, "task", "id -un; echo $HOME; cd / && pwd", &options);
	const char *const none[] = {"/nonexistent/program", NULL};
	uint32_t missing = fixture_exec(f, "missing", none, &options);

	if (geteuid() != 0)
		skip();
	fixture_graph(f)->on_failure = ON_FAILURE_CONTINUE;
	expect(f, EXIT_FAILED_PARTIAL);
	CLEANUP_FREE char *log = fixture_log(f, task, 1);
	/* A build that counts coverage complains before: its files are not that user's. */
	assert_true(text_ends(log, "nobody\n/nonexistent\n/\n"));
	struct seen seen = fixture_seen(f, missing);
	assert_int_equal(seen.reason, REASON_START);
	assert_string_equal(
		seen.message, "cannot execute /nonexistent/program: No such file or directory");
}

static void test_log_keeps_both_halves(void **state)
{
	FIXTURE;
	struct task_options options = task_options_plain;
	options.log_max_bytes = 1000;
	uint32_t task = fixture_shell(f, "task", "seq 1 100000", &options);

	expect(f, EXIT_OK);
	CLEANUP_FREE char *log = fixture_log(f, task, 1);
	assert_true(text_starts(log, "1\n2\n3\n"));
	assert_true(text_ends(log, "99999\n100000\n"));
	assert_non_null(strstr(log, "\n[587895 bytes dropped]\n"));
	assert_int_equal(strlen(log), 1000 + strlen("\n[587895 bytes dropped]\n"));
}

static void test_secrets_are_blanked(void **state)
{
	FIXTURE;
	CLEANUP_TEXT struct text path = {0}, name = {0};
	text_addf(&path, "%s/password", fixture_dir(f));
	assert_int_equal(
		file_store(text_string(&path), "hunter2hunter2\n", 15, 0600, false, NULL), 0);
	text_addf(&name, "secret:file:%s", text_string(&path));
	struct value_member variable = {
		.name = "PASSWORD", .value = value_string(text_string(&name))};
	struct task_options options = task_options_plain;
	options.env = (struct value){.kind = VALUE_GROUP, .group = {&variable, 1}};
	uint32_t task = fixture_shell(f, "task",
		"printf 'is hunter2hun'; sleep 0.2; echo ter2, half hunter2 and "
		"$PASSWORD$PASSWORD; "
		"ulimit -c",
		&options);
	uint32_t taken = fixture_shell(f, "taken", "echo $PASSWORD", &options);
	fixture_argument(f, "capture", value_string("text"));
	uint32_t other = fixture_shell(f, "other", "echo ${PASSWORD-none}", NULL);

	expect(f, EXIT_OK);
	CLEANUP_FREE char *log = fixture_log(f, task, 1);
	assert_true(text_starts(log, "is ***, half hunter2 and ******\n"));
	assert_null(strstr(log, "unlimited"));
	CLEANUP_FREE char *output = fixture_output(f, taken, "stdout");
	assert_string_equal(output, "***");
	CLEANUP_FREE char *log_other = fixture_log(f, other, 1);
	assert_string_equal(log_other, "none\n");
}

static void test_short_secret_is_refused(void **state)
{
	FIXTURE;
	setenv("SHORT", "1234567", 1);
	struct value_member variable = {.name = "P", .value = value_string("secret:env:SHORT")};
	struct task_options options = task_options_plain;
	options.env = (struct value){.kind = VALUE_GROUP, .group = {&variable, 1}};
	uint32_t task = fixture_shell(f, "task", "true", &options);

	fixture_changes(f, task, UPKEEP_CHANGES_NONE);
	expect(f, EXIT_FAILED_CLEAN);
	assert_string_equal(fixture_seen(f, task).message,
		"secret \"env:SHORT\": it has less than 8 bytes: too short to be told from other "
		"text");
}

/* Everything that a process can do to stay. */
static const char stayers[] = "sleep 77.02 & "
			      "(sleep 77.02 & sleep 77.02 &) ; "
			      "setsid sleep 77.02 & setsid sh -c 'setsid sleep 77.02 & exit' ; "
			      "sh -c 'trap \"\" TERM HUP INT; while :; do sleep 77.02; done' & "
			      "setsid sh -c 'trap \"\" TERM; kill -STOP $$; sleep 77.02' & "
			      "sleep 0.1; ";

static void test_nothing_outlives_its_task(void **state)
{
	FIXTURE;
	CLEANUP_TEXT struct text script = {0}, check = {0};
	text_addf(&script, "%s exit 0", stayers);
	uint32_t leaver = fixture_shell(f, "leaver", text_string(&script), NULL);
	uint32_t looker = fixture_shell(f, "looker", "pgrep -fc '^sleep 7[7].02'; true", NULL);

	fixture_after(f, looker, leaver);
	expect(f, EXIT_OK);
	CLEANUP_FREE char *log = fixture_log(f, looker, 1);
	assert_string_equal(log, "0\n");
}

/* Five times in a row: shells that are about to end bear the mark as well. */
static void wait_for_alive(const char *mark, unsigned count)
{
	int seen = 0;
	for (int i = 0; i < 3000 && seen < 5; i++, pause_ms(10))
		seen = fixture_alive(mark) >= count ? seen + 1 : 0;
	assert_int_equal(seen, 5);
}

static void wait_for_gone(const char *mark)
{
	for (int i = 0; i < 3000 && fixture_alive(mark); i++)
		pause_ms(10);
	assert_int_equal(fixture_alive(mark), 0);
}

static void stay_forever(struct fixture *f)
{
	static struct task_options options;
	CLEANUP_TEXT struct text script = {0};
	options = task_options_plain;
	options.kill_after_ms = 300;
	text_addf(&script, "trap '' TERM; %s while :; do sleep 77.02; done", stayers);
	fixture_shell(f, "stayer", text_string(&script), &options);
}

static void test_cancel_leaves_nothing(void **state)
{
	FIXTURE;
	CLEANUP_ERROR struct error err = {0};
	stay_forever(f);
	pid_t pid = fixture_start(f, 2);
	wait_for_alive("77.02", 9);
	int64_t begin_ms = clock_monotonic_ms();
	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(fixture_wait(pid), EXIT_FAILED_PARTIAL);
	assert_in_range(clock_monotonic_ms() - begin_ms, 200, 3000);
	assert_int_equal(fixture_alive("77.02"), 0);
	assert_int_equal(fixture_seen(f, 0).state, TASK_CANCELLED);
	assert_int_equal(run_cancel(fixture_dir(f), fixture_id(f), &err), -ESRCH);
}

static void test_second_cancel_kills_at_once(void **state)
{
	FIXTURE;
	struct task_options options = task_options_plain;
	options.kill_after_ms = 60000;
	fixture_shell(f, "stubborn", "trap '' TERM; while :; do sleep 77.03; done", &options);
	pid_t pid = fixture_start(f, 2);
	wait_for_alive("77.03", 2);
	kill(pid, SIGTERM);
	pause_ms(50);
	kill(pid, SIGTERM); /* counts as the same */
	pause_ms(400);
	assert_int_not_equal(fixture_alive("77.03"), 0);
	kill(pid, SIGTERM);
	assert_int_equal(fixture_wait(pid), EXIT_FAILED_PARTIAL);
	assert_int_equal(fixture_alive("77.03"), 0);
}

/* The engine is the keeper's only child while nothing is orphaned. */
static pid_t engine_of(pid_t keeper)
{
	char command[128];
	int pid = 0;
	snprintf(command, sizeof command, "/usr/bin/pgrep -P %d", (int)keeper);
	FILE *list = popen(command, "r");
	if (!list || fscanf(list, "%d", &pid) != 1)
		pid = 0;
	if (list)
		pclose(list);
	return pid;
}

static void test_engine_killed_leaves_nothing(void **state)
{
	FIXTURE;
	stay_forever(f);
	pid_t pid = fixture_start(f, 2);
	wait_for_alive("77.02", 9);
	pid_t engine = engine_of(pid);
	assert_true(engine > 1);
	assert_int_equal(kill(engine, SIGKILL), 0);
	assert_int_equal(fixture_wait(pid), EXIT_INTERNAL);
	assert_int_equal(fixture_alive("77.02"), 0);
	assert_int_equal(fixture_seen(f, 0).state, TASK_RUNNING); /* for recover */
}

static void test_keeper_killed_cancels(void **state)
{
	FIXTURE;
	stay_forever(f);
	pid_t pid = fixture_start(f, 2);
	wait_for_alive("77.02", 9);
	kill(pid, SIGKILL);
	assert_int_equal(fixture_wait(pid), -SIGKILL);
	wait_for_gone("77.02");
}

static void test_cancel_by_id(void **state)
{
	FIXTURE;
	CLEANUP_ERROR struct error err = {0};

	NOT_UNDER_VALGRIND;
	fixture_shell(f, "long", "sleep 77.04", NULL);
	pid_t pid = fixture_start(f, 2);
	wait_for_alive("77.04", 1);
	pause_ms(150); /* the journal may lag */
	fixture_seen(f, 0);
	assert_int_equal(run_cancel(fixture_dir(f), fixture_id(f), &err), 0);
	assert_int_equal(fixture_wait(pid), EXIT_FAILED_PARTIAL);
	assert_int_equal(run_cancel(fixture_dir(f), "20200101-000000-000000", &err), -ESRCH);
}

static void test_left_running_on_purpose(void **state)
{
	FIXTURE;
	struct task_options options = task_options_plain;
	options.leaves_running = true;
	fixture_shell(f, "daemon", "setsid sleep 77.05 >/dev/null 2>&1 & sleep 0.1", &options);

	expect(f, EXIT_OK);
	assert_int_equal(fixture_alive("77.05"), 1);
	assert_int_equal(system("pkill -f '^sleep 77.05'"), 0);
}

/* By marks: what succeeded with leaves_running stays, what failed with it does not. */
static void test_left_running_without_cgroups(void **state)
{
	FIXTURE;
	struct task_options options = task_options_plain;
	options.leaves_running = true;
	fixture_without_cgroups(f);
	fixture_graph(f)->on_failure = ON_FAILURE_CONTINUE;
	fixture_shell(f, "daemon", "setsid sleep 77.11 >/dev/null 2>&1 & sleep 0.1", &options);
	fixture_shell(f, "failed", "setsid sleep 77.12 & sleep 0.1; exit 3", &options);
	fixture_shell(f, "plain", "setsid sleep 77.13 & sleep 0.1", NULL);

	expect(f, EXIT_FAILED_PARTIAL);
	assert_int_equal(fixture_alive("77.11"), 1);
	assert_int_equal(system("pkill -f '^sleep 77.11'"), 0);
	assert_int_equal(fixture_alive("77.12"), 0);
	assert_int_equal(fixture_alive("77.13"), 0);
}

static void test_nothing_outlives_its_task_without_cgroups(void **state)
{
	FIXTURE;

	fixture_without_cgroups(f);
	test_nothing_outlives_its_task(state);
}

static void test_overlap(void **state)
{
	FIXTURE;
	CLEANUP_ERROR struct error err = {0};
	fixture_shell(f, "long", "sleep 77.06", NULL);
	pid_t pid = fixture_start(f, 2);
	wait_for_alive("77.06", 1);
	assert_int_equal(fixture_run(f, 2, &err), EXIT_OK); /* skip */
	assert_string_equal(error_what(&err), "graph \"test\" is being run already; skipped");
	fixture_graph(f)->overlap = OVERLAP_FAIL;
	assert_int_equal(fixture_run(f, 2, &err), EXIT_BUSY);
	fixture_graph(f)->overlap = OVERLAP_WAIT;
	fixture_graph(f)->wait_max_ms = 300;
	int64_t begin_ms = clock_monotonic_ms();
	assert_int_equal(fixture_run(f, 2, &err), EXIT_BUSY);
	assert_in_range(clock_monotonic_ms() - begin_ms, 250, 2000);
	kill(pid, SIGTERM);
	assert_int_equal(fixture_wait(pid), EXIT_FAILED_PARTIAL);
	wait_for_gone("77.06");
}

static void test_locks_between_runs(void **state)
{
	FIXTURE;
	uint32_t task = fixture_shell(f, "task", "sleep 77.07", NULL);
	fixture_lock(f, task, "database");
	pid_t pid = fixture_start(f, 2);
	wait_for_alive("77.07", 1);
	pause_ms(1100); /* ids sort by second */
	/* Another graph of the same site wants the same lock. */
	fixture_graph(f)->name = "other";
	fixture_graph(f)->wait_max_ms = 300;
	assert_int_equal(fixture_wait(fixture_start(f, 2)), EXIT_BUSY);
	assert_int_equal(fixture_seen(f, task).state, TASK_FAILED);
	assert_int_not_equal(fixture_alive("77.07"), 0);
	/* The engine's death does not free it before everything is dead. */
	kill(engine_of(pid), SIGKILL);
	assert_int_equal(fixture_wait(pid), EXIT_INTERNAL);
	assert_int_equal(fixture_alive("77.07"), 0);
}

static uint64_t syncs_of(uint8_t changes)
{
	struct fixture *f = fixture_new();
	uint32_t last = 0;

	for (uint32_t i = 0; i < 5; i++) {
		char name[8];
		snprintf(name, sizeof name, "t%u", i);
		uint32_t task = fixture_shell(f, name, "true", NULL);
		fixture_changes(f, task, changes);
		if (i)
			fixture_after(f, task, last);
		last = task;
	}
	expect(f, EXIT_OK);
	uint64_t syncs = fixture_told(f).syncs;
	fixture_free(f);
	return syncs;
}

/* Five tasks in a row: what is fsynced before each start. */
static void test_syncs_by_class(void **state)
{
	(void)state;
	assert_int_equal(syncs_of(UPKEEP_CHANGES_NONE), 0);
	assert_int_equal(syncs_of(UPKEEP_CHANGES_UNKNOWN), 2);  /* the graph, the run's end */
	assert_int_equal(syncs_of(UPKEEP_CHANGES_RECORDED), 6); /* each intent, the end */
	assert_int_equal(syncs_of(UPKEEP_CHANGES_IRREVERSIBLE), 6);
}

static void test_plan_changes_nothing(void **state)
{
	FIXTURE;
	CLEANUP_ERROR struct error err = {0};
	CLEANUP_TEXT struct text path = {0};
	const char *argv[] = {"/bin/touch", NULL, NULL};
	text_addf(&path, "%s/touched", fixture_dir(f));
	argv[1] = text_string(&path);
	fixture_exec(f, "touch", argv, NULL);

	assert_int_equal(fixture_plan(f, &err), EXIT_PLAN_CHANGES);
	assert_true(text_starts(fixture_told(f).would, "run /bin/touch "));
	assert_int_equal(access(text_string(&path), F_OK), -1);
	assert_int_equal(rmdir(fixture_dir(f)), 0); /* not even a journal */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_output_goes_to_its_log),
		TEST(test_output_beyond_any_pipe),
		TEST(test_failure_says_why),
		TEST(test_failure_of_what_changes_nothing),
		TEST(test_signal_and_missing_program),
		TEST(test_capture_outputs_and_stdout_file),
		TEST(test_timeout_kills_what_ignores_it),
		TEST(test_retries_until_it_works),
		TEST(test_options_reach_the_program),
		TEST(test_another_user),
		TEST(test_log_keeps_both_halves),
		TEST(test_secrets_are_blanked),
		TEST(test_short_secret_is_refused),
		TEST(test_nothing_outlives_its_task),
		TEST(test_cancel_leaves_nothing),
		TEST(test_second_cancel_kills_at_once),
		TEST(test_engine_killed_leaves_nothing),
		TEST(test_keeper_killed_cancels),
		TEST(test_cancel_by_id),
		TEST(test_left_running_on_purpose),
		TEST(test_left_running_without_cgroups),
		TEST(test_nothing_outlives_its_task_without_cgroups),
		TEST(test_overlap),
		TEST(test_locks_between_runs),
		cmocka_unit_test(test_syncs_by_class),
		TEST(test_plan_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
