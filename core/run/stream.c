/* SPDX-License-Identifier: MIT */
#include "run/engine.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define CHUNK_BYTES 65536u
#define KEPT_MAX_BYTES 65536u
#define CHUNKS_A_TURN 16

static void take(struct stream *stream, const char *bytes, size_t size)
{
	if (stream->kind == STREAM_LOG) {
		attempt_log(stream->attempt, bytes, size, false);
		return;
	}
	if (stream->kept.size + size > KEPT_MAX_BYTES) {
		stream->overflow = true;
		size = KEPT_MAX_BYTES - stream->kept.size;
	}
	text_add(&stream->kept, bytes, size);
}

/* Reads at most so many chunks: 0 at the end, 1 where there may be more, -EAGAIN. */
static int read_some(struct stream *stream, int chunks)
{
	UNFILLED char buffer[CHUNK_BYTES];

	while (chunks-- > 0) {
		ssize_t n = read(stream->source.fd, buffer, sizeof buffer);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 && errno == EAGAIN ? -EAGAIN : 0;
		take(stream, buffer, (size_t)n);
		if ((size_t)n < sizeof buffer / 2)
			return 1;
	}
	return 1;
}

/* A task that floods us does not keep the others waiting. */
static void stream_ready(struct engine *engine, struct source *source, uint32_t events)
{
	struct stream *stream = (struct stream *)source;

	(void)events;
	if (read_some(stream, CHUNKS_A_TURN) == 0)
		engine_unwatch(engine, source);
}

int stream_open(struct attempt *attempt, struct stream *stream, enum stream_kind kind,
	int *ret_write_end, struct error *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_set(err, -errno, NULL, "cannot make a pipe: %m");
	fcntl(ends[0], F_SETFL, O_NONBLOCK); /* ours alone: the program writes as it likes */
	stream->source = (struct source){.fd = ends[0], .ready = stream_ready};
	stream->attempt = attempt;
	stream->kind = kind;
	engine_watch(attempt->engine, &stream->source, EPOLLIN);
	*ret_write_end = ends[1];
	return 0;
}

/* Whoever still has the other end is no part of the task: what is in the pipe now
 * counts, and no more than it can hold. */
void stream_finish(struct stream *stream)
{
	if (stream->source.fd >= 0) {
		for (int i = 0; i < 64 && read_some(stream, 1) == 1; i++)
			;
		engine_unwatch(stream->attempt->engine, &stream->source);
	}
	if (stream->attempt && stream->kind == STREAM_LOG)
		attempt_log(stream->attempt, "", 0, true);
}
