/* SPDX-License-Identifier: MIT */
/* The resolved plan as JSON: what the journal keeps of a run.  Written as it is walked: a tree
 * of jansson's for each task took most of the time before the first task starts. */
#include "plan/journaled.h"

#include "base/json.h"
#include "base/text.h"
#include "plan/build.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A string that need not be UTF-8: JSON has no bytes, so others are {"bytes": "hex"}. */
static void add_string(struct text *out, const char *string)
{
	if (json_add_string(out, string))
		return;
	json_open(out, '{');
	json_add_key(out, "bytes");
	text_addc(out, '"');
	for (const char *s = string; *s; s++)
		text_addf(out, "%02x", (unsigned char)*s);
	text_addc(out, '"');
	json_close(out, '}');
}

static void add_value(struct text *out, const struct value *value);

/* Scalars stand bare; the rest says what it is, so that nothing is guessed back. */
static void add_list(struct text *out, const struct value *value)
{
	json_open(out, '[');
	for (uint32_t i = 0; i < value->list.count; i++)
		add_value(out, &value->list.items[i]);
	json_close(out, ']');
}

static void add_group(struct text *out, const struct value *value)
{
	json_open(out, '{');
	json_add_key(out, "group");
	json_open(out, '{');
	for (uint32_t i = 0; i < value->group.count; i++) {
		json_add_key(out, value->group.members[i].name);
		add_value(out, &value->group.members[i].value);
	}
	json_close(out, '}');
	json_close(out, '}');
}

/* Plain text that looks like a reference stays plain. */
static void add_plain(struct text *out, const char *string)
{
	json_open(out, '{');
	json_add_key(out, "plain");
	add_string(out, string);
	json_close(out, '}');
}

static void add_value(struct text *out, const struct value *value)
{
	switch (value->kind) {
	case VALUE_STRING:
		if (!value->has_refs && strstr(value->string, "${"))
			add_plain(out, value->string);
		else
			add_string(out, value->string);
		break;
	case VALUE_INT:
		json_add_integer(out, value->integer);
		break;
	case VALUE_FLOAT:
		json_add_real(out, value->real);
		break;
	case VALUE_BOOL:
		json_add_word(out, value->truth ? "true" : "false");
		break;
	case VALUE_LIST:
		add_list(out, value);
		break;
	case VALUE_GROUP:
		add_group(out, value);
		break;
	default:
		json_add_word(out, "null");
	}
}

static void set_integer(struct text *out, const char *key, int64_t number)
{
	json_add_key(out, key);
	json_add_integer(out, number);
}
static void set_truth(struct text *out, const char *key, bool truth)
{
	json_add_key(out, key);
	json_add_word(out, truth ? "true" : "false");
}
/* These leave out what says nothing. */
static void set_string(struct text *out, const char *key, const char *string)
{
	if (!string)
		return;
	json_add_key(out, key);
	add_string(out, string);
}
static void set_number(struct text *out, const char *key, int64_t number)
{
	if (number)
		set_integer(out, key, number);
}
static void set_value(struct text *out, const char *key, const struct value *value)
{
	if (value->kind == VALUE_NONE)
		return;
	json_add_key(out, key);
	add_value(out, value);
}

static void set_numbers(struct text *out, const char *key, const uint32_t *numbers, uint32_t count)
{
	if (!count)
		return;
	json_add_key(out, key);
	json_open(out, '[');
	for (uint32_t i = 0; i < count; i++)
		json_add_integer(out, numbers[i]);
	json_close(out, ']');
}

static void set_names(struct text *out, const char *key, const struct name_list *names)
{
	if (!names->count)
		return;
	json_add_key(out, key);
	json_open(out, '[');
	for (uint32_t i = 0; i < names->count; i++)
		add_string(out, names->items[i]);
	json_close(out, ']');
}

static void add_retry(struct text *out, const struct retry *retry)
{
	json_open(out, '{');
	set_integer(out, "attempts", retry->attempts);
	set_integer(out, "delay_ms", retry->delay_ms);
	set_integer(out, "max_delay_ms", retry->max_delay_ms);
	json_add_key(out, "backoff");
	json_add_real(out, retry->backoff);
	json_close(out, '}');
}

static void set_limits(struct text *out, const struct limits *limits)
{
	json_add_key(out, "limits");
	json_open(out, '{');
	set_number(out, "memory_bytes", (int64_t)limits->memory_bytes);
	set_number(out, "processes", (int64_t)limits->processes);
	set_number(out, "files", (int64_t)limits->files);
	set_number(out, "file_size_bytes", (int64_t)limits->file_size_bytes);
	set_number(out, "cpu_time_ms", limits->cpu_time_ms);
	json_close(out, '}');
}

/* Of a restored plan's, too, which may be there no more. */
static const char *rollback_name(const struct task_options *o)
{
	const struct value *action = value_get(&o->rollback, "action");
	const char *dot =
		action && action->kind == VALUE_STRING ? strchr(action->string, '.') : NULL;

	return o->rollback_action ? o->rollback_action->decl.name : dot ? dot + 1 : NULL;
}

