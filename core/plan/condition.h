/*
 * Conditions: the text of `when`.
 *
 *	or    := and { "or" and }
 *	and   := not { "and" not }
 *	not   := "not" not | "(" or ")" | operand [ ("==" "!=" "<" "<=" ">" ">=") operand ]
 *
 * An operand alone must be a bool.  Operands are ${...}, 'strings', numbers, sizes,
 * durations, percentages, true and false.
 */
#ifndef UPKEEP_PLAN_CONDITION_H
#define UPKEEP_PLAN_CONDITION_H

#include "base/arena.h"
#include "model/value.h"
#include "plan/reference.h"

struct condition;

/* Reads the text; it must outlive the condition.  NULL with a message: not a condition. */
struct condition *condition_parse(struct arena *arena, const char *text, struct error *err);

/* What the references of a condition are and say.  Both return 0 or a negative errno. */
struct condition_lookup {
	/* The UPKEEP_* type; 0: any text. */
	int (*type)(void *data, const struct piece *piece, uint32_t *ret, struct error *err);
	int (*value)(void *data, const struct piece *piece, struct value *ret, struct error *err);
	void *data;
};
/* Do both sides of each comparison have one type? 0, or -EINVAL and a message. */
int condition_check(const struct condition *condition, const struct condition_lookup *lookup,
	struct error *err);
/* 1, 0, or a negative errno. */
int condition_holds(const struct condition *condition, const struct condition_lookup *lookup,
	struct error *err);

#endif
