/* SPDX-License-Identifier: MIT */
#include "sim/world_parts.h"

enum { LONGEST_DELAY_MS = 40 }; /* of the retries in case.c */

static bool gang_has_when(const struct run *run, uint32_t gang)
{
	for (uint32_t i = 0; i < member_count(run, gang); i++)
		if (run->plan.tasks[members_of(run, gang)[i]].flags & PLAN_WHEN)
			return true;
	return false;
}

static void rank_gang(struct run *run, uint32_t gang, uint64_t guess)
{
	uint64_t own = 0, after = 0;

	for (uint32_t i = 0; i < member_count(run, gang); i++) {
		const struct plan_task *task = &run->plan.tasks[members_of(run, gang)[i]];
		uint64_t ms = task->duration_ms ? task->duration_ms : guess;
		own = ms > own ? ms : own;
		for (uint32_t k = 0; k < task->next_count; k++) {
			uint32_t next = run->plan.tasks[run->plan.edges[task->nexts + k]].gang;
			if (next != gang && is_final(run, next) == is_final(run, gang) &&
				run->rank[next] > after)
				after = run->rank[next];
		}
	}
	run->rank[gang] = own + after;
}

void check_begin(struct run *run)
{
	uint64_t sum = 0, known = 0;

	for (uint32_t t = 0; t < run->plan.task_count; t++) {
		sum += run->plan.tasks[t].duration_ms;
		known += run->plan.tasks[t].duration_ms != 0;
	}
	uint64_t guess = known && sum / known ? sum / known : 1;
	for (uint32_t g = run->plan.gang_count; g-- > 0;)
		rank_gang(run, g, guess);
}

static void check_acquire(struct world *w, struct run *run, uint32_t gang)
{
	if (gang == PLAN_NONE) {
		if (!run->plan.locks_at_start || run->start_holds)
			world_fail(w, run, "asks for all locks without need");
		return;
	}
	if (!book_is_shared(run, gang) || run->reserved[gang])
		world_fail(w, run, "gang %u asks for nothing or twice", gang);
	if (!book_may_start(run, gang) || !book_has_places(run, gang))
		world_fail(w, run, "gang %u asks for locks before its time", gang);
	book_use(run, gang, 1);
}

/* Without locks of its own in play, the longest remaining path comes first. */
static void check_order(struct world *w, struct run *run, uint32_t gang)
{
	if (run->plan.gangs[gang].resource_count)
		return;
	for (uint32_t g = 0; g < run->plan.gang_count; g++)
		if (run->rank[g] > run->rank[gang] && !run->plan.gangs[g].resource_count &&
			!run->attempt[members_of(run, g)[0]] && !gang_has_when(run, g) &&
			book_may_start(run, g))
			world_fail(w, run, "gang %u starts before gang %u, whose path is longer",
				gang, g);
}

static void check_start(struct world *w, struct run *run, const struct decision *d)
{
	uint32_t gang = d->gang;
	bool undid = run->undoes[gang];

	if (undid)
		check_free(run, gang); /* it keeps the slot of the undo before */
	if (!book_may_start(run, gang))
		world_fail(w, run, "gang %u starts before its time", gang);
	if (++run->slots > run->made->jobs)
		world_fail(w, run, "gang %u starts without a slot", gang);
	if (!run->reserved[gang]) {
		if (!book_has_places(run, gang))
			world_fail(w, run, "gang %u shares a lock or a full pool", gang);
		book_use(run, gang, 1);
	}
	if (book_is_shared(run, gang) && !run->askers[gang].granted)
		world_fail(w, run, "gang %u starts without the locks of the site", gang);
	if (is_final(run, gang) && !run->failed && !run->interrupted &&
		run->plan.tasks[members_of(run, gang)[0]].run_if == RUN_IF_FAILURE)
		world_fail(w, run, "gang %u starts though nothing failed", gang);
	if (!undid)
		check_order(w, run, gang);
	check_undo_start(w, run, gang);
	run->gang_runs[gang] = true;
	run->resumed[gang] = false;
	run->first[gang] = (struct first){0};
	for (uint32_t i = 0; i < member_count(run, gang); i++) {
		uint32_t t = members_of(run, gang)[i];
		if (run->running[t] || ++run->attempt[t] != d->attempt)
			world_fail(w, run, "task %u: attempt %u is out of turn", t, d->attempt);
		if (run->plan.tasks[t].flags & PLAN_WHEN && !run->evaluated[gang])
			world_fail(w, run, "task %u starts without its condition", t);
		run->running[t] = true;
		run->result[t] = TASK_RUNNING;
	}
	if (d->attempt > run->plan.retries[run->plan.gangs[gang].retry].attempts &&
		d->attempt != run->base[members_of(run, gang)[0]] + 1)
		world_fail(w, run, "gang %u starts once too often", gang);
}

