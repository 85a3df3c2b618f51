/* SPDX-License-Identifier: MIT */
#include "sim/world_parts.h"

bool book_all_needs(
	const struct run *run, uint32_t gang, bool (*visit)(const struct run *run, uint32_t task))
{
	for (uint32_t i = 0; i < member_count(run, gang); i++) {
		const struct plan_task *task = &run->plan.tasks[members_of(run, gang)[i]];
		for (uint32_t k = 0; k < task->need_count; k++) {
			uint32_t need = run->plan.edges[task->needs + k];
			if (run->plan.tasks[need].gang != gang && !visit(run, need))
				return false;
		}
	}
	return true;
}

bool book_is_settled(const struct run *run, uint32_t task)
{
	return run->settled[task] != TASK_PENDING ||
		(run->closed && run->plan.tasks[task].run_if == RUN_IF_SUCCESS);
}

bool book_is_satisfied(const struct run *run, uint32_t task)
{
	uint32_t gang = run->plan.tasks[task].gang;
	bool good = true, failed = false;

	if (run->settled[task] == TASK_SKIPPED)
		return run->reason[task] == REASON_CONDITION ||
			(run->reason[task] == REASON_LEFT_OUT &&
				book_all_needs(run, gang, book_is_satisfied));
	for (uint32_t i = 0; i < member_count(run, gang); i++) {
		uint32_t t = members_of(run, gang)[i];
		if (is_stuck(run->undo[t]))
			return false;
		good = good && run->settled[t] == TASK_SUCCEEDED;
		failed = failed || run->settled[t] == TASK_FAILED;
	}
	for (uint32_t i = 0; failed && i < member_count(run, gang); i++) {
		uint32_t t = members_of(run, gang)[i];
		if (run->settled[t] == TASK_FAILED &&
			!(run->plan.tasks[t].flags & PLAN_IGNORE_FAILURE))
			return false;
	}
	return good || failed;
}

bool book_forward_is_over(const struct run *run)
{
	for (uint32_t t = 0; t < run->plan.task_count; t++)
		if (run->plan.tasks[t].run_if == RUN_IF_SUCCESS && !book_is_settled(run, t))
			return false;
	return true;
}

bool book_is_shared(const struct run *run, uint32_t gang)
{
	const struct plan_gang *planned = &run->plan.gangs[gang];
	bool pool = false;

	for (uint32_t i = 0; i < planned->resource_count; i++)
		pool = pool || run->plan.taken[planned->resources + i] >= CASE_LOCKS;
	return planned->resource_count && (!run->plan.locks_at_start || pool);
}

bool book_may_start(const struct run *run, uint32_t gang)
{
	if (book_is_settled(run, members_of(run, gang)[0]) || run->gang_runs[gang] ||
		run->undoes[gang])
		return false;
	if (run->plan.locks_at_start && !run->start_holds)
		return false;
	if (is_final(run, gang))
		return book_undo_is_over(run) && run->cancels < 2 &&
			book_all_needs(run, gang, book_is_settled);
	return !run->stopped && book_all_needs(run, gang, book_is_satisfied);
}

bool book_has_places(const struct run *run, uint32_t gang)
{
	const struct plan_gang *planned = &run->plan.gangs[gang];

	for (uint32_t i = 0; i < planned->resource_count; i++) {
		uint32_t r = run->plan.taken[planned->resources + i];
		if (run->used[r] >= run->plan.resources[r].places)
			return false;
	}
	return true;
}

void book_use(struct run *run, uint32_t gang, uint32_t change)
{
	const struct plan_gang *planned = &run->plan.gangs[gang];

	for (uint32_t i = 0; i < planned->resource_count; i++)
		run->used[run->plan.taken[planned->resources + i]] += change;
	run->reserved[gang] = change == 1;
}

bool book_has_undo(const struct run *run, uint32_t gang, bool (*is)(uint8_t undo))
{
	for (uint32_t i = 0; i < member_count(run, gang); i++)
		if (is(run->undo[members_of(run, gang)[i]]))
			return true;
	return false;
}

