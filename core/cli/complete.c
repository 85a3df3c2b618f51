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
	if (journal_load(state_dir, &journal) == 0)
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

int complete_print(int argc, char *const *argv)
{
	CLEANUP_LOADED struct loaded loaded = { 0 };
	struct cli cli = { 0 };

	if (argc < 3)
		return EXIT_USAGE;
	if (text_equal(argv[2], "runs")) {
		runs_print(&cli);
		return EXIT_OK;
	}
	int code = site_load(&cli, &loaded);
	if (code)
		return code;
	for (uint32_t i = 0; text_equal(argv[2], "graphs") && i < loaded.site->graph_count; i++)
		puts(loaded.site->graphs[i].name);
	if (text_equal(argv[2], "tasks") && argc > 3)
		tasks_print(&loaded, argv[3]);
	if (!text_equal(argv[2], "actions"))
		return EXIT_OK;
	actions_print(&core_description, "core");
	for (uint32_t i = 0; i < loaded.site->instance_count; i++)
		actions_print(loaded.site->instances[i].description, loaded.site->instances[i].name);
	return EXIT_OK;
}
