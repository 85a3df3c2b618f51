/* SPDX-License-Identifier: MIT */
#include "cli/load.h"

#include "base/cleanup.h"
#include "report/human.h"
#include "report/table.h"
#include "run/locks.h"

struct held {
	struct table table;
	json_t *list;
};

static int lock_read(
	void *data, const char *kind, const char *name, const struct lock_holder *holder)
{
	struct held *held = data;
	CLEANUP_TEXT struct text why = {0};
	char time[HUMAN_SIZE];

	json_array_append_new(held->list,
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:I}", "kind", kind, "name", name, "run",
			holder->run_id, "graph", holder->graph, "task", holder->task, "pid",
			(int)holder->keeper, "since_ms", (json_int_t)holder->since_ms));
	text_addf(&why, "%s%s%s", holder->graph, *holder->task ? " task " : "", holder->task);
	table_add(&held->table, kind);
	table_add(&held->table, name);
	table_add(&held->table, holder->run_id);
	table_add(&held->table, text_string(&why));
	table_add(&held->table, human_time(time, holder->since_ms));
	return 0;
}

int command_locks(struct cli *cli)
{
	CLEANUP_ERROR struct error err = {0};
	CLEANUP_FREE char *state_dir = state_dir_find(cli);
	struct held held = {.list = json_array()};
	struct text text = {0};

	table_begin(&held.table, "kind|name|run|held for|since");
	int r = locks_list(state_dir, lock_read, &held, &err);
	int code =
		r < 0 && r != -ENOENT ? cli_fail(cli, errno_exit(r, EXIT_INTERNAL), &err) : EXIT_OK;
	if (!code && cli->options.json)
		cli_print_json(json_incref(held.list));
	else if (!code)
		table_print(&held.table, &text);
	cli_print_text(&text);
	table_free(&held.table);
	json_decref(held.list);
	return code;
}
