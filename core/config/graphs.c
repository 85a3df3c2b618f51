/* SPDX-License-Identifier: MIT */
#include "config/calendar.h"
#include "config/loader.h"

#include "model/nearest.h"

#include <string.h>

static const struct upkeep_param keys[] = {
	{.name = "about", .type = UPKEEP_STRING},
	{.name = "schedule", .type = UPKEEP_STRING},
	{.name = "overlap", .type = UPKEEP_CHOICE, .choices = "skip|wait|fail"},
	{.name = "wait_max", .type = UPKEEP_DURATION},
	{.name = "params",
		.about = "write { NAME = { type = \"...\"; }; }",
		.type = 0,
		.flags = KEY_REFS},
	{.name = "timeout", .type = UPKEEP_DURATION, .min = 1},
	{.name = "on_failure", .type = UPKEEP_CHOICE, .choices = "undo|stop|continue"},
	{.name = "running", .type = UPKEEP_CHOICE, .choices = "cancel|finish"},
	{.name = "on_interrupt", .type = UPKEEP_CHOICE, .choices = "undo|hold|resume"},
	{.name = "tasks",
		.about = "add tasks = { NAME = { action = \"...\"; }; }",
		.type = 0,
		.flags = UPKEEP_REQUIRED | KEY_REFS},
};

static struct value *get(const struct value *group, const char *name)
{
	for (uint32_t i = 0; i < group->group.count; i++)
		if (strcmp(group->group.members[i].name, name) == 0)
			return &group->group.members[i].value;
	return NULL;
}

static void load_schedule(struct loader *loader, const struct value *group, struct graph *graph)
{
	struct error CLEANUP_ERROR err = {0};
	struct calendar calendar;

	graph->schedule = group_string(group, "schedule", NULL);
	if (!graph->schedule || calendar_parse(graph->schedule, &calendar, &err) == 0)
		return;
	loader_error(loader, value_get(group, "schedule")->at, err.next, "key \"schedule\": %s",
		error_what(&err));
}

static void load_parts(struct loader *loader, struct value *group, struct graph *graph)
{
	struct value *params = get(group, "params"), *tasks = get(group, "tasks");

	if (params && params->kind == VALUE_GROUP)
		params_load(loader, params, graph);
	else if (params && params->kind != VALUE_NONE)
		loader_error(loader, params->at, "write { NAME = { type = \"...\"; }; }",
			"key \"params\" must be a group");
	if (tasks && (tasks->kind == VALUE_GROUP || tasks->kind == VALUE_LIST))
		tasks_load(loader, tasks, graph);
	else if (tasks)
		loader_error(loader, tasks->at,
			"write { NAME = { ... }; } or ( { task = \"NAME\"; ... } )",
			"key \"tasks\" must be a group, or a list of groups");
	if (tasks && !graph->task_count && !graph->faulty)
		loader_error(loader, graph->at, "add one to \"tasks\"", "has no task");
}

static void load_graph(struct loader *loader, struct value *group, struct graph *graph)
{
	size_t count = UPKEEP_COUNT(keys);

	if (group->kind != VALUE_GROUP) {
		loader_error(loader, group->at, "write { tasks = { ... }; }", "must be a group");
		return;
	}
	loader->key_noun = "key";
	loader_keys(loader, keys, count, group, graph->at);
	graph->about = group_string(group, "about", NULL);
	graph->overlap = group_choice(keys, count, group, "overlap", OVERLAP_SKIP);
	graph->on_failure = group_choice(keys, count, group, "on_failure", ON_FAILURE_UNDO);
	graph->running = group_choice(keys, count, group, "running", RUNNING_CANCEL);
	/* The words begin one behind ON_INTERRUPT_AUTO. */
	graph->on_interrupt =
		(uint8_t)(group_choice(keys, count, group, "on_interrupt", UINT8_MAX) + 1);
	graph->wait_max_ms = group_number(keys, count, group, "wait_max", 0);
	graph->timeout_ms = group_number(keys, count, group, "timeout", 0);
	load_schedule(loader, group, graph);
	load_parts(loader, group, graph);
}

/* Where the graph of that name is to be; NULL where the name cannot be used. */
static struct graph *enter(
	struct loader *loader, struct graph_list *graphs, const struct value_member *member)
{
	const char *name = member->name;

	if (!loader_name(loader, member->at, "a graph", name, false))
		return NULL;
	uint32_t index = map_put(&graphs->index, name, (uint32_t)graphs->list.count);
	if (index == graphs->list.count) {
		struct graph *graph = vec_add(&graphs->list);
		graph->name = name;
		graph->at = member->at;
		return graph;
	}
	struct graph *first = &graphs->list.items[index];
	first->faulty = true;
	loader->graph = first->name;
	loader_error(loader, member->at,
		arena_printf(&loader->site->arena, "first at %s", loader_place(loader, first->at)),
		"graph \"%s\" is there twice", name);
	loader->graph = DIAGNOSTIC_NO_GRAPH;
	return NULL;
}

static void load_group(struct loader *loader, struct value *group, struct graph_list *list)
{
	for (uint32_t i = 0; i < group->group.count; i++) {
		struct value_member *member = &group->group.members[i];
		loader->graph = DIAGNOSTIC_NO_GRAPH;
		loader->faulty = NULL;
		struct graph *graph = enter(loader, list, member);
		if (!graph)
			continue;
		loader->graph = loader->name = graph->name;
		loader->noun = "graph";
		loader->faulty = &graph->faulty;
		load_graph(loader, &member->value, graph);
		loader->noun = NULL;
	}
	loader->graph = DIAGNOSTIC_NO_GRAPH;
	loader->faulty = NULL;
}

void graphs_load(struct loader *loader, struct value *root, struct graph_list *graphs)
{
	char question[128];

	loader->noun = NULL;
	for (uint32_t i = 0; i < root->group.count; i++) {
		struct value_member *member = &root->group.members[i];
		if (strcmp(member->name, "graphs") != 0) {
			struct nearest nearest = nearest_start(member->name);
			nearest_try(&nearest, "graphs");
			const char *next = nearest_question(&nearest, question, sizeof question);
			loader_error(loader, member->at,
				next ? next : "a graph file holds graphs = { NAME = { ... }; };",
				"key \"%s\" is unknown", member->name);
		} else if (member->value.kind != VALUE_GROUP) {
			loader_error(loader, member->value.at, "write { NAME = { tasks = ...; }; }",
				"key \"graphs\" must be a group");
		} else {
			load_group(loader, &member->value, graphs);
		}
	}
}
