/* SPDX-License-Identifier: MIT */
/* The resolved plan as JSON: what the journal keeps of a run. */
#include "plan/journaled.h"

#include "base/text.h"
#include "plan/build.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A string that need not be UTF-8: JSON has no bytes, so others are {"bytes": "hex"}. */
static json_t *pack_string(const char *text)
{
	struct text CLEANUP_TEXT hex = {0};

	if (!text)
		return json_null();
	json_t *json = json_string(text);
	if (json)
		return json;
	for (const char *s = text; *s; s++)
		text_addf(&hex, "%02x", (unsigned char)*s);
	return json_pack("{s:s}", "bytes", text_string(&hex));
}

static json_t *pack_value(const struct value *value);

/* Scalars stand bare; the rest says what it is, so that nothing is guessed back. */
static json_t *pack_list(const struct value *value)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < value->list.count; i++)
		json_array_append_new(list, pack_value(&value->list.items[i]));
	return list;
}

static json_t *pack_group(const struct value *value)
{
	json_t *group = json_object();

	for (uint32_t i = 0; i < value->group.count; i++)
		json_object_set_new(group, value->group.members[i].name,
			pack_value(&value->group.members[i].value));
	return json_pack("{s:o}", "group", group);
}

static json_t *pack_value(const struct value *value)
{
	switch (value->kind) {
	case VALUE_STRING:
		/* plain text that looks like a reference stays plain */
		return !value->has_refs && strstr(value->string, "${")
			? json_pack("{s:o}", "plain", pack_string(value->string))
			: pack_string(value->string);
	case VALUE_INT:
		return json_integer(value->integer);
	case VALUE_FLOAT:
		return json_real(value->real);
	case VALUE_BOOL:
		return json_boolean(value->truth);
	case VALUE_LIST:
		return pack_list(value);
	case VALUE_GROUP:
		return pack_group(value);
	default:
		return json_null();
	}
}

static void set(json_t *object, const char *key, json_t *value)
{
	json_object_set_new(object, key, value);
}
static void set_string(json_t *object, const char *key, const char *text)
{
	if (text)
		set(object, key, pack_string(text));
}
static void set_number(json_t *object, const char *key, int64_t number)
{
	if (number)
		set(object, key, json_integer(number));
}
static void set_value(json_t *object, const char *key, const struct value *value)
{
	if (value->kind != VALUE_NONE)
		set(object, key, pack_value(value));
}

static json_t *pack_numbers(const uint32_t *numbers, uint32_t count)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(list, json_integer(numbers[i]));
	return list;
}

static json_t *pack_retry(const struct retry *retry)
{
	return json_pack("{s:I s:I s:I s:f}", "attempts", (json_int_t)retry->attempts, "delay_ms",
		(json_int_t)retry->delay_ms, "max_delay_ms", (json_int_t)retry->max_delay_ms,
		"backoff", retry->backoff);
}

static json_t *pack_limits(const struct limits *limits)
{
	json_t *json = json_object();

	set_number(json, "memory_bytes", (int64_t)limits->memory_bytes);
	set_number(json, "processes", (int64_t)limits->processes);
	set_number(json, "files", (int64_t)limits->files);
	set_number(json, "file_size_bytes", (int64_t)limits->file_size_bytes);
	set_number(json, "cpu_time_ms", limits->cpu_time_ms);
	return json;
}

static void set_names(json_t *object, const char *key, const struct name_list *names)
{
	if (!names->count)
		return;
	json_t *list = json_array();
	for (uint32_t i = 0; i < names->count; i++)
		json_array_append_new(list, pack_string(names->items[i]));
	set(object, key, list);
}

/* Of a restored plan's, too, which may be there no more. */
static const char *rollback_name(const struct task_options *o)
{
	const struct value *action = value_get(&o->rollback, "action");
	const char *dot =
		action && action->kind == VALUE_STRING ? strchr(action->string, '.') : NULL;

	return o->rollback_action ? o->rollback_action->decl.name : dot ? dot + 1 : NULL;
}

static void set_rollback(json_t *json, const struct task_options *o)
{
	if (o->rollback.kind == VALUE_NONE)
		return;
	json_t *rollback = json_object();
	set_string(rollback, "instance", o->rollback_instance ? o->rollback_instance->name : NULL);
	set_string(rollback, "action", rollback_name(o));
	set(rollback, "args", pack_value(&o->rollback));
	set_number(rollback, "timeout_ms", o->rollback_timeout_ms);
	set(rollback, "retry", pack_retry(&o->rollback_retry));
	set(json, "rollback", rollback);
}

