/* SPDX-License-Identifier: MIT */
#include "decide/machine.h"

#include "base/rng.h"

static const struct plan_task *member_task(const struct decide *d, uint32_t gang, uint32_t i)
{
	return &d->plan->tasks[gang_members(d, gang)[i]];
}

static void set_states(struct decide *d, uint32_t gang, enum task_state state)
{
	for (uint32_t i = 0; i < d->plan->gangs[gang].member_count; i++)
		d->tracks[gang_members(d, gang)[i]].state = (uint8_t)state;
}

/* A predecessor of the gang has settled; `blame` is PLAN_NONE where it is satisfied. */
static void gang_advance(struct decide *d, uint32_t gang, uint32_t blame)
{
	struct unit *unit = &d->units[gang];

	if (blame != PLAN_NONE &&
		(unit->upstream == PLAN_NONE ||
			(d->tracks[unit->upstream].state != TASK_FAILED &&
				d->tracks[blame].state == TASK_FAILED)))
		unit->upstream = blame;
	if (--unit->waiting == 0 && unit->place != PLACE_SETTLED &&
		(!unit->final || d->phase == PHASE_FINAL))
		arrival_push(d, gang);
}

static void advance_nexts(struct decide *d, uint32_t gang, uint32_t blame)
{
	for (uint32_t i = 0; i < d->plan->gangs[gang].member_count; i++) {
		const struct plan_task *task = member_task(d, gang, i);
		for (uint32_t k = 0; k < task->next_count; k++) {
			uint32_t next = d->plan->tasks[d->plan->edges[task->nexts + k]].gang;
			if (next != gang)
				gang_advance(d, next, blame);
		}
	}
}

/* Tells the end of every member, whose tracks are set, and goes on with what needs them. */
static void gang_close(struct decide *d, uint32_t gang, uint32_t upstream, uint32_t blame)
{
	struct unit *unit = &d->units[gang];

	unit->place = PLACE_SETTLED;
	for (uint32_t i = 0; i < d->plan->gangs[gang].member_count; i++) {
		uint32_t task = gang_members(d, gang)[i];
		struct decision *decision = queue_push(d, DECISION_SETTLED);
		decision->gang = gang;
		decision->task = task;
		decision->attempt = unit->attempt;
		decision->state = d->tracks[task].state;
		decision->reason = d->tracks[task].reason;
		decision->upstream = upstream;
	}
	if (unit->final)
		d->final_left--;
	else
		d->forward_left--;
	advance_nexts(d, gang, blame);
}

static void set_tracks(
	struct decide *d, uint32_t gang, enum task_state state, enum task_reason reason)
{
	for (uint32_t i = 0; i < d->plan->gangs[gang].member_count; i++) {
		struct track *track = &d->tracks[gang_members(d, gang)[i]];
		track->state = (uint8_t)state;
		track->reason = (uint8_t)reason;
	}
}

/* A change that could be neither finished nor undone is not ignored. */
static bool gang_is_stuck(const struct decide *d, uint32_t gang)
{
	for (uint32_t i = 0; i < d->plan->gangs[gang].member_count; i++)
		if (undo_is_stuck(d->tracks[gang_members(d, gang)[i]].undo))
			return true;
	return false;
}

bool gang_failure_is_ignored(const struct decide *d, uint32_t gang)
{
	for (uint32_t i = 0; i < d->plan->gangs[gang].member_count; i++)
		if (d->tracks[gang_members(d, gang)[i]].state == TASK_FAILED &&
			!(member_task(d, gang, i)->flags & PLAN_IGNORE_FAILURE))
			return false;
	return !gang_is_stuck(d, gang);
}

/* The first member in `state`, or PLAN_NONE. */
static uint32_t find_member(const struct decide *d, uint32_t gang, enum task_state state)
{
	for (uint32_t i = 0; i < d->plan->gangs[gang].member_count; i++)
		if (d->tracks[gang_members(d, gang)[i]].state == state)
			return gang_members(d, gang)[i];
	return PLAN_NONE;
}

/* The gang's tracks say how it ended without success. */
static void gang_fail(struct decide *d, uint32_t gang)
{
	uint32_t failed = find_member(d, gang, TASK_FAILED);
	bool ignored = failed != PLAN_NONE && gang_failure_is_ignored(d, gang);

	if (failed == PLAN_NONE)
		failed = gang_members(d, gang)[0];
	if (!ignored && !d->units[gang].final && !d->draining)
		stop_on_failure(d, failed);
	gang_close(d, gang, PLAN_NONE, ignored ? PLAN_NONE : failed);
}

