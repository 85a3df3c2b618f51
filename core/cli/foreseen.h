/* What the actions say that they would do, for the command that asks them. */
#ifndef UPKEEP_CLI_FORESEEN_H
#define UPKEEP_CLI_FORESEEN_H

#include "cli/told.h"
#include "run/run.h"

/* Notes what there is to note of an event; in the engine, of a plan_only run. */
void foreseen_event(const struct told *told, const struct run_event *event);
/* After the run: {"task", "would": [{"do", "undo", "known_after"}...], "state", "message",
 * "token" (told_bytes)} for each task of the plan; what a task did not say is not there.  Texts
 * are as told_text makes them. */
int foreseen_take(
	const struct told *told, const struct plan *plan, json_t **ret_tasks, struct error *err);

#endif
