/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "plan/builder.h"
#include "plan/output.h"

#include <stdlib.h>
#include <string.h>

static uint32_t find_root(uint32_t *parents, uint32_t task)
{
	while (parents[task] != task) {
		parents[task] = parents[parents[task]];
		task = parents[task];
	}
	return task;
}

/* The lowest task leads: gangs keep the order of the file. */
static void join(uint32_t *parents, uint32_t a, uint32_t b)
{
	a = find_root(parents, a);
	b = find_root(parents, b);
	parents[a > b ? a : b] = a > b ? b : a;
}

static void say(struct build *b, const struct scope *scope, const struct task *task,
	const char *next, const char *what, const char *other)
{
	build_error(b, scope->graph, task->from_at.line ? task->from_at : task->at, next,
		"task \"%s\": \"from\" %s \"%s\"", task->name, what, other);
}

static const char *member_fault(const struct task *task)
{
	const struct task_options *options = task->options;

	return options->each.kind != VALUE_NONE ? "each"
		: options->when                 ? "when"
		: options->confirm_within_ms    ? "confirm_within"
						: NULL;
}

/* Tasks of a stream have no keys that concern the start or the undo of one alone. */
static void say_key(struct build *b, const struct scope *scope, const struct task *task,
	const struct task *source)
{
	const char *mine = member_fault(task), *key = mine ? mine : member_fault(source);
	struct text CLEANUP_TEXT what = {0};

	text_addf(&what,
		mine ? "and \"%s\" do not go together; it reads" : "names a task with \"%s\":",
		key);
	say(b, scope, task,
		strcmp(key, "confirm_within") == 0
			? "take it away: tasks joined by a stream are undone together"
			: "take it away: tasks joined by a stream start together or not at all",
		text_string(&what), source->name);
}

static bool streams(const struct task *task, uint32_t flag)
{
	return !task->action || task->action->decl.flags & flag;
}

static bool check_ends(struct build *b, const struct scope *scope, const struct task *task,
	const struct task *source)
{
	const char *name = source->name;

	if (task_is_graph(task) || task_is_graph(source))
		say(b, scope, task, "join tasks inside one graph", "cannot join a whole graph and",
			name);
	else if (member_fault(task) || member_fault(source))
		say_key(b, scope, task, source);
	else if (!streams(task, UPKEEP_STREAM_IN))
		say(b, scope, task, "its action reads no stream; use \"after\" for order alone",
			"is not for this action; it names", name);
	else if (!streams(source, UPKEEP_STREAM_OUT))
		say(b, scope, task,
			"the action of that task writes no stream; use \"after\" for order alone",
			"names a task without a stream:", name);
	else if (task_is_exec(source) &&
		(value_get(&source->args, "stdout") || value_get(&source->args, "capture")))
		say(b, scope, task, "take \"stdout\" or \"capture\" away from that task",
			"names a task whose output goes elsewhere:", name);
	else
		return true;
	return false;
}

static void join_task(struct build *b, const struct scope *scope, uint32_t i)
{
	const struct task *task = &scope->graph->tasks[i], *source;
	const struct span *span = &scope->spans[i];
	const char *question;
	char buffer[96];

	if (!task->from) {
		if (task->action && task->action->decl.flags & UPKEEP_STREAM_IN_NEEDED)
			build_error(b, scope->graph, task->at, "add from = \"TASK\"",
				"task \"%s\": %s needs a stream to read", task->name,
				task->action->decl.name);
		return;
	}
	const struct span *other = link_find(scope, task->from, strlen(task->from), &source);
	if (!other) {
		link_offer(scope->graph, task->from, buffer, sizeof buffer, &question);
		say(b, scope, task, question, "names no task:", task->from);
		return;
	}
	if (!check_ends(b, scope, task, source))
		return;
	if (b->tasks.items[span->first].run_if != b->tasks.items[other->first].run_if)
		say(b, scope, task, "give both the same run_if",
			"joins tasks that run at different times; it names", source->name);
	b->tasks.items[span->first].source = other->first;
	join(b->parents, span->first, other->first);
}

void gang_form(struct build *b)
{
	uint32_t count = (uint32_t)b->tasks.count, gangs = 0;

	b->parents = base_resize(NULL, count, sizeof b->parents[0]);
	for (uint32_t t = 0; t < count; t++)
		b->parents[t] = t;
	for (size_t s = 0; s < b->scopes.count; s++)
		for (uint32_t i = 0; i < b->scopes.items[s]->graph->task_count; i++)
			join_task(b, b->scopes.items[s], i);
	for (uint32_t t = 0; t < count; t++) {
		uint32_t leader = find_root(b->parents, t);
		b->tasks.items[t].gang = leader == t ? gangs++ : b->tasks.items[leader].gang;
	}
	b->plan->gang_count = gangs;
}

static int compare_resources(const void *a, const void *b)
{
	const struct plan_resource *x = a, *y = b;

	return x->is_pool != y->is_pool ? x->is_pool - y->is_pool : strcmp(x->name, y->name);
}

static uint32_t pool_places(const struct site *site, const char *name)
{
	for (uint32_t i = 0; i < site->pool_count; i++)
		if (strcmp(site->pools[i].name, name) == 0)
			return site->pools[i].places;
	return 1;
}

