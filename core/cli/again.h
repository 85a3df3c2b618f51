/* Earlier runs are gone on with: recover, rollback, resume. */
#ifndef UPKEEP_CLI_AGAIN_H
#define UPKEEP_CLI_AGAIN_H

#include "cli/load.h"
#include "run/run.h"

/* Restores the plan of run `id` and goes on with it as `how` says.  An exit code. */
int again_run(const struct cli *cli, const char *state_dir, const char *id, enum run_again how);
/* Does so, by their own on_interrupt, with every run that was interrupted and that nobody goes
 * on with; says what it does.  The worst exit code; EXIT_OK where there is none. */
int again_recover_all(const struct cli *cli, const char *state_dir);
/* The same before a run of its own, whose report stands alone on standard output. */
void again_recover_before(const struct cli *cli, const char *state_dir);

#endif
