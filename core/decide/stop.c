/* SPDX-License-Identifier: MIT */
#include "decide/machine.h"

static void stop_slots(struct decide *d, bool kill)
{
	for (size_t i = 0; i < d->slots.count; i++)
		gang_stop(d, d->slots.items[i], kill);
}

void stop_on_failure(struct decide *d, uint32_t task)
{
	if (d->verdict == RUN_SUCCEEDED) {
		d->verdict = RUN_FAILED_CLEAN;
		d->culprit = task;
	}
	if (d->plan->on_failure == ON_FAILURE_CONTINUE)
		return;
	d->draining = true;
	if (d->plan->running == RUNNING_CANCEL)
		stop_slots(d, false);
}

void stop_on_timeout(struct decide *d)
{
	d->deadline_ms = INT64_MAX;
	if (d->verdict == RUN_SUCCEEDED)
		d->verdict = RUN_FAILED_CLEAN;
	if (!d->draining)
		d->stop_reason = REASON_TIMEOUT;
	d->draining = true;
	stop_slots(d, false);
}

void stop_on_cancel(struct decide *d)
{
	if (d->cancels < 2)
		d->cancels++;
	if (d->phase == PHASE_LOCKS) {
		d->verdict = RUN_INTERRUPTED;
		d->cancels = 2;
		queue_push(d, DECISION_RELEASE);
		d->holds_locks = false;
		d->phase = PHASE_FORWARD;
	}
	if (d->phase == PHASE_FORWARD) {
		if (d->verdict == RUN_SUCCEEDED)
			d->verdict = RUN_INTERRUPTED;
		d->draining = true;
		stop_slots(d, d->cancels == 2);
	} else if (d->phase == PHASE_FINAL && d->cancels == 2) {
		d->draining = true;
		stop_slots(d, true);
	}
}

void stop_refused(struct decide *d)
{
	d->refused = true;
	d->verdict = RUN_FAILED_CLEAN;
	d->cancels = 2;
	d->draining = true;
	d->holds_locks = false;
	d->phase = PHASE_FORWARD;
}

static bool drain_waiters(struct decide *d)
{
	for (; d->drained_pool < d->plan->resource_count; d->drained_pool++) {
		struct heap *waiters = &d->pools[d->drained_pool].waiters;
		if (!waiters->list.count)
			continue;
		gang_give_up(d, heap_pop(waiters).gang);
		return true;
	}
	d->drained_pool = 0;
	return false;
}

bool stop_drain(struct decide *d)
{
	uint32_t gang;

	if (d->ready.list.count) {
		gang_give_up(d, heap_pop(&d->ready).gang);
	} else if (d->timers.list.count) {
		gang_give_up(d, heap_pop(&d->timers).gang);
	} else if (d->acquired.list.count || d->acquiring.count) {
		gang = d->acquired.list.count ? heap_pop(&d->acquired).gang
					      : d->acquiring.items[--d->acquiring.count];
		resource_give(d, gang);
		gang_give_up(d, gang);
	} else {
		return drain_waiters(d);
	}
	return true;
}
