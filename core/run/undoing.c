/* SPDX-License-Identifier: MIT */
/* The undo of one task: by its rollback, or by its action's undo of each record, the newest
 * first; tried again when it fails. */
#include "run/engine.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "run/named.h"
#include "undo/copy.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define TIMEOUT_MS 3600000 /* of a try, where the rollback has none of its own */

struct undoing {
	uint32_t task, tries; /* of this process */
	const struct plan_detail *detail;
	struct attempt *attempt; /* the try that runs; NULL: between two */
	int64_t again_at_ms;
};

static const struct plan_detail *detail_of(const struct engine *engine, uint32_t task)
{
	return &engine->plan->details[engine->plan->tasks[task].detail];
}

static bool has_rollback(const struct plan_detail *detail)
{
	return detail->task->options->rollback.kind != VALUE_NONE;
}

bool undoing_is_possible(const struct engine *engine, uint32_t task)
{
	return has_rollback(detail_of(engine, task)) ||
		undo_records_live(engine->memory[task].records);
}

/* The rollback's arguments: its group without "action" and the core's keys. */
static struct value rollback_args(struct engine *engine, const struct value *rollback)
{
	struct value args = *rollback;
	uint32_t count = 0;

	args.group.members =
		arena_news(&engine->arena, struct value_member, rollback->group.count + 1);
	for (uint32_t i = 0; i < rollback->group.count; i++)
		if (!text_in_words(rollback->group.members[i].name, "action timeout retry"))
			args.group.members[count++] = rollback->group.members[i];
	args.group.count = count;
	return args;
}

/* The same task, as its undo runs: another action or none, another time limit. */
static const struct plan_detail *undo_detail(struct engine *engine, uint32_t task)
{
	const struct plan_detail *forward = detail_of(engine, task);
	struct plan_detail *detail = arena_new(&engine->arena, struct plan_detail);
	struct task *copy = arena_new(&engine->arena, struct task);
	struct task_options *options = arena_new(&engine->arena, struct task_options);

	*detail = *forward;
	*copy = *forward->task;
	*options = *forward->task->options;
	options->timeout_ms =
		options->rollback_timeout_ms ? options->rollback_timeout_ms : TIMEOUT_MS;
	options->leaves_running = false;
	if (has_rollback(forward)) {
		copy->instance = options->rollback_instance;
		copy->action = options->rollback_action;
		copy->args = rollback_args(engine, &options->rollback);
	}
	copy->options = options;
	detail->task = copy;
	return detail;
}

static struct undoing *undoing_of(const struct engine *engine, uint32_t task)
{
	vec_each(&engine->undoings, u)
		if ((*u)->task == task)
			return *u;
	return NULL;
}

static void undoing_remove(struct engine *engine, struct undoing *undoing)
{
	size_t at = 0;

	while (engine->undoings.items[at] != undoing)
		at++;
	engine->undoings.items[at] = engine->undoings.items[--engine->undoings.count];
	free(undoing);
}

static void tell(struct engine *engine, uint32_t task, enum undo_state state, const char *text,
	const char *next)
{
	engine_tell(engine,
		&(struct run_event){.kind = RUN_EVENT_UNDO,
			.task = task,
			.undo = state,
			.attempt = engine->memory[task].undo_tries,
			.text = text,
			.next = next});
}

static void settle(struct engine *engine, uint32_t task, enum undo_state state)
{
	engine->memory[task].undo = (uint8_t)state;
	journal_set_task_undo(engine->journal, task, state);
	engine->results_wait = true;
}

void undoing_hold(struct engine *engine, uint32_t task)
{
	settle(engine, task, UNDO_HELD);
	tell(engine, task, UNDO_HELD, NULL, NULL);
}

/* Its arguments can be made: what they refer to is there. */
static int try_arguments(struct attempt *attempt, struct error *err)
{
	struct value ignored;

	return has_rollback(attempt->detail)
		? attempt_resolve(attempt, &attempt->detail->task->args, &ignored, err)
		: 0;
}

