/* SPDX-License-Identifier: MIT */
#include "postgres/flow.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

int flow_in(struct upkeep_ctx *ctx, int *ret, struct fault *fault)
{
	*ret = ctx->host->stream(ctx, UPKEEP_STREAM_IN);
	return *ret < 0 ? fault_set(fault, -EINVAL, "set from to the task that it is to read",
				  "there is nothing to read")
			: 0;
}

int flow_out(struct upkeep_ctx *ctx, int *ret, struct fault *fault)
{
	*ret = ctx->host->stream(ctx, UPKEEP_STREAM_OUT);
	if (*ret < 0)
		return fault_set(fault, -EINVAL,
			"read it by from in another task, such as backup.create",
			"nobody reads what would be written");
	int flags = fcntl(*ret, F_GETFL);
	return flags < 0 || fcntl(*ret, F_SETFL, flags | O_NONBLOCK) < 0
		? fault_set(fault, -errno, NULL, "cannot prepare the stream: %m")
		: 0;
}

int flow_await(struct upkeep_ctx *ctx, int fd, short events, struct fault *fault)
{
	struct pollfd fds[] = {
		{.fd = ctx->host->cancel_fd(ctx), .events = POLLIN}, {.fd = fd, .events = events}};
	while (poll(fds, 2, -1) < 0)
		if (errno != EINTR)
			return fault_set(fault, -errno, NULL, "cannot wait: %m");
	return fds[0].revents ? fault_set(fault, -ECANCELED, NULL, "stopped before the end") : 0;
}

int flow_read_some(
	struct upkeep_ctx *ctx, int fd, void *bytes, size_t size, size_t *ret, struct fault *fault)
{
	for (;;) {
		int r = flow_await(ctx, fd, POLLIN, fault);
		if (r < 0)
			return r;
		ssize_t n = read(fd, bytes, size);
		if (n >= 0) {
			*ret = (size_t)n;
			return 0;
		}
		if (errno != EINTR && errno != EAGAIN)
			return fault_set(fault, -errno, NULL, "cannot read the stream: %m");
	}
}

int flow_read(
	struct upkeep_ctx *ctx, int fd, void *bytes, size_t size, size_t *ret, struct fault *fault)
{
	size_t n = 1;
	int r = 0;
	for (*ret = 0; r == 0 && n > 0 && *ret < size; *ret += r == 0 ? n : 0)
		r = flow_read_some(ctx, fd, (char *)bytes + *ret, size - *ret, &n, fault);
	return r;
}

int flow_write(struct upkeep_ctx *ctx, int fd, const void *bytes, size_t size, struct fault *fault)
{
	for (const char *at = bytes; size > 0;) {
		ssize_t n = write(fd, at, size);
		if (n < 0 && errno == EAGAIN) {
			int r = flow_await(ctx, fd, POLLOUT, fault);
			if (r < 0)
				return r;
		} else if (n < 0 && errno != EINTR)
			return fault_set(fault, -errno, NULL, "cannot write to the stream: %m");
		if (n > 0) {
			at += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

int flow_whole(struct upkeep_ctx *ctx, struct fault *fault)
{
	int r = ctx->host->upstream_whole(ctx);
	if (r < 0)
		return fault_set(
			fault, r, NULL, "cannot ask whether the stream is whole: %s", strerror(-r));
	return r ? 0
		 : fault_set(fault, -EPIPE, "see why it failed: upkeep show last",
			   "what the stream came from has not succeeded");
}
