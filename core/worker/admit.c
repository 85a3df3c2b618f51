/* SPDX-License-Identifier: MIT */
#include "worker/admit.h"

#include "base/text.h"
#include "model/describe_check.h"

#include <errno.h>
#include <string.h>

/* Sizes of 1.0: what even the oldest plugin has (tests/compat/offsets.c holds them). */
#define PLUGIN_1_0 112u
#define PARAM_1_0 88u
#define ACTION_1_0 112u
#define OUTPUT_1_0 24u
#define STRIDE_MAX 4096u
#define REBUILD "build the plugin again with this host's <upkeep/plugin.h>"

static int check_size(
	const char *path, const char *what, uint32_t theirs, uint32_t least, struct error *err)
{
	if (theirs >= least && theirs <= STRIDE_MAX && theirs % 8 == 0)
		return 0;
	return error_set(err, -EPROTO, REBUILD,
		"plugin %s is damaged: its %s has %u bytes; this "
		"host expects %u to %u, divisible by 8",
		path, what, theirs, least, STRIDE_MAX);
}

static int check_versions(const struct upkeep_plugin *plugin, const char *path, struct error *err)
{
	if (plugin->magic != UPKEEP_MAGIC)
		return error_set(err, -EPROTO,
			"define it with UPKEEP_PLUGIN(...) of upkeep/plugin.h",
			"%s is not a plugin: its symbol \"upkeep_plugin\" begins with 0x%08x; this "
			"host "
			"expects 0x%08x",
			path, plugin->magic, UPKEEP_MAGIC);
	if (plugin->abi_major != UPKEEP_ABI_MAJOR)
		return error_set(err, -EPROTO, REBUILD ", or install its version for this major",
			"plugin %s is made for ABI %u.%u; this host has %u.%u and loads only major "
			"%u",
			path, plugin->abi_major, plugin->abi_minor, UPKEEP_ABI_MAJOR,
			UPKEEP_ABI_MINOR, UPKEEP_ABI_MAJOR);
	if (plugin->needs_minor > UPKEEP_ABI_MINOR)
		return error_set(err, -EPROTO,
			"install a newer upkeep, or an older version of the "
			"plugin",
			"plugin %s needs a host of ABI %u.%u or newer; this host has %u.%u", path,
			plugin->abi_major, plugin->needs_minor, UPKEEP_ABI_MAJOR, UPKEEP_ABI_MINOR);
	return 0;
}

static int check_head(const struct upkeep_plugin *plugin, const char *path, struct error *err)
{
	int r = check_versions(plugin, path, err);
	if (r == 0)
		r = check_size(path, "struct upkeep_plugin", plugin->struct_size, PLUGIN_1_0, err);
	if (r == 0)
		r = check_size(path, "struct upkeep_param", plugin->param_stride, PARAM_1_0, err);
	if (r == 0)
		r = check_size(
			path, "struct upkeep_action", plugin->action_stride, ACTION_1_0, err);
	if (r == 0)
		r = check_size(
			path, "struct upkeep_output", plugin->output_stride, OUTPUT_1_0, err);
	return r;
}

struct copier {
	const struct upkeep_plugin *theirs;
	const char *path;
	struct arena *arena;
	struct error *err;
};

/* min(stride, our size) of each element, the rest zero: older plugins lack our newest fields,
 * newer ones have fields that we do not know. */
static void *copy_table(
	const struct copier *copier, const void *table, size_t count, size_t stride, size_t size)
{
	char *copy = arena_array(copier->arena, count, size);

	for (size_t i = 0; table && i < count; i++)
		memcpy(copy + i * size, (const char *)table + i * stride,
			stride < size ? stride : size);
	return copy;
}

static int check_table(
	const struct copier *copier, const char *what, const void *table, size_t count, size_t most)
{
	if (count <= most && (count == 0 || table))
		return 0;
	return error_set(copier->err, -EPROTO, REBUILD,
		"plugin %s is damaged: %s has %zu entries%s; "
		"this host takes at most %zu",
		copier->path, what, count, table ? "" : " and no table", most);
}

