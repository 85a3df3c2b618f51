/* SPDX-License-Identifier: MIT */
#include "cli/load.h"

#include "base/json.h"
#include "plan/build.h"
#include "run/cgroup.h"

static void graphs_check(struct loaded *loaded)
{
	struct plan_options options = {.check_only = true};

	for (uint32_t i = 0; i < loaded->site->graph_count; i++) {
		const struct graph *graph = &loaded->site->graphs[i];
		CLEANUP_ERROR struct error err = {0};
		struct plan *plan = NULL;

		if (graph->faulty)
			continue;
		int r = plan_build(
			loaded->site, graph, &options, &plan, &loaded->diagnostics, &err);
		if (r < 0 && err.what)
			diagnostics_add(&loaded->diagnostics, graph->at, graph->name, false,
				err.next, "%s", err.what);
		if (plan)
			plan_free(plan);
	}
}

static json_t *diagnostic_json(const struct site *site, const struct diagnostic *one)
{
	const char *file = one->at.file < site->file_count ? site->files[one->at.file] : site->path;

	return json_pack("{s:o, s:i, s:i, s:b, s:o, s:o, s:o}", "file", json_text(file), "line",
		(int)one->at.line, "column", (int)one->at.column, "warning", (int)one->warning,
		"graph", json_text(one->graph && *one->graph ? one->graph : NULL), "what",
		json_text(one->what), "next", json_text(one->next));
}

static void check_json(const struct loaded *loaded, unsigned errors)
{
	json_t *list = json_array();

	vec_each(&loaded->diagnostics.list, one)
		json_array_append_new(list, diagnostic_json(loaded->site, one));
	cli_print_json(json_pack("{s:i, s:i, s:o}", "errors", (int)errors, "graphs",
		(int)loaded->site->graph_count, "diagnostics", list));
}

int command_check(struct cli *cli)
{
	CLEANUP_LOADED struct loaded loaded = {0};
	CLEANUP_TEXT struct text text = {0};
	char graphs[32];
	int code = site_load(cli, &loaded);

	if (code)
		return code;
	graphs_check(&loaded);
	unsigned errors = diagnostics_errors(&loaded.diagnostics, NULL);
	if (cli->options.json && !cgroups_possible())
		diagnostics_add(&loaded.diagnostics, (struct location){0}, NULL, true, NULL, "%s",
			CGROUPS_NONE);
	if (cli->options.json) {
		check_json(&loaded, errors);
	} else if (loaded.diagnostics.list.count && (errors || !cli->options.quiet)) {
		diagnostics_print(&loaded.diagnostics, loaded.site, &text);
		fputs(text_string(&text), stderr);
	} else if (!cli->options.quiet) {
		printf("%s: %s, no errors\n", loaded.site->path,
			text_count(graphs, sizeof graphs, loaded.site->graph_count, "graph"));
	}
	cgroups_warn(cli);
	return diagnostics_exit_code(&loaded.diagnostics, loaded.site, NULL);
}
