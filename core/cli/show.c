/* SPDX-License-Identifier: MIT */
#include "cli/load.h"
#include "cli/undone.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "report/human.h"
#include "report/next.h"
#include "report/table.h"

#include <string.h>

/* A task that failed, and did not succeed since. */
struct failed {
	uint32_t index;
	int64_t ended_ms;
	bool held;
	char *name, *next;
};
struct shown {
	const struct cli *cli;
	json_t *json;
	struct table table;
	struct text head;
	struct undone undo;
	struct next_run next;
	VEC(struct failed) failed;
	char *said, *typed; /* what the run says to type next; what there is to type */
	char id[RUN_ID_SIZE];
	bool interrupted, undoable; /* undoable: some task has something to undo */
	bool has_failed;
};

/* What to type, or NULL. */
static char *next_typed(const struct cli *cli, const struct next_run *run, const char *id)
{
	CLEANUP_TEXT struct text next = {0};

	next_after(run, &next);
	return next.size ? cli_next(cli, text_string(&next), id) : NULL;
}

json_t *run_json(const struct cli *cli, const struct journal_run *run)
{
	const struct next_run known = {
		.state = run->state, .next = run->next, .look = run->exit_code > 0};
	CLEANUP_FREE char *next = next_typed(cli, &known, run->id);

	return json_pack("{s:s, s:s, s:s, s:i, s:I, s:I, s:i, s:i, s:i, s:o, s:o}", "run", run->id,
		"graph", run->graph, "state", run_state_name(run->state), "exit_code",
		run->exit_code, "started_ms", (json_int_t)run->started_ms, "ended_ms",
		(json_int_t)run->ended_ms, "task_count", (int)run->task_count, "warning_count",
		(int)run->warnings, "uid", (int)run->uid, "cause", json_text(run->cause), "next",
		json_text(next));
}

static int run_read(void *data, const struct journal_run *run)
{
	struct shown *shown = data;
	char buffer[HUMAN_SIZE];

	memcpy(shown->id, run->id, sizeof shown->id);
	shown->interrupted = shown->undo.interrupted = run->state == RUN_INTERRUPTED;
	shown->json = run_json(shown->cli, run);
	shown->said = run->next ? base_string(run->next) : NULL;
	shown->next = (struct next_run){.state = run->state, .next = shown->said};
	shown->has_failed = run->exit_code > 0;
	text_addf(&shown->head, "run %s of %s: %s\nstarted %s", run->id, run->graph,
		run_state_name(run->state), human_time(buffer, run->started_ms));
	if (run->ended_ms)
		text_addf(&shown->head, ", took %s",
			human_duration(buffer, run->ended_ms - run->started_ms));
	text_addc(&shown->head, '\n');
	if (run->cause)
		text_addf(&shown->head, "%s\n", run->cause);
	return 0;
}

static json_t *task_json(const struct shown *shown, const struct journal_task *task)
{
	CLEANUP_FREE char *next = cli_next(shown->cli, task->next, shown->id);

	return json_pack(
		"{s:s, s:s, s:i, s:s, s:s, s:s, s:I, s:I, s:i, s:b, s:I, s:I, s:o, s:o, s:s?}",
		"task", task->name, "action", task->action, "attempt", (int)task->attempt, "state",
		task_state_name(task->state), "reason", task_reason_name(task->reason), "undo",
		undo_state_name(task->undo), "started_ms", (json_int_t)task->started_ms, "ended_ms",
		(json_int_t)task->ended_ms, "exit_code", task->exit_code, "changed",
		(int)task->changed, "cpu_ms", (json_int_t)task->cpu_ms, "peak_memory_bytes",
		(json_int_t)task->peak_memory_bytes, "message", json_text(task->message), "next",
		json_text(next), "log", task->log);
}

static void failed_pop(struct shown *shown)
{
	struct failed *last = &shown->failed.items[--shown->failed.count];

	free(last->name);
	free(last->next);
}

/* Of the attempts of a task the last one counts; they come one after the other. */
static void failed_note(struct shown *shown, const struct journal_task *task)
{
	size_t count = shown->failed.count;

	if (count && shown->failed.items[count - 1].index == task->index)
		failed_pop(shown);
	if (task->state != TASK_FAILED && task->state != TASK_UNKNOWN &&
		task->reason != REASON_TIMEOUT)
		return;
	*vec_add(&shown->failed) = (struct failed){.index = task->index,
		.ended_ms = task->ended_ms,
		.held = task->undo == UNDO_HELD,
		.name = base_string(task->name),
		.next = task->next ? base_string(task->next) : NULL};
}

