/* A file without a name, for what is too large for memory and no secret. */
#ifndef BACKUP_SPOOL_H
#define BACKUP_SPOOL_H

#include "support/fault.h"

/* Makes one in the directory `dir`; NULL: in the task's own.  The descriptor, or a negative errno.
 */
int spool_open(struct upkeep_ctx *ctx, const char *dir, struct fault *fault);

#endif
