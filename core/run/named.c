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

static bool each_of_task(const struct task *task, named_visit *visit, void *data)
{
	const struct value *env = &task->options->env;
	const struct instance *instance = task->instance;

	for (uint32_t i = 0; env->kind == VALUE_GROUP && i < env->group.count; i++) {
		const char *name = named_in_env(&env->group.members[i].value);
		if (name && visit(data, name))
			return true;
	}
	if (task->action &&
		named_each(task->action->decl.params, task->action->decl.param_count, &task->args,
			visit, data))
		return true;
	return instance && instance->description &&
		named_each(instance->description->settings, instance->description->setting_count,
			&instance->settings, visit, data);
}

struct fetching {
	struct secrets *secrets;
	struct error *err;
	int result;
};

static bool fetch_one(void *data, const char *name)
{
	struct fetching *fetching = data;
	const struct secret *ignored;

	fetching->result = secrets_get(fetching->secrets, name, &ignored, fetching->err);
	return fetching->result < 0;
}

int named_fetch(const struct task *task, struct secrets *secrets, struct error *err)
{
	struct fetching fetching = {secrets, err, 0};

	each_of_task(task, fetch_one, &fetching);
	return fetching.result;
}

static bool fetch_command(void *data, const char *name)
{
	if (text_starts(name, "command:"))
		secrets_prepare(data, name);
	return false;
}

void named_fetch_commands(const struct plan *plan, struct secrets *secrets)
{
	const struct task *last = NULL;

	for (uint32_t i = 0; i < plan->task_count; i++) {
		const struct plan_task *planned = &plan->tasks[i];
		const struct task *task = plan->details[planned->detail].task;
		if (task != last && !(planned->flags & (PLAN_LEFT_OUT | PLAN_EMPTY_EACH)))
			each_of_task(task, fetch_command, secrets);
		last = task;
	}
}
