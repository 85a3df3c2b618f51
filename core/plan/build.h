/*
 * plan_build: a checked graph of a site → the plan of one run.
 */
#ifndef UPKEEP_PLAN_BUILD_H
#define UPKEEP_PLAN_BUILD_H

#include "config/config.h"
#include "model/plan.h"

struct plan_options {
	/* --param NAME=VALUE, as written. */
	const char *const *params;
	size_t param_count;
	/* A group of those that a plan has had, typed; NULL: none.  Others are ignored. */
	const struct value *values;
	const char *const *only, *const *skip; /* task names */
	size_t only_count, skip_count;
	const char *start_at; /* NULL: the beginning */
	bool check_only;      /* no globs are expanded, parameters need no values */
};

/* What can only be seen in the whole graph is checked here: cycles (printed; also
 * through a gang), edges to nowhere, streams, references, `when` types.  Errors
 * go to `diagnostics`; then -EINVAL is returned.  Usage errors (--param, --only)
 * come back as `err` with -ENOENT or -ERANGE.  The caller frees *ret_plan. */
int plan_build(const struct site *site, const struct graph *graph,
	const struct plan_options *options, struct plan **ret_plan, struct diagnostics *diagnostics,
	struct error *err);
void plan_free(struct plan *plan);

/* Replaces every ${...} of `value`: the result is of kinds STRING, INT, ... again.
 * `output` gives the text of TASK.OUTPUT, one element a line where it is a list
 * (NULL: not there yet, VALUE_UNKNOWN results; members of groups may be unknown each
 * for itself); `run` gives run.*, graph.*, host.*, env.* by their whole name
 * ("env.HOME"); NULL from it is an error, a NULL `run` makes them unknown. */
struct plan_lookup {
	const char *(*output)(void *data, const char *task, const char *output);
	const char *(*run)(void *data, const char *name);
	void *data;
	bool all_known; /* an output that is not there will not come: its list is empty, any
	                 * other is an error that names it */
};
int plan_resolve(const struct plan *plan, const struct plan_detail *detail,
	const struct value *value, const struct plan_lookup *lookup, struct arena *arena,
	struct value *ret, struct error *err);
/* Is the task's `when` (and that of every core.graph around it) true?  1, 0, or a negative errno.
 */
int plan_when(const struct plan *plan, const struct plan_detail *detail,
	const struct plan_lookup *lookup, struct error *err);

/* The resolved plan as JSON, for the journal: complete enough to make the plan again
 * without the configuration.  Secrets are in it by their names only. */
struct text;
void plan_text(const struct plan *plan, struct text *out);

#endif
