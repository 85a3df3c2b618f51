/* SPDX-License-Identifier: MIT */
#include "journal/store.h"

#include "base/cleanup.h"
#include "base/map.h"
#include "base/text.h"

#include <string.h>

#define RUN_COLUMNS                                                            \
	"id, graph, site, task_count, started_ms, ended_ms, state, exit_code," \
	" warnings, uid, cause, next"
#define OF_RUN " WHERE run=(SELECT run FROM runs WHERE id=?1)"
/* Runs that durations are remembered from, and so the values per task. */
#define REMEMBERED 5

static const char *column(sqlite3_stmt *row, int at)
{
	return (const char *)sqlite3_column_text(row, at);
}

static uint32_t column_u32(sqlite3_stmt *row, int at)
{
	return (uint32_t)sqlite3_column_int64(row, at);
}

/* A callback's answer other than 0 ends the reading. */
static int rows_read(struct journal *journal, sqlite3_stmt *statement, store_reader *each,
	void *data, struct error *err)
{
	int code, r = 0;

	while ((code = sqlite3_step(statement)) == SQLITE_ROW && r == 0)
		r = each(data, statement);
	if (code != SQLITE_DONE && code != SQLITE_ROW)
		return store_error(journal, code, err, "read");
	return r;
}

int store_each(struct journal *journal, const char *sql, const char *run_id, store_reader *each,
	void *data, struct error *err)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	int r = store_prepare(journal, sql, &statement, err);

	if (r < 0)
		return r;
	if (run_id)
		sqlite3_bind_text(statement, 1, run_id, -1, SQLITE_STATIC);
	return rows_read(journal, statement, each, data, err);
}

/* A reader of the caller, and its data. */
struct run_call {
	journal_run_reader *reader;
	void *data;
};

static int run_row(void *data, sqlite3_stmt *row)
{
	struct run_call *call = data;
	struct journal_run run = {
		.graph = column(row, 1),
		.site_path = column(row, 2),
		.task_count = column_u32(row, 3),
		.started_ms = sqlite3_column_int64(row, 4),
		.ended_ms = sqlite3_column_int64(row, 5),
		.state = (enum run_state)sqlite3_column_int(row, 6),
		.exit_code = sqlite3_column_int(row, 7),
		.warnings = column_u32(row, 8),
		.uid = (uid_t)sqlite3_column_int64(row, 9),
		.cause = column(row, 10),
		.next = column(row, 11),
	};

	snprintf(run.id, sizeof run.id, "%s", column(row, 0));
	return call->reader(call->data, &run);
}

int journal_runs(struct journal *journal, const char *graph, uint32_t limit,
	journal_run_reader *reader, void *data, struct error *err)
{
	CLEANUP_STATEMENT sqlite3_stmt *statement = NULL;
	struct run_call call = {reader, data};
	int r = store_prepare(journal,
		graph ? "SELECT " RUN_COLUMNS " FROM runs WHERE graph=?2 ORDER BY run DESC LIMIT ?1"
		      : "SELECT " RUN_COLUMNS " FROM runs ORDER BY run DESC LIMIT ?1",
		&statement, err);

	if (r < 0)
		return r;
	sqlite3_bind_int64(statement, 1, limit);
	if (graph)
		sqlite3_bind_text(statement, 2, graph, -1, SQLITE_STATIC);
	return rows_read(journal, statement, run_row, &call, err);
}

struct found {
	char id[RUN_ID_SIZE], other[RUN_ID_SIZE];
	unsigned count;
};

static int found_row(void *data, sqlite3_stmt *row)
{
	struct found *found = data;

	snprintf(found->count++ ? found->other : found->id, RUN_ID_SIZE, "%s", column(row, 0));
	return 0;
}

int journal_find_run(
	struct journal *journal, const char *run, char ret_id[RUN_ID_SIZE], struct error *err)
{
	struct found found = {.count = 0};
	const char *sql = text_equal(run, "last")
		? "SELECT id FROM runs WHERE ?1 NOTNULL ORDER BY run DESC LIMIT 1"
		: "SELECT id FROM runs WHERE substr(id, 1, length(?1)) = ?1 AND id >= ?1"
		  " ORDER BY id LIMIT 2";
	int r = store_each(journal, sql, run, found_row, &found, err);

