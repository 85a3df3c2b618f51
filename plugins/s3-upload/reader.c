/* SPDX-License-Identifier: MIT */
#include "s3-upload/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "s3-upload/crew.h"
#include "support/cleanup.h"

#define MIB ((uint64_t)1 << 20)
#define CHUNK_MAX (16 * MIB)

/* A chunk on its way, in memory. */
struct chunk {
	const struct reader_source *source;
	struct crew *crew;
	uint64_t offset, size, got; /* bytes */
	char *bytes;
	bool done;
};

uint64_t reader_chunk(const struct settings *settings)
{
	uint64_t size = settings->memory / (2 * (uint64_t)settings->jobs) / MIB * MIB;
	return size < MIB ? MIB : size > CHUNK_MAX ? CHUNK_MAX : size;
}

static int chunk_add(void *arg, const void *bytes, size_t size)
{
	struct chunk *chunk = arg;
	memcpy(chunk->bytes + chunk->got, bytes, size); /* never more than was asked for */
	chunk->got += size;
	return 0;
}

static int chunk_run(struct s3 *s3, void *arg, struct fault *fault)
{
	struct chunk *chunk = arg;
	const struct s3_range range = {.offset = chunk->offset,
		.size = chunk->size,
		.if_match = chunk->source->etag,
		.version = chunk->source->version};
	int r = s3_get(s3, chunk->source->key, &range, chunk->size, chunk_add, chunk, NULL, fault);
	if (r == 0 && chunk->got != chunk->size)
		r = fault_set(fault, -EBADMSG, NULL, "\"%s\" has fewer bytes than it should",
			chunk->source->key);
	if (r == 0)
		crew_mark(chunk->crew, &chunk->done);
	return r;
}

static int give(struct chunk *chunk, uint64_t offset, uint64_t step, struct fault *fault)
{
	const struct crew_work work = {.run = chunk_run, .arg = chunk};
	uint64_t left = chunk->source->size - offset;
	chunk->offset = offset;
	chunk->size = left < step ? left : step;
	chunk->got = 0;
	chunk->done = false;
	if (!chunk->bytes)
		chunk->bytes = fault_resize(NULL, (size_t)step, 1);
	return crew_give(chunk->crew, &work, fault);
}

/* A ring of chunks: the oldest is waited for and given on, and its place used again. */
static int read_ring(struct chunk *ring, size_t count, uint64_t step, http_sink write, void *arg,
	struct upkeep_ctx *ctx, struct fault *fault)
{
	const struct reader_source *source = ring->source;
	uint64_t asked = 0;
	for (uint64_t done = 0; done < source->size; done += step) {
		int r = 0;
		for (; r == 0 && asked < source->size && asked < done + count * step; asked += step)
			r = give(&ring[asked / step % count], asked, step, fault);
		struct chunk *oldest = &ring[done / step % count];
		if (r == 0)
			r = crew_await(oldest->crew, &oldest->done, fault);
		if (r < 0)
			return r;
		r = write(arg, oldest->bytes, oldest->size);
		if (r < 0)
			return fault_set(fault, r, NULL, "cannot give on what comes from S3: %s",
				strerror(-r));
		ctx->host->progress(ctx, done + oldest->size, source->size, "bytes");
	}
	return 0;
}

int reader_read(const struct place *place, const struct reader_source *source, http_sink write,
	void *arg, struct fault *fault)
{
	struct crew *crew = NULL;
	uint64_t step = reader_chunk(place->settings);
	size_t count = 2 * (size_t)place->settings->jobs;
	if (count > place->settings->memory / step)
		count = (size_t)(place->settings->memory / step);
	if (count < 1)
		count = 1;
	int r = crew_open(&crew, place, 0, fault);
	if (r < 0)
		return r;
	struct chunk *ring = fault_alloc(count * sizeof *ring);
	for (size_t i = 0; i < count; i++)
		ring[i] = (struct chunk){.source = source, .crew = crew};
	r = read_ring(ring, count, step, write, arg, place->ctx, fault);
	crew_close(&crew); /* nothing of it writes to the ring any more */
	for (size_t i = 0; i < count; i++)
		free(ring[i].bytes);
	free(ring);
	return r;
}

int reader_find(const struct place *place, const char *key, const char *version,
	struct s3_object *ret_object, struct reader_source *ret, struct fault *fault)
{
	const char *which = version && version[0] ? version : NULL;
	int r = s3_head(place->s3, key, which, ret_object, fault);
	if (r == -ENOENT) {
		CLEANUP_FREE char *url = place_url(place, key);
		return fault_set(fault, r, NULL, "there is no object %s%s%s", url,
			which ? ", version " : "", which ? which : "");
	}
	if (r < 0)
		return r;
	*ret = (struct reader_source){.key = key,
		.version = which ? which : ret_object->version,
		.etag = ret_object->etag[0] ? ret_object->etag : NULL,
		.size = ret_object->size};
	return 0;
}
