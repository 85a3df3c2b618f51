/* SPDX-License-Identifier: MIT */
#include "cli/load.h"

#include "base/json.h"
#include "report/table.h"

static json_t *instance_json(const struct instance *instance)
{
	const struct plugin_description *d = instance->description;
	json_t *json = json_pack("{s:s, s:s, s:o}", "instance", instance->name, "plugin",
		instance->plugin, "path", json_text(instance->path));
	json_t *actions = json_array();

	for (size_t i = 0; d && i < d->action_count; i++)
		json_array_append_new(actions, json_string(d->actions[i].decl.name));
	json_object_set_new(json, "actions", actions);
	if (d)
		json_object_update_new(json,
			json_pack("{s:o, s:o, s:i, s:i}", "version", json_text(d->version), "about",
				json_text(d->about), "abi_major", (int)d->abi_major, "abi_minor",
				(int)d->abi_minor));
	return json;
}

static void instance_row(struct table *table, const struct instance *instance)
{
	const struct plugin_description *d = instance->description;
	CLEANUP_TEXT struct text abi = {0}, actions = {0};

	for (size_t i = 0; d && i < d->action_count; i++)
		text_addf(&actions, "%s%s", i ? " " : "", d->actions[i].decl.name);
	if (d)
		text_addf(&abi, "%u.%u", d->abi_major, d->abi_minor);
	table_add(table, instance->name);
	table_add(table, instance->plugin);
	table_add(table, d ? d->version : NULL);
	table_add(table, d ? text_string(&abi) : NULL);
	table_add(table, d ? text_string(&actions) : "refused: upkeep check");
}

int command_plugins(struct cli *cli)
{
	CLEANUP_LOADED struct loaded loaded = {0};
	CLEANUP_TABLE struct table table = {0};
	struct text text = {0};
	int code = site_load(cli, &loaded);

	if (code)
		return code;
	json_t *list = json_array();
	table_begin(&table, "instance|plugin|version|abi|actions");
	for (uint32_t i = 0; i < loaded.site->instance_count; i++) {
		json_array_append_new(list, instance_json(&loaded.site->instances[i]));
		instance_row(&table, &loaded.site->instances[i]);
	}
	if (cli->options.json)
		cli_print_json(json_incref(list));
	else
		table_print(&table, &text);
	cli_print_text(&text);
	json_decref(list);
	return EXIT_OK;
}