	if (r < 0)
		return r;
	if (!*run || !found.count)
		return store_unknown(run, err);
	if (found.count > 1)
		return error_set(err, -EEXIST, "give more of its id", "\"%s\" may be run %s or %s",
			run, found.id, found.other);
	memcpy(ret_id, found.id, RUN_ID_SIZE);
	return 0;
}

int journal_read_run(struct journal *journal, const char *id, journal_run_reader *reader,
	void *data, struct error *err)
{
	struct run_call call = {reader, data};

	return store_each(
		journal, "SELECT " RUN_COLUMNS " FROM runs WHERE id=?1", id, run_row, &call, err);
}

int journal_unsettled(
	struct journal *journal, journal_run_reader *reader, void *data, struct error *err)
{
	struct run_call call = {reader, data};

	return store_each(journal,
		"SELECT " RUN_COLUMNS " FROM runs WHERE state IN " STORE_UNSETTLED " ORDER BY run",
		NULL, run_row, &call, err);
}

/* What the tail of the run has, by task and attempt, stands between the rows of the database. */
struct task_call {
	journal_task_reader *reader;
	void *data;
	struct tail_rows tail;
	size_t at;
	bool tail_only;
};

/* Those of the tail that come before an attempt, and that the database does not have. */
static int tail_before(struct task_call *call, uint32_t task, uint32_t attempt)
{
	int r = 0;

	for (; r == 0 && call->at < call->tail.list.count; call->at++) {
		const struct tail_row *row = &call->tail.list.items[call->at];
		if (row->task > task || (row->task == task && row->attempt >= attempt))
			break;
		struct journal_task late = tail_task(row);
		r = call->reader(call->data, &late);
	}
	return r;
}

/* The one of the same attempt, where that has its end and the database has not. */
static bool tail_knows_more(struct task_call *call, struct journal_task *task)
{
	const struct tail_row *row = &call->tail.list.items[call->at];

	if (call->at == call->tail.list.count || row->task != task->index ||
		row->attempt != task->attempt)
		return false;
	call->at++;
	if (task->ended_ms || !row->ended_ms)
		return false;
	*task = tail_task(row);
	return true;
}

static int task_row(void *data, sqlite3_stmt *row)
{
	struct task_call *call = data;
	struct journal_task task = {
		.index = column_u32(row, 1),
		.attempt = column_u32(row, 2),
		.state = (enum task_state)sqlite3_column_int(row, 3),
		.reason = (enum task_reason)sqlite3_column_int(row, 4),
		.undo = (enum undo_state)sqlite3_column_int(row, 5),
		.started_ms = sqlite3_column_int64(row, 6),
		.ended_ms = sqlite3_column_int64(row, 7),
		.exit_code = sqlite3_column_int(row, 8),
		.changed = sqlite3_column_int(row, 9),
		.log_bytes = (uint64_t)sqlite3_column_int64(row, 10),
		.log_dropped_bytes = (uint64_t)sqlite3_column_int64(row, 11),
		.cpu_ms = sqlite3_column_int64(row, 12),
		.peak_memory_bytes = (uint64_t)sqlite3_column_int64(row, 13),
		.name = column(row, 14),
		.action = column(row, 15),
		.message = column(row, 16),
		.next = column(row, 17),
		.log = column(row, 18),
	};

	int r = tail_before(call, task.index, task.attempt);
	bool late = tail_knows_more(call, &task);
	if (r == 0 && (late || !call->tail_only))
		r = call->reader(call->data, &task);
	return r;
}

/* The tail first: what is committed meanwhile is in the database then. */
static int tasks_read(
	struct journal *journal, const char *id, struct task_call *call, struct error *err)
{
	tail_read(journal->dir_fd, id, &call->tail);
	int r = store_each(journal, "SELECT * FROM tasks" OF_RUN " ORDER BY task, attempt", id,
		task_row, call, err);
	if (r == 0)
		r = tail_before(call, UINT32_MAX, UINT32_MAX);
	vec_free(&call->tail.list);
	return r;
}

