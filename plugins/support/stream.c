/* SPDX-License-Identifier: MIT */
#include "support/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

int stream_open(struct upkeep_ctx *ctx)
{
	int fd = ctx->host->stream(ctx, UPKEEP_STREAM_IN);
	return fd < 0 ? -1 : fd;
}

int stream_read(
	struct upkeep_ctx *ctx, int fd, char *bytes, size_t size, size_t *ret, struct fault *fault)
{
	struct pollfd ready[] = {
		{.fd = ctx->host->cancel_fd(ctx), .events = POLLIN}, {.fd = fd, .events = POLLIN}};
	ssize_t n = 1;
	*ret = 0;
	while (n != 0 && *ret < size) {
		if (poll(ready, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			return fault_set(fault, -errno, NULL, "cannot wait for the stream: %m");
		}
		if (ready[0].revents)
			return fault_set(
				fault, -ECANCELED, NULL, "stopped before the stream had ended");
		n = read(fd, bytes + *ret, size - *ret);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return fault_set(fault, -errno, NULL, "cannot read the stream: %m");
		if (n > 0)
			*ret += (size_t)n;
	}
	return 0;
}

int stream_open_out(struct upkeep_ctx *ctx, struct fault *fault)
{
	int fd = ctx->host->stream(ctx, UPKEEP_STREAM_OUT);
	return fd < 0
		? fault_set(fault, -EPIPE, "name this task in the `from` of one that keeps it",
			  "nobody reads what it writes")
		: fd;
}

/* 0 where there is room for at least a little. */
static int wait_for_room(struct upkeep_ctx *ctx, int fd)
{
	struct pollfd ready[] = {
		{.fd = ctx->host->cancel_fd(ctx), .events = POLLIN}, {.fd = fd, .events = POLLOUT}};
	int flags = fcntl(fd, F_GETFL);
	if (!(flags & O_NONBLOCK))
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	if (poll(ready, 2, -1) < 0)
		return errno == EINTR ? 0 : -errno;
	return ready[0].revents ? -ECANCELED : 0;
}

int stream_write(struct upkeep_ctx *ctx, int fd, const void *bytes, size_t size)
{
	const char *at = bytes;
	while (size > 0) {
		int r = wait_for_room(ctx, fd);
		ssize_t n = r < 0 ? 0 : write(fd, at, size);
		if (r < 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
			return r < 0 ? r : -errno;
		at += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int stream_write_fault(int code, struct fault *fault)
{
	if (code == -ECANCELED)
		return fault_set(fault, code, NULL, "stopped before the stream was whole");
	return fault_set(fault, code, NULL, "cannot write the stream: %s",
		code == -EPIPE ? "who read it has ended" : strerror(-code));
}

int stream_whole(struct upkeep_ctx *ctx, struct fault *fault)
{
	int r = ctx->host->upstream_whole(ctx);
	if (r < 0)
		return fault_set(
			fault, r, NULL, "cannot ask whether the stream is whole: %s", strerror(-r));
	return r ? 0
		 : fault_set(fault, -EPIPE, NULL,
			   "what the stream came from has not succeeded: nothing is stored");
}
