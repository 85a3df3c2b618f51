/* SPDX-License-Identifier: MIT */
#include "journal_words.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

static int run_into_text(void *data, const struct journal_run *run)
{
	text_addf(data, "%s %s %d %d %s|", run->id, run->graph, run->state, run->exit_code,
		run->cause ? run->cause : "-");
	return 0;
}

static int task_into_text(void *data, const struct journal_task *task)
{
	text_addf(data, "%u.%u %s %s %d %d %s|", task->index, task->attempt, task->name,
		task_state_name(task->state), task->exit_code, (int)task->log_bytes,
		task->message ? task->message : "-");
	return 0;
}

static int pair_into_text(void *data, uint32_t task, const char *name, const char *value)
{
	text_addf(data, "%u %s=%s|", task, name, value);
	return 0;
}

static int warning_into_text(void *data, uint32_t task, const char *text)
{
	text_addf(data, "%u %s|", task, text);
	return 0;
}

static int undo_into_text(void *data, const struct journal_undo *undo)
{
	text_addf(data, "%u %s v%u %s state %d %s|", (unsigned)undo->id, undo->kind, undo->version,
		undo->payload, undo->state, undo->fingerprint ? undo->fingerprint : "-");
	return 0;
}

static int duration_into_text(void *data, const char *task, int64_t duration_ms)
{
	text_addf(data, "%s %d|", task, (int)duration_ms);
	return 0;
}

static void test_what_goes_in_comes_out(void **state)
{
	CLEANUP_TEXT struct text text = {0};
	CLEANUP_FREE char *plan = NULL;
	size_t size;
	struct journal *journal = open_writer();

	(void)state;
	add_run(journal, ID1, "backup", 1000);
	put_task(journal, 0, 1, TASK_FAILED, 5);
	put_task(journal, 0, 2, TASK_SUCCEEDED, 5);
	put_task(journal, 1, 1, TASK_RUNNING, 0);
	journal_add_output(journal, 0, "path", "/x");
	journal_add_output(journal, 0, "path", "/y");
	journal_add_row(journal, 1, "disks", "{\"free\":1}");
	journal_add_warning(journal, 1, "odd");
	journal_add_confirmation(journal, 1, "looked?", "yes", 0, 12);
	end_run(journal, RUN_FAILED_CLEAN, 2000);
	flush(journal, JOURNAL_COMMIT);
	assert_int_equal(journal_runs(journal, NULL, 9, run_into_text, &text, NULL), 0);
	assert_int_equal(journal_tasks(journal, ID1, task_into_text, &text, NULL), 0);
	assert_int_equal(journal_outputs(journal, ID1, pair_into_text, &text, NULL), 0);
	assert_int_equal(journal_rows(journal, ID1, pair_into_text, &text, NULL), 0);
	assert_int_equal(journal_warnings(journal, ID1, warning_into_text, &text, NULL), 0);
	assert_string_equal(text_string(&text),
		ID1 " backup 2 10 failed task a: it broke|"
		    "0.1 a failed 265 5 -|0.2 a succeeded 265 5 -|1.1 b running 265 5 -|"
		    "0 path=/x|0 path=/y|1 disks={\"free\":1}|1 odd|");
	assert_int_equal(journal_read_plan(journal, ID1, &plan, &size, NULL), 0);
	assert_string_equal(plan, "the plan");
	assert_int_equal(journal_verify(journal, NULL), 0);
	journal_close(journal);
}

static void test_intent_and_result_in_one_flush_are_one_row(void **state)
{
	CLEANUP_TEXT struct text text = {0};
	struct journal *journal = open_writer();

	(void)state;
	add_run(journal, ID1, "g", 1);
	put_task(journal, 0, 1, TASK_RUNNING, 0);
	put_task(journal, 1, 1, TASK_RUNNING, 0);
	put_task(journal, 0, 1, TASK_SUCCEEDED, 9);
	flush(journal, JOURNAL_LAZY);
	put_task(journal, 1, 1, TASK_FAILED, 9);
	flush(journal, JOURNAL_LAZY);
	assert_int_equal(journal_tasks(journal, ID1, task_into_text, &text, NULL), 0);
	assert_string_equal(text_string(&text), "0.1 a succeeded 265 5 -|1.1 b failed 265 5 -|");
	journal_close(journal);
}

