/* SPDX-License-Identifier: MIT */
#include "model/describe_json.h"

#include "base/cleanup.h"
#include "model/describe_check.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#define FORMAT 1 /* raised when the JSON changes: older caches are made anew */

static void cleanup_json(json_t **json)
{
	json_decref(*json);
}
#define CLEANUP_JSON __attribute__((cleanup(cleanup_json)))

/* ---- writing ---- */

static void set_text(json_t *object, const char *key, const char *text)
{
	if (text)
		json_object_set_new(object, key, json_string(text) ?: json_string("(not UTF-8)"));
}

static void set_number(json_t *object, const char *key, int64_t number)
{
	if (number)
		json_object_set_new(object, key, json_integer(number));
}

static json_t *params_json(const struct upkeep_param *params, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++) {
		const struct upkeep_param *param = &params[i];
		json_t *object = json_object();
		set_text(object, "name", param->name);
		set_text(object, "about", param->about);
		set_number(object, "offset", (int64_t)param->offset);
		set_number(object, "type", param->type);
		set_number(object, "flags", param->flags);
		set_number(object, "min", param->min);
		set_number(object, "max", param->max);
		set_text(object, "preset", param->preset);
		set_text(object, "choices", param->choices);
		set_number(object, "size", (int64_t)param->fields_size);
		if (param->field_count)
			json_object_set_new(
				object, "fields", params_json(param->fields, param->field_count));
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *outputs_json(const struct upkeep_action *action)
{
	json_t *array = json_array();

	for (size_t i = 0; i < action->output_count; i++) {
		json_t *object = json_object();
		set_text(object, "name", action->outputs[i].name);
		set_text(object, "about", action->outputs[i].about);
		set_number(object, "type", action->outputs[i].type);
		set_number(object, "flags", action->outputs[i].flags);
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *action_json(const struct action_description *action)
{
	json_t *object = json_object();

	set_text(object, "name", action->decl.name);
	set_text(object, "about", action->decl.about);
	set_number(object, "changes", action->decl.changes);
	set_number(object, "flags", action->decl.flags);
	set_number(object, "has", action->has);
	set_number(object, "size", (int64_t)action->decl.params_size);
	set_text(object, "manual", action->decl.manual);
	json_object_set_new(
		object, "params", params_json(action->decl.params, action->decl.param_count));
	json_object_set_new(object, "outputs", outputs_json(&action->decl));
	return object;
}

static char *dump(json_t *root)
{
	char *text = json_dumps(root, JSON_COMPACT);

	return text ? text : base_string("{}");
}

char *description_to_json(const struct plugin_description *plugin)
{
	CLEANUP_JSON json_t *root = json_object();
	json_t *actions = json_array();

	set_number(root, "format", FORMAT);
	set_text(root, "name", plugin->name);
	set_text(root, "version", plugin->version);
	set_text(root, "about", plugin->about);
	set_number(root, "abi_major", plugin->abi_major);
	set_number(root, "abi_minor", plugin->abi_minor);
	set_number(root, "needs_minor", plugin->needs_minor);
	set_number(root, "size", (int64_t)plugin->settings_size);
	json_object_set_new(root, "settings", params_json(plugin->settings, plugin->setting_count));
	for (size_t i = 0; i < plugin->action_count; i++)
		json_array_append_new(actions, action_json(&plugin->actions[i]));
	json_object_set_new(root, "actions", actions);
	return dump(root);
}

char *refusal_to_json(const struct error *err)
{
	CLEANUP_JSON json_t *root = json_object();

	set_number(root, "format", FORMAT);
	set_text(root, "refused", error_what(err));
	set_text(root, "next", err->next);
	return dump(root);
}

/* ---- reading ---- */

struct reader {
	struct arena *arena;
	unsigned depth;
};

static const char *get_text(struct reader *reader, json_t *object, const char *key)
{
	return arena_string(reader->arena, json_string_value(json_object_get(object, key)));
}

static bool get_u32(json_t *object, const char *key, uint32_t *ret)
{
	int64_t number = json_integer_value(json_object_get(object, key));

	*ret = (uint32_t)number;
	return number >= 0 && number <= UINT32_MAX;
}

static bool get_size(json_t *object, const char *key, size_t *ret)
{
	int64_t number = json_integer_value(json_object_get(object, key));

	*ret = (size_t)number;
	return number >= 0 && number <= DESCRIBE_SIZE_MAX;
}

static bool read_params(
	struct reader *reader, json_t *array, const struct upkeep_param **ret, size_t *ret_count);

static bool read_param(struct reader *reader, json_t *object, struct upkeep_param *ret)
{
	ret->name = get_text(reader, object, "name");
	ret->about = get_text(reader, object, "about");
	ret->min = json_integer_value(json_object_get(object, "min"));
	ret->max = json_integer_value(json_object_get(object, "max"));
	ret->preset = get_text(reader, object, "preset");
	ret->choices = get_text(reader, object, "choices");
	return get_size(object, "offset", &ret->offset) && get_u32(object, "type", &ret->type) &&
		get_u32(object, "flags", &ret->flags) &&
		get_size(object, "size", &ret->fields_size) &&
		read_params(
			reader, json_object_get(object, "fields"), &ret->fields, &ret->field_count);
}

static bool read_params(
	struct reader *reader, json_t *array, const struct upkeep_param **ret, size_t *ret_count)
{
	size_t count = json_array_size(array);

	if (count > DESCRIBE_PARAMS_MAX || reader->depth > DESCRIBE_DEPTH_MAX)
		return false;
	struct upkeep_param *params = arena_array(reader->arena, count, sizeof params[0]);
	reader->depth++;
	for (size_t i = 0; i < count; i++)
		if (!read_param(reader, json_array_get(array, i), &params[i]))
			return false;
	reader->depth--;
	*ret = params;
	*ret_count = count;
	return true;
}

static bool read_outputs(struct reader *reader, json_t *array, struct upkeep_action *ret)
{
	size_t count = json_array_size(array);

	if (count > DESCRIBE_PARAMS_MAX)
		return false;
	struct upkeep_output *outputs = arena_array(reader->arena, count, sizeof outputs[0]);
	for (size_t i = 0; i < count; i++) {
		json_t *object = json_array_get(array, i);
		outputs[i].name = get_text(reader, object, "name");
		outputs[i].about = get_text(reader, object, "about");
		if (!get_u32(object, "type", &outputs[i].type) ||
			!get_u32(object, "flags", &outputs[i].flags))
			return false;
	}
	ret->outputs = outputs;
	ret->output_count = count;
	return true;
}

static bool read_action(struct reader *reader, json_t *object, struct action_description *ret)
{
	struct upkeep_action *decl = &ret->decl;

	decl->name = get_text(reader, object, "name");
	decl->about = get_text(reader, object, "about");
	decl->manual = get_text(reader, object, "manual");
	return get_u32(object, "changes", &decl->changes) &&
		get_u32(object, "flags", &decl->flags) && get_u32(object, "has", &ret->has) &&
		get_size(object, "size", &decl->params_size) &&
		read_params(reader, json_object_get(object, "params"), &decl->params,
			&decl->param_count) &&
		read_outputs(reader, json_object_get(object, "outputs"), decl);
}

static bool read_actions(struct reader *reader, json_t *array, struct plugin_description *ret)
{
	size_t count = json_array_size(array);

	if (count > DESCRIBE_ACTIONS_MAX)
		return false;
	struct action_description *actions = arena_array(reader->arena, count, sizeof actions[0]);
	for (size_t i = 0; i < count; i++)
		if (!read_action(reader, json_array_get(array, i), &actions[i]))
			return false;
	ret->actions = actions;
	ret->action_count = count;
	return true;
}

static bool read_plugin(struct reader *reader, json_t *root, struct plugin_description *ret)
{
	ret->name = get_text(reader, root, "name");
	ret->version = get_text(reader, root, "version");
	ret->about = get_text(reader, root, "about");
	return get_u32(root, "abi_major", &ret->abi_major) &&
		get_u32(root, "abi_minor", &ret->abi_minor) &&
		get_u32(root, "needs_minor", &ret->needs_minor) &&
		get_size(root, "size", &ret->settings_size) &&
		read_params(reader, json_object_get(root, "settings"), &ret->settings,
			&ret->setting_count) &&
		read_actions(reader, json_object_get(root, "actions"), ret);
}

int description_from_json(const char *json, size_t size, struct arena *arena,
	struct plugin_description *ret, struct error *err)
{
	CLEANUP_JSON json_t *root = json_loadb(json, size, 0, NULL);
	struct reader reader = {.arena = arena};

	*ret = (struct plugin_description){0};
	if (json_integer_value(json_object_get(root, "format")) != FORMAT)
		return error_set(err, -EBADMSG, NULL, "this is not the description of a plugin");
	const char *refused = json_string_value(json_object_get(root, "refused"));
	if (refused)
		return error_set(err, -EPROTO, json_string_value(json_object_get(root, "next")),
			"%s", refused);
	if (!read_plugin(&reader, root, ret))
		return error_set(err, -EBADMSG, NULL, "the description of the plugin is damaged");
	return description_check(ret, err);
}