void check_ended(struct world *w, struct run *run, const struct event *event)
{
	uint32_t gang = run->plan.tasks[event->task].gang;

	run->running[event->task] = false;
	run->result[event->task] = (uint8_t)event->result;
	check_note(run, event);
	if (event->result != TASK_SUCCEEDED && !run->first[gang].seen)
		run->first[gang] = (struct first){.seen = true,
			.transient = event->transient && event->result == TASK_FAILED,
			.continues = event->continues,
			.unconfirmed = event->unconfirmed};
	for (uint32_t i = 0; i < member_count(run, gang); i++)
		if (run->running[members_of(run, gang)[i]])
			return;
	run->gang_runs[gang] = false;
	if (check_leftovers(run, gang)) {
		run->undoes[gang] = true;
		return;
	}
	run->slots--;
	run->ended_ms[gang] = w->now_ms;
	book_use(run, gang, UINT32_MAX);
}

static void check_upstream(struct world *w, struct run *run, const struct decision *d)
{
	uint32_t gang = d->gang;

	if (is_final(run, gang) || book_all_needs(run, gang, book_is_satisfied))
		world_fail(w, run, "task %u is skipped though all it needs is there", d->task);
	else if (d->upstream == PLAN_NONE ||
		(run->settled[d->upstream] != TASK_FAILED &&
			run->settled[d->upstream] != TASK_CANCELLED))
		world_fail(w, run, "task %u is skipped for a task that did not fail", d->task);
}

static void check_skip(struct world *w, struct run *run, const struct decision *d)
{
	const struct plan_task *task = &run->plan.tasks[d->task];

	if (run->attempt[d->task] != run->base[d->task])
		world_fail(w, run, "task %u is skipped after it ran", d->task);
	if (d->reason == REASON_UPSTREAM)
		check_upstream(w, run, d);
	else if (d->reason == REASON_LEFT_OUT && !(task->flags & (PLAN_LEFT_OUT | PLAN_EMPTY_EACH)))
		world_fail(w, run, "task %u is left out by nobody", d->task);
	else if (d->reason == REASON_CONDITION && !run->evaluated[d->gang] &&
		(task->run_if != RUN_IF_FAILURE || run->failed || run->interrupted))
		world_fail(w, run, "task %u is skipped without a condition", d->task);
}

/* The last member of a gang has settled. */
static void check_whole(struct world *w, struct run *run, uint32_t gang)
{
	uint32_t good = 0, skipped = 0;

	for (uint32_t i = 0; i < member_count(run, gang); i++) {
		uint8_t state = run->settled[members_of(run, gang)[i]];
		good += state == TASK_SUCCEEDED;
		skipped += state == TASK_SKIPPED;
		if (state == TASK_PENDING)
			return;
		if (state == TASK_SUCCEEDED &&
			run->result[members_of(run, gang)[i]] != TASK_SUCCEEDED)
			world_fail(w, run, "gang %u succeeded though a member did not", gang);
	}
	for (uint32_t i = 0; good && i < member_count(run, gang); i++)
		if (run->undo[members_of(run, gang)[i]] == UNDO_UNDONE)
			run->undo[members_of(run, gang)[i]] = UNDO_NOTHING;
	if (good && good != member_count(run, gang))
		world_fail(w, run, "gang %u is not whole", gang);
	if (is_final(run, gang) || skipped || book_is_satisfied(run, members_of(run, gang)[0]))
		return;
	if (!run->failed && !run->interrupted) {
		run->unconfirmed = run->first[gang].unconfirmed;
		run->vague = run->doubtful;
	}
	run->failed = true;
	if (run->plan.on_failure != ON_FAILURE_CONTINUE)
		run->stopped = true;
}

static void check_settled(struct world *w, struct run *run, const struct decision *d)
{
	uint32_t t = d->task;

	if (run->undoes[d->gang])
		check_free(run, d->gang); /* its undo ended, and it does not start any more */
	if (book_is_settled(run, t) || run->running[t])
		world_fail(w, run, "task %u ends twice, or while it runs", t);
	if (!book_all_needs(run, d->gang, book_is_settled))
		world_fail(w, run, "task %u ends before what it needs", t);
	if (d->state == TASK_SKIPPED)
		check_skip(w, run, d);
	else if (d->state == TASK_CANCELLED && run->attempt[t] == run->base[t] && !run->refused &&
		!book_has_undo(run, d->gang, is_stuck) &&
		!(is_final(run, d->gang) ? run->cancels > 1 : run->stopped))
		world_fail(w, run, "task %u is cancelled by nobody", t);
	else if (d->state != TASK_CANCELLED && d->state != TASK_FAILED &&
		d->state != TASK_SUCCEEDED)
		world_fail(w, run, "task %u ends in state %d", t, d->state);
	run->settled[t] = (uint8_t)d->state;
	run->reason[t] = (uint8_t)d->reason;
	check_whole(w, run, d->gang);
}

