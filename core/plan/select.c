/* SPDX-License-Identifier: MIT */
#include "model/nearest.h"
#include "plan/builder.h"

#include <stdlib.h>
#include <string.h>

/* Marks the tasks of that name: a task of the graph with all its copies or inner tasks,
 * or one by its full name. */
static int mark_named(
	struct build *b, const char *option, const char *name, uint8_t *marks, struct error *err)
{
	const struct scope *root = b->scopes.items[0];
	const struct task *task;
	const struct span *span = link_find(root, name, strlen(name), &task);
	uint32_t index = map_get(&b->plan->index, name);
	char buffer[96];

	for (uint32_t i = 0; span && i < span->count; i++)
		marks[b->tasks.items[span->first + i].gang] = 1;
	if (span)
		return 0;
	if (index != MAP_NONE) {
		marks[b->tasks.items[index].gang] = 1;
		return 0;
	}
	struct nearest nearest = nearest_start(name);
	for (size_t t = 0; t < b->details.count; t++)
		nearest_try(&nearest, b->details.items[t].name);
	return error_set(err, -ENOENT, nearest_question(&nearest, buffer, sizeof buffer),
		"%s: graph \"%s\" has no task \"%s\"", option, root->graph->name, name);
}

static int mark_all(struct build *b, const char *option, const char *const *names, size_t count,
	uint8_t *marks, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = mark_named(b, option, names[i], marks, err);
	return r;
}

/* Everything that the gangs marked 1 need, directly or not, gets 2. */
static void mark_needs(const struct plan *plan, uint8_t *marks)
{
	VEC(uint32_t) work = {0};

	for (uint32_t g = 0; g < plan->gang_count; g++)
		if (marks[g])
			vec_push(&work, g);
	while (work.count) {
		const struct plan_gang *gang = &plan->gangs[work.items[--work.count]];
		for (uint32_t m = 0; m < gang->member_count; m++) {
			const struct plan_task *task =
				&plan->tasks[plan->members[gang->members + m]];
			for (uint32_t k = 0; k < task->need_count; k++) {
				uint32_t need = plan->tasks[plan->edges[task->needs + k]].gang;
				if (marks[need])
					continue;
				marks[need] = 2;
				vec_push(&work, need);
			}
		}
	}
	vec_free(&work);
}

/* The first task that runs of what uses it, or PLAN_NONE. */
static uint32_t find_user(const struct plan *plan, const struct use *use)
{
	for (uint32_t t = use->to; t < use->to + use->to_count && t < plan->task_count; t++)
		if (!(plan->tasks[t].flags & PLAN_LEFT_OUT))
			return t;
	return PLAN_NONE;
}

/* A task that runs cannot use an output of one that does not. */
static int check_uses(struct build *b, struct error *err)
{
	const struct plan *plan = b->plan;

	for (size_t i = 0; i < b->uses.count; i++) {
		const struct use *use = &b->uses.items[i];
		uint32_t user = find_user(plan, use);
		if (user == PLAN_NONE || !(plan->tasks[use->from].flags & PLAN_LEFT_OUT))
			continue;
		return error_set(err, -ENOENT, "let that task run, too, or leave both out",
			"task \"%s\" uses ${%s}, but \"%s\" is left out",
			plan->details[plan->tasks[user].detail].name, use->text,
			plan->details[plan->tasks[use->from].detail].name);
	}
	return 0;
}

int select_tasks(struct build *b, struct error *err)
{
	const struct plan_options *o = b->options;
	struct plan *plan = b->plan;
	uint8_t *only, *skip, *start;
	int r;

	if (!o->only_count && !o->skip_count && !o->start_at)
		return 0;
	only = base_alloc((size_t)plan->gang_count * 3);
	skip = only + plan->gang_count;
	start = skip + plan->gang_count;
	r = mark_all(b, "--only", o->only, o->only_count, only, err);
	if (r == 0)
		r = mark_all(b, "--skip", o->skip, o->skip_count, skip, err);
	if (r == 0 && o->start_at)
		r = mark_named(b, "--start-at", o->start_at, start, err);
	mark_needs(plan, start);
	for (uint32_t t = 0; r == 0 && t < plan->task_count; t++) {
		uint32_t g = plan->tasks[t].gang;
		if ((o->only_count && !only[g]) || skip[g] || start[g] == 2)
			plan->tasks[t].flags |= PLAN_LEFT_OUT;
	}
	free(only);
	return r < 0 ? r : check_uses(b, err);
}
