/*
 * The tail of a run's journal: attempts that started or ended since the last commit, appended to
 * runs/ID/tail, from where no death of a process takes them.  One small write there costs a tenth
 * of a commit, and most starts need no more; within 100 ms the same rows are in the database, and
 * the file is written from its beginning again.  Reading takes both (journal_tasks): a row of the
 * tail counts where the database has none of that attempt, or only its start; so what is left of
 * an older tail says nothing.
 */
#ifndef UPKEEP_JOURNAL_TAIL_H
#define UPKEEP_JOURNAL_TAIL_H

#include "base/vec.h"
#include "journal/journal.h"

#define TAIL_NAME_SIZE 128
#define TAIL_ACTION_SIZE 56

/* As it lies in the file, by this machine's byte order.  A torn one has another sum. */
struct tail_row {
	uint64_t sum; /* over all that follows */
	uint32_t task, attempt;
	uint8_t state, reason, undo, changed;
	int32_t exit_code;
	int64_t started_ms, ended_ms, cpu_ms;
	uint64_t peak_memory_bytes;
	char name[TAIL_NAME_SIZE], action[TAIL_ACTION_SIZE];
};

struct tail {
	int fd; /* -1: not open */
	char run[RUN_ID_SIZE];
	size_t count;              /* rows in the file since the last commit */
	VEC(struct tail_row) rows; /* that are in neither */
	bool unfit;                /* something is queued that only a commit can keep */
	bool refused;              /* the file cannot be had: every time a commit */
	bool ended;                /* the run's end is queued: the last commit */
};
struct tail_rows {
	VEC(struct tail_row) list;
};

void tail_begin(struct tail *tail, const char *run); /* another run from now on */
/* An attempt was queued; any other row: tail_unfit. */
void tail_add(struct tail *tail, const struct journal_task *task);
void tail_unfit(struct tail *tail);
/* Whether all that is queued is in the file now; false: it has to be committed. */
bool tail_write(struct tail *tail, int state_dir);
void tail_end(struct tail *tail);
/* All that was queued has been committed.  Removes the file of a run that has ended. */
void tail_reset(struct tail *tail, int state_dir);
void tail_close(struct tail *tail);

/* The rows in the tail of a run, by task and attempt, the latest of each; none: no file. */
void tail_read(int state_dir, const char *run, struct tail_rows *ret);
/* Points into the row. */
struct journal_task tail_task(const struct tail_row *row);

#endif
