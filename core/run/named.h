/* Which secrets a task names: in the parameters of its action, in its instance's settings,
 * in its environment ("secret:NAME"). */
#ifndef UPKEEP_RUN_NAMED_H
#define UPKEEP_RUN_NAMED_H

#include "model/plan.h"
#include "run/secret.h"

#define NAMED_PREFIX "secret:"

/* Told the name of each; true: stop, which named_each then returns. */
typedef bool named_visit(void *data, const char *name);
bool named_each(const struct upkeep_param *params, size_t count, const struct value *group,
	named_visit *visit, void *data);
bool named_has(const struct upkeep_param *params, size_t count, const struct value *group,
	const char *name);
/* The name where a variable is a secret, or NULL: only what the graph's author wrote names
 * one, never what a task put out. */
const char *named_in_env(const struct value *value);
/* Fetches all secrets that a task names; the first failure is that of the call. */
int named_fetch(const struct task *task, struct secrets *secrets, struct error *err);
/* Runs the commands among the secrets of all tasks, so that the engine's loop never waits for
 * one.  One that fails is the failure of the tasks that need it. */
void named_fetch_commands(const struct plan *plan, struct secrets *secrets);

#endif
