/* SPDX-License-Identifier: MIT */
#include "cli/command.h"

#include <string.h>

static void options_print(const struct cli_option *options, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char left[64];

		snprintf(left, sizeof left, "%c%c%s %s%s%s", options[i].letter ? '-' : ' ',
			options[i].letter ? options[i].letter : ' ', options[i].letter ? "," : " ",
			options[i].name, options[i].value ? " " : "",
			options[i].value ? options[i].value : "");
		printf("  %-26s %s\n", left, options[i].about);
	}
}

static void common_print(void)
{
	puts("\nCommon options:");
	options_print(cli_common_options, cli_common_option_count);
}

void help_print(const struct cli_command *command)
{
	if (command) {
		printf("usage: upkeep %s%s%s%s\n%s\n", command->name,
			command->option_count ? " [OPTION...]" : "", *command->synopsis ? " " : "",
			command->synopsis, command->about);
		printf("\n%s\n", command->details);
		if (command->option_count)
			puts("\nOptions:");
		options_print(command->options, command->option_count);
		common_print();
		return;
	}
	puts("usage: upkeep [OPTION...] COMMAND [ARGUMENT...]\n\nCommands:");
	for (size_t i = 0; i < cli_command_count; i++) {
		char left[64];

		snprintf(
			left, sizeof left, "%s %s", cli_commands[i].name, cli_commands[i].synopsis);
		printf("  %-18s%s%s\n", left, strlen(left) > 18 ? "\n                     " : " ",
			cli_commands[i].about);
	}
	common_print();
}
