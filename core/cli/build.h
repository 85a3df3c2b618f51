/* From the arguments of `run` and `plan` to the plan. */
#ifndef UPKEEP_CLI_BUILD_H
#define UPKEEP_CLI_BUILD_H

#include "cli/load.h"
#include "plan/build.h"

/* 0, or an exit code after a message. */
int cli_build(const struct cli *cli, struct loaded *loaded, struct plan **ret);
/* --jobs; 0, or EXIT_USAGE after a message. */
int jobs_parse(const struct cli *cli, uint32_t *ret);

/* How long the plan will take, from the durations that the journal remembers. */
struct forecast {
	int64_t wall_ms;  /* at that many jobs, at best */
	int64_t work_ms;  /* of all tasks together */
	uint32_t unknown; /* tasks that it remembers nothing of */
	uint32_t tasks;   /* without those that are left out, or run only after a failure */
};
struct forecast plan_forecast(const struct plan *plan, uint32_t jobs);

#endif
