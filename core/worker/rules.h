/* What every host asks of a plugin's calls, whether it is the worker or the fake host of
 * the tests: so that what passes in an author's test passes in a run. */
#ifndef UPKEEP_WORKER_RULES_H
#define UPKEEP_WORKER_RULES_H

#include "base/error.h"
#include "model/describe.h"

#include <stdbool.h>

/* What the callback is for; the same numbers as enum wire_mode. */
enum call_mode { CALL_RUN, CALL_PLAN, CALL_CHECK, CALL_PROBE, CALL_UNDO, CALL_OPEN };

/* 0, -ENOENT: not declared, -EINVAL: not of its type. */
int rules_output(const struct action_description *action, const char *name, const char *value,
	struct error *err);
/* A zeroed struct of `size` bytes gets as much of theirs as both know; -EINVAL where theirs is
 * smaller than in 1.0. */
int rules_copy(void *ret, size_t size, const void *theirs, size_t their_size, size_t least);
/* -EINVAL: a name, size or file that a record may not have. */
int rules_record(const struct upkeep_undo *record, struct error *err);
bool rules_is_plain_name(const char *name); /* of a file in a directory */
/* True where a callback of that mode may return it. */
bool rules_result(enum call_mode mode, int32_t result);
/* Syncs the files of a record and their directory; -EINVAL: not a plain file. */
int rules_sync(int dir, const struct upkeep_undo *record);

#define UNDO_1_0 80u
#define SPAWN_1_0 64u
#define CELL_1_0 24u
#define CELLS_MAX 256u

#endif
