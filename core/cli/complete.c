/* SPDX-License-Identifier: MIT */
#include "cli/load.h"

#include "base/cleanup.h"

static int run_print(void *data, const struct journal_run *run)
{
	(void)data;
	puts(run->id);
	return 0;
}

static void runs_print(const struct cli *cli)
{
	CLEANUP_FREE char *state_dir = state_dir_find(cli);
	struct journal *journal = NULL;

	puts("last");
	if (journal_load(cli, state_dir, &journal) == 0)
		journal_runs(journal, NULL, 20, run_print, NULL, NULL);
	journal_close(journal);
}

static void tasks_print(const struct loaded *loaded, const char *name)
{
	const struct graph *graph = site_graph(loaded->site, name);

	for (uint32_t i = 0; graph && i < graph->task_count; i++)
		puts(graph->tasks[i].name);
}

static void actions_print(const struct plugin_description *plugin, const char *instance)
{
	for (size_t i = 0; plugin && i < plugin->action_count; i++)
		printf("%s.%s\n", instance, plugin->actions[i].decl.name);
}

static void params_print(const struct loaded *loaded, const char *name)
{
	const struct graph *graph = site_graph(loaded->site, name);

	for (uint32_t i = 0; graph && i < graph->param_count; i++)
		printf("%s=\n", graph->params[i].name);
}

static int task_print(void *data, const struct journal_task *task)
{
	(void)data;
	puts(task->name);
	return 0;
}

static int run_tasks_print(const struct cli *cli)
{
	CLEANUP_FREE char *state_dir = NULL;
	struct journal *journal = NULL;
	char id[RUN_ID_SIZE];
	int code = run_load(cli, &state_dir, &journal, id);

	if (!code)
		journal_tasks(journal, id, task_print, NULL, NULL);
	journal_close(journal);
	return code;
}

static void all_actions_print(const struct loaded *loaded)
{
	actions_print(&core_description, "core");
	for (uint32_t i = 0; i < loaded->site->instance_count; i++) {
		puts(loaded->site->instances[i].name);
		actions_print(
			loaded->site->instances[i].description, loaded->site->instances[i].name);
	}
}

static int site_print(const struct cli *cli, const char *what)
{
	CLEANUP_LOADED struct loaded loaded = {0};
	const char *graph = cli->args.count ? cli->args.items[0] : "";
	int code = site_load(cli, &loaded);

	if (code)
		return code;
	if (text_equal(what, "tasks"))
		tasks_print(&loaded, graph);
	else if (text_equal(what, "params"))
		params_print(&loaded, graph);
	else if (text_equal(what, "actions"))
		all_actions_print(&loaded);
	else
		for (uint32_t i = 0; i < loaded.site->graph_count; i++)
			puts(loaded.site->graphs[i].name);
	return EXIT_OK;
}

/* Options that come behind the words are as everywhere: --site FILE. */
int complete_print(int argc, char *const *argv)
{
	struct cli cli = {.command = command_find("log"), .options.help = true};
	int code = argc > 2 ? options_parse(&cli, argc - 2, argv + 2) : EXIT_USAGE;

	if (code)
		return code;
	if (text_equal(argv[2], "runs"))
		runs_print(&cli);
	else if (argc > 3 && text_equal(argv[2], "run-tasks"))
		code = run_tasks_print(&cli);
	else
		code = site_print(&cli, argv[2]);
	vec_free(&cli.args);
	return code;
}
