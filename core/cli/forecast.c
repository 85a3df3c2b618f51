/* SPDX-License-Identifier: MIT */
#include "cli/build.h"

static bool is_expected(const struct plan_task *task)
{
	return !(task->flags & (PLAN_LEFT_OUT | PLAN_EMPTY_EACH)) && task->run_if != RUN_IF_FAILURE;
}

static int64_t duration_of(const struct plan_task *task)
{
	return is_expected(task) ? task->duration_ms : 0;
}

/* The longest path: each task ends after the last that it needs. */
static int64_t longest_ms(const struct plan *plan)
{
	int64_t *start_ms = base_alloc((plan->task_count + 1) * sizeof *start_ms), longest = 0;
	uint32_t *left = base_alloc((plan->task_count + 1) * sizeof *left);
	VEC(uint32_t) ready = {0};

	for (uint32_t i = 0; i < plan->task_count; i++) {
		left[i] = plan->tasks[i].need_count;
		if (!left[i])
			vec_push(&ready, i);
	}
	for (size_t at = 0; at < ready.count; at++) {
		const struct plan_task *task = &plan->tasks[ready.items[at]];
		int64_t end_ms = start_ms[ready.items[at]] + duration_of(task);

		longest = end_ms > longest ? end_ms : longest;
		for (uint32_t i = 0; i < task->next_count; i++) {
			uint32_t next = plan->edges[task->nexts + i];
			if (end_ms > start_ms[next])
				start_ms[next] = end_ms;
			if (--left[next] == 0)
				vec_push(&ready, next);
		}
	}
	vec_free(&ready);
	free(left);
	free(start_ms);
	return longest;
}

struct forecast plan_forecast(const struct plan *plan, uint32_t jobs)
{
	struct forecast forecast = {.wall_ms = longest_ms(plan)};

	for (uint32_t i = 0; i < plan->task_count; i++) {
		if (!is_expected(&plan->tasks[i]))
			continue;
		forecast.tasks++;
		forecast.unknown += plan->tasks[i].duration_ms == 0;
		forecast.work_ms += plan->tasks[i].duration_ms;
	}
	int64_t spread_ms = (forecast.work_ms + jobs - 1) / jobs;
	if (spread_ms > forecast.wall_ms)
		forecast.wall_ms = spread_ms;
	return forecast;
}
