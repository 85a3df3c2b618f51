/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "s3-upload/crew.h"
#include "s3-upload/put.h"
#include "support/cleanup.h"
#include "support/store.h"
#include "support/stream.h"

/* A part in memory, on its way. */
struct piece {
	struct put *put;
	struct crew *crew;
	unsigned number;
	size_t room, size; /* bytes */
	char *bytes;
};

static int piece_run(struct s3 *s3, void *arg, struct fault *fault)
{
	struct piece *piece = arg;
	const struct http_body body = {.bytes = piece->bytes, .size = piece->size};
	return s3_upload_part(s3, piece->put->key, piece->put->upload, piece->number, &body, NULL,
		&piece->put->made[piece->number - 1], fault);
}

static void piece_free(void *arg)
{
	struct piece *piece = arg;
	crew_release(piece->crew, piece->room);
	free(piece->bytes);
	free(piece);
}

/* Reads the part of this number; shorter, or nothing, at the stream's end. */
static int piece_read(struct put *put, struct crew *crew, unsigned number, struct store_hash *hash,
	struct piece **ret, struct fault *fault)
{
	size_t room = (size_t)parts_size(&put->cut, number);
	int r = crew_reserve(crew, room, fault);
	if (r < 0)
		return r;
	struct piece *piece = fault_alloc(sizeof *piece);
	*piece = (struct piece){.put = put, .crew = crew, .number = number, .room = room};
	piece->bytes = fault_resize(NULL, room, 1);
	r = stream_read(put->ctx, put->stream, piece->bytes, room, &piece->size, fault);
	if (r < 0) {
		piece_free(piece);
		return r;
	}
	store_hash_add(hash, piece->bytes, piece->size);
	put->size += piece->size;
	put->ctx->host->progress(put->ctx, put->size, 0, "bytes");
	*ret = piece;
	return 0;
}

/* From the second part on. */
static int read_on(struct put *put, struct crew *crew, struct store_hash *hash, struct fault *fault)
{
	for (unsigned number = 2; number <= S3_PARTS_MAX + 1; number++) {
		struct piece *piece = NULL;
		int r = piece_read(put, crew, number, hash, &piece, fault);
		if (r < 0)
			return r;
		bool last = piece->size < piece->room, none = piece->size == 0;
		if (number > S3_PARTS_MAX && !none) {
			piece_free(piece);
			return fault_set(fault, -EFBIG, "set memory of the plugin to more",
				"the stream has more than %llu bytes, which is all that fits "
				"10,000 "
				"parts held in %llu bytes of memory",
				(unsigned long long)parts_limit(&put->cut),
				(unsigned long long)put->place.settings->memory);
		}
		if (none) {
			piece_free(piece);
			return 0;
		}
		put->parts = number;
		const struct crew_work work = {piece_run, piece_free, piece};
		r = crew_give(crew, &work, fault);
		if (r < 0 || last)
			return r;
	}
	return 0;
}

static int store_parts(struct put *put, struct crew *crew, struct piece *first,
	struct store_hash *hash, struct fault *fault)
{
	const struct crew_work work = {piece_run, piece_free, first};
	put->made = fault_alloc(S3_PARTS_MAX * sizeof *put->made);
	put->parts = 1;
	int r = crew_give(crew, &work, fault);
	if (r == 0)
		r = read_on(put, crew, hash, fault);
	if (r == 0)
		r = crew_finish(crew, fault);
	put->retries += crew_retries(crew);
	return r;
}

static int put_short(struct put *put, struct piece *piece, struct fault *fault)
{
	const struct http_body body = {.bytes = piece->bytes, .size = piece->size};
	int r = stream_whole(put->ctx, fault);
	if (r == 0)
		r = put_single(put, &body, put->hash, fault);
	piece_free(piece);
	return r;
}

int put_stream(struct put *put, struct fault *fault)
{
	CLEANUP_CREW struct crew *crew = NULL;
	struct piece *first = NULL;
	put->cut = parts_of_stream(put->place.settings->memory);
	int r = crew_open(&crew, &put->place, put->place.settings->memory, fault);
	if (r < 0)
		return r;
	struct store_hash *hash = store_hash_begin();
	r = piece_read(put, crew, 1, hash, &first, fault);
	if (r == 0 && first->size < first->room) {
		store_hash_end(&hash, put->hash);
		return put_short(put, first, fault);
	}
	if (r == 0) {
		r = put_begin(put, fault);
		if (r < 0)
			piece_free(first);
	}
	if (r == 0)
		r = store_parts(put, crew, first, hash, fault);
	store_hash_end(&hash, put->hash);
	crew_close(&crew); /* before anything of it is given up */
	if (r == 0)
		r = stream_whole(put->ctx, fault);
	return r == 0 ? put_complete(put, fault) : r;
}
