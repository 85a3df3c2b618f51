/* SPDX-License-Identifier: MIT */
/* drill: forward, back, and whether the actions' probes say the same before and after. */
#include "cli/again.h"
#include "cli/build.h"
#include "cli/told.h"
#include "cli/watch.h"

#include "base/cleanup.h"
#include "report/table.h"

#include <string.h>
#include <unistd.h>

struct drill {
	struct cli cli; /* the caller's; its reports are kept with --json and --quiet */
	const struct plan *plan;
	struct told kept;
	char id[RUN_ID_SIZE];
	json_t *before, *after;         /* for each task {"probed"} or {"why"}; NULL: not asked */
	char *forward_text, *back_text; /* reports that were kept */
	int forward, back;              /* exit codes; -1: it did not come to that */
	uint32_t compared;
	VEC(const char *) differing;
};

static const char *name_of(const struct plan *plan, uint32_t task)
{
	return plan->details[plan->tasks[task].detail].name;
}

/* ---- what cannot be undone ---- */

static const char *why_not(const struct plan *plan, uint32_t index)
{
	const struct plan_task *task = &plan->tasks[index];
	const struct task_options *options = plan->details[task->detail].task->options;
	bool changes = task->changes != UPKEEP_CHANGES_NONE;

	if (task->flags & (PLAN_LEFT_OUT | PLAN_EMPTY_EACH))
		return NULL;
	if (task->flags & PLAN_PIVOT)
		return "the point of no return";
	if (!changes)
		return NULL;
	if (task->run_if != RUN_IF_SUCCESS)
		return "run_if: it is never undone";
	if (!(task->flags & PLAN_CAN_UNDO) ||
		(task->changes == UPKEEP_CHANGES_IRREVERSIBLE &&
			options->rollback.kind == VALUE_NONE))
		return "cannot be undone";
	return NULL;
}

static void refusal_print(const struct cli *cli, const struct plan *plan, json_t *tasks)
{
	CLEANUP_TEXT struct text next = {0};

	if (cli->options.json)
		cli_print_json(json_pack("{s:s, s:s, s:i, s:O}", "graph", plan->graph->name,
			"state", "refused", "exit_code", EXIT_USAGE, "irreversible", tasks));
	text_addf(&next, "upkeep drill %s --skip TASK, or --force to run them all the same",
		plan->graph->name);
	cli_usage(cli, text_string(&next), "nothing was run: %s has tasks that cannot be undone",
		plan->graph->name);
}

static int refuse_irreversible(const struct cli *cli, const struct plan *plan)
{
	json_t *tasks = json_array();

	for (uint32_t i = 0; i < plan->task_count && !cli->options.force; i++) {
		const char *why = why_not(plan, i);
		if (!why)
			continue;
		json_array_append_new(
			tasks, json_pack("{s:s, s:s}", "task", name_of(plan, i), "why", why));
		if (!cli->options.json)
			fprintf(stderr, "%s: %s\n", name_of(plan, i), why);
	}
	bool refused = json_array_size(tasks);
	if (refused)
		refusal_print(cli, plan, tasks);
	json_decref(tasks);
	return refused ? EXIT_USAGE : 0;
}

/* ---- what the probes say ---- */

static void probed_note(void *data, const struct plan *plan, const struct run_event *event)
{
	(void)plan;
	if (event->kind == RUN_EVENT_END)
		told_put(data, json_pack("{s:b}", "end", 1));
	else if (event->kind == RUN_EVENT_PROBED)
		told_put(data,
			json_pack("{s:i, s:i, s:o}", "task", (int)event->task, "probed",
				event->probed, "why", told_text(event->text)));
}

static int probed_take(
	const struct told *told, const struct plan *plan, json_t **ret_tasks, struct error *err)
{
	json_t *lines, *line, *end = NULL;
	size_t i;

	int r = told_take(told, &lines, err);
	if (r < 0)
		return r;
	*ret_tasks = json_array();
	for (uint32_t t = 0; t < plan->task_count; t++)
		json_array_append_new(*ret_tasks,
			json_pack("{s:i, s:s}", "probed", -1, "why", "it would not run"));
	json_array_foreach(lines, i, line) {
		json_t *task = json_object_get(line, "task");
		end = json_object_get(line, "end");
		if (task)
			json_array_set(*ret_tasks, (size_t)json_integer_value(task), line);
	}
	bool whole = end;
	json_decref(lines);
	return whole ? 0 : error_set(err, -EIO, NULL, "the tasks' probes were not all asked");
}