int undoing_prepare(struct engine *engine, uint32_t task, struct error *err)
{
	const struct plan_detail *detail = undo_detail(engine, task);
	bool needs_worker = detail->task->instance != NULL;

	if (!detail->task->action)
		return error_set(err, -ENOENT, "install the plugin",
			"there is no plugin that could undo \"%s\"", detail->name);
	struct attempt *attempt = attempt_new(engine, task, 0, engine_slot(engine, 1));
	attempt->kind = ATTEMPT_UNDO;
	attempt_bind(attempt, detail);
	int r = named_fetch(detail->task, &engine->secrets, err);
	if (r == 0)
		r = try_arguments(attempt, err);
	if (r == 0 && needs_worker)
		r = action_prepare(attempt, err);
	attempt_drop(attempt);
	return r < 0 ? r : needs_worker;
}

static void close_record(struct engine *engine, struct undo_record *record)
{
	undo_record_set(record, JOURNAL_UNDO_DONE, NULL);
	journal_set_undo(engine->journal, record->row.id, JOURNAL_UNDO_DONE, NULL);
	undo_copy_close(engine->setup->run_dir, record->row.id);
}

/* They are put back, one by one or by the task's rollback. */
static void close_records(struct engine *engine, uint32_t task)
{
	struct undo_record *record = engine->memory[task].records;

	for (; (record = undo_records_live(record)); record = record->older)
		close_record(engine, record);
}

/* It ends for good. */
static void finish(struct engine *engine, struct undoing *undoing, enum undo_state state)
{
	uint32_t task = undoing->task;

	undoing_remove(engine, undoing);
	if (state == UNDO_UNDONE && !engine->guardian)
		close_records(engine, task);
	settle(engine, task, state);
	if (engine->guardian)
		guardian_undone(engine, state);
	engine_event(engine, &(struct event){.kind = EVENT_UNDONE, .task = task, .undo = state});
}

/* ---- a try ---- */

static void put_try(struct engine *engine, const struct attempt *attempt, enum undo_state state)
{
	char log[JOURNAL_PATH_SIZE];
	struct journal_undoing row = {
		.task = attempt->task,
		.number = attempt->number,
		.state = state,
		.started_ms = attempt->started_wall_ms,
		.ended_ms = state == UNDO_UNDOING ? 0 : clock_wall_ms(),
		.exit_code = attempt->exit_code,
		.message = attempt->message,
		.next = attempt->next_step,
		.log_bytes = log_bytes(&attempt->log),
	};

	if (row.log_bytes) {
		journal_undo_log_path(log, engine->setup->id, attempt->task, attempt->number);
		row.log = log;
	}
	journal_put_undoing(engine->journal, &row);
}

