/* SPDX-License-Identifier: MIT */
#include "decide/decide.h"

#include "decide/machine.h"

#include <stdlib.h>

struct decide *decide_new(const struct plan *plan, const struct decide_options *options)
{
	struct decide *d = base_alloc(sizeof *d);

	d->plan = plan;
	d->options = *options;
	if (!d->options.jobs)
		d->options.jobs = 1;
	d->rng = options->seed;
	d->units = base_alloc(plan->gang_count * sizeof d->units[0]);
	d->tracks = base_alloc(plan->task_count * sizeof d->tracks[0]);
	d->pools = base_alloc(plan->resource_count * sizeof d->pools[0]);
	d->first_arrival = d->last_arrival = d->culprit = PLAN_NONE;
	d->verdict = RUN_SUCCEEDED;
	d->unconfirmed = options->unconfirmed;
	d->stop_reason = REASON_CANCEL;
	d->deadline_ms = INT64_MAX;
	rank_gangs(d);
	for (uint32_t g = 0; g < plan->gang_count; g++) {
		d->units[g].upstream = PLAN_NONE;
		d->final_left += d->units[g].final;
	}
	d->forward_left = plan->gang_count - d->final_left;
	return d;
}

void decide_free(struct decide *d)
{
	if (!d)
		return;
	for (uint32_t r = 0; r < d->plan->resource_count; r++)
		vec_free(&d->pools[r].waiters.list);
	vec_free(&d->ready.list);
	vec_free(&d->acquired.list);
	vec_free(&d->timers.list);
	vec_free(&d->slots);
	vec_free(&d->acquiring);
	vec_free(&d->queue);
	free(d->units);
	free(d->tracks);
	free(d->pools);
	free(d);
}

/* Those of the phase that need nothing; the others arrive when their last need settles. */
static void begin_phase(struct decide *d, enum phase phase)
{
	d->phase = (uint8_t)phase;
	if (phase == PHASE_FORWARD && d->options.timeout_ms > 0)
		d->deadline_ms = d->now_ms + d->options.timeout_ms;
	if (phase == PHASE_FINAL && !d->final_left)
		return;
	for (uint32_t g = 0; g < d->plan->gang_count; g++)
		if (d->units[g].final == (phase == PHASE_FINAL) && d->units[g].waiting == 0 &&
			d->units[g].place == PLACE_PENDING)
			arrival_push(d, g);
}

static void begin_final(struct decide *d)
{
	d->draining = d->cancels >= 2;
	d->outcome = (uint8_t)stop_outcome(d);
	begin_phase(d, PHASE_FINAL);
}

/* Forward work is over. */
static void turn(struct decide *d)
{
	bool wanted = d->options.begin == DECIDE_UNDO ||
		(d->options.begin == DECIDE_FORWARD && d->plan->on_failure == ON_FAILURE_UNDO);

	if (wanted && d->verdict != RUN_SUCCEEDED && d->changed && !d->barred)
		undo_begin(d);
	else
		begin_final(d);
}

/* Locks that are wanted at the start are there, or will never be. */
static void begin_work(struct decide *d)
{
	if (d->options.begin == DECIDE_FORWARD)
		begin_phase(d, PHASE_FORWARD);
	else
		turn(d);
}

static void begin_run(struct decide *d)
{
	if (d->phase != PHASE_START)
		return;
	if (d->restored || d->options.begin != DECIDE_FORWARD)
		restore_run(d);
	d->holds_locks = d->plan->locks_at_start;
	if (!d->holds_locks) {
		begin_work(d);
		return;
	}
	d->phase = PHASE_LOCKS;
	queue_push(d, DECISION_ACQUIRE);
}

static void take_condition(struct decide *d, const struct event *event)
{
	uint32_t gang = d->plan->tasks[event->task].gang;

	if (d->units[gang].place != PLACE_ASKED)
		return;
	if (event->result == TASK_FAILED)
		gang_settle(d, gang, TASK_FAILED, event->reason ? event->reason : REASON_START);
	else if (!event->truth)
		gang_settle(d, gang, TASK_SKIPPED, REASON_CONDITION);
	else
		gang_make_ready(d, gang);
}

/* The other runs have answered. */
static void take_answer(struct decide *d, const struct event *event)
{
	bool refused = event->kind == EVENT_REFUSED;
	uint32_t gang = event->gang;

	if (gang == PLAN_NONE) {
		if (d->phase != PHASE_LOCKS)
			return;
		if (refused)
			stop_refused(d);
		begin_work(d);
		return;
	}
	struct unit *unit = &d->units[gang];
	if (unit->place != PLACE_ACQUIRING)
		return;
	uint32_t moved = d->acquiring.items[--d->acquiring.count];
	d->acquiring.items[unit->link] = moved;
	d->units[moved].link = unit->link;
	if (refused) {
		resource_forget(d, gang);
		gang_settle(d, gang, TASK_FAILED, event->reason ? event->reason : REASON_TIMEOUT);
	} else {
		unit->place = PLACE_ACQUIRED;
		heap_push(&d->acquired, unit->rank, gang);
	}
}

