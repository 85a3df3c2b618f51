/* SPDX-License-Identifier: MIT */
#include "cli/command.h"

#include <string.h>

static const char exits[] = ".Sh EXIT STATUS\n.Bl -tag -width 3n -compact\n"
			    ".It 0\nsucceeded, or nothing to do\n"
			    ".It 2\n.Cm plan :\nsomething would change\n"
			    ".It 10\nfailed, nothing was changed\n"
			    ".It 11\nfailed, everything was put back\n"
			    ".It 12\nfailed, changes remain; also warnings with\n.Fl -strict\n"
			    ".It 13\nfailed, and a person is needed\n"
			    ".It 14\nan unresolved run stands in the way\n"
			    ".It 15\nnot confirmed in time, put back\n"
			    ".It 64\nwrong usage\n"
			    ".It 69\na plugin is missing or of another ABI\n"
			    ".It 70\ninternal error\n"
			    ".It 74\nthe journal cannot be written\n"
			    ".It 75\nanother run holds the lock\n"
			    ".It 77\nnot permitted\n"
			    ".It 78\nerrors in the configuration\n.El\n";

static const char environment[] =
	".Sh ENVIRONMENT\n.Bl -tag -width Ds\n"
	".It Ev UPKEEP_SITE\nThe site file, where\n.Fl -site\nis not given.\n"
	".It Ev UPKEEP_STATE_DIR\nThe state directory, where\n.Fl -state-dir\nis not given; "
	"also where the site file names another.\n"
	".It Ev UPKEEP_PLUGIN_DIR\nDirectories of plugins with colons between them, instead of the "
	"built-in one.\n"
	".It Ev NO_COLOR\nWhere it is not empty, nothing is coloured unless\n.Fl -color\nsays "
	"always.\n.El\n";

/* A full stop or an apostrophe at the start of a line would be a request. */
static void line_print(const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", stdout);
	for (; *text; text++)
		fputs(*text == '\\' ? "\\e" : (char[]){*text, 0}, stdout);
	putchar('\n');
}

static void options_print(const struct cli_option *options, size_t count)
{
	if (!count)
		return;
	puts(".Bl -tag -width Ds");
	for (size_t i = 0; i < count; i++) {
		printf(".It ");
		if (options[i].letter)
			printf("Fl %c , ", options[i].letter);
		printf("Fl %s", options[i].name + 1);
		if (options[i].value)
			printf(" Ar %s", options[i].value);
		putchar('\n');
		line_print(options[i].about);
	}
	puts(".El");
}

static void head_print(const char *title, const char *about)
{
	printf(".Dd November 23, 2026\n.Dt ");
	for (; *title; title++)
		putchar(*title == ' '                            ? '-'
				: *title >= 'a' && *title <= 'z' ? *title - 32
								 : *title);
	puts(" 1\n.Os\n.Sh NAME");
	printf(".Nm upkeep\n.Nd %s\n", about);
}

static void arguments_print(const char *synopsis)
{
	char word[32];
	int used;

	while (sscanf(synopsis, "%31s%n", word, &used) == 1) {
		bool optional = word[0] == '[', many = strstr(word, "...");

		word[strcspn(word, "].")] = 0;
		printf("%s %s%s\n", optional ? ".Op Ar" : ".Ar", word + optional,
			many ? " ..." : "");
		synopsis += used;
	}
}

static void command_manual(const struct cli_command *command)
{
	char title[64];

	snprintf(title, sizeof title, "upkeep-%s", command->name);
	head_print(title, command->about);
	printf(".Sh SYNOPSIS\n.Nm upkeep\n.Cm %s\n.Op Ar OPTION ...\n", command->name);
	arguments_print(command->synopsis);
	puts(".Sh DESCRIPTION");
	line_print(command->details);
	options_print(command->options, command->option_count);
	puts(".Sh COMMON OPTIONS");
	options_print(cli_common_options, cli_common_option_count);
	fputs(environment, stdout);
	fputs(exits, stdout);
	puts(".Sh SEE ALSO\n.Xr upkeep 1 ,\n.Xr upkeep.conf 5 ,\n.Xr upkeep-graph 5");
}

void manual_print(const struct cli_command *command)
{
	if (command) {
		command_manual(command);
		return;
	}
	head_print("upkeep", "run maintenance graphs, and put back what fails");
	puts(".Sh SYNOPSIS\n.Nm upkeep\n.Op Ar OPTION ...\n.Ar COMMAND\n.Op Ar ARGUMENT ...\n"
	     ".Sh COMMANDS\n.Bl -tag -width Ds");
	for (size_t i = 0; i < cli_command_count; i++) {
		printf(".It Cm %s", cli_commands[i].name);
		printf("%s%s\n", *cli_commands[i].synopsis ? " " : "", cli_commands[i].synopsis);
		line_print(cli_commands[i].about);
	}
	puts(".El\n.Sh OPTIONS");
	options_print(cli_common_options, cli_common_option_count);
	fputs(environment, stdout);
	fputs(exits, stdout);
	puts(".Sh SEE ALSO\n.Xr upkeep.conf 5 ,\n.Xr upkeep-graph 5");
}
