/* Streams: what the task gets by `from`, and what others get from it. */
#ifndef SUPPORT_STREAM_H
#define SUPPORT_STREAM_H

#include <stddef.h>
#include <upkeep/plugin.h>

#include "support/fault.h"

/* The descriptor, or -1 where the task reads nothing; in run only. */
int stream_open(struct upkeep_ctx *ctx);
/* Reads until `size` bytes are there or the stream ends (*ret less than `size`); a cancel ends it
 * (-ECANCELED). */
int stream_read(
	struct upkeep_ctx *ctx, int fd, char *bytes, size_t size, size_t *ret, struct fault *fault);
/* The descriptor of what others read, for gpg to write to or for stream_write, which makes it one
 * that does not block; in run only. */
int stream_open_out(struct upkeep_ctx *ctx, struct fault *fault);
/* Writes all of it; a cancel ends it (-ECANCELED).  -EPIPE: nobody reads it any more. */
int stream_write(struct upkeep_ctx *ctx, int fd, const void *bytes, size_t size);
/* What stream_write, or what wrote by it, answered, as a message. */
int stream_write_fault(int code, struct fault *fault);

/* After its end, before anything is published: everything upstream has succeeded. */
int stream_whole(struct upkeep_ctx *ctx, struct fault *fault);

#endif
