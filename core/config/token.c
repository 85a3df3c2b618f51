/* SPDX-License-Identifier: MIT */
#include "config/token.h"

#include "base/text.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLANK = 1, LETTER = 2, DIGIT = 4, SIGN = 8 };
static const uint8_t classes[256] = {
	[' '] = BLANK,
	['\t'] = BLANK,
	['\r'] = BLANK,
	['\f'] = BLANK,
	['='] = SIGN,
	[':'] = SIGN,
	[','] = SIGN,
	[';'] = SIGN,
	['{'] = SIGN,
	['}'] = SIGN,
	['['] = SIGN,
	[']'] = SIGN,
	['('] = SIGN,
	[')'] = SIGN,
	['0' ... '9'] = DIGIT,
	['A' ... 'Z'] = LETTER,
	['a' ... 'z'] = LETTER,
	['*'] = LETTER,
};

static bool is_class(char c, uint8_t class)
{
	return classes[(unsigned char)c] & class;
}

static bool in_name(char c)
{
	return is_class(c, LETTER | DIGIT) || c == '-' || c == '_';
}

static struct lint_place place_of(const struct scanner *scanner, const char *at)
{
	return (struct lint_place){scanner->line, (uint32_t)(at - scanner->line_start) + 1};
}

void scanner_fault(
	struct scanner *scanner, struct lint_place at, const char *next, const char *format, ...)
{
	char raw[512];
	struct text CLEANUP_TEXT what = {0};
	va_list ap;

	va_start(ap, format);
	vsnprintf(raw, sizeof raw, format, ap);
	va_end(ap);
	text_add_visible(&what, raw, strlen(raw));
	scanner->faults++;
	scanner->report(scanner->data, at, text_string(&what), next);
}

void scanner_start(
	struct scanner *scanner, const char *text, size_t size, lint_report *report, void *data)
{
	const char *nul = memchr(text, 0, size);

	*scanner = (struct scanner){.at = text,
		.end = text + size,
		.line_start = text,
		.line = 1,
		.report = report,
		.data = data};
	if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		scanner_fault(scanner, (struct lint_place){1, 1}, "save it as UTF-8 without one",
			"the file begins with a byte order mark");
		scanner->at += 3;
	}
	if (!nul)
		return;
	struct lint_place at = {1, 1};
	for (const char *s = text; s < nul; s++)
		at = *s == '\n' ? (struct lint_place){at.line + 1, 1}
				: (struct lint_place){at.line, at.column + 1};
	scanner_fault(scanner, at, "is this a text file?", "a NUL byte");
	scanner->end = scanner->at;
	scanner->ended = true;
}

static void new_line(struct scanner *scanner)
{
	scanner->line++;
	scanner->line_start = scanner->at;
}

static void skip_line(struct scanner *scanner)
{
	const char *line_end = memchr(scanner->at, '\n', (size_t)(scanner->end - scanner->at));

	scanner->at = line_end ? line_end : scanner->end;
}

static void skip_comment(struct scanner *scanner)
{
	struct lint_place start = place_of(scanner, scanner->at);

	for (scanner->at += 2; scanner->at < scanner->end; scanner->at++) {
		if (*scanner->at == '\n') {
			scanner->at++;
			new_line(scanner);
			scanner->at--;
		} else if (scanner->at[0] == '*' && scanner->at[1] == '/') {
			scanner->at += 2;
			return;
		}
	}
	scanner_fault(scanner, start, "end it with */", "a comment that never ends");
	scanner->ended = true;
}

