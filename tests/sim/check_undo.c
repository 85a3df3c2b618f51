/* SPDX-License-Identifier: MIT */
/* The judge of the way back. */
#include "sim/world_parts.h"

static bool is_todo(uint8_t undo)
{
	return undo == UNDO_TODO;
}
static bool is_undoing(uint8_t undo)
{
	return undo == UNDO_UNDOING;
}

bool check_leftovers(const struct run *run, uint32_t gang)
{
	const struct first *first = &run->first[gang];
	uint32_t attempts = run->plan.retries[run->plan.gangs[gang].retry].attempts;

	return first->seen && first->transient && !first->continues && !run->stopped &&
		run->attempt[members_of(run, gang)[0]] < attempts &&
		!book_has_undo(run, gang, is_stuck) && book_has_undo(run, gang, is_todo);
}

void check_note(struct run *run, const struct event *event)
{
	const struct plan_task *task = &run->plan.tasks[event->task];
	uint8_t *undo = &run->undo[event->task];
	bool lasting = *undo == UNDO_IRREVERSIBLE;

	if (is_final(run, task->gang))
		return;
	if (event->changed) {
		lasting = lasting || event->irreversible || !(task->flags & PLAN_CAN_UNDO);
		*undo = lasting ? UNDO_IRREVERSIBLE : UNDO_TODO;
	}
	if (event->undo != UNDO_NOTHING && !(lasting && event->undo == UNDO_UNDONE))
		*undo = (uint8_t)event->undo;
	run->changed = run->changed || *undo != UNDO_NOTHING;
}

void check_free(struct run *run, uint32_t gang)
{
	run->slots--;
	run->undoes[gang] = false;
	book_use(run, gang, UINT32_MAX);
}

void check_undo_start(struct world *w, struct run *run, uint32_t gang)
{
	const struct first *first = &run->first[gang];

	if (!book_has_undo(run, gang, is_todo))
		return;
	if (run->resumed[gang] || !first->seen || !first->continues)
		world_fail(w, run, "gang %u starts over what it has left", gang);
}

/* What the gang of an earlier life left is undone in its slot, before it starts. */
static void check_resumed(struct world *w, struct run *run, uint32_t gang)
{
	if (!run->resumed[gang])
		world_fail(w, run, "gang %u undoes what it has not left", gang);
	if (!book_may_start(run, gang))
		world_fail(w, run, "gang %u undoes what it left before its time", gang);
	if (book_is_shared(run, gang) && !run->askers[gang].granted)
		world_fail(w, run, "gang %u undoes without the locks of the site", gang);
}

static void take_slot(struct world *w, struct run *run, uint32_t gang)
{
	if (++run->slots > run->made->jobs)
		world_fail(w, run, "gang %u is undone without a slot", gang);
	if (!run->reserved[gang]) {
		if (!book_has_places(run, gang))
			world_fail(w, run, "gang %u is undone with a lock that is taken", gang);
		book_use(run, gang, 1);
	}
	run->undoes[gang] = true;
}

void check_undo(struct world *w, struct run *run, uint32_t task)
{
	uint32_t gang = run->plan.tasks[task].gang;
	bool turning = book_forward_is_over(run);
	struct survey survey;

	book_survey(run, &survey);
	if (!is_todo(run->undo[task]))
		world_fail(w, run, "task %u has nothing to undo", task);
	if (run->held)
		world_fail(w, run, "task %u is undone though the undo is held", task);
	if (book_has_undo(run, gang, is_undoing))
		world_fail(w, run, "gang %u undoes two members at once", gang);
	if (survey.inside[task] || (turning && survey.early[task]))
		world_fail(w, run, "task %u is undone before what needs it", task);
	if (run->plan.locks_at_start && !run->start_holds)
		world_fail(w, run, "task %u is undone without the locks of the start", task);
	if (turning && (survey.kept[task] || survey.doomed[task]))
		world_fail(w, run, "task %u is undone though a pivot or a failed undo forbids it",
			task);
	if (turning ? !run->turned || !book_undo_is_due(run) : book_has_undo(run, gang, is_stuck))
		world_fail(w, run, "task %u is undone though nothing asks for it", task);
	if (!turning && !run->undoes[gang])
		check_resumed(w, run, gang);
	if (!run->undoes[gang])
		take_slot(w, run, gang);
	run->undo[task] = UNDO_UNDOING;
	run->stop_seen[task] = false;
}

/* Something in the gang can still be undone. */
static bool goes_on(const struct run *run, uint32_t gang)
{
	bool turning = book_forward_is_over(run);
	struct survey survey;

	if (run->held || (!turning && book_has_undo(run, gang, is_stuck)))
		return false;
	book_survey(run, &survey);
	for (uint32_t i = 0; i < member_count(run, gang); i++) {
		uint32_t t = members_of(run, gang)[i];
		if (is_todo(run->undo[t]) && !(turning && (survey.kept[t] || survey.doomed[t])))
			return true;
	}
	return false;
}

void check_undone(struct world *w, struct run *run, uint32_t task, enum undo_state undo)
{
	uint32_t gang = run->plan.tasks[task].gang;

	run->undo[task] = (uint8_t)undo;
	if (goes_on(run, gang))
		return;
	if (!book_forward_is_over(run) && run->resumed[gang] && !run->stopped &&
		!book_has_undo(run, gang, is_stuck))
		return; /* it starts in the same slot */
	check_free(run, gang);
	run->ended_ms[gang] = w->now_ms;
}

