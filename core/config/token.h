/*
 * Tokens of libconfig's notation, with their places and what is wrong with them:
 * everything that libconfig passes silently or explains badly is told here.
 */
#ifndef UPKEEP_CONFIG_TOKEN_H
#define UPKEEP_CONFIG_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lint_place {
	uint32_t line, column; /* from 1; columns count bytes */
};

/* Told of each fault; `next` may be NULL. */
typedef void lint_report(void *data, struct lint_place at, const char *what, const char *next);

enum token_kind {
	TOKEN_END,
	TOKEN_NAME,
	TOKEN_STRING,
	TOKEN_INT,
	TOKEN_INT64,
	TOKEN_FLOAT,
	TOKEN_BOOL,
	TOKEN_SIGN,    /* = : , ; { } [ ] ( ), in `sign` */
	TOKEN_GARBAGE, /* a byte that begins nothing */
};

struct token {
	uint8_t kind; /* enum token_kind */
	char sign;
	bool spans_lines; /* a string over more than one line */
	bool unquoted;    /* taken for a string, but without its quotes: not yet reported */
	struct lint_place at;
	const char *text; /* not NUL-terminated */
	uint32_t size;
};

struct scanner {
	const char *at, *end, *line_start;
	uint32_t line;
	lint_report *report;
	void *data;
	unsigned faults;
	bool ended; /* by a fault that hides what follows */
};

/* `text` must be NUL-terminated at text[size]. */
void scanner_start(
	struct scanner *scanner, const char *text, size_t size, lint_report *report, void *data);
/* The next token; single quotes, bad escapes and numbers out of range are
 * reported and then taken for what was meant. */
void scanner_next(struct scanner *scanner, struct token *ret);
void scanner_fault(struct scanner *scanner, struct lint_place at, const char *next,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
