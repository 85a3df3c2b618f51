/* SPDX-License-Identifier: MIT */
#include "config/lint.h"

#include "base/map.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* A walk by recursive descent.  `token` is the next one, not yet used up. */
struct walk {
	struct scanner scanner;
	struct token token;
	struct lint *lint;
	bool stopped; /* by a syntax error */
	bool find_duplicates;
	unsigned depth;
	struct lint_place long_string; /* the last string over several lines; line 0: none */
	struct arena arena;            /* names, where duplicates are looked for */
};

static void advance(struct walk *walk)
{
	scanner_next(&walk->scanner, &walk->token);
	if (walk->token.spans_lines)
		walk->long_string = walk->token.at;
}

static bool is_sign(const struct walk *walk, char sign)
{
	return walk->token.kind == TOKEN_SIGN && walk->token.sign == sign;
}

static void mark(struct walk *walk)
{
	if (walk->lint)
		vec_push(&walk->lint->places, walk->token.at);
}

/* The token as people see it. */
static void describe(const struct walk *walk, char *buffer, size_t size)
{
	const struct token *token = &walk->token;
	int n = (int)(token->size < 40 ? token->size : 40);

	if (token->kind == TOKEN_END)
		snprintf(buffer, size, "the end of the file");
	else if (token->kind == TOKEN_STRING && !token->unquoted)
		snprintf(buffer, size, "the string %.*s", n, token->text);
	else
		snprintf(buffer, size, "\"%.*s\"", n, token->text);
}

/* What follows makes no sense without what was expected: the walk ends. */
static void stop(struct walk *walk, const char *next, const char *expected)
{
	char got[64], hint[96];

	if (walk->stopped || walk->scanner.ended)
		return;
	describe(walk, got, sizeof got);
	if (walk->long_string.line) {
		snprintf(hint, sizeof hint, "is the end quote of the string at line %u missing?",
			walk->long_string.line);
		next = hint;
	}
	scanner_fault(&walk->scanner, walk->token.at, next, "expected %s, got %s", expected, got);
	walk->stopped = true;
}

static void close_bracket(struct walk *walk, char bracket, struct lint_place opened)
{
	char next[64], expected[16];

	if (walk->stopped || walk->scanner.ended)
		return;
	if (is_sign(walk, bracket)) {
		advance(walk);
	} else if (walk->token.kind == TOKEN_END) {
		snprintf(next, sizeof next, "end it with \"%c\"", bracket);
		scanner_fault(&walk->scanner, opened, next, "a bracket that is never closed");
		walk->stopped = true;
	} else {
		snprintf(next, sizeof next, "the bracket to close is at line %u, column %u",
			opened.line, opened.column);
		snprintf(expected, sizeof expected, "\"%c\"", bracket);
		stop(walk, next, expected);
	}
}

/* A word or path without its quotes, where a value must be. */
static void unquoted_value(struct walk *walk)
{
	struct token word = walk->token;
	const char *s = word.text;
	char text[48], next[80];

	while (s < walk->scanner.end && (unsigned char)*s > ' ' && !strchr(",;=()[]{}\"#", *s))
		s++;
	size_t size = (size_t)(s - word.text);
	snprintf(text, sizeof text, "%.*s", (int)size, word.text);
	walk->scanner.at = s;
	advance(walk);
	bool truth = text_in_words(text, "yes no on off Yes No On Off YES NO ON OFF");
	snprintf(next, sizeof next, "put it in quotes: \"%s\"", text);
	scanner_fault(&walk->scanner, word.at, truth ? "write true or false" : next,
		"unquoted text %s", text);
}

static bool takes_unquoted(const struct walk *walk)
{
	const char *s = walk->scanner.at;

	if (walk->token.kind == TOKEN_GARBAGE)
		return strchr("/.$%~", walk->token.text[0]) != NULL;
	if (walk->token.kind != TOKEN_NAME)
		return false;
	/* "a = b = 1": the value of a is missing */
	while (*s == ' ' || *s == '\t')
		s++;
	return *s != '=' && *s != ':';
}

