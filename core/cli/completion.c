/* SPDX-License-Identifier: MIT */
#include "cli/command.h"

#include <string.h>

static void words_print(const struct cli_option *options, size_t count)
{
	for (size_t i = 0; i < count; i++)
		printf(" %s", options[i].name);
}

/* "new plugin" is completed word by word. */
static int first_word(const char *name)
{
	return (int)strcspn(name, " ");
}

/* Names of graphs, runs, tasks and actions are asked of upkeep itself. */
static const char body[] =
	"\tcase $previous in\n"
	"\t--site | --state-dir) COMPREPLY=($(compgen -f -- \"$current\")); return ;;\n"
	"\t--color) words='auto always never' ;;\n"
	"\t--only | --skip | --start-at) words=$(\"$1\" --complete tasks \"$graph\" 2>/dev/null) ;;\n"
	"\t*)\n"
	"\t\tif [[ $current == -* ]]; then words=\"$common $options\"\n"
	"\t\telif [[ -z $command ]]; then words=$commands\n"
	"\t\telse case $command in\n"
	"\t\t\trun | plan | history) words=$(\"$1\" --complete graphs 2>/dev/null) ;;\n"
	"\t\t\tshow | log | cancel) words=$(\"$1\" --complete runs 2>/dev/null) ;;\n"
	"\t\t\tdoc) words=$(\"$1\" --complete actions 2>/dev/null) ;;\n"
	"\t\t\tnew | lint) [[ -n $graph ]] || words=plugin ;;\n"
	"\t\tesac; fi ;;\n"
	"\tesac\n"
	"\tCOMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
	"}\n"
	"complete -o default -F _upkeep upkeep\n";

void completion_print(void)
{
	printf("_upkeep() {\n\tlocal current=${COMP_WORDS[COMP_CWORD]} "
	       "previous=${COMP_WORDS[COMP_CWORD-1]}\n"
	       "\tlocal command= graph= options= words= word i\n\tlocal commands='");
	for (size_t i = 0; i < cli_command_count; i++)
		printf("%s%.*s", i ? " " : "", first_word(cli_commands[i].name),
			cli_commands[i].name);
	printf("'\n\tlocal common='");
	words_print(cli_common_options, cli_common_option_count);
	puts("'\n\tfor ((i = 1; i < COMP_CWORD; i++)); do\n\t\tword=${COMP_WORDS[i]}\n"
	     "\t\tif [[ $word == -* ]]; then continue\n"
	     "\t\telif [[ -z $command && \" $commands \" == *\" $word \"* ]]; then command=$word\n"
	     "\t\telif [[ -n $command && -z $graph ]]; then graph=$word; fi\n\tdone\n"
	     "\tcase $command in");
	for (size_t i = 0; i < cli_command_count; i++) {
		if (!cli_commands[i].option_count)
			continue;
		printf("\t%.*s) options='", first_word(cli_commands[i].name),
			cli_commands[i].name);
		words_print(cli_commands[i].options, cli_commands[i].option_count);
		puts("' ;;");
	}
	puts("\tesac");
	fputs(body, stdout);
}
