/* SPDX-License-Identifier: MIT */
/* probe_only: what the actions' probes say of things as they are. */
#include "run/engine.h"

static const char *why_not(struct attempt *attempt)
{
	const struct task *task = attempt->detail->task;
	const char *after = foresee_unknown(&attempt->args);

	if (!task->instance || !(task->action->has & ACTION_HAS_PROBE))
		return "it has no probe";
	return after ? arena_printf(&attempt->arena, "its arguments are known after %s", after)
		     : NULL;
}

bool compare_can_ask(struct attempt *attempt)
{
	const char *why = why_not(attempt);

	if (!why)
		return true;
	attempt->message = base_string(why);
	attempt->state = TASK_SUCCEEDED;
	return false;
}

void compare_ended(struct attempt *attempt)
{
	bool answered = attempt->state == TASK_SUCCEEDED && !attempt->message;

	engine_tell(attempt->engine,
		&(struct run_event){.kind = RUN_EVENT_PROBED,
			.task = attempt->task,
			.probed = answered ? attempt->probed : -1,
			.text = attempt->message});
	if (attempt->state == TASK_FAILED)
		attempt->state = TASK_SUCCEEDED;
}
