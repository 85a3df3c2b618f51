/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "plan/builder.h"

#include <stdlib.h>

/* Edges inside a gang: its members run at the same time. */
static void check_inside(struct build *b)
{
	const struct plan *plan = b->plan;

	for (uint32_t t = 0; t < plan->task_count; t++) {
		const struct plan_task *task = &plan->tasks[t];
		for (uint32_t k = 0; k < task->need_count; k++) {
			uint32_t need = plan->edges[task->needs + k];
			if (need == t || plan->tasks[need].gang != task->gang)
				continue;
			build_error(b, plan->details[task->detail].graph,
				plan->details[task->detail].task->at,
				"take the edge or the stream away",
				"tasks in a circle: \"%s\" waits for \"%s\", but a stream joins "
				"them and "
				"they run at the same time",
				plan->details[task->detail].name,
				plan->details[plan->tasks[need].detail].name);
		}
	}
}

static uint32_t gang_need(const struct plan *plan, uint32_t gang, uint32_t *left, uint32_t *ret_to,
	uint32_t *ret_from)
{
	for (uint32_t m = 0; m < plan->gangs[gang].member_count; m++) {
		uint32_t t = plan->members[plan->gangs[gang].members + m];
		const struct plan_task *task = &plan->tasks[t];
		for (uint32_t k = 0; k < task->need_count; k++) {
			uint32_t need = plan->edges[task->needs + k];
			uint32_t other = plan->tasks[need].gang;
			if (!left[other] || (other == gang && need != t))
				continue;
			*ret_to = t;
			*ret_from = need;
			return other;
		}
	}
	return PLAN_NONE;
}

static const char *name_of(const struct plan *plan, uint32_t task)
{
	return plan->details[plan->tasks[task].detail].name;
}

struct step {
	uint32_t to, from;
};

/* From a gang that is left, back along what is left: that must come round. */
static void report_cycle(struct build *b, uint32_t *left, uint32_t gang)
{
	const struct plan *plan = b->plan;
	struct text CLEANUP_TEXT path = {0};
	struct step step = {0};
	VEC(struct step) steps = {0};

	for (uint32_t i = 0; i < plan->gang_count; i++)
		gang = gang_need(plan, gang, left, &step.to, &step.from);
	uint32_t first = gang;
	do {
		gang = gang_need(plan, gang, left, &step.to, &step.from);
		vec_push(&steps, step);
	} while (gang != first);
	size_t count = steps.count;
	uint32_t begin = steps.items[count - 1].from;
	text_adds(&path, name_of(plan, begin));
	for (size_t i = count; i-- > 0;) {
		uint32_t leaves = steps.items[(i + count - 1) % count].from;
		text_addf(&path, " → %s", name_of(plan, steps.items[i].to));
		if (leaves != steps.items[i].to)
			text_addf(&path, " (in one stream with %s)", name_of(plan, leaves));
	}
	const struct plan_detail *detail = &plan->details[plan->tasks[begin].detail];
	build_error(b, detail->graph, detail->task->at, "take one of these edges away",
		"tasks in a circle: %s", text_string(&path));
	vec_free(&steps);
}

static bool is_inside(const struct plan *plan, uint32_t task, uint32_t other)
{
	return task != other && plan->tasks[task].gang == plan->tasks[other].gang;
}

static void count_needs(const struct plan *plan, uint32_t *left)
{
	for (uint32_t t = 0; t < plan->task_count; t++)
		for (uint32_t k = 0; k < plan->tasks[t].need_count; k++)
			if (!is_inside(plan, t, plan->edges[plan->tasks[t].needs + k]))
				left[plan->tasks[t].gang]++;
}

void cycle_find(struct build *b)
{
	const struct plan *plan = b->plan;
	uint32_t *left = base_alloc(plan->gang_count * sizeof left[0]);
	uint32_t *done = base_resize(NULL, plan->gang_count, sizeof done[0]);
	uint32_t ready = 0, next = 0;

	check_inside(b);
	count_needs(plan, left);
	for (uint32_t g = 0; g < plan->gang_count; g++)
		if (!left[g])
			done[ready++] = g;
	for (; next < ready; next++) {
		const struct plan_gang *gang = &plan->gangs[done[next]];
		for (uint32_t m = 0; m < gang->member_count; m++) {
			uint32_t t = plan->members[gang->members + m];
			for (uint32_t k = 0; k < plan->tasks[t].next_count; k++) {
				uint32_t to = plan->edges[plan->tasks[t].nexts + k];
				if (!is_inside(plan, t, to) && --left[plan->tasks[to].gang] == 0)
					done[ready++] = plan->tasks[to].gang;
			}
		}
	}
	for (uint32_t g = 0; g < plan->gang_count && ready < plan->gang_count; g++) {
		if (left[g]) {
			report_cycle(b, left, g);
			break;
		}
	}
	free(left);
	free(done);
}
