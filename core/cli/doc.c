/* SPDX-License-Identifier: MIT */
#include "cli/load.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "model/nearest.h"
#include "model/value.h"

#include <string.h>

static const char *changes_name(uint32_t changes)
{
	static const char *const names[] = {"unknown", "none", "recorded", "irreversible"};

	return changes < 4 ? names[changes] : names[0];
}

static json_t *param_json(const struct upkeep_param *param);

static json_t *fields_json(const struct upkeep_param *params, size_t count)
{
	json_t *properties = json_object(), *required = json_array();

	for (size_t i = 0; i < count; i++) {
		json_object_set_new(properties, params[i].name, param_json(&params[i]));
		if (params[i].flags & UPKEEP_REQUIRED)
			json_array_append_new(required, json_string(params[i].name));
	}
	return json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", properties,
		"required", required, "additionalProperties", 0);
}

static json_t *scalar_json(const struct upkeep_param *param)
{
	uint32_t type = param->type & ~UPKEEP_LIST;
	json_t *json;

	if (type == UPKEEP_GROUP)
		return fields_json(param->fields, param->field_count);
	json = json_pack("{s:s}", "type",
		type == UPKEEP_INT             ? "integer"
			: type == UPKEEP_FLOAT ? "number"
			: type == UPKEEP_BOOL  ? "boolean"
					       : "string");
	if (type == UPKEEP_INT && (param->min || param->max)) {
		json_object_set_new(json, "minimum", json_integer(param->min));
		json_object_set_new(json, "maximum", json_integer(param->max));
	}
	if (type == UPKEEP_CHOICE && param->choices) {
		CLEANUP_FREE char *copy = base_string(param->choices);
		json_t *words = json_array();
		char *rest = copy, *word;

		while ((word = strsep(&rest, "|")))
			json_array_append_new(words, json_string(word));
		json_object_set_new(json, "enum", words);
	}
	return json;
}

static json_t *param_json(const struct upkeep_param *param)
{
	json_t *json = scalar_json(param);

	if (param->type & UPKEEP_LIST)
		json = json_pack("{s:s, s:o}", "type", "array", "items", json);
	json_object_set_new(json, "description", json_text(param->about ? param->about : ""));
	if (param->preset)
		json_object_set_new(json, "default", json_text(param->preset));
	return json;
}

static void param_print(const struct upkeep_param *param, int depth, struct text *out)
{
	text_addf(out, "%*s%s (%s%s)", 2 + 2 * depth, "", param->name, type_name(param->type),
		param->flags & UPKEEP_REQUIRED ? ", required" : "");
	text_addf(out, ": %s", param->about ? param->about : "");
	if (param->max == INT64_MAX)
		text_addf(out, "; from %lld", (long long)param->min);
	else if (param->min || param->max)
		text_addf(out, "; from %lld to %lld", (long long)param->min, (long long)param->max);
	if (param->choices)
		text_addf(out, "; one of %s", param->choices);
	if (param->preset)
		text_addf(out, "; default %s%s", param->preset,
			param->flags & UPKEEP_NO_UNDO ? ", anything else cannot be undone" : "");
	text_addc(out, '\n');
	for (size_t i = 0; i < param->field_count; i++)
		param_print(&param->fields[i], depth + 1, out);
}

static void action_print(const char *name, const struct action_description *action)
{
	const struct upkeep_action *decl = &action->decl;
	struct text out = {0};

	text_addf(&out, "%s: %s\n", name, decl->about ? decl->about : "");
	text_adds(&out, decl->param_count ? "\nParameters:\n" : "\nNo parameters.\n");
	for (size_t i = 0; i < decl->param_count; i++)
		param_print(&decl->params[i], 0, &out);
	if (decl->output_count)
		text_adds(&out, "\nOutputs:\n");
	for (size_t i = 0; i < decl->output_count; i++)
		text_addf(&out, "  %s (%s): %s\n", decl->outputs[i].name,
			type_name(decl->outputs[i].type), decl->outputs[i].about);
	text_addf(&out, "\nChanges: %s\nUndo: %s\n", changes_name(decl->changes),
		action->has & ACTION_HAS_UNDO ? "yes" : "no");
	if (decl->manual)
		text_addf(&out, "\n%s\n", decl->manual);
	cli_print_text(&out);
}

static void names_print(const struct plugin_description *plugin, const char *instance, json_t *list,
	struct text *out)
{
	for (size_t i = 0; plugin && i < plugin->action_count; i++) {
		const struct upkeep_action *decl = &plugin->actions[i].decl;

		json_array_append_new(list, json_sprintf("%s.%s", instance, decl->name));
		text_addf(out, "%s.%s: %s\n", instance, decl->name, decl->about ? decl->about : "");
	}
}

