/* SPDX-License-Identifier: MIT */
/* The sample site in etc/ has no error, and every graph of it makes a plan. */
#include "tests/program.h"

#include "config/config.h"
#include "plan/build.h"

#include <stdio.h>
#include <stdlib.h>

static int check_graph(
	const struct site *site, const struct graph *graph, struct diagnostics *diagnostics)
{
	const struct plan_options options = {.check_only = true};
	struct error CLEANUP_ERROR err = {0};
	struct plan *plan = NULL;
	int r = plan_build(site, graph, &options, &plan, diagnostics, &err);

	if (r < 0)
		printf("graph \"%s\": %s\n", graph->name, error_what(&err));
	else
		plan_free(plan);
	return r;
}

static int check_site(const char *path, struct catalog *catalog)
{
	const struct config_options options = {.path = path};
	struct error CLEANUP_ERROR err = {0};
	struct text CLEANUP_TEXT report = {0};
	struct diagnostics diagnostics = {0};
	struct site *site;
	int faults = 0;

	if (config_load(&options, catalog, &site, &diagnostics, &err) < 0) {
		puts(error_what(&err));
		return 1;
	}
	for (uint32_t i = 0; i < site->graph_count; i++)
		faults +=
			site->graphs[i].faulty || check_graph(site, &site->graphs[i], &diagnostics);
	if (diagnostics.list.count)
		diagnostics_print(&diagnostics, site, &report);
	fputs(text_string(&report), stdout);
	printf("%u graphs, %d faulty\n", site->graph_count, faults);
	faults += (int)diagnostics.list.count + (site->graph_count == 0);
	diagnostics_free(&diagnostics);
	site_free(site);
	return faults != 0;
}

int main(void)
{
	struct text CLEANUP_TEXT site = {0}, plugins = {0}, program = {0};
	struct error CLEANUP_ERROR err = {0};
	struct catalog *catalog;

	text_addf(&site, "%s/etc/upkeep.conf", getenv("top_srcdir"));
	text_addf(&plugins, "%s/plugins/.libs", getenv("top_builddir"));
	text_addf(&program, "%s/core/upkeep", getenv("top_builddir"));
	const char *const dirs[] = {text_string(&plugins)};
	const struct catalog_options options = {
		.dirs = dirs, .dir_count = 1, .program = program_copy(text_string(&program))};
	if (catalog_new(&options, &catalog, &err) < 0) {
		puts(error_what(&err));
		return 1;
	}
	int status = check_site(text_string(&site), catalog);
	catalog_free(catalog);
	return status;
}