static void test_undo_records(void **state)
{
	CLEANUP_TEXT struct text text = {0};
	struct journal *journal = open_writer();
	struct journal_undo undo = {.task = 1,
		.attempt = 1,
		.version = 2,
		.kind = "file",
		.payload = "path=/x\n",
		.about = "restore /x"};

	(void)state;
	add_run(journal, ID1, "g", 1);
	assert_int_equal(journal_add_undo(journal, &undo), 1);
	assert_int_equal(journal_add_undo(journal, &undo), 2);
	journal_set_undo(journal, 1, JOURNAL_UNDO_APPLIED, "abc");
	journal_set_undo(journal, 1, JOURNAL_UNDO_DONE, NULL);
	flush(journal, JOURNAL_SYNC);
	journal_close(journal);
	journal = open_writer();
	assert_int_equal(journal_use_run(journal, ID1, NULL), 0);
	assert_int_equal(journal_add_undo(journal, &undo), 3);
	flush(journal, JOURNAL_SYNC);
	assert_int_equal(journal_undos(journal, ID1, undo_into_text, &text, NULL), 0);
	assert_string_equal(text_string(&text),
		"3 file v2 path=/x\n state 0 -|"
		"2 file v2 path=/x\n state 0 -|1 file v2 path=/x\n state 3 abc|");
	assert_int_equal(journal_use_run(journal, ID2, NULL), -ENOENT);
	journal_close(journal);
}

static void test_commits_and_syncs_are_counted(void **state)
{
	struct journal *journal = open_writer();

	(void)state;
	flush(journal, JOURNAL_SYNC);
	assert_int_equal(journal_counts(journal).commits, 0);
	assert_int_equal(journal_counts(journal).syncs, 0);
	add_run(journal, ID1, "g", 1);
	assert_true(journal_has_queued(journal));
	flush(journal, JOURNAL_COMMIT);
	assert_false(journal_has_queued(journal));
	assert_int_equal(journal_counts(journal).commits, 1);
	assert_int_equal(journal_counts(journal).syncs, 0);
	flush(journal, JOURNAL_SYNC); /* what was committed before is owed a sync */
	flush(journal, JOURNAL_SYNC);
	assert_int_equal(journal_counts(journal).commits, 1);
	assert_int_equal(journal_counts(journal).syncs, 1);
	journal_close(journal);
}

static void test_finding_a_run(void **state)
{
	char id[RUN_ID_SIZE];
	CLEANUP_ERROR struct error err = {0};
	struct journal *journal = open_writer();

	(void)state;
	assert_int_equal(journal_find_run(journal, "last", id, &err), -ENOENT);
	add_run(journal, ID1, "g", 1);
	add_run(journal, ID2, "g", 1);
	flush(journal, JOURNAL_COMMIT);
	assert_int_equal(journal_find_run(journal, "last", id, &err), 0);
	assert_string_equal(id, ID2);
	assert_int_equal(journal_find_run(journal, "20261123-040000", id, &err), 0);
	assert_string_equal(id, ID1);
	assert_int_equal(journal_find_run(journal, "20261123", id, &err), -EEXIST);
	assert_string_equal(error_what(&err), "\"20261123\" may be run " ID1 " or " ID2);
	assert_int_equal(journal_find_run(journal, "2027", id, &err), -ENOENT);
	assert_int_equal(journal_find_run(journal, "", id, &err), -ENOENT);
	journal_close(journal);
}

static void test_run_ids_sort_and_fit(void **state)
{
	char a[RUN_ID_SIZE], b[RUN_ID_SIZE];

	(void)state;
	journal_make_id(a);
	journal_make_id(b);
	assert_int_equal(strlen(a), strlen(ID1));
	assert_int_equal(a[8], '-');
	assert_string_not_equal(a, b);
}

