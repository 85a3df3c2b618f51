/*
 * The guard's file: who decides over a task with confirm_within.
 *
 * RUN_DIR/guard.TASK, made and synced whole before the task starts, holds one state; every
 * change of it is one compare-and-set in shared memory, synced before anybody acts on it.  So
 * confirm and expiry never both win, and who wins owns the task's undo, whatever else has died.
 * Time is that since boot (CLOCK_BOOTTIME): it goes on in suspend and does not jump.
 */
#ifndef UPKEEP_UNDO_GUARD_H
#define UPKEEP_UNDO_GUARD_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum guard_state {
	GUARD_ARMED = 1,     /* the task runs, and may change things until the deadline */
	GUARD_CONFIRMED = 2, /* it stays */
	GUARD_EXPIRED = 3,   /* whoever made it so undoes the task */
	GUARD_UNDONE = 4,    /* ... and has */
	GUARD_FAILED = 5,    /* ... and could not */
	GUARD_DISARMED = 6,  /* the task failed or was cancelled: the engine undoes it */
	GUARD_WAITING = 7,   /* the task is done: it may be confirmed until the deadline */
};

struct guard_page; /* what lies in the file */
struct guard {
	struct guard_page *page; /* NULL: not open */
	int fd;
};

/* Makes the file (0600); the guard that will watch it is `pid`. */
int guard_make(int run_dir, uint32_t task, pid_t pid, int64_t deadline_ms, struct guard *ret,
	struct error *err);
/* Opens the one that is there; -ENOENT: none; -EBADMSG: it is no such file. */
int guard_open(int run_dir, uint32_t task, struct guard *ret);
void guard_close(struct guard *guard);

enum guard_state guard_state(const struct guard *guard);
/* Armed or waiting: nobody has decided yet. */
bool guard_is_open(const struct guard *guard);
int64_t guard_deadline_ms(const struct guard *guard);
/* Of an earlier boot, or of this one and the deadline is over. */
bool guard_is_late(const struct guard *guard);
/* Of this boot, and the process that made it is there still. */
bool guard_is_alive(const struct guard *guard);
/* It is not alive, or hangs: its deadline is long over, and it has not decided. */
bool guard_is_abandoned(const struct guard *guard);
/* True where it was `from`, is `to` now, and that is on the disk. */
bool guard_change(struct guard *guard, enum guard_state from, enum guard_state to);
/* The same from whichever state is open. */
bool guard_decide(struct guard *guard, enum guard_state to);

#endif
