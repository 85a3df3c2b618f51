/* What to type next, as it works where it is pasted. */
#ifndef UPKEEP_REPORT_NEXT_H
#define UPKEEP_REPORT_NEXT_H

#include "base/text.h"
#include "model/state.h"

#include <stdbool.h>

/* Adds `next`; commands of upkeep in it get the options `given` (" --site FILE", NULL: none),
 * the word RUN becomes `run_id` (NULL: stays). */
void next_add(struct text *out, const char *next, const char *given, const char *run_id);
/* The same on the heap; NULL for NULL. */
char *next_string(const char *next, const char *given, const char *run_id);

/* A run, as far as it says what to type after it; texts may be NULL. */
struct next_run {
	enum run_state state;
	const char *next;             /* what it says itself */
	const char *task, *task_next; /* the task that failed first, and what that says */
	bool task_held;               /* what it says is why its undo is held */
	bool look;                    /* nobody has looked at the run yet: show comes first */
};
/* Adds it as next_add takes it; nothing where there is nothing to type. */
void next_after(const struct next_run *run, struct text *out);

#endif