static void test_durations_are_medians(void **state)
{
	CLEANUP_TEXT struct text text = {0};
	struct journal *journal = open_writer();
	static const int64_t a_ms[] = {10, 400, 20, 30};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		char id[RUN_ID_SIZE];

		snprintf(id, sizeof id, "20261123-04000%u-aaaaaa", i);
		add_run(journal, id, "g", i);
		put_task(journal, 0, 1, TASK_SUCCEEDED, a_ms[i]);
		put_task(journal, 1, 1, i == 2 ? TASK_SUCCEEDED : TASK_FAILED, 77);
	}
	flush(journal, JOURNAL_COMMIT);
	assert_int_equal(journal_durations(journal, "g", duration_into_text, &text, NULL), 0);
	assert_string_equal(text_string(&text), "a 25|b 77|");
	journal_close(journal);
}

static void test_an_older_schema_migrates(void **state)
{
	CLEANUP_TEXT struct text text = {0};
	CLEANUP_ERROR struct error err = {0};
	struct journal *journal = NULL;
	struct journal_undo undo = {.kind = "k", .payload = ""};

	(void)state;
	make_version(1, APPLICATION, 1);
	assert_int_equal(journal_open_readonly(dir, &journal, &err), -ESTALE);
	assert_null(journal);
	journal = open_writer();
	assert_int_equal(journal_use_run(journal, ID1, NULL), 0);
	journal_add_undo(journal, &undo);
	flush(journal, JOURNAL_COMMIT);
	assert_int_equal(journal_runs(journal, "old", 9, run_into_text, &text, NULL), 0);
	assert_string_equal(text_string(&text), ID1 " old 1 0 -|");
	journal_close(journal);
	assert_int_equal(journal_open_readonly(dir, &journal, &err), 0);
	journal_close(journal);
}

static void test_newer_and_foreign_files_are_refused(void **state)
{
	CLEANUP_ERROR struct error err = {0};
	struct journal *journal = NULL;

	(void)state;
	make_version(1, APPLICATION, 99);
	assert_int_equal(journal_open(dir, &journal, &err), -EPROTO);
	assert_non_null(strstr(error_what(&err), "has schema 99, this upkeep knows up to"));
	teardown(NULL);
	assert_int_equal(mkdir(dir, 0700), 0);
	make_version(1, "1", 0);
	assert_int_equal(journal_open(dir, &journal, &err), -EPROTO);
	assert_non_null(strstr(error_what(&err), "is not a journal of upkeep"));
	assert_int_equal(journal_open_readonly(dir, &journal, &err), -EPROTO);
}

static void test_no_journal_and_garbage(void **state)
{
	CLEANUP_ERROR struct error err = {0};
	struct journal *journal = NULL;
	char path[96], garbage[8192];

	(void)state;
	assert_int_equal(journal_open_readonly(dir, &journal, &err), -ENOENT);
	snprintf(path, sizeof path, "%s/journal.db", dir);
	memset(garbage, 'x', sizeof garbage);
	assert_int_equal(file_store(path, garbage, sizeof garbage, 0600, false, NULL), 0);
	assert_int_equal(journal_open(dir, &journal, &err), -EUCLEAN);
	assert_non_null(strstr(err.next, "then move journal.db, journal.db-wal and"));
	snprintf(path, sizeof path, "%s/journal.db/below", dir);
	assert_true(journal_open(path, &journal, &err) < 0);
	assert_null(journal);
}

static void test_a_full_disk_leaves_the_queue(void **state)
{
	CLEANUP_TEXT struct text text = {0};
	CLEANUP_ERROR struct error err = {0};
	struct journal *journal = open_writer();
	struct rlimit old, tight;
	char big[20000];

	(void)state;
	memset(big, 'y', sizeof big);
	big[sizeof big - 1] = 0;
	add_run(journal, ID1, "g", 1);
	flush(journal, JOURNAL_COMMIT);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	tight = old;
	tight.rlim_cur = 40960;
	for (int i = 0; i < 20; i++)
		journal_add_output(journal, 0, "big", big);
	journal_add_warning(journal, 1, "kept");
	setrlimit(RLIMIT_FSIZE, &tight);
	int r = journal_flush(journal, JOURNAL_SYNC, &err);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_true(r == -EFBIG || r == -ENOSPC || r == -EIO);
	assert_non_null(strstr(err.next, "make room"));
	assert_true(journal_has_queued(journal));
	assert_int_equal(journal_warnings(journal, ID1, warning_into_text, &text, NULL), 0);
	assert_string_equal(text_string(&text), "");
	flush(journal, JOURNAL_SYNC);
	assert_int_equal(journal_warnings(journal, ID1, warning_into_text, &text, NULL), 0);
	assert_string_equal(text_string(&text), "1 kept|");
	journal_close(journal);
}