void gang_settle(struct decide *d, uint32_t gang, enum task_state state, enum task_reason reason)
{
	uint32_t upstream = d->units[gang].upstream, blame = PLAN_NONE;

	set_tracks(d, gang, state, reason);
	if (state == TASK_FAILED) {
		gang_fail(d, gang);
		return;
	}
	if (state == TASK_CANCELLED && upstream == PLAN_NONE)
		upstream = d->culprit;
	if (state == TASK_CANCELLED)
		blame = gang_members(d, gang)[0];
	else if (reason == REASON_UPSTREAM || reason == REASON_LEFT_OUT)
		blame = upstream;
	if (reason == REASON_LEFT_OUT || reason == REASON_CONDITION)
		upstream = PLAN_NONE;
	gang_close(d, gang, upstream, blame);
}

/* Settles a gang that must not start, and returns true. */
static bool gang_pass_over(struct decide *d, uint32_t gang)
{
	struct unit *unit = &d->units[gang];
	const struct plan_task *task = member_task(d, gang, 0);

	if (task->flags & (PLAN_LEFT_OUT | PLAN_EMPTY_EACH))
		gang_settle(d, gang, TASK_SKIPPED, REASON_LEFT_OUT);
	else if (unit->final && !d->draining && task->run_if == RUN_IF_FAILURE &&
		d->verdict == RUN_SUCCEEDED)
		gang_settle(d, gang, TASK_SKIPPED, REASON_CONDITION);
	else if (!unit->final && unit->upstream != PLAN_NONE &&
		(!d->draining || d->tracks[unit->upstream].state == TASK_FAILED))
		gang_settle(d, gang, TASK_SKIPPED, REASON_UPSTREAM);
	else if (d->draining)
		gang_settle(d, gang, TASK_CANCELLED, d->stop_reason);
	else
		return false;
	return true;
}

/* Everything that the gang needs has settled. */
void gang_arrive(struct decide *d, uint32_t gang)
{
	if (gang_pass_over(d, gang))
		return;
	set_states(d, gang, TASK_READY);
	for (uint32_t i = 0; i < d->plan->gangs[gang].member_count; i++) {
		if (!(member_task(d, gang, i)->flags & PLAN_WHEN))
			continue;
		struct decision *decision = queue_push(d, DECISION_EVALUATE);
		decision->gang = gang;
		decision->task = gang_members(d, gang)[i];
		d->units[gang].place = PLACE_ASKED;
		return;
	}
	gang_make_ready(d, gang);
}

void gang_make_ready(struct decide *d, uint32_t gang)
{
	d->units[gang].place = PLACE_READY;
	heap_push(&d->ready, d->units[gang].rank, gang);
}

void gang_block(struct decide *d, uint32_t gang)
{
	d->units[gang].place = PLACE_BLOCKED;
	if (d->phase != PHASE_UNDO)
		set_states(d, gang, TASK_WAITING);
}

void gang_acquire(struct decide *d, uint32_t gang)
{
	d->units[gang].place = PLACE_ACQUIRING;
	d->units[gang].link = (uint32_t)d->acquiring.count;
	vec_push(&d->acquiring, gang);
	set_states(d, gang, TASK_WAITING);
	queue_push(d, DECISION_ACQUIRE)->gang = gang;
}

/* The attempt itself, in a slot that is taken. */
static void gang_launch(struct decide *d, uint32_t gang)
{
	struct unit *unit = &d->units[gang];

	unit->place = PLACE_RUNNING;
	unit->attempt++;
	unit->running = d->plan->gangs[gang].member_count;
	unit->failed = unit->transient = unit->continues = unit->unconfirmed = false;
	unit->resumed = false;
	unit->stopping = ASKED_NOTHING;
	set_tracks(d, gang, TASK_RUNNING, REASON_NONE);
	struct decision *decision = queue_push(d, DECISION_START);
	decision->gang = gang;
	decision->attempt = unit->attempt;
}

void gang_start(struct decide *d, uint32_t gang)
{
	slot_take(d, gang);
	if (d->units[gang].resumed && undo_leftovers(d, gang))
		set_states(d, gang, TASK_WAITING);
	else
		gang_launch(d, gang);
}

void gang_stop(struct decide *d, uint32_t gang, bool kill)
{
	struct unit *unit = &d->units[gang];
	uint8_t how = kill ? ASKED_TO_DIE : ASKED_TO_STOP;

	if (unit->place != PLACE_RUNNING || unit->stopping >= how)
		return;
	unit->stopping = how;
	struct decision *decision = queue_push(d, DECISION_CANCEL);
	decision->gang = gang;
	decision->kill = kill;
	decision->reason = d->stop_reason;
}

/* The attempt counts for nothing: members that did not fail themselves say so. */
static void mark_dragged(struct decide *d, uint32_t gang)
{
	for (uint32_t i = 0; i < d->plan->gangs[gang].member_count; i++) {
		struct track *track = &d->tracks[gang_members(d, gang)[i]];
		if (track->state == TASK_FAILED)
			continue;
		if (track->state == TASK_SUCCEEDED ||
			find_member(d, gang, TASK_FAILED) != PLAN_NONE)
			track->reason = REASON_GANG;
		track->state = TASK_CANCELLED;
	}
}