static void skip_blanks(struct scanner *scanner)
{
	while (scanner->at < scanner->end) {
		char c = *scanner->at;
		if (is_class(c, BLANK)) {
			scanner->at++;
		} else if (c == '\n') {
			scanner->at++;
			new_line(scanner);
		} else if (c == '#' || (c == '/' && scanner->at[1] == '/')) {
			skip_line(scanner);
		} else if (c == '/' && scanner->at[1] == '*') {
			skip_comment(scanner);
		} else if (c == '@' && strncmp(scanner->at, "@include", 8) == 0) {
			scanner_fault(scanner, place_of(scanner, scanner->at),
				"name the file in \"graphs\" of the site file",
				"@include is not allowed");
			skip_line(scanner);
		} else {
			return;
		}
	}
}

static bool is_hex(char c)
{
	return is_class(c, DIGIT) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* At the backslash; steps over it and what it escapes. */
static void scan_escape(struct scanner *scanner)
{
	struct lint_place at = place_of(scanner, scanner->at);
	const char *s = scanner->at + 1;

	scanner->at = s < scanner->end && *s != '\n' ? s + 1 : s;
	if (*s == 'u' || *s == 'U')
		scanner_fault(scanner, at, "write the character itself, in UTF-8",
			"\\%c is not an escape", *s);
	if (*s != 'x')
		return;
	if (!is_hex(s[1]) || !is_hex(s[2]))
		scanner_fault(scanner, at, "write \\\\ for a backslash",
			"\\x takes two hexadecimal digits");
	else if (s[1] == '0' && s[2] == '0')
		scanner_fault(scanner, at, "leave it out", "a string cannot hold a NUL byte");
}

static void scan_string(struct scanner *scanner, struct token *token)
{
	token->kind = TOKEN_STRING;
	scanner->at++;
	while (scanner->at < scanner->end) {
		char c = *scanner->at;
		if (c == '\\') {
			scan_escape(scanner);
			continue;
		}
		scanner->at++;
		if (c == '"')
			return;
		if (c == '\n') {
			new_line(scanner);
			token->spans_lines = true;
		}
	}
	scanner_fault(scanner, token->at, "end it with \"", "a string that never ends");
	scanner->ended = true;
}

/* Not libconfig's, but what was meant is plain: up to the quote on the same line. */
static void scan_single_quotes(struct scanner *scanner, struct token *token)
{
	const char *s = scanner->at + 1;

	while (s < scanner->end && *s != '\'' && *s != '\n')
		s++;
	if (*s != '\'')
		for (s = scanner->at + 1; s < scanner->end && !strchr("\n;,)]}", *s);)
			s++;
	scanner->at = s < scanner->end && *s == '\'' ? s + 1 : s;
	token->kind = TOKEN_STRING;
	scanner_fault(scanner, token->at, "use double quotes", "a string in single quotes");
}

/* Copies the token's text, for strtoll and its like, and for messages. */
static const char *copy_text(const struct token *token, char *buffer, size_t size)
{
	snprintf(buffer, size, "%.*s", (int)token->size, token->text);
	return buffer;
}

/* libconfig cuts what does not fit, silently. */
static void check_range(struct scanner *scanner, const struct token *token, bool hex)
{
	char buffer[40];
	bool large = token->kind == TOKEN_INT64;
	bool fits = token->size < sizeof buffer;

	copy_text(token, buffer, sizeof buffer);
	errno = 0;
	long long n = strtoll(buffer, NULL, hex ? 16 : 10);
	fits = fits && !errno;
	if (fits && (large || (n >= INT32_MIN && n <= INT32_MAX)))
		return;
	scanner_fault(scanner, token->at, fits ? "write an L behind it" : NULL,
		fits ? "the number %s does not fit into 32 bits"
		     : "the number %s does not fit into 64 bits",
		buffer);
}

/* A number that runs on into letters: "5m", "64MiB", "10.0.0.1". */
static bool scan_unquoted(struct scanner *scanner, struct token *token)
{
	const char *s = scanner->at;

	bool comment = *s == '/' && (s[1] == '/' || s[1] == '*');
	if (s >= scanner->end || comment || !(in_name(*s) || *s == '.' || *s == '/' || *s == '%'))
		return false;
	while (s < scanner->end && (in_name(*s) || strchr("./%+", *s)))
		s++;
	token->size = (uint32_t)(s - token->text);
	scanner->at = s;
	token->kind = TOKEN_STRING;
	token->unquoted = true;
	return true;
}

static const char *skip_digits(const char *s)
{
	while (is_class(*s, DIGIT))
		s++;
	return s;
}

/* The end of the fraction and exponent at `s`, or NULL where there is neither. */
static const char *float_end(const char *s)
{
	const char *end = NULL;

	if (*s == '.')
		end = s = skip_digits(s + 1);
	if ((*s == 'e' || *s == 'E') && (end || is_class(s[-1], DIGIT))) {
		const char *digits = s + 1 + (s[1] == '+' || s[1] == '-');
		if (is_class(*digits, DIGIT))
			end = skip_digits(digits);
	}
	return end;
}

static void check_float(struct scanner *scanner, const struct token *token)
{
	bool digit = false;

	for (uint32_t i = 0; i < token->size; i++)
		digit |= is_class(token->text[i], DIGIT);
	if (!digit)
		scanner_fault(scanner, token->at, "write 0.0", "a number without digits");
	else if (!isfinite(strtod(token->text, NULL)))
		scanner_fault(scanner, token->at, NULL, "the number %.*s is too large",
			(int)(token->size < 64 ? token->size : 64), token->text);
}

/* Digits, a sign before them, or a point: false where it is no number at all. */
static bool scan_number(struct scanner *scanner, struct token *token)
{
	const char *s = scanner->at;
	bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X') && is_hex(s[2]);

	token->kind = TOKEN_INT;
	if (hex) {
		for (s += 2; is_hex(*s);)
			s++;
	} else {
		s = skip_digits(s + (*s == '+' || *s == '-'));
		const char *end = float_end(s);
		if (end)
			token->kind = TOKEN_FLOAT;
		else if (s == scanner->at || !is_class(s[-1], DIGIT))
			return false;
		s = end ? end : s;
	}
	if (token->kind == TOKEN_INT && *s == 'L') {
		token->kind = TOKEN_INT64;
		s += 1 + (s[1] == 'L');
	}
	scanner->at = s;
	token->size = (uint32_t)(s - token->text);
	if (scan_unquoted(scanner, token))
		return true;
	if (token->kind == TOKEN_FLOAT)
		check_float(scanner, token);
	else if (token->size > 9)
		check_range(scanner, token, hex);
	return true;
}

static void scan_word(struct scanner *scanner, struct token *token)
{
	const char *s = scanner->at;

	while (in_name(*s))
		s++;
	token->size = (uint32_t)(s - token->text);
	scanner->at = s;
	bool truth = (token->size == 4 && strncasecmp(token->text, "true", 4) == 0) ||
		(token->size == 5 && strncasecmp(token->text, "false", 5) == 0);
	token->kind = truth ? TOKEN_BOOL : TOKEN_NAME;
}

void scanner_next(struct scanner *scanner, struct token *ret)
{
	skip_blanks(scanner);
	*ret = (struct token){.at = place_of(scanner, scanner->at), .text = scanner->at};
	if (scanner->at >= scanner->end)
		return;
	char c = *scanner->at;
	if (is_class(c, LETTER)) {
		scan_word(scanner, ret);
	} else if (is_class(c, SIGN)) {
		ret->kind = TOKEN_SIGN;
		ret->sign = c;
		scanner->at++;
	} else if (c == '"') {
		scan_string(scanner, ret);
	} else if (c == '\'') {
		scan_single_quotes(scanner, ret);
	} else if (!((is_class(c, DIGIT) || strchr("+-.", c)) && scan_number(scanner, ret))) {
		ret->kind = TOKEN_GARBAGE;
		scanner->at++;
	}
	ret->size = (uint32_t)(scanner->at - ret->text);
}
