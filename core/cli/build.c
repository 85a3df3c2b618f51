/* SPDX-License-Identifier: MIT */
#include "cli/build.h"

#include "base/cleanup.h"

#include <malloc.h>
#include <string.h>

struct durations {
	VEC(int64_t) ms;
	VEC(char *) names;
	struct map index;
};

static int duration_read(void *data, const char *task, int64_t duration_ms)
{
	struct durations *durations = data;

	vec_push(&durations->names, base_string(task));
	map_put(&durations->index, durations->names.items[durations->names.count - 1],
		(uint32_t)durations->ms.count);
	vec_push(&durations->ms, duration_ms);
	return 0;
}

static int64_t duration_of(void *data, const char *task)
{
	struct durations *durations = data;
	uint32_t at = map_get(&durations->index, task);

	return at == MAP_NONE ? 0 : durations->ms.items[at];
}

/* What cannot be remembered is no reason not to run. */
static void durations_load(
	struct durations *durations, const struct loaded *loaded, const char *graph)
{
	struct journal *journal = NULL;

	if (journal_open_readonly(loaded->site->state_dir, &journal, NULL) == 0)
		journal_durations(journal, graph, duration_read, durations, NULL);
	journal_close(journal);
}

static void durations_free(struct durations *durations)
{
	vec_each(&durations->names, name)
		free(*name);
	vec_free(&durations->names);
	vec_free(&durations->ms);
	map_free(&durations->index);
}

int cli_build(const struct cli *cli, struct loaded *loaded, struct plan **ret)
{
	CLEANUP_ERROR struct error err = {0};
	struct durations durations = {0};
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
	durations_load(&durations, loaded, graph->name);
	struct plan_options options = {.params = o->params.items,
		.param_count = o->params.count,
		.only = o->only.items,
		.only_count = o->only.count,
		.skip = o->skip.items,
		.skip_count = o->skip.count,
		.start_at = o->start_at,
		.duration = duration_of,
		.duration_data = &durations};
	int r = plan_build(loaded->site, graph, &options, ret, &loaded->diagnostics, &err);
	durations_free(&durations);
	malloc_trim(0); /* they lay beside the plan, which stays */
	int code = diagnostics_refuse(loaded, graph->name, o->quiet);
	if (r == 0)
		return 0;
	if (code)
		return code;
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
