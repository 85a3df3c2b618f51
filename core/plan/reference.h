/* References: the ${...} inside strings.  "$${" is a plain "${". */
#ifndef UPKEEP_PLAN_REFERENCE_H
#define UPKEEP_PLAN_REFERENCE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum reference_kind {
	REFERENCE_PARAM,  /* ${param.NAME} */
	REFERENCE_RUN,    /* ${run.NAME}, ${graph.NAME}, ${host.NAME}, ${env.NAME} */
	REFERENCE_EACH,   /* ${each} */
	REFERENCE_OUTPUT, /* ${TASK.NAME} */
};

/* A stretch of plain text, or one reference. */
struct piece {
	bool is_reference;
	enum reference_kind kind;
	const char *text; /* plain: the text; reference: all between the braces */
	size_t size;
	size_t head_size; /* of "param", "env", TASK */
	const char *name; /* behind the point; "" of ${each} */
	size_t name_size;
};

/* The next piece at *cursor: 1; 0 at the end; -EINVAL with a message where `${` begins
 * something that is no reference. */
int reference_next(const char **cursor, struct piece *ret, struct error *err);
/* True where the whole string is one reference, which is then in *ret. */
bool reference_alone(const char *text, struct piece *ret);

#endif
