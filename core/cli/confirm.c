/* SPDX-License-Identifier: MIT */
#include "cli/load.h"

#include "base/cleanup.h"
#include "run/run.h"

#include <string.h>

/* The journal may hang, or be gone: a whole id does without it. */
static int confirm(const struct cli *cli, const char *state_dir, const char *id)
{
	CLEANUP_ERROR struct error err = {0};

	int r = run_confirm(state_dir, id, &err);
	if (r < 0)
		return cli_fail(cli,
			r == -ETIME           ? EXIT_NOT_CONFIRMED
				: r == -ESRCH ? EXIT_USAGE
				: r == -EBUSY ? EXIT_BUSY
					      : errno_exit(r, EXIT_INTERNAL),
			&err);
	if (cli->options.json)
		cli_print_json(json_pack("{s:s, s:b}", "run", id, "confirmed", 1));
	else if (!cli->options.quiet)
		printf("run %s is confirmed\n", id);
	return EXIT_OK;
}

int command_confirm(struct cli *cli)
{
	CLEANUP_FREE char *state_dir = NULL;
	struct journal *journal = NULL;
	char id[RUN_ID_SIZE];
	const char *given = cli->args.items[0];

	if (strlen(given) == RUN_ID_SIZE - 2) {
		state_dir = state_dir_find(cli);
		return confirm(cli, state_dir, given);
	}
	int code = run_load(cli, &state_dir, &journal, id);
	journal_close(journal);
	return code ? code : confirm(cli, state_dir, id);
}