static void check_finish(struct world *w, struct run *run, const struct decision *d)
{
	run->over = true;
	for (uint32_t t = 0; t < run->plan.task_count; t++)
		if (!book_is_settled(run, t))
			world_fail(w, run, "it is over without task %u", t);
	for (uint32_t g = 0; g < run->plan.gang_count; g++)
		if (run->askers[g].asked || run->reserved[g])
			world_fail(w, run, "it is over but gang %u keeps its locks", g);
	if (run->start_asked || run->start_held)
		world_fail(w, run, "it is over but its locks are kept");
	check_undo_finish(w, run, d);
}

void check_decision(struct world *w, struct run *run, const struct decision *d)
{
	if (run->over)
		world_fail(w, run, "it decides after its end");
	switch (d->kind) {
	case DECISION_EVALUATE:
		if (!book_may_start(run, d->gang) || run->evaluated[d->gang])
			world_fail(
				w, run, "task %u is evaluated before its time or twice", d->task);
		run->evaluated[d->gang] = true;
		break;
	case DECISION_ACQUIRE:
		check_acquire(w, run, d->gang);
		break;
	case DECISION_RELEASE:
		if (d->gang != PLAN_NONE && !run->askers[d->gang].asked)
			world_fail(w, run, "gang %u frees what it has not", d->gang);
		if (d->gang != PLAN_NONE && run->reserved[d->gang])
			book_use(run, d->gang, UINT32_MAX);
		break;
	case DECISION_START:
		check_start(w, run, d);
		break;
	case DECISION_CANCEL:
		if (!run->gang_runs[d->gang])
			world_fail(w, run, "gang %u is cancelled but does not run", d->gang);
		break;
	case DECISION_SETTLED:
		check_settled(w, run, d);
		break;
	case DECISION_UNDO:
		check_undo(w, run, d->task);
		break;
	case DECISION_STOP_UNDO:
		check_stop_undo(w, run, d->task);
		break;
	case DECISION_HELD:
		check_held(w, run, d->task);
		break;
	case DECISION_TURN:
		check_turn(w, run);
		break;
	case DECISION_FINISH:
		check_finish(w, run, d);
		break;
	}
}

void check_cancel(struct run *run)
{
	if (book_is_turning(run))
		return;
	run->cancels++;
	if (run->plan.locks_at_start && !run->start_holds) {
		run->cancels = 2;
		run->barred = true;
	}
	if (!book_forward_is_over(run))
		run->stopped = run->interrupted = true;
}

static bool time_is_up(const struct world *w, const struct run *run)
{
	uint32_t limit = run->made->timeout_ms;

	return limit && run->forward_began && w->now_ms >= run->forward_ms + limit;
}

void check_clock(const struct world *w, struct run *run)
{
	if (time_is_up(w, run) && !book_forward_is_over(run))
		run->stopped = run->doubtful = true;
}

/* After each drain: did the time limit come before the end of the forward work? */
static void check_time(const struct world *w, struct run *run)
{
	if (!time_is_up(w, run) || book_forward_is_over(run))
		return;
	run->stopped = run->failed = true;
	run->doubtful = false;
}

void check_idle(struct world *w, struct run *run)
{
	check_time(w, run);
	check_undo_idle(w, run);
	for (uint32_t g = 0; g < run->plan.gang_count && !w->message[0]; g++) {
		uint32_t first = members_of(run, g)[0];
		if (book_is_settled(run, first) || run->gang_runs[g] || run->undoes[g])
			continue;
		bool comes = !run->plan.locks_at_start || run->start_holds || run->refused ||
			run->barred;
		if (is_final(run, g))
			comes = comes && book_undo_is_over(run);
		if (comes && book_all_needs(run, g, book_is_settled) && !book_may_start(run, g))
			world_fail(w, run, "gang %u can never start and is not settled", g);
		if (run->slots >= run->made->jobs || !book_may_start(run, g))
			continue;
		if (run->attempt[first] && w->now_ms <= run->ended_ms[g] + LONGEST_DELAY_MS)
			continue;
		if (run->reserved[g] ? run->askers[g].granted : book_has_places(run, g))
			world_fail(w, run, "a slot is idle, but gang %u could start", g);
	}
}
