/* SPDX-License-Identifier: MIT */
/* Rotation under writers: no line lost, none twice, all in order. */
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROTATIONS 6
#define LINES_PER_MS 10

/* A process that writes numbered lines, ten a millisecond, until SIGTERM; SIGHUP: reopens. */
static volatile sig_atomic_t asked_to_reopen, asked_to_stop;

static void on_signal(int number)
{
	if (number == SIGHUP)
		asked_to_reopen = 1;
	else
		asked_to_stop = 1;
}

static void writer_main(const char *path, int flags, int ready)
{
	int fd = open(path, O_WRONLY | O_CREAT | flags, 0644);
	struct timespec pause = {.tv_nsec = 1000000};
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	char line[64];
	if (write(ready, "x", 1) != 1)
		_exit(1);
	for (long n = 0; !asked_to_stop;) {
		for (int i = 0; i < LINES_PER_MS; i++) {
			int size = snprintf(line, sizeof line, "%ld a line of the log\n", n++);
			if (write(fd, line, (size_t)size) != size)
				_exit(2);
		}
		if (asked_to_reopen) {
			asked_to_reopen = 0;
			close(fd);
			fd = open(path, O_WRONLY | O_CREAT | flags, 0644);
		}
		nanosleep(&pause, NULL);
	}
	_exit(0);
}

