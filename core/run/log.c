/* SPDX-License-Identifier: MIT */
#include "run/log.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#define NAME_SIZE 48u

void log_open(struct log *log, int dir, uint32_t task, uint32_t attempt, uint64_t max_bytes)
{
	*log = (struct log){.dir = dir,
		.task = task,
		.attempt = attempt,
		.max_bytes = max_bytes,
		.fd = -1,
		.tail_fd = -1};
}

static uint64_t log_half(const struct log *log)
{
	return log->max_bytes ? (log->max_bytes + 1) / 2 : UINT64_MAX;
}

static void name_file(const struct log *log, const char *suffix, char name[static NAME_SIZE])
{
	snprintf(name, NAME_SIZE, "%" PRIu32 ".%s%" PRIu32 ".log%s", log->task,
		log->undo ? "undo." : "", log->attempt, suffix);
}

static int open_at(const struct log *log, const char *suffix)
{
	char name[NAME_SIZE];

	name_file(log, suffix, name);
	return openat(log->dir, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static void write_or_lose(struct log *log, int fd, const char *bytes, size_t size, uint64_t at)
{
	while (size) {
		ssize_t n = fd < 0 ? -1 : pwrite(fd, bytes, size, (off_t)at);
		if (n < 0 && fd >= 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			log->lost_bytes += size;
			return;
		}
		bytes += n;
		at += (uint64_t)n;
		size -= (size_t)n;
	}
}

/* Only the last half of all that comes can stay: more is not written at all. */
static void write_tail(struct log *log, const char *bytes, size_t size)
{
	uint64_t ring = log->max_bytes - log_half(log);

	if (log->tail_fd < 0)
		log->tail_fd = open_at(log, ".tail");
	if (size > ring) {
		log->tail_bytes += size - ring;
		bytes += size - ring;
		size = (size_t)ring;
	}
	while (size) {
		uint64_t at = log->tail_bytes % ring;
		size_t n = size < ring - at ? size : (size_t)(ring - at);
		write_or_lose(log, log->tail_fd, bytes, n, at);
		log->tail_bytes += n;
		bytes += n;
		size -= n;
	}
}

void log_write(struct log *log, const char *bytes, size_t size)
{
	uint64_t room = log_half(log) - log->head_bytes;
	size_t n = size < room ? size : (size_t)room;

	if (n && log->fd < 0)
		log->fd = open_at(log, "");
	write_or_lose(log, log->fd, bytes, n, log->head_bytes);
	log->head_bytes += n;
	if (size > n)
		write_tail(log, bytes + n, size - n);
}

static void append_ring(struct log *log, uint64_t from, uint64_t size)
{
	char buffer[65536];
	off_t end = lseek(log->fd, 0, SEEK_END);

	while (size) {
		size_t n = size < sizeof buffer ? (size_t)size : sizeof buffer;
		ssize_t got = pread(log->tail_fd, buffer, n, (off_t)from);
		if (got <= 0 || pwrite(log->fd, buffer, (size_t)got, end) != got)
			return;
		from += (uint64_t)got;
		end += got;
		size -= (uint64_t)got;
	}
}

void log_finish(struct log *log)
{
	char line[64], name[NAME_SIZE];
	uint64_t ring = log->max_bytes - log_half(log), dropped = log_dropped(log);

	if (log->tail_fd >= 0) {
		uint64_t start = log->tail_bytes > ring ? log->tail_bytes % ring : 0;
		int n = snprintf(line, sizeof line, "\n[%" PRIu64 " bytes dropped]\n", dropped);
		if (dropped)
			write_or_lose(log, log->fd, line, (size_t)n, log->head_bytes);
		append_ring(log, start, (log->tail_bytes < ring ? log->tail_bytes : ring) - start);
		append_ring(log, 0, start);
		close(TAKE_FD(log->tail_fd));
		name_file(log, ".tail", name);
		unlinkat(log->dir, name, 0);
	}
	if (log->fd >= 0)
		close(TAKE_FD(log->fd));
}

uint64_t log_bytes(const struct log *log)
{
	return log->head_bytes + log->tail_bytes;
}

uint64_t log_dropped(const struct log *log)
{
	uint64_t ring = log->max_bytes - log_half(log);

	return (log->max_bytes && log->tail_bytes > ring ? log->tail_bytes - ring : 0) +
		log->lost_bytes;
}
