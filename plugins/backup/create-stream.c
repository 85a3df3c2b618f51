/* SPDX-License-Identifier: MIT */
#include "backup/create.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "backup/match.h"
#include "support/cleanup.h"
#include "support/stream.h"

/* Two files of one name could not both be brought back. */
int create_find_stream(struct create *create, struct fault *fault)
{
	const struct create_args *args = create->args;
	create->stream = stream_open(create->ctx);
	create->paths = fault_alloc((args->paths.count + 1) * sizeof *create->paths);
	if (create->stream < 0)
		return args->paths.count
			? 0
			: fault_set(fault, -EINVAL,
				  "set paths, or from to the task that it is to read",
				  "there is nothing to back up");
	create->stream_path = fault_format("/%s", *args->as ? args->as : args->name);
	for (size_t i = 0; i < args->paths.count; i++)
		if (match_below(args->paths.items[i], create->stream_path))
			return fault_set(fault, -EEXIST, "set as to another name",
				"the stream would be \"%s\", which \"%s\" in paths may hold as "
				"well",
				create->stream_path, args->paths.items[i]);
	return 0;
}

static int add_stream_part(struct create *create, struct archive_entry *tar,
	struct manifest_entry *entry, const char *bytes, size_t size, struct fault *fault)
{
	entry->pieces = fault_resize(entry->pieces, entry->piece_count + 1, sizeof *entry->pieces);
	struct manifest_piece *piece = &entry->pieces[entry->piece_count++];
	*piece = (struct manifest_piece){.from = entry->size, .size = size};
	uint64_t end = 0;
	int r = packer_make_room(&create->packer, size + 1024, fault);
	archive_entry_set_size(tar, (la_int64_t)size);
	if (r == 0)
		r = pack_header(create->packer.pack, tar, &piece->offset, fault);
	if (r == 0)
		r = pack_data(create->packer.pack, bytes, size, fault);
	if (r == 0)
		r = pack_finish(create->packer.pack, &end, fault);
	piece->pack = create->packer.count - 1;
	piece->length = end - piece->offset;
	entry->size += size;
	create->item.bytes += size;
	create->ctx->host->progress(create->ctx, create->item.bytes, 0, "bytes");
	return r;
}

static int add_stream_parts(struct create *create, struct archive_entry *tar,
	struct manifest_entry *entry, struct fault *fault)
{
	CLEANUP_FREE char *bytes = fault_alloc(PACK_INPUT_MAX);
	struct store_hash *hash = store_hash_begin();
	size_t size;
	int r;
	do {
		r = stream_read(create->ctx, create->stream, bytes, PACK_INPUT_MAX, &size, fault);
		store_hash_add(hash, bytes, r == 0 ? size : 0);
		if (r == 0 && (size || !entry->piece_count))
			r = add_stream_part(create, tar, entry, bytes, size, fault);
	} while (r == 0 && size == PACK_INPUT_MAX);
	store_hash_end(&hash, entry->sha256);
	return r;
}

/* How large it is shows at its end: each part has its own size. */
int create_add_stream(struct create *create, struct fault *fault)
{
	struct manifest_entry entry = {.path = create->stream_path,
		.type = 'f',
		.mode = S_IFREG | 0600,
		.uid = geteuid(),
		.gid = getegid(),
		.mtime_s = create->item.created_s};
	struct archive_entry *tar = archive_entry_new();
	create_set_name(tar, entry.path);
	archive_entry_set_mode(tar, (mode_t)entry.mode);
	archive_entry_set_uid(tar, entry.uid);
	archive_entry_set_gid(tar, entry.gid);
	archive_entry_set_mtime(tar, entry.mtime_s, 0);
	int r = add_stream_parts(create, tar, &entry, fault);
	if (r == 0)
		r = manifest_put_entry(create->writer, &entry);
	create->item.entries++;
	free(entry.pieces);
	archive_entry_free(tar);
	return r;
}
