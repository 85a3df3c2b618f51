/* SPDX-License-Identifier: MIT */
#include "decide/machine.h"

void decide_restore(struct decide *d, uint32_t task, enum task_state state, enum undo_state undo,
	uint32_t attempts)
{
	struct unit *unit = &d->units[d->plan->tasks[task].gang];

	if (d->phase != PHASE_START)
		return;
	d->restored = true;
	d->tracks[task].state = (uint8_t)state;
	d->tracks[task].undo = unit->final ? UNDO_NOTHING : (uint8_t)undo;
	if (attempts > unit->attempt)
		unit->attempt = attempts;
}

static bool has_failed(const struct decide *d, uint32_t gang)
{
	for (uint32_t i = 0; i < d->plan->gangs[gang].member_count; i++)
		if (d->tracks[gang_members(d, gang)[i]].state == TASK_FAILED)
			return true;
	return false;
}

static bool member_stands(const struct track *track, bool dragged)
{
	switch (track->state) {
	case TASK_SUCCEEDED:
		return track->undo != UNDO_UNDONE;
	case TASK_CANCELLED:
		return dragged;
	default:
		return track->state == TASK_SKIPPED || track->state == TASK_FAILED;
	}
}

/* It has ended such that nothing is to be done again, and what needs it may go on. */
static bool gang_stands(const struct decide *d, uint32_t gang)
{
	bool failed = has_failed(d, gang);

	for (uint32_t i = 0; i < d->plan->gangs[gang].member_count; i++) {
		const struct track *track = &d->tracks[gang_members(d, gang)[i]];
		if (track->undo == UNDO_UNDOING || undo_is_stuck(track->undo) ||
			!member_stands(track, failed))
			return false;
	}
	return d->units[gang].final || gang_failure_is_ignored(d, gang);
}

/* What a forward gang says about a run whose forward work is over. */
static void judge_gang(struct decide *d, uint32_t gang)
{
	if (has_failed(d, gang) && !gang_failure_is_ignored(d, gang)) {
		d->verdict = RUN_FAILED_CLEAN;
		if (d->culprit == PLAN_NONE)
			d->culprit = gang_members(d, gang)[0];
	} else if (d->verdict == RUN_SUCCEEDED && !gang_stands(d, gang)) {
		d->verdict = RUN_INTERRUPTED;
	}
}

/* An undo that did not end well is tried again. */
static void restore_undo(struct decide *d, struct track *track)
{
	d->changed |= track->undo != UNDO_NOTHING;
	if (track->undo == UNDO_UNDOING ||
		(undo_is_stuck(track->undo) && d->options.begin != DECIDE_FINAL))
		track->undo = UNDO_TODO;
}

static void open_gang(struct decide *d, uint32_t gang)
{
	struct unit *unit = &d->units[gang];

	unit->place = PLACE_PENDING;
	unit->resumed = unit->attempt > 0;
	for (uint32_t i = 0; i < d->plan->gangs[gang].member_count; i++) {
		struct track *track = &d->tracks[gang_members(d, gang)[i]];
		track->state = TASK_PENDING;
		unit->resumed |= track->undo == UNDO_TODO;
	}
}

static void restore_gang(struct decide *d, uint32_t gang)
{
	bool over = !d->units[gang].final && d->options.begin != DECIDE_FORWARD;
	bool stands = over || gang_stands(d, gang);

	if (over)
		judge_gang(d, gang);
	for (uint32_t i = 0; i < d->plan->gangs[gang].member_count; i++)
		restore_undo(d, &d->tracks[gang_members(d, gang)[i]]);
	if (stands)
		d->units[gang].place = PLACE_SETTLED;
	else
		open_gang(d, gang);
}

/* The gang runs again: so does what needs it.  Returns the new head of the list of such gangs. */
static uint32_t reopen_nexts(struct decide *d, uint32_t gang, uint32_t head)
{
	for (uint32_t i = 0; i < d->plan->gangs[gang].member_count; i++) {
		const struct plan_task *task = &d->plan->tasks[gang_members(d, gang)[i]];
		for (uint32_t k = 0; k < task->next_count; k++) {
			uint32_t other = d->plan->tasks[d->plan->edges[task->nexts + k]].gang;
			if (d->units[other].final || d->units[other].place != PLACE_SETTLED)
				continue;
			open_gang(d, other);
			d->units[other].link = head;
			head = other;
		}
	}
	return head;
}

static void reopen(struct decide *d)
{
	for (uint32_t g = 0; g < d->plan->gang_count; g++) {
		if (d->units[g].final || d->units[g].place == PLACE_SETTLED)
			continue;
		for (uint32_t head = reopen_nexts(d, g, PLAN_NONE); head != PLAN_NONE;)
			head = reopen_nexts(d, head, d->units[head].link);
	}
}

/* It was told in the earlier run; what needs it waits for it no more. */
static void close_gang(struct decide *d, uint32_t gang)
{
	if (d->units[gang].final)
		d->final_left--;
	else
		d->forward_left--;
	for (uint32_t i = 0; i < d->plan->gangs[gang].member_count; i++) {
		const struct plan_task *task = &d->plan->tasks[gang_members(d, gang)[i]];
		for (uint32_t k = 0; k < task->next_count; k++) {
			uint32_t next = d->plan->tasks[d->plan->edges[task->nexts + k]].gang;
			if (next != gang)
				d->units[next].waiting--;
		}
	}
}

void restore_run(struct decide *d)
{
	if (d->options.begin == DECIDE_UNDO)
		d->verdict = RUN_INTERRUPTED;
	for (uint32_t g = 0; g < d->plan->gang_count; g++)
		restore_gang(d, g);
	if (d->options.begin == DECIDE_FORWARD)
		reopen(d);
	for (uint32_t g = 0; g < d->plan->gang_count; g++)
		if (d->units[g].place == PLACE_SETTLED)
			close_gang(d, g);
}
