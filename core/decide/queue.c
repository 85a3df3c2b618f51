/* SPDX-License-Identifier: MIT */
#include "decide/machine.h"

struct decision *queue_push(struct decide *d, enum decision_kind kind)
{
	if (d->queue_head == d->queue.count)
		d->queue_head = d->queue.count = 0;
	struct decision *decision = vec_add(&d->queue);

	decision->kind = kind;
	decision->gang = decision->task = decision->upstream = PLAN_NONE;
	return decision;
}

bool queue_pop(struct decide *d, struct decision *ret)
{
	if (d->queue_head == d->queue.count)
		return false;
	*ret = d->queue.items[d->queue_head++];
	return true;
}

void arrival_push(struct decide *d, uint32_t gang)
{
	d->units[gang].link = PLAN_NONE;
	if (d->first_arrival == PLAN_NONE)
		d->first_arrival = gang;
	else
		d->units[d->last_arrival].link = gang;
	d->last_arrival = gang;
}

uint32_t arrival_pop(struct decide *d)
{
	uint32_t gang = d->first_arrival;

	if (gang != PLAN_NONE)
		d->first_arrival = d->units[gang].link;
	return gang;
}

void slot_take(struct decide *d, uint32_t gang)
{
	d->units[gang].link = (uint32_t)d->slots.count;
	vec_push(&d->slots, gang);
}

void slot_leave(struct decide *d, uint32_t gang)
{
	uint32_t at = d->units[gang].link, moved = d->slots.items[--d->slots.count];

	d->slots.items[at] = moved;
	d->units[moved].link = at;
}
