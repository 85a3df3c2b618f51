/* SPDX-License-Identifier: MIT */
#include "config/loader.h"

#include "model/nearest.h"

#include <string.h>

#define RESERVED_NAMES "param run graph host env each"

static const struct upkeep_param action_key = {
	.name = "action", .about = "write \"PLUGIN.ACTION\"", .type = UPKEEP_STRING};
static const struct upkeep_param after_key = {.name = "after",
	.about = "write the name of a task, or a list of names",
	.type = UPKEEP_LIST | UPKEEP_STRING};
static const struct upkeep_param from_key = {.name = "from",
	.about = "write the name of a task",
	.type = UPKEEP_STRING,
	.flags = UPKEEP_NONEMPTY};

/* One task while it is read. */
struct reading {
	struct task *task;
	struct task_options *options; /* NULL: the plain ones */
	struct value action;          /* VALUE_NONE: none; VALUE_UNKNOWN: refused */
	const char *last_action;      /* tasks in a row with the same one look it up once */
	const struct instance *last_instance;
	const struct action_description *last_description;
	bool in_list, has_rollback; /* a faulty one, too */
};

static void set_after(struct loader *loader, struct value_member *member, struct task *task)
{
	if (!loader_key(loader, &after_key, member))
		return;
	task->after = key_names(loader, &member->value);
	/* Lists are short; a long one is the plan's to sort. */
	for (uint32_t i = 1; i < task->after.count && i < 64; i++)
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(task->after.items[i], task->after.items[j]) == 0)
				loader_error(loader, task->after.at[i], "leave one out",
					"key \"after\" names \"%s\" twice", task->after.items[i]);
}

static struct task_options *own_options(struct loader *loader, struct reading *reading)
{
	if (!reading->options) {
		reading->options = arena_new(&loader->site->arena, struct task_options);
		*reading->options = task_options_plain;
	}
	return reading->options;
}

/* A core key is used up here; false: it is a parameter of the action. */
static bool take_key(struct loader *loader, struct reading *reading, struct value_member *member)
{
	const char *name = member->name;

	if (strcmp(name, "task") == 0) {
		if (!reading->in_list)
			loader_error(loader, member->at, "leave it out",
				"key \"task\" belongs into a list of tasks");
	} else if (strcmp(name, "action") == 0) {
		bool right = loader_key(loader, &action_key, member);
		reading->action = right ? member->value : (struct value){.kind = VALUE_UNKNOWN};
	} else if (strcmp(name, "after") == 0) {
		set_after(loader, member, reading->task);
	} else if (strcmp(name, "from") == 0) {
		if (loader_key(loader, &from_key, member)) {
			reading->task->from = member->value.string;
			reading->task->from_at = member->value.at;
		}
	} else if (options_is_key(name)) {
		reading->has_rollback |= strcmp(name, "rollback") == 0;
		options_set(loader, member, own_options(loader, reading));
	} else {
		return false;
	}
	return true;
}

static void find_action(struct loader *loader, struct reading *reading)
{
	struct task *task = reading->task;

	if (reading->action.kind == VALUE_NONE)
		loader_error(loader, task->at, "add action = \"PLUGIN.ACTION\"",
			"key \"action\" is missing");
	if (reading->action.kind != VALUE_STRING)
		return;
	const char *name = reading->action.string;
	if (!reading->last_action || strcmp(reading->last_action, name) != 0) {
		reading->last_action = NULL;
		if (!instances_action(loader, &reading->action, &reading->last_instance,
			    &reading->last_description))
			return;
		reading->last_action = name;
	}
	task->instance = reading->last_instance;
	task->action = reading->last_description;
}

static void report_unknown(
	struct loader *loader, const struct task *task, const struct value_member *member)
{
	const struct upkeep_action *decl = &task->action->decl;
	struct nearest nearest = nearest_start(member->name);
	char word[64], question[128];

	for (size_t i = 0; i < decl->param_count; i++)
		nearest_try(&nearest, decl->params[i].name);
	nearest_try_words(&nearest, UPKEEP_CORE_KEYS, word, sizeof word);
	const char *next = nearest_question(&nearest, question, sizeof question);
	if (!next)
		next = arena_printf(&loader->site->arena, "upkeep doc %s.%s lists what it takes",
			task->instance ? task->instance->name : "core", decl->name);
	loader_error(loader, member->at, next, "unknown parameter \"%s\"", member->name);
}

/* Drops what the action does not know, so that it is told of once and with the core's keys
 * among the suggestions. */
static void drop_unknown(struct loader *loader, struct task *task)
{
	const struct upkeep_action *decl = &task->action->decl;
	struct value_member *members = task->args.group.members;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < task->args.group.count; i++) {
		if (params_find(decl->params, decl->param_count, members[i].name)) {
			if (kept != i)
				members[kept] = members[i];
			kept++;
		} else {
			report_unknown(loader, task, &members[i]);
		}
	}
	task->args.group.count = kept;
}

static void check_args(struct loader *loader, struct task *task)
{
	const struct upkeep_action *decl = &task->action->decl;

	loader->key_noun = "parameter";
	params_check(decl->params, decl->param_count, &task->args, task->at, NULL, loader_report,
		loader);
	secrets_check(loader, decl->params, decl->param_count, &task->args,
		task->action->has & ACTION_HAS_UNDO);
	if (task->options->leaves_running && !(decl->flags & UPKEEP_LEAVES_RUNNING))
		loader_error(loader, task->at, "leave it out",
			"key \"leaves_running\": action \"%s\" leaves nothing running", decl->name);
}

