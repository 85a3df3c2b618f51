/* SPDX-License-Identifier: MIT */
#include "cli/load.h"

#include "base/cleanup.h"
#include "report/human.h"
#include "report/table.h"

struct history {
	const struct cli *cli;
	struct table table;
	json_t *list;
};

static int run_read(void *data, const struct journal_run *run)
{
	struct history *history = data;
	char buffer[HUMAN_SIZE];

	json_array_append_new(history->list, run_json(history->cli, run));
	table_add(&history->table, run->id);
	table_add(&history->table, run->graph);
	table_add(&history->table, human_time(buffer, run->started_ms));
	table_add(&history->table,
		run->ended_ms ? human_duration(buffer, run->ended_ms - run->started_ms) : NULL);
	table_add(&history->table, run_state_name(run->state));
	table_add(&history->table, run->cause ? run->cause : "");
	return 0;
}

static int history_read(const struct cli *cli, uint32_t limit, struct history *history)
{
	CLEANUP_FREE char *state_dir = state_dir_find(cli);
	CLEANUP_ERROR struct error err = {0};
	struct journal *journal = NULL;
	int code = journal_load(cli, state_dir, &journal);

	if (code)
		return code == -ENOENT ? 0 : code;
	int r = runs_seen(journal, state_dir, cli->args.count ? cli->args.items[0] : NULL, limit,
		run_read, history, &err);
	journal_close(journal);
	return r < 0 ? cli_fail(cli, EXIT_JOURNAL, &err) : 0;
}

int command_history(struct cli *cli)
{
	CLEANUP_TEXT struct text text = {0};
	struct history history = {.cli = cli, .list = json_array()};
	const char *limit_text = cli->options.limit ? cli->options.limit : "20";
	char *end;
	unsigned long limit = strtoul(limit_text, &end, 10);

	if (*end || end == limit_text || limit == 0 || limit > UINT32_MAX) {
		json_decref(history.list);
		return cli_usage(cli, NULL, "--limit is a number from 1, not \"%s\"", limit_text);
	}
	table_begin(&history.table, "run|graph|started|>took|state|cause");
	int code = history_read(cli, (uint32_t)limit, &history);
	if (!code && cli->options.json)
		cli_print_json(json_incref(history.list));
	else if (!code)
		table_print(&history.table, &text);
	cli_print_text(&text);
	table_free(&history.table);
	json_decref(history.list);
	return code;
}
