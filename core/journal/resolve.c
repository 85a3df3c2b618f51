/* SPDX-License-Identifier: MIT */
#include "journal/store.h"

#include "base/cleanup.h"

#include <string.h>

struct resolved {
	const char *id;
	int64_t run;
	enum run_state state;
	bool unsettled;
};

static int state_row(void *data, sqlite3_stmt *row)
{
	struct resolved *found = data;

	found->run = sqlite3_column_int64(row, 0);
	found->state = (enum run_state)sqlite3_column_int(row, 1);
	found->unsettled = sqlite3_column_int(row, 2);
	return 1;
}

static int unsettled_find(struct journal *journal, struct resolved *found, struct error *err)
{
	int r = store_each(journal,
		"SELECT run, state, state IN " STORE_UNSETTLED " FROM runs WHERE id=?1", found->id,
		state_row, found, err);

	if (r < 0)
		return r;
	if (r == 0)
		return store_unknown(found->id, err);
	if (!found->unsettled)
		return error_set(err, -EALREADY, "upkeep history",
			"run %s needs nothing: it is settled (%s)", found->id,
			run_state_name(found->state));
	return 0;
}

static int person_write(struct journal *journal, int64_t run, uid_t uid, int64_t at_ms,
	const char *why, struct error *err)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	int r = store_prepare(journal,
		"INSERT OR REPLACE INTO resolved(run, uid, at_ms, why) VALUES(?1,?2,?3,?4)",
		&statement, err);

	if (r < 0)
		return r;
	sqlite3_bind_int64(statement, 1, run);
	sqlite3_bind_int64(statement, 2, uid);
	sqlite3_bind_int64(statement, 3, at_ms);
	sqlite3_bind_text(statement, 4, why, -1, SQLITE_STATIC);
	int code = sqlite3_step(statement);
	return code == SQLITE_DONE ? 0 : store_error(journal, code, err, "write");
}

/* The command that the run asked for was typed, or is not wanted any more. */
static int state_write(
	struct journal *journal, int64_t run, int64_t at_ms, const char *why, struct error *err)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	int r = store_prepare(journal,
		"UPDATE runs SET state=?2, exit_code=?3, next=NULL,"
		" cause=CASE WHEN ended_ms=0 OR cause IS NULL THEN '' ELSE cause||'; ' END"
		"||'put right by a person: '||?5,"
		" ended_ms=CASE ended_ms WHEN 0 THEN ?4 ELSE ended_ms END WHERE run=?1",
		&statement, err);

	if (r < 0)
		return r;
	sqlite3_bind_int64(statement, 1, run);
	sqlite3_bind_int64(statement, 2, RUN_FAILED_PARTIAL);
	sqlite3_bind_int64(statement, 3, EXIT_FAILED_PARTIAL);
	sqlite3_bind_int64(statement, 4, at_ms);
	sqlite3_bind_text(statement, 5, why, -1, SQLITE_STATIC);
	int code = sqlite3_step(statement);
	return code == SQLITE_DONE ? 0 : store_error(journal, code, err, "write");
}

int journal_resolve(struct journal *journal, const char *id, uid_t uid, int64_t at_ms,
	const char *why, struct error *err)
{
	struct resolved found = {.id = id};
	int r = store_begin(journal, err);

	if (r < 0)
		return r;
	r = unsettled_find(journal, &found, err);
	if (r == 0)
		r = person_write(journal, found.run, uid, at_ms, why, err);
	if (r == 0)
		r = state_write(journal, found.run, at_ms, why, err);
	r = store_end(journal, r, err);
	if (r < 0)
		return r;
	journal->unsynced = true;
	return journal_flush(journal, JOURNAL_SYNC, err);
}
