/* SPDX-License-Identifier: MIT */
/* How much room undo files take, and which are given up. */
#include "journal_words.h"

#include "base/file.h"
#include "base/text.h"

#include <string.h>
#include <unistd.h>

#define ID(n) "20260101-00000" #n "-00000" #n
#define KIB 1024ull

static void undo_path(char path[192], const char *id, const char *name)
{
	char below[JOURNAL_PATH_SIZE];

	journal_run_dir(below, id);
	snprintf(path, 192, "%s/%s/undo%s", dir, below, name);
}

static void make_files(const char *id, size_t size)
{
	CLEANUP_FREE char *bytes = calloc(1, size + 1);
	char path[192];

	undo_path(path, id, "/0.1");
	assert_int_equal(file_make_dirs(path, 0700, NULL), 0);
	undo_path(path, id, "/0.1/copy");
	memset(bytes, 'x', size);
	assert_int_equal(file_store(path, bytes, size, 0600, true, NULL), 0);
}

static bool has_files(const char *id)
{
	char path[192];

	undo_path(path, id, "");
	return access(path, F_OK) == 0;
}

/* A run of the past; size 0: without undo files. */
static void add_past(
	struct journal *journal, const char *id, size_t size, enum run_state s, int64_t ended_ms)
{
	struct journal_run run = {
		.state = s, .ended_ms = ended_ms, .exit_code = 0, .cause = NULL, .next = NULL};

	add_run(journal, id, "g", 1);
	if (size)
		make_files(id, size);
	snprintf(run.id, sizeof run.id, "%s", id);
	journal_end_run(journal, &run);
	flush(journal, JOURNAL_COMMIT);
}

static uint32_t retain(struct journal *journal, int64_t keep_ms, uint64_t space_bytes)
{
	CLEANUP_ERROR struct error err = {0};
	uint32_t count = 99;

	if (journal_retain_undo(journal, 1000, keep_ms, space_bytes, &count, &err) < 0)
		fail_msg("%s", error_what(&err));
	return count;
}

static void expect_why(struct journal *journal, const char *id, const char *expected)
{
	char *why = NULL;

	assert_int_equal(journal_forgotten(journal, id, &why, NULL), expected ? 1 : 0);
	if (expected)
		assert_string_equal(why, expected);
	else
		assert_null(why);
	assert_int_equal(has_files(id), !expected);
	free(why);
}

#define SPACE_250 "its undo files are gone: undo_space (250 KiB) was needed by newer runs"

static void test_the_oldest_settled_make_room(void **state)
{
	struct journal *journal = open_writer();

	(void)state;
	add_past(journal, ID(1), 100 * KIB, RUN_ROLLBACK_FAILED, 100);
	add_past(journal, ID(2), 100 * KIB, RUN_SUCCEEDED, 100);
	add_past(journal, ID(3), 100 * KIB, RUN_FAILED_PARTIAL, 100);
	add_past(journal, ID(4), 100 * KIB, RUN_SUCCEEDED, 100);
	assert_int_equal(retain(journal, 5000, 500 * KIB), 0);
	assert_int_equal(retain(journal, 5000, 250 * KIB), 2);
	expect_why(journal, ID(1), NULL);
	expect_why(journal, ID(2), SPACE_250);
	expect_why(journal, ID(3), SPACE_250);
	expect_why(journal, ID(4), NULL);
	assert_int_equal(retain(journal, 5000, 250 * KIB), 0);
	assert_int_equal(sql_number("SELECT count(*) FROM runs"), 4);
	journal_close(journal);
}

static void test_what_is_not_settled_takes_room_too(void **state)
{
	struct journal *journal = open_writer();

	(void)state;
	add_past(journal, ID(1), 40 * KIB, RUN_SUCCEEDED, 100);
	add_run(journal, ID(2), "g", 1); /* never said how it ended */
	make_files(ID(2), 300 * KIB);
	flush(journal, JOURNAL_COMMIT);
	assert_int_equal(retain(journal, 5000, 250 * KIB), 1);
	expect_why(journal, ID(1), SPACE_250);
	expect_why(journal, ID(2), NULL);
	journal_close(journal);
}

static void test_after_undo_keep_they_are_gone(void **state)
{
	struct journal *journal = open_writer();

	(void)state;
	add_past(journal, ID(1), 10, RUN_SUCCEEDED, 100);
	add_past(journal, ID(2), 10, RUN_ROLLBACK_FAILED, 100);
	add_past(journal, ID(3), 10, RUN_SUCCEEDED, 900);
	add_past(journal, ID(4), 0, RUN_SUCCEEDED, 100);
	assert_int_equal(sql_number("SELECT count(*) FROM undo_files"), 3);
	assert_int_equal(retain(journal, 500, 1 << 30), 1);
	expect_why(journal, ID(1),
		"its undo files are gone: it ended more than undo_keep (500 ms) ago");
	expect_why(journal, ID(2), NULL);
	expect_why(journal, ID(3), NULL);
	journal_close(journal);
}

static void expect_words(struct journal *journal, const char *id, int64_t keep_ms,
	uint64_t space_bytes, const char *words)
{
	CLEANUP_FREE char *why = NULL;
	uint32_t count;

	add_past(journal, id, 10, RUN_SUCCEEDED, 100);
	assert_int_equal(
		journal_retain_undo(journal, 101 + 604800000, keep_ms, space_bytes, &count, NULL),
		0);
	assert_int_equal(count, 1);
	assert_int_equal(journal_forgotten(journal, id, &why, NULL), 1);
	assert_non_null(strstr(why, words));
}

