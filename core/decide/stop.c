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
		d->unconfirmed = d->units[d->plan->tasks[task].gang].unconfirmed;
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
	if (d->phase == PHASE_UNDO)
		return; /* the undo goes on */
	if (d->cancels < 2)
		d->cancels++;
	if (d->phase == PHASE_LOCKS) {
		d->barred = true;
		d->cancels = 2;
		queue_push(d, DECISION_RELEASE);
		d->holds_locks = false;
		d->phase = PHASE_FORWARD;
	}
	if (d->phase == PHASE_FORWARD) {
		if (d->verdict == RUN_SUCCEEDED && d->forward_left)
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
	d->refused = d->barred = true;
	if (d->forward_left)
		d->verdict = RUN_FAILED_CLEAN;
	d->cancels = 2;
	d->draining = true;
	d->holds_locks = false;
	d->phase = PHASE_FORWARD;
}

void stop_on_hold(struct decide *d)
{
	d->undo_held = true;
	for (size_t i = 0; i < d->slots.count; i++)
		undo_stop(d, d->slots.items[i]);
	if (d->phase == PHASE_UNDO) {
		d->cancels = 2;
		d->draining = true;
	} else if (d->cancels == 0) {
		d->cancels = 1; /* a cancel that follows is the second */
	}
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

enum run_state stop_outcome(const struct decide *d)
{
	bool left = false;

	if (d->verdict == RUN_SUCCEEDED)
		return RUN_SUCCEEDED;
	if (!d->changed)
		return RUN_FAILED_CLEAN;
	if (d->barred && d->options.begin != DECIDE_FINAL)
		return RUN_INTERRUPTED; /* as it was before */
	for (uint32_t t = 0; t < d->plan->task_count; t++) {
		uint8_t undo = d->tracks[t].undo;
		if (undo_is_stuck(undo))
			return RUN_ROLLBACK_FAILED;
		left |= undo == UNDO_TODO || undo == UNDO_IRREVERSIBLE;
	}
	return left ? RUN_FAILED_PARTIAL : RUN_ROLLED_BACK;
}

enum exit_code stop_exit_code(const struct decide *d)
{
	if (d->refused)
		return EXIT_BUSY;
	switch (d->outcome) {
	case RUN_SUCCEEDED:
		return EXIT_OK;
	case RUN_FAILED_CLEAN:
		return EXIT_FAILED_CLEAN;
	case RUN_ROLLED_BACK:
		return d->unconfirmed ? EXIT_NOT_CONFIRMED : EXIT_ROLLED_BACK;
	case RUN_ROLLBACK_FAILED:
		return EXIT_ROLLBACK_FAILED;
	default:
		return EXIT_FAILED_PARTIAL;
	}
}
