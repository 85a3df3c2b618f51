/*
 * The journal: the durable record of all runs (SQLite, WAL, under the state
 * directory).  One writer per run; readers read while it writes.
 *
 * Writers queue rows in memory; journal_flush writes everything queued in one
 * short transaction.  A transaction never spans a wait.
 */
#ifndef UPKEEP_JOURNAL_JOURNAL_H
#define UPKEEP_JOURNAL_JOURNAL_H

#include "base/error.h"
#include "model/state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct journal;

/* Opens STATE_DIR/journal.db, making and migrating it where needed.  Refuses
 * (-ENOTSUP) on a file system that is not local, (-EPROTO) a newer schema. */
int journal_open(const char *state_dir, struct journal **ret, struct error *err);
/* For readers: never makes or migrates; -ENOENT where there is no journal yet, -ESTALE
 * where it has an older schema, or a crash left it half written (journal_open would migrate
 * and mend it). */
int journal_open_readonly(const char *state_dir, struct journal **ret, struct error *err);
void journal_close(struct journal *journal);
/* Closes the database for good; what is queued from now on is never written. */
void journal_detach(struct journal *journal);
/* Reads the whole file and checks it: 0, or -EUCLEAN with what was found. */
int journal_verify(struct journal *journal, struct error *err);

/* Where the files of a run lie, below the state directory; retention removes the
 * first with all it holds.  Buffers of JOURNAL_PATH_SIZE. */
#define JOURNAL_PATH_SIZE 96
void journal_run_dir(char path[], const char *id); /* runs/ID */
void journal_log_path(char path[], const char *id, uint32_t task, uint32_t attempt);
/* runs/ID/TASK.ATTEMPT.log */

/* How durable a flush must be. */
enum journal_sync {
	JOURNAL_LAZY,   /* nothing waits for it: within 100 ms */
	JOURNAL_COMMIT, /* committed, or in the tail: survives the death of every process */
	JOURNAL_SYNC,   /* fsynced: survives power loss */
};

/* A run id sorts by time: "20261123-040000-3f9a2c" (UTC, then random). */
#define RUN_ID_SIZE 24
void journal_make_id(char id[RUN_ID_SIZE]);

struct journal_run {
	char id[RUN_ID_SIZE];
	const char *graph, *site_path;
	uint32_t task_count;
	int64_t started_ms, ended_ms; /* wall; 0: not yet */
	enum run_state state;
	int exit_code; /* -1: not yet */
	uint32_t warnings;
	uid_t uid;
	const char *cause; /* "failed task X: why", one line; NULL */
	const char *next;  /* the command to type; NULL */
};
/* Queue.  Strings are copied. `resolved` is the whole plan as text, so that the
 * run can be made again (plan/restore). */
void journal_add_run(struct journal *journal, const struct journal_run *run, const char *resolved,
	size_t resolved_size);
/* Changes state, end, exit code, warnings, cause and next of the current run, and notes how much
 * room its undo files take. */
void journal_end_run(struct journal *journal, const struct journal_run *run);
/* The run is in another state, and has not ended. */
void journal_set_state(struct journal *journal, enum run_state state);
/* Makes an earlier run the current one, to which everything below belongs (resume,
 * rollback); after journal_add_run it is the new one.  What its tail has is queued. */
int journal_use_run(struct journal *journal, const char *id, struct error *err);

struct journal_task {
	uint32_t index; /* in the plan */
	const char *name, *action;
	enum task_state state;
	enum task_reason reason;
	enum undo_state undo;
	uint32_t attempt;
	int64_t started_ms, ended_ms;
	int exit_code; /* of the attempt; signal: 256 + N; -1: none */
	bool changed;
	const char *message, *next; /* of a failure; NULL */
	const char *log;            /* path below the state directory, NULL: no output */
	uint64_t log_bytes, log_dropped_bytes;
	int64_t cpu_ms;
	uint64_t peak_memory_bytes;
};
/* An attempt starts (the intent) or ends (the result), or a task is settled
 * without one.  Keyed by run, index and attempt; later calls replace. */
void journal_put_task(struct journal *journal, const struct journal_task *task);
void journal_add_output(
	struct journal *journal, uint32_t task, const char *name, const char *value);
/* Those of the task that were added so far, in this attempt or an earlier one; NULL: all. */
void journal_drop_outputs(struct journal *journal, uint32_t task, const char *name);
/* A row of a table made by the action; `cells` is a JSON object. */
void journal_add_row(struct journal *journal, uint32_t task, const char *table, const char *cells);
void journal_add_warning(struct journal *journal, uint32_t task, const char *text);
/* Who confirmed what, when (core.confirm). */
void journal_add_confirmation(struct journal *journal, uint32_t task, const char *item,
	const char *answer, uid_t uid, int64_t at_ms);

/* An undo record: what an action wrote down before it changed something. */
enum journal_undo_state {
	JOURNAL_UNDO_PUSHED = 0,  /* the change may have been made */
	JOURNAL_UNDO_APPLIED = 1, /* it was made; fingerprint is the state then */
	JOURNAL_UNDO_DROPPED = 2, /* it was not made after all */
	JOURNAL_UNDO_DONE = 3,    /* put back */
};
struct journal_undo {
	uint64_t id; /* within the run, rising; ignored by journal_add_undo */
	uint32_t task, attempt, version;
	const char *kind, *about;
	const char *payload; /* text without NUL */
	const char *files;   /* names in the task's undo directory, a line each; NULL: none */
	enum journal_undo_state state;
	const char *fingerprint; /* NULL: none */
};
/* Queues a record and returns its id; it counts as written after the flush that
 * takes it along (JOURNAL_SYNC). */
uint64_t journal_add_undo(struct journal *journal, const struct journal_undo *undo);
void journal_set_undo(struct journal *journal, uint64_t id, enum journal_undo_state state,
	const char *fingerprint);