struct resources {
	VEC(struct plan_resource) list;
	struct map locks, pools; /* name → index, once sorted */
};

static void collect(struct build *b, struct resources *r)
{
	struct plan *plan = b->plan;

	for (uint32_t t = 0; t < b->tasks.count; t++) {
		const struct task_options *o = b->details.items[t].task->options;
		if (o == &task_options_plain)
			continue;
		for (uint32_t i = 0; i < o->locks.count + o->pools.count; i++) {
			bool pool = i >= o->locks.count;
			const char *name =
				pool ? o->pools.items[i - o->locks.count] : o->locks.items[i];
			struct map *map = pool ? &r->pools : &r->locks;
			uint32_t before = map->count;
			map_put(map, name, 0);
			if (map->count == before)
				continue;
			struct plan_resource *resource = vec_add(&r->list);
			*resource = (struct plan_resource){
				name, pool ? pool_places(b->site, name) : 1, pool};
		}
	}
	if (r->list.count)
		qsort(r->list.items, r->list.count, sizeof r->list.items[0], compare_resources);
	plan->resource_count = (uint32_t)r->list.count;
	plan->resources = arena_news(&plan->arena, struct plan_resource, r->list.count);
	map_free(&r->locks);
	map_free(&r->pools);
	for (uint32_t i = 0; i < plan->resource_count; i++) {
		plan->resources[i] = r->list.items[i];
		map_put(plan->resources[i].is_pool ? &r->pools : &r->locks, plan->resources[i].name,
			i);
	}
}

struct numbers {
	uint32_t *items;
	size_t count, room;
};
struct retries {
	struct retry *items;
	size_t count, room;
};

static int compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* The union of the members' locks and pools; the retry of the member with most attempts. */
static void finish_gang(struct build *b, struct plan_gang *gang, const struct resources *r,
	struct numbers *taken, struct retries *retries)
{
	const struct plan *plan = b->plan;
	uint32_t kept = 0;

	gang->resources = (uint32_t)taken->count;
	for (uint32_t m = 0; m < gang->member_count; m++) {
		uint32_t task = plan->members[gang->members + m];
		const struct task_options *o = b->details.items[task].task->options;
		if (o == &task_options_plain)
			continue;
		for (uint32_t i = 0; i < o->locks.count; i++)
			vec_push(taken, map_get(&r->locks, o->locks.items[i]));
		for (uint32_t i = 0; i < o->pools.count; i++)
			vec_push(taken, map_get(&r->pools, o->pools.items[i]));
		if (o->locks.count && b->tasks.items[task].flags & PLAN_CAN_UNDO)
			b->plan->locks_at_start = true;
		if (o->retry.attempts <= retries->items[gang->retry].attempts)
			continue;
		gang->retry = (uint32_t)retries->count;
		vec_push(retries, o->retry);
	}
	uint32_t *mine = taken->items + gang->resources;
	uint32_t count = (uint32_t)taken->count - gang->resources;
	if (count > 1)
		qsort(mine, count, sizeof mine[0], compare_numbers);
	for (uint32_t i = 0; i < count; i++)
		if (!kept || mine[kept - 1] != mine[i])
			mine[kept++] = mine[i];
	gang->resource_count = kept;
	taken->count = gang->resources + kept;
}

static void place_members(struct build *b)
{
	struct plan *plan = b->plan;
	uint32_t count = (uint32_t)b->tasks.count, at = 0;

	plan->gangs = arena_news(&plan->arena, struct plan_gang, plan->gang_count);
	plan->members = arena_news(&plan->arena, uint32_t, count);
	for (uint32_t t = 0; t < count; t++)
		plan->gangs[b->tasks.items[t].gang].member_count++;
	for (uint32_t g = 0; g < plan->gang_count; g++) {
		plan->gangs[g].members = at;
		at += plan->gangs[g].member_count;
		plan->gangs[g].member_count = 0;
	}
	for (uint32_t t = 0; t < count; t++) {
		struct plan_gang *gang = &plan->gangs[b->tasks.items[t].gang];
		plan->members[gang->members + gang->member_count++] = t;
	}
}

void gang_finish(struct build *b)
{
	struct plan *plan = b->plan;
	struct resources r = {0};
	struct numbers taken = {0};
	struct retries retries = {0};

	place_members(b);
	collect(b, &r);
	vec_push(&retries, ((struct retry){.attempts = 1, .backoff = 1}));
	for (uint32_t g = 0; g < plan->gang_count; g++)
		finish_gang(b, &plan->gangs[g], &r, &taken, &retries);
	plan->taken = arena_news(&plan->arena, uint32_t, taken.count);
	if (taken.count)
		memcpy(plan->taken, taken.items, taken.count * sizeof taken.items[0]);
	plan->retry_count = (uint32_t)retries.count;
	plan->retries = arena_news(&plan->arena, struct retry, retries.count);
	memcpy(plan->retries, retries.items, retries.count * sizeof retries.items[0]);
	vec_free(&taken);
	vec_free(&retries);
	vec_free(&r.list);
	map_free(&r.locks);
	map_free(&r.pools);
}
