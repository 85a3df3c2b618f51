/* From the arguments of `run` and `plan` to the plan. */
#ifndef UPKEEP_CLI_BUILD_H
#define UPKEEP_CLI_BUILD_H

#include "cli/load.h"
#include "plan/build.h"

/* 0, or an exit code after a message.  *ret_expected_ms: the sum of what the journal
 * remembers, 0: nothing. */
int cli_build(const struct cli *cli, struct loaded *loaded, struct plan **ret,
	int64_t *ret_expected_ms);

#endif
