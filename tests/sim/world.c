/* SPDX-License-Identifier: MIT */
#include "sim/world_parts.h"

#include "base/rng.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void world_fail(struct world *w, const struct run *run, const char *format, ...)
{
	va_list ap;

	if (w->message[0])
		return;
	int n = snprintf(w->message, sizeof w->message, "run %d at %lld ms: ", (int)(run - w->runs),
		(long long)w->now_ms);
	va_start(ap, format);
	vsnprintf(w->message + n, sizeof w->message - (size_t)n, format, ap);
	va_end(ap);
}

static void send(struct world *w, struct run *run, struct event event)
{
	event.now_ms = w->now_ms;
	decide_event(run->decide, &event);
	check_clock(w, run);
}

/* The table of locks that the runs share: places taken, by whom in order of arrival. */
static bool table_step(struct world *w, struct run *run, uint32_t gang)
{
	const struct plan_gang *planned = &run->plan.gangs[gang];
	struct asker *asker = &run->askers[gang];

	for (; asker->held < planned->resource_count; asker->held++) {
		uint32_t r = run->plan.taken[planned->resources + asker->held];
		if (run->plan.locks_at_start && r < CASE_LOCKS)
			continue;
		uint32_t ghost = w->played->ghost_ms[r] > w->now_ms;
		if (w->table[r] + ghost >= w->played->places[r])
			return false;
		w->table[r]++;
	}
	return true;
}

static void table_give(struct world *w, struct run *run, uint32_t gang)
{
	const struct plan_gang *planned = &run->plan.gangs[gang];

	for (uint32_t i = 0; i < run->askers[gang].held; i++) {
		uint32_t r = run->plan.taken[planned->resources + i];
		if (!run->plan.locks_at_start || r >= CASE_LOCKS)
			w->table[r]--;
	}
	run->askers[gang] = (struct asker){0};
}

static uint32_t locks_of_plan(const struct run *run)
{
	uint32_t all = 0;

	for (uint32_t t = 0; t < run->plan.task_count; t++)
		all |= run->made->tasks[t].mask;
	return all & ((1u << CASE_LOCKS) - 1);
}

static bool start_locks_step(struct world *w, struct run *run)
{
	uint32_t all = locks_of_plan(run);

	for (; run->start_held < CASE_LOCKS; run->start_held++) {
		uint32_t r = run->start_held;
		if (!(all & (1u << r)))
			continue;
		if (w->table[r] || w->played->ghost_ms[r] > w->now_ms)
			return false;
		w->table[r]++;
	}
	return true;
}

static void start_locks_give(struct world *w, struct run *run)
{
	for (uint32_t r = 0; r < run->start_held; r++)
		w->table[r] -= locks_of_plan(run) >> r & 1;
	run->start_held = 0;
	run->start_asked = false;
}

static void begin_forward(const struct world *w, struct run *run)
{
	run->forward_began = run->begin == DECIDE_FORWARD;
	run->forward_ms = w->now_ms;
}

/* Answers whoever has got all that it asked for. */
static bool table_answer(struct world *w, struct run *run)
{
	if (run->start_asked && run->made->refused == run->life && w->now_ms > run->begin_ms + 20) {
		start_locks_give(w, run);
		run->refused = run->stopped = true;
		send(w, run, (struct event){.kind = EVENT_REFUSED, .gang = PLAN_NONE});
		return true;
	}
	if (run->start_asked && start_locks_step(w, run)) {
		run->start_asked = false;
		run->start_holds = true;
		begin_forward(w, run);
		send(w, run, (struct event){.kind = EVENT_ACQUIRED, .gang = PLAN_NONE});
		return true;
	}
	for (uint32_t g = 0; g < run->plan.gang_count; g++) {
		struct asker *asker = &run->askers[g];
		if (!asker->asked || asker->granted || !table_step(w, run, g))
			continue;
		asker->granted = true;
		send(w, run, (struct event){.kind = EVENT_ACQUIRED, .gang = g});
		return true;
	}
	return false;
}

