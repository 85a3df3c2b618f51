/* SPDX-License-Identifier: MIT */
#include "postgres/redact.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "support/fault.h"

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* Past the string that begins at `at` (a quote); backslashes count where `escapes`. */
static const char *string_end(const char *at, bool escapes)
{
	for (at++; *at; at++)
		if (*at == '\'' && at[1] == '\'')
			at++;
		else if (*at == '\'')
			return at + 1;
		else if (escapes && *at == '\\' && at[1])
			at++;
	return at;
}

/* Past $tag$ ... $tag$, or NULL where none begins here. */
static const char *dollar_end(const char *at)
{
	const char *tag = at + 1;
	while (is_word(*tag) && (tag > at + 1 || !isdigit((unsigned char)*tag)))
		tag++;
	if (*tag != '$')
		return NULL;
	size_t n = (size_t)(tag + 1 - at);
	for (const char *p = tag + 1; *p; p++)
		if (strncmp(p, at, n) == 0)
			return p + n;
	return at + strlen(at);
}

/* Past a comment, or NULL where none begins here; those with stars nest. */
static const char *comment_end(const char *at)
{
	if (at[0] == '-' && at[1] == '-')
		return at + strcspn(at, "\n");
	if (at[0] != '/' || at[1] != '*')
		return NULL;
	int depth = 0;
	for (; *at; at++) {
		if (at[0] == '/' && at[1] == '*') {
			depth++;
			at++;
		} else if (at[0] == '*' && at[1] == '/') {
			at++;
			if (--depth == 0)
				return at + 1;
		}
	}
	return at;
}

/* Past a string or number that begins here, or NULL; `before` is the character before. */
static const char *value_end(const char *at, char before)
{
	const char *prefix = at;
	if (!is_word(before) && strchr("eEbBxXnN", *at) && at[1] == '\'')
		prefix = at + 1;
	else if (!is_word(before) && strchr("uU", *at) && at[1] == '&' && at[2] == '\'')
		prefix = at + 2;
	if (*prefix == '\'')
		return string_end(prefix, *at == 'e' || *at == 'E');
	if (*at == '$' && !is_word(before))
		return dollar_end(at);
	if (!isdigit((unsigned char)*at) || is_word(before) || before == '$')
		return NULL;
	while (is_word(*at) || *at == '.' || (strchr("+-", *at) && strchr("eE", at[-1])))
		at++;
	return at;
}

/* A name in double quotes stays as it is. */
static size_t name_length(const char *at)
{
	size_t n = 1;
	while (at[n] && at[n] != '"')
		n++;
	return at[n] ? n + 1 : n;
}

/* Cut between characters. */
static void shorten(char *text, size_t size)
{
	if (size <= REDACT_BYTES)
		return;
	size = REDACT_BYTES;
	while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80)
		size--;
	memcpy(text + size, "...", 4);
}

char *redact_statement(const char *sql)
{
	size_t n = 0;
	char *text = fault_alloc(strlen(sql) + 4);
	for (const char *at = sql; *at;) {
		const char *end = comment_end(at);
		char before = at > sql ? at[-1] : ' ';
		if (end || isspace((unsigned char)*at)) {
			at = end ? end : at + 1;
			if (n > 0 && text[n - 1] != ' ')
				text[n++] = ' ';
		} else if ((end = value_end(at, before))) {
			at = end;
			text[n++] = '?';
		} else {
			size_t length = *at == '"' ? name_length(at) : 1;
			memcpy(text + n, at, length);
			n += length;
			at += length;
		}
	}
	shorten(text, n);
	return text;
}
