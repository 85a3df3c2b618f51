/* SPDX-License-Identifier: MIT */
#include "report/inside.h"

#include "base/file.h"
#include "report/human.h"
#include "report/next.h"
#include "report/table.h"

#include <stdlib.h>
#include <string.h>

#define COLOR_END "\033[0m"

struct report *report_new(const struct report_options *options)
{
	struct report *report = base_alloc(sizeof *report);

	report->options = *options;
	report->tasks = base_alloc((options->task_count + 1) * sizeof *report->tasks);
	report->tables = json_object();
	report->failed_task = report->stuck_task = UINT32_MAX;
	return report;
}

const char *report_color(const struct report *report, enum task_state state)
{
	if (!report->options.color)
		return "";
	switch (state) {
	case TASK_SUCCEEDED:
		return "\033[32m";
	case TASK_FAILED:
	case TASK_UNKNOWN:
		return "\033[31m";
	case TASK_CANCELLED:
		return "\033[33m";
	default:
		return "\033[2m";
	}
}

void report_print(struct report *report, const struct text *text)
{
	CLEANUP_TEXT struct text out = {0};

	live_erase(report, &out);
	text_add(&out, text_string(text), text->size);
	if (report->options.terminal)
		live_draw(report, &out);
	file_write(report->options.fd, text_string(&out), out.size);
}

static bool is_silent(const struct report *report)
{
	return report->options.quiet || report->options.json;
}

void report_begin(struct report *report, const char *run_id)
{
	CLEANUP_TEXT struct text line = {0};
	char tasks[32];

	snprintf(report->run_id, sizeof report->run_id, "%s", run_id ? run_id : "");
	if (is_silent(report) || !*report->run_id)
		return;
	text_addf(&line, "run %s of %s: %s\n", report->run_id, report->options.graph,
		text_count(tasks, sizeof tasks, report->options.task_count, "task"));
	report_print(report, &line);
}

static void running_update(struct report *report, uint32_t task, bool runs)
{
	size_t at = 0;

	while (at < report->running.count && report->running.items[at] != task)
		at++;
	if (runs && at == report->running.count) {
		vec_push(&report->running, task);
	} else if (!runs && at < report->running.count) {
		memmove(report->running.items + at, report->running.items + at + 1,
			(report->running.count - at - 1) * sizeof(uint32_t));
		report->running.count--;
	}
}

static void task_line(struct report *report, uint32_t task, struct text *out)
{
	const struct report_state *state = &report->tasks[task];
	char duration[HUMAN_SIZE];
	const char *color = report_color(report, state->state);

	text_addf(out, "%s%-9s%s %s", color, task_state_name(state->state), *color ? COLOR_END : "",
		report->options.names[task]);
	if (state->state != TASK_SKIPPED)
		text_addf(out, "  %s", human_duration(duration, state->duration_ms));
	if (state->attempt > 1)
		text_addf(out, "  attempt %u", state->attempt);
	if (state->reason != REASON_NONE)
		text_addf(out, "  (%s)", task_reason_name(state->reason));
	if (state->message && *state->message) {
		text_adds(out, "  ");
		text_add_visible(out, state->message, strlen(state->message));
	}
	text_addc(out, '\n');
}

static void text_keep(char **kept, const char *text)
{
	if (!text)
		return;
	free(*kept);
	*kept = base_string(text);
}

static bool is_to_blame(const struct report_state *state)
{
	return state->state == TASK_FAILED || state->state == TASK_UNKNOWN ||
		state->reason == REASON_TIMEOUT;
}

static void state_take(struct report *report, const struct report_task *task)
{
	struct report_state *state = &report->tasks[task->index];
	bool was_over = state->state >= TASK_SUCCEEDED, is_over = task->state >= TASK_SUCCEEDED;

	report->finished += is_over;
	report->finished -= was_over;
	state->state = task->state;
	state->reason = task->reason;
	state->attempt = task->attempt;
	state->exit_code = task->exit_code;
	state->duration_ms = task->duration_ms;
	state->undo = task->undo;
	text_keep(&state->message, task->message);
	text_keep(&state->next, task->next);
	if (is_to_blame(state) && report->failed_task == UINT32_MAX)
		report->failed_task = task->index;
}

/* The first that failed; where it has succeeded since, another one. */
static void blame(struct report *report)
{
	if (report->failed_task == UINT32_MAX || is_to_blame(&report->tasks[report->failed_task]))
		return;
	report->failed_task = UINT32_MAX;
	for (uint32_t i = report->options.task_count; i-- > 0;)
		if (is_to_blame(&report->tasks[i]))
			report->failed_task = i;
}

void report_known(struct report *report, const struct report_task *task)
{
	state_take(report, task);
}

void report_cause(struct report *report, const char *cause, const char *next)
{
	text_keep(&report->cause, cause);
	text_keep(&report->next, next);
}

void report_task(struct report *report, const struct report_task *task, int64_t now_ms)
{
	struct report_state *state = &report->tasks[task->index];
	bool ended = task->state >= TASK_SUCCEEDED;

	state_take(report, task);
	if (task->state == TASK_RUNNING) {
		state->begun_ms = now_ms;
		state->confirm_until_ms = 0;
	}
	report->now_ms = now_ms;
	running_update(report, task->index, task->state == TASK_RUNNING);
	if (ended && !is_silent(report)) {
		CLEANUP_TEXT struct text line = {0};

		task_line(report, task->index, &line);
		report_print(report, &line);
	}
}

