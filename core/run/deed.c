/* SPDX-License-Identifier: MIT */
#include "run/engine.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "run/keep.h"

#include <string.h>

#define RETRY_LOCK_MS 20
#define RETRY_LOCK_MAX_MS 250

static void deed_evaluate(struct engine *engine, uint32_t task)
{
	const struct plan_detail *detail = &engine->plan->details[engine->plan->tasks[task].detail];
	CLEANUP_ERROR struct error err = {0};
	int truth = plan_when(engine->plan, detail, &engine->lookup, &err);

	if (truth < 0 && engine->options->plan_only)
		truth = 1; /* it depends on what is not known yet */
	if (truth >= 0) {
		engine_event(engine,
			&(struct event){.kind = EVENT_CONDITION, .task = task, .truth = truth});
		return;
	}
	engine_warn(engine, task, error_what(&err));
	engine_event(engine,
		&(struct event){.kind = EVENT_CONDITION,
			.task = task,
			.result = TASK_FAILED,
			.reason = REASON_START});
}

static void give_back(struct engine *engine, uint32_t gang, int fd)
{
	(void)gang;
	keep_release(engine->keeper.fd, fd);
	lock_release(fd);
}

static void release_of(struct engine *engine, uint32_t gang)
{
	size_t kept = 0;

	for (size_t i = 0; i < engine->held.count; i++) {
		struct held held = engine->held.items[i];
		if (held.gang == gang)
			give_back(engine, gang, held.fd);
		else
			engine->held.items[kept++] = held;
	}
	engine->held.count = kept;
}

/* Those of the whole run go with its keeper: whoever gets them must find in the journal how it
 * ended. */
static void deed_release(struct engine *engine, uint32_t gang)
{
	size_t kept = 0;

	if (gang != PLAN_NONE)
		release_of(engine, gang);
	for (size_t i = 0; i < engine->waiters.count; i++)
		if (engine->waiters.items[i].gang != gang)
			engine->waiters.items[kept++] = engine->waiters.items[i];
	engine->waiters.count = kept;
}

static int take_one(struct engine *engine, uint32_t gang, const struct plan_resource *resource,
	struct error *err)
{
	const struct plan *plan = engine->plan;
	const struct plan_gang *group = gang == PLAN_NONE ? NULL : &plan->gangs[gang];
	uint32_t first = group ? plan->members[group->members] : 0;
	struct lock_holder holder = {
		.run_id = engine->setup->id,
		.graph = plan->graph->name,
		.task = group ? plan->details[plan->tasks[first].detail].name : "",
		.keeper = engine->setup->keeper,
		.since_ms = clock_wall_ms(),
	};
	const char *dir = engine->setup->state_dir;
	int fd = resource->is_pool
		? lock_take_place(dir, resource->name, resource->places, &holder, err)
		: lock_take(dir, LOCK_NAMED, resource->name, &holder, err);
	if (fd < 0)
		return fd;
	keep_hold(engine->keeper.fd, fd);
	vec_push(&engine->held, ((struct held){gang, fd}));
	return 0;
}

/* All or none, in the order of plan.resources: nobody waits while holding. */
static int take_all(struct engine *engine, uint32_t gang, struct error *err)
{
	const struct plan *plan = engine->plan;
	uint32_t count =
		gang == PLAN_NONE ? plan->resource_count : plan->gangs[gang].resource_count;
	bool locks = false;
	int r = 0;

	for (uint32_t i = 0; i < count && r == 0; i++) {
		uint32_t index =
			gang == PLAN_NONE ? i : plan->taken[plan->gangs[gang].resources + i];
		const struct plan_resource *resource = &plan->resources[index];
		if (plan->locks_at_start && (gang == PLAN_NONE) == resource->is_pool)
			continue;
		r = take_one(engine, gang, resource, err);
		locks = locks || !resource->is_pool;
	}
	/* While it was waited for, its holder may have become one that a person must look at. */
	if (r == 0 && locks && !engine->setup->again &&
		run_stands_clear(plan, err) == EXIT_UNRESOLVED)
		r = -EEXIST;
	if (r < 0)
		release_of(engine, gang);
	return r;
}

static enum exit_code refusal_code(int r)
{
	return r == -EWOULDBLOCK              ? EXIT_BUSY
		: r == -EEXIST                ? EXIT_UNRESOLVED
		: r == -EACCES || r == -EPERM ? EXIT_NOT_PERMITTED
					      : EXIT_FAILED_CLEAN;
}

