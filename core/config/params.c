/* SPDX-License-Identifier: MIT */
#include "config/loader.h"

#include <string.h>

static const struct upkeep_param keys[] = {
	{.name = "type",
		.about = "add its type, such as \"string\", \"int\" or \"list of path\"",
		.type = UPKEEP_STRING,
		.flags = UPKEEP_REQUIRED},
	{.name = "about", .about = "what it is", .type = UPKEEP_STRING},
	{.name = "default", .type = 0},
	{.name = "min", .type = 0},
	{.name = "max", .type = 0},
	{.name = "choices",
		.about = "write a list of words",
		.type = UPKEEP_LIST | UPKEEP_STRING,
		.flags = UPKEEP_NONEMPTY},
};

/* The type of what a bound is written as; 0: a value of that type has no bounds. */
static uint32_t bound_type(uint32_t type)
{
	switch (type & ~UPKEEP_LIST) {
	case UPKEEP_FLOAT:
	case UPKEEP_PERCENT:
		return UPKEEP_INT;
	case UPKEEP_INT:
	case UPKEEP_SIZE:
	case UPKEEP_DURATION:
	case UPKEEP_TIME:
		return type & ~UPKEEP_LIST;
	default:
		return 0;
	}
}

static int64_t read_bound(struct loader *loader, uint32_t type, const struct value *group,
	const char *name, int64_t otherwise)
{
	const struct value *value = value_get(group, name);
	struct upkeep_param bound = {.name = name, .type = bound_type(type)};

	if (!value)
		return otherwise;
	if (!bound.type) {
		loader_error(loader, value->at, "leave it out", "key \"%s\" means nothing for a %s",
			name, type_name(type));
		return otherwise;
	}
	if (param_check(&bound, value, loader_report, loader))
		return otherwise;
	return key_number(&bound, value);
}

static void read_bounds(struct loader *loader, const struct value *group, struct graph_param *param)
{
	bool has_min = value_get(group, "min") != NULL, has_max = value_get(group, "max") != NULL;
	uint32_t type = param->decl.type;

	if (!has_min && !has_max)
		return;
	param->decl.min = read_bound(loader, type, group, "min", INT64_MIN);
	/* A greatest below the least is none. */
	int64_t none = param->decl.min == INT64_MIN ? INT64_MAX : param->decl.min - 1;
	param->decl.max = read_bound(loader, type, group, "max", none);
	if (has_max && param->decl.min > param->decl.max)
		loader_error(loader, value_get(group, "max")->at, NULL,
			"key \"max\" must not be less than \"min\"");
}

static void read_choices(
	struct loader *loader, const struct value *group, struct graph_param *param)
{
	const struct value *choices = value_get(group, "choices");
	bool wanted = (param->decl.type & ~UPKEEP_LIST) == UPKEEP_CHOICE;
	struct text CLEANUP_TEXT words = {0};

	if (wanted && !choices)
		loader_error(loader, param->at, "add choices = [ \"one\", \"two\" ]",
			"key \"choices\" is missing");
	else if (!wanted && choices)
		loader_error(loader, choices->at, "write type = \"choice\"",
			"key \"choices\" means nothing for a %s", type_name(param->decl.type));
	if (!wanted || !choices || choices->kind != VALUE_LIST)
		return;
	for (uint32_t i = 0; i < choices->list.count; i++) {
		const struct value *word = &choices->list.items[i];
		if (strchr(word->string, '|'))
			loader_error(loader, word->at, NULL, "a choice must not contain \"|\"");
		text_addf(&words, "%s%s", i ? "|" : "", word->string);
	}
	param->decl.choices = arena_string(&loader->site->arena, text_string(&words));
}

static void read_preset(struct loader *loader, const struct value *group, struct graph_param *param)
{
	const struct value *preset = value_get(group, "default");
	struct upkeep_param decl = param->decl;

	if (!preset)
		return;
	decl.name = "default";
	/* References in it were refused with its group's keys. */
	if (!preset->has_refs && param_check(&decl, preset, loader_report, loader) == 0)
		param->preset = *preset;
}

static void read_type(struct loader *loader, const struct value *group, struct graph_param *param)
{
	const struct value *type = value_get(group, "type");

	param->decl.type = UPKEEP_STRING;
	if (!type || type->kind != VALUE_STRING)
		return;
	uint32_t read = type_from_name(type->string);
	if (read && (read & ~UPKEEP_LIST) != UPKEEP_GROUP)
		param->decl.type = read;
	else
		loader_error(loader, type->at,
			"types are string, int, float, bool, size, duration, percent, time, path, "
			"hostport, url, choice, secret, and \"list of\" any of them",
			"there is no type \"%s\"", type->string);
}

static void load_one(struct loader *loader, struct value_member *member, struct graph_param *param)
{
	*param = (struct graph_param){.name = member->name, .at = member->at};
	param->decl.name = member->name;
	param->decl.type = UPKEEP_STRING;
	if (member->value.kind != VALUE_GROUP) {
		loader_error(loader, member->value.at,
			"write { type = \"string\"; default = ...; }",
			"must be a group that says its type");
		return;
	}
	struct value *group = &member->value;
	unsigned before = diagnostics_errors(loader->diagnostics, NULL);
	loader->key_noun = "key";
	loader_keys(loader, keys, UPKEEP_COUNT(keys), group, member->at);
	read_type(loader, group, param);
	param->about = group_string(group, "about", NULL);
	param->decl.about = param->about;
	/* Of a wrong type, bounds and default would only be wrong once more. */
	if (diagnostics_errors(loader->diagnostics, NULL) != before)
		return;
	read_bounds(loader, group, param);
	read_choices(loader, group, param);
	read_preset(loader, group, param);
}

void params_load(struct loader *loader, struct value *params, struct graph *graph)
{
	const char *noun = loader->noun, *name = loader->name;

	graph->params = arena_news(&loader->site->arena, struct graph_param, params->group.count);
	for (uint32_t i = 0; i < params->group.count; i++) {
		struct value_member *member = &params->group.members[i];
		if (!loader_name(loader, member->at, "a parameter", member->name, true))
			continue;
		loader->noun = "parameter";
		loader->name = member->name;
		load_one(loader, member, &graph->params[graph->param_count++]);
		loader->noun = noun;
		loader->name = name;
	}
}