bool book_undo_is_due(const struct run *run)
{
	return (run->begin == DECIDE_UNDO ||
		       (run->begin == DECIDE_FORWARD && run->plan.on_failure == ON_FAILURE_UNDO)) &&
		(run->failed || run->interrupted) && !run->refused && !run->barred;
}

bool book_undo_is_over(const struct run *run)
{
	struct survey survey;

	if (!book_forward_is_over(run))
		return false;
	if (!book_undo_is_due(run))
		return true;
	book_survey(run, &survey);
	for (uint32_t t = 0; t < run->plan.task_count; t++)
		if (run->undo[t] == UNDO_UNDOING || (run->undo[t] == UNDO_TODO && !survey.kept[t]))
			return false;
	return true;
}

bool book_is_turning(const struct run *run)
{
	for (uint32_t t = 0; t < run->plan.task_count; t++)
		if (run->undo[t] == UNDO_UNDOING)
			return book_forward_is_over(run);
	return false;
}

/* What the gangs that need this one, which were surveyed before, say about it. */
static void survey_gang(const struct run *run, uint32_t gang, struct survey *s,
	bool gang_dooms[CASE_TASKS], bool gang_waits[CASE_TASKS])
{
	bool doomed = false, early = false;

	for (uint32_t i = 0; i < member_count(run, gang); i++) {
		const struct plan_task *task = &run->plan.tasks[members_of(run, gang)[i]];
		for (uint32_t k = 0; k < task->next_count; k++) {
			uint32_t next = run->plan.tasks[run->plan.edges[task->nexts + k]].gang;
			doomed = doomed || (next != gang && gang_dooms[next]);
			early = early || (next != gang && gang_waits[next]);
		}
	}
	gang_dooms[gang] = doomed;
	gang_waits[gang] = early;
	for (uint32_t i = 0; i < member_count(run, gang); i++) {
		uint32_t t = members_of(run, gang)[i];
		s->doomed[t] = doomed;
		s->early[t] = early;
		gang_dooms[gang] |= is_stuck(run->undo[t]);
		gang_waits[gang] |=
			run->undo[t] == UNDO_UNDOING || (run->undo[t] == UNDO_TODO && !s->kept[t]);
	}
}

static void survey_member(const struct run *run, uint32_t t, struct survey *s)
{
	const struct plan_task *task = &run->plan.tasks[t];

	s->kept[t] = task->flags & PLAN_PIVOT && run->settled[t] == TASK_SUCCEEDED &&
		task->run_if == RUN_IF_SUCCESS;
	for (uint32_t k = 0; k < task->next_count; k++)
		s->kept[t] |= s->kept[run->plan.edges[task->nexts + k]];
}

static void survey_inside(const struct run *run, uint32_t t, struct survey *s)
{
	const struct plan_task *task = &run->plan.tasks[t];

	for (uint32_t k = 0; k < task->next_count; k++) {
		uint32_t next = run->plan.edges[task->nexts + k];
		if (run->plan.tasks[next].gang != task->gang)
			continue;
		s->doomed[t] |= s->doomed[next] || is_stuck(run->undo[next]);
		s->inside[t] |= s->inside[next] || run->undo[next] == UNDO_UNDOING ||
			(run->undo[next] == UNDO_TODO && !s->kept[next]);
	}
}

/* Gangs are made of neighbours, and edges lead from lower to higher indices; those inside a gang
 * may be flipped. */
void book_survey(const struct run *run, struct survey *s)
{
	bool gang_dooms[CASE_TASKS] = {0}, gang_waits[CASE_TASKS] = {0};

	*s = (struct survey){0};
	for (uint32_t g = run->plan.gang_count; g-- > 0;) {
		uint32_t count = member_count(run, g), last = count - 1;
		const uint32_t *members = members_of(run, g);
		for (uint32_t i = 0; i < count; i++)
			survey_member(run, members[run->made->flipped ? i : last - i], s);
		survey_gang(run, g, s, gang_dooms, gang_waits);
		for (uint32_t i = 0; i < count; i++)
			survey_inside(run, members[run->made->flipped ? i : last - i], s);
	}
}
