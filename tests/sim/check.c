/* SPDX-License-Identifier: MIT */
#include "sim/world_parts.h"

enum { LONGEST_DELAY_MS = 40 }; /* of the retries in case.c */

static const uint32_t *members_of(const struct run *run, uint32_t gang)
{
	return run->plan.members + run->plan.gangs[gang].members;
}
static uint32_t member_count(const struct run *run, uint32_t gang)
{
	return run->plan.gangs[gang].member_count;
}
static bool is_final(const struct run *run, uint32_t gang)
{
	return run->plan.tasks[members_of(run, gang)[0]].run_if != RUN_IF_SUCCESS;
}

/* Calls visit for each task outside that the gang needs; stops at the first false. */
static bool all_needs(
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

static bool is_settled(const struct run *run, uint32_t task)
{
	return run->settled[task] != TASK_PENDING;
}

static bool is_satisfied(const struct run *run, uint32_t task)
{
	uint32_t gang = run->plan.tasks[task].gang;
	bool good = true, failed = false;

	if (run->settled[task] == TASK_SKIPPED)
		return run->reason[task] == REASON_CONDITION ||
			(run->reason[task] == REASON_LEFT_OUT &&
				all_needs(run, gang, is_satisfied));
	for (uint32_t i = 0; i < member_count(run, gang); i++) {
		uint32_t t = members_of(run, gang)[i];
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

static bool forward_is_over(const struct run *run)
{
	for (uint32_t t = 0; t < run->plan.task_count; t++)
		if (run->plan.tasks[t].run_if == RUN_IF_SUCCESS && !is_settled(run, t))
			return false;
	return true;
}

static bool gang_has_when(const struct run *run, uint32_t gang)
{
	for (uint32_t i = 0; i < member_count(run, gang); i++)
		if (run->plan.tasks[members_of(run, gang)[i]].flags & PLAN_WHEN)
			return true;
	return false;
}

static bool is_shared(const struct run *run, uint32_t gang)
{
	const struct plan_gang *planned = &run->plan.gangs[gang];
	bool pool = false;

	for (uint32_t i = 0; i < planned->resource_count; i++)
		pool = pool || run->plan.taken[planned->resources + i] >= CASE_LOCKS;
	return planned->resource_count && (!run->plan.locks_at_start || pool);
}

/* Order alone says that the gang may start. */
static bool may_start(const struct run *run, uint32_t gang)
{
	if (is_settled(run, members_of(run, gang)[0]) || run->gang_runs[gang])
		return false;
	if (run->plan.locks_at_start && !run->start_holds)
		return false;
	if (is_final(run, gang))
		return forward_is_over(run) && run->cancels < 2 && all_needs(run, gang, is_settled);
	return !run->stopped && all_needs(run, gang, is_satisfied);
}

static bool has_places(const struct run *run, uint32_t gang)
{
	const struct plan_gang *planned = &run->plan.gangs[gang];

	for (uint32_t i = 0; i < planned->resource_count; i++) {
		uint32_t r = run->plan.taken[planned->resources + i];
		if (run->used[r] >= run->plan.resources[r].places)
			return false;
	}
	return true;
}

static void use(struct run *run, uint32_t gang, uint32_t change)
{
	const struct plan_gang *planned = &run->plan.gangs[gang];

	for (uint32_t i = 0; i < planned->resource_count; i++)
		run->used[run->plan.taken[planned->resources + i]] += change;
	run->reserved[gang] = change == 1;
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
	if (!is_shared(run, gang) || run->reserved[gang])
		world_fail(w, run, "gang %u asks for nothing or twice", gang);
	if (!may_start(run, gang) || !has_places(run, gang))
		world_fail(w, run, "gang %u asks for locks before its time", gang);
	use(run, gang, 1);
}

/* Without locks of its own in play, the longest remaining path comes first. */
static void check_order(struct world *w, struct run *run, uint32_t gang)
{
	if (run->plan.gangs[gang].resource_count)
		return;
	for (uint32_t g = 0; g < run->plan.gang_count; g++)
		if (run->rank[g] > run->rank[gang] && !run->plan.gangs[g].resource_count &&
			!run->attempt[members_of(run, g)[0]] && !gang_has_when(run, g) &&
			may_start(run, g))
			world_fail(w, run, "gang %u starts before gang %u, whose path is longer",
				gang, g);
}

static void check_start(struct world *w, struct run *run, const struct decision *d)
{
	uint32_t gang = d->gang;

	if (!may_start(run, gang))
		world_fail(w, run, "gang %u starts before its time", gang);
	if (++run->slots > run->made->jobs)
		world_fail(w, run, "gang %u starts without a slot", gang);
	if (!run->reserved[gang]) {
		if (!has_places(run, gang))
			world_fail(w, run, "gang %u shares a lock or a full pool", gang);
		use(run, gang, 1);
	}
	if (is_shared(run, gang) && !run->askers[gang].granted)
		world_fail(w, run, "gang %u starts without the locks of the site", gang);
	if (is_final(run, gang) && !run->failed && !run->interrupted &&
		run->plan.tasks[members_of(run, gang)[0]].run_if == RUN_IF_FAILURE)
		world_fail(w, run, "gang %u starts though nothing failed", gang);
	check_order(w, run, gang);
	run->gang_runs[gang] = true;
	for (uint32_t i = 0; i < member_count(run, gang); i++) {
		uint32_t t = members_of(run, gang)[i];
		if (run->running[t] || ++run->attempt[t] != d->attempt)
			world_fail(w, run, "task %u: attempt %u is out of turn", t, d->attempt);
		if (run->plan.tasks[t].flags & PLAN_WHEN && !run->evaluated[gang])
			world_fail(w, run, "task %u starts without its condition", t);
		run->running[t] = true;
		run->result[t] = TASK_RUNNING;
	}
	if (d->attempt > run->plan.retries[run->plan.gangs[gang].retry].attempts)
		world_fail(w, run, "gang %u starts once too often", gang);
}

void check_ended(struct world *w, struct run *run, const struct event *event)
{
	uint32_t gang = run->plan.tasks[event->task].gang;

	run->running[event->task] = false;
	run->result[event->task] = (uint8_t)event->result;
	run->changes += event->changed && !is_final(run, gang);
	for (uint32_t i = 0; i < member_count(run, gang); i++)
		if (run->running[members_of(run, gang)[i]])
			return;
	run->gang_runs[gang] = false;
	run->slots--;
	run->ended_ms[gang] = w->now_ms;
	use(run, gang, UINT32_MAX);
}

static void check_upstream(struct world *w, struct run *run, const struct decision *d)
{
	uint32_t gang = d->gang;

	if (is_final(run, gang) || all_needs(run, gang, is_satisfied))
		world_fail(w, run, "task %u is skipped though all it needs is there", d->task);
	else if (d->upstream == PLAN_NONE ||
		(run->settled[d->upstream] != TASK_FAILED &&
			run->settled[d->upstream] != TASK_CANCELLED))
		world_fail(w, run, "task %u is skipped for a task that did not fail", d->task);
}

static void check_skip(struct world *w, struct run *run, const struct decision *d)
{
	const struct plan_task *task = &run->plan.tasks[d->task];

	if (d->attempt || run->attempt[d->task])
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
	if (good && good != member_count(run, gang))
		world_fail(w, run, "gang %u is not whole", gang);
	if (is_final(run, gang) || skipped || is_satisfied(run, members_of(run, gang)[0]))
		return;
	run->failed = true;
	if (run->plan.on_failure != ON_FAILURE_CONTINUE)
		run->stopped = true;
}

static void check_settled(struct world *w, struct run *run, const struct decision *d)
{
	uint32_t t = d->task;

	if (is_settled(run, t) || run->running[t])
		world_fail(w, run, "task %u ends twice, or while it runs", t);
	if (!all_needs(run, d->gang, is_settled))
		world_fail(w, run, "task %u ends before what it needs", t);
	if (d->state == TASK_SKIPPED)
		check_skip(w, run, d);
	else if (d->state == TASK_CANCELLED && !d->attempt && !run->refused &&
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
	enum exit_code right = run->refused         ? EXIT_BUSY
		: !run->failed && !run->interrupted ? EXIT_OK
		: run->changes                      ? EXIT_FAILED_PARTIAL
						    : EXIT_FAILED_CLEAN;

	run->over = true;
	for (uint32_t t = 0; t < run->plan.task_count; t++)
		if (!is_settled(run, t))
			world_fail(w, run, "it is over without task %u", t);
	for (uint32_t g = 0; g < run->plan.gang_count; g++)
		if (run->askers[g].asked || run->reserved[g])
			world_fail(w, run, "it is over but gang %u keeps its locks", g);
	if (run->start_asked || run->start_held)
		world_fail(w, run, "it is over but its locks are kept");
	if (d->exit_code != right && !run->doubtful)
		world_fail(w, run, "it exits %d instead of %d", d->exit_code, right);
}

void check_decision(struct world *w, struct run *run, const struct decision *d)
{
	if (run->over)
		world_fail(w, run, "it decides after its end");
	switch (d->kind) {
	case DECISION_EVALUATE:
		if (!may_start(run, d->gang) || run->evaluated[d->gang])
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
			use(run, d->gang, UINT32_MAX);
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
		world_fail(w, run, "it undoes");
		break;
	case DECISION_FINISH:
		check_finish(w, run, d);
		break;
	}
}

void check_cancel(struct run *run)
{
	run->cancels++;
	if (run->plan.locks_at_start && !run->start_holds)
		run->cancels = 2;
	if (!forward_is_over(run))
		run->stopped = run->interrupted = true;
}

static bool time_is_up(const struct world *w, const struct run *run)
{
	uint32_t limit = run->made->timeout_ms;

	return limit && run->forward_began && w->now_ms >= run->forward_ms + limit;
}

void check_clock(const struct world *w, struct run *run)
{
	if (time_is_up(w, run) && !forward_is_over(run))
		run->stopped = run->doubtful = true;
}

/* After each drain: did the time limit come before the end of the forward work? */
static void check_time(const struct world *w, struct run *run)
{
	if (!time_is_up(w, run) || forward_is_over(run))
		return;
	run->stopped = run->failed = true;
	run->doubtful = false;
}

void check_idle(struct world *w, struct run *run)
{
	check_time(w, run);
	for (uint32_t g = 0; g < run->plan.gang_count && !w->message[0]; g++) {
		uint32_t first = members_of(run, g)[0];
		if (is_settled(run, first) || run->gang_runs[g])
			continue;
		bool comes = is_final(run, g)
			? forward_is_over(run)
			: !run->plan.locks_at_start || run->start_holds || run->refused;
		if (comes && all_needs(run, g, is_settled) && !may_start(run, g))
			world_fail(w, run, "gang %u can never start and is not settled", g);
		if (run->slots >= run->made->jobs || !may_start(run, g))
			continue;
		if (run->attempt[first] && w->now_ms <= run->ended_ms[g] + LONGEST_DELAY_MS)
			continue;
		if (run->reserved[g] ? run->askers[g].granted : has_places(run, g))
			world_fail(w, run, "a slot is idle, but gang %u could start", g);
	}
}
