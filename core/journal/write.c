/* SPDX-License-Identifier: MIT */
#include "journal/store.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "journal/ballast.h"

/* ?1 is the run's number; then the entry's numbers, then its texts. */
static const char *const kind_sql[STORE_KINDS] = {
	[STORE_RUN] =
		"INSERT INTO runs(task_count, started_ms, ended_ms, state, exit_code, warnings,"
		" uid, id, graph, site, cause, next)"
		" VALUES(?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)",
	[STORE_PLAN] = "INSERT OR REPLACE INTO plans VALUES(?1,?2)",
	[STORE_RUN_END] = "UPDATE runs SET ended_ms=?2, state=?3, exit_code=?4, warnings=?5,"
			  " cause=?6, next=?7 WHERE run=?1",
	[STORE_TASK] =
		"INSERT OR REPLACE INTO tasks"
		" VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19)",
	[STORE_TASK_UNDO] = "UPDATE tasks SET undo=?3 WHERE run=?1 AND task=?2 AND attempt="
			    "(SELECT max(attempt) FROM tasks WHERE run=?1 AND task=?2)",
	[STORE_OUTPUT] = "INSERT INTO outputs VALUES(?1,?2,?3,?4,?5)",
	[STORE_OUTPUT_DROP] =
		"DELETE FROM outputs WHERE run=?1 AND task=?2 AND (?3 IS NULL OR name=?3)",
	[STORE_ROW] = "INSERT INTO rows VALUES(?1,?2,?3,?4,?5)",
	[STORE_WARNING] = "INSERT INTO warnings VALUES(?1,?2,?3,?4)",
	[STORE_CONFIRMATION] = "INSERT INTO confirmations VALUES(?1,?2,?3,?4,?5,?6,?7)",
	[STORE_UNDO] = "INSERT INTO undo_records VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)",
	[STORE_UNDO_STATE] =
		"UPDATE undo_records SET state=?3, fingerprint=coalesce(?4, fingerprint)"
		" WHERE run=?1 AND number=?2",
	[STORE_RUN_STATE] = "UPDATE runs SET state=?2, ended_ms=0, exit_code=-1 WHERE run=?1",
	[STORE_UNDOING] =
		"INSERT OR REPLACE INTO undoings VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)",
	[STORE_UNDO_FILES] = "INSERT INTO undo_files VALUES(?1,?2,0,NULL)"
			     " ON CONFLICT(run) DO UPDATE SET bytes=?2",
};

#define ROW(row_kind, row_numbers, row_texts)                          \
	((struct queue_row){.kind = (row_kind),                        \
		.numbers = (row_numbers),                              \
		.number_count = sizeof(row_numbers) / sizeof(int64_t), \
		.texts = (row_texts),                                  \
		.text_count = sizeof(row_texts) / sizeof(char *)})

static void add_row(struct journal *journal, const struct queue_row *row)
{
	tail_unfit(&journal->tail);
	queue_add(&journal->queue, row);
}

void journal_add_run(struct journal *journal, const struct journal_run *run, const char *resolved,
	size_t resolved_size)
{
	const int64_t numbers[] = {run->task_count, run->started_ms, run->ended_ms, run->state,
		run->exit_code, run->warnings, run->uid};
	const char *const texts[] = {
		run->id, run->graph, run->site_path ? run->site_path : "", run->cause, run->next};
	struct queue_row row = ROW(STORE_RUN, numbers, texts);

	journal->run = 0;
	journal->number = journal->undo_number = 0;
	journal->places.count = 0;
	tail_begin(&journal->tail, run->id);
	add_row(journal, &row);
	row = (struct queue_row){
		.kind = STORE_PLAN, .texts = &resolved, .sizes = &resolved_size, .text_count = 1};
	if (resolved)
		add_row(journal, &row);
}

void journal_end_run(struct journal *journal, const struct journal_run *run)
{
	const int64_t numbers[] = {run->ended_ms, run->state, run->exit_code, run->warnings};
	const char *const texts[] = {run->cause, run->next};
	struct queue_row row = ROW(STORE_RUN_END, numbers, texts);

	add_row(journal, &row);
	undo_files_note(journal, run->id);
	tail_end(&journal->tail);
}

void journal_set_state(struct journal *journal, enum run_state state)
{
	const int64_t numbers[] = {state};
	struct queue_row row = {.kind = STORE_RUN_STATE, .numbers = numbers, .number_count = 1};

	add_row(journal, &row);
}

/* The place of the queued row of this attempt, or UINT32_MAX. */
static uint32_t task_place(struct journal *journal, const struct journal_task *task)
{
	const struct queue *queue = &journal->queue;

	if (task->index >= journal->places.count || !journal->places.items[task->index])
		return UINT32_MAX;
	uint32_t place = journal->places.items[task->index] - 1;
	if (place >= queue->entries.count || queue->entries.items[place].kind != STORE_TASK)
		return UINT32_MAX;
	const int64_t *numbers = queue->numbers.items + queue->entries.items[place].numbers;
	return numbers[0] == task->index && numbers[1] == task->attempt ? place : UINT32_MAX;
}

