/* SPDX-License-Identifier: MIT */
/* What decides what: edges, streams, gangs.  A plan in which tasks wait for each other, or for
 * something that is not there, would never end. */
#include "plan/restorer.h"

#include <stdlib.h>

static void place_edges(struct restore *r)
{
	struct plan *plan = r->plan;
	const uint32_t *need = r->needs.items;
	uint32_t at = 0;

	plan->edges = arena_news(r->arena, uint32_t, r->needs.count * 2);
	for (size_t i = 0; i < r->needs.count; i++)
		plan->tasks[need[i]].next_count++;
	for (uint32_t t = 0; t < plan->task_count; t++) {
		struct plan_task *task = &plan->tasks[t];
		task->needs = at;
		task->nexts = at + task->need_count;
		at += task->need_count + task->next_count;
		task->next_count = 0;
	}
	for (uint32_t t = 0; t < plan->task_count; t++) {
		const struct plan_task *task = &plan->tasks[t];
		for (uint32_t k = 0; k < task->need_count; k++) {
			struct plan_task *from = &plan->tasks[*need];
			plan->edges[task->needs + k] = *need++;
			plan->edges[from->nexts + from->next_count++] = t;
		}
	}
}

static void place_members(struct restore *r)
{
	struct plan *plan = r->plan;
	uint32_t at = 0;

	plan->members = arena_news(r->arena, uint32_t, plan->task_count);
	for (uint32_t t = 0; t < plan->task_count; t++)
		plan->gangs[plan->tasks[t].gang].member_count++;
	for (uint32_t g = 0; g < plan->gang_count; g++) {
		struct plan_gang *gang = &plan->gangs[g];
		gang->members = at;
		at += gang->member_count;
		r->index = g;
		if (!gang->member_count)
			unpack_fault(r, "it has no tasks");
		gang->member_count = 0;
	}
	for (uint32_t t = 0; t < plan->task_count; t++) {
		struct plan_gang *gang = &plan->gangs[plan->tasks[t].gang];
		plan->members[gang->members + gang->member_count++] = t;
	}
}

/* The promises of model/plan.h. */
static void check_task(struct restore *r, uint32_t t)
{
	const struct plan *plan = r->plan;
	const struct plan_task *task = &plan->tasks[t];
	const struct plan_task *first =
		&plan->tasks[plan->members[plan->gangs[task->gang].members]];

	for (uint32_t k = 0; k < task->need_count; k++) {
		const struct plan_task *need = &plan->tasks[plan->edges[task->needs + k]];
		if (need->gang == task->gang)
			unpack_fault(r, "it waits for a task of its own gang");
		if (need->run_if != RUN_IF_SUCCESS && task->run_if == RUN_IF_SUCCESS)
			unpack_fault(r, "it waits for a task that runs after all others");
	}
	if (task->run_if != first->run_if || (task->flags ^ first->flags) & PLAN_LEFT_OUT)
		unpack_fault(r, "it is not like the others of its gang");
	if (task->source != PLAN_NONE && plan->tasks[task->source].gang != task->gang)
		unpack_fault(r, "it reads from a task of another gang");
}

/* Each stream begins somewhere. */
static void check_streams(struct restore *r)
{
	const struct plan *plan = r->plan;
	uint32_t *seen = base_alloc(plan->task_count * sizeof *seen);

	for (uint32_t t = 0; t < plan->task_count; t++) {
		uint32_t at = t;
		while (at != PLAN_NONE && !seen[at]) {
			seen[at] = t + 1;
			at = plan->tasks[at].source;
		}
		r->index = t;
		if (at != PLAN_NONE && seen[at] == t + 1)
			unpack_fault(r, "its stream comes round in a circle");
	}
	free(seen);
}

static void count_needs(const struct plan *plan, uint32_t *left)
{
	for (uint32_t t = 0; t < plan->task_count; t++)
		left[plan->tasks[t].gang] += plan->tasks[t].need_count;
}

/* How many gangs can run, one after the other. */
static uint32_t count_runnable(const struct plan *plan, uint32_t *left, uint32_t *queue)
{
	uint32_t count = 0;

	for (uint32_t g = 0; g < plan->gang_count; g++)
		if (!left[g])
			queue[count++] = g;
	for (uint32_t i = 0; i < count; i++) {
		const struct plan_gang *gang = &plan->gangs[queue[i]];
		for (uint32_t m = 0; m < gang->member_count; m++) {
			const struct plan_task *task =
				&plan->tasks[plan->members[gang->members + m]];
			for (uint32_t k = 0; k < task->next_count; k++) {
				uint32_t next = plan->tasks[plan->edges[task->nexts + k]].gang;
				if (--left[next] == 0)
					queue[count++] = next;
			}
		}
	}
	return count;
}

static void check_order(struct restore *r)
{
	const struct plan *plan = r->plan;
	uint32_t *left = base_alloc(plan->gang_count * sizeof *left);
	uint32_t *queue = base_alloc(plan->gang_count * sizeof *queue);

	count_needs(plan, left);
	r->where = NULL;
	if (count_runnable(plan, left, queue) < plan->gang_count)
		unpack_fault(r, "its tasks wait for each other in a circle");
	free(queue);
	free(left);
}

void shape_restore(struct restore *r)
{
	r->where = "gang";
	place_edges(r);
	place_members(r);
	r->where = "task";
	for (r->index = 0; r->result == 0 && r->index < r->plan->task_count; r->index++)
		check_task(r, r->index);
	if (r->result == 0)
		check_streams(r);
	if (r->result == 0)
		check_order(r);
}
