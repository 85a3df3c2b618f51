/* SPDX-License-Identifier: MIT */
#include "cli/again.h"
#include "cli/build.h"
#include "cli/watch.h"

#include <unistd.h>

static bool jobs_parse(const char *text, uint32_t *ret)
{
	char *end;
	unsigned long jobs = text ? strtoul(text, &end, 10) : 0;

	*ret = (uint32_t)jobs;
	return !text || (*text >= '0' && *text <= '9' && !*end && jobs <= 4096);
}

int command_run(struct cli *cli)
{
	CLEANUP_ERROR struct error err = {0};
	CLEANUP_LOADED struct loaded loaded = {0};
	struct run_options options = {.yes = cli->options.yes,
		.strict = cli->options.strict,
		.cause = isatty(STDIN_FILENO) ? "terminal" : "background"};
	struct plan *plan = NULL;
	struct watch watch;

	if (!jobs_parse(cli->options.jobs, &options.jobs))
		return cli_usage(cli, NULL, "--jobs is a number from 0 to 4096, not \"%s\"",
			cli->options.jobs);
	int code = site_load(cli, &loaded);
	if (!code)
		code = cli_build(cli, &loaded, &plan);
	if (code)
		return code;
	again_recover_all(cli, loaded.site->state_dir);
	cgroups_warn(cli);
	watch_begin(&watch, cli, plan, false);
	options.watcher = &watch.watcher;
	code = run_execute(plan, &options, &err);
	/* Skipped, since it runs already, is a success: cron hears nothing of it. */
	if (err.what && (code || !cli->options.quiet))
		cli_fail(cli, code, &err);
	if (err.what)
		report_refused(watch.report, (enum exit_code)code, err.what, err.next);
	watch_end(&watch);
	plan_free(plan);
	return code;
}
