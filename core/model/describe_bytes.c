/* SPDX-License-Identifier: MIT */
#include "model/describe_bytes.h"

#include "model/describe_check.h"
#include "model/tree.h"

#include <errno.h>
#include <string.h>

#define FORMAT 2 /* raised when this changes: older caches are made anew */
#define MEMBERS_MAX 12

/* ---- writing ---- */

static struct value group_begin(struct arena *arena)
{
	return (struct value){.kind = VALUE_GROUP,
		.group.members = arena_array(arena, MEMBERS_MAX, sizeof(struct value_member))};
}

static void set(struct value *group, const char *key, struct value value)
{
	group->group.members[group->group.count++] =
		(struct value_member){.name = key, .value = value};
}

static void set_text(struct value *group, const char *key, const char *text)
{
	if (text)
		set(group, key, (struct value){.kind = VALUE_STRING, .string = text});
}

static void set_number(struct value *group, const char *key, int64_t number)
{
	if (number)
		set(group, key, (struct value){.kind = VALUE_INT, .integer = number});
}

static struct value list_begin(struct arena *arena, size_t count)
{
	return (struct value){
		.kind = VALUE_LIST, .list.items = arena_array(arena, count, sizeof(struct value))};
}

static struct value pack_params(
	struct arena *arena, const struct upkeep_param *params, size_t count)
{
	struct value list = list_begin(arena, count);

	for (size_t i = 0; i < count; i++) {
		const struct upkeep_param *param = &params[i];
		struct value group = group_begin(arena);
		set_text(&group, "name", param->name);
		set_text(&group, "about", param->about);
		set_number(&group, "offset", (int64_t)param->offset);
		set_number(&group, "type", param->type);
		set_number(&group, "flags", param->flags);
		set_number(&group, "min", param->min);
		set_number(&group, "max", param->max);
		set_text(&group, "preset", param->preset);
		set_text(&group, "choices", param->choices);
		set_number(&group, "size", (int64_t)param->fields_size);
		if (param->field_count)
			set(&group, "fields",
				pack_params(arena, param->fields, param->field_count));
		list.list.items[list.list.count++] = group;
	}
	return list;
}

static struct value pack_outputs(struct arena *arena, const struct upkeep_action *action)
{
	struct value list = list_begin(arena, action->output_count);

	for (size_t i = 0; i < action->output_count; i++) {
		struct value group = group_begin(arena);
		set_text(&group, "name", action->outputs[i].name);
		set_text(&group, "about", action->outputs[i].about);
		set_number(&group, "type", action->outputs[i].type);
		set_number(&group, "flags", action->outputs[i].flags);
		list.list.items[list.list.count++] = group;
	}
	return list;
}

static struct value pack_action(struct arena *arena, const struct action_description *action)
{
	const struct upkeep_action *decl = &action->decl;
	struct value group = group_begin(arena);

	set_text(&group, "name", decl->name);
	set_text(&group, "about", decl->about);
	set_number(&group, "changes", decl->changes);
	set_number(&group, "flags", decl->flags);
	set_number(&group, "has", action->has);
	set_number(&group, "size", (int64_t)decl->params_size);
	set_text(&group, "manual", decl->manual);
	set(&group, "params", pack_params(arena, decl->params, decl->param_count));
	set(&group, "outputs", pack_outputs(arena, decl));
	return group;
}

void description_write(const struct plugin_description *plugin, struct text *bytes)
{
	struct arena arena = {0};
	struct value root = group_begin(&arena);
	struct value actions = list_begin(&arena, plugin->action_count);

	for (size_t i = 0; i < plugin->action_count; i++)
		actions.list.items[actions.list.count++] = pack_action(&arena, &plugin->actions[i]);
	set_number(&root, "format", FORMAT);
	set_text(&root, "name", plugin->name);
	set_text(&root, "version", plugin->version);
	set_text(&root, "about", plugin->about);
	set_number(&root, "abi_major", plugin->abi_major);
	set_number(&root, "abi_minor", plugin->abi_minor);
	set_number(&root, "needs_minor", plugin->needs_minor);
	set_number(&root, "size", (int64_t)plugin->settings_size);
	set(&root, "settings", pack_params(&arena, plugin->settings, plugin->setting_count));
	set(&root, "actions", actions);
	tree_write(bytes, &root);
	arena_free(&arena);
}

void refusal_write(const struct error *refusal, struct text *bytes)
{
	struct arena arena = {0};
	struct value root = group_begin(&arena);

	set_number(&root, "format", FORMAT);
	set_text(&root, "refused", error_what(refusal));
	set_text(&root, "next", refusal->next);
	tree_write(bytes, &root);
	arena_free(&arena);
}

/* ---- reading ---- */

struct reader {
	struct arena *arena;
	unsigned depth;
};

/* Whoever shows it takes it for UTF-8. */
static const char *get_text(const struct value *group, const char *key)
{
	const struct value *value = value_get(group, key);

	if (!value || value->kind != VALUE_STRING)
		return NULL;
	return text_is_utf8(value->string) ? value->string : "(not UTF-8)";
}

static int64_t get_number(const struct value *group, const char *key)
{
	const struct value *value = value_get(group, key);

	return value && value->kind == VALUE_INT ? value->integer : 0;
}

