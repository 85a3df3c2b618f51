/* SPDX-License-Identifier: MIT */
#include "journal/store.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#include <fts.h>
#include <string.h>

struct unit {
	uint64_t size;
	const char *name;
};

/* A number as a site file has it: in the largest unit that leaves no rest. */
static void quantity_add(struct text *text, uint64_t n, const struct unit *units)
{
	while (units->size > 1 && (n < units->size || n % units->size))
		units++;
	text_addf(text, "%llu %s", (unsigned long long)(n / units->size), units->name);
}

static void why_space(struct text *text, uint64_t space_bytes)
{
	static const struct unit units[] = {
		{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}, {1, "bytes"}};

	text_adds(text, "its undo files are gone: undo_space (");
	quantity_add(text, space_bytes, units);
	text_adds(text, ") was needed by newer runs");
}

static void why_keep(struct text *text, int64_t keep_ms)
{
	static const struct unit units[] = {
		{86400000, "d"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}, {1, "ms"}};

	text_adds(text, "its undo files are gone: it ended more than undo_keep (");
	quantity_add(text, (uint64_t)keep_ms, units);
	text_adds(text, ") ago");
}

static void files_dir(char path[], const char *id)
{
	char run[JOURNAL_PATH_SIZE / 2];

	journal_run_dir(run, id);
	snprintf(path, JOURNAL_PATH_SIZE, "%s/undo", run);
}

/* The room that they take on the disk. */
static uint64_t files_measure(struct journal *journal, const char *id)
{
	char below[JOURNAL_PATH_SIZE], path[JOURNAL_PATH_SIZE + 32];
	char *const roots[] = {path, NULL};
	uint64_t bytes = 0;
	FTSENT *entry;

	files_dir(below, id);
	if (journal->dir_fd < 0 || faccessat(journal->dir_fd, below, F_OK, 0) < 0)
		return 0;
	snprintf(path, sizeof path, "/proc/self/fd/%d/%s", journal->dir_fd, below);
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	while (tree && (entry = fts_read(tree)))
		if (entry->fts_info != FTS_DP && entry->fts_info != FTS_NS)
			bytes += (uint64_t)entry->fts_statp->st_blocks * 512;
	if (tree)
		fts_close(tree);
	return bytes;
}

void undo_files_note(struct journal *journal, const char *id)
{
	const int64_t numbers[] = {(int64_t)files_measure(journal, id)};
	struct queue_row row = {.kind = STORE_UNDO_FILES, .numbers = numbers, .number_count = 1};

	if (numbers[0])
		queue_add(&journal->queue, &row);
}

/* A run with undo files. */
struct holder {
	int64_t run, ended_ms;
	char id[RUN_ID_SIZE];
	uint64_t bytes;
	bool settled, gone; /* gone: given up, though a crash may have left some */
	const char *why;    /* to be given up now */
};
struct holders {
	struct journal *journal;
	VEC(struct holder) list;
	uint64_t bytes; /* of all */
};

static int holder_row(void *data, sqlite3_stmt *row)
{
	struct holders *holders = data;
	struct holder *holder = vec_add(&holders->list);

	holder->run = sqlite3_column_int64(row, 0);
	snprintf(holder->id, sizeof holder->id, "%s", sqlite3_column_text(row, 1));
	holder->settled = sqlite3_column_int(row, 2);
	holder->ended_ms = sqlite3_column_int64(row, 3);
	holder->bytes = (uint64_t)sqlite3_column_int64(row, 4);
	holder->gone = sqlite3_column_int64(row, 5);
	if (!holder->settled)
		holder->bytes = files_measure(holders->journal, holder->id);
	if (!holder->gone)
		holders->bytes += holder->bytes;
	return 0;
}

/* Oldest first.  How much runs have that are not settled is not written yet. */
static int holders_find(struct holders *holders, struct error *err)
{
	return store_each(holders->journal,
		"SELECT run, id, state NOT IN " STORE_UNSETTLED ", ended_ms, coalesce(bytes, 0),"
		" coalesce(gone_ms, 0) FROM runs LEFT JOIN undo_files USING(run)"
		" WHERE bytes > 0 OR state IN " STORE_UNSETTLED " ORDER BY run",
		NULL, holder_row, holders, err);
}

