/* SPDX-License-Identifier: MIT */
#include "backup/reader.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/frame.h"
#include "backup/seal.h"
#include "support/cleanup.h"

#define BUFFER (64 * 1024)
/* what a pack's tar adds to its input: compression and its own packets never double it */
#define SEALED_SLACK (1u << 20)

struct reader {
	struct keys *keys;
	struct store *store;
	const struct manifest *manifest;
	const struct reader_sink *sink;
	struct frame_reader *frame;
	uint64_t at;  /* of the plain pack */
	uint64_t end; /* of what may be read now */
	char buffer[BUFFER];
	int error;
};

static const struct manifest_piece *piece_of(const struct reader_item *item)
{
	return &item->entry->pieces[item->piece];
}

static int compare_items(const void *a, const void *b)
{
	const struct manifest_piece *x = piece_of(a), *y = piece_of(b);
	if (x->pack != y->pack)
		return x->pack < y->pack ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

int reader_fetch(struct store *store, const struct manifest *manifest, uint32_t pack, int *ret_fd,
	struct fault *fault)
{
	const struct manifest_pack *p = manifest_pack(manifest, pack);
	const char *group = p->of ? p->of : manifest->id;
	CLEANUP_FREE char *name = fault_format("%05u.pack", p->number);
	CLEANUP_FD int fd = seal_memory("pack", fault);
	char hash[STORE_HASH_TEXT];
	uint64_t size = 0;
	if (fd < 0)
		return fd;
	int r = store->ops->get(store, group, name, fd, p->size, &size, hash, fault);
	if (r == -EFBIG || (r == 0 && (size != p->size || strcmp(hash, p->sha256) != 0)))
		return fault_set(fault, -EBADMSG, "restore from another backup or store",
			"pack %u of backup \"%s\" is damaged: its hash is not the manifest's",
			p->number, group);
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

static la_ssize_t read_plain(struct archive *tar, void *data, const void **ret)
{
	struct reader *reader = data;
	uint64_t left = reader->end - reader->at;
	ssize_t n = left == 0
		? 0
		: frame_read(reader->frame, reader->buffer, left < BUFFER ? (size_t)left : BUFFER);
	*ret = reader->buffer;
	if (n < 0 || (n == 0 && left > 0)) {
		reader->error = n < 0 ? (int)n : -EBADMSG;
		archive_set_error(tar, EIO, "the pack cannot be decompressed");
		return -1;
	}
	reader->at += (uint64_t)n;
	return n;
}

static int skip_to(struct reader *reader, uint64_t offset, struct fault *fault)
{
	while (reader->at < offset) {
		uint64_t left = offset - reader->at;
		ssize_t n = frame_read(
			reader->frame, reader->buffer, left < BUFFER ? (size_t)left : BUFFER);
		if (n <= 0)
			return fault_set(
				fault, -EBADMSG, NULL, "a pack is shorter than it must be");
		reader->at += (uint64_t)n;
	}
	return reader->at == offset ? 0
				    : fault_set(fault, -EBADMSG, NULL, "entries of a pack overlap");
}

static int tar_fault(struct archive *tar, const struct reader_item *item, struct fault *fault)
{
	const char *why = archive_error_string(tar);
	return fault_set(fault, -EBADMSG, NULL, "\"%s\" cannot be read from its pack: %s",
		item->entry->path, why ? why : "it is not there");
}

static int check_header(
	struct archive_entry *tar, const struct reader_item *item, struct fault *fault)
{
	const char *name = archive_entry_pathname(tar), *path = item->entry->path;
	const char *wanted = path[1] ? path + 1 : ".";
	size_t size = name ? strlen(name) : 0, length = strlen(wanted);
	/* libarchive ends the names of directories with a slash */
	if (name && size == length + 1 && name[length] == '/' && item->entry->type == 'd')
		size--;
	if (!name || size != length || memcmp(name, wanted, length) != 0)
		return fault_set(
			fault, -EBADMSG, NULL, "\"%s\" is not where the manifest says", path);
	if (item->entry->type == 'f' &&
		(archive_entry_filetype(tar) != AE_IFREG || archive_entry_hardlink(tar) ||
			(uint64_t)archive_entry_size(tar) != piece_of(item)->size))
		return fault_set(
			fault, -EBADMSG, NULL, "\"%s\" is not the file of the manifest", path);
	return 0;
}

static int read_data(struct reader *reader, struct archive *tar, const struct reader_item *item,
	struct fault *fault)
{
	const struct manifest_piece *piece = piece_of(item);
	const void *bytes;
	size_t size;
	la_int64_t offset;
	int r = 0;
	while (r == 0) {
		int got = archive_read_data_block(tar, &bytes, &size, &offset);
		if (got == ARCHIVE_EOF)
			break;
		if (got != ARCHIVE_OK)
			return tar_fault(tar, item, fault);
		if (offset < 0 || (uint64_t)offset > piece->size ||
			size > piece->size - (uint64_t)offset)
			return fault_set(fault, -EBADMSG, NULL, "\"%s\" is longer than it must be",
				item->entry->path);
		r = reader->sink->bytes(reader->sink->data, item, bytes, size,
			piece->from + (uint64_t)offset, fault);
	}
	return r;
}

static int read_entry(struct reader *reader, struct archive *tar, const struct reader_item *item,
	struct fault *fault)
{
	struct archive_entry *entry;
	int got = archive_read_next_header(tar, &entry);
	if (got != ARCHIVE_OK && got != ARCHIVE_WARN)
		return tar_fault(tar, item, fault);
	int r = check_header(entry, item, fault);
	if (r == 0)
		r = reader->sink->begin(reader->sink->data, item, entry, fault);
	if (r == 0 && item->entry->type == 'f')
		r = read_data(reader, tar, item, fault);
	return r < 0 ? r : reader->sink->end(reader->sink->data, item, fault);
}

/* Items that lie next to each other are one tar stream. */
static int read_stretch(
	struct reader *reader, const struct reader_item *items, size_t count, struct fault *fault)
{
	const struct manifest_piece *last = piece_of(&items[count - 1]);
	int r = skip_to(reader, piece_of(items)->offset, fault);
	if (r < 0)
		return r;
	reader->end = last->offset + last->length;
	struct archive *tar = archive_read_new();
	if (!tar || archive_read_support_format_tar(tar) != ARCHIVE_OK ||
		archive_read_open(tar, reader, NULL, read_plain, NULL) != ARCHIVE_OK)
		r = tar ? tar_fault(tar, items, fault) : -ENOMEM;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = read_entry(reader, tar, &items[i], fault);
	archive_read_free(tar);
	return r;
}

static size_t stretch_of(const struct reader_item *items, size_t count)
{
	size_t n = 1;
	while (n < count &&
		piece_of(&items[n])->offset ==
			piece_of(&items[n - 1])->offset + piece_of(&items[n - 1])->length)
		n++;
	return n;
}

static int open_pack(struct reader *reader, uint32_t pack, int *ret_fd, struct fault *fault)
{
	struct seal_job job;
	int sealed = -1;
	uint64_t size, limit = manifest_pack(reader->manifest, pack)->plain + SEALED_SLACK;
	int r = reader_fetch(reader->store, reader->manifest, pack, &sealed, fault);
	if (r == 0)
		r = seal_open_start(&job, reader->keys, sealed, limit, fault);
	if (r == 0)
		r = seal_finish(&job, ret_fd, &size, fault);
	return r;
}

static int read_pack(
	struct reader *reader, const struct reader_item *items, size_t count, struct fault *fault)
{
	uint32_t pack = piece_of(items)->pack;
	CLEANUP_FD int fd = -1;
	int r = open_pack(reader, pack, &fd, fault);
	if (r == 0)
		r = frame_open(
			&reader->frame, fd, manifest_pack(reader->manifest, pack)->plain, fault);
	reader->at = 0;
	for (size_t i = 0; r == 0 && i < count;) {
		size_t n = stretch_of(items + i, count - i);
		r = read_stretch(reader, items + i, n, fault);
		i += n;
	}
	frame_close(&reader->frame);
	return r;
}

int reader_run(struct keys *keys, struct store *store, const struct manifest *manifest,
	struct reader_item *items, size_t count, const struct reader_sink *sink,
	struct fault *fault)
{
	struct reader *reader = fault_alloc(sizeof *reader);
	reader->keys = keys;
	reader->store = store;
	reader->manifest = manifest;
	reader->sink = sink;
	if (count)
		qsort(items, count, sizeof *items, compare_items);
	int r = 0;
	for (size_t i = 0, n; r == 0 && i < count; i += n) {
		uint32_t pack = piece_of(&items[i])->pack;
		for (n = 1; i + n < count && piece_of(&items[i + n])->pack == pack;)
			n++;
		r = read_pack(reader, items + i, n, fault);
	}
	free(reader);
	return r;
}
