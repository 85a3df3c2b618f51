/* SPDX-License-Identifier: MIT */
#include "backup/spot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/reader.h"
#include "backup/source.h"
#include "support/cleanup.h"
#include "support/moment.h"

#define CHUNK 65536

/* The stored bytes against those on the disk. */
struct against {
	int fd;
	uint64_t at;    /* of the file: as far as it was compared */
	uint64_t first; /* the first byte that is another; UINT64_MAX: none */
	char buffer[CHUNK];
};

/* `bytes` NULL: zeros. */
static void compare_bytes(struct against *against, const char *bytes, uint64_t end)
{
	static const char zeros[CHUNK];
	while (against->at < end && against->first == UINT64_MAX) {
		size_t size = end - against->at < CHUNK ? (size_t)(end - against->at) : CHUNK;
		const char *wanted = bytes ? bytes : zeros;
		ssize_t n = pread(against->fd, against->buffer, size, (off_t)against->at);
		size_t got = n > 0 ? (size_t)n : 0, same = 0;
		while (same < got && against->buffer[same] == wanted[same])
			same++;
		against->at += same;
		bytes = bytes ? bytes + same : NULL;
		if (same < got || got == 0)
			against->first = against->at;
	}
}

static int against_begin(
	void *data, const struct reader_item *item, struct archive_entry *tar, struct fault *fault)
{
	(void)data;
	(void)item;
	(void)tar;
	(void)fault;
	return 0;
}

static int against_bytes(void *data, const struct reader_item *item, const void *bytes, size_t size,
	uint64_t offset, struct fault *fault)
{
	struct against *against = data;
	(void)item;
	(void)fault;
	compare_bytes(against, NULL, offset);
	compare_bytes(against, bytes, offset + size);
	return 0;
}

static int against_end(void *data, const struct reader_item *item, struct fault *fault)
{
	const struct manifest_piece *piece = &item->entry->pieces[item->piece];
	(void)fault;
	compare_bytes(data, NULL, piece->from + piece->size);
	return 0;
}

/* Hashes differ also where the same bytes lie with other holes: the bytes decide. */
static int compare_with_stored(struct spot *spot, int fd, const struct manifest_entry *entry,
	uint64_t *ret_first, struct fault *fault)
{
	struct against *against = fault_alloc(sizeof *against);
	struct reader_sink sink = {against, against_begin, against_bytes, against_end};
	struct reader_item *items = fault_alloc((entry->piece_count + 1) * sizeof *items);
	against->fd = fd;
	against->first = UINT64_MAX;
	for (size_t i = 0; i < entry->piece_count; i++)
		items[i] = (struct reader_item){entry, i, 0};
	int r = reader_run(
		spot->keys, spot->store, &spot->manifest, items, entry->piece_count, &sink, fault);
	*ret_first = against->first;
	free(items);
	free(against);
	return r;
}

static char *tell_time(const char *what, int64_t s)
{
	char text[32];
	moment_format(s, text);
	return fault_format("%s %s", what, text);
}

/* Same size and time, another hash. */
static int judge_silent(struct spot *spot, const struct source *source,
	const struct manifest_entry *entry, enum spot_kind *ret, char **ret_why,
	struct fault *fault)
{
	uint64_t first = UINT64_MAX;
	int r = compare_with_stored(spot, source->fd, entry, &first, fault);
	if (r < 0 || first == UINT64_MAX)
		return r;
	char touched[32];
	moment_format(source->st.st_ctim.tv_sec, touched);
	*ret = SPOT_SILENT;
	*ret_why = source->st.st_ctim.tv_sec > spot->manifest.created_s
		? fault_format("from byte %llu on; somebody touched it at %s and put its time back",
			  (unsigned long long)first, touched)
		: fault_format("from byte %llu on; nobody has touched it since %s: the disk has "
			       "lost it, or the memory did",
			  (unsigned long long)first, touched);
	return 0;
}

static bool has_same_time(const struct source *source, const struct manifest_entry *entry)
{
	return source->st.st_mtim.tv_sec == entry->mtime_s &&
		(uint32_t)source->st.st_mtim.tv_nsec == entry->mtime_ns;
}

static int compare_open(struct spot *spot, struct source *source,
	const struct manifest_entry *entry, enum spot_kind *ret, char **ret_why,
	struct fault *fault)
{
	char hash[STORE_HASH_TEXT];
	*ret = SPOT_CHANGED;
	if (entry->type != 'f') {
		*ret_why = fault_format("it was no file then");
		return 0;
	}
	if ((uint64_t)source->st.st_size != entry->size) {
		*ret_why =
			tell_time("its size is another one; modified", source->st.st_mtim.tv_sec);
		return 0;
	}
	int r = source_hash(source, spot->ctx->host->cancel_fd(spot->ctx), hash);
	if (r < 0)
		return fault_set(fault, r, NULL, "stopped while \"%s\" was read", entry->path);
	if (strcmp(hash, entry->sha256) == 0)
		*ret = SPOT_SAME;
	else if (source_changed(source))
		*ret_why = fault_format("it is being written now");
	else if (!has_same_time(source, entry))
		*ret_why = tell_time("modified", source->st.st_mtim.tv_sec);
	else if (entry->changed)
		*ret_why = fault_format("it was being written when it was backed up");
	else {
		*ret = SPOT_SAME;
		return judge_silent(spot, source, entry, ret, ret_why, fault);
	}
	return 0;
}

int spot_compare(struct spot *spot, const struct spot_file *file, enum spot_kind *ret,
	char **ret_why, struct fault *fault)
{
	struct source source;
	*ret_why = NULL;
	*ret = SPOT_MISSING;
	if (file->node == TREE_NONE)
		return 0;
	int r = source_open(&source, &spot->tree, file->node);
	if (r < 0) {
		*ret = r == -ENOENT || r == -ESTALE ? SPOT_MISSING : SPOT_UNREADABLE;
		*ret_why = fault_format("%s", strerror(-r));
		r = 0;
	} else if (!file->entry) {
		*ret = SPOT_NEW;
		*ret_why = tell_time("modified", source.st.st_mtim.tv_sec);
	} else {
		r = compare_open(spot, &source, file->entry, ret, ret_why, fault);
	}
	source_close(&source);
	return r;
}
