/* SPDX-License-Identifier: MIT */
/* An earlier run: what the journal says of it, and where the engine goes on. */
#include "run/engine.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "undo/copy.h"
#include "undo/guard.h"

#include <string.h>

static struct task_memory *memory_of(struct engine *engine, uint32_t task)
{
	return task < engine->plan->task_count ? &engine->memory[task] : NULL;
}

static bool has_guard(const struct engine *engine, uint32_t task, struct guard *ret)
{
	const struct plan_detail *detail = &engine->plan->details[engine->plan->tasks[task].detail];

	return detail->task->options->confirm_within_ms &&
		guard_open(engine->setup->run_dir, task, ret) == 0;
}

/* A task is done before it waits to be confirmed, and ends when it is. */
static bool is_confirmed(const struct engine *engine, uint32_t task)
{
	struct guard guard;

	if (!has_guard(engine, task, &guard))
		return false;
	bool confirmed = guard_state(&guard) == GUARD_CONFIRMED;
	guard_close(&guard);
	return confirmed;
}

/* Rows come by task and attempt: the last attempt is what counts. */
static int read_task(void *data, const struct journal_task *row)
{
	struct engine *engine = data;
	struct task_memory *memory = memory_of(engine, row->index);
	struct journal_task copy = *row;

	if (!memory)
		return -EBADMSG;
	if (row->state == TASK_RUNNING) {
		copy.state = is_confirmed(engine, row->index) ? TASK_SUCCEEDED : TASK_UNKNOWN;
		journal_put_task(engine->journal, &copy);
	}
	memory->state = (uint8_t)copy.state;
	memory->reason = (uint8_t)row->reason;
	memory->undo = (uint8_t)row->undo;
	memory->attempts = row->attempt;
	memory->exit_code = (int16_t)row->exit_code;
	return 0;
}

static int read_output(void *data, uint32_t task, const char *name, const char *value)
{
	struct task_memory *memory = memory_of(data, task);
	struct output *output = base_alloc(sizeof *output);

	if (!memory) {
		free(output);
		return -EBADMSG;
	}
	output->name = base_string(name);
	output->value = base_string(value);
	*(memory->outputs ? &memory->last_output->next : &memory->outputs) = output;
	memory->last_output = output;
	return 0;
}

/* Newest first: the lists are turned round afterwards. */
static int read_undo(void *data, const struct journal_undo *row)
{
	struct task_memory *memory = memory_of(data, row->task);

	if (!memory)
		return -EBADMSG;
	undo_records_add(&memory->records, row);
	return 0;
}

static int read_undoing(void *data, const struct journal_undoing *row)
{
	struct task_memory *memory = memory_of(data, row->task);

	if (!memory)
		return -EBADMSG;
	memory->undo_tries = row->number;
	return 0;
}

static int read_run(void *data, const struct journal_run *run)
{
	struct engine *engine = data;

	engine->past = *run;
	engine->past.cause = run->cause ? arena_string(&engine->arena, run->cause) : NULL;
	engine->past.next = run->next ? arena_string(&engine->arena, run->next) : NULL;
	/* Of a drill whose way forward has ended: how it did.  Where nothing comes of the way back,
	 * the run stays as it is: recover sees to it. */
	if (engine->plan->drill && run->ended_ms && run->state == RUN_ROLLING_BACK)
		engine->was = run->exit_code == EXIT_OK ? RUN_SUCCEEDED : RUN_FAILED_PARTIAL;
	else
		engine->was = run->state;
	engine->warnings = run->warnings;
	/* Until it ends, the cause is who asked for it. */
	if (run->cause && run->ended_ms && run->state != RUN_SUCCEEDED)
		engine->cause = base_string(run->cause);
	return 0;
}

static void turn_round(struct undo_record **records)
{
	struct undo_record *turned = NULL;

	for (struct undo_record *record = *records, *older; record; record = older) {
		older = record->older;
		record->older = turned;
		turned = record;
	}
	*records = turned;
}

