/* SPDX-License-Identifier: MIT */
#include "cli/watch.h"

#include "base/clock.h"

#include <unistd.h>

static void task_told(struct report *report, const struct run_event *event)
{
	struct report_task task = {.index = event->task,
		.attempt = event->attempt,
		.state = event->state,
		.reason = event->reason,
		.exit_code = event->exit_code,
		.duration_ms = event->duration_ms,
		.undo = event->undo,
		.message = event->text,
		.next = event->next};

	if (event->kind == RUN_EVENT_KNOWN)
		report_known(report, &task);
	else
		report_task(report, &task, clock_monotonic_ms());
}

static void event_told(void *data, const struct plan *plan, const struct run_event *event)
{
	struct watch *watch = data;
	struct report *report = watch->report;

	(void)plan;
	switch (event->kind) {
	case RUN_EVENT_BEGIN:
		report_begin(report, event->run_id);
		break;
	case RUN_EVENT_KNOWN:
	case RUN_EVENT_TASK:
		task_told(report, event);
		break;
	case RUN_EVENT_LOG:
		report_line(report, event->task, event->text);
		break;
	case RUN_EVENT_PROGRESS:
		report_progress(report, event->task, event->done, event->total, event->text,
			clock_monotonic_ms());
		break;
	case RUN_EVENT_ROW:
		report_row(report, event->table, event->text);
		break;
	case RUN_EVENT_WARNING:
		report_warning(report, event->task, event->text);
		break;
	case RUN_EVENT_TICK:
		report_tick(report, clock_monotonic_ms());
		break;
	case RUN_EVENT_END:
		report_cause(report, event->text, event->next);
		report_end(report, event->run_state, event->code, event->duration_ms);
		break;
	case RUN_EVENT_CONFIRM:
		report_confirm(report, event->task, event->duration_ms, event->next);
		break;
	case RUN_EVENT_TURN:
		report_turn(report);
		break;
	case RUN_EVENT_UNDO:
		report_undo(
			report, event->task, event->undo, event->attempt, event->text, event->next);
		break;
	case RUN_EVENT_WOULD:
	case RUN_EVENT_TOKEN:
	case RUN_EVENT_PROBED:
		break;
	}
}

void watch_begin(
	struct watch *watch, const struct cli *cli, const struct plan *plan, bool rolls_back)
{
	bool silent = cli->options.json || cli->options.quiet;
	int fd = cli->report_fd ? cli->report_fd : STDOUT_FILENO;
	bool terminal = !silent && isatty(fd);

	fflush(stdout);
	watch->names = base_alloc((plan->task_count + 1) * sizeof *watch->names);
	for (uint32_t i = 0; i < plan->task_count; i++)
		watch->names[i] = plan->details[plan->tasks[i].detail].name;
	watch->given = cli_given(cli);
	watch->report = report_new(&(struct report_options){.fd = fd,
		.terminal = terminal,
		.color = cli_colors(cli, fd),
		.json = cli->options.json,
		.quiet = cli->options.quiet,
		.graph = plan->graph->name,
		.state_dir = plan->site->state_dir,
		.given = watch->given,
		.back_is_success = rolls_back,
		.task_count = plan->task_count,
		.names = watch->names});
	watch->watcher =
		(struct run_watcher){.event = event_told, .data = watch, .wants_ticks = terminal};
}

void watch_end(struct watch *watch)
{
	report_free(watch->report);
	free(watch->names);
	free(watch->given);
}

int watch_execute(const struct cli *cli, const struct plan *plan, const struct run_options *options)
{
	CLEANUP_ERROR struct error err = {0};
	struct run_options watched = *options;
	struct watch watch;

	watch_begin(&watch, cli, plan, false);
	watched.watcher = &watch.watcher;
	int code = run_execute(plan, &watched, &err);
	/* Skipped, since it runs already, is a success: cron hears nothing of it. */
	if (err.what && (code || !cli->options.quiet))
		cli_fail(cli, code, &err);
	if (err.what)
		report_refused(watch.report, (enum exit_code)code, err.what, err.next);
	watch_end(&watch);
	return code;
}
