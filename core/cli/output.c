/* SPDX-License-Identifier: MIT */
#include "cli/command.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int cli_fail(int code, const struct error *err)
{
	fflush(stdout);
	fprintf(stderr, "upkeep: %s\n", error_what(err));
	if (err->next)
		fprintf(stderr, "next: %s\n", err->next);
	return code;
}

int cli_usage(const char *next, const char *format, ...)
{
	va_list ap;

	fputs("upkeep: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, "%s%s\n", next ? "; " : "", next ? next : "");
	return EXIT_USAGE;
}

void cli_print_text(struct text *text)
{
	fwrite(text_string(text), 1, text->size, stdout);
	text_free(text);
}

void cli_print_json(json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(json);
}

bool cli_colors(const struct cli *cli, int fd)
{
	const char *no_color = getenv("NO_COLOR");

	if (text_equal(cli->options.color, "always"))
		return true;
	if (text_equal(cli->options.color, "never") || (no_color && *no_color))
		return false;
	return isatty(fd);
}
