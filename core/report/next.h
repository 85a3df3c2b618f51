/* What to type next, as it works where it is pasted. */
#ifndef UPKEEP_REPORT_NEXT_H
#define UPKEEP_REPORT_NEXT_H

#include "base/text.h"

/* Adds `next`; commands of upkeep in it get the options `given` (" --site FILE", NULL: none),
 * the word RUN becomes `run_id` (NULL: stays). */
void next_add(struct text *out, const char *next, const char *given, const char *run_id);
/* The same on the heap; NULL for NULL. */
char *next_string(const char *next, const char *given, const char *run_id);

#endif