static void take_cancel(struct decide *d)
{
	bool began = d->phase != PHASE_LOCKS;

	stop_on_cancel(d);
	if (!began)
		begin_work(d);
}

static void take_hold(struct decide *d)
{
	if (d->undo_held)
		return;
	stop_on_hold(d);
	if (d->phase != PHASE_UNDO)
		take_cancel(d);
}

static void take_time(struct decide *d)
{
	if (d->phase == PHASE_FORWARD && d->forward_left && d->now_ms >= d->deadline_ms)
		stop_on_timeout(d);
	while (d->timers.list.count && !d->draining &&
		UINT64_MAX - d->timers.list.items[0].key <= (uint64_t)d->now_ms)
		gang_make_ready(d, heap_pop(&d->timers).gang);
}

void decide_event(struct decide *d, const struct event *event)
{
	if (event->now_ms > d->now_ms)
		d->now_ms = event->now_ms;
	if (d->phase == PHASE_OVER)
		return;
	switch (event->kind) {
	case EVENT_BEGIN:
		begin_run(d);
		break;
	case EVENT_TIME:
		break;
	case EVENT_CONDITION:
		take_condition(d, event);
		break;
	case EVENT_ACQUIRED:
	case EVENT_REFUSED:
		take_answer(d, event);
		break;
	case EVENT_ENDED:
		gang_end_task(d, event);
		break;
	case EVENT_CANCEL:
		take_cancel(d);
		break;
	case EVENT_UNDONE:
		undo_end_task(d, event);
		break;
	case EVENT_HOLD_UNDO:
		take_hold(d);
		break;
	}
	take_time(d);
}

/* Starts the best gang, or asks for what it needs; false: nothing can start now. */
static bool schedule_one(struct decide *d)
{
	if (d->slots.count >= d->options.jobs)
		return false;
	if (d->acquired.list.count) {
		gang_start(d, heap_pop(&d->acquired).gang);
		return true;
	}
	if (!d->ready.list.count)
		return false;
	uint32_t gang = heap_pop(&d->ready).gang;
	if (!resource_take(d, gang))
		gang_block(d, gang);
	else if (d->phase == PHASE_UNDO)
		undo_start(d, gang);
	else if (resource_is_shared(d, gang))
		gang_acquire(d, gang);
	else
		gang_start(d, gang);
	return true;
}

static void finish_run(struct decide *d)
{
	d->phase = PHASE_OVER;
	if (d->holds_locks)
		queue_push(d, DECISION_RELEASE);
	struct decision *decision = queue_push(d, DECISION_FINISH);
	decision->run_state = d->outcome;
	decision->exit_code = stop_exit_code(d);
}

/* One step towards the next decision; false: an event is needed. */
static bool step(struct decide *d)
{
	uint32_t gang = arrival_pop(d);

	if (gang != PLAN_NONE) {
		if (d->phase == PHASE_UNDO)
			undo_arrive(d, gang);
		else
			gang_arrive(d, gang);
		return true;
	}
	if (d->draining ? stop_drain(d) : schedule_one(d))
		return true;
	if (d->phase == PHASE_FORWARD && !d->forward_left) {
		turn(d);
		return true;
	}
	if (d->phase == PHASE_UNDO && !d->undo_left) {
		begin_final(d);
		return true;
	}
	if (d->phase == PHASE_FINAL && !d->final_left) {
		finish_run(d);
		return true;
	}
	return false;
}

bool decide_next(struct decide *d, struct decision *ret)
{
	while (!queue_pop(d, ret))
		if (!step(d))
			return false;
	return true;
}

int64_t decide_wake(const struct decide *d)
{
	int64_t wake = d->phase == PHASE_FORWARD ? d->deadline_ms : INT64_MAX;

	if (d->timers.list.count && !d->draining) {
		int64_t at = (int64_t)(UINT64_MAX - d->timers.list.items[0].key);
		if (at < wake)
			wake = at;
	}
	return wake;
}

enum task_state decide_state(const struct decide *d, uint32_t task)
{
	return d->tracks[task].state;
}

enum undo_state decide_undo_state(const struct decide *d, uint32_t task)
{
	return d->tracks[task].undo;
}

const char *decide_verdict(const struct decide *d)
{
	bool known = d->phase >= PHASE_FINAL;

	if (known && d->outcome == RUN_ROLLED_BACK)
		return "rolled back";
	if (known && d->outcome == RUN_ROLLBACK_FAILED)
		return "rollback failed";
	return d->verdict == RUN_SUCCEEDED      ? "succeeded"
		: d->verdict == RUN_INTERRUPTED ? "cancelled"
						: "failed";
}
