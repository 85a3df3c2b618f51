/* SPDX-License-Identifier: MIT */
#include "plan/build.h"

#include "base/cleanup.h"
#include "plan/builder.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The same error from two inlinings of a graph is one. */
static bool is_known(const struct diagnostics *diagnostics, struct location at, const char *what)
{
	for (size_t i = 0; i < diagnostics->list.count; i++) {
		const struct diagnostic *d = &diagnostics->list.items[i];
		if (d->at.line == at.line && d->at.column == at.column && d->at.file == at.file &&
			text_equal(d->what, what))
			return true;
	}
	return false;
}

void build_error(struct build *b, const struct graph *graph, struct location at, const char *next,
	const char *format, ...)
{
	CLEANUP_FREE char *what = NULL;
	va_list ap;

	va_start(ap, format);
	int n = vasprintf(&what, format, ap);
	va_end(ap);
	b->errors++;
	if (n >= 0 && !is_known(b->diagnostics, at, what))
		diagnostics_add(b->diagnostics, at, graph->name, false, next, "%s", what);
	if (n < 0)
		what = NULL;
}

/* Moves tasks, details and edges into the plan. */
static void fill_plan(struct build *b)
{
	struct plan *plan = b->plan;
	uint32_t at = 0;

	plan->task_count = (uint32_t)b->tasks.count;
	plan->tasks = arena_news(&plan->arena, struct plan_task, b->tasks.count);
	plan->details = arena_news(&plan->arena, struct plan_detail, b->details.count);
	plan->edges = arena_news(&plan->arena, uint32_t, b->links.count * 2);
	for (uint32_t t = 0; t < plan->task_count; t++) {
		plan->tasks[t] = b->tasks.items[t];
		plan->details[t] = b->details.items[t];
		plan->tasks[t].need_count = plan->tasks[t].next_count = 0;
	}
	vec_each(&b->links, link) {
		plan->tasks[link->to].need_count++;
		plan->tasks[link->from].next_count++;
	}
	for (uint32_t t = 0; t < plan->task_count; t++) {
		struct plan_task *task = &plan->tasks[t];
		task->needs = at;
		task->nexts = at + task->need_count;
		at += task->need_count + task->next_count;
		task->need_count = task->next_count = 0;
	}
	vec_each(&b->links, link) {
		struct plan_task *from = &plan->tasks[link->from], *to = &plan->tasks[link->to];
		plan->edges[to->needs + to->need_count++] = link->from;
		plan->edges[from->nexts + from->next_count++] = link->to;
	}
}

static int build_all(struct build *b, const struct graph *graph, struct error *err)
{
	int r = parameter_set(b, graph, err);

	if (r < 0)
		return r;
	expand_graph(b, graph, "", &b->plan->params, NULL, NULL);
	link_scopes(b);
	gang_form(b);
	fill_plan(b);
	gang_finish(b);
	cycle_find(b);
	for (uint32_t t = 0; t < b->plan->task_count && !b->errors; t++)
		check_arguments(b, t);
	return b->errors ? -EINVAL : select_tasks(b, err);
}

int plan_build(const struct site *site, const struct graph *graph,
	const struct plan_options *options, struct plan **ret_plan, struct diagnostics *diagnostics,
	struct error *err)
{
	struct plan *plan = base_alloc(sizeof *plan);
	struct build b = {
		.site = site, .options = options, .diagnostics = diagnostics, .plan = plan};

	plan->site = site;
	plan->graph = graph;
	plan->on_failure = graph->on_failure;
	plan->running = graph->running;
	int r = build_all(&b, graph, err);
	vec_each(&b.scopes, scope) {
		vec_free(&(*scope)->roots);
		vec_free(&(*scope)->leaves);
	}
	vec_free(&b.scopes);
	vec_free(&b.details);
	vec_free(&b.tasks);
	vec_free(&b.links);
	vec_free(&b.uses);
	vec_free(&b.sources);
	free(b.marks);
	free(b.parents);
	*ret_plan = r < 0 ? NULL : plan;
	if (r < 0)
		plan_free(plan);
	return r;
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	map_free(&plan->index);
	arena_free(&plan->arena);
	free(plan);
}
