/* Streams: what the task gets by `from`, what others get from it, and pipes to programs, with an
 * eye on the host's cancel_fd. */
#ifndef SUPPORT_STREAM_H
#define SUPPORT_STREAM_H

#include <stddef.h>
#include <upkeep/plugin.h>

#include "support/fault.h"

#define STREAM_PIPE_BYTES (1 << 20)

/* The descriptor, or -1 where the task reads nothing; in run only. */
int stream_open(struct upkeep_ctx *ctx);
/* The descriptor of what others read, for gpg to write to or for stream_write, which makes it one
 * that does not block; in run only. */
int stream_open_out(struct upkeep_ctx *ctx, struct fault *fault);
/* A pipe as wide as those between tasks, closed by exec. */
int stream_pipe(int ends[2], struct fault *fault);

/* Waits until fd has `events` (of poll), for as long as it takes; a cancel ends it
 * (-ECANCELED), as it ends all of these that wait. */
int stream_await(struct upkeep_ctx *ctx, int fd, short events, struct fault *fault);
/* Reads what is there, at least one byte; *ret 0 at the end. */
int stream_read_some(
	struct upkeep_ctx *ctx, int fd, void *bytes, size_t size, size_t *ret, struct fault *fault);
/* Reads until `size` bytes are there or the stream ends (*ret less than `size`). */
int stream_read(
	struct upkeep_ctx *ctx, int fd, void *bytes, size_t size, size_t *ret, struct fault *fault);
/* Writes all of it.  -EPIPE: nobody reads it any more. */
int stream_write(struct upkeep_ctx *ctx, int fd, const void *bytes, size_t size);
/* What stream_write, or what wrote by it, answered, as a message. */
int stream_write_fault(int code, struct fault *fault);

/* After its end, before anything is published: everything upstream has succeeded.  -EPIPE: it has
 * not. */
int stream_whole(struct upkeep_ctx *ctx, struct fault *fault);

#endif