/* Whether the run is settled still is asked again: a rollback of it may just have begun. */
static int holder_mark(
	struct journal *journal, const struct holder *holder, int64_t now_ms, struct error *err)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	int r = store_prepare(journal,
		"UPDATE undo_files SET gone_ms=?2, why=?3 WHERE gone_ms=0 AND run="
		"(SELECT run FROM runs WHERE run=?1 AND state NOT IN " STORE_UNSETTLED ")",
		&statement, err);

	if (r < 0)
		return r;
	sqlite3_bind_int64(statement, 1, holder->run);
	sqlite3_bind_int64(statement, 2, now_ms);
	sqlite3_bind_text(statement, 3, holder->why, -1, SQLITE_STATIC);
	int code = sqlite3_step(statement);
	if (code != SQLITE_DONE)
		return store_error(journal, code, err, "write");
	return sqlite3_changes(journal->db);
}

/* On the disk before a file is removed: a run that lacks some must never be undone. */
static int holders_mark(
	struct holders *holders, int64_t now_ms, uint32_t *ret_count, struct error *err)
{
	struct journal *journal = holders->journal;
	int r = store_begin(journal, err);

	if (r < 0)
		return r;
	vec_each(&holders->list, holder)
		if (holder->why && r >= 0) {
			r = holder_mark(journal, holder, now_ms, err);
			holder->gone = r > 0;
			*ret_count += r > 0;
		}
	r = store_end(journal, r < 0 ? r : 0, err);
	if (r < 0)
		return r;
	journal->unsynced = true;
	return journal_flush(journal, JOURNAL_SYNC, err);
}

static int holder_empty(struct journal *journal, const struct holder *holder, struct error *err)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	char dir[JOURNAL_PATH_SIZE];

	files_dir(dir, holder->id);
	int r = file_remove_tree(journal->dir_fd, dir, err);
	if (r == 0)
		r = store_prepare(
			journal, "UPDATE undo_files SET bytes=0 WHERE run=?1", &statement, err);
	if (r < 0)
		return r;
	sqlite3_bind_int64(statement, 1, holder->run);
	int code = sqlite3_step(statement);
	return code == SQLITE_DONE ? 0 : store_error(journal, code, err, "write");
}

/* Returns how many are to be given up. */
static unsigned holders_choose(struct holders *holders, int64_t until_ms, uint64_t space_bytes,
	const char *keep, const char *space)
{
	unsigned count = 0;

	vec_each(&holders->list, holder) {
		bool old = holder->ended_ms < until_ms;

		if (holder->gone || !holder->settled || (!old && holders->bytes <= space_bytes))
			continue;
		holder->why = old ? keep : space;
		holders->bytes -= holder->bytes;
		count++;
	}
	return count;
}

int journal_retain_undo(struct journal *journal, int64_t now_ms, int64_t keep_ms,
	uint64_t space_bytes, uint32_t *ret_forgotten, struct error *err)
{
	CLEANUP_TEXT struct text keep = {0}, space = {0};
	struct holders holders = {.journal = journal};
	int r = holders_find(&holders, err);

	*ret_forgotten = 0;
	why_keep(&keep, keep_ms);
	why_space(&space, space_bytes);
	if (r == 0 &&
		holders_choose(&holders, now_ms - keep_ms, space_bytes, text_string(&keep),
			text_string(&space)))
		r = holders_mark(&holders, now_ms, ret_forgotten, err);
	vec_each(&holders.list, holder)
		if (r == 0 && holder->gone)
			r = holder_empty(journal, holder, err);
	vec_free(&holders.list);
	return r;
}

static int why_row(void *data, sqlite3_stmt *row)
{
	*(char **)data = base_string((const char *)sqlite3_column_text(row, 0));
	return 1;
}

int journal_forgotten(struct journal *journal, const char *id, char **ret_why, struct error *err)
{
	*ret_why = NULL;
	return store_each(journal,
		"SELECT why FROM undo_files JOIN runs USING(run) WHERE id=?1 AND gone_ms > 0", id,
		why_row, ret_why, err);
}