/* An empty one where there is none. */
static struct value get_list(const struct value *group, const char *key)
{
	const struct value *value = value_get(group, key);

	return value && value->kind == VALUE_LIST ? *value : (struct value){.kind = VALUE_LIST};
}

static bool get_u32(const struct value *group, const char *key, uint32_t *ret)
{
	int64_t number = get_number(group, key);

	*ret = (uint32_t)number;
	return number >= 0 && number <= UINT32_MAX;
}

static bool get_size(const struct value *group, const char *key, size_t *ret)
{
	int64_t number = get_number(group, key);

	*ret = (size_t)number;
	return number >= 0 && number <= DESCRIBE_SIZE_MAX;
}

static bool read_params(struct reader *reader, struct value list, const struct upkeep_param **ret,
	size_t *ret_count);

static bool read_param(struct reader *reader, const struct value *object, struct upkeep_param *ret)
{
	ret->name = get_text(object, "name");
	ret->about = get_text(object, "about");
	ret->min = get_number(object, "min");
	ret->max = get_number(object, "max");
	ret->preset = get_text(object, "preset");
	ret->choices = get_text(object, "choices");
	return get_size(object, "offset", &ret->offset) && get_u32(object, "type", &ret->type) &&
		get_u32(object, "flags", &ret->flags) &&
		get_size(object, "size", &ret->fields_size) &&
		read_params(reader, get_list(object, "fields"), &ret->fields, &ret->field_count);
}

static bool read_params(struct reader *reader, struct value list, const struct upkeep_param **ret,
	size_t *ret_count)
{
	size_t count = list.list.count;

	if (count > DESCRIBE_PARAMS_MAX || reader->depth > DESCRIBE_DEPTH_MAX)
		return false;
	struct upkeep_param *params = arena_array(reader->arena, count, sizeof params[0]);
	reader->depth++;
	for (size_t i = 0; i < count; i++)
		if (!read_param(reader, &list.list.items[i], &params[i]))
			return false;
	reader->depth--;
	*ret = params;
	*ret_count = count;
	return true;
}

static bool read_outputs(struct reader *reader, struct value list, struct upkeep_action *ret)
{
	size_t count = list.list.count;

	if (count > DESCRIBE_PARAMS_MAX)
		return false;
	struct upkeep_output *outputs = arena_array(reader->arena, count, sizeof outputs[0]);
	for (size_t i = 0; i < count; i++) {
		const struct value *object = &list.list.items[i];
		outputs[i].name = get_text(object, "name");
		outputs[i].about = get_text(object, "about");
		if (!get_u32(object, "type", &outputs[i].type) ||
			!get_u32(object, "flags", &outputs[i].flags))
			return false;
	}
	ret->outputs = outputs;
	ret->output_count = count;
	return true;
}

static bool read_action(
	struct reader *reader, const struct value *object, struct action_description *ret)
{
	struct upkeep_action *decl = &ret->decl;

	decl->name = get_text(object, "name");
	decl->about = get_text(object, "about");
	decl->manual = get_text(object, "manual");
	return get_u32(object, "changes", &decl->changes) &&
		get_u32(object, "flags", &decl->flags) && get_u32(object, "has", &ret->has) &&
		get_size(object, "size", &decl->params_size) &&
		read_params(
			reader, get_list(object, "params"), &decl->params, &decl->param_count) &&
		read_outputs(reader, get_list(object, "outputs"), decl);
}

static bool read_actions(struct reader *reader, struct value list, struct plugin_description *ret)
{
	size_t count = list.list.count;

	if (count > DESCRIBE_ACTIONS_MAX)
		return false;
	struct action_description *actions = arena_array(reader->arena, count, sizeof actions[0]);
	for (size_t i = 0; i < count; i++)
		if (!read_action(reader, &list.list.items[i], &actions[i]))
			return false;
	ret->actions = actions;
	ret->action_count = count;
	return true;
}

static bool read_plugin(
	struct reader *reader, const struct value *root, struct plugin_description *ret)
{
	ret->name = get_text(root, "name");
	ret->version = get_text(root, "version");
	ret->about = get_text(root, "about");
	return get_u32(root, "abi_major", &ret->abi_major) &&
		get_u32(root, "abi_minor", &ret->abi_minor) &&
		get_u32(root, "needs_minor", &ret->needs_minor) &&
		get_size(root, "size", &ret->settings_size) &&
		read_params(
			reader, get_list(root, "settings"), &ret->settings, &ret->setting_count) &&
		read_actions(reader, get_list(root, "actions"), ret);
}

int description_read(const char *bytes, size_t size, struct arena *arena,
	struct plugin_description *ret, struct error *err)
{
	struct reader reader = {.arena = arena};
	struct value root;

	*ret = (struct plugin_description){0};
	if (tree_read((const unsigned char *)bytes, size, arena, &root) < 0 ||
		get_number(&root, "format") != FORMAT)
		return error_set(err, -EBADMSG, NULL, "this is not the description of a plugin");
	const char *refused = get_text(&root, "refused");
	if (refused)
		return error_set(err, -EPROTO, get_text(&root, "next"), "%s", refused);
	if (!read_plugin(&reader, &root, ret))
		return error_set(err, -EBADMSG, NULL, "the description of the plugin is damaged");
	return description_check(ret, err);
}
