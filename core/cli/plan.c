/* SPDX-License-Identifier: MIT */
#include "cli/build.h"
#include "cli/outlook.h"
#include "cli/saved.h"
#include "report/human.h"

/* The engine is a child of ours, so what it is told is printed there, at its end. */
struct printing {
	struct outlook *outlook;
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

static json_t *plan_json(
	const struct printing *printing, const struct plan *plan, enum exit_code code)
{
	static const char *const on_failure[] = {[ON_FAILURE_UNDO] = "undo",
		[ON_FAILURE_STOP] = "stop",
		[ON_FAILURE_CONTINUE] = "continue"};
	const struct forecast *forecast = &printing->forecast;

	return json_pack("{s:s, s:i, s:I, s:I, s:i, s:o, s:s, s:o, s:o}", "graph",
		plan->graph->name, "exit_code", (int)code, "expected_ms",
		(json_int_t)forecast->wall_ms, "work_ms", (json_int_t)forecast->work_ms,
		"never_ran", (int)forecast->unknown, "tasks", outlook_tasks(printing->outlook),
		"on_failure", on_failure[plan->on_failure], "undo",
		outlook_undo(printing->outlook, OUTLOOK_BEFORE_PIVOT), "undo_past_pivot",
		outlook_undo(printing->outlook, OUTLOOK_PAST_PIVOT));
}

static void end_print(const struct printing *printing, const struct plan *plan, enum exit_code code)
{
	struct text CLEANUP_TEXT text = {0};

	if (printing->json) {
		cli_print_json(plan_json(printing, plan, code));
	} else if (!printing->quiet) {
		outlook_print(printing->outlook, &text);
		text_addf(&text, "%s", code == EXIT_OK ? "nothing would change\n" : "");
		forecast_print(&printing->forecast, &text);
		cli_print_text(&text);
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
		outlook_event(printing->outlook, event);
}

static int plan_execute(const struct cli *cli, const struct plan *plan)
{
	CLEANUP_ERROR struct error err = {0};
	struct printing printing = {.outlook = outlook_new(plan),
		.json = cli->options.json,
		.quiet = cli->options.quiet,
		.forecast = plan_forecast(plan, plan->site->jobs)};
	struct run_watcher watcher = {.event = event_all, .data = &printing};

	fflush(stdout);
	int code = saving_begin(cli, &printing.saving);
	struct run_options options = {
		.plan_only = true, .id = printing.saving.id, .watcher = &watcher};
	if (!code)
		code = saving_end(&printing.saving, cli, plan, run_execute(plan, &options, &err));
	if (err.what)
		cli_fail(cli, code, &err);
	outlook_free(printing.outlook);
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