static int all_print(const struct cli *cli, const struct loaded *loaded)
{
	struct text out = {0};
	json_t *list = json_array();

	names_print(&core_description, "core", list, &out);
	for (uint32_t i = 0; loaded->site && i < loaded->site->instance_count; i++)
		names_print(loaded->site->instances[i].description, loaded->site->instances[i].name,
			list, &out);
	if (cli->options.json)
		cli_print_json(json_incref(list));
	else
		fputs(text_string(&out), stdout);
	text_free(&out);
	json_decref(list);
	return EXIT_OK;
}

/* An enabled instance, or a plugin that is there but not enabled. */
static int plugin_find(const struct cli *cli, const struct loaded *loaded, const char *name,
	const struct error *no_site, const struct plugin_description **ret)
{
	const struct instance *instance = loaded->site ? site_instance(loaded->site, name) : NULL;
	CLEANUP_ERROR struct error err = {0};
	const char *path;

	*ret = text_equal(name, "core") ? &core_description
		: instance              ? instance->description
					: NULL;
	if (*ret)
		return 0;
	int r = catalog_find(loaded->catalog, name, &path, ret, &err);
	if (r == -ENOENT && no_site->what)
		return cli_fail(cli, EXIT_CONFIGURATION, no_site);
	return r < 0 ? cli_fail(cli, r == -ENOENT ? EXIT_USAGE : EXIT_PLUGIN, &err) : 0;
}

static int action_unknown(const struct cli *cli, const struct plugin_description *plugin,
	const char *whole, const char *instance)
{
	const char *action = whole + strlen(instance) + 1;
	struct nearest nearest = nearest_start(action);
	char question[128];

	for (size_t i = 0; i < plugin->action_count; i++)
		nearest_try(&nearest, plugin->actions[i].decl.name);
	const char *next = nearest_question(&nearest, question, sizeof question);
	return cli_usage(cli, next ? next : "see upkeep doc", "plugin \"%s\" has no action \"%s\"",
		instance, action);
}

static int plugin_print(
	const struct cli *cli, const struct plugin_description *plugin, const char *instance)
{
	CLEANUP_TEXT struct text out = {0};
	json_t *actions = json_array();

	if (cli->options.json) {
		json_t *json = fields_json(plugin->settings, plugin->setting_count);
		json_object_set_new(json, "title", json_string(instance));
		json_decref(actions);
		cli_print_json(json);
		return EXIT_OK;
	}
	text_addf(&out, "%s: %s\n", instance, plugin->about ? plugin->about : "");
	text_adds(&out, plugin->setting_count ? "\nSettings:\n" : "\nNo settings.\n");
	for (size_t i = 0; i < plugin->setting_count; i++)
		param_print(&plugin->settings[i], 0, &out);
	text_adds(&out, "\nActions:\n");
	names_print(plugin, instance, actions, &out);
	json_decref(actions);
	cli_print_text(&out);
	return EXIT_OK;
}

int command_doc(struct cli *cli)
{
	CLEANUP_LOADED struct loaded loaded = {0};
	const struct plugin_description *plugin = NULL;
	CLEANUP_ERROR struct error err = {0};
	int r = site_try(cli, &loaded, &err);

	if (!loaded.catalog)
		return cli_fail(cli, EXIT_INTERNAL, &err);
	if (!cli->args.count && r < 0)
		cli_fail(cli, EXIT_OK, &err);
	if (!cli->args.count)
		return all_print(cli, &loaded);
	const char *whole = cli->args.items[0], *dot = strchr(whole, '.');
	CLEANUP_FREE char *name = strndup(whole, dot ? (size_t)(dot - whole) : strlen(whole));
	int code = plugin_find(cli, &loaded, name, &err, &plugin);
	if (code)
		return code;
	if (!dot)
		return plugin_print(cli, plugin, name);
	const struct action_description *action = description_action(plugin, dot + 1);
	if (!action)
		return action_unknown(cli, plugin, whole, name);
	if (!cli->options.json) {
		action_print(whole, action);
		return EXIT_OK;
	}
	json_t *json = fields_json(action->decl.params, action->decl.param_count);
	json_object_set_new(json, "title", json_string(whole));
	json_object_set_new(
		json, "$schema", json_string("https://json-schema.org/draft/2020-12/schema"));
	cli_print_json(json);
	return EXIT_OK;
}
