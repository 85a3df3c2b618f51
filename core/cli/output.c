/* SPDX-License-Identifier: MIT */
#include "cli/command.h"

#include "base/cleanup.h"
#include "report/next.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a shell takes as it is. */
#define SAFE "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./,:=@%+-"

static void option_add(struct text *out, const char *option, const char *value)
{
	if (!value)
		return;
	text_addf(out, " %s ", option);
	if (*value && !value[strspn(value, SAFE)]) {
		text_adds(out, value);
		return;
	}
	text_addc(out, '\'');
	for (; *value; value++)
		*value == '\'' ? text_adds(out, "'\\''") : text_addc(out, *value);
	text_addc(out, '\'');
}

char *cli_given(const struct cli *cli)
{
	struct text text = {0};

	option_add(&text, "--site", cli->options.site);
	option_add(&text, "--state-dir", cli->options.state_dir);
	return text.bytes ? text_take(&text) : base_string("");
}

char *cli_next(const struct cli *cli, const char *next, const char *run_id)
{
	CLEANUP_FREE char *given = cli_given(cli);

	return next_string(next, given, run_id);
}

int cli_fail(const struct cli *cli, int code, const struct error *err)
{
	CLEANUP_FREE char *next = cli_next(cli, err->next, NULL);

	fflush(stdout);
	fprintf(stderr, "upkeep: %s\n", error_what(err));
	if (next)
		fprintf(stderr, "next: %s\n", next);
	return code;
}

int cli_usage(const struct cli *cli, const char *advice, const char *format, ...)
{
	CLEANUP_FREE char *next = cli_next(cli, advice, NULL);
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
