/* SPDX-License-Identifier: MIT */
#include "decide/machine.h"

/* How long a task of unknown duration counts: as long as the others on average; 1
 * where none is known, so that the rank is the depth. */
static uint64_t guess_duration(const struct plan *plan)
{
	uint64_t sum = 0, known = 0;

	for (uint32_t i = 0; i < plan->task_count; i++) {
		sum += plan->tasks[i].duration_ms;
		known += plan->tasks[i].duration_ms != 0;
	}
	return known && sum / known ? sum / known : 1;
}

static uint64_t gang_duration(const struct decide *d, uint32_t gang, uint64_t guess)
{
	const uint32_t *members = gang_members(d, gang);
	uint64_t longest = 0;

	for (uint32_t i = 0; i < d->plan->gangs[gang].member_count; i++) {
		uint32_t ms = d->plan->tasks[members[i]].duration_ms;
		if ((ms ? ms : guess) > longest)
			longest = ms ? ms : guess;
	}
	return longest;
}

/* Edges of a gang that do not stay inside it. */
static uint32_t count_edges(const struct plan *plan, uint32_t gang, bool back)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < plan->gangs[gang].member_count; i++) {
		const struct plan_task *task =
			&plan->tasks[plan->members[plan->gangs[gang].members + i]];
		uint32_t n = back ? task->need_count : task->next_count;
		const uint32_t *edges = plan->edges + (back ? task->needs : task->nexts);
		if (plan->gangs[gang].member_count == 1)
			return n;
		for (uint32_t k = 0; k < n; k++)
			count += plan->tasks[edges[k]].gang != gang;
	}
	return count;
}

/* The gang's rank is known: tells what it needs.  Returns the new head of the list. */
static uint32_t spread(struct decide *d, uint32_t gang, uint32_t head)
{
	const struct plan *plan = d->plan;
	struct unit *unit = &d->units[gang];

	for (uint32_t i = 0; i < plan->gangs[gang].member_count; i++) {
		const struct plan_task *task = &plan->tasks[gang_members(d, gang)[i]];
		for (uint32_t k = 0; k < task->need_count; k++) {
			uint32_t before = plan->tasks[plan->edges[task->needs + k]].gang;
			struct unit *other = &d->units[before];
			if (before == gang)
				continue;
			if (other->rank < unit->rank && other->final == unit->final)
				other->rank = unit->rank;
			if (--other->waiting == 0) {
				other->link = head;
				head = before;
			}
		}
	}
	return head;
}

void rank_gangs(struct decide *d)
{
	const struct plan *plan = d->plan;
	uint64_t guess = guess_duration(plan);
	uint32_t head = PLAN_NONE;

	for (uint32_t g = 0; g < plan->gang_count; g++) {
		struct unit *unit = &d->units[g];
		unit->final = plan->tasks[gang_members(d, g)[0]].run_if != RUN_IF_SUCCESS;
		unit->waiting = count_edges(plan, g, false);
		if (unit->waiting == 0) {
			unit->link = head;
			head = g;
		}
	}
	while (head != PLAN_NONE) {
		uint32_t gang = head;
		head = d->units[gang].link;
		d->units[gang].rank += gang_duration(d, gang, guess);
		head = spread(d, gang, head);
	}
	for (uint32_t g = 0; g < plan->gang_count; g++)
		d->units[g].waiting = count_edges(plan, g, true);
}
