/* SPDX-License-Identifier: MIT */
#include "cli/foreseen.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

static void put(json_t *object, const char *key, const char *text)
{
	if (text && *text)
		json_object_set_new(object, key, told_text(text));
}

static json_t *would_json(const struct run_event *event)
{
	json_t *would = json_object();

	put(would, "do", event->text);
	put(would, "undo", event->next);
	put(would, "known_after", event->unknown);
	return would;
}

void foreseen_event(const struct told *told, const struct run_event *event)
{
	json_t *line = json_pack("{s:I}", "task", (json_int_t)event->task);

	if (event->kind == RUN_EVENT_WOULD) {
		json_object_set_new(line, "would", would_json(event));
	} else if (event->kind == RUN_EVENT_TOKEN) {
		json_object_set_new(line, "token", told_bytes(event->bytes, event->size));
	} else if (event->kind == RUN_EVENT_TASK && event->state >= TASK_SUCCEEDED) {
		put(line, "state", task_state_name(event->state));
		put(line, "message", event->text);
	} else if (event->kind == RUN_EVENT_END) {
		json_object_set_new(line, "end", json_true());
	} else {
		json_decref(line);
		return;
	}
	told_put(told, line);
}

/* True for the last line, the end. */
static bool line_take(json_t *tasks, json_t *line)
{
	json_t *task =
		json_array_get(tasks, (size_t)json_integer_value(json_object_get(line, "task")));
	json_t *would = json_object_get(line, "would");

	if (json_object_get(line, "end"))
		return true;
	if (would)
		json_array_append(json_object_get(task, "would"), would);
	json_object_del(line, "would");
	json_object_del(line, "task");
	json_object_update(task, line);
	return false;
}

int foreseen_take(
	const struct told *told, const struct plan *plan, json_t **ret_tasks, struct error *err)
{
	json_t *lines, *line, *tasks = json_array();
	bool whole = false;
	size_t i;

	int r = told_take(told, &lines, err);
	for (uint32_t t = 0; r == 0 && t < plan->task_count; t++)
		json_array_append_new(tasks,
			json_pack("{s:o, s:[]}", "task",
				told_text(plan->details[plan->tasks[t].detail].name), "would"));
	if (r == 0)
		json_array_foreach(lines, i, line)
			whole = line_take(tasks, line);
	if (r == 0)
		json_decref(lines);
	if (r == 0 && !whole)
		r = error_set(err, -EIO, NULL, "the tasks were not all asked what they would do");
	if (r == 0)
		*ret_tasks = tasks;
	else
		json_decref(tasks);
	return r;
}
