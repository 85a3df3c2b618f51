/* What `upkeep plan` says: what would be done in the order of the run, beside it how it would
 * be undone, and then the undo as a whole. */
#ifndef UPKEEP_CLI_OUTLOOK_H
#define UPKEEP_CLI_OUTLOOK_H

#include "base/text.h"
#include "model/plan.h"
#include "run/run.h"

#include <jansson.h>

struct outlook;

/* When a run fails: before a pivot has succeeded (or there is none), or after all have. */
enum outlook_when {
	OUTLOOK_BEFORE_PIVOT,
	OUTLOOK_PAST_PIVOT,
};

struct outlook *outlook_new(const struct plan *plan);
/* Remembers what tasks would do and how they end. */
void outlook_event(struct outlook *outlook, const struct run_event *event);
/* For people; nothing where nothing would be done. */
void outlook_print(const struct outlook *outlook, struct text *out);
/* Lists for --json: the tasks, and what is undone in its order (past a pivot where there is none:
 * nothing). */
json_t *outlook_tasks(const struct outlook *outlook);
json_t *outlook_undo(const struct outlook *outlook, enum outlook_when when);
void outlook_free(struct outlook *outlook);

#endif