int journal_tasks(struct journal *journal, const char *id, journal_task_reader *reader, void *data,
	struct error *err)
{
	struct task_call call = {.reader = reader, .data = data};

	return tasks_read(journal, id, &call, err);
}

struct pair_call {
	int (*reader)(void *data, uint32_t task, const char *name, const char *value);
	void *data;
};

static int pair_row(void *data, sqlite3_stmt *row)
{
	struct pair_call *call = data;

	return call->reader(call->data, column_u32(row, 0), column(row, 1), column(row, 2));
}

int journal_outputs(struct journal *journal, const char *id,
	int (*reader)(void *data, uint32_t task, const char *name, const char *value), void *data,
	struct error *err)
{
	struct pair_call call = {reader, data};

	return store_each(journal,
		"SELECT task, name, value FROM outputs" OF_RUN " ORDER BY number", id, pair_row,
		&call, err);
}

int journal_rows(struct journal *journal, const char *id,
	int (*reader)(void *data, uint32_t task, const char *table, const char *cells), void *data,
	struct error *err)
{
	struct pair_call call = {reader, data};

	return store_each(journal, "SELECT task, name, cells FROM rows" OF_RUN " ORDER BY number",
		id, pair_row, &call, err);
}

struct warning_call {
	int (*reader)(void *data, uint32_t task, const char *text);
	void *data;
};

static int warning_row(void *data, sqlite3_stmt *row)
{
	struct warning_call *call = data;

	return call->reader(call->data, column_u32(row, 0), column(row, 1));
}

int journal_warnings(struct journal *journal, const char *id,
	int (*reader)(void *data, uint32_t task, const char *text), void *data, struct error *err)
{
	struct warning_call call = {reader, data};

	return store_each(journal, "SELECT task, text FROM warnings" OF_RUN " ORDER BY number", id,
		warning_row, &call, err);
}

struct undo_call {
	int (*reader)(void *data, const struct journal_undo *undo);
	void *data;
};

static int undo_row(void *data, sqlite3_stmt *row)
{
	struct undo_call *call = data;
	struct journal_undo undo = {
		.id = (uint64_t)sqlite3_column_int64(row, 0),
		.task = column_u32(row, 1),
		.attempt = column_u32(row, 2),
		.version = column_u32(row, 3),
		.state = (enum journal_undo_state)sqlite3_column_int(row, 4),
		.kind = column(row, 5),
		.about = column(row, 6),
		.payload = column(row, 7),
		.files = column(row, 8),
		.fingerprint = column(row, 9),
	};

	return call->reader(call->data, &undo);
}

int journal_undos(struct journal *journal, const char *id,
	int (*reader)(void *data, const struct journal_undo *undo), void *data, struct error *err)
{
	struct undo_call call = {reader, data};

	return store_each(journal,
		"SELECT number, task, attempt, version, state, kind, about, payload, files, "
		"fingerprint"
		" FROM undo_records" OF_RUN " ORDER BY number DESC",
		id, undo_row, &call, err);
}

struct undoing_call {
	int (*reader)(void *data, const struct journal_undoing *undoing);
	void *data;
};

static int undoing_row(void *data, sqlite3_stmt *row)
{
	struct undoing_call *call = data;
	struct journal_undoing undoing = {
		.task = column_u32(row, 1),
		.number = column_u32(row, 2),
		.state = (enum undo_state)sqlite3_column_int(row, 3),
		.started_ms = sqlite3_column_int64(row, 4),
		.ended_ms = sqlite3_column_int64(row, 5),
		.exit_code = sqlite3_column_int(row, 6),
		.log_bytes = (uint64_t)sqlite3_column_int64(row, 7),
		.message = column(row, 8),
		.next = column(row, 9),
		.log = column(row, 10),
	};

	return call->reader(call->data, &undoing);
}

int journal_undoings(struct journal *journal, const char *id,
	int (*reader)(void *data, const struct journal_undoing *undoing), void *data,
	struct error *err)
{
	struct undoing_call call = {reader, data};

	return store_each(journal, "SELECT * FROM undoings" OF_RUN " ORDER BY task, number", id,
		undoing_row, &call, err);
}

