/* Resolving: references → values, before and during the run. */
#ifndef UPKEEP_PLAN_RESOLVE_H
#define UPKEEP_PLAN_RESOLVE_H

#include "plan/build.h"
#include "plan/reference.h"

/* The value of one reference as `detail` means it; VALUE_UNKNOWN: not known yet. */
int resolve_reference(const struct plan *plan, const struct plan_detail *detail,
	const struct piece *piece, const struct plan_lookup *lookup, struct arena *arena,
	struct value *ret, struct error *err);
/* Its UPKEEP_* type, 0 for any text; -ENOENT where it names nothing. */
int resolve_type(const struct plan *plan, const struct plan_detail *detail,
	const struct piece *piece, uint32_t *ret, struct error *err);
/* The graph's parameter of that name, or NULL. */
const struct graph_param *resolve_param(const struct graph *graph, const char *name, size_t size);
/* The type of ${each} where the task's `each` is that value. */
uint32_t resolve_each_type(const struct graph *graph, const struct value *each);

#endif
