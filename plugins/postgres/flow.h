/* Bytes through pipes, with an eye on the host's cancel_fd. */
#ifndef POSTGRES_FLOW_H
#define POSTGRES_FLOW_H

#include "support/fault.h"

/* The input of the task.  -EINVAL: it has none. */
int flow_in(struct upkeep_ctx *ctx, int *ret, struct fault *fault);
/* The output of the task, so that a write never waits.  -EINVAL: nobody reads it. */
int flow_out(struct upkeep_ctx *ctx, int *ret, struct fault *fault);
/* Waits until fd has `events` (of poll), for as long as it takes.  -ECANCELED. */
int flow_await(struct upkeep_ctx *ctx, int fd, short events, struct fault *fault);
/* Reads until `size` bytes are there or it ends (*ret less than `size`).  -ECANCELED. */
int flow_read(
	struct upkeep_ctx *ctx, int fd, void *bytes, size_t size, size_t *ret, struct fault *fault);
/* Reads what is there, at least one byte; *ret 0 at the end.  -ECANCELED. */
int flow_read_some(
	struct upkeep_ctx *ctx, int fd, void *bytes, size_t size, size_t *ret, struct fault *fault);
/* Writes all of it to a descriptor that does not block.  -EPIPE: its reader has gone;
 * -ECANCELED. */
int flow_write(struct upkeep_ctx *ctx, int fd, const void *bytes, size_t size, struct fault *fault);
/* After the end of the input, before anything is published: everything upstream has
 * succeeded.  -EPIPE: it has not. */
int flow_whole(struct upkeep_ctx *ctx, struct fault *fault);

#endif
