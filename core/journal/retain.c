/* SPDX-License-Identifier: MIT */
#include "journal/store.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <string.h>

/* Runs that still need a person, an undo or an answer are never removed. */
static const char candidates_sql[] =
	"SELECT run, id FROM (SELECT run, id, state, ended_ms,"
	" row_number() OVER (PARTITION BY graph ORDER BY run DESC) AS place FROM runs)"
	" WHERE state NOT IN " STORE_UNSETTLED " AND ended_ms > 0"
	" AND ended_ms < ?2 - ?1 AND place > ?3";

static const char *const removals[] = {
	"DELETE FROM plans WHERE run=?1",
	"DELETE FROM tasks WHERE run=?1",
	"DELETE FROM outputs WHERE run=?1",
	"DELETE FROM rows WHERE run=?1",
	"DELETE FROM warnings WHERE run=?1",
	"DELETE FROM confirmations WHERE run=?1",
	"DELETE FROM undo_records WHERE run=?1",
	"DELETE FROM owed WHERE run=?1",
	"DELETE FROM undoings WHERE run=?1",
	"DELETE FROM undo_files WHERE run=?1",
	"DELETE FROM resolved WHERE run=?1",
	"DELETE FROM runs WHERE run=?1",
};

struct candidate {
	int64_t run;
	char id[RUN_ID_SIZE];
};
struct candidates {
	VEC(struct candidate) list;
};

static int candidates_find(struct journal *journal, int64_t now_ms, int64_t keep_ms,
	uint32_t keep_runs, struct candidates *ret, struct error *err)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	int code, r = store_prepare(journal, candidates_sql, &statement, err);

	if (r < 0)
		return r;
	sqlite3_bind_int64(statement, 1, keep_ms);
	sqlite3_bind_int64(statement, 2, now_ms);
	sqlite3_bind_int64(statement, 3, keep_runs);
	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		struct candidate *one = vec_add(&ret->list);

		one->run = sqlite3_column_int64(statement, 0);
		snprintf(one->id, sizeof one->id, "%s", sqlite3_column_text(statement, 1));
	}
	return code == SQLITE_DONE ? 0 : store_error(journal, code, err, "read");
}

static int rows_remove(struct journal *journal, int64_t run, struct error *err)
{
	for (size_t i = 0; i < sizeof removals / sizeof removals[0]; i++) {
		CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
		int r = store_prepare(journal, removals[i], &statement, err);

		if (r < 0)
			return r;
		sqlite3_bind_int64(statement, 1, run);
		int code = sqlite3_step(statement);
		if (code != SQLITE_DONE)
			return store_error(journal, code, err, "write");
	}
	return 0;
}

/* Files first: a crash in between leaves a run without files, which the next
 * retention removes, and never files that nobody knows. */
static int run_remove(struct journal *journal, const struct candidate *one, struct error *err)
{
	char dir[JOURNAL_PATH_SIZE];

	journal_run_dir(dir, one->id);
	int r = file_remove_tree(journal->dir_fd, dir, err);
	if (r < 0)
		return r;
	r = store_begin(journal, err);
	if (r < 0)
		return r;
	return store_end(journal, rows_remove(journal, one->run, err), err);
}

int journal_retain(struct journal *journal, int64_t now_ms, int64_t keep_ms, uint32_t keep_runs,
	uint32_t *ret_removed, struct error *err)
{
	struct candidates found = {0};
	int r = candidates_find(journal, now_ms, keep_ms, keep_runs, &found, err);

	*ret_removed = 0;
	vec_each(&found.list, one) {
		if (r == 0)
			r = run_remove(journal, one, err);
		if (r == 0)
			++*ret_removed;
	}
	vec_free(&found.list);
	return r;
}