static void tell_refused(struct engine *engine, uint32_t gang, int r, const struct error *err)
{
	const struct plan *plan = engine->plan;
	uint32_t task = gang == PLAN_NONE ? PLAN_NONE : plan->members[plan->gangs[gang].members];
	bool ignored = task != PLAN_NONE && plan->tasks[task].flags & PLAN_IGNORE_FAILURE;
	const char *why = error_what(err);

	engine_warn(engine, task, why);
	if (!engine->cause && !ignored)
		engine->cause = base_string(why);
	if (!ignored && !engine->refused_code)
		engine->refused_code = refusal_code(r);
	if (!ignored && !engine->next && err->next)
		engine->next = arena_string(&engine->arena, err->next);
	if (task != PLAN_NONE)
		engine->memory[task].refused = arena_string(&engine->arena, why);
	engine_event(engine,
		&(struct event){.kind = EVENT_REFUSED, .gang = gang, .reason = REASON_START});
}

/* True when it is settled, one way or the other. */
static bool try_to_take(struct engine *engine, struct waiter waiter)
{
	CLEANUP_ERROR struct error err = {0};
	int r = take_all(engine, waiter.gang, &err);

	if (r == 0) {
		engine_event(engine, &(struct event){.kind = EVENT_ACQUIRED, .gang = waiter.gang});
		return true;
	}
	if (r != -EWOULDBLOCK || engine->now_ms >= waiter.until_ms) {
		if (r == -EWOULDBLOCK)
			error_prefix(&err, "wait_max has run out");
		tell_refused(engine, waiter.gang, r, &err);
		return true;
	}
	waiter.pause_ms =
		waiter.pause_ms * 2 < RETRY_LOCK_MAX_MS ? waiter.pause_ms * 2 : RETRY_LOCK_MAX_MS;
	waiter.retry_at_ms = engine->now_ms + waiter.pause_ms;
	vec_push(&engine->waiters, waiter);
	return false;
}

static void deed_acquire(struct engine *engine, uint32_t gang)
{
	int64_t wait_max_ms = engine->plan->graph->wait_max_ms;
	struct waiter waiter = {.gang = gang,
		.pause_ms = RETRY_LOCK_MS / 2,
		.until_ms = wait_max_ms ? engine->now_ms + wait_max_ms : INT64_MAX};

	if (engine->options->plan_only)
		engine_event(engine, &(struct event){.kind = EVENT_ACQUIRED, .gang = gang});
	else
		try_to_take(engine, waiter);
}

void deed_tend_waiters(struct engine *engine)
{
	size_t count = engine->waiters.count;

	for (size_t i = 0; i < count;) {
		struct waiter waiter = engine->waiters.items[i];
		if (waiter.retry_at_ms > engine->now_ms) {
			i++;
			continue;
		}
		/* Takes itself out; where it must wait on it is added at the end. */
		memmove(&engine->waiters.items[i], &engine->waiters.items[i + 1],
			(engine->waiters.count - i - 1) * sizeof waiter);
		engine->waiters.count--;
		count--;
		try_to_take(engine, waiter);
	}
}

int64_t deed_next_ms(const struct engine *engine)
{
	int64_t next_ms = INT64_MAX;

	for (size_t i = 0; i < engine->waiters.count; i++)
		if (engine->waiters.items[i].retry_at_ms < next_ms)
			next_ms = engine->waiters.items[i].retry_at_ms;
	return next_ms;
}

static struct slot *free_slot(struct engine *engine)
{
	vec_each(&engine->slots, s)
		if (!(*s)->busy)
			return *s;
	struct slot *slot = base_alloc(sizeof *slot);
	slot->cgroup = (struct cgroup)CGROUP_INIT;
	vec_push(&engine->slots, slot);
	return slot;
}

struct slot *engine_slot(struct engine *engine, uint32_t running)
{
	struct slot *slot = free_slot(engine);

	slot->busy = true;
	slot->running = running;
	return slot;
}

static void put_intent(struct engine *engine, const struct attempt *attempt)
{
	struct journal_task row = {
		.index = attempt->task,
		.name = attempt->detail->name,
		.action = attempt->action_name,
		.state = TASK_RUNNING,
		.undo = UNDO_NOTHING, /* of this attempt: what an earlier one left was undone */
		.attempt = attempt->number,
		.started_ms = attempt->started_wall_ms,
		.exit_code = -1,
	};
	journal_put_task(engine->journal, &row);
	engine->memory[attempt->task].state = TASK_RUNNING;
	engine_tell(engine,
		&(struct run_event){.kind = RUN_EVENT_TASK,
			.task = attempt->task,
			.state = TASK_RUNNING,
			.attempt = attempt->number,
			.exit_code = -1});
}

void outputs_free(struct task_memory *memory)
{
	for (struct output *o = memory->outputs, *next; o; o = next) {
		next = o->next;
		free(o->name);
		free(o->value);
		free(o);
	}
	memory->outputs = memory->last_output = NULL;
}

/* What an earlier attempt gave is not for those that read this one's. */
static void forget_outputs(struct engine *engine, uint32_t task)
{
	if (!engine->memory[task].outputs)
		return;
	outputs_free(&engine->memory[task]);
	journal_drop_outputs(engine->journal, task, NULL);
}

