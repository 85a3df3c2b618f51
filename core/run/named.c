/* SPDX-License-Identifier: MIT */
#include "run/named.h"

#include <string.h>

static bool in_value(
	const struct upkeep_param *param, const struct value *value, named_visit *visit, void *data)
{
	bool stop = false;

	if (value->kind == VALUE_LIST) {
		for (uint32_t i = 0; i < value->list.count && !stop; i++)
			stop = in_value(param, &value->list.items[i], visit, data);
		return stop;
	}
	if ((param->type & ~UPKEEP_LIST) == UPKEEP_GROUP)
		return named_each(param->fields, param->field_count, value, visit, data);
	return value->kind == VALUE_STRING && visit(data, value->string);
}

bool named_each(const struct upkeep_param *params, size_t count, const struct value *group,
	named_visit *visit, void *data)
{
	bool stop = false;

	for (size_t i = 0; i < count && !stop && group->kind == VALUE_GROUP; i++) {
		uint32_t type = params[i].type & ~UPKEEP_LIST;
		if (type != UPKEEP_SECRET && type != UPKEEP_GROUP)
			continue;
		const struct value *value = value_get(group, params[i].name);
		stop = value && in_value(&params[i], value, visit, data);
	}
	return stop;
}

static bool is_it(void *data, const char *name)
{
	return strcmp(name, data) == 0;
}

bool named_has(const struct upkeep_param *params, size_t count, const struct value *group,
	const char *name)
{
	return named_each(params, count, group, is_it, (char *)(uintptr_t)name);
}

const char *named_in_env(const struct value *value)
{
	bool names = value->kind == VALUE_STRING && !value->has_refs &&
		text_starts(value->string, NAMED_PREFIX);

	return names ? value->string + strlen(NAMED_PREFIX) : NULL;
}

static bool fetch_command(void *data, const char *name)
{
	if (text_starts(name, "command:"))
		secrets_prepare(data, name);
	return false;
}

static void fetch_of_task(struct secrets *secrets, const struct task *task)
{
	const struct value *env = &task->options->env;
	const struct instance *instance = task->instance;

	for (uint32_t i = 0; env->kind == VALUE_GROUP && i < env->group.count; i++) {
		const char *name = named_in_env(&env->group.members[i].value);
		if (name)
			fetch_command(secrets, name);
	}
	if (task->action)
		named_each(task->action->decl.params, task->action->decl.param_count, &task->args,
			fetch_command, secrets);
	if (instance && instance->description)
		named_each(instance->description->settings, instance->description->setting_count,
			&instance->settings, fetch_command, secrets);
}

void named_fetch_commands(const struct plan *plan, struct secrets *secrets)
{
	const struct task *last = NULL;

	for (uint32_t i = 0; i < plan->task_count; i++) {
		const struct plan_task *planned = &plan->tasks[i];
		const struct task *task = plan->details[planned->detail].task;
		if (task != last && !(planned->flags & (PLAN_LEFT_OUT | PLAN_EMPTY_EACH)))
			fetch_of_task(secrets, task);
		last = task;
	}
}