static json_t *pack_options(const struct task_options *o)
{
	json_t *json = json_object();

	set_string(json, "about", o->about);
	set_number(json, "run_if", o->run_if);
	set_number(json, "ignore_failure", o->ignore_failure);
	set_number(json, "pivot", o->pivot);
	set_number(json, "leaves_running", o->leaves_running);
	set_string(json, "when", o->when);
	set_value(json, "each", &o->each);
	set(json, "retry", pack_retry(&o->retry));
	set_number(json, "timeout_ms", o->timeout_ms);
	set(json, "kill_after_ms", json_integer(o->kill_after_ms));
	set(json, "stall_ms", json_integer(o->stall_ms));
	set_number(json, "confirm_within_ms", o->confirm_within_ms);
	set_names(json, "locks", &o->locks);
	set_names(json, "pools", &o->pools);
	set_string(json, "run_as", o->run_as);
	set_string(json, "run_as_group", o->run_as_group);
	if (o->has_umask)
		set(json, "umask", json_integer(o->umask));
	if (o->has_nice)
		set(json, "nice", json_integer(o->nice));
	set_value(json, "env", &o->env);
	set_string(json, "cwd", o->cwd);
	set(json, "limits", pack_limits(&o->limits));
	set(json, "log_max_bytes", json_integer((json_int_t)o->log_max_bytes));
	set_rollback(json, o);
	return json;
}

static json_t *pack_detail(const struct plan_detail *detail)
{
	const struct task *task = detail->task;
	json_t *json = json_object();

	set_string(json, "name", detail->name);
	set_string(json, "task", task->name);
	set_string(json, "graph", detail->graph->name);
	if (*detail->prefix)
		set_string(json, "prefix", detail->prefix);
	set_string(json, "instance", task->instance ? task->instance->name : "core");
	set_string(json, "action", task->action ? task->action->decl.name : detail->missing_action);
	set(json, "args", pack_value(&task->args));
	if (task->options != &task_options_plain)
		set(json, "options", pack_options(task->options));
	if (detail->each)
		set(json, "each", pack_value(detail->each));
	return json;
}

/* What inlined graphs stand in: each once, named by its place in "outers". */
struct outers {
	const struct plan_detail **items;
	size_t count, room;
};

static size_t place_outer(struct outers *outers, const struct plan_detail *outer)
{
	for (size_t i = outers->count; i-- > 0;)
		if (outers->items[i] == outer)
			return i;
	if (outer->outer)
		place_outer(outers, outer->outer);
	vec_push(outers, outer);
	return outers->count - 1;
}

static json_t *pack_task(const struct plan *plan, uint32_t index, struct outers *outers)
{
	const struct plan_task *task = &plan->tasks[index];
	const struct plan_detail *detail = &plan->details[task->detail];
	json_t *json = pack_detail(detail);

	if (task->need_count)
		set(json, "needs", pack_numbers(plan->edges + task->needs, task->need_count));
	if (task->source != PLAN_NONE)
		set(json, "source", json_integer(task->source));
	set_number(json, "duration_ms", task->duration_ms);
	set_number(json, "flags", task->flags);
	set_number(json, "run_if", task->run_if);
	set(json, "gang", json_integer(task->gang));
	set_number(json, "changes", task->changes);
	if (detail->outer)
		set(json, "outer", json_integer((json_int_t)place_outer(outers, detail->outer)));
	return json;
}

static json_t *pack_outers(struct outers *outers)
{
	json_t *list = json_array();

	for (size_t i = 0; i < outers->count; i++) {
		const struct plan_detail *outer = outers->items[i];
		json_t *json = pack_detail(outer);
		if (outer->outer)
			set(json, "outer",
				json_integer((json_int_t)place_outer(outers, outer->outer)));
		json_array_append_new(list, json);
	}
	return list;
}

static void set_params(json_t *json, const struct plan_detail *detail)
{
	if (*detail->prefix && !json_object_get(json, detail->prefix))
		set(json, detail->prefix, pack_value(detail->params));
}

/* The parameters of each inlining, by the prefix of its tasks. */
static json_t *pack_params(const struct plan *plan, const struct outers *outers)
{
	json_t *json = json_object();

	set(json, "", pack_value(&plan->params));
	for (uint32_t t = 0; t < plan->task_count; t++)
		set_params(json, &plan->details[plan->tasks[t].detail]);
	for (size_t i = 0; i < outers->count; i++)
		set_params(json, outers->items[i]);
	return json;
}

static json_t *pack_gang(const struct plan *plan, uint32_t index)
{
	const struct plan_gang *gang = &plan->gangs[index];
	json_t *json = json_object();

	if (gang->resource_count)
		set(json, "resources",
			pack_numbers(plan->taken + gang->resources, gang->resource_count));
	set_number(json, "retry", gang->retry);
	return json;
}

static void set_shared(json_t *all, const struct plan *plan)
{
	json_t *resources = json_array(), *retries = json_array();

	for (uint32_t i = 0; i < plan->resource_count; i++)
		json_array_append_new(resources,
			json_pack("{s:o s:I s:b}", "name", pack_string(plan->resources[i].name),
				"places", (json_int_t)plan->resources[i].places, "is_pool",
				plan->resources[i].is_pool));
	for (uint32_t i = 0; i < plan->retry_count; i++)
		json_array_append_new(retries, pack_retry(&plan->retries[i]));
	set(all, "resources", resources);
	set(all, "retries", retries);
	set(all, "locks_at_start", json_boolean(plan->locks_at_start));
	set(all, "drill", json_boolean(plan->drill));
}

