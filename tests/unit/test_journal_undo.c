/* SPDX-License-Identifier: MIT */
/* The journal on the way back: states, tries to undo, runs that are gone on with or resolved. */
#include "journal_words.h"

#include "base/text.h"

#include <errno.h>
#include <string.h>

static int run_into_text(void *data, const struct journal_run *run)
{
	text_addf(data, "%s %s %d %d %d %s %s|", run->id, run_state_name(run->state),
		(int)run->ended_ms, run->exit_code, (int)run->warnings,
		run->cause ? run->cause : "-", run->next ? run->next : "-");
	return 0;
}

static int undoing_into_text(void *data, const struct journal_undoing *undoing)
{
	text_addf(data, "%u.%u %s %d-%d %d %s %s %s %d|", undoing->task, undoing->number,
		undo_state_name(undoing->state), (int)undoing->started_ms, (int)undoing->ended_ms,
		undoing->exit_code, undoing->message ? undoing->message : "-",
		undoing->next ? undoing->next : "-", undoing->log ? undoing->log : "-",
		(int)undoing->log_bytes);
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
	text_addf(data, "%u %s|", (unsigned)undo->id, undo->kind);
	return 0;
}

static void expect_run(struct journal *journal, const char *id, const char *expected)
{
	CLEANUP_TEXT struct text text = {0};

	assert_int_equal(journal_read_run(journal, id, run_into_text, &text, NULL), 0);
	assert_string_equal(text_string(&text), expected);
}

#define ENDED " failed clean 2000 10 3 failed task a: it broke upkeep log last a|"
#define TURNED " rolling back 0 -1 3 failed task a: it broke upkeep log last a|"

static void test_a_run_that_goes_on_has_not_ended(void **state)
{
	struct journal *journal = open_writer();

	(void)state;
	add_run(journal, ID1, "g", 1);
	flush(journal, JOURNAL_COMMIT);
	end_run(journal, RUN_FAILED_CLEAN, 2000);
	journal_set_state(journal, RUN_ROLLING_BACK);
	flush(journal, JOURNAL_COMMIT);
	expect_run(journal, ID1, ID1 TURNED);
	journal_set_state(journal, RUN_ROLLING_BACK);
	end_run(journal, RUN_FAILED_CLEAN, 2000);
	flush(journal, JOURNAL_COMMIT);
	expect_run(journal, ID1, ID1 ENDED);
	add_run(journal, ID2, "g", 1); /* all of it in one flush */
	journal_set_state(journal, RUN_INTERRUPTED);
	flush(journal, JOURNAL_COMMIT);
	expect_run(journal, ID2, ID2 " interrupted 0 -1 0 - -|");
	expect_run(journal, ID1, ID1 ENDED);
	journal_close(journal);
}

static void put_undoing(struct journal *journal, uint32_t task, uint32_t number,
	enum undo_state state, const char *message)
{
	char log[JOURNAL_PATH_SIZE];
	struct journal_undoing undoing = {.task = task,
		.number = number,
		.state = state,
		.started_ms = 1000,
		.ended_ms = state == UNDO_UNDOING ? 0 : 1500,
		.exit_code = state == UNDO_FAILED ? 256 + 9 : -1,
		.message = message,
		.next = message ? "upkeep rollback RUN" : NULL};

	journal_undo_log_path(log, "x", task, number);
	if (message)
		undoing.log = log, undoing.log_bytes = 7;
	journal_put_undoing(journal, &undoing);
}

static void test_tries_to_undo(void **state)
{
	CLEANUP_TEXT struct text text = {0};
	struct journal *journal = open_writer();

	(void)state;
	add_run(journal, ID2, "g", 1);
	put_undoing(journal, 7, 1, UNDO_HELD, NULL);
	add_run(journal, ID1, "g", 1);
	put_undoing(journal, 1, 1, UNDO_UNDOING, NULL);
	put_undoing(journal, 0, 2, UNDO_UNDOING, NULL);
	flush(journal, JOURNAL_SYNC);
	put_undoing(journal, 0, 2, UNDO_UNDONE, NULL);
	put_undoing(journal, 1, 1, UNDO_FAILED, "it broke");
	put_undoing(journal, 0, 1, UNDO_UNDOING, NULL);
	put_undoing(journal, 0, 1, UNDO_FAILED, "no");
	flush(journal, JOURNAL_SYNC);
	assert_int_equal(journal_undoings(journal, ID1, undoing_into_text, &text, NULL), 0);
	assert_string_equal(text_string(&text),
		"0.1 undo failed 1000-1500 265 no upkeep rollback RUN runs/x/0.undo.1.log 7|"
		"0.2 undone 1000-1500 -1 - - - 0|"
		"1.1 undo failed 1000-1500 265 it broke upkeep rollback RUN"
		" runs/x/1.undo.1.log 7|");
	journal_close(journal);
}

