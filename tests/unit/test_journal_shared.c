/* SPDX-License-Identifier: MIT */
/* The journal between processes: readers, writers, killed ones, damage. */
#include "journal_words.h"

#include "base/text.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int task_into_text(void *data, const struct journal_task *task)
{
	text_addf(data, "%u.%u %s %s %d %d %s|", task->index, task->attempt, task->name,
		task_state_name(task->state), task->exit_code, (int)task->log_bytes,
		task->message ? task->message : "-");
	return 0;
}

static void test_a_reader_reads_while_a_writer_writes(void **state)
{
	CLEANUP_TEXT struct text before = {0}, after = {0};
	struct journal *writer = open_writer(), *reader = NULL;

	(void)state;
	add_run(writer, ID1, "g", 1);
	flush(writer, JOURNAL_COMMIT);
	assert_int_equal(journal_open_readonly(dir, &reader, NULL), 0);
	put_task(writer, 0, 1, TASK_RUNNING, 0);
	assert_int_equal(journal_tasks(reader, ID1, task_into_text, &before, NULL), 0);
	assert_string_equal(text_string(&before), "");
	flush(writer, JOURNAL_COMMIT);
	assert_int_equal(journal_tasks(reader, ID1, task_into_text, &after, NULL), 0);
	assert_string_equal(text_string(&after), "0.1 a running 265 5 -|");
	put_task(reader, 0, 1, TASK_FAILED, 0);
	assert_int_equal(journal_flush(reader, JOURNAL_COMMIT, NULL), -EROFS);
	journal_close(reader);
	journal_close(writer);
}

static int task_counted(void *data, const struct journal_task *task)
{
	unsigned *count = data;

	assert_int_equal(task->index, (*count)++); /* whole transactions, in order, no gap */
	return 0;
}

