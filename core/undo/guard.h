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
	GUARD_ARMED = 1,     /* the task may change things until the deadline */
	GUARD_CONFIRMED = 2, /* it stays */
	GUARD_EXPIRED = 3,   /* whoever made it so undoes the task */
	GUARD_UNDONE = 4,    /* ... and has */
	GUARD_FAILED = 5,    /* ... and could not */
	GUARD_DISARMED = 6,  /* the task failed or was cancelled: the engine undoes it */
};

struct guard_page; /* what lies in the file */
struct guard {
	struct guard_page *page; /* NULL: not open */
	int fd;
};

/* Makes the file (0600); the guard that will watch it is `pid`. */
int guard_make(int run_dir, uint32_t task, pid_t pid, int64_t deadline_ms, struct guard *ret,
	struct error *err);
/* Opens the one that is there; -ENOENT: none; -EBADMSG: it is damaged. */
int guard_open(int run_dir, uint32_t task, struct guard *ret);
void guard_close(struct guard *guard);

enum guard_state guard_state(const struct guard *guard);
int64_t guard_deadline_ms(const struct guard *guard);
/* Of this boot, and the process that made it is there still. */
bool guard_is_alive(const struct guard *guard);
/* True where it was `from`, is `to` now, and that is on the disk. */
bool guard_change(struct guard *guard, enum guard_state from, enum guard_state to);

#endif
