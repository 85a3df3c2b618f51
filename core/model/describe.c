/* SPDX-License-Identifier: MIT */
#include "model/describe.h"

#include <string.h>

const struct action_description *description_action(
	const struct plugin_description *plugin, const char *name)
{
	for (size_t i = 0; i < plugin->action_count; i++)
		if (strcmp(plugin->actions[i].decl.name, name) == 0)
			return &plugin->actions[i];
	return NULL;
}

const struct upkeep_param *params_find(
	const struct upkeep_param *params, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(params[i].name, name) == 0)
			return &params[i];
	return NULL;
}

const struct upkeep_output *action_output(const struct action_description *action, const char *name)
{
	for (size_t i = 0; i < action->decl.output_count; i++)
		if (strcmp(action->decl.outputs[i].name, name) == 0)
			return &action->decl.outputs[i];
	return NULL;
}

static bool is_default(const struct upkeep_param *param, const struct value *value)
{
	bool truth = value->kind == VALUE_BOOL;

	if (value->has_refs || (!truth && value->kind != VALUE_STRING))
		return true; /* not known yet, or refused elsewhere */
	return strcmp(param->preset, truth ? value->truth ? "true" : "false" : value->string) == 0;
}

uint32_t action_changes(const struct upkeep_action *action, const struct value *args)
{
	for (size_t i = 0; i < action->param_count; i++) {
		const struct upkeep_param *param = &action->params[i];
		const struct value *value =
			param->flags & UPKEEP_NO_UNDO ? value_get(args, param->name) : NULL;
		if (value && !is_default(param, value))
			return UPKEEP_CHANGES_IRREVERSIBLE;
	}
	return action->changes;
}