static pid_t writer_start(const char *name, int flags)
{
	int ready[2];
	char c;
	struct sigaction act = {.sa_handler = on_signal};
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		sigaction(SIGHUP, &act, NULL);
		sigaction(SIGTERM, &act, NULL);
		writer_main(tree_path(name), flags, ready[1]);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void writer_stop(pid_t pid)
{
	int status;
	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void let_write(int ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
	nanosleep(&t, NULL);
}

/* The rotated files, oldest first, and the log: one stream of lines 0, 1, 2, ... */
static long lines_check(int rotations)
{
	char *all = calloc(1, 1), *save = NULL;
	size_t total = 0, size;
	for (int i = rotations; i >= 0; i--) {
		char name[32] = "log";
		if (i)
			snprintf(name, sizeof name, "log.%d", i);
		if (!tree_has(name))
			continue;
		char *bytes = tree_read(name, &size);
		char *grown = realloc(all, total + size + 1);
		assert_non_null(grown);
		all = grown;
		memcpy(all + total, bytes, size);
		total += size;
		all[total] = 0;
		free(bytes);
	}
	assert_int_equal(strlen(all), total);
	long want = 0;
	for (char *line = strtok_r(all, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char whole[64];
		snprintf(whole, sizeof whole, "%ld a line of the log", want++);
		assert_string_equal(line, whole);
	}
	free(all);
	return want;
}

static struct upkeep_test *rotate_new(void)
{
	struct upkeep_test *t = upkeep_test_new(&upkeep_plugin);
	assert_non_null(t);
	upkeep_test_add(t, "paths", tree_path("log"));
	upkeep_test_set(t, "compress", "no");
	upkeep_test_set(t, "keep", "20");
	return t;
}

static void rotate_ok(struct upkeep_test *t)
{
	int32_t r = upkeep_test_run(t, "rotate");
	if (r < 0)
		print_message("%s: %s\n", upkeep_test_what(t), upkeep_test_why(t));
	assert_int_equal(r, UPKEEP_CHANGED);
}

/* Newest first, each record two times, as after a crash at the end of its undo. */
static void undo_twice(struct upkeep_test *t)
{
	for (size_t i = upkeep_test_records(t); i > 0; i--)
		for (int again = 0; again < 2; again++) {
			int32_t r = upkeep_test_undo_record(t, "rotate", i - 1);
			if (r < 0)
				print_message("%s: %s\n", upkeep_test_what(t), upkeep_test_why(t));
			assert_true(r >= 0);
		}
}

static void six_rotations(struct upkeep_test *t, pid_t writer, const char *method)
{
	for (int i = 0; i < ROTATIONS; i++) {
		let_write(250);
		rotate_ok(t);
		assert_string_equal(upkeep_test_cell(t, "rotated", (size_t)i, "method"), method);
	}
	let_write(100);
	writer_stop(writer);
	assert_true(tree_has("log.6"));
	assert_false(tree_has("log.7"));
	print_message("%s: %ld lines, all there, in order\n", method, lines_check(ROTATIONS));
}

static void test_collapse(void **state)
{
	(void)state;
	pid_t writer = writer_start("log", O_APPEND);
	struct upkeep_test *t = rotate_new();
	six_rotations(t, writer, "collapse");
	upkeep_test_free(t);
}

static void test_rename(void **state)
{
	char pid[16];
	(void)state;
	pid_t writer = writer_start("log", O_APPEND);
	struct upkeep_test *t = rotate_new();
	snprintf(pid, sizeof pid, "%d\n", writer);
	tree_write("pid", pid);
	upkeep_test_set(t, "pid_file", tree_path("pid"));
	six_rotations(t, writer, "rename");
	upkeep_test_free(t);
}

/* Undo while the writer writes on: the log has every line again, in order. */
static void test_collapse_undo(void **state)
{
	(void)state;
	pid_t writer = writer_start("log", O_APPEND);
	struct upkeep_test *t = rotate_new();
	let_write(200);
	rotate_ok(t);
	let_write(100);
	rotate_ok(t);
	let_write(100);
	undo_twice(t);
	let_write(50);
	writer_stop(writer);
	assert_false(tree_has("log.1"));
	assert_true(lines_check(0) > 300);
	upkeep_test_free(t);
}

static int number_order(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;
	return x < y ? -1 : x > y;
}

/* The undo of a rename keeps every line too; a few may stand before earlier ones. */
static void test_rename_undo(void **state)
{
	char pid[16], *save = NULL;
	size_t size, count = 0;
	(void)state;
	pid_t writer = writer_start("log", O_APPEND);
	struct upkeep_test *t = rotate_new();
	snprintf(pid, sizeof pid, "%d\n", writer);
	tree_write("pid", pid);
	upkeep_test_set(t, "pid_file", tree_path("pid"));
	let_write(100);
	rotate_ok(t);
	let_write(100);
	undo_twice(t);
	let_write(50);
	writer_stop(writer);
	assert_false(tree_has("log.1"));
	assert_false(tree_has(".upkeep-aside-log"));
	char *bytes = tree_read("log", &size);
	long *numbers = malloc((size + 1) * sizeof *numbers);
	for (char *line = strtok_r(bytes, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		numbers[count++] = atol(line);
	qsort(numbers, count, sizeof *numbers, number_order);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(numbers[i], i);
	free(numbers);
	free(bytes);
	upkeep_test_free(t);
}

/* A writer that neither appends nor can be told: auto does not guess. */
static void test_no_way(void **state)
{
	(void)state;
	pid_t writer = writer_start("log", 0);
	struct upkeep_test *t = rotate_new();
	let_write(50);
	assert_int_equal(upkeep_test_plan(t, "rotate"), UPKEEP_FAILED);
	assert_int_equal(upkeep_test_run(t, "rotate"), UPKEEP_FAILED);
	assert_non_null(strstr(upkeep_test_what(t), "without losing lines"));
	assert_non_null(strstr(upkeep_test_next(t), "method = \"copy\""));
	assert_int_equal(upkeep_test_records(t), 0);
	upkeep_test_set(t, "method", "copy");
	rotate_ok(t);
	writer_stop(writer);
	assert_true(tree_has("log.1"));
	upkeep_test_free(t);
}

/* A pid file that its owner alone could write names a process of somebody else. */
static void test_pid_file_of_other(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	pid_t writer = writer_start("log", O_APPEND);
	struct upkeep_test *t = rotate_new();
	char pid[16];
	snprintf(pid, sizeof pid, "%d\n", writer);
	tree_write("pid", pid);
	assert_int_equal(chown(tree_path("pid"), 12345, 12345), 0);
	upkeep_test_set(t, "pid_file", tree_path("pid"));
	let_write(50);
	assert_int_equal(upkeep_test_run(t, "rotate"), UPKEEP_FAILED);
	assert_non_null(strstr(upkeep_test_what(t), "will not signal"));
	writer_stop(writer);
	assert_true(upkeep_test_undo(t, "rotate") >= 0);
	assert_true(lines_check(0) > 0);
	upkeep_test_free(t);
}

static void describe_equal(const char *before)
{
	char *now = tree_describe();
	assert_string_equal(now, before);
	free(now);
}

/* Nobody writes: the chain, its compressed members, keep, and all of it back. */
static void test_chain(void **state)
{
	(void)state;
	struct upkeep_test *t = rotate_new();
	upkeep_test_set(t, "compress", "later");
	upkeep_test_set(t, "keep", "2");
	tree_write_size("log", 50000);
	tree_write("log.1", "one");
	tree_write("log.2.zst", "two");
	tree_age("log", 1);
	tree_age("log.1", 2);
	char *before = tree_describe();
	assert_int_equal(upkeep_test_plan(t, "rotate"), UPKEEP_CHANGED);
	rotate_ok(t);
	assert_true(tree_has("log.1") && tree_has("log.2.zst"));
	assert_false(tree_has("log.2") || tree_has("log.3.zst"));
	undo_twice(t);
	describe_equal(before);
	upkeep_test_set(t, "size", "1MiB");
	assert_int_equal(upkeep_test_run(t, "rotate"), UPKEEP_UNCHANGED);
	upkeep_test_set(t, "age", "1h");
	assert_int_equal(upkeep_test_run(t, "rotate"), UPKEEP_UNCHANGED);
	free(before);
	upkeep_test_free(t);
}

static void test_copy_undo(void **state)
{
	size_t size;
	(void)state;
	struct upkeep_test *t = rotate_new();
	upkeep_test_set(t, "method", "copy");
	tree_write("log", "first\n");
	rotate_ok(t);
	tree_write("log", "second\n");
	assert_int_equal(upkeep_test_undo(t, "rotate"), UPKEEP_CHANGED);
	char *bytes = tree_read("log", &size);
	assert_string_equal(bytes, "first\nsecond\n");
	assert_false(tree_has("log.1"));
	assert_true(upkeep_test_undo_record(t, "rotate", 0) >= 0);
	free(bytes);
	upkeep_test_free(t);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tree_make, tree_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_collapse),
		TEST(test_rename),
		TEST(test_collapse_undo),
		TEST(test_rename_undo),
		TEST(test_no_way),
		TEST(test_pid_file_of_other),
		TEST(test_chain),
		TEST(test_copy_undo),
	};
	return !!cmocka_run_group_tests(tests, NULL, NULL);
}