/* What an interrupted task may have left.  Recorded changes are known by their records: each
 * was written before its change. */
static enum undo_state undo_of_unknown(const struct engine *engine, uint32_t task)
{
	uint8_t changes = engine->plan->tasks[task].changes;

	if (changes == UPKEEP_CHANGES_NONE)
		return UNDO_NOTHING;
	if (undoing_is_possible(engine, task))
		return UNDO_TODO;
	return changes == UPKEEP_CHANGES_RECORDED ? UNDO_NOTHING : UNDO_IRREVERSIBLE;
}

static bool is_over(const struct engine *engine, uint32_t task)
{
	const struct task_memory *memory = &engine->memory[task];

	if (memory->state == TASK_SUCCEEDED)
		return memory->undo != UNDO_UNDONE;
	return memory->state == TASK_SKIPPED ||
		(memory->state == TASK_FAILED &&
			engine->plan->tasks[task].flags & PLAN_IGNORE_FAILURE);
}

/* `came`: of what it needs, whether everything that syncs its end, and comes before, has one. */
static bool came_so_far(const struct engine *engine, uint32_t task, const bool *came)
{
	const struct plan *plan = engine->plan;
	const struct plan_task *planned = &plan->tasks[task];

	for (uint32_t i = 0; i < planned->need_count; i++) {
		uint32_t need = plan->edges[planned->needs + i];
		uint8_t changes = plan->tasks[need].changes;
		bool synced = changes == UPKEEP_CHANGES_RECORDED ||
			changes == UPKEEP_CHANGES_IRREVERSIBLE;
		if (!is_over(engine, need) && (synced || !came[need]))
			return false;
	}
	return true;
}

/* In the journal: the next to look after this run shall doubt it, too. */
static void doubt_task(struct engine *engine, uint32_t task)
{
	const struct plan_task *planned = &engine->plan->tasks[task];
	const struct plan_detail *detail = &engine->plan->details[planned->detail];
	CLEANUP_TEXT struct text action = {0};

	if (engine->memory[task].state != TASK_PENDING || planned->run_if != RUN_IF_SUCCESS ||
		planned->changes != UPKEEP_CHANGES_UNKNOWN ||
		planned->flags & (PLAN_LEFT_OUT | PLAN_EMPTY_EACH))
		return;
	text_addf(&action, "%s.%s", detail->task->instance ? detail->task->instance->name : "core",
		detail_action(detail));
	engine->memory[task].state = TASK_UNKNOWN;
	engine->memory[task].attempts = 1;
	journal_put_task(engine->journal,
		&(struct journal_task){.index = task,
			.name = detail->name,
			.action = text_string(&action),
			.state = TASK_UNKNOWN,
			.attempt = 1,
			.exit_code = -1});
}

/* After power loss the journal may lack the last commits: a program may have run of which it
 * knows nothing (docs/behaviour.md, What changes things). */
static void doubt(struct engine *engine)
{
	const struct plan *plan = engine->plan;
	uint32_t *order = base_alloc((plan->task_count + 1) * sizeof *order), count = 0;
	uint32_t *left = base_alloc((plan->task_count + 1) * sizeof *left);
	bool *came = base_alloc(plan->task_count + 1);

	for (uint32_t t = 0; t < plan->task_count; t++)
		if (!(left[t] = plan->tasks[t].need_count))
			order[count++] = t;
	for (uint32_t i = 0; i < count; i++) {
		const struct plan_task *task = &plan->tasks[order[i]];
		came[order[i]] = came_so_far(engine, order[i], came);
		for (uint32_t k = 0; k < task->next_count; k++)
			if (--left[plan->edges[task->nexts + k]] == 0)
				order[count++] = plan->edges[task->nexts + k];
	}
	for (uint32_t i = 0; i < count; i++)
		if (came[order[i]])
			doubt_task(engine, order[i]);
	free(order);
	free(left);
	free(came);
}

/* Whoever won the guard's file owns the task's undo; run_again has waited for a guard that
 * lives, and has taken the place of one that does not. */
