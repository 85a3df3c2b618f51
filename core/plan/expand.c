/* SPDX-License-Identifier: MIT */
#include "model/nearest.h"
#include "plan/builder.h"
#include "plan/output.h"

#include <inttypes.h>
#include <string.h>

static uint8_t flags_of(const struct task *task, const struct plan_detail *outer, uint8_t changes)
{
	const struct task_options *options = task->options;
	uint8_t flags = 0;

	if (options->when)
		flags |= PLAN_WHEN;
	for (; outer; outer = outer->outer)
		if (outer->task->options->when)
			flags |= PLAN_WHEN;
	if (options->ignore_failure)
		flags |= PLAN_IGNORE_FAILURE;
	if (options->pivot)
		flags |= PLAN_PIVOT;
	if (options->rollback.kind != VALUE_NONE ||
		(task->action && task->action->has & ACTION_HAS_UNDO &&
			changes != UPKEEP_CHANGES_IRREVERSIBLE))
		flags |= PLAN_CAN_UNDO;
	return flags;
}

static uint8_t changes_of(const struct task *task)
{
	const struct value *changes = task_is_exec(task) ? value_get(&task->args, "changes") : NULL;

	if (!changes || changes->kind != VALUE_STRING)
		return (uint8_t)(task->action ? action_changes(&task->action->decl, &task->args)
					      : UPKEEP_CHANGES_UNKNOWN);
	return strcmp(changes->string, "none") == 0            ? UPKEEP_CHANGES_NONE
		: strcmp(changes->string, "irreversible") == 0 ? UPKEEP_CHANGES_IRREVERSIBLE
							       : UPKEEP_CHANGES_UNKNOWN;
}

static uint8_t run_if_of(const struct task *task, const struct plan_detail *outer)
{
	uint8_t run_if = task->options->run_if;

	for (; outer && run_if == RUN_IF_SUCCESS; outer = outer->outer)
		run_if = outer->task->options->run_if;
	return run_if;
}

static struct plan_detail detail_of(const struct scope *scope, const struct task *task,
	const char *name, const struct value *each)
{
	return (struct plan_detail){.name = name,
		.task = task,
		.prefix = scope->prefix,
		.params = scope->params,
		.each = each,
		.graph = scope->graph,
		.outer = scope->outer};
}

/* A task of a graph that another runs with run_if; config has seen to the others. */
static void check_late(struct build *b, const struct scope *scope, const struct task *task)
{
	const char *key = task->options->pivot     ? "pivot"
		: task->options->confirm_within_ms ? "confirm_within"
						   : NULL;

	if (key && task->options->run_if == RUN_IF_SUCCESS)
		build_error(b, scope->graph, task->at,
			"take it away, or the run_if of the task that runs this graph",
			"task \"%s\": key \"%s\" does not go together with the run_if of the graph "
			"around it, \"%s\"",
			task->name, key, scope->outer->name);
}

static void add_task(struct build *b, struct scope *scope, const struct task *task,
	const char *name, const struct value *each)
{
	struct plan_task *planned = vec_add(&b->tasks);
	struct plan_detail *detail = vec_add(&b->details);

	planned->detail = (uint32_t)b->details.count - 1;
	planned->source = PLAN_NONE;
	planned->run_if = run_if_of(task, scope->outer);
	planned->changes = changes_of(task);
	planned->flags = flags_of(task, scope->outer, planned->changes);
	*detail = detail_of(scope, task, name, each);
	map_put(&b->plan->index, name, (uint32_t)b->tasks.count - 1);
	if (planned->run_if != RUN_IF_SUCCESS)
		check_late(b, scope, task);
}

static const char *name_in(struct build *b, const struct scope *scope, const char *name)
{
	return *scope->prefix ? arena_printf(&b->plan->arena, "%s%s", scope->prefix, name) : name;
}

static void expand_copies(
	struct build *b, struct scope *scope, const struct task *task, const char *name)
{
	struct value items = each_items(b, scope, task);

	for (uint32_t i = 0; i < items.list.count; i++)
		add_task(b, scope, task, arena_printf(&b->plan->arena, "%s[%" PRIu32 "]", name, i),
			&items.list.items[i]);
	if (items.list.count)
		return;
	add_task(b, scope, task, name, NULL);
	b->tasks.items[b->tasks.count - 1].flags |= PLAN_EMPTY_EACH;
}

/* a → b → a: the graph is already being inlined. */
static bool is_recursive(
	struct build *b, struct scope *scope, const struct task *task, const struct graph *graph)
{
	struct text CLEANUP_TEXT path = {0};
	const struct scope *up = scope;

	while (up && up->graph != graph)
		up = up->parent;
	if (!up)
		return false;
	for (const struct scope *s = scope; s; s = s == up ? NULL : s->parent) {
		char *rest = text_take(&path);
		text_addf(&path, "%s → %s", s->graph->name, *rest ? rest : graph->name);
		free(rest);
	}
	build_error(b, scope->graph, task->at, "a graph cannot run inside itself",
		"task \"%s\": graphs in a circle: %s", task->name, text_string(&path));
	return true;
}

