/* SPDX-License-Identifier: MIT */
#include "cli/build.h"

#include "base/cleanup.h"

#include <malloc.h>
#include <string.h>

static int duration_read(void *data, const char *task, int64_t duration_ms)
{
	struct plan *plan = data;
	uint32_t index = map_get(&plan->index, task);

	if (index != MAP_NONE && duration_ms > 0)
		plan->tasks[index].duration_ms =
			duration_ms < UINT32_MAX ? (uint32_t)duration_ms : UINT32_MAX;
	return 0;
}

/* What cannot be remembered is no reason not to run. */
static void durations_read(const struct loaded *loaded, struct plan *plan)
{
	struct journal *journal = NULL;

	if (journal_open_readonly(loaded->site->state_dir, &journal, NULL) == 0)
		journal_durations(journal, plan->graph->name, duration_read, plan, NULL);
	journal_close(journal);
	malloc_trim(0); /* what was remembered is in the plan now */
}

int cli_build(const struct cli *cli, struct loaded *loaded, struct plan **ret)
{
	CLEANUP_ERROR struct error err = {0};

	if (loaded->site->faulty) { /* its graphs may not have been read at all */
		int code = diagnostics_refuse(loaded, cli->args.items[0], false);
		return code ? code : EXIT_CONFIGURATION;
	}
	const struct graph *graph = graph_load(cli, loaded);
	const struct cli_options *o = &cli->options;

	if (!graph)
		return EXIT_USAGE;
	if (diagnostics_errors(&loaded->diagnostics, graph->name) || graph->faulty) {
		int code = diagnostics_refuse(loaded, graph->name, false);
		return code ? code : EXIT_CONFIGURATION;
	}
	struct plan_options options = {.params = o->params.items,
		.param_count = o->params.count,
		.only = o->only.items,
		.only_count = o->only.count,
		.skip = o->skip.items,
		.skip_count = o->skip.count,
		.start_at = o->start_at};
	int r = plan_build(loaded->site, graph, &options, ret, &loaded->diagnostics, &err);
	int code = diagnostics_refuse(loaded, graph->name, o->quiet);
	if (r == 0)
		durations_read(loaded, *ret);
	if (r == 0 || code)
		return r == 0 ? 0 : code;
	return cli_fail(cli, r == -ENOENT || r == -ERANGE ? EXIT_USAGE : EXIT_CONFIGURATION, &err);
}

int jobs_parse(const struct cli *cli, uint32_t *ret)
{
	const char *text = cli->options.jobs;
	char *end;
	unsigned long jobs = text ? strtoul(text, &end, 10) : 0;

	*ret = (uint32_t)jobs;
	if (!text || (*text >= '0' && *text <= '9' && !*end && jobs <= 4096))
		return 0;
	return cli_usage(cli, NULL, "--jobs is a number from 0 to 4096, not \"%s\"", text);
}
