/* SPDX-License-Identifier: MIT */
#include "backup/source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define CHUNK (256 * 1024)

static int open_file(int dir, const char *name, uint32_t mode)
{
	int flags = O_NOFOLLOW | O_CLOEXEC;
	if (!S_ISREG(mode))
		return openat(dir, name, O_PATH | flags);
	flags |= O_RDONLY | O_NONBLOCK | O_NOCTTY;
	int fd = openat(dir, name, flags | O_NOATIME);
	return fd < 0 && errno == EPERM ? openat(dir, name, flags) : fd;
}

static void add_extent(struct source *source, uint64_t offset, uint64_t size)
{
	/* room doubles at the powers of two */
	if ((source->count & (source->count - 1)) == 0)
		source->extents = fault_resize(source->extents,
			source->count ? source->count * 2 : 1, sizeof *source->extents);
	source->extents[source->count++] = (struct source_extent){offset, size};
}

static void find_extents(struct source *source)
{
	uint64_t size = (uint64_t)source->st.st_size, at = 0;
	bool full = (uint64_t)source->st.st_blocks * 512 >= size;
	while (!full && at < size) {
		off_t data = lseek(source->fd, (off_t)at, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			break;
		off_t hole = data < 0 ? -1 : lseek(source->fd, data, SEEK_HOLE);
		if (hole < 0)
			full = true; /* this file system does not say */
		if (full || (uint64_t)data >= size)
			break;
		at = (uint64_t)hole < size ? (uint64_t)hole : size;
		add_extent(source, (uint64_t)data, at - (uint64_t)data);
	}
	if (full) {
		source->count = 0;
		if (size > 0)
			add_extent(source, 0, size);
	}
}

int source_open(struct source *source, struct tree *tree, uint32_t node)
{
	const struct tree_node *n = &tree->nodes[node];
	const char *name;
	*source = (struct source){.fd = -1};
	int dir = tree_parent(tree, node, &name);
	if (dir < 0)
		return -errno;
	source->fd = open_file(dir, name, n->mode);
	if (source->fd < 0)
		return errno == ELOOP ? -ESTALE : -errno;
	if (fstat(source->fd, &source->st) < 0)
		return -errno;
	if ((source->st.st_mode & S_IFMT) != (n->mode & S_IFMT))
		return -ESTALE;
	if (S_ISREG(n->mode)) {
		find_extents(source);
		source->hash = store_hash_begin();
		source->buffer = source->count ? fault_alloc(CHUNK) : NULL;
	}
	return 0;
}

void source_close(struct source *source)
{
	if (source->fd >= 0)
		close(source->fd);
	free(source->extents);
	free(source->buffer);
	store_hash_end(&source->hash, NULL);
	*source = (struct source){.fd = -1};
}

char *source_link(const struct source *source)
{
	char *text = fault_alloc(PATH_MAX + 1);
	if (readlinkat(source->fd, "", text, PATH_MAX) < 0) {
		free(text);
		return NULL;
	}
	return text;
}

uint64_t source_data_size(const struct source *source)
{
	uint64_t size = 0;
	for (size_t i = 0; i < source->count; i++)
		size += source->extents[i].size;
	return size;
}

/* The part of an extent inside [from, end). */
static struct source_extent clip(struct source_extent e, uint64_t from, uint64_t end)
{
	uint64_t start = e.offset > from ? e.offset : from;
	uint64_t stop = e.offset + e.size < end ? e.offset + e.size : end;
	return (struct source_extent){start, stop > start ? stop - start : 0};
}

uint64_t source_part_end(const struct source *source, uint64_t from, uint64_t most)
{
	for (size_t i = 0; i < source->count; i++) {
		struct source_extent e = clip(source->extents[i], from, UINT64_MAX);
		if (e.size > most)
			return e.offset + most;
		most -= e.size;
	}
	return S_ISREG(source->st.st_mode) ? (uint64_t)source->st.st_size : 0;
}

void source_map(
	const struct source *source, uint64_t from, uint64_t end, struct archive_entry *entry)
{
	uint64_t data = 0;
	for (size_t i = 0; i < source->count; i++)
		data += clip(source->extents[i], from, end).size;
	if (data == end - from)
		return;
	for (size_t i = 0; i < source->count; i++) {
		struct source_extent e = clip(source->extents[i], from, end);
		if (e.size)
			archive_entry_sparse_add_entry(
				entry, (la_int64_t)(e.offset - from), (la_int64_t)e.size);
	}
	if (data == 0)
		archive_entry_sparse_add_entry(entry, 0, 0);
}

/* Reads up to `size` bytes; what is no longer there becomes zeros. */
static void read_chunk(struct source *source, uint64_t offset, size_t size)
{
	size_t done = 0;
	while (done < size) {
		ssize_t n = pread(
			source->fd, source->buffer + done, size - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	for (; done < size; done++) {
		source->buffer[done] = 0;
		source->short_read = true;
	}
}

static int write_extent(
	struct source *source, struct source_extent e, struct pack *pack, struct fault *fault)
{
	while (e.size > 0) {
		size_t size = e.size < CHUNK ? (size_t)e.size : CHUNK;
		read_chunk(source, e.offset, size);
		store_hash_add(source->hash, source->buffer, size);
		int r = pack_data(pack, source->buffer, size, fault);
		if (r < 0)
			return r;
		e.offset += size;
		e.size -= size;
	}
	return 0;
}

int source_write(
	struct source *source, uint64_t from, uint64_t end, struct pack *pack, struct fault *fault)
{
	uint64_t at = from;
	for (size_t i = 0; i < source->count; i++) {
		struct source_extent e = clip(source->extents[i], from, end);
		if (e.size == 0)
			continue;
		int r = pack_hole(pack, e.offset - at, fault);
		if (r == 0)
			r = write_extent(source, e, pack, fault);
		if (r < 0)
			return r;
		at = e.offset + e.size;
	}
	return pack_hole(pack, end - at, fault);
}

int source_hash(struct source *source, int cancel_fd, char ret[STORE_HASH_TEXT])
{
	struct pollfd cancel = {.fd = cancel_fd, .events = POLLIN};
	for (size_t i = 0; i < source->count; i++)
		for (struct source_extent e = source->extents[i]; e.size > 0;) {
			size_t size = e.size < CHUNK ? (size_t)e.size : CHUNK;
			if (poll(&cancel, 1, 0) > 0)
				return -ECANCELED;
			read_chunk(source, e.offset, size);
			store_hash_add(source->hash, source->buffer, size);
			e.offset += size;
			e.size -= size;
		}
	store_hash_end(&source->hash, ret);
	if (source->short_read)
		ret[0] = 0;
	return 0;
}

bool source_changed(const struct source *source)
{
	struct stat now;
	if (source->short_read || fstat(source->fd, &now) < 0)
		return true;
	return now.st_size != source->st.st_size ||
		now.st_mtim.tv_sec != source->st.st_mtim.tv_sec ||
		now.st_mtim.tv_nsec != source->st.st_mtim.tv_nsec ||
		now.st_ctim.tv_sec != source->st.st_ctim.tv_sec ||
		now.st_ctim.tv_nsec != source->st.st_ctim.tv_nsec;
}

const char *source_change(const struct source *source)
{
	return source->short_read ? "it shrank: zeros stand for its end" : "it was written to";
}
