/* SPDX-License-Identifier: MIT */
#include "cli/load.h"

#include "base/cleanup.h"
#include "run/run.h"

int command_cancel(struct cli *cli)
{
	CLEANUP_ERROR struct error err = {0};
	CLEANUP_FREE char *state_dir = NULL;
	struct journal *journal = NULL;
	char id[RUN_ID_SIZE];
	int code = run_load(cli, &state_dir, &journal, id);

	journal_close(journal);
	if (code)
		return code;
	int r = run_cancel(state_dir, id, &err);
	if (r < 0)
		return cli_fail(cli, r == -ESRCH ? EXIT_USAGE : errno_exit(r, EXIT_INTERNAL), &err);
	if (cli->options.json)
		cli_print_json(json_pack("{s:s, s:b}", "run", id, "cancelled", 1));
	CLEANUP_FREE char *next = cli_next(cli, "upkeep show RUN", id);
	if (!cli->options.json && !cli->options.quiet)
		printf("run %s is asked to stop; see it with: %s\n", id, next);
	return EXIT_OK;
}
