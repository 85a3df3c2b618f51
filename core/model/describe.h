/*
 * Descriptions: what a plugin offers, as the core knows it: the plugin's own
 * tables, copied into our structs (whatever stride the author had), without code.
 */
#ifndef UPKEEP_MODEL_DESCRIBE_H
#define UPKEEP_MODEL_DESCRIBE_H

#include "base/arena.h"
#include "model/value.h"

#include <stdbool.h>
#include <stdint.h>
#include <upkeep/plugin.h>

/* Which callbacks an action has: bits of struct action_description.has. */
enum {
	ACTION_HAS_CHECK = 1,
	ACTION_HAS_PLAN = 2,
	ACTION_HAS_PROBE = 4,
	ACTION_HAS_UNDO = 8,
};

struct action_description {
	struct upkeep_action decl; /* its callbacks are NULL */
	uint32_t has;
};

struct plugin_description {
	const char *name, *version, *about;
	uint32_t abi_major, abi_minor, needs_minor;
	const struct upkeep_param *settings; /* our stride */
	size_t setting_count, settings_size;
	const struct action_description *actions;
	size_t action_count;
};

const struct action_description *description_action(
	const struct plugin_description *plugin, const char *name);
const struct upkeep_param *params_find(
	const struct upkeep_param *params, size_t count, const char *name);
/* What it changes when it is called with these arguments (a group): IRREVERSIBLE where a
 * parameter with UPKEEP_NO_UNDO has another value than its default.  What is not known yet
 * counts as the default. */
uint32_t action_changes(const struct upkeep_action *action, const struct value *args);
const struct upkeep_output *action_output(
	const struct action_description *action, const char *name);

/* The core's own: exec, graph, confirm.  Params of core.exec and its like are
 * decoded by the engine itself (core/run). */
extern const struct plugin_description core_description;

#endif
