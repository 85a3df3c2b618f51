/* SPDX-License-Identifier: MIT */
#include "plan/journaled.h"
#include "plan/restorer.h"

#include <string.h>

#define NEXT_STEP "use the upkeep that made it, or a newer one"

/* A list in the text: its elements are read and freed one by one, for a tree of all tasks
 * would be far larger than their text. */
struct list {
	const char *at, *end;
	uint32_t count;
};

/* Behind the string whose first quote is at `at`, or `end`. */
static const char *skip_string(const char *at, const char *end)
{
	for (at++; at < end && *at != '"'; at++)
		at += *at == '\\' && at + 1 < end;
	return at < end ? at + 1 : end;
}

/* The comma or bracket behind the value at `at`, which jansson will look at; or `end`. */
static const char *skip_value(const char *at, const char *end)
{
	size_t depth = 0;

	while (at < end && (depth || (*at != ',' && *at != ']' && *at != '}'))) {
		depth += *at == '{' || *at == '[';
		depth -= *at == '}' || *at == ']';
		at = *at == '"' ? skip_string(at, end) : at + 1;
	}
	return at;
}

static bool starts(const char *at, const char *end, const char *with)
{
	size_t size = strlen(with);

	return (size_t)(end - at) >= size && memcmp(at, with, size) == 0;
}

static bool find_list(const char **at, const char *end, const char *opening, struct list *ret)
{
	const char *cursor = *at + strlen(opening);

	if (!starts(*at, end, opening))
		return false;
	*ret = (struct list){.at = cursor};
	while (cursor < end && *cursor != ']') {
		cursor = skip_value(cursor + (ret->count > 0), end);
		ret->count++;
		if (cursor < end && *cursor != ',' && *cursor != ']')
			return false;
	}
	ret->end = cursor;
	*at = cursor + 1;
	return cursor < end;
}

/* An object, to be freed; NULL: it is none. */
static json_t *next_object(struct restore *r, struct list *list)
{
	const char *end = skip_value(list->at, list->end);
	json_t *json = json_loadb(list->at, (size_t)(end - list->at), JSON_REJECT_DUPLICATES, NULL);

	list->at = end + 1;
	if (json_is_object(json))
		return json;
	unpack_fault(r, "it is damaged");
	json_decref(json);
	return NULL;
}

/* What stands behind tasks and gangs. */
static json_t *load_rest(struct restore *r, const char *at, const char *end)
{
	CLEANUP_TEXT struct text text = {0};

	text_addc(&text, '{');
	text_add(&text, at, (size_t)(end - at));
	json_t *json = json_loadb(text.bytes, text.size, JSON_REJECT_DUPLICATES, NULL);
	if (!json)
		unpack_fault(r, "it is damaged");
	return json;
}

static void check_version(struct restore *r, json_t *rest)
{
	json_t *version = json_object_get(rest, "version");

	if (json_integer_value(version) == 1 || r->result < 0)
		return;
	r->result = error_set(r->err, -EBADMSG, NEXT_STEP,
		"the plan of this run cannot be read: it is of version %lld, and this upkeep "
		"knows version 1",
		(long long)json_integer_value(version));
}

static void find_plugin(struct restore *r, struct instance *instance)
{
	const struct instance *now = r->current ? site_instance(r->current, instance->name) : NULL;
	const char *path = NULL;
	const struct plugin_description *description = NULL;

	if (now && text_equal(now->plugin, instance->plugin))
		instance->settings = value_copy(r->arena, &now->settings);
	if (!r->catalog ||
		catalog_find(r->catalog, instance->plugin, &path, &description, NULL) < 0)
		return;
	instance->path = path;
	instance->description = description;
}

static void read_instances(struct restore *r, json_t *list)
{
	struct site *site = r->site;

	r->where = "plugin";
	site->instance_count = (uint32_t)json_array_size(list);
	site->instances = arena_news(r->arena, struct instance, site->instance_count);
	for (uint32_t i = 0; i < site->instance_count; i++) {
		json_t *json = json_array_get(list, i);
		struct instance *instance = &site->instances[i];
		r->index = i;
		instance->name = unpack_name(r, json, "name");
		instance->plugin = unpack_name(r, json, "plugin");
		instance->settings = unpack_group(r, json, "settings");
		if (map_put(&r->instances, instance->name, i) != i)
			unpack_fault(r, "\"%s\" is there twice", instance->name);
		if (r->result == 0)
			find_plugin(r, instance);
	}
	r->where = NULL;
}

