/* SPDX-License-Identifier: MIT */
/*
 * Every gang is passed once, when all that needs it is through; inside it every member, when
 * those in the gang that need it are.  What a task tells those that it needs, kept or barred,
 * is therefore known when their turn comes: nothing is searched.
 */
#include "decide/machine.h"

/* DECISION_TURN comes before the first thing that the way back does. */
static void make_turn(struct decide *d)
{
	if (d->phase != PHASE_UNDO || d->turned)
		return;
	d->turned = true;
	queue_push(d, DECISION_TURN)->run_state = RUN_ROLLING_BACK;
}

static void push_for(struct decide *d, enum decision_kind kind, uint32_t task)
{
	struct decision *decision = queue_push(d, kind);

	decision->task = task;
	decision->gang = d->plan->tasks[task].gang;
}

static bool waits_inside(const struct decide *d, uint32_t task)
{
	const struct plan_task *planned = &d->plan->tasks[task];

	for (uint32_t k = 0; k < planned->next_count; k++) {
		uint32_t next = d->plan->edges[planned->nexts + k];
		if (d->plan->tasks[next].gang == planned->gang &&
			!(d->tracks[next].marks & MARK_THROUGH))
			return true;
	}
	return false;
}

/* The member whose turn it is, or PLAN_NONE. */
static uint32_t find_turn(const struct decide *d, uint32_t gang)
{
	for (uint32_t i = d->plan->gangs[gang].member_count; i-- > 0;) {
		uint32_t task = gang_members(d, gang)[i];
		if (!(d->tracks[task].marks & MARK_THROUGH) && !waits_inside(d, task))
			return task;
	}
	return PLAN_NONE;
}

/* Its turn has come: what those that need it tell it. */
static void inherit_marks(struct decide *d, uint32_t task)
{
	const struct plan_task *planned = &d->plan->tasks[task];
	struct track *track = &d->tracks[task];

	track->marks = 0;
	if (d->units[planned->gang].barred || undo_is_stuck(track->undo))
		track->marks |= MARK_BARRED;
	if (planned->flags & PLAN_PIVOT && track->state == TASK_SUCCEEDED)
		track->marks |= MARK_KEPT;
	for (uint32_t k = 0; k < planned->next_count; k++) {
		uint32_t next = d->plan->edges[planned->nexts + k];
		track->marks |= d->tracks[next].marks & MARK_KEPT;
		if (d->plan->tasks[next].gang == planned->gang)
			track->marks |= d->tracks[next].marks & MARK_BARRED;
	}
}

static void hold(struct decide *d, uint32_t task)
{
	d->tracks[task].undo = UNDO_HELD;
	d->tracks[task].marks |= MARK_BARRED;
	make_turn(d);
	push_for(d, DECISION_HELD, task);
}

/* The next member to undo, past those that need nothing or are held now; PLAN_NONE: the gang is
 * through. */
static uint32_t seek(struct decide *d, uint32_t gang)
{
	for (;;) {
		uint32_t task = find_turn(d, gang);
		if (task == PLAN_NONE)
			return PLAN_NONE;
		struct track *track = &d->tracks[task];
		inherit_marks(d, task);
		if (track->undo == UNDO_TODO && !(track->marks & MARK_KEPT)) {
			if (!(track->marks & MARK_BARRED) && !d->undo_held)
				return task;
			hold(d, task);
		}
		track->marks |= MARK_THROUGH;
	}
}

static void undo_task(struct decide *d, uint32_t task)
{
	d->tracks[task].undo = UNDO_UNDOING;
	make_turn(d);
	push_for(d, DECISION_UNDO, task);
}

static void forget_marks(struct decide *d, uint32_t gang)
{
	for (uint32_t i = 0; i < d->plan->gangs[gang].member_count; i++)
		d->tracks[gang_members(d, gang)[i]].marks = 0;
}

static bool gang_bars(const struct decide *d, uint32_t gang)
{
	for (uint32_t i = 0; i < d->plan->gangs[gang].member_count; i++)
		if (d->tracks[gang_members(d, gang)[i]].marks & MARK_BARRED)
			return true;
	return false;
}