static void obey_guard(struct engine *engine, uint32_t task)
{
	struct task_memory *memory = &engine->memory[task];
	struct guard guard;

	if (!has_guard(engine, task, &guard))
		return;
	switch (guard_state(&guard)) {
	case GUARD_CONFIRMED:
		if (memory->state == TASK_UNKNOWN)
			memory->state = TASK_SUCCEEDED;
		break;
	case GUARD_UNDONE:
		engine->unconfirmed = true;
		/* Held: something of it lived on, and may have changed things since. */
		if (memory->undo != UNDO_UNDONE && memory->undo != UNDO_HELD)
			undoing_by_guard(engine, task, UNDO_UNDONE);
		memory->state = TASK_FAILED;
		break;
	case GUARD_EXPIRED: /* its undo is ours */
	case GUARD_FAILED:
		engine->unconfirmed = true;
		break;
	default:
		break;
	}
	guard_close(&guard);
}

int again_read_past(struct engine *engine, struct error *err)
{
	const char *id = engine->setup->id;
	int r = journal_outputs(engine->journal, id, read_output, engine, err);

	if (r == 0)
		r = journal_undos(engine->journal, id, read_undo, engine, err);
	if (r == 0)
		r = journal_undoings(engine->journal, id, read_undoing, engine, err);
	for (uint32_t i = 0; r == 0 && i < engine->plan->task_count; i++)
		turn_round(&engine->memory[i].records);
	return r;
}

int again_load(struct engine *engine, struct error *err)
{
	const char *id = engine->setup->id;
	int r = journal_use_run(engine->journal, id, err);

	if (r == 0)
		r = journal_read_run(engine->journal, id, read_run, engine, err);
	if (r == 0)
		r = journal_tasks(engine->journal, id, read_task, engine, err);
	if (r == 0)
		r = again_read_past(engine, err);
	if (r < 0)
		return err->what
			? r
			: error_set(err, r, "upkeep show RUN",
				  "what the journal says of run %s does not fit its plan", id);
	if (engine->setup->rebooted)
		doubt(engine);
	for (uint32_t i = 0; i < engine->plan->task_count; i++) {
		struct task_memory *memory = &engine->memory[i];
		if (memory->state == TASK_UNKNOWN && memory->undo != UNDO_UNDONE)
			memory->undo = (uint8_t)undo_of_unknown(engine, i);
		obey_guard(engine, i);
	}
	return 0;
}

/* ---- going on ---- */

static bool has_succeeded(const struct engine *engine)
{
	for (uint32_t i = 0; i < engine->plan->task_count; i++)
		if (engine->plan->tasks[i].run_if == RUN_IF_SUCCESS && !is_over(engine, i))
			return false;
	return true;
}

/* Any task with such a state of its undo. */
static bool has_undo(const struct engine *engine, enum undo_state state)
{
	for (uint32_t i = 0; i < engine->plan->task_count; i++)
		if (engine->memory[i].undo == state)
			return true;
	return false;
}

static bool is_to_undo(const struct engine *engine)
{
	return has_undo(engine, UNDO_TODO) || has_undo(engine, UNDO_UNDOING) ||
		has_undo(engine, UNDO_FAILED) || has_undo(engine, UNDO_HELD);
}

/* What an interrupted run is to become; false: a person decides. */
static bool choose(const struct engine *engine, enum decide_begin *ret)
{
	uint8_t on_interrupt = engine->plan->graph->on_interrupt;

	*ret = DECIDE_UNDO;
	if (engine->setup->how == RUN_AGAIN_UNDO ||
		(engine->plan->drill && engine->setup->how == RUN_AGAIN_RECOVER))
		return true;
	if (engine->was == RUN_ROLLING_BACK ||
		(engine->was == RUN_ROLLBACK_FAILED && engine->setup->how == RUN_AGAIN_RECOVER))
		return true;
	if (has_succeeded(engine)) {
		*ret = DECIDE_FINAL;
		return true;
	}
	if (engine->setup->how == RUN_AGAIN_RESUME || on_interrupt == ON_INTERRUPT_RESUME) {
		*ret = DECIDE_FORWARD;
		return true;
	}
	if (on_interrupt == ON_INTERRUPT_UNDO || is_to_undo(engine))
		return on_interrupt != ON_INTERRUPT_HOLD;
	return !has_undo(engine, UNDO_IRREVERSIBLE); /* nothing was changed: nothing to decide */
}