static int task_read(void *data, const struct journal_task *read)
{
	struct shown *shown = data;
	struct journal_task copy = *read, *task = &copy;
	char buffer[HUMAN_SIZE];

	if (shown->interrupted && task->state == TASK_RUNNING)
		task->state = TASK_UNKNOWN;
	if (shown->interrupted && task->undo == UNDO_UNDOING)
		task->undo = UNDO_TODO;
	undone_name(&shown->undo, task);
	failed_note(shown, task);
	json_array_append_new(json_object_get(shown->json, "tasks"), task_json(shown, task));
	table_add(&shown->table, task->name);
	table_add(&shown->table, task_state_name(task->state));
	if (shown->undoable)
		table_add(&shown->table,
			task->undo == UNDO_NOTHING ? NULL : undo_state_name(task->undo));
	snprintf(buffer, sizeof buffer, "%u", task->attempt);
	table_add(&shown->table, buffer);
	table_add(&shown->table,
		task->started_ms && task->ended_ms
			? human_duration(buffer, task->ended_ms - task->started_ms)
			: NULL);
	table_add(&shown->table, task->log_bytes ? human_bytes(buffer, task->log_bytes) : NULL);
	table_add(&shown->table, task->message ? task->message : task_reason_name(task->reason));
	return 0;
}

static int output_read(void *data, uint32_t task, const char *name, const char *value)
{
	struct shown *shown = data;

	json_array_append_new(json_object_get(shown->json, "outputs"),
		json_pack("{s:s, s:s, s:o}", "task", undone_task(&shown->undo, task), "name", name,
			"value", json_text(value)));
	return 0;
}

static int row_read(void *data, uint32_t task, const char *table, const char *cells)
{
	struct shown *shown = data;

	(void)task;
	rows_add(json_object_get(shown->json, "tables"), table, cells);
	return 0;
}

static int warning_read(void *data, uint32_t task, const char *text)
{
	struct shown *shown = data;

	(void)task;
	json_array_append_new(json_object_get(shown->json, "warnings"), json_text(text));
	return 0;
}

/* As the end of the run said it, which the first failed task may have done. */
static void next_find(struct shown *shown)
{
	const struct failed *first = NULL;

	vec_each(&shown->failed, failed)
		if (!first || failed->ended_ms < first->ended_ms)
			first = failed;
	if (first && shown->has_failed) {
		shown->next.task = first->name;
		shown->next.task_next = first->next;
		shown->next.task_held = first->held;
	}
	shown->typed = next_typed(shown->cli, &shown->next, shown->id);
	json_object_set_new(shown->json, "next", json_text(shown->typed));
}

static int shown_read(struct journal *journal, const char *state_dir, const char *id,
	struct shown *shown, struct error *err)
{
	int r = run_seen(journal, state_dir, id, run_read, shown, err);

	if (r < 0 || !shown->json)
		return r < 0 ? r : error_set(err, -ENOENT, NULL, "run %s is gone", id);
	json_object_set_new(shown->json, "tasks", json_array());
	json_object_set_new(shown->json, "outputs", json_array());
	json_object_set_new(shown->json, "tables", json_object());
	json_object_set_new(shown->json, "warnings", json_array());
	r = undone_any(journal, id, err);
	if (r < 0)
		return r;
	shown->undoable = r;
	table_begin(&shown->table,
		r ? "task|state|undo|>attempt|>took|>output|message"
		  : "task|state|>attempt|>took|>output|message");
	r = journal_tasks(journal, id, task_read, shown, err);
	next_find(shown);
	if (r == 0)
		r = journal_outputs(journal, id, output_read, shown, err);
	if (r == 0)
		r = journal_rows(journal, id, row_read, shown, err);
	if (r == 0)
		r = undone_read(&shown->undo, journal, err);
	undone_json(&shown->undo, shown->json);
	return r == 0 ? journal_warnings(journal, id, warning_read, shown, err) : r;
}

static void failed_print(const struct shown *shown, struct text *out)
{
	vec_each(&shown->failed, failed) {
		CLEANUP_FREE char *next = cli_next(shown->cli, failed->next, shown->id);
		if (next && !text_equal(next, shown->typed))
			text_addf(out, "task %s, next: %s\n", failed->name, next);
	}
}

static void shown_print(const struct shown *shown)
{
	struct text text = {0};
	json_t *warning;
	size_t i;

	text_adds(&text, text_string(&shown->head));
	if (shown->typed)
		text_addf(&text, "next: %s\n", shown->typed);
	text_addc(&text, '\n');
	table_print(&shown->table, &text);
	failed_print(shown, &text);
	undone_print(&shown->undo, &text);
	rows_print(json_object_get(shown->json, "tables"), &text);
	json_array_foreach(json_object_get(shown->json, "warnings"), i, warning)
		text_addf(&text, "warning: %s\n", json_string_value(warning));
	cli_print_text(&text);
}

int command_show(struct cli *cli)
{
	CLEANUP_ERROR struct error err = {0};
	CLEANUP_FREE char *state_dir = NULL;
	struct journal *journal = NULL;
	struct shown shown = {.cli = cli};
	char id[RUN_ID_SIZE];
	int code = run_load(cli, &state_dir, &journal, id);

	undone_begin(&shown.undo, cli, id);
	if (!code && shown_read(journal, state_dir, id, &shown, &err) < 0)
		code = cli_fail(cli, EXIT_JOURNAL, &err);
	if (!code && cli->options.json)
		cli_print_json(json_incref(shown.json));
	else if (!code)
		shown_print(&shown);
	json_decref(shown.json);
	while (shown.failed.count)
		failed_pop(&shown);
	vec_free(&shown.failed);
	free(shown.said);
	free(shown.typed);
	text_free(&shown.head);
	table_free(&shown.table);
	undone_free(&shown.undo);
	journal_close(journal);
	return code;
}