static const struct graph *find_graph(struct build *b, struct scope *scope, const struct task *task)
{
	const struct value *name = value_get(&task->args, "graph");
	struct nearest nearest;
	char buffer[96];

	if (!name || name->kind != VALUE_STRING)
		return NULL; /* config has said so */
	if (name->has_refs) {
		build_error(b, scope->graph, name->at, "write the name itself",
			"task \"%s\": the graph to run must be named without references",
			task->name);
		return NULL;
	}
	const struct graph *graph = site_graph(b->site, name->string);
	if (graph)
		return graph;
	nearest = nearest_start(name->string);
	for (uint32_t i = 0; i < b->site->graph_count; i++)
		nearest_try(&nearest, b->site->graphs[i].name);
	build_error(b, scope->graph, name->at, nearest_question(&nearest, buffer, sizeof buffer),
		"task \"%s\": there is no graph \"%s\"", task->name, name->string);
	return NULL;
}

/* core.graph has no process of its own: what concerns one stands with its tasks. */
static void check_graph_keys(struct build *b, struct scope *scope, const struct task *task)
{
	const struct task_options *o = task->options;
	const char *key = o->ignore_failure      ? "ignore_failure"
		: o->retry.attempts > 1          ? "retry"
		: o->timeout_ms                  ? "timeout"
		: o->locks.count                 ? "lock"
		: o->pools.count                 ? "pool"
		: o->pivot                       ? "pivot"
		: o->leaves_running              ? "leaves_running"
		: o->confirm_within_ms           ? "confirm_within"
		: o->run_as || o->run_as_group   ? "run_as"
		: o->has_umask                   ? "umask"
		: o->has_nice                    ? "nice"
		: o->env.kind != VALUE_NONE      ? "env"
		: o->cwd                         ? "cwd"
		: o->rollback.kind != VALUE_NONE ? "rollback"
						 : NULL;

	if (key)
		build_error(b, scope->graph, task->at,
			"set it on the tasks of that graph; core.graph takes after, when, each and "
			"run_if",
			"task \"%s\": core.graph has no \"%s\"", task->name, key);
}

static void expand_inner(struct build *b, struct scope *scope, const struct task *task,
	const struct graph *graph, const char *name, const struct value *each, struct span *span)
{
	struct plan_detail *outer = arena_new(&b->plan->arena, struct plan_detail);

	*outer = detail_of(scope, task, name, each);
	const struct value *params = parameter_pass(b, scope, task, graph);
	struct scope *inner = expand_graph(
		b, graph, arena_printf(&b->plan->arena, "%s/", name), params, outer, scope);
	inner->next_copy = span->inner;
	span->inner = inner;
}

static void expand_subgraph(
	struct build *b, struct scope *scope, const struct task *task, struct span *span)
{
	const struct graph *graph = find_graph(b, scope, task);
	const char *name = name_in(b, scope, task->name);

	check_graph_keys(b, scope, task);
	if (!graph || is_recursive(b, scope, task, graph))
		return;
	if (!span->copies) {
		expand_inner(b, scope, task, graph, name, NULL, span);
		return;
	}
	struct value items = each_items(b, scope, task);
	for (uint32_t i = 0; i < items.list.count; i++)
		expand_inner(b, scope, task, graph,
			arena_printf(&b->plan->arena, "%s[%" PRIu32 "]", name, i),
			&items.list.items[i], span);
	if (items.list.count)
		return;
	/* One task that is skipped: what comes before and after it stays in order. */
	add_task(b, scope, task, name, NULL);
	b->tasks.items[b->tasks.count - 1].flags |= PLAN_EMPTY_EACH;
}

struct scope *expand_graph(struct build *b, const struct graph *graph, const char *prefix,
	const struct value *params, const struct plan_detail *outer, struct scope *parent)
{
	struct scope *scope = arena_new(&b->plan->arena, struct scope);

	*scope = (struct scope){.graph = graph,
		.prefix = prefix,
		.params = params,
		.outer = outer,
		.parent = parent,
		.first = (uint32_t)b->tasks.count};
	for (size_t i = 0; i < b->scopes.count; i++)
		scope->repeated = scope->repeated || b->scopes.items[i]->graph == graph;
	vec_push(&b->scopes, scope);
	scope->spans = arena_news(&b->plan->arena, struct span, graph->task_count);
	for (uint32_t i = 0; i < graph->task_count; i++) {
		const struct task *task = &graph->tasks[i];
		struct span *span = &scope->spans[i];
		span->first = (uint32_t)b->tasks.count;
		span->copies = task->options->each.kind != VALUE_NONE;
		if (task_is_graph(task))
			expand_subgraph(b, scope, task, span);
		else if (span->copies)
			expand_copies(b, scope, task, name_in(b, scope, task->name));
		else
			add_task(b, scope, task, name_in(b, scope, task->name), NULL);
		span->count = (uint32_t)b->tasks.count - span->first;
	}
	scope->end = (uint32_t)b->tasks.count;
	return scope;
}
