/* SPDX-License-Identifier: MIT */
#include "backup/flow.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "support/cleanup.h"

int flow_start(struct seal_job *job, struct keys *keys, enum seal_work work, int in, int out,
	struct fault *fault)
{
	CLEANUP_FD int own_in = fcntl(in, F_DUPFD_CLOEXEC, 3);
	CLEANUP_FD int own_out = own_in < 0 ? -1 : fcntl(out, F_DUPFD_CLOEXEC, 3);
	if (own_out < 0)
		return fault_set(fault, -errno, NULL, "cannot use the stream: %m");
	return seal_pipe(job, keys, work, TAKE_FD(own_in), TAKE_FD(own_out), fault);
}

int flow_wait(struct seal_job *job, struct seal_job *other, struct seal_job **ret_first,
	struct fault *fault)
{
	struct upkeep_ctx *ctx = job->ctx;
	struct pollfd fds[] = {{.fd = ctx->host->cancel_fd(ctx), .events = POLLIN},
		{.fd = job->exit_fd, .events = POLLIN},
		{.fd = other ? other->exit_fd : -1, .events = POLLIN}};
	while (!fds[0].revents && !fds[1].revents && !fds[2].revents)
		if (poll(fds, UPKEEP_COUNT(fds), -1) < 0 && errno != EINTR)
			return fault_set(fault, -errno, NULL, "cannot wait for gpg: %m");
	if (fds[0].revents)
		return fault_set(fault, -ECANCELED, NULL, "stopped before the stream had ended");
	*ret_first = fds[1].revents ? job : other;
	return 0;
}

void flow_abort(struct seal_job *job)
{
	if (seal_busy(job))
		seal_abort(job);
}