static void task_remember(struct journal *journal, uint32_t task, uint32_t place)
{
	while (journal->places.count <= task)
		vec_push(&journal->places, 0);
	journal->places.items[task] = place + 1;
}

/* An attempt that starts and ends between two flushes becomes one row. */
void journal_put_task(struct journal *journal, const struct journal_task *task)
{
	const int64_t numbers[] = {task->index, task->attempt, task->state, task->reason,
		task->undo, task->started_ms, task->ended_ms, task->exit_code, task->changed,
		(int64_t)task->log_bytes, (int64_t)task->log_dropped_bytes, task->cpu_ms,
		(int64_t)task->peak_memory_bytes};
	const char *const texts[] = {
		task->name, task->action, task->message, task->next, task->log};
	struct queue_row row = ROW(STORE_TASK, numbers, texts);
	uint32_t place = task_place(journal, task);

	if (place != UINT32_MAX)
		queue_replace(&journal->queue, place, &row);
	else
		task_remember(journal, task->index, queue_add(&journal->queue, &row));
	tail_add(&journal->tail, task);
}

void journal_set_task_undo(struct journal *journal, uint32_t task, enum undo_state undo)
{
	const int64_t numbers[] = {task, undo};
	struct queue_row row = {.kind = STORE_TASK_UNDO, .numbers = numbers, .number_count = 2};

	add_row(journal, &row);
}

void journal_add_output(struct journal *journal, uint32_t task, const char *name, const char *value)
{
	const int64_t numbers[] = {(int64_t)++journal->number, task};
	const char *const texts[] = {name, value};
	struct queue_row row = ROW(STORE_OUTPUT, numbers, texts);

	add_row(journal, &row);
}

void journal_drop_outputs(struct journal *journal, uint32_t task, const char *name)
{
	const int64_t numbers[] = {task};
	const char *const texts[] = {name};
	struct queue_row row = ROW(STORE_OUTPUT_DROP, numbers, texts);

	add_row(journal, &row);
}

void journal_add_row(struct journal *journal, uint32_t task, const char *table, const char *cells)
{
	const int64_t numbers[] = {(int64_t)++journal->number, task};
	const char *const texts[] = {table, cells};
	struct queue_row row = ROW(STORE_ROW, numbers, texts);

	add_row(journal, &row);
}

void journal_add_warning(struct journal *journal, uint32_t task, const char *text)
{
	const int64_t numbers[] = {(int64_t)++journal->number, task};
	const char *const texts[] = {text};
	struct queue_row row = ROW(STORE_WARNING, numbers, texts);

	add_row(journal, &row);
}

void journal_add_confirmation(struct journal *journal, uint32_t task, const char *item,
	const char *answer, uid_t uid, int64_t at_ms)
{
	const int64_t numbers[] = {(int64_t)++journal->number, task, uid, at_ms};
	const char *const texts[] = {item, answer};
	struct queue_row row = ROW(STORE_CONFIRMATION, numbers, texts);

	add_row(journal, &row);
}

uint64_t journal_add_undo(struct journal *journal, const struct journal_undo *undo)
{
	const int64_t numbers[] = {(int64_t)++journal->undo_number, undo->task, undo->attempt,
		undo->version, undo->state};
	const char *const texts[] = {undo->kind, undo->about, undo->payload ? undo->payload : "",
		undo->files, undo->fingerprint};
	struct queue_row row = ROW(STORE_UNDO, numbers, texts);

	add_row(journal, &row);
	return journal->undo_number;
}

void journal_set_undo(struct journal *journal, uint64_t id, enum journal_undo_state state,
	const char *fingerprint)
{
	const int64_t numbers[] = {(int64_t)id, state};
	const char *const texts[] = {fingerprint};
	struct queue_row row = ROW(STORE_UNDO_STATE, numbers, texts);

	add_row(journal, &row);
}

void journal_put_undoing(struct journal *journal, const struct journal_undoing *undoing)
{
	const int64_t numbers[] = {undoing->task, undoing->number, undoing->state,
		undoing->started_ms, undoing->ended_ms, undoing->exit_code,
		(int64_t)undoing->log_bytes};
	const char *const texts[] = {undoing->message, undoing->next, undoing->log};
	struct queue_row row = ROW(STORE_UNDOING, numbers, texts);

	add_row(journal, &row);
}

static int entry_bind(const struct queue *queue, const struct queue_entry *entry, int64_t run,
	sqlite3_stmt *statement)
{
	int at = 1, code = sqlite3_bind_int64(statement, at++, run);

	for (unsigned i = 0; i < entry->number_count && code == SQLITE_OK; i++)
		code = sqlite3_bind_int64(
			statement, at++, queue->numbers.items[entry->numbers + i]);
	for (unsigned i = 0; i < entry->text_count && code == SQLITE_OK; i++, at++) {
		const char *text = queue_text(queue, entry->texts + i);
		int size = (int)queue->texts.items[entry->texts + i].size;

		if (!text)
			code = sqlite3_bind_null(statement, at);
		else if (entry->kind == STORE_PLAN)
			code = sqlite3_bind_zeroblob(statement, at, size);
		else
			code = sqlite3_bind_text(statement, at, text, size, SQLITE_STATIC);
	}
	return code;
}

