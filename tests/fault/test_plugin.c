/* SPDX-License-Identifier: MIT */
/* Plugin code that misbehaves costs its task alone. */
#include "../unit.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "harness.h"
#include "model/describe.h"
#include "run/cgroup.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static const char *const names[] = {"segv", "abort", "exit", "hang", "obey", "flood", "garbage",
	"bomb", "litter", "fine", "spawn", "record", "serve"};
#define NAMES (sizeof names / sizeof names[0])

static const struct upkeep_output outputs[] = {
	UPKEEP_OUT("number", UPKEEP_INT, "a number"),
	UPKEEP_OUT("dir", UPKEEP_PATH, "a directory that has gone"),
	UPKEEP_OUT("words", UPKEEP_LIST | UPKEEP_STRING, "some words"),
};
static struct action_description actions[NAMES];
static struct plugin_description description = {.name = "crash",
	.version = "1.0",
	.about = "Misbehaves",
	.abi_major = UPKEEP_ABI_MAJOR,
	.actions = actions,
	.action_count = NAMES};

struct context {
	struct fixture *fixture;
	struct instance *plugin;
};

static int set_up(void **state)
{
	struct context *c = calloc(1, sizeof *c);

	for (size_t i = 0; i < NAMES; i++)
		actions[i].decl = (struct upkeep_action){.name = names[i],
			.about = names[i],
			.changes = strcmp(names[i], "record") == 0 || strcmp(names[i], "serve") == 0
				? UPKEEP_CHANGES_RECORDED
				: UPKEEP_CHANGES_NONE,
			.outputs = outputs,
			.output_count = 3};
	c->fixture = fixture_new();
	c->plugin = fixture_instance(c->fixture, "crash", PLUGIN_BUILT, &description);
	fixture_graph(c->fixture)->on_failure = ON_FAILURE_CONTINUE;
	*state = c;
	return 0;
}

static int tear_down(void **state)
{
	fixture_free(((struct context *)*state)->fixture);
	free(*state);
	return 0;
}

/* Runs the action beside one that is fine, before and after. */
static struct seen run_beside(struct context *c, const char *action,
	const struct task_options *options, enum exit_code expected)
{
	CLEANUP_ERROR struct error err = {0};
	struct fixture *f = c->fixture;
	uint32_t task = fixture_action(f, action, c->plugin, action, options);
	uint32_t beside = fixture_action(f, "beside", c->plugin, "fine", NULL);
	uint32_t program = fixture_shell(f, "program", "echo fine", NULL);

	fixture_changes(f, program, UPKEEP_CHANGES_NONE);
	enum exit_code code = fixture_run(f, 2, &err);
	struct seen seen = fixture_seen(f, task);
	if (code != expected)
		fail_msg("exit code %d, not %d: %s (%s)", code, expected, seen.message,
			error_what(&err));
	assert_int_equal(fixture_seen(f, beside).state, TASK_SUCCEEDED);
	assert_int_equal(fixture_seen(f, program).state, TASK_SUCCEEDED);
	return seen;
}

static void test_crashes(void **state)
{
	struct seen seen = run_beside(*state, "segv", NULL, EXIT_FAILED_CLEAN);

	assert_int_equal(seen.reason, REASON_SIGNAL);
	assert_int_equal(seen.exit_code, 256 + SIGSEGV);
	assert_string_equal(
		seen.message, "the plugin \"crash\" was killed by signal 11 (Segmentation fault)");
	CLEANUP_FREE char *log = fixture_log(((struct context *)*state)->fixture, 0, 1);
	assert_non_null(strstr(log, "upkeep: the plugin crashed; backtrace:\n"));
}

static void test_aborts(void **state)
{
	assert_int_equal(
		run_beside(*state, "abort", NULL, EXIT_FAILED_CLEAN).exit_code, 256 + SIGABRT);
}

static void test_exits(void **state)
{
	struct seen seen = run_beside(*state, "exit", NULL, EXIT_FAILED_CLEAN);

	assert_int_equal(seen.reason, REASON_EXIT);
	assert_int_equal(seen.exit_code, 3);
}