void report_confirm(struct report *report, uint32_t task, int64_t left_ms, const char *next)
{
	CLEANUP_TEXT struct text line = {0};
	char duration[HUMAN_SIZE];

	report->tasks[task].confirm_until_ms = report->now_ms + left_ms;
	text_addf(&line, "%-9s %s  is put back in %s unless you type: ", "waiting",
		report->options.names[task], human_duration(duration, left_ms));
	next_add(&line, next, report->options.given, report->run_id);
	text_addc(&line, '\n');
	if (!is_silent(report))
		report_print(report, &line);
}

void report_turn(struct report *report)
{
	CLEANUP_TEXT struct text line = {0};

	text_addf(&line, "%srolling back%s\n", report->options.color ? "\033[33m" : "",
		report->options.color ? COLOR_END : "");
	if (!is_silent(report))
		report_print(report, &line);
}

static void undo_line(struct report *report, uint32_t task, uint32_t number, const char *message,
	struct text *out)
{
	enum undo_state state = report->tasks[task].undo;

	text_addf(out, "%-9s %s", state == UNDO_TODO ? "undo" : undo_state_name(state),
		report->options.names[task]);
	if (number > 1)
		text_addf(out, "  try %u", number);
	if (message && *message) {
		text_adds(out, "  ");
		text_add_visible(out, message, strlen(message));
	}
	text_adds(out, state == UNDO_TODO ? "  (tried again)\n" : "\n");
}

void report_undo(struct report *report, uint32_t task, enum undo_state state, uint32_t number,
	const char *message, const char *next)
{
	struct report_state *known = &report->tasks[task];
	CLEANUP_TEXT struct text line = {0};

	known->undo = state;
	text_keep(&known->undo_message, message);
	running_update(report, task, state == UNDO_UNDOING);
	if (state == UNDO_FAILED && report->stuck_task == UINT32_MAX) {
		report->stuck_task = task;
		text_keep(&known->next, next);
	}
	if (state == UNDO_UNDOING || is_silent(report))
		return;
	undo_line(report, task, number, message, &line);
	report_print(report, &line);
}

void report_progress(struct report *report, uint32_t task, uint64_t done, uint64_t total,
	const char *unit, int64_t now_ms)
{
	struct report_state *state = &report->tasks[task];

	state->done = done;
	state->total = total;
	report->now_ms = now_ms;
	text_keep(&state->unit, unit);
}

void report_line(struct report *report, uint32_t task, const char *line)
{
	CLEANUP_TEXT struct text out = {0};

	if (is_silent(report))
		return;
	text_addf(&out, "%s: ", report->options.names[task]);
	text_add_visible(&out, line, strlen(line));
	text_addc(&out, '\n');
	report_print(report, &out);
}

void report_warning(struct report *report, uint32_t task, const char *text)
{
	CLEANUP_TEXT struct text out = {0};
	bool known = task < report->options.task_count;

	text_addf(&out, "%s%s", known ? report->options.names[task] : "", known ? ": " : "");
	text_add_visible(&out, text, strlen(text));
	vec_push(&report->warnings, base_string(text_string(&out)));
	if (is_silent(report))
		return;
	CLEANUP_TEXT struct text line = {0};
	text_addf(&line, "warning   %s\n", text_string(&out));
	report_print(report, &line);
}

void report_row(struct report *report, const char *table, const char *cells)
{
	rows_add(report->tables, table, cells);
}

void report_tick(struct report *report, int64_t now_ms)
{
	CLEANUP_TEXT struct text nothing = {0};

	report->now_ms = now_ms;
	if (report->options.terminal && !is_silent(report))
		report_print(report, &nothing);
}

void report_end(
	struct report *report, enum run_state state, enum exit_code code, int64_t duration_ms)
{
	CLEANUP_TEXT struct text out = {0};

	if (report->options.back_is_success &&
		(code == EXIT_ROLLED_BACK || code == EXIT_NOT_CONFIRMED))
		code = EXIT_OK;
	blame(report);
	live_erase(report, &out);
	report->running.count = 0;
	if (report->options.json)
		finish_json(report, state, code, duration_ms, &out);
	else if (!report->options.quiet)
		finish_summary(report, state, duration_ms, &out);
	if (!report->options.json && code != EXIT_OK && code != EXIT_PLAN_CHANGES)
		finish_failure(report, state, &out);
	file_write(report->options.fd, text_string(&out), out.size);
}

void report_refused(struct report *report, enum exit_code code, const char *why, const char *next)
{
	CLEANUP_TEXT struct text out = {0};

	if (!report->options.json)
		return;
	finish_refused(report, code, why, next, &out);
	file_write(report->options.fd, text_string(&out), out.size);
}

void report_free(struct report *report)
{
	for (uint32_t i = 0; i < report->options.task_count; i++) {
		free(report->tasks[i].unit);
		free(report->tasks[i].message);
		free(report->tasks[i].next);
		free(report->tasks[i].undo_message);
	}
	vec_each(&report->warnings, warning)
		free(*warning);
	vec_free(&report->warnings);
	vec_free(&report->running);
	json_decref(report->tables);
	free(report->cause);
	free(report->next);
	free(report->tasks);
	free(report);
}
