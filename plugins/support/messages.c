/* SPDX-License-Identifier: MIT */
#include "support/messages.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "support/cleanup.h"
#include "support/stream.h"
#include "support/thread.h"

struct messages {
	pthread_t thread;
	int from, ended; /* the pipe; readable when the program has ended */
	uint64_t size;   /* of all that came */
	char first[MESSAGES_PART], last[MESSAGES_PART]; /* the last is a ring */
};

static void add(struct messages *messages, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++, messages->size++) {
		char *part = messages->size < MESSAGES_PART ? messages->first : messages->last;
		part[messages->size % MESSAGES_PART] = bytes[i] ? bytes[i] : ' ';
	}
}

/* After the program's end only what is in the pipe is read: others may write without end. */
static void *gather(void *arg)
{
	struct messages *messages = arg;
	struct pollfd fds[] = {{.fd = messages->from, .events = POLLIN},
		{.fd = messages->ended, .events = POLLIN}};
	size_t left = STREAM_PIPE_BYTES;
	char bytes[4096];
	while (left > 0) {
		poll(fds, 2, -1);
		bool ended = fds[1].revents;
		ssize_t n = read(messages->from, bytes, sizeof bytes);
		if (n == 0 || (n < 0 && ended))
			break;
		add(messages, bytes, n > 0 ? (size_t)n : 0);
		left -= ended && n > 0 ? (size_t)n < left ? (size_t)n : left : 0;
	}
	return NULL;
}

static void drop(struct messages *messages)
{
	cleanup_fd(&messages->from);
	cleanup_fd(&messages->ended);
	free(messages);
}

int messages_begin(struct messages **ret, int *ret_to, struct fault *fault)
{
	int ends[2];
	*ret = NULL;
	int r = stream_pipe(ends, fault);
	if (r < 0)
		return r;
	struct messages *messages = fault_alloc(sizeof *messages);
	messages->from = ends[0];
	fcntl(messages->from, F_SETFL, O_NONBLOCK);
	messages->ended = eventfd(0, EFD_CLOEXEC);
	r = messages->ended < 0 ? -errno : thread_start(&messages->thread, gather, messages);
	if (r < 0) {
		close(ends[1]);
		drop(messages);
		return fault_set(
			fault, r, NULL, "cannot read a program's messages: %s", strerror(-r));
	}
	*ret_to = ends[1];
	*ret = messages;
	return 0;
}

static char *text_of(const struct messages *messages)
{
	uint64_t size = messages->size;
	if (size <= MESSAGES_PART)
		return fault_format("%.*s", (int)size, messages->first);
	uint64_t rest = size - MESSAGES_PART;
	if (rest <= MESSAGES_PART)
		return fault_format(
			"%.*s%.*s", MESSAGES_PART, messages->first, (int)rest, messages->last);
	int at = (int)(size % MESSAGES_PART);
	return fault_format("%.*s\n(%llu bytes are left out here)\n%.*s%.*s", MESSAGES_PART,
		messages->first, (unsigned long long)(rest - MESSAGES_PART), MESSAGES_PART - at,
		messages->last + at, at, messages->last);
}

char *messages_end(struct messages **messages)
{
	struct messages *all = TAKE_PTR(*messages);
	if (!all)
		return NULL;
	eventfd_write(all->ended, 1);
	pthread_join(all->thread, NULL);
	char *text = text_of(all);
	drop(all);
	return text;
}
