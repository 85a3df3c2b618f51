/* SPDX-License-Identifier: MIT */
#include "run/keep.h"

#include "run/children.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static int keep_send(int socket, const struct keep_message *message, int fd)
{
	union control control = {0};
	struct iovec part = {(void *)message, sizeof *message};
	struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1};

	if (socket < 0)
		return -ENOTCONN;
	if (fd >= 0) {
		head.msg_control = control.bytes;
		head.msg_controllen = sizeof control.bytes;
		struct cmsghdr *c = CMSG_FIRSTHDR(&head);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
	}
	ssize_t n;
	do
		n = sendmsg(socket, &head, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int keep_hold(int socket, int fd)
{
	return keep_send(socket, &(struct keep_message){KEEP_HOLD, fd}, fd);
}

void keep_release(int socket, int fd)
{
	keep_send(socket, &(struct keep_message){KEEP_RELEASE, fd}, -1);
}

void keep_spare(int socket, uint32_t task)
{
	keep_send(socket, &(struct keep_message){KEEP_SPARE, (int32_t)task}, -1);
}

void keep_guard(int socket, uint32_t task, int fd)
{
	keep_send(socket, &(struct keep_message){KEEP_GUARD, (int32_t)task}, fd);
}

void keep_mark(char mark[static KEEP_MARK_SIZE], const char *run_id, uint32_t task)
{
	snprintf(mark, KEEP_MARK_SIZE, "UPKEEP_MARK=%s:%u", run_id, task);
}

void keep_guard_mark(char mark[static KEEP_MARK_SIZE], const char *run_id, uint32_t task)
{
	snprintf(mark, KEEP_MARK_SIZE, "UPKEEP_MARK=guard-%s:%u", run_id, task);
}

static void kill_marked(void *data, pid_t pid)
{
	if (child_has_variable(pid, data))
		kill(pid, SIGKILL);
}

void keep_kill_guarded(const char *run_id, uint32_t task)
{
	char mark[KEEP_MARK_SIZE];

	keep_guard_mark(mark, run_id, task);
	processes_each(kill_marked, mark);
}

int keep_receive(int socket, struct keep_message *ret, int *ret_fd)
{
	union control control = {0};
	struct iovec part = {ret, sizeof *ret};
	struct msghdr head = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes};

	*ret_fd = -1;
	ssize_t n = recvmsg(socket, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if ((size_t)n != sizeof *ret)
		return -EPIPE;
	struct cmsghdr *c = CMSG_FIRSTHDR(&head);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(c), sizeof *ret_fd);
	return 1;
}
