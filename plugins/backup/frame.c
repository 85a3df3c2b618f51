/* SPDX-License-Identifier: MIT */
#include "backup/frame.h"
#include "support/write.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>
#include <zstd.h>

#define LEVEL 2
#define BUFFER (128 * 1024)
/* the window of level 2 is 1 MiB; a frame that asks for more was not made by us */
#define WINDOW_LOG_MAX 23

struct frame_writer {
	ZSTD_CCtx *zstd;
	frame_sink *write; /* NULL: to fd */
	void *data;
	int fd;
	char buffer[BUFFER];
};

struct frame_reader {
	ZSTD_DCtx *zstd;
	int fd;
	bool ended; /* the frame is whole */
	uint64_t left;
	ZSTD_inBuffer in;
	char buffer[BUFFER];
};

int frame_begin_to(
	struct frame_writer **ret, int level, frame_sink *write, void *data, struct fault *fault)
{
	struct frame_writer *frame = fault_alloc(sizeof *frame);
	frame->write = write;
	frame->data = data;
	frame->zstd = ZSTD_createCCtx();
	if (!frame->zstd ||
		ZSTD_isError(ZSTD_CCtx_setParameter(frame->zstd, ZSTD_c_compressionLevel, level))) {
		ZSTD_freeCCtx(frame->zstd);
		free(frame);
		return fault_set(fault, -ENOMEM, NULL, "cannot begin to compress");
	}
	*ret = frame;
	return 0;
}

int frame_begin(struct frame_writer **ret, int fd, struct fault *fault)
{
	int r = frame_begin_to(ret, LEVEL, NULL, NULL, fault);
	if (r == 0)
		(*ret)->fd = fd;
	return r;
}

static int compress_some(
	struct frame_writer *frame, ZSTD_inBuffer *in, ZSTD_EndDirective how, size_t *ret_left)
{
	ZSTD_outBuffer out = {.dst = frame->buffer, .size = BUFFER};
	*ret_left = ZSTD_compressStream2(frame->zstd, &out, in, how);
	if (ZSTD_isError(*ret_left))
		return -EIO;
	if (out.pos == 0)
		return 0;
	return frame->write ? frame->write(frame->data, frame->buffer, out.pos)
			    : write_all(frame->fd, frame->buffer, out.pos);
}

int frame_write(struct frame_writer *frame, const void *bytes, size_t size)
{
	ZSTD_inBuffer in = {.src = bytes, .size = size};
	while (in.pos < in.size) {
		size_t left;
		int r = compress_some(frame, &in, ZSTD_e_continue, &left);
		if (r < 0)
			return r;
	}
	return 0;
}

int frame_end(struct frame_writer **frame)
{
	ZSTD_inBuffer in = {0};
	size_t left = 1;
	int r = 0;
	if (!*frame)
		return 0;
	while (r == 0 && left > 0)
		r = compress_some(*frame, &in, ZSTD_e_end, &left);
	ZSTD_freeCCtx((*frame)->zstd);
	free(*frame);
	*frame = NULL;
	return r;
}

int frame_open(struct frame_reader **ret, int fd, uint64_t limit, struct fault *fault)
{
	struct frame_reader *frame = fault_alloc(sizeof *frame);
	frame->fd = fd;
	frame->left = limit;
	frame->in.src = frame->buffer;
	frame->zstd = ZSTD_createDCtx();
	if (!frame->zstd ||
		ZSTD_isError(
			ZSTD_DCtx_setParameter(frame->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX))) {
		frame_close(&frame);
		return fault_set(fault, -ENOMEM, NULL, "cannot begin to decompress");
	}
	*ret = frame;
	return 0;
}

/* 1: there is input; 0: the end. */
static int fill_input(struct frame_reader *frame)
{
	ssize_t n;
	if (frame->in.pos < frame->in.size)
		return 1;
	do
		n = read(frame->fd, frame->buffer, BUFFER);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	frame->in.pos = 0;
	frame->in.size = (size_t)n;
	return n > 0;
}

/* After the frame's end nothing may follow. */
static ssize_t end_of_frame(struct frame_reader *frame)
{
	int r = fill_input(frame);
	return r > 0 ? -EBADMSG : r;
}

ssize_t frame_read(struct frame_reader *frame, void *bytes, size_t size)
{
	ZSTD_outBuffer out = {.dst = bytes, .size = size};
	while (out.pos == 0 && size > 0) {
		if (frame->ended)
			return end_of_frame(frame);
		int r = fill_input(frame);
		if (r < 0)
			return r;
		size_t before = frame->in.pos;
		size_t left = ZSTD_decompressStream(frame->zstd, &out, &frame->in);
		if (ZSTD_isError(left))
			return -EBADMSG;
		frame->ended = left == 0;
		if (r == 0 && out.pos == 0 && frame->in.pos == before && !frame->ended)
			return -EBADMSG;
	}
	if (out.pos > frame->left)
		return -EFBIG;
	frame->left -= out.pos;
	return (ssize_t)out.pos;
}

void frame_close(struct frame_reader **frame)
{
	if (!*frame)
		return;
	ZSTD_freeDCtx((*frame)->zstd);
	free(*frame);
	*frame = NULL;
}
