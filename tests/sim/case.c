/* SPDX-License-Identifier: MIT */
#include "sim/case.h"

#include "base/rng.h"
#include "sim/model.h"

#include <string.h>

static uint32_t below(uint64_t *rng, uint32_t bound)
{
	return (uint32_t)rng_below(rng, bound);
}
static bool chance(uint64_t *rng, uint32_t percent)
{
	return below(rng, 100) < percent;
}

/* How much of what a case has: features that a case lacks make others visible. */
struct mix {
	uint32_t gangs, locks, fails, retries, whens, ignores, left_out, finals, edges;
	uint32_t changes, undo_fails, pivots, guards;
};

static void make_undo(struct case_task *task, const struct mix *mix, uint64_t *rng)
{
	task->changes = chance(rng, mix->changes);
	task->irreversible = chance(rng, 5);
	if (chance(rng, 80))
		task->flags |= PLAN_CAN_UNDO;
	if (chance(rng, mix->pivots))
		task->flags |= PLAN_PIVOT;
	task->continues = chance(rng, 20);
	task->undo_ms = chance(rng, 20) ? 0 : (uint8_t)below(rng, 60);
	if (chance(rng, mix->undo_fails))
		task->undo_fails = chance(rng, 50) ? FAILS_ALWAYS : 1;
	if (!chance(rng, mix->guards))
		return;
	task->guard = chance(rng, 70) ? UNDO_UNDONE : chance(rng, 50) ? UNDO_FAILED : UNDO_HELD;
	task->unconfirmed = chance(rng, 70);
}

static void make_task(struct case_task *task, const struct mix *mix, uint64_t *rng)
{
	*task = (struct case_task){.attempts = 1};
	task->duration_ms = chance(rng, 10) ? 0 : (uint16_t)below(rng, 100);
	task->remembered_ms = chance(rng, 50) ? (uint16_t)below(rng, 100) : 0;
	task->lingers_ms = chance(rng, 10) ? 255 : (uint8_t)below(rng, 20);
	if (chance(rng, mix->fails))
		task->fails = chance(rng, 30) ? FAILS_ALWAYS : (uint8_t)(1 + below(rng, 3));
	task->transient = chance(rng, 80);
	if (chance(rng, mix->retries))
		task->attempts = (uint8_t)(1 + below(rng, 4));
	if (chance(rng, mix->whens))
		task->when = (uint8_t)(1 + below(rng, chance(rng, 10) ? 3 : 2));
	if (chance(rng, mix->ignores))
		task->flags |= PLAN_IGNORE_FAILURE;
	make_undo(task, mix, rng);
	if (chance(rng, mix->left_out))
		task->flags |= chance(rng, 50) ? PLAN_LEFT_OUT : PLAN_EMPTY_EACH;
	while (chance(rng, mix->locks))
		task->mask |= 1u << below(rng, CASE_RESOURCES);
}

static void join_gang(struct case_task *task, const struct case_task *before)
{
	task->joins = true;
	task->run_if = before->run_if; /* the plan takes the leader's word in the rest, too */
	task->when = WHEN_NONE;
}

static uint32_t leader_of(const struct case_run *run, uint32_t task)
{
	while (run->tasks[task].joins)
		task--;
	return task;
}

static void make_edges(struct case_run *run, const struct mix *mix, uint64_t *rng)
{
	uint32_t wanted = run->count * mix->edges / 10;

	for (uint32_t i = 0; i < wanted && run->edge_count < CASE_EDGES; i++) {
		uint32_t to = 1 + below(rng, run->count - 1);
		uint32_t reach = chance(rng, 50) ? 8 : to;
		uint32_t from = to - 1 - below(rng, to < reach ? to : reach);
		bool backward = run->tasks[from].run_if && !run->tasks[to].run_if;
		if (!backward)
			run->edges[run->edge_count++] =
				(struct case_edge){(uint16_t)from, (uint16_t)to};
	}
}

static void make_run(struct case_run *run, const struct mix *mix, uint64_t *rng)
{
	run->count = 1 + below(rng, chance(rng, 30) ? CASE_TASKS : 20);
	uint32_t finals = chance(rng, 50) ? below(rng, 1 + run->count * mix->finals / 100) : 0;

	for (uint32_t i = 0; i < run->count; i++) {
		struct case_task *task = &run->tasks[i];
		make_task(task, mix, rng);
		if (i >= run->count - finals)
			task->run_if = chance(rng, 50) ? RUN_IF_DONE : RUN_IF_FAILURE;
		if (i && i != run->count - finals && chance(rng, mix->gangs) &&
			run->tasks[leader_of(run, i - 1)].when == WHEN_NONE)
			join_gang(task, &run->tasks[i - 1]);
	}
	if (run->count > 1)
		make_edges(run, mix, rng);
	run->jobs = 1 + below(rng, chance(rng, 50) ? 3 : 12);
	run->on_failure = chance(rng, 60) ? ON_FAILURE_UNDO : (uint8_t)below(rng, 3);
	run->running = (uint8_t)below(rng, 2);
	run->locks_at_start = chance(rng, 20);
	run->flipped = chance(rng, 50);
	run->refused = chance(rng, 10) ? (uint8_t)(1 + below(rng, 2)) : 0;
	run->timeout_ms = chance(rng, 10) ? 1 + below(rng, 1000) : 0;
	run->begin_ms = (uint16_t)below(rng, 50);
	for (uint32_t i = 0; i < 2; i++)
		run->cancel_ms[i] = chance(rng, 15) ? (uint16_t)(1 + below(rng, 800)) : 0;
	run->hold_ms = chance(rng, 10) ? (uint16_t)(1 + below(rng, 800)) : 0;
	run->cut_ms = chance(rng, 30) ? (uint16_t)(1 + below(rng, 800)) : 0;
	run->again = (uint8_t)below(rng, 3);
}

