/*
 * Lint: a walk over a configuration file's text before libconfig sees it.  It
 * tells what libconfig passes silently (cut integers, unfinished comments) or
 * explains badly ("syntax error"), and remembers where each name and value is.
 */
#ifndef UPKEEP_CONFIG_LINT_H
#define UPKEEP_CONFIG_LINT_H

#include "config/token.h"

#include "base/vec.h"

/* Groups and lists deeper than this are an error. */
#define LINT_DEPTH_MAX 64

/* The places of all names and values, in the order of the text: of a setting
 * its name, then its value, then what the value holds. */
struct lint {
	VEC(struct lint_place) places;
	unsigned faults;
};

/* Walks text[size] (NUL-terminated).  All faults but those after a syntax error
 * are reported.  The caller frees *ret. */
void lint_text(const char *text, size_t size, lint_report *report, void *data, struct lint *ret);
/* Reports the names that are given twice in their group; slower, so it is
 * called only when libconfig has found one.  Returns their count. */
unsigned lint_duplicates(const char *text, size_t size, lint_report *report, void *data);
void lint_free(struct lint *lint);

#endif
