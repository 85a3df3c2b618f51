/* SPDX-License-Identifier: MIT */
#include "model/describe.h"

#include <string.h>

const struct action_description *description_action(const struct plugin_description *plugin,
	const char *name)
{
	for (size_t i = 0; i < plugin->action_count; i++)
		if (strcmp(plugin->actions[i].decl.name, name) == 0)
			return &plugin->actions[i];
	return NULL;
}

const struct upkeep_param *params_find(const struct upkeep_param *params, size_t count,
	const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(params[i].name, name) == 0)
			return &params[i];
	return NULL;
}

const struct upkeep_output *action_output(const struct action_description *action,
	const char *name)
{
	for (size_t i = 0; i < action->decl.output_count; i++)
		if (strcmp(action->decl.outputs[i].name, name) == 0)
			return &action->decl.outputs[i];
	return NULL;
}