static void act_start(struct world *w, struct run *run, uint32_t gang)
{
	const struct plan_gang *planned = &run->plan.gangs[gang];

	for (uint32_t i = 0; i < planned->member_count; i++) {
		uint32_t t = run->plan.members[planned->members + i];
		run->ends[t] = w->now_ms + run->made->tasks[t].duration_ms;
		run->cut[t] = false;
	}
}

static void act_cancel(struct world *w, struct run *run, uint32_t gang, bool kill)
{
	const struct plan_gang *planned = &run->plan.gangs[gang];

	for (uint32_t i = 0; i < planned->member_count; i++) {
		uint32_t t = run->plan.members[planned->members + i];
		uint32_t lingers = kill ? 0 : run->made->tasks[t].lingers_ms;
		if (run->ends[t] == INT64_MAX || lingers == 255)
			continue;
		if (run->ends[t] > w->now_ms + lingers) {
			run->ends[t] = w->now_ms + lingers;
			run->cut[t] = true;
		}
	}
}

static void act_undo(struct world *w, struct run *run, uint32_t task)
{
	run->undo_ends[task] = w->now_ms + run->made->tasks[task].undo_ms;
	run->undo_cut[task] = false;
	run->undos[task]++;
}

static void act_stop_undo(struct world *w, struct run *run, uint32_t task)
{
	if (run->undo_ends[task] <= w->now_ms + 5)
		return;
	run->undo_ends[task] = w->now_ms + 5;
	run->undo_cut[task] = true;
}

static void act(struct world *w, struct run *run, const struct decision *decision)
{
	switch (decision->kind) {
	case DECISION_EVALUATE:
		send(w, run,
			(struct event){.kind = EVENT_CONDITION,
				.task = decision->task,
				.truth = run->made->tasks[decision->task].when == WHEN_TRUE,
				.result = run->made->tasks[decision->task].when == WHEN_BROKEN
					? TASK_FAILED
					: TASK_PENDING});
		break;
	case DECISION_ACQUIRE:
		if (decision->gang == PLAN_NONE)
			run->start_asked = true;
		else
			run->askers[decision->gang].asked = true;
		break;
	case DECISION_RELEASE:
		if (decision->gang == PLAN_NONE)
			start_locks_give(w, run);
		else
			table_give(w, run, decision->gang);
		break;
	case DECISION_START:
		act_start(w, run, decision->gang);
		break;
	case DECISION_CANCEL:
		act_cancel(w, run, decision->gang, decision->kill);
		break;
	case DECISION_UNDO:
		act_undo(w, run, decision->task);
		break;
	case DECISION_STOP_UNDO:
		act_stop_undo(w, run, decision->task);
		break;
	default:
		break;
	}
}

static void hash(struct world *w, const struct decision *d)
{
	uint64_t words[] = {d->kind, d->gang, d->task, d->attempt, d->kill, d->state, d->reason,
		d->upstream, d->run_state, d->exit_code, (uint64_t)w->now_ms};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		uint64_t mixed = w->hash ^ words[i];
		w->hash = rng_next(&mixed);
	}
}

/* Carries out whatever the run decides now. */
static void drain(struct world *w, struct run *run)
{
	struct decision decision;

	for (;;) {
		while (!w->message[0] && decide_next(run->decide, &decision)) {
			if (++w->steps > 1000000)
				world_fail(w, run, "it decides for ever");
			hash(w, &decision);
			check_decision(w, run, &decision);
			act(w, run, &decision);
			/* half of the time locks are had at once */
			if (decision.kind == DECISION_ACQUIRE && (decision.gang & 1))
				table_answer(w, run);
		}
		if (w->message[0] || run->over || !table_answer(w, run))
			break;
	}
	if (!w->message[0] && run->begun && !run->over)
		check_idle(w, run);
}

