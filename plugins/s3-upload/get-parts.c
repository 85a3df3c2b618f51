/* SPDX-License-Identifier: MIT */
/*
 * Chunks of an object at their places in a file, several at a time.  With `resume`, until all are
 * there, the hash of each chunk stands behind the end of the object, in the order of the chunks: so
 * a later attempt sees which of them are whole, whatever the disk had of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "s3-upload/crew.h"
#include "s3-upload/get.h"
#include "support/cleanup.h"
#include "support/copy.h"

#define MARK_BYTES (STORE_HASH_TEXT - 1)

struct chunk {
	struct get *get;
	int fd;
	uint64_t offset, size, got; /* bytes */
	uint64_t mark;              /* where its hash goes */
	struct store_hash *hash;
};

static int chunk_write(void *arg, const void *bytes, size_t size)
{
	struct chunk *chunk = arg;
	int r = copy_write_at(chunk->fd, bytes, size, chunk->offset + chunk->got);
	if (chunk->hash)
		store_hash_add(chunk->hash, bytes, size);
	chunk->got += size;
	return r;
}

static int chunk_run(struct s3 *s3, void *arg, struct fault *fault)
{
	struct chunk *chunk = arg;
	const struct reader_source *source = &chunk->get->source;
	bool marked = chunk->get->args->resume;
	char mark[STORE_HASH_TEXT];
	const struct s3_range range = {.offset = chunk->offset,
		.size = chunk->size,
		.if_match = source->etag,
		.version = source->version};
	if (marked)
		chunk->hash = store_hash_begin();
	int r = s3_get(s3, source->key, &range, chunk->size, chunk_write, chunk, NULL, fault);
	if (marked)
		store_hash_end(&chunk->hash, mark);
	if (r == 0 && chunk->got != chunk->size)
		r = fault_set(fault, -EBADMSG, NULL, "\"%s\" has fewer bytes than it should",
			source->key);
	if (r == 0 && marked)
		r = copy_write_at(chunk->fd, mark, MARK_BYTES, chunk->mark);
	return r;
}

/* True where an earlier attempt has fetched it. */
static bool chunk_is_there(const struct chunk *chunk)
{
	char mark[STORE_HASH_TEXT] = "", hash[COPY_HASH_TEXT];
	return pread(chunk->fd, mark, MARK_BYTES, (off_t)chunk->mark) == MARK_BYTES && mark[0] &&
		copy_hash(chunk->fd, chunk->offset, chunk->size, hash) == 0 &&
		strcmp(mark, hash) == 0;
}

static int give_chunks(struct get *get, struct crew *crew, int fd, struct fault *fault)
{
	uint64_t step = reader_chunk(get->place.settings), whole = get->source.size, kept = 0;
	uint64_t mark = whole;
	for (uint64_t offset = 0; offset < whole; offset += step, mark += MARK_BYTES) {
		struct chunk *chunk = fault_alloc(sizeof *chunk);
		*chunk = (struct chunk){.get = get,
			.fd = fd,
			.offset = offset,
			.size = whole - offset < step ? whole - offset : step,
			.mark = mark};
		get->ctx->host->progress(get->ctx, offset, whole, "bytes");
		if (chunk_is_there(chunk)) {
			kept += chunk->size;
			free(chunk);
			continue;
		}
		const struct crew_work work = {chunk_run, free, chunk};
		int r = crew_give(crew, &work, fault);
		if (r < 0)
			return r;
	}
	if (kept)
		upkeep_info(get->ctx, "%llu of %llu bytes were fetched by an earlier attempt",
			(unsigned long long)kept, (unsigned long long)whole);
	return crew_finish(crew, fault);
}

int get_parts(struct get *get, int fd, struct fault *fault)
{
	CLEANUP_CREW struct crew *crew = NULL;
	uint64_t whole = get->source.size;
	/* Not every file system can; a full one is to say so now. */
	if (whole && fallocate(fd, 0, 0, (off_t)whole) < 0 && errno == ENOSPC)
		return fault_set(fault, -ENOSPC, NULL, "there is no room for %llu bytes in \"%s\"",
			(unsigned long long)whole, get->target.live);
	int r = crew_open(&crew, &get->place, 0, fault);
	if (r < 0)
		return r;
	r = give_chunks(get, crew, fd, fault);
	get->retries += crew_retries(crew);
	crew_close(&crew);
	if (r < 0)
		return r;
	if (ftruncate(fd, (off_t)whole) < 0)
		return fault_set(fault, -errno, NULL, "cannot cut the file to its size: %m");
	r = copy_hash(fd, 0, whole, get->hash);
	return r < 0 ? fault_set(fault, r, NULL, "cannot read what was fetched: %s", strerror(-r))
		     : get_check_hash(get, fault);
}
