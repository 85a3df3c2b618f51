/* SPDX-License-Identifier: MIT */
/*
 * A gang that finds a resource full waits for that one alone.  So that nothing
 * sleeps on: whenever a resource has a free place and waiters, a gang that wants
 * it is in decide.ready; whoever takes or passes over the place keeps this true.
 */
#include "decide/machine.h"

static const uint32_t *taken_by(const struct plan *plan, uint32_t gang)
{
	return plan->taken + plan->gangs[gang].resources;
}

static bool has_place(const struct decide *d, uint32_t resource)
{
	return d->pools[resource].used < d->plan->resources[resource].places;
}

static void wake_one(struct decide *d, uint32_t resource)
{
	struct pool *pool = &d->pools[resource];

	if (has_place(d, resource) && pool->waiters.list.count)
		gang_make_ready(d, heap_pop(&pool->waiters).gang);
}

bool resource_take(struct decide *d, uint32_t gang)
{
	const uint32_t *taken = taken_by(d->plan, gang);
	uint32_t count = d->plan->gangs[gang].resource_count, full = PLAN_NONE;

	for (uint32_t i = 0; i < count && full == PLAN_NONE; i++)
		if (!has_place(d, taken[i]))
			full = taken[i];
	if (full == PLAN_NONE)
		for (uint32_t i = 0; i < count; i++)
			d->pools[taken[i]].used++;
	for (uint32_t i = 0; i < count; i++)
		wake_one(d, taken[i]);
	if (full != PLAN_NONE)
		heap_push(&d->pools[full].waiters, d->units[gang].rank, gang);
	return full == PLAN_NONE;
}

void resource_forget(struct decide *d, uint32_t gang)
{
	const uint32_t *taken = taken_by(d->plan, gang);

	for (uint32_t i = 0; i < d->plan->gangs[gang].resource_count; i++) {
		d->pools[taken[i]].used--;
		wake_one(d, taken[i]);
	}
}

void resource_give(struct decide *d, uint32_t gang)
{
	resource_forget(d, gang);
	if (resource_is_shared(d, gang))
		queue_push(d, DECISION_RELEASE)->gang = gang;
}

bool resource_is_shared(const struct decide *d, uint32_t gang)
{
	uint32_t count = d->plan->gangs[gang].resource_count;

	/* pools sort last */
	return count &&
		(!d->holds_locks || d->plan->resources[taken_by(d->plan, gang)[count - 1]].is_pool);
}