/* The gang is through: on with what it needed. */
static void pass(struct decide *d, uint32_t gang)
{
	const struct plan *plan = d->plan;
	bool bars = gang_bars(d, gang);

	d->units[gang].place = PLACE_SETTLED;
	d->undo_left--;
	for (uint32_t i = 0; i < plan->gangs[gang].member_count; i++) {
		const struct plan_task *task = &plan->tasks[gang_members(d, gang)[i]];
		for (uint32_t k = 0; k < task->need_count; k++) {
			uint32_t before = plan->tasks[plan->edges[task->needs + k]].gang;
			if (before == gang)
				continue;
			d->units[before].barred |= bars;
			if (--d->units[before].waiting == 0)
				arrival_push(d, before);
		}
	}
}

/* Edges to forward work outside the gang. */
static uint32_t count_nexts(const struct plan *plan, uint32_t gang)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < plan->gangs[gang].member_count; i++) {
		const struct plan_task *task =
			&plan->tasks[plan->members[plan->gangs[gang].members + i]];
		for (uint32_t k = 0; k < task->next_count; k++) {
			const struct plan_task *next = &plan->tasks[plan->edges[task->nexts + k]];
			count += next->gang != gang && next->run_if == RUN_IF_SUCCESS;
		}
	}
	return count;
}

void undo_begin(struct decide *d)
{
	d->phase = PHASE_UNDO;
	d->draining = false;
	for (uint32_t g = 0; g < d->plan->gang_count; g++) {
		struct unit *unit = &d->units[g];
		if (unit->final)
			continue;
		d->undo_left++;
		forget_marks(d, g);
		unit->place = PLACE_PENDING;
		unit->rank = ~unit->rank; /* what was last has the longest way back */
		unit->waiting = count_nexts(d->plan, g);
		if (unit->waiting == 0)
			arrival_push(d, g);
	}
}

void undo_arrive(struct decide *d, uint32_t gang)
{
	if (seek(d, gang) == PLAN_NONE)
		pass(d, gang);
	else
		gang_make_ready(d, gang);
}

/* On with the next member of a gang that has a slot. */
static void proceed(struct decide *d, uint32_t gang)
{
	uint32_t task = seek(d, gang);

	if (task != PLAN_NONE) {
		undo_task(d, task);
	} else if (d->phase == PHASE_UNDO) {
		slot_leave(d, gang);
		resource_forget(d, gang);
		pass(d, gang);
	} else {
		gang_go_on(d, gang);
	}
}

void undo_start(struct decide *d, uint32_t gang)
{
	slot_take(d, gang);
	d->units[gang].place = PLACE_UNDOING;
	proceed(d, gang);
}

bool undo_leftovers(struct decide *d, uint32_t gang)
{
	forget_marks(d, gang);
	uint32_t task = seek(d, gang);

	if (task == PLAN_NONE)
		return false;
	d->units[gang].place = PLACE_UNDOING;
	undo_task(d, task);
	return true;
}

void undo_end_task(struct decide *d, const struct event *event)
{
	uint32_t gang = d->plan->tasks[event->task].gang;
	struct track *track = &d->tracks[event->task];

	if (track->undo != UNDO_UNDOING || d->units[gang].place != PLACE_UNDOING)
		return;
	track->undo = (uint8_t)event->undo;
	if (d->phase != PHASE_UNDO && undo_is_stuck(event->undo) && !d->undo_held)
		gang_go_on(d, gang);
	else
		proceed(d, gang);
}

void undo_stop(struct decide *d, uint32_t gang)
{
	for (uint32_t i = 0; i < d->plan->gangs[gang].member_count; i++)
		if (d->tracks[gang_members(d, gang)[i]].undo == UNDO_UNDOING)
			push_for(d, DECISION_STOP_UNDO, gang_members(d, gang)[i]);
}

/* What the attempt that ended has changed, and what a guard has undone of it.  What cannot be
 * undone stays so, whatever other attempts do. */
void undo_note(struct decide *d, const struct event *event)
{
	const struct plan_task *planned = &d->plan->tasks[event->task];
	struct track *track = &d->tracks[event->task];

	if (d->units[planned->gang].final)
		return; /* run_if tasks are never undone */
	if (event->changed && (event->irreversible || !(planned->flags & PLAN_CAN_UNDO)))
		track->undo = UNDO_IRREVERSIBLE;
	else if (event->changed && track->undo != UNDO_IRREVERSIBLE)
		track->undo = UNDO_TODO;
	if (undo_is_stuck(event->undo) ||
		(event->undo == UNDO_UNDONE && track->undo != UNDO_IRREVERSIBLE))
		track->undo = (uint8_t)event->undo;
	d->changed |= track->undo != UNDO_NOTHING;
}