static int plan_row(void *data, sqlite3_stmt *row)
{
	struct text *text = data;

	text_add(text, sqlite3_column_blob(row, 0), (size_t)sqlite3_column_bytes(row, 0));
	return 1;
}

int journal_read_plan(struct journal *journal, const char *id, char **ret_text, size_t *ret_size,
	struct error *err)
{
	struct text text = {0};
	int r = store_each(journal, "SELECT text FROM plans" OF_RUN, id, plan_row, &text, err);

	if (r < 0)
		return r;
	if (r == 0)
		return error_set(err, -ENOENT, NULL, "the journal has no plan of run %s", id);
	*ret_size = text.size;
	*ret_text = text.bytes ? text_take(&text) : base_string("");
	return 0;
}

static int use_row(void *data, sqlite3_stmt *row)
{
	struct journal *journal = data;

	journal->places.count = 0;
	journal->run = sqlite3_column_int64(row, 0);
	journal->number = (uint64_t)sqlite3_column_int64(row, 1);
	journal->undo_number = (uint64_t)sqlite3_column_int64(row, 2);
	return 1;
}

#define LAST_OF(table) "coalesce((SELECT max(number) FROM " #table " AS t WHERE t.run=runs.run), 0)"
static const char use_sql[] = "SELECT run, max(" LAST_OF(outputs) "," LAST_OF(rows) "," LAST_OF(
	warnings) "," LAST_OF(confirmations) ")," LAST_OF(undo_records) " FROM runs WHERE id=?1";

static int late_row(void *data, const struct journal_task *task)
{
	journal_put_task(data, task);
	return 0;
}

/* What is queued belongs to the run that was the current one.  What its own tail has is queued, as
 * that file is written from its beginning now. */
int journal_use_run(struct journal *journal, const char *id, struct error *err)
{
	int r = journal_has_queued(journal) ? journal_flush(journal, JOURNAL_COMMIT, err) : 0;

	if (r == 0)
		r = store_each(journal, use_sql, id, use_row, journal, err);
	if (r < 0)
		return r;
	if (r == 0)
		return store_unknown(id, err);
	struct task_call call = {.reader = late_row, .data = journal, .tail_only = true};
	tail_begin(&journal->tail, id);
	return tasks_read(journal, id, &call, err);
}

struct remembered {
	char *name;
	int64_t ms[REMEMBERED];
	unsigned count;
};
struct memory {
	VEC(struct remembered) tasks;
	struct map index;
};

static int duration_row(void *data, sqlite3_stmt *row)
{
	struct memory *memory = data;
	uint32_t at = map_get(&memory->index, column(row, 0));

	if (at >= memory->tasks.count) {
		at = (uint32_t)memory->tasks.count;
		vec_add(&memory->tasks)->name = base_string(column(row, 0));
		map_put(&memory->index, memory->tasks.items[at].name, at);
	}
	struct remembered *task = &memory->tasks.items[at];
	if (task->count < REMEMBERED)
		task->ms[task->count++] = sqlite3_column_int64(row, 1);
	return 0;
}

static int64_t median(int64_t *ms, unsigned count)
{
	for (unsigned i = 1; i < count; i++)
		for (unsigned k = i; k > 0 && ms[k - 1] > ms[k]; k--) {
			int64_t swap = ms[k];
			ms[k] = ms[k - 1];
			ms[k - 1] = swap;
		}
	return count % 2 ? ms[count / 2] : (ms[count / 2 - 1] + ms[count / 2]) / 2;
}

int journal_durations(struct journal *journal, const char *graph,
	int (*reader)(void *data, const char *task, int64_t duration_ms), void *data,
	struct error *err)
{
	struct memory memory = {0};
	int r = store_each(journal,
		"SELECT name, ended_ms - started_ms FROM tasks WHERE state=4 AND run IN"
		" (SELECT run FROM runs WHERE graph=?1 ORDER BY run DESC LIMIT 5)"
		" ORDER BY run DESC, task",
		graph, duration_row, &memory, err);

	vec_each(&memory.tasks, task) {
		if (r == 0)
			r = reader(data, task->name, median(task->ms, task->count));
		free(task->name);
	}
	map_free(&memory.index);
	vec_free(&memory.tasks);
	return r;
}
