/*
 * Locks and pools between runs: flock on files below STATE_DIR/locks ("host-" names:
 * below /run/lock/upkeep).  The keeper holds every descriptor too, so that a lock
 * lives until nothing of the run is alive.
 */
#ifndef UPKEEP_RUN_LOCKS_H
#define UPKEEP_RUN_LOCKS_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Kinds of lock files; the file's name is "KIND:NAME" (of a pool: "pool:NAME.PLACE"). */
#define LOCK_GRAPH "graph"
#define LOCK_NAMED "lock"
#define LOCK_POOL "pool"

/* Who takes it: written into the file, for people. */
struct lock_holder {
	const char *run_id, *graph, *task; /* task "": the whole run */
	pid_t keeper;
	int64_t since_ms; /* wall */
};

/* Takes it without waiting: a descriptor, or -EWOULDBLOCK with a message that names the
 * holder, or another negative errno with a message. */
int lock_take(const char *state_dir, const char *kind, const char *name,
	const struct lock_holder *holder, struct error *err);
/* One of the places of a pool. */
int lock_take_place(const char *state_dir, const char *name, uint32_t places,
	const struct lock_holder *holder, struct error *err);
/* Gives it up for all who share the descriptor, and closes it. */
void lock_release(int fd);

/* For `upkeep locks`: calls back for each lock that somebody holds now. */
typedef int lock_reader(
	void *data, const char *kind, const char *name, const struct lock_holder *holder);
int locks_list(const char *state_dir, lock_reader *reader, void *data, struct error *err);

#endif