static int ask(const struct drill *drill, json_t **ret_tasks)
{
	CLEANUP_TOLD struct told told = TOLD_CLOSED;
	CLEANUP_ERROR struct error err = {0};
	struct run_watcher watcher = {.event = probed_note, .data = &told};
	struct run_options options = {.plan_only = true, .probe_only = true, .watcher = &watcher};

	if (told_open(&told, &err) < 0)
		return cli_fail(&drill->cli, EXIT_INTERNAL, &err);
	int code = run_execute(drill->plan, &options, &err);
	if (code == EXIT_OK && probed_take(&told, drill->plan, ret_tasks, &err) < 0)
		code = EXIT_INTERNAL;
	return err.what ? cli_fail(&drill->cli, code, &err) : code;
}

/* ---- forward and back ---- */

static int run_found(void *data, const struct journal_run *run)
{
	(void)run;
	*(bool *)data = true;
	return 0;
}

/* Where a lock was held, or an unsettled run stands in the way, there is no run. */
static bool has_run(const struct drill *drill)
{
	struct journal *journal = NULL;
	bool found = false;

	if (journal_open_readonly(drill->plan->site->state_dir, &journal, NULL) == 0)
		journal_read_run(journal, drill->id, run_found, &found, NULL);
	journal_close(journal);
	return found;
}

static void heading_print(const struct drill *drill, const char *what)
{
	if (drill->cli.report_fd)
		return;
	printf("%s\n", what);
	fflush(stdout);
}

static char *kept_take(const struct drill *drill)
{
	return drill->cli.report_fd ? told_take_text(&drill->kept, NULL) : NULL;
}

static bool go_forward(struct drill *drill, uint32_t jobs)
{
	struct run_options options = {.id = drill->id,
		.jobs = jobs,
		.yes = drill->cli.options.yes,
		.cause = isatty(STDIN_FILENO) ? "terminal" : "background"};

	journal_make_id(drill->id);
	heading_print(drill, "drill: forward");
	drill->forward = watch_execute(&drill->cli, drill->plan, &options);
	drill->forward_text = kept_take(drill);
	return has_run(drill);
}

/* What succeeded, or left something, is put back; what failed has been already. */
static void go_back(struct drill *drill)
{
	if (drill->forward != EXIT_OK && drill->forward != EXIT_FAILED_PARTIAL)
		return;
	heading_print(drill, "drill: back");
	drill->back =
		again_run(&drill->cli, drill->plan->site->state_dir, drill->id, RUN_AGAIN_UNDO);
	drill->back_text = kept_take(drill);
}

/* ---- the verdict ---- */

static int64_t answer_of(const json_t *tasks, uint32_t task)
{
	return json_integer_value(json_object_get(json_array_get(tasks, task), "probed"));
}

static void compare(struct drill *drill)
{
	for (uint32_t i = 0; i < drill->plan->task_count; i++) {
		int64_t before = answer_of(drill->before, i), after = answer_of(drill->after, i);
		if (before < 0 || after < 0)
			continue;
		drill->compared++;
		if (before != after)
			vec_push(&drill->differing, name_of(drill->plan, i));
	}
}

static bool is_back(int code)
{
	return code == EXIT_OK || code == EXIT_ROLLED_BACK || code == EXIT_FAILED_CLEAN ||
		code == EXIT_NOT_CONFIRMED;
}

static int verdict(const struct drill *drill)
{
	int last = drill->back >= 0 ? drill->back : drill->forward;

	if (last == EXIT_ROLLBACK_FAILED || (drill->back >= 0 && !is_back(last)))
		return last;
	if (drill->differing.count)
		return EXIT_FAILED_PARTIAL;
	if (drill->forward == EXIT_FAILED_PARTIAL)
		return EXIT_ROLLED_BACK;
	return drill->forward;
}

static const char *answer_name(int64_t answer)
{
	return answer == UPKEEP_DONE ? "done" : answer == UPKEEP_PARTLY ? "partly" : "not done";
}

static char *why_not_compared(const struct drill *drill, uint32_t task)
{
	const json_t *tasks = answer_of(drill->before, task) < 0 ? drill->before : drill->after;

	return told_visible(json_object_get(json_array_get(tasks, task), "why"));
}

static void row_add(const struct drill *drill, uint32_t task, struct table *table)
{
	int64_t before = answer_of(drill->before, task), after = answer_of(drill->after, task);

	table_add(table, name_of(drill->plan, task));
	table_add(table, before < 0 ? NULL : answer_name(before));
	table_add(table, after < 0 ? NULL : answer_name(after));
	if (before >= 0 && after >= 0) {
		table_add(table, before == after ? "yes" : "no");
		return;
	}
	CLEANUP_TEXT struct text cell = {0};
	CLEANUP_FREE char *why = why_not_compared(drill, task);
	text_addf(&cell, "cannot be compared: %s", why);
	table_add(table, text_string(&cell));
}

static json_t *row_json(const struct drill *drill, uint32_t task)
{
	int64_t before = answer_of(drill->before, task), after = answer_of(drill->after, task);
	bool compared = before >= 0 && after >= 0;
	CLEANUP_FREE char *why = compared ? NULL : why_not_compared(drill, task);

	return json_pack("{s:s, s:s?, s:s?, s:o, s:s?}", "task", name_of(drill->plan, task),
		"before", before < 0 ? NULL : answer_name(before), "after",
		after < 0 ? NULL : answer_name(after), "same",
		compared ? json_boolean(before == after) : json_null(), "why", why);
}

