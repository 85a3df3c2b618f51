/* SPDX-License-Identifier: MIT */
#include "plan/output.h"

#include <string.h>

static bool is_core(const struct task *task, const char *name)
{
	return !task->instance && task->action && strcmp(task->action->decl.name, name) == 0;
}

bool task_is_exec(const struct task *task)
{
	return is_core(task, "exec");
}

bool task_is_graph(const struct task *task)
{
	return is_core(task, "graph");
}

static const char *string_of(const struct value *group, const char *name)
{
	const struct value *value = value_get(group, name);

	return value && value->kind == VALUE_STRING ? value->string : NULL;
}

/* Of a core.exec: `outputs`, and "stdout" where it is captured. */
static bool find_declared(const struct task *task, const char *name, uint32_t *ret_type)
{
	const struct value *outputs = value_get(&task->args, "outputs");

	for (uint32_t i = 0; outputs && outputs->kind == VALUE_LIST && i < outputs->list.count;
		i++) {
		const struct value *output = &outputs->list.items[i];
		const char *known = output->kind == VALUE_GROUP ? string_of(output, "name") : NULL;
		if (!known || strcmp(known, name) != 0)
			continue;
		const char *type = string_of(output, "type");
		*ret_type = type ? type_from_name(type) : UPKEEP_STRING;
		return true;
	}
	return false;
}

bool output_find(const struct task *task, const char *name, uint32_t *ret_type)
{
	if (task_is_exec(task) && find_declared(task, name, ret_type))
		return true;
	if (task_is_exec(task) && strcmp(name, "stdout") == 0 && !value_get(&task->args, "capture"))
		return false;
	const struct upkeep_output *output =
		task->action ? action_output(task->action, name) : NULL;
	if (output)
		*ret_type = output->type;
	return output != NULL;
}

void output_offer(const struct task *task, struct nearest *nearest)
{
	const struct value *outputs = value_get(&task->args, "outputs");

	for (size_t i = 0; task->action && i < task->action->decl.output_count; i++)
		nearest_try(nearest, task->action->decl.outputs[i].name);
	if (!task_is_exec(task) || !outputs || outputs->kind != VALUE_LIST)
		return;
	for (uint32_t i = 0; i < outputs->list.count; i++) {
		const char *known = outputs->list.items[i].kind == VALUE_GROUP
			? string_of(&outputs->list.items[i], "name")
			: NULL;
		if (known)
			nearest_try(nearest, known);
	}
}