/* It says so in its log alone: of the journal it has only read. */
void undoing_by_guard(struct engine *engine, uint32_t task, enum undo_state state)
{
	struct task_memory *memory = &engine->memory[task];
	char log[JOURNAL_PATH_SIZE];
	struct stat st;
	struct journal_undoing row = {.task = task,
		.number = ++memory->undo_tries,
		.state = state,
		.started_ms = clock_wall_ms(),
		.ended_ms = clock_wall_ms(),
		.exit_code = -1,
		.message = state == UNDO_FAILED ? "the guard could not undo it" : NULL};

	journal_undo_log_path(log, engine->setup->id, task, row.number);
	if (fstatat(engine->setup->run_dir, strrchr(log, '/') + 1, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		row.log = log;
		row.log_bytes = (uint64_t)st.st_size;
	}
	journal_put_undoing(engine->journal, &row);
	if (state == UNDO_UNDONE)
		close_records(engine, task);
	settle(engine, task, state);
	if (engine->running) /* else an earlier run, of which nothing has been told yet */
		tell(engine, task, state, row.message, NULL);
}

static void try_undo(struct engine *engine, struct undoing *undoing)
{
	struct task_memory *memory = &engine->memory[undoing->task];
	struct slot *slot = engine_slot(engine, 1);
	struct attempt *attempt = attempt_new(engine, undoing->task, ++memory->undo_tries, slot);

	undoing->tries++;
	undoing->again_at_ms = INT64_MAX;
	undoing->attempt = attempt;
	attempt->kind = ATTEMPT_UNDO;
	attempt->changes = UPKEEP_CHANGES_RECORDED; /* its intent is synced */
	attempt->undoing = undoing;
	attempt->log.undo = true;
	attempt_bind(attempt, undoing->detail);
	if (!has_rollback(undoing->detail))
		attempt->record = undo_records_live(memory->records);
	put_try(engine, attempt, UNDO_UNDOING);
	settle(engine, undoing->task, UNDO_UNDOING);
	vec_push(&engine->starting, attempt);
	tell(engine, undoing->task, UNDO_UNDOING, NULL, NULL);
}

/* A missing plugin, or one of another major: a person has the record to go by. */
static void refuse(struct engine *engine, struct undoing *undoing)
{
	const struct undo_record *record = undo_records_live(engine->memory[undoing->task].records);
	const struct instance *instance = undoing->detail->task->instance;
	CLEANUP_TEXT struct text why = {0};

	text_addf(&why, "%s: the plugin \"%s\" is not here, or does not fit", undoing->detail->name,
		instance ? instance->plugin : "core");
	if (record)
		text_addf(&why, "; its record %llu: %s", (unsigned long long)record->row.id,
			record->row.about && *record->row.about ? record->row.about
								: record->row.payload);
	engine_warn(engine, undoing->task, text_string(&why));
	tell(engine, undoing->task, UNDO_HELD, text_string(&why),
		"install the plugin, then upkeep rollback RUN");
	finish(engine, undoing, UNDO_HELD);
}

void undoing_begin(struct engine *engine, uint32_t task)
{
	struct undoing *undoing = base_alloc(sizeof *undoing);

	*undoing = (struct undoing){
		.task = task, .detail = undo_detail(engine, task), .again_at_ms = INT64_MAX};
	vec_push(&engine->undoings, undoing);
	if (!undoing_is_possible(
		    engine, task)) /* its records were dropped, or all put back before */
		finish(engine, undoing, UNDO_UNDONE);
	else if (!undoing->detail->task->action)
		refuse(engine, undoing);
	else
		try_undo(engine, undoing);
}

bool undoing_next_record(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	struct undo_record *record = attempt->record;

	close_record(engine, record);
	engine->results_wait = true;
	attempt->record = undo_records_live(record);
	return attempt->record != NULL;
}

/* ---- its end ---- */

static int64_t delay_ms(const struct retry *retry, uint32_t tries)
{
	double delay = (double)retry->delay_ms;

	for (uint32_t i = 1; i < tries; i++)
		delay *= retry->backoff;
	return retry->max_delay_ms && delay > (double)retry->max_delay_ms ? retry->max_delay_ms
									  : (int64_t)delay;
}

void undoing_ended(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	struct undoing *undoing = attempt->undoing;
	const struct retry *retry = &undoing->detail->task->options->rollback_retry;
	enum undo_state state = attempt->state == TASK_SUCCEEDED ? UNDO_UNDONE
		: attempt->state == TASK_CANCELLED               ? UNDO_HELD
								 : UNDO_FAILED;
	bool again = state == UNDO_FAILED && attempt->reason != REASON_PERSON &&
		undoing->tries < retry->attempts && !engine->broken;

	undoing->attempt = NULL;
	put_try(engine, attempt, state);
	engine->results_wait = true;
	if (again)
		undoing->again_at_ms = engine->now_ms + delay_ms(retry, undoing->tries);
	tell(engine, undoing->task, again ? UNDO_TODO : state, attempt->message,
		attempt->next_step);
	if (state == UNDO_FAILED && !again && !engine->undo_cause)
		engine->undo_cause = arena_printf(&engine->arena, "undo of task \"%s\": %s",
			undoing->detail->name, attempt->message ? attempt->message : "failed");
	if (!again)
		finish(engine, undoing, state);
}

void undoing_stop(struct engine *engine, uint32_t task)
{
	struct undoing *undoing = undoing_of(engine, task);

	if (undoing && undoing->attempt)
		attempt_cancel(undoing->attempt, true);
	else if (undoing)
		finish(engine, undoing, UNDO_HELD);
}

void undoing_time(struct engine *engine)
{
	for (size_t i = 0; i < engine->undoings.count; i++) {
		struct undoing *undoing = engine->undoings.items[i];
		if (undoing->again_at_ms <= engine->now_ms)
			try_undo(engine, undoing);
	}
}

int64_t undoing_next_ms(const struct engine *engine)
{
	int64_t next_ms = INT64_MAX;

	vec_each(&engine->undoings, u)
		if ((*u)->again_at_ms < next_ms)
			next_ms = (*u)->again_at_ms;
	return next_ms;
}

void undoing_free(struct engine *engine)
{
	vec_each(&engine->undoings, u)
		free(*u);
	vec_free(&engine->undoings);
	for (uint32_t i = 0; i < engine->plan->task_count; i++)
		undo_records_free(&engine->memory[i].records);
}