static json_t *pack_site(const struct site *site)
{
	json_t *instances = json_array(), *json = json_object();

	for (uint32_t i = 0; i < site->instance_count; i++) {
		const struct instance *instance = &site->instances[i];
		json_t *packed = json_object();
		set_string(packed, "name", instance->name);
		set_string(packed, "plugin", instance->plugin);
		set_string(packed, "path", instance->path);
		set(packed, "settings", pack_value(&instance->settings));
		json_array_append_new(instances, packed);
	}
	set_string(json, "path", site->path);
	set_string(json, "state_dir", site->state_dir);
	set_number(json, "jobs", site->jobs);
	set_number(json, "undo_keep_ms", site->undo_keep_ms);
	set_number(json, "undo_space_bytes", (int64_t)site->undo_space_bytes);
	set_names(json, "plugin_dirs", &site->plugin_dirs);
	set(json, "instances", instances);
	return json;
}

/* Their types, which conditions need. */
static json_t *pack_types(const struct graph *graph)
{
	json_t *json = json_object();

	for (uint32_t i = 0; i < graph->param_count; i++)
		set_string(json, graph->params[i].name, type_name(graph->params[i].decl.type));
	return json;
}

static json_t *pack_graph(const struct graph *graph)
{
	json_t *json = json_object();

	set_string(json, "name", graph->name);
	set_string(json, "about", graph->about);
	set_number(json, "overlap", graph->overlap);
	set_number(json, "on_failure", graph->on_failure);
	set_number(json, "running", graph->running);
	set_number(json, "on_interrupt", graph->on_interrupt);
	set_number(json, "wait_max_ms", graph->wait_max_ms);
	set_number(json, "timeout_ms", graph->timeout_ms);
	set(json, "types", pack_types(graph));
	return json;
}

static void add_graph(json_t *list, struct map *known, const struct graph *graph)
{
	uint32_t count = known->count;

	map_put(known, graph->name, count);
	if (known->count > count)
		json_array_append_new(list, pack_graph(graph));
}

/* Those that were inlined; the plan's own stands by itself. */
static json_t *pack_graphs(const struct plan *plan, const struct outers *outers)
{
	json_t *list = json_array();
	struct map known = {0};

	map_put(&known, plan->graph->name, 0);
	for (uint32_t t = 0; t < plan->task_count; t++)
		add_graph(list, &known, plan->details[plan->tasks[t].detail].graph);
	for (size_t i = 0; i < outers->count; i++)
		add_graph(list, &known, outers->items[i]->graph);
	map_free(&known);
	return list;
}

static int add_text(const char *bytes, size_t size, void *out)
{
	text_add(out, bytes, size);
	return 0;
}

static void write_json(struct text *out, json_t *json)
{
	json_dump_callback(json, add_text, out, JSON_COMPACT);
	json_decref(json);
}

/* Each task and gang is written and freed before the next: a tree of all would be far
 * larger than its text. */
static void write_tasks(const struct plan *plan, struct outers *outers, struct text *out)
{
	text_adds(out, "\"tasks\":[");
	for (uint32_t t = 0; t < plan->task_count; t++) {
		if (t)
			text_addc(out, ',');
		write_json(out, pack_task(plan, t, outers));
	}
	text_adds(out, "],\"gangs\":[");
	for (uint32_t g = 0; g < plan->gang_count; g++) {
		if (g)
			text_addc(out, ',');
		write_json(out, pack_gang(plan, g));
	}
	text_adds(out, "],");
}

void journaled_head(const char *rest, size_t size, char ret[JOURNALED_HEAD_SIZE + 1])
{
	uint64_t sum = 14695981039346656037u; /* FNV-1a */

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ (unsigned char)rest[i]) * 1099511628211u;
	snprintf(ret, JOURNALED_HEAD_SIZE + 1, "{\"checksum\":\"%016" PRIx64 "\",", sum);
}

void plan_text(const struct plan *plan, struct text *out)
{
	struct outers outers = {0};
	json_t *rest = json_object();
	char head[JOURNALED_HEAD_SIZE + 1] = "";
	size_t begin = out->size, body = begin + JOURNALED_HEAD_SIZE;

	text_add(out, head, JOURNALED_HEAD_SIZE);
	write_tasks(plan, &outers, out);
	set(rest, "version", json_integer(1));
	set(rest, "graph", pack_graph(plan->graph));
	set(rest, "graphs", pack_graphs(plan, &outers));
	set(rest, "site", pack_site(plan->site));
	set(rest, "params", pack_params(plan, &outers));
	set(rest, "outers", pack_outers(&outers));
	set_shared(rest, plan);
	size_t brace = out->size;
	write_json(out, rest);
	memmove(out->bytes + brace, out->bytes + brace + 1, out->size - brace);
	out->size--;
	journaled_head(out->bytes + body, out->size - body, head);
	memcpy(out->bytes + begin, head, JOURNALED_HEAD_SIZE);
	vec_free(&outers);
}
