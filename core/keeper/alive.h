/* The lock of a run: held by its keeper (and engine) as long as anything of it lives. */
#ifndef UPKEEP_KEEPER_ALIVE_H
#define UPKEEP_KEEPER_ALIVE_H

#include "base/error.h"

#include <stdbool.h>

/* Takes RUN_DIR/lock and writes our process, its start and the boot into it.  *ret_rebooted
 * (which may be NULL): whoever wrote it before lived in another boot.  -EWOULDBLOCK with a
 * message: somebody holds it. */
int alive_lock(int run_dir, bool *ret_rebooted, struct error *err);

#endif
