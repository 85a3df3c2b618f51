/* SPDX-License-Identifier: MIT */
#include "cli/load.h"

#include "base/clock.h"
#include "base/json.h"
#include "config/calendar.h"
#include "report/human.h"
#include "report/table.h"

#include <string.h>

struct last {
	struct journal_run run; /* its strings are not kept */
	bool found;
};

static int last_read(void *data, const struct journal_run *run)
{
	struct last *last = data;

	last->run = *run;
	last->found = true;
	return 0;
}

static int64_t next_time_ms(const struct graph *graph)
{
	struct calendar calendar;

	if (!graph->schedule || calendar_parse(graph->schedule, &calendar, NULL) < 0)
		return 0;
	int64_t next_s = calendar_next(&calendar, clock_wall_ms() / 1000);
	return next_s > 0 ? next_s * 1000 : 0;
}

static json_t *graph_json(const struct graph *graph, const struct last *last)
{
	json_t *json = json_pack("{s:s, s:o, s:o, s:I, s:i, s:b}", "graph", graph->name, "about",
		json_text(graph->about), "schedule", json_text(graph->schedule), "next_ms",
		(json_int_t)next_time_ms(graph), "tasks", (int)graph->task_count, "faulty",
		(int)graph->faulty);

	if (last->found)
		json_object_set_new(json, "last",
			json_pack("{s:s, s:s, s:I}", "run", last->run.id, "state",
				run_state_name(last->run.state), "started_ms",
				(json_int_t)last->run.started_ms));
	return json;
}

static void graph_row(struct table *table, const struct graph *graph, const struct last *last)
{
	CLEANUP_TEXT struct text run = {0};
	char time[HUMAN_SIZE];

	table_add(table, graph->name);
	table_add(table, graph->schedule);
	table_add(table, human_time(time, next_time_ms(graph)));
	if (last->found)
		text_addf(&run, "%s %s", human_time(time, last->run.started_ms),
			run_state_name(last->run.state));
	table_add(table, last->found ? text_string(&run) : NULL);
	table_add(table, graph->faulty ? "has errors: upkeep check" : graph->about);
}

int command_list(struct cli *cli)
{
	CLEANUP_LOADED struct loaded loaded = {0};
	CLEANUP_TABLE struct table table = {0};
	CLEANUP_TEXT struct text text = {0};
	struct journal *journal = NULL;
	json_t *list = json_array();
	int code = site_load(cli, &loaded);

	if (!code)
		code = journal_load(cli, loaded.site->state_dir, &journal);
	table_begin(&table, "graph|schedule|next|last run|about");
	for (uint32_t i = 0; code <= 0 && i < loaded.site->graph_count; i++) {
		const struct graph *graph = &loaded.site->graphs[i];
		struct last last = {0};

		if (journal)
			runs_seen(journal, loaded.site->state_dir, graph->name, 1, last_read, &last,
				NULL);
		json_array_append_new(list, graph_json(graph, &last));
		graph_row(&table, graph, &last);
	}
	if (code <= 0 && cli->options.json)
		cli_print_json(json_incref(list));
	else if (code <= 0)
		table_print(&table, &text);
	cli_print_text(&text);
	json_decref(list);
	journal_close(journal);
	return code > 0 ? code : EXIT_OK;
}
