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
	run->forward_began = true;
	run->forward_ms = w->now_ms;
}

/* Answers whoever has got all that it asked for. */
static bool table_answer(struct world *w, struct run *run)
{
	if (run->start_asked && run->made->refused && w->now_ms > run->made->begin_ms + 20) {
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

static bool end_one(struct world *w, struct run *run)
{
	for (uint32_t t = 0; t < run->plan.task_count; t++) {
		const struct case_task *task = &run->made->tasks[t];
		if (run->ends[t] > w->now_ms)
			continue;
		bool fails = task->fails == FAILS_ALWAYS || run->attempt[t] <= task->fails;
		struct event event = {.kind = EVENT_ENDED,
			.task = t,
			.changed = task->changes,
			.transient = task->transient,
			.reason = REASON_NONE,
			.result = run->cut[t] ? TASK_CANCELLED
				: fails       ? TASK_FAILED
					      : TASK_SUCCEEDED};
		if (event.result == TASK_FAILED)
			event.reason = REASON_EXIT;
		run->ends[t] = INT64_MAX;
		check_ended(w, run, &event);
		send(w, run, event);
		return true;
	}
	return false;
}

static bool happen(struct world *w, struct run *run)
{
	if (!run->begun && w->now_ms >= run->made->begin_ms) {
		run->begun = true;
		if (!run->plan.locks_at_start)
			begin_forward(w, run);
		send(w, run, (struct event){.kind = EVENT_BEGIN});
		return true;
	}
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t at = run->made->cancel_ms[i];
		if (!run->begun || run->cancelled[i] || !at || at > w->now_ms)
			continue;
		run->cancelled[i] = true;
		check_cancel(run);
		send(w, run, (struct event){.kind = EVENT_CANCEL});
		return true;
	}
	if (run->begun && decide_wake(run->decide) <= w->now_ms) {
		send(w, run, (struct event){.kind = EVENT_TIME});
		if (decide_wake(run->decide) <= w->now_ms)
			world_fail(w, run, "EVENT_TIME does not move the time to wake");
		return true;
	}
	return end_one(w, run);
}

static int64_t earlier(int64_t a, int64_t now, int64_t b)
{
	return b > now && b < a ? b : a;
}

static int64_t next_time(const struct world *w)
{
	int64_t at = INT64_MAX, now = w->now_ms;

	for (uint32_t r = 0; r < CASE_RESOURCES; r++)
		at = earlier(at, now, w->played->ghost_ms[r]);
	for (uint32_t i = 0; i < w->played->run_count; i++) {
		const struct run *run = &w->runs[i];
		if (run->over)
			continue;
		at = earlier(at, now, run->made->begin_ms);
		if (run->start_asked)
			at = earlier(at, now, run->made->begin_ms + 21);
		for (uint32_t k = 0; k < 2; k++)
			at = earlier(at, now, run->made->cancel_ms[k]);
		if (run->begun)
			at = earlier(at, now, decide_wake(run->decide));
		for (uint32_t t = 0; t < run->plan.task_count; t++)
			if (run->ends[t] != INT64_MAX)
				at = earlier(at, now, run->ends[t]);
	}
	return at;
}

/* Everything that happens at this moment. */
static void play_moment(struct world *w)
{
	for (bool any = true; any && !w->message[0];) {
		any = false;
		for (uint32_t i = 0; i < w->played->run_count && !w->message[0]; i++) {
			struct run *run = &w->runs[i];
			if (run->over || !happen(w, run))
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
		if (!w->runs[i].over)
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
		run->decide = decide_new(&run->plan,
			&(struct decide_options){.jobs = run->made->jobs,
				.seed = played->seed,
				.timeout_ms = run->made->timeout_ms});
		for (uint32_t t = 0; t < CASE_TASKS; t++)
			run->ends[t] = INT64_MAX;
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
