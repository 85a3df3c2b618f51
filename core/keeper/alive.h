/* The lock of a run: held by its keeper (and engine) as long as anything of it lives. */
#ifndef UPKEEP_KEEPER_ALIVE_H
#define UPKEEP_KEEPER_ALIVE_H

#include "base/error.h"

/* Takes RUN_DIR/lock and writes our process and its start into it. */
int alive_lock(int run_dir, struct error *err);

#endif
