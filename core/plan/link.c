/* SPDX-License-Identifier: MIT */
#include "model/nearest.h"
#include "plan/builder.h"

#include <string.h>

const struct span *link_find(
	const struct scope *scope, const char *name, size_t size, const struct task **ret_task)
{
	const char *slash = memchr(name, '/', size);
	size_t first = slash ? (size_t)(slash - name) : size;
	uint32_t i = map_getn(&scope->graph->task_index, name, first);

	if (i == MAP_NONE)
		return NULL;
	if (slash)
		return scope->spans[i].inner && !scope->spans[i].copies
			? link_find(scope->spans[i].inner, slash + 1, size - first - 1, ret_task)
			: NULL;
	*ret_task = &scope->graph->tasks[i];
	return &scope->spans[i];
}

void link_offer(const struct graph *graph, const char *name, char *buffer, unsigned size,
	const char **ret_question)
{
	struct nearest nearest = nearest_start(name);

	for (uint32_t i = 0; i < graph->task_count; i++)
		nearest_try(&nearest, graph->tasks[i].name);
	*ret_question = nearest_question(&nearest, buffer, size);
}

static void add_source(struct build *b, uint32_t task, const char *use, bool whole)
{
	if (use) {
		struct use *kept = vec_add(&b->uses);
		*kept = (struct use){.from = task, .to = PLAN_NONE, .text = use};
	}
	bool known = b->marks[task] == b->stamp;
	b->marks[task] = b->stamp;
	if (!known)
		vec_push(&b->sources, ((struct need){task, whole}));
	/* Named by itself, too: then that counts. */
	bool late = b->tasks.items[task].run_if != RUN_IF_SUCCESS;
	for (size_t i = 0; known && late && !whole && i < b->sources.count; i++)
		if (b->sources.items[i].task == task)
			b->sources.items[i].whole = false;
}

/* Are there tasks in it that do not wait for the end of the run (run_if)? */
static bool has_forward(const struct build *b, const struct scope *inner)
{
	for (size_t i = 0; i < inner->leaves.count; i++)
		if (b->tasks.items[inner->leaves.items[i]].run_if == RUN_IF_SUCCESS)
			return true;
	return false;
}

void link_source(struct build *b, const struct span *span, const char *use)
{
	if (!span->inner) {
		for (uint32_t i = 0; i < span->count; i++)
			add_source(b, span->first + i, use, false);
		return;
	}
	for (const struct scope *inner = span->inner; inner; inner = inner->next_copy)
		for (size_t i = 0; i < inner->leaves.count; i++)
			add_source(b, inner->leaves.items[i], use, has_forward(b, inner));
}

static void link_after(struct build *b, const struct scope *scope, const struct task *task)
{
	const struct task *other;
	const char *question;
	char buffer[96];

	for (uint32_t i = 0; i < task->after.count; i++) {
		const char *name = task->after.items[i];
		const struct span *span = link_find(scope, name, strlen(name), &other);
		if (span) {
			link_source(b, span, NULL);
			continue;
		}
		link_offer(scope->graph, name, buffer, sizeof buffer, &question);
		build_error(b, scope->graph, task->after.at[i], question,
			"task \"%s\": \"after\" names no task of graph \"%s\": \"%s\"", task->name,
			scope->graph->name, name);
	}
}

static void add_link(struct build *b, const struct scope *scope, const struct task *task,
	uint32_t from, uint32_t to, bool whole)
{
	struct plan_task *tasks = b->tasks.items;

	if (tasks[from].run_if != RUN_IF_SUCCESS && tasks[to].run_if == RUN_IF_SUCCESS) {
		if (!whole)
			build_error(b, scope->graph, task->at,
				"give this task a run_if, too, or take the edge away",
				"task \"%s\" waits for \"%s\", which runs after all others "
				"(run_if)",
				b->details.items[to].name, b->details.items[from].name);
		return;
	}
	struct link *link = vec_add(&b->links);
	*link = (struct link){.from = from, .to = to};
	tasks[to].need_count++;
	if (tasks[to].run_if == RUN_IF_SUCCESS)
		tasks[from].next_count++;
}

/* Edges from all sources of the task at hand to what it has become. */
static void link_targets(struct build *b, const struct scope *scope, const struct task *task,
	const struct span *span, size_t first_use)
{
	size_t use_end = b->uses.count;

	for (size_t s = 0; s < b->sources.count; s++) {
		uint32_t from = b->sources.items[s].task;
		bool whole = b->sources.items[s].whole;
		for (uint32_t t = 0; !span->inner && t < span->count; t++)
			add_link(b, scope, task, from, span->first + t, whole);
		for (const struct scope *inner = span->inner; inner; inner = inner->next_copy)
			for (size_t t = 0; t < inner->roots.count; t++)
				add_link(b, scope, task, from, inner->roots.items[t], whole);
	}
	for (size_t u = first_use; u < use_end; u++) {
		b->uses.items[u].to = span->first;
		b->uses.items[u].to_count = span->count;
	}
}

static void note_ends(struct build *b, struct scope *scope)
{
	if (!scope->parent)
		return;
	for (uint32_t t = scope->first; t < scope->end; t++) {
		if (!b->tasks.items[t].need_count)
			vec_push(&scope->roots, t);
		if (!b->tasks.items[t].next_count)
			vec_push(&scope->leaves, t);
	}
}

void link_scopes(struct build *b)
{
	b->marks = base_alloc(b->tasks.count * sizeof b->marks[0]);
	for (size_t s = b->scopes.count; s-- > 0;) {
		struct scope *scope = b->scopes.items[s];
		for (uint32_t i = 0; i < scope->graph->task_count; i++) {
			const struct task *task = &scope->graph->tasks[i];
			size_t first_use = b->uses.count;
			b->stamp++;
			b->sources.count = 0;
			link_after(b, scope, task);
			check_task(b, scope, task);
			link_targets(b, scope, task, &scope->spans[i], first_use);
		}
		note_ends(b, scope);
	}
}
