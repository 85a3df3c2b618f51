/* SPDX-License-Identifier: MIT */
#include "config/config.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "model/state.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Files larger than this are not read again for the line of an error. */
#define SHOWN_FILE_MAX (256u << 20)
/* A caret line longer than this helps nobody. */
#define SHOWN_LINE_MAX 240

void diagnostics_add(struct diagnostics *diagnostics, struct location at, const char *graph,
	bool warning, const char *next, const char *format, ...)
{
	char *what = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&what, format, ap) < 0)
		what = NULL;
	va_end(ap);
	vec_push(&diagnostics->list,
		((struct diagnostic){.at = at,
			.warning = warning,
			.graph = graph,
			.what = what ? what : base_string("out of memory"),
			.next = base_string(next)}));
}

void diagnostics_free(struct diagnostics *diagnostics)
{
	vec_each(&diagnostics->list, d) {
		free(d->what);
		free(d->next);
	}
	vec_free(&diagnostics->list);
}

static bool concerns(const struct diagnostic *diagnostic, const char *graph)
{
	return !graph || !diagnostic->graph || strcmp(diagnostic->graph, graph) == 0;
}

unsigned diagnostics_errors(const struct diagnostics *diagnostics, const char *graph)
{
	unsigned count = 0;

	vec_each(&diagnostics->list, d)
		count += !d->warning && concerns(d, graph);
	return count;
}

/* Errors without a place come first, then by file, line, column; equal ones as they came. */
static int compare_places(const void *a, const void *b)
{
	const struct diagnostic *const *x = a, *const *y = b;
	const struct location *l = &(*x)->at, *m = &(*y)->at;

	if (!l->line || !m->line || l->file == m->file) {
		if (l->line != m->line)
			return l->line < m->line ? -1 : 1;
		if (l->column != m->column)
			return l->column < m->column ? -1 : 1;
		return *x < *y ? -1 : *x > *y;
	}
	return l->file < m->file ? -1 : 1;
}

/* The file whose lines are shown; diagnostics come sorted, so one at a time is enough. */
struct shown {
	uint32_t file; /* MAP_NONE: none yet */
	char *text;
	const char *at; /* beginning of `line` */
	uint32_t line;
};

static const char *find_line(struct shown *shown, const struct site *site, struct location at)
{
	size_t size;

	if (shown->file != at.file) {
		free(shown->text);
		*shown = (struct shown){.file = at.file, .line = 1};
		if (file_load(site->files[at.file], SHOWN_FILE_MAX, &shown->text, &size, NULL) < 0)
			shown->text = NULL;
		shown->at = shown->text;
	}
	for (; shown->at && shown->line < at.line; shown->line++) {
		shown->at = strchr(shown->at, '\n');
		if (shown->at)
			shown->at++;
	}
	return shown->at;
}

/* How much of the line the caret underlines: a string, a word, or one sign. */
static size_t token_length(const char *s, const char *end)
{
	const char *t = s;

	if (s < end && *s == '"') {
		for (t++; t < end && *t != '"'; t++)
			t += *t == '\\' && t + 1 < end;
		return (size_t)((t < end ? t + 1 : end) - s);
	}
	while (t < end &&
		(strchr("-_*.+/%'", *t) || (*t >= '0' && *t <= '9') || (*t >= 'A' && *t <= 'Z') ||
			(*t >= 'a' && *t <= 'z')))
		t++;
	return t > s ? (size_t)(t - s) : 1;
}

/* Blanks as wide as the text before the caret: tabs stay, the rest of a letter of more
 * than one byte takes no room. */
static void add_margin(struct text *out, const char *line, const char *caret)
{
	for (const char *s = line; s < caret; s++)
		if (*s == '\t')
			text_addc(out, '\t');
		else if (((unsigned char)*s & 0xc0) != 0x80)
			text_addc(out, ' ');
}

static void print_line(struct text *out, const char *line, struct location at)
{
	size_t size = strcspn(line, "\r\n"), shown = size < SHOWN_LINE_MAX ? size : SHOWN_LINE_MAX;

	text_addf(out, "%5u | ", at.line);
	text_add_visible(out, line, shown);
	text_addc(out, '\n');
	if (at.column > shown + 1)
		return;
	const char *caret = line + at.column - 1;
	text_adds(out, "      | ");
	add_margin(out, line, caret);
	text_addc(out, '^');
	size_t length = token_length(caret, line + shown);
	for (size_t i = 1; i < length; i++)
		if (((unsigned char)caret[i] & 0xc0) != 0x80)
			text_addc(out, '~');
	text_addc(out, '\n');
}

static void print_one(struct text *out, const struct diagnostic *d, bool warning,
	const struct site *site, struct shown *shown)
{
	bool placed = d->at.line > 0 && d->at.file < site->file_count;

	if (placed)
		text_addf(out, "%s:%u:%u: ", site->files[d->at.file], d->at.line, d->at.column);
	text_addf(out, "%s: %s", warning ? "warning" : "error", d->what);
	if (d->next)
		text_addf(out, "; %s", d->next);
	text_addc(out, '\n');
	const char *line = placed ? find_line(shown, site, d->at) : NULL;
	if (line)
		print_line(out, line, d->at);
}

static void print_counts(struct text *out, unsigned errors, unsigned warnings)
{
	char a[32], b[32];

	if (errors)
		text_adds(out, text_count(a, sizeof a, errors, "error"));
	if (warnings)
		text_addf(out, "%s%s", errors ? ", " : "",
			text_count(b, sizeof b, warnings, "warning"));
	if (errors || warnings)
		text_addc(out, '\n');
}

/* The graphs that a run of `graph` uses are faulty with it, and no others count. */
static bool is_error_for(const struct diagnostic *d, const struct site *site, const char *graph)
{
	if (d->warning || concerns(d, graph))
		return !d->warning;
	const struct graph *whole = site_graph(site, graph), *other = site_graph(site, d->graph);
	return whole && other && whole->faulty && graph_uses(site, whole, other);
}

int diagnostics_exit_code(
	const struct diagnostics *diagnostics, const struct site *site, const char *graph)
{
	int code = EXIT_OK;

	vec_each(&diagnostics->list, d) {
		if (!is_error_for(d, site, graph))
			continue;
		if (!d->plugin)
			return EXIT_CONFIGURATION;
		code = EXIT_PLUGIN;
	}
	return code;
}

void diagnostics_print_for(const struct diagnostics *diagnostics, const struct site *site,
	const char *graph, struct text *out)
{
	struct shown shown = {.file = MAP_NONE};
	size_t count = diagnostics->list.count;
	unsigned errors = 0;
	const struct diagnostic **sorted = base_alloc((count + 1) * sizeof *sorted);

	for (size_t i = 0; i < count; i++)
		sorted[i] = &diagnostics->list.items[i];
	qsort(sorted, count, sizeof *sorted, compare_places);
	for (size_t i = 0; i < count; i++) {
		bool error = is_error_for(sorted[i], site, graph);
		print_one(out, sorted[i], !error, site, &shown);
		errors += error;
	}
	print_counts(out, errors, (unsigned)count - errors);
	free(shown.text);
	free(sorted);
}

void diagnostics_print(
	const struct diagnostics *diagnostics, const struct site *site, struct text *out)
{
	diagnostics_print_for(diagnostics, site, NULL, out);
}
