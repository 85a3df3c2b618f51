/* SPDX-License-Identifier: MIT */
#include "report/human.h"
#include "report/inside.h"
#include "report/next.h"
#include "report/table.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "journal/journal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define TAIL_LINES 10
#define TAIL_BYTES 16384
#define LEFT_LINES 20

static json_t *task_json(struct report *report, uint32_t task)
{
	const struct report_state *state = &report->tasks[task];
	json_t *json = json_pack("{s:s, s:s, s:i, s:I, s:i}", "task", report->options.names[task],
		"state", task_state_name(state->state), "attempt", (int)state->attempt,
		"duration_ms", (json_int_t)state->duration_ms, "exit_code", state->exit_code);

	if (state->undo != UNDO_NOTHING)
		json_object_set_new(json, "undo", json_string(undo_state_name(state->undo)));
	if (state->undo_message)
		json_object_set_new(json, "undo_message", json_text(state->undo_message));
	if (state->reason != REASON_NONE)
		json_object_set_new(json, "reason", json_string(task_reason_name(state->reason)));
	if (state->message)
		json_object_set_new(json, "message", json_text(state->message));
	CLEANUP_FREE char *next = next_string(state->next, report->options.given, report->run_id);
	if (next)
		json_object_set_new(json, "next", json_text(next));
	return json;
}

/* `state` may be no state of a run: "skipped", "busy", "refused". */
static json_t *run_json(
	struct report *report, const char *state, enum exit_code code, int64_t duration_ms)
{
	json_t *tasks = json_array(), *warnings = json_array();

	for (uint32_t i = 0; i < report->options.task_count; i++)
		json_array_append_new(tasks, task_json(report, i));
	vec_each(&report->warnings, warning)
		json_array_append_new(warnings, json_text(*warning));
	return json_pack("{s:s, s:s, s:s, s:i, s:I, s:o, s:O, s:o}", "run", report->run_id, "graph",
		report->options.graph, "state", state, "exit_code", (int)code, "duration_ms",
		(json_int_t)duration_ms, "tasks", tasks, "tables", report->tables, "warnings",
		warnings);
}

static void json_print(json_t *json, struct text *out)
{
	CLEANUP_FREE char *dump = json_dumps(json, JSON_INDENT(2));

	json_decref(json);
	text_adds(out, dump ? dump : "{}");
	text_addc(out, '\n');
}

void finish_json(struct report *report, enum run_state state, enum exit_code code,
	int64_t duration_ms, struct text *out)
{
	json_t *json = run_json(report, run_state_name(state), code, duration_ms);

	if (report->cause)
		json_object_set_new(json, "cause", json_text(report->cause));
	json_print(json, out);
}

static const char *refusal_name(enum exit_code code)
{
	switch (code) {
	case EXIT_OK:
		return "skipped";
	case EXIT_BUSY:
		return "busy";
	case EXIT_INTERNAL:
		return run_state_name(RUN_INTERRUPTED);
	default:
		return "refused";
	}
}

void finish_refused(struct report *report, enum exit_code code, const char *why, const char *next,
	struct text *out)
{
	CLEANUP_FREE char *typed = next_string(next, report->options.given, NULL);
	json_t *json = run_json(report, refusal_name(code), code, 0);

	json_object_set_new(json, "message", json_text(why));
	if (typed)
		json_object_set_new(json, "next", json_text(typed));
	json_print(json, out);
}

void finish_summary(
	struct report *report, enum run_state state, int64_t duration_ms, struct text *out)
{
	uint32_t counts[TASK_UNKNOWN + 1] = {0};
	char duration[HUMAN_SIZE], warnings[32];

	rows_print(report->tables, out);
	if (json_object_size(report->tables))
		text_addc(out, '\n');
	for (uint32_t i = 0; i < report->options.task_count; i++)
		counts[report->tasks[i].state]++;
	text_addf(out, "%s in %s", run_state_name(state), human_duration(duration, duration_ms));
	const char *comma = ":";
	for (unsigned i = TASK_SUCCEEDED; i <= TASK_UNKNOWN; i++)
		if (counts[i]) {
			text_addf(out, "%s %u %s", comma, counts[i], task_state_name(i));
			comma = ",";
		}
	if (report->warnings.count)
		text_addf(out, "%s %s", comma,
			text_count(warnings, sizeof warnings, report->warnings.count, "warning"));
	text_addc(out, '\n');
}

