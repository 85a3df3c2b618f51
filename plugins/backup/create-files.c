/* SPDX-License-Identifier: MIT */
#include "backup/create.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/metadata.h"
#include "backup/source.h"
#include "support/cleanup.h"

/* A change that comes later than `now` will show in the inode's times.  They are made of a clock
 * that stands still for up to 10 ms, and on file systems that know no fractions for up to 2 s. */
static bool is_settled(const struct stat *st, const struct timespec *now)
{
	int64_t age_s = now->tv_sec - st->st_ctim.tv_sec;
	int64_t age_ms = age_s * 1000 + (now->tv_nsec - st->st_ctim.tv_nsec) / 1000000;
	bool coarse = st->st_ctim.tv_nsec == 0 && st->st_mtim.tv_nsec == 0;
	return age_s > 3600 || age_ms > (coarse ? 2500 : 50);
}

static void describe(const struct stat *st, struct manifest_entry *entry)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (is_settled(st, &now) && st->st_ino <= INT64_MAX && st->st_dev <= INT64_MAX)
		entry->seen = (struct manifest_seen){
			st->st_ctim.tv_sec, (uint32_t)st->st_ctim.tv_nsec, st->st_ino, st->st_dev};
	entry->type = manifest_type(st->st_mode);
	entry->mode = st->st_mode;
	entry->uid = st->st_uid;
	entry->gid = st->st_gid;
	entry->mtime_s = st->st_mtim.tv_sec;
	entry->mtime_ns = (uint32_t)st->st_mtim.tv_nsec;
	entry->size = S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0;
}

void create_set_name(struct archive_entry *tar, const char *path)
{
	archive_entry_set_pathname(tar, path[1] ? path + 1 : ".");
}

static int add_part(struct create *create, struct source *source, struct archive_entry *tar,
	struct manifest_entry *entry, uint64_t from, uint64_t end, struct fault *fault)
{
	entry->pieces = fault_resize(entry->pieces, entry->piece_count + 1, sizeof *entry->pieces);
	struct manifest_piece *piece = &entry->pieces[entry->piece_count++];
	*piece = (struct manifest_piece){.from = from, .size = end - from};
	uint64_t tar_end = 0;
	archive_entry_sparse_clear(tar);
	archive_entry_set_size(tar, (la_int64_t)(end - from));
	source_map(source, from, end, tar);
	int r = pack_header(create->packer.pack, tar, &piece->offset, fault);
	if (r == 0)
		r = source_write(source, from, end, create->packer.pack, fault);
	if (r == 0)
		r = pack_finish(create->packer.pack, &tar_end, fault);
	piece->pack = create->packer.count - 1;
	piece->length = tar_end - piece->offset;
	return r;
}

/* A file that fits lies in one pack; a larger one begins a pack and fills what it needs. */
static int add_parts(struct create *create, struct source *source, struct archive_entry *tar,
	struct manifest_entry *entry, struct fault *fault)
{
	uint64_t size = entry->size, from = 0, data = source_data_size(source);
	int r = 0;
	do {
		uint64_t end = source_part_end(source, from, PACK_INPUT_MAX);
		r = packer_make_room(&create->packer,
			data < PACK_INPUT_MAX ? data + 1024 : PACK_INPUT_MAX, fault);
		if (r == 0)
			r = add_part(create, source, tar, entry, from, end, fault);
		data -= data < PACK_INPUT_MAX ? data : PACK_INPUT_MAX;
		from = end;
	} while (r == 0 && from < size);
	if (source->hash)
		store_hash_end(&source->hash, entry->sha256);
	return r;
}

/* Further names of the inode lie right behind it, in the same pack. */
static int add_links(struct create *create, uint32_t node, struct manifest_entry *head,
	struct archive_entry *tar, struct fault *fault)
{
	int r = 0;
	archive_entry_sparse_clear(tar);
	archive_entry_unset_size(tar);
	archive_entry_set_hardlink(tar, head->path + 1);
	for (uint32_t n = create->tree.nodes[node].next_link; r == 0 && n != TREE_NONE;
		n = create->tree.nodes[n].next_link) {
		CLEANUP_FREE char *path = tree_path(&create->tree, n);
		struct manifest_piece piece = {.pack = create->packer.count - 1};
		struct manifest_entry entry = *head;
		uint64_t end = 0;
		create_set_name(tar, path);
		r = pack_header(create->packer.pack, tar, &piece.offset, fault);
		if (r == 0)
			r = pack_finish(create->packer.pack, &end, fault);
		piece.length = end - piece.offset;
		entry.type = 'h';
		entry.path = path;
		entry.link = head->path;
		entry.size = 0;
		entry.pieces = &piece;
		entry.piece_count = 1;
		if (r == 0)
			r = manifest_put_entry(create->writer, &entry);
		create->item.entries++;
	}
	return r;
}