/* One try to undo a task, as a whole: its start (state UNDO_UNDOING) and its end.  Keyed by
 * run, task and number; later calls replace. */
struct journal_undoing {
	uint32_t task, number; /* from 1 */
	enum undo_state state; /* UNDOING; UNDONE, FAILED or HELD at its end */
	int64_t started_ms, ended_ms;
	int exit_code;              /* signal: 256 + N; -1: none */
	const char *message, *next; /* of a failure; NULL */
	const char *log;            /* path below the state directory, NULL: no output */
	uint64_t log_bytes;
};
void journal_put_undoing(struct journal *journal, const struct journal_undoing *undoing);
void journal_undo_log_path(char path[], const char *id, uint32_t task, uint32_t number);
/* runs/ID/TASK.undo.NUMBER.log */

/* The undo track of a task: changed in the row of its last attempt. */
void journal_set_task_undo(struct journal *journal, uint32_t task, enum undo_state undo);

/* Keeps room for a full disk (ballast.h) in the state directory. */
int journal_keep_ballast(struct journal *journal, struct error *err);

/* Writes everything queued; for JOURNAL_COMMIT where it fits in the tail (tail.h), it stays queued
 * as well.  A failure (disk full, I/O) leaves the queue as it
 * was.  Nothing queued and nothing unsynced: does nothing.  On a full disk the ballast is given
 * up, and it is tried once more. */
int journal_flush(struct journal *journal, enum journal_sync sync, struct error *err);
/* The disk was full: what is written now needs the room of the ballast.  Time to stop. */
bool journal_is_full(const struct journal *journal);
bool journal_has_queued(const struct journal *journal);
/* Folds the WAL back while nothing else is to do. */
void journal_checkpoint(struct journal *journal);
/* Transactions and syncing transactions so far, for tests and benchmarks. */
struct journal_counts {
	uint64_t commits, syncs;
};
struct journal_counts journal_counts(const struct journal *journal);

/* Reading.  Callbacks return 0 to go on, anything else to stop (and it is
 * returned).  Strings live until the callback returns. */
typedef int journal_run_reader(void *data, const struct journal_run *run);
typedef int journal_task_reader(void *data, const struct journal_task *task);
/* Newest first; graph NULL: all; at most `limit`. */
int journal_runs(struct journal *journal, const char *graph, uint32_t limit,
	journal_run_reader *reader, void *data, struct error *err);
/* `run` is an id, an unambiguous beginning of one, or "last". */
int journal_find_run(
	struct journal *journal, const char *run, char ret_id[RUN_ID_SIZE], struct error *err);
int journal_read_run(struct journal *journal, const char *id, journal_run_reader *reader,
	void *data, struct error *err);
int journal_tasks(struct journal *journal, const char *id, journal_task_reader *reader, void *data,
	struct error *err);
int journal_outputs(struct journal *journal, const char *id,
	int (*reader)(void *data, uint32_t task, const char *name, const char *value), void *data,
	struct error *err);
int journal_rows(struct journal *journal, const char *id,
	int (*reader)(void *data, uint32_t task, const char *table, const char *cells), void *data,
	struct error *err);
int journal_warnings(struct journal *journal, const char *id,
	int (*reader)(void *data, uint32_t task, const char *text), void *data, struct error *err);
/* The records of a run, newest first. */
int journal_undos(struct journal *journal, const char *id,
	int (*reader)(void *data, const struct journal_undo *undo), void *data, struct error *err);
/* The tries to undo tasks of a run, by task and number. */
int journal_undoings(struct journal *journal, const char *id,
	int (*reader)(void *data, const struct journal_undoing *undoing), void *data,
	struct error *err);
/* Runs that are not settled (running, rolling back, rollback failed, interrupted, awaiting
 * confirmation), alive or not, and that nobody has resolved; oldest first. */
int journal_unsettled(
	struct journal *journal, journal_run_reader *reader, void *data, struct error *err);
/* A person says that a run that is not settled is: it becomes FAILED_PARTIAL, what it left is
 * never undone.  Written and synced at once. */
int journal_resolve(struct journal *journal, const char *id, uid_t uid, int64_t at_ms,
	const char *why, struct error *err);
/* The plan as journal_add_run was given it; the caller frees *ret_text. */
int journal_read_plan(struct journal *journal, const char *id, char **ret_text, size_t *ret_size,
	struct error *err);
/* Median duration (ms) of the last successful attempts of each task of a graph. */
int journal_durations(struct journal *journal, const char *graph,
	int (*reader)(void *data, const char *task, int64_t duration_ms), void *data,
	struct error *err);
/* Removes settled runs that ended more than `keep_ms` ago and are beyond the newest
 * `keep_runs` of their graph, with their files; never one that is not settled. */
int journal_retain(struct journal *journal, int64_t now_ms, int64_t keep_ms, uint32_t keep_runs,
	uint32_t *ret_removed, struct error *err);
/* Gives up undo files of settled runs: of those that ended more than `keep_ms` ago, and of the
 * oldest where those of all runs take more than `space_bytes`.  What is not settled keeps them.
 * The records stay, to be read; the run cannot be undone any more. */
int journal_retain_undo(struct journal *journal, int64_t now_ms, int64_t keep_ms,
	uint64_t space_bytes, uint32_t *ret_forgotten, struct error *err);
/* 1 where the undo files of a run were given up, and why, to be freed: "its undo files are
 * gone: undo_space (2 GiB) was needed by newer runs"; else 0 and NULL.  Whoever undoes a settled
 * run asks after its journal_set_state was flushed: from then on they are not given up. */
int journal_forgotten(struct journal *journal, const char *id, char **ret_why, struct error *err);

#endif
