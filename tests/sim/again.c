/* SPDX-License-Identifier: MIT */
/* The second life of a run: what the journal would tell of the first, and the book of it. */
#include "sim/world_parts.h"

#include <string.h>

static enum task_state journaled(const struct run *run, uint32_t task)
{
	if (run->settled[task])
		return run->settled[task];
	if (run->running[task])
		return TASK_UNKNOWN;
	if (run->gang_runs[run->plan.tasks[task].gang])
		return run->result[task];
	return run->attempt[task] ? TASK_WAITING : TASK_PENDING;
}

static bool all_in(const struct run *run, uint32_t gang, const uint8_t *told, uint32_t states)
{
	for (uint32_t i = 0; i < member_count(run, gang); i++)
		if (!(states >> told[members_of(run, gang)[i]] & 1))
			return false;
	return true;
}

/* Nothing of the gang is to be done again. */
static bool stands(const struct run *run, uint32_t gang, const uint8_t *told)
{
	const uint32_t good = 1u << TASK_SUCCEEDED | 1u << TASK_SKIPPED;
	bool failed = false, ignored = true;

	for (uint32_t i = 0; i < member_count(run, gang); i++) {
		uint32_t t = members_of(run, gang)[i];
		if (run->undo[t] == UNDO_UNDOING || is_stuck(run->undo[t]) ||
			(run->undo[t] == UNDO_UNDONE && told[t] == TASK_SUCCEEDED))
			return false;
		if (told[t] != TASK_FAILED)
			continue;
		failed = true;
		ignored = ignored && run->plan.tasks[t].flags & PLAN_IGNORE_FAILURE;
	}
	if (!failed)
		return all_in(run, gang, told, good);
	return (ignored || is_final(run, gang)) &&
		all_in(run, gang, told, good | 1u << TASK_FAILED | 1u << TASK_CANCELLED);
}

static void open_gang(struct run *run, uint32_t gang)
{
	run->resumed[gang] = false;
	for (uint32_t i = 0; i < member_count(run, gang); i++) {
		uint32_t t = members_of(run, gang)[i];
		run->settled[t] = run->result[t] = TASK_PENDING;
		run->resumed[gang] |= run->attempt[t] || run->undo[t] == UNDO_TODO;
	}
}

static void carry_gang(struct run *run, uint32_t gang, const uint8_t *told)
{
	bool standing = stands(run, gang, told), forward = !is_final(run, gang);

	if (forward && run->begin == DECIDE_FINAL && !standing)
		run->failed = true;
	for (uint32_t i = 0; i < member_count(run, gang); i++) {
		uint32_t t = members_of(run, gang)[i];
		run->settled[t] = told[t];
		run->base[t] = run->attempt[t];
		if (told[t] == TASK_SKIPPED)
			run->reason[t] = REASON_CONDITION; /* counts as satisfied */
		run->changed = run->changed || run->undo[t] != UNDO_NOTHING;
		if (run->undo[t] == UNDO_UNDOING ||
			(is_stuck(run->undo[t]) && run->begin != DECIDE_FINAL))
			run->undo[t] = UNDO_TODO;
	}
	if (forward && run->closed)
		return;
	if (standing && forward && !book_all_needs(run, gang, book_is_settled))
		standing = false;
	if (!standing)
		open_gang(run, gang);
}

static void clear_book(struct run *run)
{
	memset(run->running, 0, sizeof run->running);
	memset(run->evaluated, 0, sizeof run->evaluated);
	memset(run->gang_runs, 0, sizeof run->gang_runs);
	memset(run->reserved, 0, sizeof run->reserved);
	memset(run->undoes, 0, sizeof run->undoes);
	memset(run->resumed, 0, sizeof run->resumed);
	memset(run->first, 0, sizeof run->first);
	memset(run->used, 0, sizeof run->used);
	for (uint32_t t = 0; t < CASE_TASKS; t++) {
		run->ends[t] = run->undo_ends[t] = INT64_MAX;
		run->ended_ms[t] = -1000;
	}
	run->slots = run->cancels = 0;
	run->stopped = run->failed = run->interrupted = run->start_holds = run->refused = false;
	run->forward_began = run->doubtful = run->barred = run->changed = run->unconfirmed = false;
	run->turned = run->held = run->vague = run->begun = run->over = false;
}

void again_restore(struct run *run)
{
	uint8_t told[CASE_TASKS];

	for (uint32_t t = 0; t < run->plan.task_count; t++) {
		told[t] = (uint8_t)journaled(run, t);
		if (told[t] != TASK_PENDING || run->undo[t] != UNDO_NOTHING)
			decide_restore(run->decide, t, told[t], run->undo[t], run->attempt[t]);
	}
	clear_book(run);
	run->closed = run->begin != DECIDE_FORWARD;
	run->interrupted = run->begin == DECIDE_UNDO;
	for (uint32_t g = 0; g < run->plan.gang_count; g++)
		carry_gang(run, g, told);
}
