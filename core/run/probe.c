/* SPDX-License-Identifier: MIT */
/* Questions to actions before an earlier run goes on: whether a task that was interrupted has
 * happened, and whether what a run left has been changed since. */
#include "run/engine.h"

#include "base/cleanup.h"

#include <string.h>

#define PROBE_MS 300000 /* of a question, where its task has no shorter time limit */

struct question {
	uint32_t task;
	struct undo_record *record; /* NULL: the task itself */
};
struct probing {
	VEC(struct question) list;
	size_t at;
	VEC(char *) drifted; /* what has been changed since, or may have been */
	bool has_drifted;    /* one of them has, for sure */
	bool cancelled;
};

static bool can_be_asked(const struct engine *engine, uint32_t task)
{
	const struct plan_detail *detail = &engine->plan->details[engine->plan->tasks[task].detail];

	return detail->task->instance && detail->task->action &&
		detail->task->action->has & ACTION_HAS_PROBE;
}

static void add_records(struct engine *engine, struct probing *probing, uint32_t task)
{
	struct undo_record *record = undo_records_live(engine->memory[task].records);

	for (; record; record = undo_records_live(record->older))
		vec_push(&probing->list, ((struct question){task, record}));
}

/* Drift is asked for where a run that was settled is taken back. */
static bool asks_for_drift(const struct engine *engine)
{
	return engine->setup->how == RUN_AGAIN_UNDO && again_was_settled(engine) &&
		!engine->options->force;
}

static void collect(struct engine *engine, struct probing *probing)
{
	for (uint32_t i = 0; i < engine->plan->task_count; i++) {
		if (!can_be_asked(engine, i))
			continue;
		if (asks_for_drift(engine))
			add_records(engine, probing, i);
		else if (engine->memory[i].state == TASK_UNKNOWN &&
			engine->setup->how != RUN_AGAIN_UNDO)
			vec_push(&probing->list, ((struct question){i, NULL}));
	}
}

static void ask(struct engine *engine)
{
	struct question *question = &engine->probing->list.items[engine->probing->at];
	struct attempt *attempt = attempt_new(engine, question->task, 0, engine_slot(engine, 1));

	attempt->kind = ATTEMPT_PROBE;
	attempt->changes = UPKEEP_CHANGES_NONE;
	attempt->record = question->record;
	attempt->probed = -1;
	attempt->time_limit_ms =
		attempt->options->timeout_ms && attempt->options->timeout_ms < PROBE_MS
		? attempt->options->timeout_ms
		: PROBE_MS;
	vec_push(&engine->starting, attempt);
}

/* Each is a warning; the first stands in the block of --quiet as well. */
static void refuse_drifted(struct engine *engine, struct probing *probing)
{
	CLEANUP_TEXT struct text cause = {0};

	text_addf(&cause, "nothing was put back: %s: %s",
		probing->has_drifted ? "what this run left has been changed since"
				     : "whether what this run left has been changed since "
				       "could not be found out",
		probing->drifted.items[0]);
	if (probing->drifted.count > 1)
		text_addf(&cause, ", and %zu more", probing->drifted.count - 1);
	vec_each(&probing->drifted, text)
		engine_warn(engine, PLAN_NONE, *text);
	engine->next = "upkeep rollback RUN --force to put it back all the same";
	again_refuse(engine, EXIT_FAILED_PARTIAL, text_take(&cause));
}

static void finish(struct engine *engine)
{
	struct probing *probing = TAKE_PTR(engine->probing);

	if (probing->cancelled)
		again_refuse(engine, EXIT_FAILED_PARTIAL,
			base_string("cancelled before anything was done"));
	else if (probing->drifted.count)
		refuse_drifted(engine, probing);
	else
		again_begin(engine);
	vec_each(&probing->drifted, text)
		free(*text);
	vec_free(&probing->drifted);
	vec_free(&probing->list);
	free(probing);
}

void probe_begin(struct engine *engine)
{
	engine->probing = base_alloc(sizeof *engine->probing);
	collect(engine, engine->probing);
	if (engine->probing->list.count)
		ask(engine);
	else
		finish(engine);
}

/* A task that is done counts as such where nobody misses its outputs. */
static void take_answer(struct engine *engine, const struct attempt *attempt)
{
	struct task_memory *memory = &engine->memory[attempt->task];
	const struct upkeep_action *action = &attempt->detail->task->action->decl;

	if (attempt->probed == UPKEEP_NOT_DONE && memory->undo == UNDO_IRREVERSIBLE)
		memory->undo = UNDO_NOTHING;
	else if (attempt->probed == UPKEEP_DONE && !action->output_count &&
		engine->setup->how == RUN_AGAIN_RESUME)
		memory->state = TASK_SUCCEEDED;
}

static void take_drift(struct engine *engine, const struct attempt *attempt)
{
	const struct journal_undo *row = &attempt->record->row;
	bool perhaps = row->state == JOURNAL_UNDO_PUSHED; /* the change may never have been made */
	struct text text = {0};

	if (attempt->probed == UPKEEP_DONE || (perhaps && attempt->probed == UPKEEP_NOT_DONE))
		return;
	text_addf(&text, "%s: %s: %s", attempt->detail->name,
		row->about && *row->about ? row->about : row->kind,
		attempt->message                             ? attempt->message
			: attempt->probed == UPKEEP_NOT_DONE ? "it is not there any more"
							     : "it has been changed since");
	vec_push(&engine->probing->drifted, text_take(&text));
	if (attempt->probed >= 0)
		engine->probing->has_drifted = true;
}

void probe_cancel(struct engine *engine)
{
	engine->probing->cancelled = true;
	for (struct attempt *a = engine->running, *next; a; a = next) {
		next = a->next;
		if (a->kind == ATTEMPT_PROBE)
			attempt_cancel(a, true);
	}
}

void probe_ended(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;

	if (attempt->state != TASK_SUCCEEDED)
		attempt->probed = -1;
	if (attempt->record)
		take_drift(engine, attempt);
	else
		take_answer(engine, attempt);
	if (++engine->probing->at < engine->probing->list.count && !engine->probing->cancelled)
		ask(engine);
	else
		finish(engine);
}