static uint64_t add_numbered(struct journal *journal, const char *name)
{
	struct journal_undo undo = {.kind = name, .payload = ""};

	journal_add_output(journal, 0, name, "x");
	journal_add_warning(journal, 0, name);
	journal_add_row(journal, 0, name, "{}");
	journal_add_confirmation(journal, 0, name, "yes", 0, 1);
	return journal_add_undo(journal, &undo);
}

static void expect_numbered(struct journal *journal, const char *id, const char *expected)
{
	CLEANUP_TEXT struct text text = {0};

	assert_int_equal(journal_outputs(journal, id, pair_into_text, &text, NULL), 0);
	assert_int_equal(journal_warnings(journal, id, warning_into_text, &text, NULL), 0);
	assert_int_equal(journal_rows(journal, id, pair_into_text, &text, NULL), 0);
	assert_int_equal(journal_undos(journal, id, undo_into_text, &text, NULL), 0);
	assert_string_equal(text_string(&text), expected);
}

static void test_an_earlier_run_is_gone_on_with(void **state)
{
	CLEANUP_ERROR struct error err = {0};
	struct journal *journal = open_writer();

	(void)state;
	add_run(journal, ID1, "g", 1);
	assert_int_equal(add_numbered(journal, "a"), 1);
	flush(journal, JOURNAL_COMMIT);
	journal_close(journal);
	journal = open_writer();
	add_run(journal, ID2, "g", 1);
	assert_int_equal(add_numbered(journal, "b"), 1); /* queued, and not to move to ID1 */
	assert_int_equal(journal_use_run(journal, ID1, NULL), 0);
	assert_int_equal(add_numbered(journal, "c"), 2);
	put_task(journal, 0, 2, TASK_RUNNING, 0);
	flush(journal, JOURNAL_COMMIT);
	expect_numbered(journal, ID1, "0 a=x|0 c=x|0 a|0 c|0 a={}|0 c={}|2 c|1 a|");
	expect_numbered(journal, ID2, "0 b=x|0 b|0 b={}|1 b|");
	assert_int_equal(sql_number("SELECT count(*) FROM confirmations WHERE run=1"), 2);
	assert_int_equal(sql_number("SELECT run FROM tasks"), 1);
	assert_int_equal(journal_use_run(journal, "2026", &err), -ENOENT);
	assert_string_equal(error_what(&err), "there is no run \"2026\"");
	assert_int_equal(journal_use_run(journal, ID2, NULL), 0); /* one without a row of a task */
	assert_int_equal(add_numbered(journal, "d"), 2);
	flush(journal, JOURNAL_COMMIT);
	journal_close(journal);
}

/* One run in each state, ended but where it has not; their ids end in it. */
static void add_all_states(struct journal *journal)
{
	for (int s = RUN_RUNNING; s <= RUN_AWAITING_CONFIRMATION; s++) {
		char id[RUN_ID_SIZE];

		snprintf(id, sizeof id, "20260101-000000-%06x", s);
		add_run(journal, id, "g", 1);
		if (s != RUN_RUNNING && s != RUN_ROLLING_BACK)
			end_run(journal, s, 500);
		else
			journal_set_state(journal, s);
		flush(journal, JOURNAL_COMMIT);
	}
}

static int id_into_text(void *data, const struct journal_run *run)
{
	text_addf(data, "%s|", strrchr(run->id, '-') + 6);
	return 0;
}

static void expect_unsettled(struct journal *journal, const char *expected)
{
	CLEANUP_TEXT struct text text = {0};

	assert_int_equal(journal_unsettled(journal, id_into_text, &text, NULL), 0);
	assert_string_equal(text_string(&text), expected);
}

static void expect_settled(struct journal *journal, enum run_state s, const char *word)
{
	CLEANUP_ERROR struct error err = {0};
	char id[RUN_ID_SIZE];

	snprintf(id, sizeof id, "20260101-000000-%06x", s);
	assert_int_equal(journal_resolve(journal, id, 7, 900, "why", &err), -EALREADY);
	assert_non_null(strstr(error_what(&err), "needs nothing: it is settled"));
	assert_non_null(strstr(error_what(&err), word));
	assert_string_equal(err.next, "upkeep history");
}

#define PARTIAL " 12 3 failed task a: it broke; put right by a person: by hand -|"

