/* SPDX-License-Identifier: MIT */
#include "cli/build.h"
#include "cli/saved.h"
#include "report/human.h"
#include "run/run.h"

struct planned {
	json_t *tasks;    /* of --json, in the order of the plan */
	struct text text; /* for people */
	uint32_t last;    /* the task whose name was printed last */
};

static const char *task_name(const struct plan *plan, uint32_t task)
{
	return plan->details[plan->tasks[task].detail].name;
}

static void name_print(struct planned *planned, const struct plan *plan, uint32_t task)
{
	const struct plan_detail *detail = &plan->details[plan->tasks[task].detail];

	if (planned->last == task)
		return;
	const char *when = detail->task->options->when;
	text_addf(
		&planned->text, "%s%s%s\n", detail->name, when ? ", where " : "", when ? when : "");
	planned->last = task;
}

static bool cannot_be_undone(const struct plan_task *task, const struct run_event *event)
{
	return task->changes != UPKEEP_CHANGES_NONE &&
		(!event->unknown || !(task->flags & PLAN_CAN_UNDO));
}

static void would_told(
	struct planned *planned, const struct plan *plan, const struct run_event *event)
{
	json_t *task = json_array_get(planned->tasks, event->task);

	json_array_append_new(json_object_get(task, "would"),
		json_pack("{s:s, s:s?, s:s?}", "do", event->text, "undo", event->next,
			"known_after", event->unknown));
	name_print(planned, plan, event->task);
	text_addf(&planned->text, "    %s\n", event->text);
	if (event->next)
		text_addf(&planned->text, "        undo: %s\n", event->next);
	else if (cannot_be_undone(&plan->tasks[event->task], event))
		text_adds(&planned->text, "        cannot be undone\n");
	else if (plan->tasks[event->task].changes == UPKEEP_CHANGES_NONE)
		text_adds(&planned->text, "        changes nothing\n");
}

static void task_told(
	struct planned *planned, const struct plan *plan, const struct run_event *event)
{
	json_t *task = json_array_get(planned->tasks, event->task);

	if (event->state < TASK_SUCCEEDED)
		return;
	json_object_set_new(task, "state", json_string(task_state_name(event->state)));
	if (!event->text || !*event->text)
		return;
	json_object_set_new(task, "message", json_string(event->text));
	name_print(planned, plan, event->task);
	text_addf(&planned->text, "    %s\n", event->text);
}

static void event_told(void *data, const struct plan *plan, const struct run_event *event)
{
	if (event->kind == RUN_EVENT_WOULD)
		would_told(data, plan, event);
	else if (event->kind == RUN_EVENT_TASK)
		task_told(data, plan, event);
}

/* The engine is a child of ours, so what it is told is printed there, at its end. */
struct printing {
	struct planned planned;
	bool json, quiet;
	struct forecast forecast;
	struct saving saving;
};

static void forecast_print(const struct forecast *forecast, struct text *out)
{
	char wall[HUMAN_SIZE], work[HUMAN_SIZE];

	if (!forecast->work_ms)
		return;
	text_addf(out, "expected to take %s (%s of work)", human_duration(wall, forecast->wall_ms),
		human_duration(work, forecast->work_ms));
	if (forecast->unknown)
		text_addf(out, ", and what %u of %u tasks take that never ran", forecast->unknown,
			forecast->tasks);
	text_addc(out, '\n');
}

static void end_print(struct printing *printing, const struct plan *plan, enum exit_code code)
{
	struct planned *planned = &printing->planned;

	if (printing->json) {
		cli_print_json(json_pack("{s:s, s:i, s:I, s:I, s:i, s:O}", "graph",
			plan->graph->name, "exit_code", (int)code, "expected_ms",
			(json_int_t)printing->forecast.wall_ms, "work_ms",
			(json_int_t)printing->forecast.work_ms, "never_ran",
			(int)printing->forecast.unknown, "tasks", planned->tasks));
	} else if (!printing->quiet) {
		text_addf(&planned->text, "%s", code == EXIT_OK ? "nothing would change\n" : "");
		forecast_print(&printing->forecast, &planned->text);
		cli_print_text(&planned->text);
	}
	fflush(stdout);
}

static void event_all(void *data, const struct plan *plan, const struct run_event *event)
{
	struct printing *printing = data;

	saving_event(&printing->saving, event);
	if (event->kind == RUN_EVENT_END)
		end_print(printing, plan, event->code);
	else
		event_told(&printing->planned, plan, event);
}

static int plan_execute(const struct cli *cli, const struct plan *plan)
{
	CLEANUP_ERROR struct error err = {0};
	struct printing printing = {.planned = {.tasks = json_array(), .last = PLAN_NONE},
		.json = cli->options.json,
		.quiet = cli->options.quiet,
		.forecast = plan_forecast(plan, plan->site->jobs)};
	struct run_watcher watcher = {.event = event_all, .data = &printing};

	for (uint32_t i = 0; i < plan->task_count; i++)
		json_array_append_new(printing.planned.tasks,
			json_pack("{s:s, s:[]}", "task", task_name(plan, i), "would"));
	fflush(stdout);
	int code = saving_begin(cli, &printing.saving);
	struct run_options options = {
		.plan_only = true, .id = printing.saving.id, .watcher = &watcher};
	if (!code)
		code = saving_end(&printing.saving, cli, plan, run_execute(plan, &options, &err));
	if (err.what)
		cli_fail(cli, code, &err);
	json_decref(printing.planned.tasks);
	text_free(&printing.planned.text);
	return code;
}

int command_plan(struct cli *cli)
{
	CLEANUP_LOADED struct loaded loaded = {0};
	struct plan *plan = NULL;
	int code = site_load(cli, &loaded);

	if (!code)
		code = cli_build(cli, &loaded, &plan);
	if (code)
		return code;
	code = plan_execute(cli, plan);
	plan_free(plan);
	return code;
}