static void deed_start(struct engine *engine, uint32_t gang, uint32_t number)
{
	const struct plan_gang *group = &engine->plan->gangs[gang];
	struct slot *slot = engine_slot(engine, group->member_count);
	CLEANUP_ERROR struct error err = {0};

	int r = engine->options->plan_only ? 0 : flows_open(engine, gang, slot, &err);
	for (uint32_t i = 0; i < group->member_count; i++) {
		uint32_t task = engine->plan->members[group->members + i];
		struct attempt *attempt = attempt_new(engine, task, number, slot);
		flow_bind(attempt);
		if (r < 0)
			attempt_fail(attempt, REASON_START, err.next, "%s", error_what(&err));
		vec_push(&engine->starting, attempt);
		forget_outputs(engine, task);
		put_intent(engine, attempt);
	}
}

static void deed_cancel(struct engine *engine, const struct decision *decision)
{
	bool timed_out = decision->reason == REASON_TIMEOUT;

	for (struct attempt *a = engine->running, *next; a; a = next) {
		next = a->next;
		if (engine->plan->tasks[a->task].gang != decision->gang || a->kind != ATTEMPT_RUN)
			continue;
		a->run_timed_out = timed_out;
		attempt_cancel(a, decision->kill);
	}
	vec_each(&engine->starting, a) {
		if (engine->plan->tasks[(*a)->task].gang != decision->gang ||
			(*a)->kind != ATTEMPT_RUN)
			continue;
		(*a)->cancelled = true;
		(*a)->run_timed_out = timed_out;
	}
}

/* Attempts have written their own ends; here is what ended without one. */
static void deed_settle(struct engine *engine, const struct decision *decision)
{
	const struct plan_task *task = &engine->plan->tasks[decision->task];
	const struct plan_detail *detail = &engine->plan->details[task->detail];
	struct task_memory *memory = &engine->memory[decision->task];
	CLEANUP_TEXT struct text why = {0};

	if (memory->state == decision->state && decision->attempt)
		return;
	if (decision->reason == REASON_UPSTREAM && decision->upstream != PLAN_NONE)
		text_addf(&why, "%s did not succeed",
			engine->plan->details[engine->plan->tasks[decision->upstream].detail].name);
	else if (memory->refused)
		text_adds(&why, memory->refused);
	else if (decision->state == TASK_CANCELLED && decision->reason == REASON_TIMEOUT)
		text_adds(&why, engine_time_limit(engine));
	int64_t now_ms = clock_wall_ms();
	struct journal_task row = {
		.index = decision->task,
		.name = detail->name,
		.state = decision->state,
		.reason = decision->reason,
		.undo = decide_undo_state(engine->decide, decision->task),
		.attempt = decision->attempt,
		.ended_ms = now_ms,
		.exit_code = -1,
		.message = why.size ? why.bytes : NULL,
	};
	char action[160];
	snprintf(action, sizeof action, "%s.%s",
		detail->task->instance ? detail->task->instance->name : "core",
		detail_action(detail));
	row.action = action;
	journal_put_task(engine->journal, &row);
	memory->state = (uint8_t)decision->state;
	engine_tell(engine,
		&(struct run_event){.kind = RUN_EVENT_TASK,
			.task = decision->task,
			.state = decision->state,
			.reason = decision->reason,
			.attempt = decision->attempt,
			.exit_code = -1,
			.undo = row.undo,
			.text = row.message});
}

/* What is undone from here on needs this on the disk; its intents are synced. */
static void deed_turn(struct engine *engine)
{
	engine->turned = true;
	journal_set_state(engine->journal, RUN_ROLLING_BACK);
	engine_tell(engine, &(struct run_event){.kind = RUN_EVENT_TURN, .task = PLAN_NONE});
}

void deed_carry_out(struct engine *engine, const struct decision *decision)
{
	switch (decision->kind) {
	case DECISION_EVALUATE:
		deed_evaluate(engine, decision->task);
		break;
	case DECISION_ACQUIRE:
		deed_acquire(engine, decision->gang);
		break;
	case DECISION_RELEASE:
		deed_release(engine, decision->gang);
		break;
	case DECISION_START:
		deed_start(engine, decision->gang, decision->attempt);
		break;
	case DECISION_CANCEL:
		deed_cancel(engine, decision);
		break;
	case DECISION_SETTLED:
		deed_settle(engine, decision);
		break;
	case DECISION_TURN:
		deed_turn(engine);
		break;
	case DECISION_UNDO:
		undoing_begin(engine, decision->task);
		break;
	case DECISION_STOP_UNDO:
		undoing_stop(engine, decision->task);
		break;
	case DECISION_HELD:
		undoing_hold(engine, decision->task);
		break;
	case DECISION_FINISH:
		engine->finished = true;
		engine->untouched = engine->setup->again && decision->run_state == RUN_INTERRUPTED;
		engine->run_state = engine->untouched ? engine->was : decision->run_state;
		engine->exit_code = decision->exit_code;
		break;
	}
}