static void set_rollback(struct text *out, const struct task_options *o)
{
	if (o->rollback.kind == VALUE_NONE)
		return;
	json_add_key(out, "rollback");
	json_open(out, '{');
	set_string(out, "instance", o->rollback_instance ? o->rollback_instance->name : NULL);
	set_string(out, "action", rollback_name(o));
	set_value(out, "args", &o->rollback);
	set_number(out, "timeout_ms", o->rollback_timeout_ms);
	json_add_key(out, "retry");
	add_retry(out, &o->rollback_retry);
	json_close(out, '}');
}

static void set_options(struct text *out, const struct task_options *o)
{
	json_add_key(out, "options");
	json_open(out, '{');
	set_string(out, "about", o->about);
	set_number(out, "run_if", o->run_if);
	set_number(out, "ignore_failure", o->ignore_failure);
	set_number(out, "pivot", o->pivot);
	set_number(out, "leaves_running", o->leaves_running);
	set_string(out, "when", o->when);
	set_value(out, "each", &o->each);
	json_add_key(out, "retry");
	add_retry(out, &o->retry);
	set_number(out, "timeout_ms", o->timeout_ms);
	set_integer(out, "kill_after_ms", o->kill_after_ms);
	set_integer(out, "stall_ms", o->stall_ms);
	set_number(out, "confirm_within_ms", o->confirm_within_ms);
	set_names(out, "locks", &o->locks);
	set_names(out, "pools", &o->pools);
	set_string(out, "run_as", o->run_as);
	set_string(out, "run_as_group", o->run_as_group);
	if (o->has_umask)
		set_integer(out, "umask", o->umask);
	if (o->has_nice)
		set_integer(out, "nice", o->nice);
	set_value(out, "env", &o->env);
	set_string(out, "cwd", o->cwd);
	set_limits(out, &o->limits);
	set_integer(out, "log_max_bytes", (int64_t)o->log_max_bytes);
	set_rollback(out, o);
	json_close(out, '}');
}