/* Full jitter: anything up to the delay, which grows by `backoff`. */
static int64_t pick_delay(struct decide *d, const struct retry *retry, uint32_t attempt)
{
	double delay = (double)retry->delay_ms;
	double most = retry->max_delay_ms > 0 ? (double)retry->max_delay_ms : 86400000.0 * 365;

	for (uint32_t i = 1; i < attempt && delay < most && retry->backoff > 1; i++)
		delay *= retry->backoff;
	if (delay > most)
		delay = most;
	return delay < 1 ? 0 : (int64_t)rng_below(&d->rng, (uint64_t)delay + 1);
}

static void gang_delay(struct decide *d, uint32_t gang, const struct retry *retry)
{
	struct unit *unit = &d->units[gang];
	int64_t at = d->now_ms + pick_delay(d, retry, unit->attempt);

	unit->place = PLACE_DELAYED;
	set_states(d, gang, TASK_WAITING);
	heap_push(&d->timers, UINT64_MAX - (uint64_t)at, gang);
}

/* After a delay or an undo: the states of the attempt before, which `reason` remembers. */
static void gang_fail_again(struct decide *d, uint32_t gang)
{
	for (uint32_t i = 0; i < d->plan->gangs[gang].member_count; i++) {
		struct track *track = &d->tracks[gang_members(d, gang)[i]];
		if (d->units[gang].resumed)
			track->reason = undo_is_stuck(track->undo) ? REASON_START : REASON_GANG;
		track->state = track->reason == REASON_GANG ? TASK_CANCELLED : TASK_FAILED;
	}
	gang_fail(d, gang);
}

void gang_give_up(struct decide *d, uint32_t gang)
{
	if (d->phase == PHASE_UNDO)
		undo_arrive(d, gang);
	else if (d->units[gang].attempt == 0 || d->units[gang].resumed)
		gang_settle(d, gang, TASK_CANCELLED, d->stop_reason);
	else
		gang_fail_again(d, gang);
}

static const struct retry *gang_retry(const struct decide *d, uint32_t gang)
{
	return &d->plan->retries[d->plan->gangs[gang].retry];
}

void gang_go_on(struct decide *d, uint32_t gang)
{
	bool stuck = gang_is_stuck(d, gang);

	if (d->units[gang].resumed && !stuck && !d->draining) {
		gang_launch(d, gang);
		return;
	}
	slot_leave(d, gang);
	if (stuck)
		gang_fail_again(d, gang);
	else if (d->draining)
		gang_give_up(d, gang);
	else
		gang_delay(d, gang, gang_retry(d, gang));
	resource_give(d, gang);
}

/* What a failed attempt had changed and undone is nothing once another one succeeded. */
static void gang_succeed(struct decide *d, uint32_t gang)
{
	for (uint32_t i = 0; d->changed && i < d->plan->gangs[gang].member_count; i++) {
		struct track *track = &d->tracks[gang_members(d, gang)[i]];
		if (track->undo == UNDO_UNDONE)
			track->undo = UNDO_NOTHING;
	}
	gang_close(d, gang, PLAN_NONE, PLAN_NONE);
}

/* All members of a running gang have ended. */
static void gang_end(struct decide *d, uint32_t gang)
{
	struct unit *unit = &d->units[gang];
	const struct retry *retry = gang_retry(d, gang);
	bool again = unit->failed && unit->transient && unit->attempt < retry->attempts &&
		!d->draining && !gang_is_stuck(d, gang);

	if (unit->failed)
		mark_dragged(d, gang);
	if (again && !unit->continues && undo_leftovers(d, gang)) {
		set_states(d, gang, TASK_WAITING);
		return;
	}
	slot_leave(d, gang);
	if (again)
		gang_delay(d, gang, retry);
	else if (unit->failed)
		gang_fail(d, gang);
	else
		gang_succeed(d, gang);
	resource_give(d, gang);
}

void gang_end_task(struct decide *d, const struct event *event)
{
	uint32_t gang = d->plan->tasks[event->task].gang;
	struct unit *unit = &d->units[gang];
	struct track *track = &d->tracks[event->task];

	if (unit->place != PLACE_RUNNING || track->state != TASK_RUNNING)
		return;
	track->state = (uint8_t)event->result;
	track->reason = (uint8_t)event->reason;
	if (event->result == TASK_CANCELLED && event->reason == REASON_NONE)
		track->reason = d->stop_reason;
	if (event->changed || event->undo != UNDO_NOTHING)
		undo_note(d, event);
	unit->running--;
	if (event->result != TASK_SUCCEEDED && !unit->failed) {
		unit->failed = true;
		unit->transient = event->transient && event->result == TASK_FAILED;
		unit->continues = event->continues;
		unit->unconfirmed = event->unconfirmed;
		if (unit->running)
			gang_stop(d, gang, false);
	}
	if (!unit->running)
		gang_end(d, gang);
}
