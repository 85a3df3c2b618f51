/* SPDX-License-Identifier: MIT */
#include "plan/restorer.h"

#include <string.h>

/* Texts of before graphs were listed name some that are not: those have no parameters. */
static const struct graph *find_graph(struct restore *r, const char *name)
{
	uint32_t i = map_get(&r->graph_index, name);

	if (i != MAP_NONE)
		return r->graphs.items[i];
	struct graph *graph = arena_new(r->arena, struct graph);
	graph->name = name;
	map_put(&r->graph_index, name, (uint32_t)r->graphs.count);
	vec_push(&r->graphs, graph);
	return graph;
}

static const struct value *find_params(struct restore *r, const char *prefix)
{
	static const struct value none = {.kind = VALUE_GROUP};
	uint32_t i = map_get(&r->param_index, prefix);

	if (i != MAP_NONE)
		return r->params.items[i];
	unpack_fault(r, "the parameters of \"%s\" are missing", prefix);
	return &none;
}

/* NULL: the core, or there is no such instance. */
static const struct instance *find_instance(struct restore *r, const char *name)
{
	uint32_t i = !name || strcmp(name, "core") == 0 ? MAP_NONE : map_get(&r->instances, name);

	if (i != MAP_NONE)
		return &r->site->instances[i];
	if (name && strcmp(name, "core") != 0)
		unpack_fault(r, "there is no plugin \"%s\"", name);
	return NULL;
}

static const struct action_description *find_action(
	const struct instance *instance, const char *name)
{
	const struct plugin_description *plugin =
		instance ? instance->description : &core_description;

	return plugin ? description_action(plugin, name) : NULL;
}

static void report_argument(void *data, struct location at, const char *what, const char *next)
{
	(void)at;
	(void)next;
	unpack_fault(data, "parameter %s", what);
}

/* Workers check what is for plugins; the engine itself takes these. */
static void check_core(
	struct restore *r, const struct action_description *action, const struct value *args)
{
	if (action)
		params_check(action->decl.params, action->decl.param_count, args,
			(struct location){0}, "action", report_argument, r);
}

static struct limits read_limits(struct restore *r, json_t *json)
{
	return (struct limits){
		.memory_bytes = (uint64_t)unpack_number(r, json, "memory_bytes", 0, 0, INT64_MAX),
		.processes = (uint64_t)unpack_number(r, json, "processes", 0, 0, INT64_MAX),
		.files = (uint64_t)unpack_number(r, json, "files", 0, 0, INT64_MAX),
		.file_size_bytes =
			(uint64_t)unpack_number(r, json, "file_size_bytes", 0, 0, INT64_MAX),
		.cpu_time_ms = unpack_number(r, json, "cpu_time_ms", 0, 0, INT64_MAX),
	};
}

static void read_rollback(struct restore *r, json_t *options, struct task_options *o)
{
	json_t *json = unpack_object(r, options, "rollback");

	if (!json)
		return;
	const char *instance = unpack_text(r, json, "instance");
	const char *action = unpack_name(r, json, "action");
	json_t *retry = unpack_object(r, json, "retry");
	o->rollback = unpack_group(r, json, "args");
	o->rollback_timeout_ms = unpack_number(r, json, "timeout_ms", 0, 0, INT64_MAX);
	if (retry)
		o->rollback_retry = unpack_retry(r, retry);
	o->rollback_instance = find_instance(r, instance);
	o->rollback_action = find_action(o->rollback_instance, action);
	if (!o->rollback_instance)
		check_core(r, o->rollback_action, &o->rollback);
	const char *whole = arena_printf(r->arena, "%s.%s", instance ? instance : "core", action);
	const struct value *given = value_get(&o->rollback, "action");
	if (!given || given->kind != VALUE_STRING || strcmp(given->string, whole) != 0)
		unpack_fault(r, "the rollback is not %s", whole);
}

static bool read_flag(struct restore *r, json_t *json, const char *key)
{
	return unpack_number(r, json, key, 0, 0, 1) != 0;
}