static bool has_undo(const struct task *task)
{
	return task->action->has & ACTION_HAS_UNDO &&
		action_changes(&task->action->decl, &task->args) != UPKEEP_CHANGES_IRREVERSIBLE;
}

static void warn_of_fleeting(struct loader *loader, const struct value *env)
{
	for (uint32_t i = 0; env->kind == VALUE_GROUP && i < env->group.count; i++) {
		const struct value_member *variable = &env->group.members[i];
		if (variable->value.kind == VALUE_STRING &&
			(text_starts(variable->value.string, "secret:env:") ||
				text_starts(variable->value.string, "secret:credential:")))
			loader_warn(loader, variable->value.at, "use file: or command:",
				"variable \"%s\": this secret is gone after a reboot, and the "
				"undo would miss it",
				variable->name);
	}
}

/* Keys that are right by themselves. */
static void check_together(struct loader *loader, const struct reading *reading)
{
	const struct task *task = reading->task;
	const struct task_options *o = task->options;
	bool late = o->run_if != RUN_IF_SUCCESS;
	bool graph = !task->instance && strcmp(task->action->decl.name, "graph") == 0;

	if (late && o->pivot)
		loader_error(loader, task->at, "leave one of them out",
			"keys \"pivot\" and \"run_if\" do not go together: a task with run_if "
			"runs when all is decided");
	if (late && o->confirm_within_ms)
		loader_error(loader, task->at, "leave one of them out",
			"keys \"confirm_within\" and \"run_if\" do not go together: a task with "
			"run_if is never undone");
	else if (o->confirm_within_ms && !graph && !reading->has_rollback && !has_undo(task))
		loader_error(loader, task->at, "give it a rollback",
			"key \"confirm_within\": nothing could undo it");
	if (!late && (reading->has_rollback || has_undo(task)))
		warn_of_fleeting(loader, &o->env);
}

/* The arguments move together over the core's keys, which are used up by then. */
static void load_task(struct loader *loader, struct value *group, struct reading *reading)
{
	struct task *task = reading->task;
	struct value_member *members = group->group.members;
	uint32_t kept = 0;

	reading->options = NULL;
	reading->has_rollback = false;
	reading->action = (struct value){0};
	loader->key_noun = "key";
	task->args = *group;
	for (uint32_t i = 0; i < group->group.count; i++)
		if (!take_key(loader, reading, &members[i]) && kept++ != i)
			members[kept - 1] = members[i];
	task->options = reading->options ? reading->options : &task_options_plain;
	find_action(loader, reading);
	task->args.group.count = kept;
	if (!task->action)
		return;
	drop_unknown(loader, task);
	check_args(loader, task);
	check_together(loader, reading);
}

/* Enters a task's name; false where it has none that can be used. */
static bool enter_name(
	struct loader *loader, struct graph *graph, const char *name, struct location at)
{
	if (!loader_name(loader, at, "a task", name, false))
		return false;
	if (text_in_words(name, RESERVED_NAMES)) {
		loader_error(loader, at, "choose another; ${...} needs these: " RESERVED_NAMES,
			"a task may not be named \"%s\"", name);
		return false;
	}
	uint32_t index = map_put(&graph->task_index, name, graph->task_count);
	if (index == graph->task_count)
		return true;
	loader_error(loader, at,
		arena_printf(&loader->site->arena, "first at %s",
			loader_place(loader, graph->tasks[index].at)),
		"task \"%s\" is there twice", name);
	return false;
}

static void add_task(struct loader *loader, struct graph *graph, const char *name,
	struct location at, struct value *group, struct reading *reading)
{
	const char *noun = loader->noun, *outer = loader->name;

	if (!enter_name(loader, graph, name, at))
		return;
	loader->noun = "task";
	loader->name = name;
	reading->task = &graph->tasks[graph->task_count++];
	*reading->task = (struct task){.name = name, .at = at, .options = &task_options_plain};
	if (group->kind == VALUE_GROUP)
		load_task(loader, group, reading);
	else
		loader_error(loader, group->at, "write { action = \"...\"; }", "must be a group");
	loader->noun = noun;
	loader->name = outer;
}

static void load_group(
	struct loader *loader, struct value *tasks, struct graph *graph, struct reading *reading)
{
	for (uint32_t i = 0; i < tasks->group.count; i++) {
		struct value_member *member = &tasks->group.members[i];
		add_task(loader, graph, member->name, member->at, &member->value, reading);
	}
}

static void load_list(
	struct loader *loader, struct value *tasks, struct graph *graph, struct reading *reading)
{
	reading->in_list = true;
	for (uint32_t i = 0; i < tasks->list.count; i++) {
		struct value *group = &tasks->list.items[i];
		const struct value *name = value_get(group, "task");
		if (name && name->kind == VALUE_STRING)
			add_task(loader, graph, name->string, name->at, group, reading);
		else
			loader_error(loader, name ? name->at : group->at, "add task = \"NAME\"",
				"a task in a list must have its name as \"task\"");
	}
}

void tasks_load(struct loader *loader, struct value *tasks, struct graph *graph)
{
	struct reading reading = {0};
	bool list = tasks->kind == VALUE_LIST;

	graph->tasks = arena_news(
		&loader->site->arena, struct task, list ? tasks->list.count : tasks->group.count);
	if (list)
		load_list(loader, tasks, graph, &reading);
	else
		load_group(loader, tasks, graph, &reading);
}