static void test_garbage(void **state)
{
	assert_int_equal(
		run_beside(*state, "garbage", NULL, EXIT_FAILED_CLEAN).reason, REASON_PROTOCOL);
}

static void test_hangs(void **state)
{
	struct task_options options = task_options_plain;
	options.timeout_ms = 200;
	options.kill_after_ms = 200;
	int64_t begin_ms = clock_monotonic_ms();

	assert_int_equal(
		run_beside(*state, "hang", &options, EXIT_FAILED_CLEAN).reason, REASON_TIMEOUT);
	assert_in_range(clock_monotonic_ms() - begin_ms, 400, 4000);
}

static void test_obeys(void **state)
{
	struct task_options options = task_options_plain;
	options.timeout_ms = 200;
	options.kill_after_ms = 60000;

	assert_int_equal(
		run_beside(*state, "obey", &options, EXIT_FAILED_CLEAN).reason, REASON_TIMEOUT);
}

static void test_floods(void **state)
{
	struct task_options options = task_options_plain;
	options.timeout_ms = getenv("UNDER_VALGRIND") ? 5000 : 500;
	options.kill_after_ms = 100;
	options.log_max_bytes = 100000;
	struct context *c = *state;

	assert_int_equal(
		run_beside(c, "flood", &options, EXIT_FAILED_CLEAN).reason, REASON_TIMEOUT);
	CLEANUP_FREE char *log = fixture_log(c->fixture, 0, 1);
	assert_in_range(strlen(log), 100000, 100100);
}

static void test_fork_bomb(void **state)
{
	struct task_options options = task_options_plain;
	options.timeout_ms = 500;
	options.kill_after_ms = 100;
	options.limits.processes = 30;

	if (geteuid() != 0)
		skip();
	assert_int_equal(
		run_beside(*state, "bomb", &options, EXIT_FAILED_CLEAN).reason, REASON_TIMEOUT);
}

static void test_litters(void **state)
{
	run_beside(*state, "litter", NULL, EXIT_OK);
	assert_int_equal(fixture_alive("77.21"), 0);
}

static void test_litters_without_cgroups(void **state)
{
	struct context *c = *state;

	fixture_without_cgroups(c->fixture);
	test_litters(state);
}

/* The v1 freezer, where this machine has it, though a v2 hierarchy may be there too. */
static void test_litters_with_freezer(void **state)
{
	static char path[128];
	struct cgroups cgroups;

	snprintf(path, sizeof path, "/tmp/upkeep-mounts-%d", (int)getpid());
	FILE *in = fopen("/proc/self/mountinfo", "re"), *out = fopen(path, "we");
	char line[4096];
	assert_non_null(in);
	assert_non_null(out);
	while (fgets(line, sizeof line, in))
		if (!strstr(line, " - cgroup2 "))
			fputs(line, out);
	fclose(in);
	fclose(out);
	cgroup_mounts_path = path;
	cgroups_open(&cgroups, "20000101-000000-000000");
	cgroups_remove(&cgroups);
	bool there = cgroups.kind == CGROUP_FREEZER;
	if (there)
		test_litters(state);
	cgroups_close(&cgroups);
	cgroup_mounts_path = "/proc/self/mountinfo";
	unlink(path);
	if (!there)
		skip();
}

static void test_works(void **state)
{
	struct context *c = *state;

	run_beside(c, "spawn", NULL, EXIT_OK);
	CLEANUP_FREE char *log = fixture_log(c->fixture, 0, 1);
	assert_string_equal(log, "from the program\n");
	CLEANUP_FREE char *number = fixture_output(c->fixture, 1, "number");
	assert_string_equal(number, "42");
}

static int count_undo(void *data, const struct journal_undo *undo)
{
	assert_string_equal(undo->kind, "thing");
	assert_string_equal(undo->payload, "a=b\n");
	assert_int_equal(undo->state, JOURNAL_UNDO_APPLIED);
	assert_string_equal(undo->fingerprint, "now");
	++*(unsigned *)data;
	return 0;
}

