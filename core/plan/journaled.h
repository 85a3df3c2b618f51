/* What plan_text and plan_restore share. */
#ifndef UPKEEP_PLAN_JOURNALED_H
#define UPKEEP_PLAN_JOURNALED_H

#include <stddef.h>

/* {"checksum":"0123456789abcdef",  over all that follows. */
enum { JOURNALED_HEAD_SIZE = 31 };
void journaled_head(const char *rest, size_t size, char ret[JOURNALED_HEAD_SIZE + 1]);

#endif
