/* SPDX-License-Identifier: MIT */
/* The tail of a run's journal: what is in it counts as much as a commit, and no more than it says.
 */
#include "journal_words.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "journal/tail.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static char tail_path[160];

/* A run whose row is committed, and which has its directory. */
static struct journal *begin(void)
{
	struct journal *journal = open_writer();
	CLEANUP_TEXT struct text run_dir = {0};
	CLEANUP_ERROR struct error err = {0};

	text_addf(&run_dir, "%s/runs/" ID1, dir);
	snprintf(tail_path, sizeof tail_path, "%s/tail", text_string(&run_dir));
	assert_int_equal(file_make_dirs(text_string(&run_dir), 0700, &err), 0);
	add_run(journal, ID1, "backup", 1000);
	flush(journal, JOURNAL_COMMIT);
	return journal;
}

static void put_as(struct journal *journal, uint32_t index, uint32_t attempt, enum task_state state,
	const char *name, const char *message)
{
	struct journal_task task = {.index = index,
		.attempt = attempt,
		.name = name,
		.action = "core.exec",
		.state = state,
		.undo = state == TASK_RUNNING ? UNDO_NOTHING : UNDO_UNDONE,
		.started_ms = 1000,
		.ended_ms = state == TASK_RUNNING ? 0 : 1000 + 7,
		.exit_code = state == TASK_RUNNING ? -1 : 3,
		.changed = state != TASK_RUNNING,
		.message = message,
		.cpu_ms = 4,
		.peak_memory_bytes = 1 << 20};

	journal_put_task(journal, &task);
}

static void put(struct journal *journal, uint32_t index, uint32_t attempt, enum task_state state)
{
	put_as(journal, index, attempt, state, index ? "b" : "a", NULL);
}

static int task_into_text(void *data, const struct journal_task *task)
{
	text_addf(data, "%u.%u %s %s %s %s %d %d %d %d %d|", task->index, task->attempt, task->name,
		task->action, task_state_name(task->state),
		task->undo == UNDO_UNDONE ? "undone" : "-", (int)task->started_ms,
		(int)task->ended_ms, task->exit_code, (int)task->cpu_ms,
		(int)task->peak_memory_bytes);
	return 0;
}

#define STARTED(at, name) at " " name " core.exec running - 1000 0 -1 4 1048576|"
#define ENDED(at, name) at " " name " core.exec succeeded undone 1000 1007 3 4 1048576|"

/* As another process reads it. */
static void expect(const char *tasks)
{
	CLEANUP_TEXT struct text text = {0};
	CLEANUP_ERROR struct error err = {0};
	struct journal *reader;

	assert_int_equal(journal_open_readonly(dir, &reader, &err), 0);
	assert_int_equal(journal_tasks(reader, ID1, task_into_text, &text, &err), 0);
	journal_close(reader);
	assert_string_equal(text_string(&text), tasks);
}

static int64_t committed(void)
{
	return sql_number("SELECT count(*) FROM tasks");
}

static void test_starts_and_ends_need_no_commit(void **state)
{
	struct journal *journal = begin();

	(void)state;
	put(journal, 0, 1, TASK_RUNNING);
	flush(journal, JOURNAL_COMMIT);
	expect(STARTED("0.1", "a"));
	put(journal, 0, 1, TASK_SUCCEEDED);
	put(journal, 1, 1, TASK_RUNNING);
	flush(journal, JOURNAL_COMMIT);
	expect(ENDED("0.1", "a") STARTED("1.1", "b"));
	assert_int_equal(committed(), 0);
	assert_int_equal(journal_counts(journal).commits, 1);
	assert_true(journal_has_queued(journal));
	flush(journal, JOURNAL_LAZY);
	assert_int_equal(committed(), 2);
	assert_false(journal_has_queued(journal));
	expect(ENDED("0.1", "a") STARTED("1.1", "b"));
	journal_close(journal);
}

/* Killed before the next commit; whoever goes on with the run commits it, and then writes over it.
 */
static void test_what_a_dead_writer_left(void **state)
{
	CLEANUP_ERROR struct error err = {0};
	struct journal *journal = begin();

	(void)state;
	put(journal, 0, 1, TASK_RUNNING);
	flush(journal, JOURNAL_LAZY);
	put(journal, 0, 1, TASK_SUCCEEDED);
	put(journal, 0, 2, TASK_RUNNING);
	put(journal, 1, 1, TASK_RUNNING);
	flush(journal, JOURNAL_COMMIT);
	journal_close(journal);
	expect(ENDED("0.1", "a") STARTED("0.2", "a") STARTED("1.1", "b"));
	journal = open_writer();
	assert_int_equal(journal_use_run(journal, ID1, &err), 0);
	put(journal, 1, 2, TASK_RUNNING);
	flush(journal, JOURNAL_COMMIT);
	assert_int_equal(committed(), 4);
	put(journal, 1, 2, TASK_SUCCEEDED);
	flush(journal, JOURNAL_COMMIT);
	assert_int_equal(committed(), 4);
	expect(ENDED("0.1", "a") STARTED("0.2", "a") STARTED("1.1", "b") ENDED("1.2", "b"));
	journal_close(journal);
}