static struct event make_end(const struct run *run, uint32_t t)
{
	const struct case_task *task = &run->made->tasks[t];
	bool fails = task->fails == FAILS_ALWAYS || run->attempt[t] <= task->fails;
	struct event event = {.kind = EVENT_ENDED,
		.task = t,
		.changed = task->changes,
		.irreversible = task->irreversible,
		.transient = task->transient,
		.continues = task->continues,
		.reason = REASON_NONE,
		.result = run->cut[t] ? TASK_CANCELLED
			: fails       ? TASK_FAILED
				      : TASK_SUCCEEDED};

	if (event.result == TASK_FAILED) {
		event.reason = REASON_EXIT;
		event.unconfirmed = task->unconfirmed;
	}
	if (event.result != TASK_SUCCEEDED)
		event.undo = task->guard;
	return event;
}

static bool end_one(struct world *w, struct run *run)
{
	for (uint32_t t = 0; t < run->plan.task_count; t++) {
		if (run->ends[t] > w->now_ms)
			continue;
		struct event event = make_end(run, t);
		run->ends[t] = INT64_MAX;
		check_ended(w, run, &event);
		send(w, run, event);
		return true;
	}
	return false;
}

static bool end_undo(struct world *w, struct run *run)
{
	for (uint32_t t = 0; t < run->plan.task_count; t++) {
		uint8_t fails = run->made->tasks[t].undo_fails;
		if (run->undo_ends[t] > w->now_ms)
			continue;
		enum undo_state undo = run->undo_cut[t]                   ? UNDO_HELD
			: fails == FAILS_ALWAYS || run->undos[t] <= fails ? UNDO_FAILED
									  : UNDO_UNDONE;
		run->undo_ends[t] = INT64_MAX;
		check_undone(w, run, t, undo);
		send(w, run, (struct event){.kind = EVENT_UNDONE, .task = t, .undo = undo});
		return true;
	}
	return false;
}

static void make_decide(const struct world *w, struct run *run)
{
	run->decide = decide_new(&run->plan,
		&(struct decide_options){.jobs = run->made->jobs,
			.seed = w->played->seed,
			.timeout_ms = run->made->timeout_ms,
			.begin = run->begin});
}

static bool cut_waits(const struct run *run)
{
	return run->life == 1 && run->made->cut_ms;
}

/* The engine dies, and its locks with it; another one goes on. */
static void cut(struct world *w, struct run *run)
{
	run->life = 2;
	if (!run->begun)
		return;
	for (uint32_t g = 0; g < run->plan.gang_count; g++)
		table_give(w, run, g);
	start_locks_give(w, run);
	decide_free(run->decide);
	run->begin = run->made->again;
	run->begin_ms = w->now_ms + 10;
	make_decide(w, run);
	again_restore(run);
}

static void begin(struct world *w, struct run *run)
{
	run->begun = true;
	if (!run->plan.locks_at_start)
		begin_forward(w, run);
	send(w, run, (struct event){.kind = EVENT_BEGIN});
}

static bool interrupt(struct world *w, struct run *run)
{
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t at = run->made->cancel_ms[i];
		if (run->cancelled[i] || !at || at > w->now_ms)
			continue;
		run->cancelled[i] = true;
		check_cancel(run);
		send(w, run, (struct event){.kind = EVENT_CANCEL});
		return true;
	}
	if (run->hold_sent || !run->made->hold_ms || run->made->hold_ms > w->now_ms)
		return false;
	run->hold_sent = true;
	check_hold(run);
	send(w, run, (struct event){.kind = EVENT_HOLD_UNDO});
	return true;
}

static bool happen(struct world *w, struct run *run)
{
	if (cut_waits(run) && w->now_ms >= run->made->cut_ms) {
		cut(w, run);
		return true;
	}
	if (run->over)
		return false;
	if (!run->begun && w->now_ms >= run->begin_ms) {
		begin(w, run);
		return true;
	}
	if (!run->begun)
		return false;
	if (interrupt(w, run))
		return true;
	if (decide_wake(run->decide) <= w->now_ms) {
		send(w, run, (struct event){.kind = EVENT_TIME});
		if (decide_wake(run->decide) <= w->now_ms)
			world_fail(w, run, "EVENT_TIME does not move the time to wake");
		return true;
	}
	return end_one(w, run) || end_undo(w, run);
}

