/* SPDX-License-Identifier: MIT */
#include "cli/load.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "run/run.h"

#include <unistd.h>

static int resolve(const struct cli *cli, const char *state_dir, const char *id)
{
	CLEANUP_ERROR struct error err = {0};
	CLEANUP_TEXT struct text next = {0};
	struct journal *journal = NULL;

	if (run_lives(state_dir, id)) {
		text_addf(&next, "upkeep cancel %s, or wait for it", id);
		error_set(&err, -EBUSY, text_string(&next), "run %s is alive", id);
		return cli_fail(cli, EXIT_BUSY, &err);
	}
	int r = journal_open(state_dir, &journal, &err);
	if (r == 0)
		r = journal_resolve(journal, id, getuid(), clock_wall_ms(), cli->options.why, &err);
	journal_close(journal);
	if (r < 0)
		return cli_fail(
			cli, r == -EALREADY ? EXIT_USAGE : errno_exit(r, EXIT_JOURNAL), &err);
	if (cli->options.json)
		cli_print_json(json_pack("{s:s, s:b}", "run", id, "resolved", 1));
	else if (!cli->options.quiet)
		printf("run %s counts as settled\n", id);
	return EXIT_OK;
}

int command_resolve(struct cli *cli)
{
	CLEANUP_FREE char *state_dir = NULL;
	struct journal *journal = NULL;
	char id[RUN_ID_SIZE];

	if (!cli->options.why || !*cli->options.why)
		return cli_usage(
			cli, NULL, "resolve needs --why TEXT: what was put right, and how");
	int code = run_load(cli, &state_dir, &journal, id);
	journal_close(journal);
	return code ? code : resolve(cli, state_dir, id);
}
