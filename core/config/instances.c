/* SPDX-License-Identifier: MIT */
#include "config/loader.h"

#include "model/nearest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Takes `plugin = "NAME"` out of the settings; its value, or NULL. */
static const struct value *take_plugin(struct value *settings, struct value *store)
{
	struct value_member *members = settings->group.members;

	for (uint32_t i = 0; i < settings->group.count; i++) {
		if (strcmp(members[i].name, "plugin") != 0)
			continue;
		*store = members[i].value;
		settings->group.count--;
		memmove(&members[i], &members[i + 1],
			(settings->group.count - i) * sizeof members[0]);
		return store;
	}
	return NULL;
}

static bool any_undo(const struct plugin_description *description)
{
	for (size_t i = 0; i < description->action_count; i++)
		if (description->actions[i].has & ACTION_HAS_UNDO)
			return true;
	return false;
}

static void find_plugin(struct loader *loader, struct instance *instance, struct location at)
{
	struct error CLEANUP_ERROR err = {0};

	if (!loader->catalog ||
		catalog_find(loader->catalog, instance->plugin, &instance->path,
			&instance->description, &err) < 0)
		loader_plugin_error(loader, at, err.next, "%s",
			loader->catalog ? error_what(&err) : "no plugins can be used here");
}

static void check_settings(struct loader *loader, struct instance *instance)
{
	const struct plugin_description *description = instance->description;

	loader->key_noun = "setting";
	params_check(description->settings, description->setting_count, &instance->settings,
		instance->at, NULL, loader_report, loader);
	secrets_check(loader, description->settings, description->setting_count,
		&instance->settings, any_undo(description));
}

static void load_one(
	struct loader *loader, const struct value_member *member, struct instance *instance)
{
	struct value store;
	struct location at = member->at;

	*instance = (struct instance){.name = member->name,
		.at = member->at,
		.plugin = member->name,
		.settings = member->value};
	loader->name = member->name;
	if (member->value.kind != VALUE_GROUP) {
		loader_error(loader, member->value.at, "write { } where it needs no settings",
			"must be a group of settings");
		instance->settings = (struct value){.kind = VALUE_GROUP, .at = member->value.at};
		return;
	}
	const struct value *plugin = take_plugin(&instance->settings, &store);
	if (plugin && plugin->kind != VALUE_STRING) {
		loader_error(
			loader, plugin->at, NULL, "key \"plugin\" must be the name of a plugin");
		return;
	}
	if (plugin) {
		instance->plugin = plugin->string;
		at = plugin->at;
	}
	find_plugin(loader, instance, at);
	if (instance->settings.has_refs)
		loader_refuse_refs(loader, "a setting", &instance->settings);
	else if (instance->description)
		check_settings(loader, instance);
}

void instances_load(struct loader *loader, struct value *plugins)
{
	struct site *site = loader->site;

	site->instances = arena_news(&site->arena, struct instance, plugins->group.count);
	for (uint32_t i = 0; i < plugins->group.count; i++) {
		const struct value_member *member = &plugins->group.members[i];
		loader->noun = NULL;
		if (strcmp(member->name, "core") == 0) {
			loader_error(loader, member->at, "choose another name",
				"\"core\" is upkeep's own and no plugin");
			continue;
		}
		if (!loader_name(loader, member->at, "a plugin", member->name, false))
			continue;
		loader->noun = "plugin";
		load_one(loader, member, &site->instances[site->instance_count++]);
	}
	loader->noun = NULL;
}

static bool is_installed(struct loader *loader, const char *name)
{
	const char *const *names = loader->catalog ? catalog_names(loader->catalog) : NULL;

	for (; names && *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

static void report_disabled(struct loader *loader, const struct value *name, const char *plugin)
{
	struct nearest nearest = nearest_start(plugin);
	char question[128];

	nearest_try(&nearest, "core");
	for (uint32_t i = 0; i < loader->site->instance_count; i++)
		nearest_try(&nearest, loader->site->instances[i].name);
	if (is_installed(loader, plugin))
		loader_plugin_error(loader, name->at,
			arena_printf(&loader->site->arena, "add %s = { }; to \"plugins\" in %s",
				plugin, loader->site->path),
			"plugin \"%s\" is installed, but not enabled", plugin);
	else if (nearest.best)
		loader_error(loader, name->at,
			nearest_question(&nearest, question, sizeof question),
			"there is no plugin \"%s\"", plugin);
	else
		loader_plugin_error(loader, name->at, "upkeep plugins lists those that are enabled",
			"there is no plugin \"%s\"", plugin);
}

static const struct action_description *find_action(struct loader *loader, const struct value *name,
	const char *plugin, const struct plugin_description *description, const char *action)
{
	const struct action_description *found = description_action(description, action);
	struct nearest nearest = nearest_start(action);
	char question[128];

	if (found)
		return found;
	for (size_t i = 0; i < description->action_count; i++)
		nearest_try(&nearest, description->actions[i].decl.name);
	if (nearest.best)
		nearest.best = arena_printf(&loader->site->arena, "%s.%s", plugin, nearest.best);
	const char *next = nearest_question(&nearest, question, sizeof question);
	loader_error(loader, name->at,
		next ? next
		     : arena_printf(&loader->site->arena, "upkeep doc %s lists them", plugin),
		"there is no action \"%s\"", name->string);
	return NULL;
}

bool instances_action(struct loader *loader, const struct value *name,
	const struct instance **ret_instance, const struct action_description **ret_action)
{
	const char *dot = strchr(name->string, '.');
	char plugin[64];

	if (!dot || dot == name->string || !dot[1] || dot - name->string >= (int)sizeof plugin) {
		loader_error(loader, name->at, "write \"PLUGIN.ACTION\"",
			"key \"action\" must name a plugin and its action, got \"%s\"",
			name->string);
		return false;
	}
	memcpy(plugin, name->string, (size_t)(dot - name->string));
	plugin[dot - name->string] = 0;
	*ret_instance = NULL;
	const struct plugin_description *description = &core_description;
	if (strcmp(plugin, "core") != 0) {
		*ret_instance = site_instance(loader->site, plugin);
		if (!*ret_instance) {
			report_disabled(loader, name, plugin);
			return false;
		}
		description = (*ret_instance)->description;
	}
	/* A refused plugin was reported where it is enabled. */
	*ret_action = description ? find_action(loader, name, plugin, description, dot + 1) : NULL;
	if (!description && loader->faulty)
		*loader->faulty = true;
	return *ret_action != NULL;
}