void case_make(struct sim_case *made, uint64_t seed, uint32_t run_count)
{
	uint64_t rng = seed * 2 + run_count;
	struct mix mix = {
		.gangs = chance(&rng, 50) ? below(&rng, 50) : 0,
		.locks = chance(&rng, 60) ? below(&rng, 60) : 0,
		.fails = chance(&rng, 50) ? below(&rng, 40) : 0,
		.retries = below(&rng, 100),
		.whens = chance(&rng, 30) ? below(&rng, 30) : 0,
		.ignores = below(&rng, 50),
		.left_out = chance(&rng, 20) ? below(&rng, 20) : 0,
		.finals = 30,
		.edges = below(&rng, 30),
		.changes = chance(&rng, 80) ? 20 + below(&rng, 80) : 0,
		.undo_fails = chance(&rng, 50) ? below(&rng, 20) : 0,
		.pivots = chance(&rng, 30) ? below(&rng, 10) : 0,
		.guards = chance(&rng, 30) ? below(&rng, 40) : 0,
	};

	memset(made, 0, sizeof *made);
	made->seed = seed;
	made->run_count = run_count;
	if (run_count > 1 && mix.locks < 30)
		mix.locks = 30;
	for (uint32_t r = 0; r < CASE_RESOURCES; r++) {
		made->places[r] = r < CASE_LOCKS ? 1 : (uint8_t)(1 + below(&rng, 3));
		made->ghost_ms[r] = chance(&rng, 20) ? (uint16_t)below(&rng, 300) : 0;
	}
	for (uint32_t i = 0; i < run_count; i++)
		make_run(&made->runs[i], &mix, &rng);
}

static bool has_lock(const struct case_run *run)
{
	for (uint32_t t = 0; t < run->count; t++)
		if (run->tasks[t].mask & ((1u << CASE_LOCKS) - 1))
			return true;
	return false;
}

void case_plan(const struct sim_case *made, uint32_t which, struct plan *plan)
{
	const struct case_run *run = &made->runs[which];
	uint32_t leaders[CASE_TASKS], masks[CASE_TASKS];
	struct model_edge edges[CASE_EDGES];

	*plan = (struct plan){.task_count = run->count,
		.on_failure = run->on_failure,
		.running = run->running,
		.resource_count = CASE_RESOURCES};
	plan->tasks = arena_news(&plan->arena, struct plan_task, run->count + 1);
	plan->resources = arena_news(&plan->arena, struct plan_resource, CASE_RESOURCES);
	for (uint32_t r = 0; r < CASE_RESOURCES; r++)
		plan->resources[r] = (struct plan_resource){
			.name = "r", .places = made->places[r], .is_pool = r >= CASE_LOCKS};
	plan->locks_at_start = run->locks_at_start && has_lock(run);
	for (uint32_t t = 0; t < run->count; t++) {
		const struct case_task *task = &run->tasks[t];
		leaders[t] = leader_of(run, t);
		const struct case_task *leader = &run->tasks[leaders[t]];
		uint8_t left_out = leader->flags & (PLAN_LEFT_OUT | PLAN_EMPTY_EACH);
		plan->tasks[t].run_if = leader->run_if;
		plan->tasks[t].flags =
			(uint8_t)((task->flags & ~(PLAN_LEFT_OUT | PLAN_EMPTY_EACH)) | left_out |
				(task->when ? PLAN_WHEN : 0));
		plan->tasks[t].duration_ms = task->remembered_ms;
		plan->tasks[t].source = plan->tasks[t].detail = PLAN_NONE;
		masks[t] = task->mask;
	}
	for (uint32_t e = 0; e < run->edge_count; e++) {
		uint16_t from = run->edges[e].from, to = run->edges[e].to;
		bool flip = run->flipped && leaders[from] == leaders[to];
		edges[e] = flip ? (struct model_edge){to, from} : (struct model_edge){from, to};
	}
	model_link(plan, edges, run->edge_count);
	model_gangs(plan, leaders);
	model_take(plan, masks);
	plan->retries = arena_news(&plan->arena, struct retry, plan->gang_count + 1);
	plan->retry_count = plan->gang_count + 1;
	plan->retries[0].attempts = 1;
	for (uint32_t g = 0; g < plan->gang_count; g++) {
		plan->retries[g + 1] = (struct retry){
			.attempts = run->tasks[plan->members[plan->gangs[g].members]].attempts,
			.delay_ms = 10,
			.max_delay_ms = 40,
			.backoff = 2};
		plan->gangs[g].retry = g + 1;
	}
}
