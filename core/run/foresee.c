/* SPDX-License-Identifier: MIT */
/* plan_only: what can be said of a task while some of its arguments are not there yet. */
#include "run/engine.h"

#include "base/cleanup.h"

#include <string.h>

static bool changes_something(const struct attempt *attempt)
{
	return attempt->engine->plan->tasks[attempt->task].changes != UPKEEP_CHANGES_NONE;
}

const char *foresee_unknown(const struct value *value)
{
	const char *after = NULL;

	if (value->kind == VALUE_UNKNOWN)
		return value->after;
	if (value->kind == VALUE_LIST)
		for (uint32_t i = 0; !after && i < value->list.count; i++)
			after = foresee_unknown(&value->list.items[i]);
	if (value->kind == VALUE_GROUP)
		for (uint32_t i = 0; !after && i < value->group.count; i++)
			after = foresee_unknown(&value->group.members[i].value);
	return after;
}

static bool is_required(const struct upkeep_action *action, const char *name)
{
	for (size_t i = 0; i < action->param_count; i++)
		if (strcmp(action->params[i].name, name) == 0)
			return action->params[i].flags & UPKEEP_REQUIRED;
	return false;
}

bool foresee_arguments(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	const struct upkeep_action *action = &attempt->detail->task->action->decl;
	bool copes = action->flags & UPKEEP_PLANS_UNKNOWN, enough = true;

	for (uint32_t i = 0; i < attempt->args.group.count; i++) {
		const struct value_member *member = &attempt->args.group.members[i];
		const char *after = foresee_unknown(&member->value);

		if (!after)
			continue;
		enough = enough && copes && !is_required(action, member->name);
		engine->would |= changes_something(attempt);
		engine_tell(engine,
			&(struct run_event){.kind = RUN_EVENT_WOULD,
				.task = attempt->task,
				.unknown = after,
				.text = arena_printf(&attempt->arena,
					"%s: \"%s\" is known after %s", action->about, member->name,
					after)});
	}
	return enough;
}

int foresee_program(struct attempt *attempt, struct error *err)
{
	CLEANUP_TEXT struct text text = {0};
	const struct value *argv = value_get(&attempt->detail->task->args, "argv");
	const char *after = NULL;

	attempt->state = TASK_SUCCEEDED;
	if (!argv)
		return 0;
	text_adds(&text, "run");
	for (uint32_t i = 0; i < (argv->kind == VALUE_LIST ? argv->list.count : 1); i++) {
		struct value item;
		int r = attempt_resolve(attempt,
			argv->kind == VALUE_LIST ? &argv->list.items[i] : argv, &item, err);
		if (r < 0)
			return r;
		bool known = item.kind != VALUE_UNKNOWN;
		text_addf(&text, known ? " %s" : " (%s)", value_text(&attempt->arena, &item));
		after = known ? after : item.after;
	}
	attempt->engine->would |= changes_something(attempt);
	engine_tell(attempt->engine,
		&(struct run_event){.kind = RUN_EVENT_WOULD,
			.task = attempt->task,
			.unknown = after,
			.text = text_string(&text)});
	return 0;
}