/* Room and time are told as a site file has them. */
static void test_the_words(void **state)
{
	struct journal *journal = open_writer();

	(void)state;
	expect_words(journal, ID(1), 1ll << 40, 0, "undo_space (0 bytes) was needed by newer runs");
	expect_words(journal, ID(2), 1ll << 40, 3 * KIB, "undo_space (3 KiB) was");
	expect_words(journal, ID(3), 1ll << 40, 1025, "undo_space (1025 bytes) was");
	expect_words(journal, ID(4), 604800000, 1 << 30, "undo_keep (7 d) ago");
	expect_words(journal, ID(5), 5400000, 1 << 30, "undo_keep (90 min) ago");
	journal_close(journal);
}

static void test_a_rollback_that_began_keeps_them(void **state)
{
	struct journal *journal = open_writer(), *other = open_writer();

	(void)state;
	add_past(journal, ID(1), 10, RUN_SUCCEEDED, 100);
	assert_int_equal(journal_use_run(other, ID(1), NULL), 0);
	journal_set_state(other, RUN_ROLLING_BACK);
	flush(other, JOURNAL_COMMIT);
	assert_int_equal(retain(journal, 1, 0), 0);
	expect_why(journal, ID(1), NULL);
	journal_close(other);
	journal_close(journal);
}

/* Between the look and the mark. */
static void test_a_rollback_that_begins_meanwhile_keeps_them(void **state)
{
	struct journal *journal = open_writer();

	(void)state;
	add_past(journal, ID(1), 10, RUN_SUCCEEDED, 100);
	add_past(journal, ID(2), 10, RUN_SUCCEEDED, 100);
	sql_run("CREATE TRIGGER t AFTER UPDATE OF gone_ms ON undo_files WHEN new.run=1"
		" BEGIN UPDATE runs SET state=3 WHERE run=2; END");
	assert_int_equal(retain(journal, 5000, 0), 1);
	assert_false(has_files(ID(1)));
	expect_why(journal, ID(2), NULL);
	journal_close(journal);
}

/* Killed between the mark and the removal: marked is gone, the next one removes the rest. */
static void test_what_a_crash_left_is_removed(void **state)
{
	struct journal *journal = open_writer();

	(void)state;
	add_past(journal, ID(1), 200 * KIB, RUN_SUCCEEDED, 100);
	add_past(journal, ID(2), 100 * KIB, RUN_SUCCEEDED, 100);
	sql_run("UPDATE undo_files SET gone_ms=9, why='for a reason' WHERE run=1");
	assert_int_equal(retain(journal, 5000, 250 * KIB), 0);
	expect_why(journal, ID(1), "for a reason");
	expect_why(journal, ID(2), NULL);
	assert_int_equal(sql_number("SELECT bytes FROM undo_files WHERE run=1"), 0);
	journal_close(journal);
}

static void test_the_mark_is_synced_before_the_files_go(void **state)
{
	struct journal *journal = open_writer();

	(void)state;
	add_past(journal, ID(1), 10, RUN_SUCCEEDED, 100);
	uint64_t syncs = journal_counts(journal).syncs;
	assert_int_equal(retain(journal, 5000, 1 << 30), 0);
	assert_int_equal(journal_counts(journal).syncs, syncs);
	assert_int_equal(retain(journal, 5000, 0), 1);
	assert_int_equal(journal_counts(journal).syncs, syncs + 1);
	/* What cannot be marked keeps its files. */
	add_past(journal, ID(2), 10, RUN_SUCCEEDED, 100);
	sql_run("CREATE TRIGGER t BEFORE UPDATE ON undo_files BEGIN SELECT raise(FAIL, 'no'); END");
	assert_true(journal_retain_undo(journal, 1000, 5000, 0, &(uint32_t){0}, NULL) < 0);
	expect_why(journal, ID(2), NULL);
	journal_close(journal);
}

static void test_files_of_an_older_journal(void **state)
{
	(void)state;
	make_version(2, APPLICATION, 2);
	sql_run("UPDATE runs SET ended_ms=100");
	sql_run("INSERT INTO undo_records VALUES(1,1,0,1,1,1,'k','a','p',NULL,NULL)");
	sql_run("INSERT INTO undo_records VALUES(1,2,0,1,1,1,'k','a','p',NULL,NULL)");
	make_files(ID1, 10);
	struct journal *journal = open_writer();
	assert_int_equal(retain(journal, 5000, 1 << 20), 0);
	assert_int_equal(retain(journal, 500, 1 << 20), 1);
	assert_false(has_files(ID1));
	journal_close(journal);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		ONE(test_the_oldest_settled_make_room),
		ONE(test_what_is_not_settled_takes_room_too),
		ONE(test_after_undo_keep_they_are_gone),
		ONE(test_the_words),
		ONE(test_a_rollback_that_began_keeps_them),
		ONE(test_a_rollback_that_begins_meanwhile_keeps_them),
		ONE(test_what_a_crash_left_is_removed),
		ONE(test_the_mark_is_synced_before_the_files_go),
		ONE(test_files_of_an_older_journal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