/* A file below undo/ of the run. */
static bool has_undo_file(struct context *c, const char *name)
{
	CLEANUP_TEXT struct text path = {0};

	text_addf(
		&path, "%s/runs/%s/undo/%s", fixture_dir(c->fixture), fixture_id(c->fixture), name);
	return access(text_string(&path), F_OK) == 0;
}

static void test_records(void **state)
{
	struct context *c = *state;
	struct journal *journal = NULL;
	unsigned count = 0;

	run_beside(c, "record", NULL, EXIT_OK);
	assert_int_equal(journal_open_readonly(fixture_dir(c->fixture), &journal, NULL), 0);
	journal_undos(journal, fixture_id(c->fixture), count_undo, &count, NULL);
	journal_close(journal);
	assert_int_equal(count, 1);
	assert_true(has_undo_file(c, "1.txt"));
}

struct served {
	unsigned done, dropped;
	char cells[128];
};

static int count_served(void *data, const struct journal_undo *undo)
{
	struct served *served = data;
	bool done = undo->state == JOURNAL_UNDO_DONE;

	served->done += done && undo->files && strcmp(undo->files, "copy") == 0;
	served->dropped += undo->state == JOURNAL_UNDO_DROPPED && !undo->files;
	return 0;
}

static int keep_cells(void *data, uint32_t task, const char *table, const char *cells)
{
	struct served *served = data;

	if (task == 0 && strcmp(table, "cells") == 0)
		snprintf(served->cells, sizeof served->cells, "%s", cells);
	return 0;
}

/* What an action can ask of the host, through the real engine. */
static void test_serves(void **state)
{
	struct context *c = *state;
	struct task_options options = task_options_plain;
	struct journal *journal = NULL;
	struct served served = {0};

	NOT_UNDER_VALGRIND;
	if (geteuid() == 0)
		options.run_as = "nobody"; /* whose directories they must be */
	run_beside(c, "serve", &options, EXIT_OK);
	CLEANUP_FREE char *dir = fixture_output(c->fixture, 0, "dir");
	assert_true(text_starts(dir, "/tmp/upkeep-"));
	assert_int_equal(access(dir, F_OK), -1);
	CLEANUP_FREE char *log = fixture_log(c->fixture, 0, 1);
	assert_non_null(strstr(log, "told in /usr\n"));
	assert_non_null(strstr(log, "cannot execute"));
	assert_int_equal(fixture_alive("77.22"), 0);
	assert_true(has_undo_file(c, "0.1/copy"));
	assert_true(has_undo_file(c, "1.done.txt"));
	assert_true(has_undo_file(c, "2.done.txt"));
	assert_false(has_undo_file(c, "1.txt") || has_undo_file(c, "2.txt"));
	assert_int_equal(journal_open_readonly(fixture_dir(c->fixture), &journal, NULL), 0);
	journal_undos(journal, fixture_id(c->fixture), count_served, &served, NULL);
	journal_rows(journal, fixture_id(c->fixture), keep_cells, &served, NULL);
	journal_close(journal);
	assert_int_equal(served.done, 1);
	assert_int_equal(served.dropped, 1);
	assert_string_equal(served.cells, "{\"size\":17,\"fine\":true,\"odd\":\"many\"}");
}

static void test_cannot_start(void **state)
{
	struct task_options options = task_options_plain;

	if (geteuid() != 0)
		skip();
	options.run_as = "nobody";
	options.cwd = "/nowhere";
	struct seen seen = run_beside(*state, "fine", &options, EXIT_FAILED_CLEAN);
	assert_int_equal(seen.reason, REASON_START);
	assert_string_equal(seen.message, "cannot enter /nowhere: No such file or directory");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_works),
		TEST(test_records),
		TEST(test_serves),
		TEST(test_cannot_start),
		TEST(test_crashes),
		TEST(test_aborts),
		TEST(test_exits),
		TEST(test_garbage),
		TEST(test_hangs),
		TEST(test_obeys),
		TEST(test_floods),
		TEST(test_fork_bomb),
		TEST(test_litters),
		TEST(test_litters_without_cgroups),
		TEST(test_litters_with_freezer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
