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

int stream_open_out(struct upkeep_ctx *ctx, struct fault *fault)
{
	int fd = ctx->host->stream(ctx, UPKEEP_STREAM_OUT);
	return fd < 0
		? fault_set(fault, -EPIPE, "name this task in the `from` of one that keeps it",
			  "nobody reads what it writes")
		: fd;
}

int stream_pipe(int ends[2], struct fault *fault)
{
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fault_set(fault, -errno, NULL, "cannot make a pipe: %m");
	/* less must do where that is not allowed */
	fcntl(ends[1], F_SETPIPE_SZ, STREAM_PIPE_BYTES);
	return 0;
}

int stream_await(struct upkeep_ctx *ctx, int fd, short events, struct fault *fault)
{
	struct pollfd ready[] = {
		{.fd = ctx->host->cancel_fd(ctx), .events = POLLIN}, {.fd = fd, .events = events}};
	while (poll(ready, 2, -1) < 0)
		if (errno != EINTR)
			return fault_set(fault, -errno, NULL, "cannot wait: %m");
	return ready[0].revents ? fault_set(fault, -ECANCELED, NULL, "stopped before the end") : 0;
}

int stream_read_some(
	struct upkeep_ctx *ctx, int fd, void *bytes, size_t size, size_t *ret, struct fault *fault)
{
	ssize_t n;
	*ret = 0;
	do {
		int r = stream_await(ctx, fd, POLLIN, fault);
		if (r < 0)
			return r;
		n = read(fd, bytes, size);
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	if (n < 0)
		return fault_set(fault, -errno, NULL, "cannot read the stream: %m");
	*ret = (size_t)n;
	return 0;
}

int stream_read(
	struct upkeep_ctx *ctx, int fd, void *bytes, size_t size, size_t *ret, struct fault *fault)
{
	size_t n = 1;
	int r = 0;
	for (*ret = 0; r == 0 && n > 0 && *ret < size; *ret += n)
		r = stream_read_some(ctx, fd, (char *)bytes + *ret, size - *ret, &n, fault);
	return r;
}

int stream_write(struct upkeep_ctx *ctx, int fd, const void *bytes, size_t size)
{
	const char *at = bytes;
	int flags = fcntl(fd, F_GETFL);
	if (!(flags & O_NONBLOCK))
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	while (size > 0) {
		int r = stream_await(ctx, fd, POLLOUT, NULL);
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
		 : fault_set(fault, -EPIPE, "see why it failed: upkeep show last",
			   "what the stream came from has not succeeded: nothing is kept of it");
}
