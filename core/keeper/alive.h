/* The lock of a run: held by its keeper (and engine) as long as anything of it lives. */
#ifndef UPKEEP_KEEPER_ALIVE_H
#define UPKEEP_KEEPER_ALIVE_H

#include "base/error.h"

#include <stdbool.h>

/* Takes RUN_DIR/lock and writes our process and its start into it.  *ret_rebooted: the boot that
 * it names, which stays, is another (a new lock gets this one).  -EWOULDBLOCK with a message:
 * somebody holds it. */
int alive_lock(int run_dir, bool *ret_rebooted, struct error *err);
/* What was doubtful after a reboot stands in the journal: the lock, which is held, names this
 * boot from now on. */
void alive_believe(int lock);

#endif