static const char *state_of(const struct drill *drill, int code)
{
	if (drill->differing.count)
		return "not as before";
	return code == EXIT_OK ? "as before" : is_back(code) ? "failed, as before" : "left";
}

static json_t *report_json(const char *text)
{
	json_t *json = text ? json_loads(text, 0, NULL) : NULL;

	return json ? json : json_null();
}

static void json_print(const struct drill *drill, int code)
{
	json_t *tasks = json_array();

	for (uint32_t i = 0; i < drill->plan->task_count; i++)
		json_array_append_new(tasks, row_json(drill, i));
	cli_print_json(json_pack("{s:s, s:s, s:s, s:i, s:o, s:o, s:o}", "graph",
		drill->plan->graph->name, "run", drill->id, "state", state_of(drill, code),
		"exit_code", code, "forward", report_json(drill->forward_text), "back",
		report_json(drill->back_text), "tasks", tasks));
}

static void verdict_add(const struct drill *drill, int code, struct text *out)
{
	char tasks[32];

	vec_each(&drill->differing, name)
		text_addf(out, "%s is not as it was before\n", *name);
	if (code == EXIT_OK || (is_back(code) && !drill->differing.count))
		text_addf(out, "drill %s: everything was put back, and %s as before\n",
			code == EXIT_OK ? "succeeded" : "failed",
			drill->compared ? text_count(tasks, sizeof tasks, drill->compared, "task")
					: "nothing could be compared");
	else
		text_addf(out, "drill failed: the site is not as it was before\n");
}

static void text_print(const struct drill *drill, int code)
{
	CLEANUP_TABLE struct table table = {0};
	CLEANUP_TEXT struct text out = {0};
	CLEANUP_FREE char *next = cli_next(&drill->cli, "upkeep show RUN", drill->id);

	if (drill->cli.options.quiet && code == EXIT_OK)
		return;
	if (drill->forward_text && drill->forward != EXIT_OK)
		text_adds(&out, drill->forward_text);
	if (drill->back_text && !is_back(drill->back))
		text_adds(&out, drill->back_text);
	table_begin(&table, "task|before|after|same");
	for (uint32_t i = 0; i < drill->plan->task_count; i++)
		row_add(drill, i, &table);
	table_print(&table, &out);
	verdict_add(drill, code, &out);
	if (drill->differing.count)
		text_addf(&out, "next: %s\n", next);
	cli_print_text(&out);
}

/* ---- the command ---- */

static int drill_run(struct drill *drill, uint32_t jobs)
{
	int code = ask(drill, &drill->before);
	if (code)
		return code;
	if (!go_forward(drill, jobs)) {
		if (drill->forward_text)
			fputs(drill->forward_text, stdout);
		return drill->forward == EXIT_OK ? EXIT_BUSY : drill->forward;
	}
	go_back(drill);
	code = ask(drill, &drill->after);
	if (code)
		return code;
	compare(drill);
	code = verdict(drill);
	if (drill->cli.options.json)
		json_print(drill, code);
	else
		text_print(drill, code);
	return code;
}

static void drill_free(struct drill *drill)
{
	told_close(&drill->kept);
	json_decref(drill->before);
	json_decref(drill->after);
	free(drill->forward_text);
	free(drill->back_text);
	vec_free(&drill->differing);
}

static int drill_begin(const struct cli *cli, const struct plan *plan, uint32_t jobs)
{
	CLEANUP_ERROR struct error err = {0};
	struct drill drill = {
		.cli = *cli, .plan = plan, .kept = TOLD_CLOSED, .forward = -1, .back = -1};

	if (cli->options.json || cli->options.quiet) {
		if (told_open(&drill.kept, &err) < 0)
			return cli_fail(cli, EXIT_INTERNAL, &err);
		drill.cli.report_fd = drill.kept.fd;
	}
	again_recover_all(&drill.cli, plan->site->state_dir);
	free(kept_take(&drill)); /* of other runs */
	cgroups_warn(cli);
	int code = drill_run(&drill, jobs);
	drill_free(&drill);
	return code;
}

int command_drill(struct cli *cli)
{
	CLEANUP_LOADED struct loaded loaded = {0};
	struct plan *plan = NULL;
	uint32_t jobs;

	int code = jobs_parse(cli, &jobs);
	if (!code)
		code = site_load(cli, &loaded);
	if (!code)
		code = cli_build(cli, &loaded, &plan);
	if (!code)
		code = refuse_irreversible(cli, plan);
	if (!code) {
		plan->drill = true;
		code = drill_begin(cli, plan, jobs);
	}
	if (plan)
		plan_free(plan);
	return code;
}
