/* SPDX-License-Identifier: MIT */
#include "sim/model.h"

void model_link(struct plan *plan, const struct model_edge *edges, size_t count)
{
	uint32_t at = 0;

	plan->edges = arena_news(&plan->arena, uint32_t, count * 2 + 1);
	for (size_t i = 0; i < count; i++) {
		plan->tasks[edges[i].to].need_count++;
		plan->tasks[edges[i].from].next_count++;
	}
	for (uint32_t t = 0; t < plan->task_count; t++) {
		plan->tasks[t].needs = at;
		at += plan->tasks[t].need_count;
		plan->tasks[t].nexts = at;
		at += plan->tasks[t].next_count;
		plan->tasks[t].need_count = plan->tasks[t].next_count = 0;
	}
	for (size_t i = 0; i < count; i++) {
		struct plan_task *from = &plan->tasks[edges[i].from],
				 *to = &plan->tasks[edges[i].to];
		plan->edges[to->needs + to->need_count++] = edges[i].from;
		plan->edges[from->nexts + from->next_count++] = edges[i].to;
	}
}

void model_gangs(struct plan *plan, const uint32_t *leaders)
{
	uint32_t at = 0;

	plan->gangs = arena_news(&plan->arena, struct plan_gang, plan->task_count + 1);
	plan->members = arena_news(&plan->arena, uint32_t, plan->task_count + 1);
	for (uint32_t t = 0; t < plan->task_count; t++) {
		uint32_t gang = leaders[t] == t ? plan->gang_count++ : plan->tasks[leaders[t]].gang;
		plan->tasks[t].gang = gang;
		plan->gangs[gang].member_count++;
	}
	for (uint32_t g = 0; g < plan->gang_count; g++) {
		plan->gangs[g].members = at;
		at += plan->gangs[g].member_count;
		plan->gangs[g].member_count = 0;
	}
	for (uint32_t t = 0; t < plan->task_count; t++) {
		struct plan_gang *gang = &plan->gangs[plan->tasks[t].gang];
		plan->members[gang->members + gang->member_count++] = t;
	}
}

void model_take(struct plan *plan, const uint32_t *masks)
{
	uint32_t at = 0, room = 0;

	for (uint32_t t = 0; t < plan->task_count; t++)
		room += (uint32_t)__builtin_popcount(masks[t]);
	plan->taken = arena_news(&plan->arena, uint32_t, room + 1);
	for (uint32_t g = 0; g < plan->gang_count; g++) {
		struct plan_gang *gang = &plan->gangs[g];
		uint32_t all = 0;
		for (uint32_t i = 0; i < gang->member_count; i++)
			all |= masks[plan->members[gang->members + i]];
		gang->resources = at;
		for (; all; all &= all - 1)
			plan->taken[at++] = (uint32_t)__builtin_ctz(all);
		gang->resource_count = at - gang->resources;
	}
}