static void read_site(struct restore *r, json_t *json)
{
	struct site *site = r->site;
	const char **files = arena_news(r->arena, const char *, 1);

	site->path = unpack_text(r, json, "path");
	site->state_dir = unpack_name(r, json, "state_dir");
	site->jobs = (uint32_t)unpack_number(r, json, "jobs", 0, 1, UINT16_MAX);
	site->undo_keep_ms = unpack_number(r, json, "undo_keep_ms", 0, 0, INT64_MAX);
	site->undo_space_bytes =
		(uint64_t)unpack_number(r, json, "undo_space_bytes", 0, 0, INT64_MAX);
	site->plugin_dirs = unpack_names(r, json, "plugin_dirs");
	files[0] = site->path;
	site->files = files;
	site->file_count = site->path ? 1 : 0;
	for (uint32_t i = 0; r->result == 0 && r->catalog && i < site->plugin_dirs.count; i++)
		catalog_add_dir(r->catalog, site->plugin_dirs.items[i], NULL);
	read_instances(r, unpack_array(r, json, "instances"));
}

static void read_types(struct restore *r, json_t *json, struct graph *graph)
{
	const char *name;
	json_t *type;

	graph->params = arena_news(r->arena, struct graph_param, json_object_size(json));
	json_object_foreach(json, name, type) {
		struct graph_param *param = &graph->params[graph->param_count++];
		const char *text = json_string_value(type);
		param->name = arena_string(r->arena, name);
		param->decl.name = param->name;
		param->decl.type = text ? type_from_name(text) : 0;
		if (!param->decl.type)
			unpack_fault(r, "parameter \"%s\" is of no type that is known", name);
	}
}

static void read_graph(struct restore *r, json_t *json, struct graph *graph)
{
	uint32_t index = (uint32_t)r->graphs.count;

	graph->name = unpack_name(r, json, "name");
	graph->about = unpack_text(r, json, "about");
	graph->overlap = (uint8_t)unpack_number(r, json, "overlap", 0, 0, OVERLAP_FAIL);
	graph->on_failure =
		(uint8_t)unpack_number(r, json, "on_failure", 0, 0, ON_FAILURE_CONTINUE);
	graph->running = (uint8_t)unpack_number(r, json, "running", 0, 0, RUNNING_FINISH);
	graph->on_interrupt =
		(uint8_t)unpack_number(r, json, "on_interrupt", 0, 0, ON_INTERRUPT_RESUME);
	graph->wait_max_ms = unpack_number(r, json, "wait_max_ms", 0, 0, INT64_MAX);
	graph->timeout_ms = unpack_number(r, json, "timeout_ms", 0, 0, INT64_MAX);
	read_types(r, unpack_object(r, json, "types"), graph);
	vec_push(&r->graphs, graph);
	if (map_put(&r->graph_index, graph->name, index) != index)
		unpack_fault(r, "graph \"%s\" is there twice", graph->name);
}

static void read_graphs(struct restore *r, json_t *rest)
{
	struct site *site = r->site;
	struct plan *plan = r->plan;
	json_t *others = unpack_array(r, rest, "graphs");
	uint32_t count = (uint32_t)json_array_size(others) + 1;

	site->graphs = arena_news(r->arena, struct graph, count);
	site->graph_count = count;
	read_graph(r, unpack_object(r, rest, "graph"), &site->graphs[0]);
	for (uint32_t i = 1; i < count; i++)
		read_graph(r, json_array_get(others, i - 1), &site->graphs[i]);
	plan->graph = &site->graphs[0];
	plan->on_failure = plan->graph->on_failure;
	plan->running = plan->graph->running;
}