static int add_open_file(struct create *create, uint32_t node, struct source *source,
	struct manifest_entry *entry, struct fault *fault)
{
	struct archive_entry *tar = archive_entry_new();
	describe(&source->st, entry);
	metadata_read(source->fd, &source->st, tar);
	create_set_name(tar, entry->path);
	if (entry->type == 'l')
		archive_entry_set_symlink(tar, entry->link);
	int r = add_parts(create, source, tar, entry, fault);
	if (entry->type == 'f' && source_changed(source)) {
		entry->changed = true;
		entry->seen = (struct manifest_seen){0};
		create->changed++;
		tree_problem(&create->tree, node, "changed", source_change(source));
	}
	if (r == 0)
		r = manifest_put_entry(create->writer, entry);
	if (r == 0)
		r = add_links(create, node, entry, tar, fault);
	create->item.entries++;
	create->item.bytes += entry->size;
	archive_entry_free(tar);
	return r;
}

static int add_node(struct create *create, uint32_t node, struct fault *fault)
{
	struct source source;
	CLEANUP_FREE char *path = tree_path(&create->tree, node);
	struct manifest_entry entry = {.path = path};
	int r = source_open(&source, &create->tree, node);
	if (r == 0 && S_ISLNK(source.st.st_mode)) {
		entry.link = source_link(&source);
		r = entry.link ? 0 : -errno;
	}
	if (r < 0)
		tree_unread(&create->tree, node, r);
	else
		r = add_open_file(create, node, &source, &entry, fault);
	free(entry.link);
	free(entry.pieces);
	source_close(&source);
	return fault->what ? r : 0;
}

static int put_unchanged(
	struct create *create, uint32_t node, const char *path, struct fault *fault)
{
	struct manifest_entry entry = reuse_entry(&create->reuse, node, path);
	int r = manifest_put_entry(create->writer, &entry);
	create->item.entries++;
	create->item.bytes += entry.size;
	create->unchanged++;
	free(entry.pieces);
	return r < 0 ? fault_set(fault, r, NULL, "cannot write the manifest: %s", strerror(-r)) : 0;
}

/* With all names of the inode. */
static int add_unchanged(struct create *create, uint32_t node, struct fault *fault)
{
	int r = put_unchanged(create, node, NULL, fault);
	for (uint32_t n = create->tree.nodes[node].next_link; r == 0 && n != TREE_NONE;
		n = create->tree.nodes[n].next_link) {
		CLEANUP_FREE char *path = tree_path(&create->tree, n);
		r = put_unchanged(create, node, path, fault);
	}
	return r;
}

static int check_cancel(struct create *create, struct fault *fault)
{
	struct pollfd fd = {.fd = create->ctx->host->cancel_fd(create->ctx), .events = POLLIN};
	if (poll(&fd, 1, 0) > 0)
		return fault_set(fault, -ECANCELED, NULL, "stopped before the backup was whole");
	create->ctx->host->progress(create->ctx, create->item.bytes, create->tree.bytes, "bytes");
	return 0;
}

int create_add_files(struct create *create, struct fault *fault)
{
	int r = 0;
	for (uint32_t node = 0; r == 0 && node < create->tree.count; node++) {
		uint32_t head = tree_due(&create->tree, node);
		if (head == TREE_NONE || !manifest_type(create->tree.nodes[head].mode))
			continue;
		if (node % 64 == 0)
			r = check_cancel(create, fault);
		if (r == 0 && create->reuse.choices[head].base) {
			r = add_unchanged(create, head, fault);
			continue;
		}
		if (r == 0)
			r = packer_make_room(&create->packer, 1024, fault);
		if (r == 0)
			r = add_node(create, head, fault);
	}
	return r;
}