static int64_t earlier(int64_t a, int64_t now, int64_t b)
{
	return b > now && b < a ? b : a;
}

static int64_t next_of(const struct run *run, int64_t at, int64_t now)
{
	if (cut_waits(run))
		at = earlier(at, now, run->made->cut_ms);
	if (run->over)
		return at;
	at = earlier(at, now, run->begin_ms);
	if (run->start_asked)
		at = earlier(at, now, run->begin_ms + 21);
	for (uint32_t k = 0; k < 2; k++)
		at = earlier(at, now, run->made->cancel_ms[k]);
	at = earlier(at, now, run->made->hold_ms);
	if (run->begun)
		at = earlier(at, now, decide_wake(run->decide));
	for (uint32_t t = 0; t < run->plan.task_count; t++) {
		at = earlier(at, now, run->ends[t]);
		at = earlier(at, now, run->undo_ends[t]);
	}
	return at;
}

static int64_t next_time(const struct world *w)
{
	int64_t at = INT64_MAX;

	for (uint32_t r = 0; r < CASE_RESOURCES; r++)
		at = earlier(at, w->now_ms, w->played->ghost_ms[r]);
	for (uint32_t i = 0; i < w->played->run_count; i++)
		at = next_of(&w->runs[i], at, w->now_ms);
	return at;
}

/* Everything that happens at this moment. */
static void play_moment(struct world *w)
{
	for (bool any = true; any && !w->message[0];) {
		any = false;
		for (uint32_t i = 0; i < w->played->run_count && !w->message[0]; i++) {
			struct run *run = &w->runs[i];
			if (!happen(w, run))
				continue;
			any = true;
			drain(w, run);
		}
		for (uint32_t i = 0; i < w->played->run_count && !any; i++) {
			struct run *run = &w->runs[i];
			if (run->over || !run->begun || !table_answer(w, run))
				continue;
			any = true;
			drain(w, run);
		}
		if (++w->steps > 1000000)
			world_fail(w, &w->runs[0], "it goes round for ever");
	}
}

static bool all_over(const struct world *w)
{
	for (uint32_t i = 0; i < w->played->run_count; i++)
		if (!w->runs[i].over || cut_waits(&w->runs[i]))
			return false;
	return true;
}

static void play(struct world *w)
{
	while (!w->message[0]) {
		play_moment(w);
		if (w->message[0] || all_over(w))
			break;
		int64_t at = next_time(w);
		if (at == INT64_MAX) {
			world_fail(w, &w->runs[w->runs[0].over],
				"deadlock: nothing will happen any more");
			break;
		}
		w->now_ms = at;
	}
	for (uint32_t r = 0; r < CASE_RESOURCES && !w->message[0]; r++)
		if (w->table[r])
			world_fail(w, &w->runs[0], "resource %u is not freed", r);
}

bool world_play(const struct sim_case *played, uint64_t *ret_hash, char *message, size_t size)
{
	struct world *w = base_alloc(sizeof *w);

	w->played = played;
	for (uint32_t i = 0; i < played->run_count; i++) {
		struct run *run = &w->runs[i];
		run->made = &played->runs[i];
		case_plan(played, i, &run->plan);
		run->life = 1;
		run->begin_ms = run->made->begin_ms;
		make_decide(w, run);
		for (uint32_t t = 0; t < CASE_TASKS; t++)
			run->ends[t] = run->undo_ends[t] = INT64_MAX;
		check_begin(run);
	}
	play(w);
	for (uint32_t i = 0; i < played->run_count; i++) {
		decide_free(w->runs[i].decide);
		arena_free(&w->runs[i].plan.arena);
	}
	bool good = !w->message[0];
	snprintf(message, size, "%s", w->message);
	*ret_hash = w->hash;
	free(w);
	return good;
}