/* The run stays as it is, for a person. */
static void hold(struct engine *engine)
{
	engine->finished = true;
	engine->run_state = RUN_INTERRUPTED;
	engine->exit_code = EXIT_ROLLBACK_FAILED;
	if (!engine->cause)
		engine->cause = base_string("interrupted; what to do is left to a person");
}

void again_refuse(struct engine *engine, enum exit_code code, char *cause)
{
	free(engine->cause);
	engine->cause = cause;
	engine->finished = engine->untouched = true;
	engine->run_state = engine->was;
	engine->exit_code = code;
}

bool again_was_settled(const struct engine *engine)
{
	return engine->was == RUN_SUCCEEDED || engine->was == RUN_FAILED_PARTIAL;
}

/* Where there are no undo files whose loss would say so. */
static bool is_too_old(const struct engine *engine)
{
	int64_t keep_ms = engine->plan->site->undo_keep_ms;

	return again_was_settled(engine) && !engine->options->force && keep_ms &&
		engine->past.ended_ms && clock_wall_ms() - engine->past.ended_ms > keep_ms;
}

/* A settled run loses its undo files when their time or room is over; one that is being rolled
 * back does not: so it says first that it is, and then looks whether they are there. */
static bool undo_is_kept(struct engine *engine)
{
	CLEANUP_ERROR struct error err = {0};
	CLEANUP_TEXT struct text cause = {0};
	CLEANUP_FREE char *why = NULL;

	if (is_too_old(engine)) {
		engine->next = "upkeep rollback RUN --force to put it back all the same";
		again_refuse(engine, EXIT_FAILED_PARTIAL,
			base_string("nothing was put back: it ended longer ago than undo_keep "
				    "says"));
		return false;
	}
	journal_set_state(engine->journal, RUN_ROLLING_BACK);
	int r = journal_flush(engine->journal, JOURNAL_SYNC, &err);
	if (r == 0)
		r = journal_forgotten(engine->journal, engine->setup->id, &why, &err);
	if (r == 0)
		return true;
	text_addf(&cause, "nothing was put back: %s", r < 0 ? error_what(&err) : why);
	engine->next = r < 0 ? arena_string(&engine->arena, err.next)
			     : "put it back by hand: upkeep show RUN says what the undo would "
			       "have been";
	again_refuse(engine, r < 0 ? EXIT_JOURNAL : EXIT_FAILED_PARTIAL, text_take(&cause));
	return false;
}

void again_begin(struct engine *engine)
{
	enum decide_begin begin;

	if (!choose(engine, &begin)) {
		hold(engine);
		return;
	}
	if (engine->setup->how == RUN_AGAIN_UNDO && again_was_settled(engine) &&
		!is_to_undo(engine) && !has_undo(engine, UNDO_IRREVERSIBLE)) {
		again_refuse(
			engine, EXIT_OK, base_string("it changed nothing: nothing to put back"));
		return;
	}
	if (engine->setup->how == RUN_AGAIN_UNDO && !undo_is_kept(engine))
		return;
	engine_decide(engine, begin);
	for (uint32_t i = 0; i < engine->plan->task_count; i++) {
		const struct task_memory *memory = &engine->memory[i];
		decide_restore(engine->decide, i, memory->state, memory->undo, memory->attempts);
	}
	if (begin != DECIDE_UNDO)
		journal_set_state(engine->journal, RUN_RUNNING);
	engine_event(engine, &(struct event){.kind = EVENT_BEGIN});
}
