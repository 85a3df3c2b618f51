/* SPDX-License-Identifier: MIT */
/* Parts of a run without processes: blanking, logs, locks. */
#include "../unit.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "run/blank.h"
#include "run/locks.h"
#include "run/log.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* ---- blanking ---- */

static char one[] = "hunter22", longer[] = "hunter22hunter22", other[] = "ter22ABC";

/* Fed in pieces of `step` bytes: what comes out must not depend on where it is cut. */
static void expect_blanked(const char *in, const char *expected)
{
	for (size_t step = 1; step <= strlen(in); step++) {
		struct blank blank = {0};
		CLEANUP_TEXT struct text out = {0};
		blank_add(&blank, one, strlen(one));
		blank_add(&blank, longer, strlen(longer));
		blank_add(&blank, other, strlen(other));
		for (size_t at = 0; at < strlen(in); at += step) {
			size_t left = strlen(in) - at;
			blank_feed(&blank, in + at, left < step ? left : step, false, &out);
		}
		blank_feed(&blank, "", 0, true, &out);
		assert_string_equal(text_string(&out), expected);
		blank_free(&blank);
	}
}

static void test_blanks_at_any_cut(void **state)
{
	(void)state;
	expect_blanked("a hunter22 b", "a *** b");
	expect_blanked("hunter2", "hunter2");
	expect_blanked("hunter2hunter22", "hunter2***");
	expect_blanked("hunter22hunter22.", "***.");     /* the longest */
	expect_blanked("hunter22hunter2x", "***hunter2x"); /* no longer one after all */
	expect_blanked("hunterABC hunter22ABC", "hunterABC ***ABC");
	expect_blanked("ter22ABChunter22", "******");
}

static void test_blank_finds(void **state)
{
	struct blank blank = {0};

	(void)state;
	blank_add(&blank, one, strlen(one));
	assert_true(blank_finds(&blank, "xhunter22", 9));
	assert_false(blank_finds(&blank, "xhunter22", 8));
	assert_null(blank_text(&blank, NULL));
	CLEANUP_FREE char *text = blank_text(&blank, "hunter22hunter");
	assert_string_equal(text, "***hunter");
	blank_free(&blank);
}

/* ---- logs ---- */

static char dir[32];

static int make_dir(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/upkeep-test-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return file_remove_tree(AT_FDCWD, dir, NULL);
}

/* Writes 26 letters so many at a time. */
static void expect_log(uint64_t max_bytes, size_t step, const char *expected, uint64_t dropped)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
	CLEANUP_FD int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP_TEXT struct text path = {0};
	CLEANUP_FREE char *bytes = NULL;
	struct log log;

	log_open(&log, fd, 1, 2, max_bytes);
	for (size_t at = 0; at < 26; at += step)
		log_write(&log, letters + at, 26 - at < step ? 26 - at : step);
	log_finish(&log);
	text_addf(&path, "%s/1.2.log", dir);
	assert_int_equal(file_load(text_string(&path), 1000, &bytes, NULL, NULL), 0);
	assert_string_equal(bytes, expected);
	assert_int_equal(log_dropped(&log), dropped);
	assert_int_equal(log_bytes(&log), 26);
	text_adds(&path, ".tail");
	assert_int_equal(access(text_string(&path), F_OK), -1);
}

static void test_log_keeps_head_and_tail(void **state)
{
	(void)state;
	for (size_t step = 1; step <= 26; step++) {
		expect_log(0, step, "abcdefghijklmnopqrstuvwxyz", 0);
		expect_log(26, step, "abcdefghijklmnopqrstuvwxyz", 0);
		expect_log(25, step, "abcdefghijklm\n[1 bytes dropped]\nopqrstuvwxyz", 1);
		expect_log(7, step, "abcd\n[19 bytes dropped]\nxyz", 19);
		expect_log(2, step, "a\n[24 bytes dropped]\nz", 24);
	}
}

/* ---- locks ---- */

static const struct lock_holder holder = {.run_id = "20260101-000000-abcdef", .graph = "g",
	.task = "t", .keeper = 42, .since_ms = 1000000};

static int count_lock(void *data, const char *kind, const char *name,
	const struct lock_holder *found)
{
	if (strcmp(name, "db") == 0) {
		assert_string_equal(kind, "lock");
		assert_string_equal(found->run_id, holder.run_id);
		assert_string_equal(found->graph, "g");
		assert_string_equal(found->task, "t");
		assert_int_equal(found->keeper, 42);
		assert_int_equal(found->since_ms, 1000000);
	}
	*(unsigned *)data += strcmp(name, "db") == 0 || strcmp(name, "io.1") == 0;
	return 0;
}

static void test_locks(void **state)
{
	CLEANUP_ERROR struct error err = {0};
	unsigned count = 0;

	(void)state;
	int fd = lock_take(dir, LOCK_NAMED, "db", &holder, &err);
	assert_true(fd >= 0);
	assert_int_equal(lock_take(dir, LOCK_NAMED, "db", &holder, &err), -EWOULDBLOCK);
	assert_true(text_starts(error_what(&err),
		"the lock \"db\" is held by run 20260101-000000-abcdef (graph g, task t) since "));
	int place = lock_take_place(dir, "io", 2, &holder, &err);
	int second = lock_take_place(dir, "io", 2, &holder, &err);
	assert_true(place >= 0 && second >= 0);
	assert_int_equal(lock_take_place(dir, "io", 2, &holder, &err), -EWOULDBLOCK);
	assert_int_equal(locks_list(dir, count_lock, &count, &err), 0);
	assert_int_equal(count, 2);
	int shared = dup(fd); /* as the keeper has it: released for all */
	lock_release(fd);
	fd = lock_take(dir, LOCK_NAMED, "db", &holder, &err);
	assert_true(fd >= 0);
	close(shared);
	lock_release(fd);
	lock_release(place);
	lock_release(second);
	count = 0;
	assert_int_equal(locks_list(dir, count_lock, &count, &err), 0);
	assert_int_equal(count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blanks_at_any_cut),
		cmocka_unit_test(test_blank_finds),
		cmocka_unit_test_setup_teardown(test_log_keeps_head_and_tail, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_locks, make_dir, remove_dir),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
