/* The adapter between a run's events and its report. */
#ifndef UPKEEP_CLI_WATCH_H
#define UPKEEP_CLI_WATCH_H

#include "cli/command.h"
#include "report/report.h"
#include "run/run.h"

struct watch {
	struct run_watcher watcher; /* for run_options */
	struct report *report;
	const char **names;
	char *given;
};
/* `rolls_back`: that everything is put back is success. */
void watch_begin(
	struct watch *watch, const struct cli *cli, const struct plan *plan, bool rolls_back);
void watch_end(struct watch *watch);
/* run_execute, reported; an exit code. */
int watch_execute(
	const struct cli *cli, const struct plan *plan, const struct run_options *options);

#endif
