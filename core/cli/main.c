/* SPDX-License-Identifier: MIT */
#include "cli/command.h"

#include "run/launch.h"
#include "worker/worker.h"

#include <string.h>

/* Processes of a run that are upkeep itself, and what the build asks for. */
static int internal_entry(int argc, char *const *argv)
{
	int code = worker_entry(argc, argv);

	if (code < 0)
		code = launch_entry(argc, argv);
	if (code >= 0 || argc < 2)
		return code;
	if (text_equal(argv[1], "--man")) {
		manual_print(argc > 2 ? command_find(argv[2]) : NULL);
		return EXIT_OK;
	}
	if (text_equal(argv[1], "--completion")) {
		completion_print();
		return EXIT_OK;
	}
	return text_equal(argv[1], "--complete") ? complete_print(argc, argv) : -1;
}

static int cli_run(struct cli *cli, int argc, char *const *argv)
{
	int code = options_parse(cli, argc, argv);

	if (code)
		return code;
	if (cli->options.version) {
		puts("upkeep " VERSION);
		return EXIT_OK;
	}
	if (cli->options.help) {
		help_print(cli->command);
		return EXIT_OK;
	}
	if (!cli->command)
		return cli_usage(cli, "see upkeep --help", "no command given");
	return cli->command->run(cli);
}

int main(int argc, char **argv)
{
	struct cli cli = {0};
	int code = internal_entry(argc, argv);

	if (code >= 0)
		return code;
	code = cli_run(&cli, argc, argv);
	vec_free(&cli.args);
	vec_free(&cli.options.params);
	vec_free(&cli.options.only);
	vec_free(&cli.options.skip);
	return code;
}
