/* SPDX-License-Identifier: MIT */
#include "cli/command.h"

#include <string.h>

static void words_print(const struct cli_option *options, size_t count)
{
	for (size_t i = 0; i < count; i++)
		printf(" %s", options[i].name);
}

static void list_print(const char *variable, const struct cli_option *options, size_t count)
{
	printf("%s='", variable);
	words_print(options, count);
	putchar('\'');
}

/* Only the first word of "new plugin"; the second is offered behind it. */
static void commands_print(void)
{
	printf("\tlocal commands='");
	for (size_t i = 0; i < cli_command_count; i++)
		printf("%s%.*s", i ? " " : "", (int)strcspn(cli_commands[i].name, " "),
			cli_commands[i].name);
	puts("'");
}

static void seconds_print(void)
{
	puts("\tcase $command in");
	for (size_t i = 0; i < cli_command_count; i++) {
		const char *space = strchr(cli_commands[i].name, ' ');

		if (space)
			printf("\t%.*s) second='%s' ;;\n", (int)(space - cli_commands[i].name),
				cli_commands[i].name, space + 1);
	}
	puts("\tesac");
}

static void options_print(void)
{
	puts("\tcase $command in");
	for (size_t i = 0; i < cli_command_count; i++) {
		if (!cli_commands[i].option_count)
			continue;
		printf("\t%.*s) ", (int)strcspn(cli_commands[i].name, " "), cli_commands[i].name);
		list_print("options", cli_commands[i].options, cli_commands[i].option_count);
		puts(" ;;");
	}
	puts("\tesac");
}

/* The options that take a value, so that the value is not taken for an argument. */
static void valued_print(const struct cli_option *options, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (options[i].value)
			printf(" %s", options[i].name);
		if (options[i].value && options[i].letter)
			printf(" -%c", options[i].letter);
	}
}

static void all_valued_print(void)
{
	printf("\tlocal valued=' ");
	valued_print(cli_common_options, cli_common_option_count);
	for (size_t i = 0; i < cli_command_count; i++)
		valued_print(cli_commands[i].options, cli_commands[i].option_count);
	puts(" '");
}

static const char scan[] = "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
			   "\t\tword=${COMP_WORDS[i]}\n"
			   "\t\tif [[ $word == --site || $word == --state-dir ]]; then\n"
			   "\t\t\tsite+=(\"$word\"); [[ ${COMP_WORDS[i+1]} == = ]] && ((i++))\n"
			   "\t\t\tsite+=(\"${COMP_WORDS[++i]}\")\n"
			   "\t\telif [[ $valued == *\" $word \"* ]]; then\n"
			   "\t\t\t[[ ${COMP_WORDS[i+1]} == = ]] && ((i++)); ((i++))\n"
			   "\t\telif [[ $word == -* ]]; then continue\n"
			   "\t\telif [[ -z $command ]]; then command=$word\n"
			   "\t\telse args+=(\"$word\"); fi\n"
			   "\tdone\n";

/* Names of graphs, runs, tasks and actions are asked of upkeep itself. */
static const char body[] =
	"\t[[ $current == = ]] && current=\n"
	"\t[[ $previous == = ]] && previous=${COMP_WORDS[COMP_CWORD-2]}\n"
	"\tcase $previous in\n"
	"\t--site | --state-dir | --plan | --save) COMPREPLY=($(compgen -f -- \"$current\")); "
	"return ;;\n"
	"\t--color) words='auto always never' ;;\n"
	"\t--only | --skip | --start-at) asked=(tasks \"${args[0]}\") ;;\n"
	"\t--param | -p) asked=(params \"${args[0]}\") ;;\n"
	"\t--jobs | -j | --limit | -n) ;;\n"
	"\t*)\n"
	"\t\tif [[ $current == -* ]]; then words=\"$common $options\"\n"
	"\t\telif [[ -z $command ]]; then words=$commands\n"
	"\t\telif [[ -n $second && ${#args[@]} == 0 ]]; then words=$second\n"
	"\t\telse case $command:${#args[@]} in\n"
	"\t\t\trun:0 | plan:0 | drill:0 | history:0) asked=(graphs) ;;\n"
	"\t\t\tshow:0 | log:0 | cancel:0) asked=(runs) ;;\n"
	"\t\t\tlog:1) asked=(run-tasks \"${args[0]}\") ;;\n"
	"\t\t\tdoc:0) asked=(actions) ;;\n"
	"\t\t\tlint:1) COMPREPLY=($(compgen -f -- \"$current\")); return ;;\n"
	"\t\tesac; fi ;;\n"
	"\tesac\n"
	"\tif [[ -n ${asked[*]} ]]; then\n"
	"\t\twords=$(\"$1\" --complete \"${asked[@]}\" \"${site[@]}\" 2>/dev/null)\n"
	"\tfi\n"
	"\tCOMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
	"}\n"
	"complete -o default -F _upkeep upkeep\n";

void completion_print(void)
{
	puts("_upkeep() {\n\tlocal current=${COMP_WORDS[COMP_CWORD]} "
	     "previous=${COMP_WORDS[COMP_CWORD-1]}\n"
	     "\tlocal command= second= options= words= word i\n\tlocal -a args=() asked=() "
	     "site=()");
	commands_print();
	list_print("\tlocal common", cli_common_options, cli_common_option_count);
	putchar('\n');
	all_valued_print();
	fputs(scan, stdout);
	seconds_print();
	options_print();
	fputs(body, stdout);
}
