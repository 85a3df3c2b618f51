/* Decoding: a group of values into the plugin's own C struct. */
#ifndef UPKEEP_WORKER_DECODE_H
#define UPKEEP_WORKER_DECODE_H

#include "base/arena.h"
#include "base/error.h"
#include "model/value.h"

#include <upkeep/plugin.h>

/* A decoded struct; all of it in the arena. */
struct arguments {
	void *block; /* `size` bytes; never NULL */
	const struct upkeep_param *params;
	size_t count;
	uint8_t *states; /* UPKEEP_ARG_*, one a parameter */
};

/* Checks `group` against the table (types, bounds, unknown and missing members) and fills
 * the struct.  What is not given gets its default.  Numbers that came as text (from an
 * output) are made numbers in `group`.  -EINVAL with all faults. */
int arguments_decode(const struct upkeep_param *params, size_t count, size_t size,
	struct value *group, struct arena *arena, struct arguments *ret, struct error *err);
/* True where one of them is not known yet. */
bool arguments_unknown(const struct arguments *arguments);
/* UPKEEP_ARG_* of the parameter at that offset; -EINVAL: there is none. */
int32_t arguments_state(const struct arguments *arguments, size_t offset);

#endif
