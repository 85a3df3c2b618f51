/* A simulated world: carries the decisions of one or two runs out in simulated time and
 * holds them to the invariants. */
#ifndef UPKEEP_TESTS_SIM_WORLD_H
#define UPKEEP_TESTS_SIM_WORLD_H

#include "sim/case.h"

/* Plays the case.  True where every invariant held; else a sentence in message. */
bool world_play(const struct sim_case *played, uint64_t *ret_hash, char *message, size_t size);

#endif
