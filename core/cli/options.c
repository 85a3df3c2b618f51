/* SPDX-License-Identifier: MIT */
#include "cli/command.h"

#include "model/nearest.h"

#include <string.h>

static const struct cli_option *table_find(
	const struct cli_option *table, size_t count, const char *name, size_t size)
{
	for (size_t i = 0; i < count; i++) {
		if (strlen(table[i].name) == size && memcmp(table[i].name, name, size) == 0)
			return &table[i];
		if (size == 2 && table[i].letter && name[1] == table[i].letter)
			return &table[i];
	}
	return NULL;
}

static const struct cli_option *option_find(const struct cli *cli, const char *name, size_t size)
{
	const struct cli_option *found =
		table_find(cli_common_options, cli_common_option_count, name, size);

	if (found || !cli->command)
		return found;
	return table_find(cli->command->options, cli->command->option_count, name, size);
}

static int option_unknown(const struct cli *cli, const char *name)
{
	struct nearest nearest = nearest_start(name);
	char question[128];

	for (size_t i = 0; i < cli_common_option_count; i++)
		nearest_try(&nearest, cli_common_options[i].name);
	for (size_t i = 0; cli->command && i < cli->command->option_count; i++)
		nearest_try(&nearest, cli->command->options[i].name);
	return cli_usage(cli, nearest_question(&nearest, question, sizeof question),
		"unknown option \"%s\"", name);
}

static void option_set(struct cli *cli, const struct cli_option *option, const char *value)
{
	void *at = (char *)&cli->options + option->offset;

	if (option->kind == OPTION_FLAG)
		*(bool *)at = true;
	else if (option->kind == OPTION_TEXT)
		*(const char **)at = value;
	else
		vec_push((cli_words *)at, value);
}

/* Reads one option; *i is left at its last word. */
static int option_parse(struct cli *cli, int argc, char *const *argv, int *i)
{
	const char *word = argv[*i], *equals = strchr(word, '=');
	size_t size = equals ? (size_t)(equals - word) : strlen(word);
	const struct cli_option *option = option_find(cli, word, size);

	if (!option)
		return option_unknown(cli, word);
	if (!option->value && equals)
		return cli_usage(cli, NULL, "option %s takes no value", option->name);
	if (!option->value || equals) {
		option_set(cli, option, equals ? equals + 1 : NULL);
		return 0;
	}
	if (*i + 1 >= argc)
		return cli_usage(
			cli, NULL, "option %s needs a value: %s", option->name, option->value);
	option_set(cli, option, argv[++*i]);
	return 0;
}

static int command_unknown(const struct cli *cli, const char *name)
{
	struct nearest nearest = nearest_start(name);
	char question[128];

	for (size_t i = 0; i < cli_command_count; i++)
		nearest_try(&nearest, cli_commands[i].name);
	const char *next = nearest_question(&nearest, question, sizeof question);
	return cli_usage(cli, next ? next : "upkeep --help", "unknown command \"%s\"", name);
}

static int usage_print(const struct cli *cli, const struct cli_command *command)
{
	return cli_usage(cli, NULL, "usage: upkeep %s%s%s", command->name,
		*command->synopsis ? " " : "", command->synopsis);
}

/* Reads a command's name, of one word or two; *i is left at its last word. */
static int command_set(struct cli *cli, int argc, char *const *argv, int *i)
{
	size_t size = strlen(argv[*i]);

	for (size_t k = 0; k < cli_command_count; k++) {
		const char *name = cli_commands[k].name;

		if (strncmp(name, argv[*i], size) != 0 || (name[size] && name[size] != ' '))
			continue;
		if (name[size] && (*i + 1 >= argc || !text_equal(argv[++*i], name + size + 1)))
			return usage_print(cli, &cli_commands[k]);
		cli->command = &cli_commands[k];
		return 0;
	}
	return command_unknown(cli, argv[*i]);
}

static int args_check(const struct cli *cli)
{
	const struct cli_command *command = cli->command;
	const char *color = cli->options.color;

	if (color && !text_in_words(color, "auto always never"))
		return cli_usage(cli, NULL, "--color is auto, always or never, not \"%s\"", color);
	if (!command || cli->options.help || cli->options.version)
		return 0;
	if (cli->args.count >= command->args_min && cli->args.count <= command->args_max)
		return 0;
	return usage_print(cli, command);
}

int options_parse(struct cli *cli, int argc, char *const *argv)
{
	bool words_only = false;

	for (int i = 1; i < argc; i++) {
		int r = 0;

		if (!words_only && text_equal(argv[i], "--"))
			words_only = true;
		else if (!words_only && argv[i][0] == '-' && argv[i][1])
			r = option_parse(cli, argc, argv, &i);
		else if (!cli->command)
			r = command_set(cli, argc, argv, &i);
		else
			vec_push(&cli->args, argv[i]);
		if (r)
			return r;
	}
	return args_check(cli);
}