static void test_a_person_resolves(void **state)
{
	struct journal *journal = open_writer();
	CLEANUP_ERROR struct error err = {0};

	(void)state;
	add_all_states(journal);
	expect_unsettled(journal, "0|3|6|7|8|");
	assert_int_equal(journal_resolve(journal, ID1, 7, 900, "gone", &err), -ENOENT);
	assert_string_equal(err.next, "upkeep history");
	expect_settled(journal, RUN_SUCCEEDED, "(succeeded)");
	expect_settled(journal, RUN_FAILED_PARTIAL, "(failed partial)");
	uint64_t syncs = journal_counts(journal).syncs;
	assert_int_equal(
		journal_resolve(journal, "20260101-000000-000006", 7, 900, "by hand", NULL), 0);
	assert_int_equal(
		journal_resolve(journal, "20260101-000000-000003", 7, 900, "too", NULL), 0);
	assert_int_equal(journal_counts(journal).syncs, syncs + 2);
	expect_run(journal, "20260101-000000-000006",
		"20260101-000000-000006 failed partial 500" PARTIAL);
	expect_run(journal, "20260101-000000-000003",
		"20260101-000000-000003 failed partial 900 12 0 put right by a person: too -|");
	expect_unsettled(journal, "0|7|8|");
	expect_settled(journal, RUN_ROLLBACK_FAILED, "(failed partial)");
	assert_int_equal(sql_number("SELECT count(*) FROM resolved WHERE uid=7 AND at_ms=900"), 2);
	assert_int_equal(
		sql_number("SELECT count(*) FROM resolved WHERE run=7 AND why='by hand'"), 1);
	journal_close(journal);
}

static void test_what_cannot_be_written_is_not_resolved(void **state)
{
	struct journal *journal = open_writer();

	(void)state;
	add_all_states(journal);
	sql_run("CREATE TRIGGER t BEFORE UPDATE ON runs BEGIN SELECT raise(FAIL, 'no'); END");
	assert_true(journal_resolve(journal, "20260101-000000-000006", 7, 9, "w", NULL) < 0);
	expect_unsettled(journal, "0|3|6|7|8|");
	assert_int_equal(sql_number("SELECT count(*) FROM resolved"), 0);
	journal_close(journal);
}

/* What version 2 held of an undo is there after the step, and goes on to be written. */
static void test_a_journal_with_undo_records_migrates(void **state)
{
	CLEANUP_TEXT struct text text = {0};
	struct journal *journal = NULL;

	(void)state;
	make_version(2, APPLICATION, 2);
	sql_run("INSERT INTO undo_records VALUES(1,5,0,1,1,1,'file','about','p',NULL,NULL)");
	sql_run("INSERT INTO tasks VALUES(1,0,1,4,0,1,1,2,0,1,0,0,0,0,'a','core.exec',0,0,0)");
	sql_run("INSERT INTO owed VALUES(1,1,0,1,1,'p')");
	assert_int_equal(journal_open_readonly(dir, &journal, NULL), -ESTALE);
	journal = open_writer();
	assert_int_equal(sql_number("PRAGMA user_version"), 3);
	assert_int_equal(journal_use_run(journal, ID1, NULL), 0);
	put_undoing(journal, 0, 1, UNDO_UNDONE, NULL);
	assert_int_equal(add_numbered(journal, "new"), 6);
	flush(journal, JOURNAL_COMMIT);
	assert_int_equal(journal_undoings(journal, ID1, undoing_into_text, &text, NULL), 0);
	assert_int_equal(journal_undos(journal, ID1, undo_into_text, &text, NULL), 0);
	assert_string_equal(text_string(&text), "0.1 undone 1000-1500 -1 - - - 0|6 new|5 file|");
	assert_int_equal(sql_number("SELECT count(*) FROM tasks"), 1);
	assert_int_equal(journal_verify(journal, NULL), 0);
	journal_close(journal);
}

static void test_retention_takes_the_tries_along(void **state)
{
	struct journal *journal = open_writer();
	uint32_t removed;

	(void)state;
	add_run(journal, ID1, "g", 1);
	put_undoing(journal, 0, 1, UNDO_UNDONE, NULL);
	end_run(journal, RUN_ROLLED_BACK, 100);
	flush(journal, JOURNAL_COMMIT);
	add_run(journal, ID2, "g", 1);
	put_undoing(journal, 0, 1, UNDO_UNDONE, NULL);
	end_run(journal, RUN_ROLLBACK_FAILED, 100);
	flush(journal, JOURNAL_COMMIT);
	sql_run("INSERT INTO undo_files VALUES(1,9,0,NULL)");
	assert_int_equal(journal_retain(journal, 1000, 1, 0, &removed, NULL), 0);
	assert_int_equal(removed, 1);
	assert_int_equal(sql_number("SELECT run FROM undoings"), 2);
	assert_int_equal(sql_number("SELECT count(*) FROM undoings"), 1);
	assert_int_equal(sql_number("SELECT count(*) FROM undo_files"), 0);
	journal_close(journal);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		ONE(test_a_run_that_goes_on_has_not_ended),
		ONE(test_tries_to_undo),
		ONE(test_an_earlier_run_is_gone_on_with),
		ONE(test_a_person_resolves),
		ONE(test_what_cannot_be_written_is_not_resolved),
		ONE(test_a_journal_with_undo_records_migrates),
		ONE(test_retention_takes_the_tries_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
