/* A stream while it is read: what the task gets by `from`. */
#ifndef BACKUP_STREAM_H
#define BACKUP_STREAM_H

#include <stddef.h>
#include <upkeep/plugin.h>

#include "support/fault.h"

/* The descriptor, or -1 where the task reads nothing; in run only. */
int stream_open(struct upkeep_ctx *ctx);
/* Reads until `size` bytes are there or the stream ends (*ret less than `size`); a cancel ends it
 * (-ECANCELED). */
int stream_read(
	struct upkeep_ctx *ctx, int fd, char *bytes, size_t size, size_t *ret, struct fault *fault);
/* After its end, before anything is published: everything upstream has succeeded. */
int stream_whole(struct upkeep_ctx *ctx, struct fault *fault);

#endif
