/*
 * Keeper: the parent that outlives the engine and leaves nothing alive but guards, which it
 * starts.  It never executes anything.
 */
#ifndef UPKEEP_KEEPER_KEEPER_H
#define UPKEEP_KEEPER_KEEPER_H

#include "base/error.h"
#include "run/engine.h"

#include <sys/types.h>

/* Before the engine is forked: subreaper, signals blocked. */
int keeper_prepare(struct error *err);
/* Holds what the engine asks it to hold (socket), hands signals on, and when the engine
 * has ended kills all that is left; *ret_stuck is one of those that cannot be killed, or 0.
 * Returns the engine's wait status. */
int keeper_watch(pid_t engine, int socket, const struct run_setup *setup, pid_t *ret_stuck);

#endif