/* What is in the database since is not taken back by an older row of the tail. */
static void test_an_old_tail_says_nothing(void **state)
{
	struct journal *journal = begin();

	(void)state;
	put(journal, 1, 1, TASK_RUNNING);
	flush(journal, JOURNAL_COMMIT);
	put(journal, 1, 1, TASK_SUCCEEDED);
	flush(journal, JOURNAL_COMMIT);
	flush(journal, JOURNAL_LAZY);
	sql_run("UPDATE tasks SET undo=0, exit_code=9");
	expect("1.1 b core.exec succeeded - 1000 1007 9 4 1048576|");
	sql_run("UPDATE tasks SET ended_ms=0, state=3");
	expect(ENDED("1.1", "b"));
	journal_close(journal);
}

static void test_torn_and_changed_rows_are_not_believed(void **state)
{
	struct journal *journal = begin();

	(void)state;
	put(journal, 0, 1, TASK_RUNNING);
	put(journal, 1, 1, TASK_RUNNING);
	put(journal, 1, 2, TASK_RUNNING);
	flush(journal, JOURNAL_COMMIT);
	journal_close(journal);
	CLEANUP_FD int fd = open(tail_path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "\7", 1, sizeof(struct tail_row) + 8), 1);
	expect(STARTED("0.1", "a") STARTED("1.2", "b"));
	assert_int_equal(ftruncate(fd, 2 * sizeof(struct tail_row) + 200), 0);
	expect(STARTED("0.1", "a"));
	assert_int_equal(ftruncate(fd, 0), 0);
	expect("");
}

static void test_what_says_more_is_committed(void **state)
{
	char name[TAIL_NAME_SIZE + 1];
	struct journal *journal = begin();

	(void)state;
	memset(name, 'n', TAIL_NAME_SIZE);
	name[TAIL_NAME_SIZE] = 0;
	put(journal, 0, 1, TASK_RUNNING);
	journal_add_output(journal, 0, "path", "/x");
	flush(journal, JOURNAL_COMMIT);
	assert_int_equal(committed(), 1);
	put_as(journal, 0, 1, TASK_FAILED, "a", "it broke");
	flush(journal, JOURNAL_COMMIT);
	assert_int_equal(sql_number("SELECT count(*) FROM tasks WHERE message='it broke'"), 1);
	put_as(journal, 1, 1, TASK_RUNNING, name, NULL);
	flush(journal, JOURNAL_COMMIT);
	assert_int_equal(committed(), 2);
	put(journal, 1, 2, TASK_RUNNING);
	flush(journal, JOURNAL_SYNC);
	assert_int_equal(committed(), 3);
	put(journal, 1, 3, TASK_RUNNING);
	flush(journal, JOURNAL_COMMIT);
	assert_int_equal(committed(), 3);
	journal_close(journal);
}

/* The file stays small: beyond that, one commit takes all. */
static void test_many_rows_are_committed(void **state)
{
	struct journal *journal = begin();

	(void)state;
	for (uint32_t i = 1; i <= 1000; i++) {
		put(journal, 1, i, TASK_RUNNING);
		flush(journal, JOURNAL_COMMIT);
	}
	assert_in_range(journal_counts(journal).commits, 4, 6);
	for (uint32_t i = 1001; i <= 2000; i++)
		put(journal, 1, i, TASK_RUNNING);
	flush(journal, JOURNAL_COMMIT);
	assert_int_equal(committed(), 2000);
	assert_false(journal_has_queued(journal));
	journal_close(journal);
}

static void test_the_end_removes_it(void **state)
{
	struct journal *journal = begin();

	(void)state;
	put(journal, 0, 1, TASK_RUNNING);
	flush(journal, JOURNAL_COMMIT);
	assert_int_equal(access(tail_path, F_OK), 0);
	put(journal, 0, 1, TASK_SUCCEEDED);
	end_run(journal, RUN_SUCCEEDED, 2000);
	flush(journal, JOURNAL_COMMIT);
	assert_int_equal(access(tail_path, F_OK), -1);
	expect(ENDED("0.1", "a"));
	journal_close(journal);
}

/* Something else under that name, or no directory: every start is a commit. */
static void test_no_tail_can_be_had(void **state)
{
	struct journal *journal = begin();

	(void)state;
	assert_int_equal(symlink("/dev/null", tail_path), 0);
	put(journal, 0, 1, TASK_RUNNING);
	flush(journal, JOURNAL_COMMIT);
	assert_int_equal(committed(), 1);
	add_run(journal, ID2, "backup", 1000);
	flush(journal, JOURNAL_COMMIT);
	put(journal, 0, 1, TASK_RUNNING);
	flush(journal, JOURNAL_COMMIT);
	assert_int_equal(committed(), 2);
	journal_close(journal);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ONE(test_starts_and_ends_need_no_commit),
		ONE(test_what_a_dead_writer_left),
		ONE(test_an_old_tail_says_nothing),
		ONE(test_torn_and_changed_rows_are_not_believed),
		ONE(test_what_says_more_is_committed),
		ONE(test_many_rows_are_committed),
		ONE(test_the_end_removes_it),
		ONE(test_no_tail_can_be_had),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
