/* Figures against their thresholds. */
#ifndef SYSTEM_FIGURES_H
#define SYSTEM_FIGURES_H

#include <upkeep/plugin.h>

/* What a callback has found so far. */
struct figures {
	struct upkeep_ctx *ctx;
	int warned, critical;
	char first[256]; /* the first critical one, in words */
};

/* A row of the table "health": the value in `unit` ("%", "" ...) on `what`, state ok,
 * warn or critical; a threshold of 0 is none. */
void figure_judge(struct figures *figures, const char *what, double value, const char *unit,
	double warn, double crit);

/* A row without a number: something is plainly wrong. */
void figure_fault(struct figures *figures, const char *what, const char *fault);

/* The outputs "state", "warnings" and "critical", and the result. */
int32_t figures_finish(struct figures *figures, const char *next);

#endif
