/* What the files of this room share: the open journal and its statements. */
#ifndef UPKEEP_JOURNAL_STORE_H
#define UPKEEP_JOURNAL_STORE_H

#include "journal/journal.h"
#include "journal/queue.h"
#include "journal/tail.h"

#include <sqlite3.h>

/* The states of runs that are not settled: running, rolling back, rollback failed,
 * interrupted, awaiting confirmation. */
#define STORE_UNSETTLED "(0, 3, 6, 7, 8)"

/* The statements that a flush runs. */
enum store_kind {
	STORE_RUN,
	STORE_PLAN,
	STORE_RUN_END,
	STORE_TASK,
	STORE_TASK_UNDO,
	STORE_OUTPUT,
	STORE_OUTPUT_DROP,
	STORE_ROW,
	STORE_WARNING,
	STORE_CONFIRMATION,
	STORE_UNDO,
	STORE_UNDO_STATE,
	STORE_RUN_STATE,
	STORE_UNDOING,
	STORE_UNDO_FILES,
	STORE_KINDS,
};

struct journal {
	sqlite3 *db;
	char *path;
	int dir_fd; /* of the state directory */
	sqlite3_stmt *kinds[STORE_KINDS], *begin, *commit, *rollback;
	struct queue queue;
	struct tail tail;
	VEC(uint32_t) places;         /* task → its newest entry in the queue, plus one */
	int64_t run;                  /* number of the current run; 0: none, or still queued */
	uint64_t number, undo_number; /* the last ones given out in this run */
	struct journal_counts counts;
	bool unsynced; /* something was committed and not yet synced */
	bool full;     /* the ballast was given up */
	int wal_pages;
};

/* A message from SQLite's last error; returns the errno value that fits. */
int store_error(struct journal *journal, int code, struct error *err, const char *doing);
/* "there is no run", -ENOENT */
int store_unknown(const char *id, struct error *err);
int store_prepare(struct journal *journal, const char *sql, sqlite3_stmt **ret, struct error *err);
int store_run(struct journal *journal, const char *sql, struct error *err);
/* A transaction by itself: store_end commits where `r` is 0, else rolls back; returns what
 * became of it. */
int store_begin(struct journal *journal, struct error *err);
int store_end(struct journal *journal, int r, struct error *err);
int64_t store_number(struct journal *journal, const char *sql); /* 0 where there is none */
void store_finalize(sqlite3_stmt **statement);
#define CLEANUP_STATEMENT __attribute__((cleanup(store_finalize)))

/* Queues how much room the undo files of the current run take, where there are any. */
void undo_files_note(struct journal *journal, const char *id);

/* Calls `each` for every row of a statement whose ?1 is the run's id (NULL: it has none). */
typedef int store_reader(void *data, sqlite3_stmt *row);
int store_each(struct journal *journal, const char *sql, const char *run_id, store_reader *each,
	void *data, struct error *err);

#endif