static void set_detail(struct text *out, const struct plan_detail *detail)
{
	const struct task *task = detail->task;

	set_string(out, "name", detail->name);
	set_string(out, "task", task->name);
	set_string(out, "graph", detail->graph->name);
	if (*detail->prefix)
		set_string(out, "prefix", detail->prefix);
	set_string(out, "instance", task->instance ? task->instance->name : "core");
	set_string(out, "action", task->action ? task->action->decl.name : detail->missing_action);
	json_add_key(out, "args");
	add_value(out, &task->args);
	if (task->options != &task_options_plain)
		set_options(out, task->options);
	if (detail->each) {
		json_add_key(out, "each");
		add_value(out, detail->each);
	}
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

static void set_outer(struct text *out, const struct plan_detail *detail, struct outers *outers)
{
	if (detail->outer)
		set_integer(out, "outer", (int64_t)place_outer(outers, detail->outer));
}

static void add_task(
	struct text *out, const struct plan *plan, uint32_t index, struct outers *outers)
{
	const struct plan_task *task = &plan->tasks[index];
	const struct plan_detail *detail = &plan->details[task->detail];

	json_open(out, '{');
	set_detail(out, detail);
	set_numbers(out, "needs", plan->edges + task->needs, task->need_count);
	if (task->source != PLAN_NONE)
		set_integer(out, "source", task->source);
	set_number(out, "duration_ms", task->duration_ms);
	set_number(out, "flags", task->flags);
	set_number(out, "run_if", task->run_if);
	set_integer(out, "gang", task->gang);
	set_number(out, "changes", task->changes);
	set_outer(out, detail, outers);
	json_close(out, '}');
}

static void set_tasks(struct text *out, const struct plan *plan, struct outers *outers)
{
	json_add_key(out, "tasks");
	json_open(out, '[');
	for (uint32_t t = 0; t < plan->task_count; t++)
		add_task(out, plan, t, outers);
	json_close(out, ']');
}

static void set_gangs(struct text *out, const struct plan *plan)
{
	json_add_key(out, "gangs");
	json_open(out, '[');
	for (uint32_t g = 0; g < plan->gang_count; g++) {
		const struct plan_gang *gang = &plan->gangs[g];
		json_open(out, '{');
		set_numbers(out, "resources", plan->taken + gang->resources, gang->resource_count);
		set_number(out, "retry", gang->retry);
		json_close(out, '}');
	}
	json_close(out, ']');
}

static void set_outers(struct text *out, struct outers *outers)
{
	json_add_key(out, "outers");
	json_open(out, '[');
	for (size_t i = 0; i < outers->count; i++) {
		json_open(out, '{');
		set_detail(out, outers->items[i]);
		set_outer(out, outers->items[i], outers);
		json_close(out, '}');
	}
	json_close(out, ']');
}

/* Whether `name` had not been seen before. */
static bool is_new(struct map *known, const char *name)
{
	uint32_t count = known->count;

	map_put(known, name, count);
	return known->count > count;
}

static void set_params_of(struct text *out, struct map *known, const struct plan_detail *detail)
{
	if (!*detail->prefix || !is_new(known, detail->prefix))
		return;
	json_add_key(out, detail->prefix);
	add_value(out, detail->params);
}

/* The parameters of each inlining, by the prefix of its tasks. */
static void set_params(struct text *out, const struct plan *plan, const struct outers *outers)
{
	struct map known = {0};

	json_add_key(out, "params");
	json_open(out, '{');
	json_add_key(out, "");
	add_value(out, &plan->params);
	for (uint32_t t = 0; t < plan->task_count; t++)
		set_params_of(out, &known, &plan->details[plan->tasks[t].detail]);
	for (size_t i = 0; i < outers->count; i++)
		set_params_of(out, &known, outers->items[i]);
	json_close(out, '}');
	map_free(&known);
}

static void set_shared(struct text *out, const struct plan *plan)
{
	json_add_key(out, "resources");
	json_open(out, '[');
	for (uint32_t i = 0; i < plan->resource_count; i++) {
		json_open(out, '{');
		set_string(out, "name", plan->resources[i].name);
		set_integer(out, "places", plan->resources[i].places);
		set_truth(out, "is_pool", plan->resources[i].is_pool);
		json_close(out, '}');
	}
	json_close(out, ']');
	json_add_key(out, "retries");
	json_open(out, '[');
	for (uint32_t i = 0; i < plan->retry_count; i++)
		add_retry(out, &plan->retries[i]);
	json_close(out, ']');
	set_truth(out, "locks_at_start", plan->locks_at_start);
	set_truth(out, "drill", plan->drill);
}

static void set_instances(struct text *out, const struct site *site)
{
	json_add_key(out, "instances");
	json_open(out, '[');
	for (uint32_t i = 0; i < site->instance_count; i++) {
		const struct instance *instance = &site->instances[i];
		json_open(out, '{');
		set_string(out, "name", instance->name);
		set_string(out, "plugin", instance->plugin);
		set_string(out, "path", instance->path);
		json_add_key(out, "settings");
		add_value(out, &instance->settings);
		json_close(out, '}');
	}
	json_close(out, ']');
}

static void set_site(struct text *out, const struct site *site)
{
	json_add_key(out, "site");
	json_open(out, '{');
	set_string(out, "path", site->path);
	set_string(out, "state_dir", site->state_dir);
	set_number(out, "jobs", site->jobs);
	set_number(out, "undo_keep_ms", site->undo_keep_ms);
	set_number(out, "undo_space_bytes", (int64_t)site->undo_space_bytes);
	set_names(out, "plugin_dirs", &site->plugin_dirs);
	set_instances(out, site);
	json_close(out, '}');
}

/* With the types of its parameters, which conditions need. */
static void add_graph(struct text *out, const struct graph *graph)
{
	json_open(out, '{');
	set_string(out, "name", graph->name);
	set_string(out, "about", graph->about);
	set_number(out, "overlap", graph->overlap);
	set_number(out, "on_failure", graph->on_failure);
	set_number(out, "running", graph->running);
	set_number(out, "on_interrupt", graph->on_interrupt);
	set_number(out, "wait_max_ms", graph->wait_max_ms);
	set_number(out, "timeout_ms", graph->timeout_ms);
	json_add_key(out, "types");
	json_open(out, '{');
	for (uint32_t i = 0; i < graph->param_count; i++)
		set_string(out, graph->params[i].name, type_name(graph->params[i].decl.type));
	json_close(out, '}');
	json_close(out, '}');
}

/* Those that were inlined; the plan's own stands by itself. */
static void set_graphs(struct text *out, const struct plan *plan, const struct outers *outers)
{
	struct map known = {0};

	is_new(&known, plan->graph->name);
	json_add_key(out, "graphs");
	json_open(out, '[');
	for (uint32_t t = 0; t < plan->task_count; t++) {
		const struct graph *graph = plan->details[plan->tasks[t].detail].graph;
		if (is_new(&known, graph->name))
			add_graph(out, graph);
	}
	for (size_t i = 0; i < outers->count; i++)
		if (is_new(&known, outers->items[i]->graph->name))
			add_graph(out, outers->items[i]->graph);
	json_close(out, ']');
	map_free(&known);
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
	char head[JOURNALED_HEAD_SIZE + 1];
	size_t begin = out->size, body = begin + JOURNALED_HEAD_SIZE;

	journaled_head("", 0, head);
	text_add(out, head, JOURNALED_HEAD_SIZE);
	set_tasks(out, plan, &outers);
	set_gangs(out, plan);
	set_integer(out, "version", 1);
	json_add_key(out, "graph");
	add_graph(out, plan->graph);
	set_graphs(out, plan, &outers);
	set_site(out, plan->site);
	set_params(out, plan, &outers);
	set_outers(out, &outers);
	set_shared(out, plan);
	json_close(out, '}');
	journaled_head(out->bytes + body, out->size - body, head);
	memcpy(out->bytes + begin, head, JOURNALED_HEAD_SIZE);
	vec_free(&outers);
}