static void walk_value(struct walk *walk);
static void walk_settings(struct walk *walk);

static void walk_scalar(struct walk *walk)
{
	bool string = walk->token.kind == TOKEN_STRING;
	char next[96];

	if (walk->token.unquoted) {
		int n = (int)(walk->token.size < 64 ? walk->token.size : 64);
		snprintf(next, sizeof next, "put it in quotes: \"%.*s\"", n, walk->token.text);
		scanner_fault(&walk->scanner, walk->token.at, next, "unquoted text %.*s", n,
			walk->token.text);
	}
	advance(walk);
	while (string && walk->token.kind == TOKEN_STRING && !walk->token.unquoted)
		advance(walk);
}

/* After a comma: false where the list ends with it. */
static bool walk_comma(struct walk *walk, char bracket)
{
	struct lint_place at = walk->token.at;

	advance(walk);
	if (!is_sign(walk, bracket))
		return true;
	scanner_fault(
		&walk->scanner, at, "leave it out", "a comma before the closing \"%c\"", bracket);
	return false;
}

static void walk_list(struct walk *walk)
{
	struct lint_place opened = walk->token.at;

	advance(walk);
	while (!is_sign(walk, ')') && walk->token.kind != TOKEN_END) {
		walk_value(walk);
		if (walk->stopped || !is_sign(walk, ',') || !walk_comma(walk, ')'))
			break;
	}
	close_bracket(walk, ')', opened);
}

static const char *kind_name(uint8_t kind)
{
	static const char *const names[] = {[TOKEN_STRING] = "a string",
		[TOKEN_INT] = "a whole number",
		[TOKEN_INT64] = "a whole number with L",
		[TOKEN_FLOAT] = "a number with a point",
		[TOKEN_BOOL] = "true or false"};

	return names[kind];
}

static bool is_scalar(uint8_t kind)
{
	return kind >= TOKEN_STRING && kind <= TOKEN_BOOL;
}

/* libconfig cuts numbers with L that follow one without, silently. */
static void check_kind(struct walk *walk, uint8_t *first)
{
	uint8_t kind = walk->token.kind;

	if (*first == TOKEN_END)
		*first = kind;
	else if (is_scalar(kind) && kind != *first)
		scanner_fault(&walk->scanner, walk->token.at,
			"use ( ) for a list of different kinds",
			"[ ] holds values of one kind: this is %s, the first is %s",
			kind_name(kind), kind_name(*first));
}

static void walk_array(struct walk *walk)
{
	struct lint_place opened = walk->token.at;
	uint8_t first = TOKEN_END;

	advance(walk);
	while (!is_sign(walk, ']') && walk->token.kind != TOKEN_END) {
		if (is_scalar(walk->token.kind)) {
			check_kind(walk, &first);
			mark(walk);
			walk_scalar(walk);
		} else if (takes_unquoted(walk)) {
			unquoted_value(walk);
		} else {
			stop(walk, "use ( ) for a list of groups or lists", "a plain value in [ ]");
		}
		if (walk->stopped || !is_sign(walk, ',') || !walk_comma(walk, ']'))
			break;
	}
	close_bracket(walk, ']', opened);
}

static void walk_group(struct walk *walk)
{
	struct lint_place opened = walk->token.at;

	advance(walk);
	walk_settings(walk);
	close_bracket(walk, '}', opened);
}

static void walk_nested(struct walk *walk)
{
	if (++walk->depth > LINT_DEPTH_MAX) {
		scanner_fault(&walk->scanner, walk->token.at, NULL, "nested deeper than %d levels",
			LINT_DEPTH_MAX);
		walk->stopped = true;
	} else if (is_sign(walk, '{')) {
		walk_group(walk);
	} else if (is_sign(walk, '(')) {
		walk_list(walk);
	} else {
		walk_array(walk);
	}
	walk->depth--;
}