/* What says as whom and where it runs. */
static void read_surroundings(struct restore *r, json_t *json, struct task_options *o)
{
	json_t *env = json_object_get(json, "env");

	o->run_as = unpack_text(r, json, "run_as");
	o->run_as_group = unpack_text(r, json, "run_as_group");
	o->has_umask = json_object_get(json, "umask") != NULL;
	o->umask = (mode_t)unpack_number(r, json, "umask", 0, 0, 0777);
	o->has_nice = json_object_get(json, "nice") != NULL;
	o->nice = (int)unpack_number(r, json, "nice", 0, -20, 19);
	if (env)
		o->env = unpack_group(r, json, "env");
	for (uint32_t i = 0; env && i < o->env.group.count; i++)
		if (o->env.group.members[i].value.kind != VALUE_STRING)
			unpack_fault(r, "\"env\" must be a group of texts");
	o->cwd = unpack_text(r, json, "cwd");
	o->limits = read_limits(r, unpack_object(r, json, "limits"));
}

static const struct task_options *read_options(struct restore *r, json_t *json)
{
	struct task_options *o = arena_new(r->arena, struct task_options);
	const struct task_options *plain = &task_options_plain;
	json_t *each = json_object_get(json, "each");

	o->rollback_retry = plain->rollback_retry;
	o->about = unpack_text(r, json, "about");
	o->run_if = (uint8_t)unpack_number(r, json, "run_if", 0, 0, RUN_IF_DONE);
	o->ignore_failure = read_flag(r, json, "ignore_failure");
	o->pivot = read_flag(r, json, "pivot");
	o->leaves_running = read_flag(r, json, "leaves_running");
	o->when = unpack_text(r, json, "when");
	if (each)
		o->each = unpack_value(r, each);
	o->retry = unpack_retry(r, unpack_object(r, json, "retry"));
	o->timeout_ms = unpack_number(r, json, "timeout_ms", 0, 0, INT64_MAX);
	o->kill_after_ms =
		unpack_number(r, json, "kill_after_ms", plain->kill_after_ms, 0, INT64_MAX);
	o->stall_ms = unpack_number(r, json, "stall_ms", plain->stall_ms, 1, INT64_MAX);
	o->confirm_within_ms = unpack_number(r, json, "confirm_within_ms", 0, 0, INT64_MAX);
	o->locks = unpack_names(r, json, "locks");
	o->pools = unpack_names(r, json, "pools");
	o->log_max_bytes = (uint64_t)unpack_number(
		r, json, "log_max_bytes", (int64_t)plain->log_max_bytes, 0, INT64_MAX);
	read_surroundings(r, json, o);
	read_rollback(r, json, o);
	return o;
}

static const struct task *read_task(struct restore *r, json_t *json, const char **ret_missing)
{
	struct task *task = arena_new(r->arena, struct task);
	json_t *options = unpack_object(r, json, "options");
	const char *action = unpack_name(r, json, "action");

	task->name = unpack_name(r, json, "task");
	task->instance = find_instance(r, unpack_name(r, json, "instance"));
	task->action = find_action(task->instance, action);
	task->args = unpack_group(r, json, "args");
	task->options = options ? read_options(r, options) : &task_options_plain;
	*ret_missing = task->action ? NULL : action;
	if (!task->instance)
		check_core(r, task->action, &task->args);
	return task;
}

void detail_restore(struct restore *r, json_t *json, uint32_t outers, struct plan_detail *ret)
{
	const char *prefix = unpack_text(r, json, "prefix");
	json_t *each = json_object_get(json, "each"), *outer = json_object_get(json, "outer");

	ret->name = unpack_name(r, json, "name");
	ret->task = read_task(r, json, &ret->missing_action);
	ret->prefix = prefix ? prefix : "";
	ret->params = find_params(r, ret->prefix);
	ret->graph = find_graph(r, unpack_name(r, json, "graph"));
	if (each) {
		struct value *value = arena_new(r->arena, struct value);
		*value = unpack_value(r, each);
		ret->each = value;
	}
	if (outer)
		ret->outer = &r->outers[unpack_number(r, json, "outer", 0, 0, (int64_t)outers - 1)];
}