static void make_log(const char *id)
{
	char below[JOURNAL_PATH_SIZE], path[192];

	journal_run_dir(below, id);
	snprintf(path, sizeof path, "%s/%s", dir, below);
	assert_int_equal(file_make_dirs(path, 0700, NULL), 0);
	journal_log_path(below, id, 0, 1);
	snprintf(path, sizeof path, "%s/%s", dir, below);
	assert_int_equal(file_store(path, "x", 1, 0600, false, NULL), 0);
}

static bool has_log(const char *id)
{
	char below[JOURNAL_PATH_SIZE], path[192];

	journal_log_path(below, id, 0, 1);
	snprintf(path, sizeof path, "%s/%s", dir, below);
	return access(path, F_OK) == 0;
}

static void test_retention(void **state)
{
	static const struct {
		const char *id;
		enum run_state state;
		int64_t ended_ms;
	} runs[] = {
		{"20260101-000001-000001", RUN_SUCCEEDED, 100}, /* removed */
		{"20260101-000002-000002", RUN_ROLLBACK_FAILED, 100},
		{"20260101-000003-000003", RUN_RUNNING, 0},
		{"20260101-000004-000004", RUN_FAILED_CLEAN, 950}, /* too many, but young */
		{"20260101-000005-000005", RUN_SUCCEEDED, 100},    /* old, but of the newest */
		{"20260101-000006-000006", RUN_SUCCEEDED, 970},
	};
	CLEANUP_TEXT struct text text = {0};
	struct journal *journal = open_writer();
	uint32_t removed;

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		add_run(journal, runs[i].id, "g", 1);
		put_task(journal, 0, 1, TASK_SUCCEEDED, 1);
		end_run(journal, runs[i].state, runs[i].ended_ms);
		make_log(runs[i].id);
	}
	flush(journal, JOURNAL_COMMIT);
	assert_int_equal(journal_retain(journal, 1000, 500, 6, &removed, NULL), 0);
	assert_int_equal(removed, 0);
	assert_int_equal(journal_retain(journal, 1000, 500, 2, &removed, NULL), 0);
	assert_int_equal(removed, 1);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(has_log(runs[i].id), i != 0);
	assert_int_equal(journal_tasks(journal, runs[0].id, task_into_text, &text, NULL), 0);
	assert_string_equal(text_string(&text), "");
	assert_int_equal(journal_retain(journal, 1000, 500, 2, &removed, NULL), 0);
	assert_int_equal(removed, 0);
	journal_close(journal);
}

static void test_cost_of_a_row(void **state)
{
	enum { ROWS = 100000 };
	struct journal *journal = open_writer();

	(void)state;
	add_run(journal, ID1, "g", 1);
	int64_t start = clock_monotonic_ns();
	for (uint32_t i = 0; i < ROWS; i++) {
		put_task(journal, i, 1, TASK_SUCCEEDED, 1);
		if (i % 200 == 199)
			flush(journal, JOURNAL_COMMIT);
	}
	print_message("%.2f us a row in transactions of 200\n",
		(double)(clock_monotonic_ns() - start) / 1000 / ROWS);
	journal_checkpoint(journal);
	journal_close(journal);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		ONE(test_what_goes_in_comes_out),
		ONE(test_intent_and_result_in_one_flush_are_one_row),
		ONE(test_undo_records),
		ONE(test_commits_and_syncs_are_counted),
		ONE(test_finding_a_run),
		ONE(test_run_ids_sort_and_fit),
		ONE(test_durations_are_medians),
		ONE(test_an_older_schema_migrates),
		ONE(test_newer_and_foreign_files_are_refused),
		ONE(test_no_journal_and_garbage),
		ONE(test_a_full_disk_leaves_the_queue),
		ONE(test_retention),
		ONE(test_cost_of_a_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
