/* What is alive of a run whose keeper and engine are both gone. */
#ifndef UPKEEP_KEEPER_LEFTOVER_H
#define UPKEEP_KEEPER_LEFTOVER_H

#include "base/error.h"
#include "journal/journal.h"
#include "model/plan.h"

/* Kills all of it, by the run's cgroup and by its marks, and waits for its end; what tasks left
 * running on purpose stays.  -EDEADLK with a message: some of it cannot be killed. */
int leftovers_end(
	const struct plan *plan, const char *id, struct journal *journal, struct error *err);

#endif
