/* SPDX-License-Identifier: MIT */
/*
 * sim-graph TASKS: plays a layered graph, three edges a task, a tenth of the tasks in gangs or
 * under locks, through decide, built directly in the model.
 */
#include "base/rng.h"
#include "decide/decide.h"
#include "sim/model.h"

#include <stdio.h>
#include <stdlib.h>

enum { LAYER = 100, EDGES = 3, JOBS = 4, LOCKS = 8 };

static void make_plan(struct plan *plan, uint32_t tasks)
{
	struct model_edge *edges = base_resize(NULL, (size_t)tasks * EDGES, sizeof *edges);
	uint32_t *leaders = base_resize(NULL, tasks, sizeof *leaders);
	uint32_t *masks = base_alloc(tasks * sizeof *masks);
	size_t count = 0;

	plan->task_count = tasks;
	plan->tasks = arena_news(&plan->arena, struct plan_task, tasks);
	plan->resource_count = LOCKS;
	plan->resources = arena_news(&plan->arena, struct plan_resource, LOCKS);
	plan->retry_count = 1;
	plan->retries = arena_news(&plan->arena, struct retry, 1);
	plan->retries[0].attempts = 1;
	for (uint32_t r = 0; r < LOCKS; r++)
		plan->resources[r] = (struct plan_resource){.name = "lock", .places = 1};
	for (uint32_t i = 0; i < tasks; i++) {
		plan->tasks[i].source = plan->tasks[i].detail = PLAN_NONE;
		leaders[i] = i % 20 == 1 ? i - 1 : i;
		masks[i] = i % 20 == 10 ? 1u << (i / 20 % LOCKS) : 0;
		for (uint32_t e = 0; i >= LAYER && e < EDGES; e++)
			edges[count++] = (struct model_edge){
				.from = (i / LAYER - 1) * LAYER + (i * 7 + e * 31) % LAYER,
				.to = i};
	}
	model_link(plan, edges, count);
	model_gangs(plan, leaders);
	model_take(plan, masks);
	free(edges);
	free(leaders);
	free(masks);
}

/* Runs it: whatever is started ends, the oldest first. */
static uint64_t play(const struct plan *plan, enum exit_code *ret_code)
{
	struct decide *d = decide_new(plan, &(struct decide_options){.jobs = JOBS, .seed = 1});
	uint32_t running[JOBS], first = 0, count = 0;
	struct decision decision;
	uint64_t settled = 0;
	int64_t now_ms = 0;

	decide_event(d, &(struct event){.kind = EVENT_BEGIN});
	for (;;) {
		while (decide_next(d, &decision)) {
			if (decision.kind == DECISION_FINISH) {
				*ret_code = decision.exit_code;
				decide_free(d);
				return settled;
			}
			settled += decision.kind == DECISION_SETTLED;
			if (decision.kind == DECISION_ACQUIRE)
				decide_event(d,
					&(struct event){.kind = EVENT_ACQUIRED,
						.now_ms = now_ms,
						.gang = decision.gang});
			if (decision.kind == DECISION_START)
				running[(first + count++) % JOBS] = decision.gang;
		}
		const struct plan_gang *gang = &plan->gangs[running[first]];
		first = (first + 1) % JOBS;
		count--;
		now_ms++;
		for (uint32_t m = 0; m < gang->member_count; m++)
			decide_event(d,
				&(struct event){.kind = EVENT_ENDED,
					.now_ms = now_ms,
					.task = plan->members[gang->members + m],
					.result = TASK_SUCCEEDED});
	}
}

int main(int argc, char **argv)
{
	uint32_t tasks = argc == 2 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;
	struct plan plan = {0};
	enum exit_code code = EXIT_INTERNAL;

	if (!tasks) {
		fprintf(stderr, "usage: sim-graph TASKS\n");
		return 64;
	}
	make_plan(&plan, tasks);
	uint64_t settled = play(&plan, &code);
	arena_free(&plan.arena);
	return code == EXIT_OK && settled == tasks ? 0 : 70;
}