void check_held(struct world *w, struct run *run, uint32_t task)
{
	bool turning = book_forward_is_over(run);
	struct survey survey;

	book_survey(run, &survey);
	if (!is_todo(run->undo[task]))
		world_fail(w, run, "task %u is held but has nothing to undo", task);
	if (turning && (!run->turned || survey.kept[task]))
		world_fail(w, run, "task %u is held though it is not to be undone", task);
	if (!run->held && !(turning && survey.doomed[task]))
		world_fail(w, run, "task %u is held for no reason", task);
	run->undo[task] = UNDO_HELD;
}

void check_stop_undo(struct world *w, struct run *run, uint32_t task)
{
	if (!is_undoing(run->undo[task]) || !run->held || run->stop_seen[task])
		world_fail(w, run, "the undo of task %u is stopped without need", task);
	run->stop_seen[task] = true;
}

void check_turn(struct world *w, struct run *run)
{
	if (run->doubtful)
		run->failed = true;
	run->doubtful = false;
	if (run->turned || !run->changed || !book_forward_is_over(run) || !book_undo_is_due(run))
		world_fail(w, run, "it turns back without need");
	run->turned = true;
}

void check_hold(struct run *run)
{
	bool turning = book_is_turning(run);

	run->held = true;
	run->cancels = 2;
	run->barred = run->barred || (run->plan.locks_at_start && !run->start_holds);
	if (!turning && !book_forward_is_over(run))
		run->stopped = run->interrupted = true;
}

void check_undo_idle(struct world *w, struct run *run)
{
	bool turning = book_forward_is_over(run) && book_undo_is_due(run) && !run->doubtful &&
		(run->start_holds || !run->plan.locks_at_start);
	struct survey survey;

	book_survey(run, &survey);
	for (uint32_t t = 0; t < run->plan.task_count; t++) {
		uint32_t gang = run->plan.tasks[t].gang;
		if (is_undoing(run->undo[t]) && run->held && !run->stop_seen[t])
			world_fail(w, run, "the undo of task %u is not stopped", t);
		if (run->undoes[gang] && !book_has_undo(run, gang, is_undoing))
			world_fail(w, run, "gang %u keeps its slot for nothing", gang);
		if (!turning || !is_todo(run->undo[t]) || survey.kept[t] || survey.early[t] ||
			run->undoes[gang])
			continue;
		if (run->held)
			world_fail(w, run, "task %u is not held at once", t);
		if (!survey.doomed[t] && run->slots < run->made->jobs && book_has_places(run, gang))
			world_fail(w, run, "a slot is idle, but task %u could be undone", t);
	}
}

static enum run_state right_state(const struct run *run)
{
	bool stuck = false, left = false;

	if (!run->failed && !run->interrupted)
		return RUN_SUCCEEDED;
	if (!run->changed)
		return RUN_FAILED_CLEAN;
	if ((run->barred || run->refused) && run->begin != DECIDE_FINAL)
		return RUN_INTERRUPTED;
	for (uint32_t t = 0; t < run->plan.task_count; t++) {
		stuck = stuck || is_stuck(run->undo[t]);
		left = left || is_todo(run->undo[t]) || run->undo[t] == UNDO_IRREVERSIBLE;
	}
	return stuck ? RUN_ROLLBACK_FAILED : left ? RUN_FAILED_PARTIAL : RUN_ROLLED_BACK;
}

static bool code_is_right(const struct run *run, enum run_state state, enum exit_code code)
{
	static const enum exit_code codes[] = {[RUN_SUCCEEDED] = EXIT_OK,
		[RUN_FAILED_CLEAN] = EXIT_FAILED_CLEAN,
		[RUN_ROLLED_BACK] = EXIT_ROLLED_BACK,
		[RUN_FAILED_PARTIAL] = EXIT_FAILED_PARTIAL,
		[RUN_ROLLBACK_FAILED] = EXIT_ROLLBACK_FAILED,
		[RUN_INTERRUPTED] = EXIT_FAILED_PARTIAL};

	if (run->refused)
		return code == EXIT_BUSY;
	if (state == RUN_ROLLED_BACK && code == EXIT_NOT_CONFIRMED)
		return run->unconfirmed || run->vague;
	if (state == RUN_ROLLED_BACK && run->unconfirmed && !run->vague)
		return false;
	return code == codes[state];
}

void check_undo_finish(struct world *w, struct run *run, const struct decision *d)
{
	bool due = book_undo_is_due(run);
	enum run_state state = right_state(run);
	struct survey survey;

	book_survey(run, &survey);
	for (uint32_t t = 0; t < run->plan.task_count; t++) {
		if (is_undoing(run->undo[t]))
			world_fail(w, run, "it is over while task %u is being undone", t);
		if (due && !run->doubtful && is_todo(run->undo[t]) && !survey.kept[t])
			world_fail(w, run, "it is over, but task %u is not undone", t);
		if (decide_undo_state(run->decide, t) != run->undo[t])
			world_fail(w, run, "task %u: undo state %d instead of %d", t,
				(int)decide_undo_state(run->decide, t), run->undo[t]);
	}
	if (run->doubtful)
		return;
	if (d->run_state != state && !run->refused)
		world_fail(
			w, run, "it ends in state %d instead of %d", (int)d->run_state, (int)state);
	if (!code_is_right(run, state, d->exit_code))
		world_fail(w, run, "it exits %d in state %d", (int)d->exit_code, (int)state);
}