/* Another process that wants to write now, without waiting. */
static int write_elsewhere(void)
{
	char path[96];
	sqlite3 *db;

	snprintf(path, sizeof path, "%s/journal.db", dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	int code = sqlite3_exec(
		db, "BEGIN IMMEDIATE;UPDATE runs SET warnings=warnings;COMMIT", NULL, NULL, NULL);
	sqlite3_close(db);
	return code;
}

static int write_beside(void *data, const struct journal_run *run)
{
	(void)data;
	(void)run;
	return write_elsewhere();
}

static void test_no_transaction_spans_a_wait(void **state)
{
	struct journal *journal = open_writer(), *reader = NULL;

	(void)state;
	add_run(journal, ID1, "g", 1);
	assert_int_equal(write_elsewhere(), SQLITE_OK); /* queued is not begun */
	flush(journal, JOURNAL_COMMIT);
	assert_int_equal(write_elsewhere(), SQLITE_OK);
	put_task(journal, 0, 1, TASK_RUNNING, 0);
	flush(journal, JOURNAL_SYNC);
	assert_int_equal(write_elsewhere(), SQLITE_OK);
	assert_int_equal(journal_open_readonly(dir, &reader, NULL), 0);
	assert_int_equal(journal_runs(reader, NULL, 9, write_beside, NULL, NULL), SQLITE_OK);
	journal_close(reader);
	journal_close(journal);
}

static void write_run(unsigned number)
{
	CLEANUP_ERROR struct error err = {0};
	struct journal *journal = NULL;
	char id[RUN_ID_SIZE];
	int r = journal_open(dir, &journal, &err);

	snprintf(id, sizeof id, "20261123-04000%u-aaaaaa", number);
	if (r == 0)
		add_run(journal, id, "g", 1);
	for (uint32_t i = 0; r == 0 && i < 100; i++) {
		put_task(journal, i, 1, TASK_SUCCEEDED, 1);
		r = journal_flush(journal, JOURNAL_COMMIT, &err);
	}
	if (r < 0)
		fprintf(stderr, "%s\n", error_what(&err));
	journal_close(journal);
	_exit(r < 0);
}

static int run_counted(void *data, const struct journal_run *run)
{
	(void)run;
	++*(unsigned *)data;
	return 0;
}

/* Runs of one site at once, all of which find a journal of an older version. */
static void test_many_writers_migrate_and_write(void **state)
{
	enum { WRITERS = 4 };
	unsigned runs = 0;

	(void)state;
	make_version(1, APPLICATION, 1);
	for (unsigned i = 0; i < WRITERS; i++)
		if (fork() == 0)
			write_run(i);
	for (unsigned i = 0; i < WRITERS; i++) {
		int status = -1;

		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	struct journal *journal = open_writer();
	assert_int_equal(journal_runs(journal, NULL, 99, run_counted, &runs, NULL), 0);
	assert_int_equal(runs, WRITERS + 1);
	for (unsigned i = 0; i < WRITERS; i++) {
		char id[RUN_ID_SIZE];
		unsigned count = 0;

		snprintf(id, sizeof id, "20261123-04000%u-aaaaaa", i);
		assert_int_equal(journal_tasks(journal, id, task_counted, &count, NULL), 0);
		assert_int_equal(count, 100);
	}
	assert_int_equal(journal_verify(journal, NULL), 0);
	journal_close(journal);
}

static void test_damage_is_found(void **state)
{
	CLEANUP_ERROR struct error err = {0};
	struct journal *journal = open_writer();
	char path[96], garbage[3 * 4096];

	(void)state;
	add_run(journal, ID1, "g", 1);
	for (uint32_t i = 0; i < 5000; i++)
		put_task(journal, i, 1, TASK_SUCCEEDED, 1);
	flush(journal, JOURNAL_SYNC);
	assert_int_equal(journal_verify(journal, NULL), 0);
	journal_close(journal);
	snprintf(path, sizeof path, "%s/journal.db", dir);
	CLEANUP_FD int fd = open(path, O_RDWR | O_CLOEXEC);
	memset(garbage, 0x5a, sizeof garbage);
	assert_int_equal(pwrite(fd, garbage, sizeof garbage, 30 * 4096), sizeof garbage);
	assert_int_equal(journal_open_readonly(dir, &journal, &err), 0);
	assert_int_equal(journal_verify(journal, &err), -EUCLEAN);
	assert_non_null(strstr(err.next, "then move journal.db, journal.db-wal and"));
	journal_close(journal);
}

/* A byte into the pipe for every committed task, until the reader kills it. */
static void write_until_killed(int committed)
{
	struct journal *journal = open_writer();

	add_run(journal, ID1, "g", 1);
	for (uint32_t i = 0;; i++) {
		put_task(journal, i, 1, TASK_RUNNING, 0);
		flush(journal, JOURNAL_COMMIT);
		if (write(committed, "x", 1) != 1)
			_exit(1);
	}
}

static void test_a_killed_writer_loses_nothing_committed(void **state)
{
	enum { COMMITTED = 50 };
	unsigned count = 0;
	int committed[2];
	char byte;

	(void)state;
	assert_int_equal(pipe(committed), 0);
	pid_t pid = fork();
	if (pid == 0)
		write_until_killed(committed[1]);
	close(committed[1]);
	for (unsigned i = 0; i < COMMITTED; i++)
		assert_int_equal(read(committed[0], &byte, 1), 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(committed[0]);
	struct journal *journal = open_writer();
	assert_int_equal(journal_tasks(journal, ID1, task_counted, &count, NULL), 0);
	assert_true(count >= COMMITTED);
	assert_int_equal(journal_verify(journal, NULL), 0);
	journal_close(journal);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		ONE(test_a_reader_reads_while_a_writer_writes),
		ONE(test_no_transaction_spans_a_wait),
		ONE(test_many_writers_migrate_and_write),
		ONE(test_damage_is_found),
		ONE(test_a_killed_writer_loses_nothing_committed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