static int copy_params(const struct copier *copier, const char *what,
	const struct upkeep_param **table, size_t count, unsigned depth)
{
	int r = check_table(copier, what, *table, count, DESCRIBE_PARAMS_MAX);
	if (r < 0)
		return r;
	if (depth > DESCRIBE_DEPTH_MAX)
		return error_set(copier->err, -EPROTO, REBUILD,
			"plugin %s: %s has groups more than %u "
			"levels deep",
			copier->path, what, DESCRIBE_DEPTH_MAX);
	struct upkeep_param *params =
		copy_table(copier, *table, count, copier->theirs->param_stride, sizeof params[0]);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = copy_params(copier, what, &params[i].fields, params[i].field_count, depth + 1);
	*table = params;
	return r;
}

static int copy_action(
	const struct copier *copier, struct upkeep_action *action, struct action_description *ret)
{
	const char *what = action->name ? action->name : "an action without a name";

	if (!action->run)
		return error_set(copier->err, -EPROTO, "set .run of the action",
			"plugin %s: action "
			"\"%s\" has no run",
			copier->path, what);
	int r = copy_params(copier, what, &action->params, action->param_count, 0);
	if (r == 0)
		r = check_table(
			copier, what, action->outputs, action->output_count, DESCRIBE_PARAMS_MAX);
	if (r < 0)
		return r;
	action->outputs = copy_table(copier, action->outputs, action->output_count,
		copier->theirs->output_stride, sizeof action->outputs[0]);
	ret->decl = *action;
	ret->decl.check = ret->decl.plan = ret->decl.run = NULL;
	ret->decl.probe = ret->decl.undo = NULL;
	ret->has = (action->check ? ACTION_HAS_CHECK : 0) | (action->plan ? ACTION_HAS_PLAN : 0) |
		(action->probe ? ACTION_HAS_PROBE : 0) | (action->undo ? ACTION_HAS_UNDO : 0);
	return 0;
}

static int copy_actions(const struct copier *copier, struct admitted *ret)
{
	size_t count = ret->plugin.action_count;
	int r = check_table(
		copier, "the table of actions", ret->plugin.actions, count, DESCRIBE_ACTIONS_MAX);

	if (r < 0)
		return r;
	struct action_description *described =
		arena_array(copier->arena, count, sizeof described[0]);
	ret->actions = copy_table(copier, ret->plugin.actions, count, copier->theirs->action_stride,
		sizeof ret->actions[0]);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = copy_action(copier, &ret->actions[i], &described[i]);
	ret->description.actions = described;
	ret->description.action_count = count;
	return r;
}

static int copy_plugin(const struct copier *copier, struct admitted *ret)
{
	uint32_t size = copier->theirs->struct_size;

	memcpy(&ret->plugin, copier->theirs, size < sizeof ret->plugin ? size : sizeof ret->plugin);
	ret->description = (struct plugin_description){.name = ret->plugin.name,
		.version = ret->plugin.version,
		.about = ret->plugin.about,
		.abi_major = ret->plugin.abi_major,
		.abi_minor = ret->plugin.abi_minor,
		.needs_minor = ret->plugin.needs_minor,
		.settings = ret->plugin.settings,
		.setting_count = ret->plugin.setting_count,
		.settings_size = ret->plugin.settings_size};
	int r = copy_params(
		copier, "settings", &ret->description.settings, ret->description.setting_count, 0);
	return r ? r : copy_actions(copier, ret);
}

int plugin_admit(const struct upkeep_plugin *plugin, const char *name, const char *path,
	struct arena *arena, struct admitted *ret, struct error *err)
{
	struct copier copier = {plugin, path, arena, err};

	*ret = (struct admitted){0};
	int r = check_head(plugin, path, err);
	if (r == 0)
		r = copy_plugin(&copier, ret);
	if (r == 0)
		r = description_check(&ret->description, err);
	if (r == 0 && name && !text_equal(name, plugin->name))
		r = error_set(err, -EPROTO,
			"rename the file, or the plugin in UPKEEP_PLUGIN(.name = ...)",
			"the file %s holds a plugin that is named \"%s\"; it must be named \"%s\"",
			path, plugin->name, name);
	return r;
}

const struct upkeep_action *admitted_action(const struct admitted *admitted, const char *name)
{
	for (size_t i = 0; i < admitted->plugin.action_count; i++)
		if (text_equal(admitted->actions[i].name, name))
			return &admitted->actions[i];
	return NULL;
}