static void read_params(struct restore *r, json_t *all)
{
	const char *prefix;
	json_t *json;

	r->plan->params = unpack_group(r, all, "");
	map_put(&r->param_index, "", 0);
	vec_push(&r->params, &r->plan->params);
	json_object_foreach(all, prefix, json) {
		if (!*prefix)
			continue;
		struct value *params = arena_new(r->arena, struct value);
		*params = unpack_group(r, all, prefix);
		map_put(&r->param_index, arena_string(r->arena, prefix), (uint32_t)r->params.count);
		vec_push(&r->params, params);
	}
}

/* Each stands behind the one around it. */
static void read_outers(struct restore *r, json_t *list)
{
	uint32_t count = (uint32_t)json_array_size(list);

	r->where = "outer task";
	r->outers = arena_news(r->arena, struct plan_detail, count);
	for (r->index = 0; r->result == 0 && r->index < count; r->index++)
		detail_restore(r, json_array_get(list, r->index), r->index, &r->outers[r->index]);
	r->outer_count = count;
	r->where = NULL;
}

static void read_shared(struct restore *r, json_t *rest)
{
	struct plan *plan = r->plan;
	json_t *resources = unpack_array(r, rest, "resources");
	json_t *retries = unpack_array(r, rest, "retries");

	plan->resource_count = (uint32_t)json_array_size(resources);
	plan->resources = arena_news(r->arena, struct plan_resource, plan->resource_count);
	for (uint32_t i = 0; i < plan->resource_count; i++) {
		json_t *json = json_array_get(resources, i);
		plan->resources[i] = (struct plan_resource){
			.name = unpack_name(r, json, "name"),
			.places = (uint32_t)unpack_number(r, json, "places", 0, 1, UINT32_MAX),
			.is_pool = unpack_truth(r, json, "is_pool"),
		};
	}
	plan->retry_count = (uint32_t)json_array_size(retries);
	plan->retries = arena_news(r->arena, struct retry, plan->retry_count);
	for (uint32_t i = 0; i < plan->retry_count; i++)
		plan->retries[i] = unpack_retry(r, json_array_get(retries, i));
	if (!plan->retry_count || plan->retries[0].attempts != 1)
		unpack_fault(r, "the first of \"retries\" must be none");
	plan->locks_at_start = unpack_truth(r, rest, "locks_at_start");
	plan->drill = unpack_truth(r, rest, "drill");
}

static void read_gang(struct restore *r, json_t *json, struct plan_gang *gang)
{
	const struct plan *plan = r->plan;

	gang->resources = (uint32_t)r->taken.count;
	gang->resource_count =
		unpack_numbers(r, json, "resources", plan->resource_count, &r->taken);
	for (uint32_t i = 1; i < gang->resource_count; i++)
		if (r->taken.items[gang->resources + i - 1] >= r->taken.items[gang->resources + i])
			unpack_fault(r, "\"resources\" are not in order");
	gang->retry =
		(uint32_t)unpack_number(r, json, "retry", 0, 0, (int64_t)plan->retry_count - 1);
}

static void read_gangs(struct restore *r, struct list list)
{
	struct plan *plan = r->plan;

	r->where = "gang";
	plan->gang_count = list.count;
	plan->gangs = arena_news(r->arena, struct plan_gang, list.count);
	for (r->index = 0; r->result == 0 && r->index < list.count; r->index++) {
		CLEANUP_JSON json_t *json = next_object(r, &list);
		if (json)
			read_gang(r, json, &plan->gangs[r->index]);
	}
	plan->taken = arena_news(r->arena, uint32_t, r->taken.count);
	if (r->taken.count)
		memcpy(plan->taken, r->taken.items, r->taken.count * sizeof plan->taken[0]);
}