/* It may be large: as a value of the statement it would be copied whole. */
static int plan_write(struct journal *journal, const struct queue_entry *entry)
{
	const char *text = queue_text(&journal->queue, entry->texts);
	sqlite3_blob *blob = NULL;

	int code = sqlite3_blob_open(journal->db, "main", "plans", "text",
		sqlite3_last_insert_rowid(journal->db), 1, &blob);
	if (code == SQLITE_OK)
		code = sqlite3_blob_write(
			blob, text, (int)journal->queue.texts.items[entry->texts].size, 0);
	int closed = sqlite3_blob_close(blob);
	return code == SQLITE_OK ? closed : code;
}

static int entry_write(struct journal *journal, const struct queue_entry *entry)
{
	sqlite3_stmt **statement = &journal->kinds[entry->kind];
	int code = SQLITE_OK;

	if (!*statement)
		code = sqlite3_prepare_v3(journal->db, kind_sql[entry->kind], -1,
			SQLITE_PREPARE_PERSISTENT, statement, NULL);
	if (code == SQLITE_OK)
		code = entry_bind(&journal->queue, entry, journal->run, *statement);
	if (code == SQLITE_OK)
		code = sqlite3_step(*statement);
	sqlite3_reset(*statement);
	if (code == SQLITE_DONE && entry->kind == STORE_RUN)
		journal->run = sqlite3_last_insert_rowid(journal->db);
	if (code == SQLITE_DONE && entry->kind == STORE_PLAN)
		code = plan_write(journal, entry);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int statement_step(struct journal *journal, sqlite3_stmt **statement, const char *sql)
{
	int code = SQLITE_OK;

	if (!*statement)
		code = sqlite3_prepare_v3(
			journal->db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
	if (code != SQLITE_OK)
		return code;
	code = sqlite3_step(*statement);
	sqlite3_reset(*statement);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* The queue in one transaction, or nothing of it. */
static int queue_write(struct journal *journal, struct error *err)
{
	int64_t run = journal->run;
	int r, code = statement_step(journal, &journal->begin, "BEGIN IMMEDIATE");

	if (code != SQLITE_OK)
		return store_error(journal, code, err, "write");
	vec_each(&journal->queue.entries, entry)
		if ((code = entry_write(journal, entry)) != SQLITE_OK)
			break;
	if (code == SQLITE_OK)
		code = statement_step(journal, &journal->commit, "COMMIT");
	if (code == SQLITE_OK)
		return 0;
	r = store_error(journal, code, err, "write");
	if (!sqlite3_get_autocommit(journal->db))
		statement_step(journal, &journal->rollback, "ROLLBACK");
	journal->run = run;
	return r;
}

/* Commits are in the WAL; syncing that file is what synchronous=FULL would do at
 * each of them. */
static int wal_sync(struct journal *journal, struct error *err)
{
	sqlite3_file *wal = NULL;
	int code = sqlite3_file_control(journal->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);

	if (code == SQLITE_OK && wal && wal->pMethods)
		code = wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
	if (code != SQLITE_OK)
		return store_error(journal, code, err, "sync");
	journal->counts.syncs++;
	journal->unsynced = false;
	return 0;
}

static int flush_once(struct journal *journal, enum journal_sync sync, struct error *err)
{
	int r = 0;

	if (journal_has_queued(journal)) {
		r = queue_write(journal, err);
		if (r < 0)
			return r;
		queue_clear(&journal->queue);
		tail_reset(&journal->tail, journal->dir_fd);
		journal->counts.commits++;
		journal->unsynced = true;
	}
	if (sync == JOURNAL_SYNC && journal->unsynced)
		r = wal_sync(journal, err);
	return r;
}

/* Tried again also where there was no ballast: another run may have given it up just now. */
int journal_flush(struct journal *journal, enum journal_sync sync, struct error *err)
{
	CLEANUP_ERROR struct error full = {0};

	if (sync == JOURNAL_COMMIT && journal->run && !journal->full &&
		tail_write(&journal->tail, journal->dir_fd))
		return 0;
	int r = flush_once(journal, sync, &full);

	if ((r == -ENOSPC || r == -EDQUOT) && !journal->full) {
		journal->full = true;
		ballast_give(journal->dir_fd);
		r = flush_once(journal, sync, &full);
	}
	return r < 0 ? error_set(err, r, full.next, "%s", error_what(&full)) : r;
}

bool journal_is_full(const struct journal *journal)
{
	return journal->full;
}

int journal_keep_ballast(struct journal *journal, struct error *err)
{
	return ballast_keep(journal->dir_fd, err);
}

bool journal_has_queued(const struct journal *journal)
{
	return journal->queue.entries.count > 0;
}

struct journal_counts journal_counts(const struct journal *journal)
{
	return journal->counts;
}