static void walk_value(struct walk *walk)
{
	mark(walk);
	if (is_scalar(walk->token.kind))
		walk_scalar(walk);
	else if (is_sign(walk, '{') || is_sign(walk, '(') || is_sign(walk, '['))
		walk_nested(walk);
	else if (takes_unquoted(walk))
		unquoted_value(walk);
	else
		stop(walk, NULL, "a value");
}

/* The names of one group so far. */
struct names {
	struct map map; /* name → index into places */
	VEC(struct lint_place) places;
};

static void note_name(struct walk *walk, struct names *names, const struct token *name)
{
	char next[64];

	if (!walk->find_duplicates)
		return;
	const char *copy = arena_copy(&walk->arena, name->text, name->size);
	uint32_t index = map_put(&names->map, copy, (uint32_t)names->places.count);
	if (index == names->places.count) {
		vec_push(&names->places, name->at);
		return;
	}
	struct lint_place first = names->places.items[index];
	snprintf(next, sizeof next, "first at line %u, column %u", first.line, first.column);
	scanner_fault(&walk->scanner, name->at, next, "\"%s\" is given twice", copy);
}

static void walk_terminator(struct walk *walk)
{
	if (!is_sign(walk, ';') && !is_sign(walk, ','))
		return;
	advance(walk);
	while (is_sign(walk, ';') || is_sign(walk, ',')) {
		scanner_fault(&walk->scanner, walk->token.at, "leave it out", "a second \"%c\"",
			walk->token.sign);
		advance(walk);
	}
}

static void walk_setting(struct walk *walk, struct names *names)
{
	struct token name = walk->token;
	char expected[96];

	note_name(walk, names, &name);
	mark(walk);
	advance(walk);
	if (!is_sign(walk, '=') && !is_sign(walk, ':')) {
		snprintf(expected, sizeof expected, "\"=\" after \"%.*s\"",
			(int)(name.size < 64 ? name.size : 64), name.text);
		stop(walk,
			walk->token.unquoted || walk->token.kind == TOKEN_GARBAGE
				? "names are made of letters, digits, - and _"
				: NULL,
			expected);
		return;
	}
	advance(walk);
	walk_value(walk);
	if (!walk->stopped)
		walk_terminator(walk);
}

static void walk_settings(struct walk *walk)
{
	struct names names = {0};

	while (!walk->stopped && walk->token.kind == TOKEN_NAME)
		walk_setting(walk, &names);
	bool ends = is_sign(walk, '}') || is_sign(walk, ')') || is_sign(walk, ']') ||
		walk->token.kind == TOKEN_END;
	if (!ends)
		stop(walk, "names begin with a letter", "the name of a setting");
	map_free(&names.map);
	vec_free(&names.places);
}

static void walk_all(struct walk *walk)
{
	advance(walk);
	walk_settings(walk);
	if (!walk->stopped && walk->token.kind != TOKEN_END)
		stop(walk, "no bracket is open here", "the name of a setting");
	arena_free(&walk->arena);
}

void lint_text(const char *text, size_t size, lint_report *report, void *data, struct lint *ret)
{
	struct walk walk = {.lint = ret};

	*ret = (struct lint){0};
	/* More than there are in any usual text; what is not touched costs nothing. */
	ret->places.room = size / 4 + 16;
	ret->places.items = base_resize(NULL, ret->places.room, sizeof ret->places.items[0]);
	scanner_start(&walk.scanner, text, size, report, data);
	walk_all(&walk);
	ret->faults = walk.scanner.faults;
}

unsigned lint_duplicates(const char *text, size_t size, lint_report *report, void *data)
{
	struct walk walk = {.find_duplicates = true};

	scanner_start(&walk.scanner, text, size, report, data);
	walk_all(&walk);
	return walk.scanner.faults;
}

void lint_free(struct lint *lint)
{
	vec_free(&lint->places);
}