static void read_task(struct restore *r, json_t *json, uint32_t index)
{
	struct plan *plan = r->plan;
	struct plan_task *task = &plan->tasks[index];
	struct plan_detail *detail = &plan->details[index];
	int64_t last = (int64_t)plan->task_count - 1;
	const uint8_t all_flags = PLAN_WHEN | PLAN_IGNORE_FAILURE | PLAN_PIVOT | PLAN_LEFT_OUT |
		PLAN_EMPTY_EACH | PLAN_CAN_UNDO;

	detail_restore(r, json, r->outer_count, detail);
	task->detail = index;
	task->need_count = unpack_numbers(r, json, "needs", plan->task_count, &r->needs);
	task->source = json_object_get(json, "source")
		? (uint32_t)unpack_number(r, json, "source", 0, 0, last)
		: PLAN_NONE;
	task->duration_ms = (uint32_t)unpack_number(r, json, "duration_ms", 0, 0, UINT32_MAX);
	task->flags = (uint8_t)unpack_number(r, json, "flags", 0, 0, all_flags);
	task->run_if = (uint8_t)unpack_number(r, json, "run_if", 0, 0, RUN_IF_DONE);
	task->gang = (uint32_t)unpack_number(r, json, "gang", -1, 0, (int64_t)plan->gang_count - 1);
	task->changes =
		(uint8_t)unpack_number(r, json, "changes", 0, 0, UPKEEP_CHANGES_IRREVERSIBLE);
	if (map_put(&plan->index, detail->name, index) != index)
		unpack_fault(r, "\"%s\" is there twice", detail->name);
}

static void read_tasks(struct restore *r, struct list list)
{
	struct plan *plan = r->plan;

	r->where = "task";
	plan->task_count = list.count;
	plan->tasks = arena_news(r->arena, struct plan_task, list.count);
	plan->details = arena_news(r->arena, struct plan_detail, list.count);
	for (r->index = 0; r->result == 0 && r->index < list.count; r->index++) {
		CLEANUP_JSON json_t *json = next_object(r, &list);
		if (json)
			read_task(r, json, r->index);
	}
}

/* Goes over what the text begins with; false: the checksum is wrong.  The oldest have none. */
static bool skip_head(const char **at, const char *end)
{
	char head[JOURNALED_HEAD_SIZE + 1];

	if (!starts(*at, end, "{\"checksum\":")) {
		*at += starts(*at, end, "{");
		return true;
	}
	if (end - *at < JOURNALED_HEAD_SIZE)
		return false;
	const char *rest = *at + JOURNALED_HEAD_SIZE;
	journaled_head(rest, (size_t)(end - rest), head);
	bool right = memcmp(head, *at, JOURNALED_HEAD_SIZE) == 0;
	*at = rest;
	return right;
}

static void read_all(struct restore *r, const char *text, size_t size)
{
	const char *at = text, *end = text + size;
	struct list tasks, gangs;

	if (size >= UINT32_MAX || !skip_head(&at, end) ||
		!find_list(&at, end, "\"tasks\":[", &tasks) ||
		!find_list(&at, end, ",\"gangs\":[", &gangs) || at == end || *at++ != ',') {
		unpack_fault(r, "it is damaged");
		return;
	}
	CLEANUP_JSON json_t *rest = load_rest(r, at, end);
	check_version(r, rest);
	if (r->result < 0)
		return;
	read_site(r, unpack_object(r, rest, "site"));
	read_graphs(r, rest);
	read_params(r, unpack_object(r, rest, "params"));
	read_outers(r, unpack_array(r, rest, "outers"));
	read_shared(r, rest);
	read_gangs(r, gangs);
	read_tasks(r, tasks);
	if (r->result == 0)
		shape_restore(r);
}

int plan_restore(const char *text, size_t size, struct catalog *catalog, const struct site *current,
	struct plan **ret, struct error *err)
{
	struct plan *plan = base_alloc(sizeof *plan);
	struct restore r = {.plan = plan,
		.arena = &plan->arena,
		.catalog = catalog,
		.current = current,
		.err = err};

	r.site = arena_new(r.arena, struct site);
	plan->site = r.site;
	read_all(&r, text, size);
	vec_free(&r.graphs);
	vec_free(&r.params);
	vec_free(&r.needs);
	vec_free(&r.taken);
	map_free(&r.graph_index);
	map_free(&r.param_index);
	map_free(&r.instances);
	*ret = r.result < 0 ? NULL : plan;
	if (r.result < 0)
		plan_free(plan);
	return r.result;
}