static size_t tail_begin(const char *bytes, size_t size, unsigned lines)
{
	size_t at = size;

	if (at && bytes[at - 1] == '\n')
		at--;
	for (; at > 0; at--)
		if (bytes[at - 1] == '\n' && --lines == 0)
			break;
	return at;
}

bool report_tail(const char *path, unsigned lines, const char *indent, struct text *out)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char bytes[TAIL_BYTES + 1];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	off_t from = st.st_size > TAIL_BYTES ? st.st_size - TAIL_BYTES : 0;
	ssize_t size = pread(fd, bytes, TAIL_BYTES, from);
	if (size <= 0)
		return size == 0;
	bytes[size] = 0;
	char *rest = bytes + tail_begin(bytes, (size_t)size, lines), *line;
	while ((line = strsep(&rest, "\n")) && (*line || rest)) {
		text_adds(out, indent);
		text_add_visible(out, line, strlen(line));
		text_addc(out, '\n');
	}
	return true;
}

static void next_print(const struct report *report, const struct next_run *run, struct text *out)
{
	CLEANUP_TEXT struct text next = {0};

	next_after(run, &next);
	text_adds(out, "next: ");
	next_add(out, text_string(&next), report->options.given, report->run_id);
	text_addc(out, '\n');
}

static const char *left_why(enum undo_state state)
{
	switch (state) {
	case UNDO_IRREVERSIBLE:
		return "cannot be undone";
	case UNDO_FAILED:
		return "its undo failed";
	case UNDO_HELD:
		return "held: its undo was not tried";
	case UNDO_TODO:
	case UNDO_UNDOING:
		return "can be undone, and was not";
	default:
		return NULL;
	}
}

/* What remains of the run, a line a task. */
static void left_print(const struct report *report, struct text *out)
{
	unsigned shown = 0, count = 0;

	for (uint32_t i = 0; i < report->options.task_count; i++) {
		const struct report_state *state = &report->tasks[i];
		const char *why = left_why(state->undo);
		if (!why || shown++ >= LEFT_LINES) {
			count += why != NULL;
			continue;
		}
		text_addf(out, "left: %s (%s)", report->options.names[i], why);
		if (state->undo == UNDO_FAILED && state->undo_message)
			text_addf(out, ": %s", state->undo_message);
		text_addc(out, '\n');
	}
	if (count)
		text_addf(out, "left: %u more tasks\n", count);
}

/* Verdict, failed task, its last lines, what remains, the next command to type. */
void finish_failure(struct report *report, enum run_state state, struct text *out)
{
	struct next_run next = {.state = state, .next = report->next, .look = true};
	char below[JOURNAL_PATH_SIZE];
	CLEANUP_TEXT struct text path = {0};
	uint32_t task = report->failed_task;

	text_addf(out, "%s: run %s %s\n", report->options.graph, report->run_id,
		run_state_name(state));
	if (task == UINT32_MAX) {
		if (report->cause)
			text_addf(out, "%s\n", report->cause);
		left_print(report, out);
		next_print(report, &next, out);
		return;
	}
	const struct report_state *failed = &report->tasks[task];
	text_addf(out, "task %s %s", report->options.names[task], task_state_name(failed->state));
	if (failed->reason != REASON_NONE)
		text_addf(out, " (%s)", task_reason_name(failed->reason));
	text_addf(
		out, "%s%s\n", failed->message ? ": " : "", failed->message ? failed->message : "");
	if (report->cause && !failed->message)
		text_addf(out, "%s\n", report->cause);
	journal_log_path(below, report->run_id, task, failed->attempt);
	text_addf(&path, "%s/%s", report->options.state_dir, below);
	report_tail(text_string(&path), TAIL_LINES, "    ", out);
	left_print(report, out);
	next.task = report->options.names[task];
	next.task_next = failed->next;
	next.task_held = failed->undo == UNDO_HELD;
	next_print(report, &next, out);
}
