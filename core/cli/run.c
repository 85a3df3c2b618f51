/* SPDX-License-Identifier: MIT */
#include "cli/again.h"
#include "cli/build.h"
#include "cli/saved.h"
#include "cli/watch.h"

#include <unistd.h>

/* What a saved plan says already is not said again. */
static int usage_check(const struct cli *cli)
{
	const struct cli_options *o = &cli->options;

	if (!o->plan && !cli->args.count)
		return cli_usage(cli, NULL, "usage: upkeep run GRAPH");
	if (!o->plan)
		return 0;
	if (cli->args.count || o->params.count || o->only.count || o->skip.count || o->start_at)
		return cli_usage(cli, NULL,
			"--plan takes no GRAPH, --param, --only, --skip or --start-at: the plan "
			"has them");
	return 0;
}

static int plan_run(const struct cli *cli, const struct plan *plan, struct saved *saved,
	struct run_options *options)
{
	again_recover_before(cli, plan->site->state_dir);
	int code = saved->json ? saved_check_state(cli, saved, plan) : 0;
	if (code)
		return code;
	cgroups_warn(cli);
	options->tokens = saved->tokens;
	return watch_execute(cli, plan, options);
}

int command_run(struct cli *cli)
{
	CLEANUP_LOADED struct loaded loaded = {0};
	CLEANUP_SAVED struct saved saved = {0};
	struct run_options options = {.yes = cli->options.yes,
		.strict = cli->options.strict,
		.cause = isatty(STDIN_FILENO) ? "terminal" : "background"};
	struct plan *plan = NULL;

	int code = usage_check(cli);
	if (!code)
		code = jobs_parse(cli, &options.jobs);
	if (!code && cli->options.plan)
		code = saved_open(cli, &saved);
	if (!code)
		code = site_load(cli, &loaded);
	if (!code)
		code = cli_build(cli, &loaded, &plan);
	if (!code && saved.json)
		code = saved_check_plan(cli, &saved, plan);
	if (!code)
		code = plan_run(cli, plan, &saved, &options);
	if (plan)
		plan_free(plan);
	return code;
}
