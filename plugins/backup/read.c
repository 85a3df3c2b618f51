/* SPDX-License-Identifier: MIT */
/* One file of a backup as a stream: each pack is compared with the signed manifest before it is
 * decrypted, and its bytes never touch the disk. */
#include "backup/actions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backup/reader.h"
#include "backup/vault.h"
#include "support/cleanup.h"
#include "support/stream.h"

struct reading {
	struct upkeep_ctx *ctx;
	int out;
	struct store *store;
	struct keys *keys;
	struct manifest manifest;
	const struct manifest_entry *entry;
	struct store_hash *hash;
	size_t next; /* piece */
	uint64_t at; /* of the file: what was written */
};

static int write_some(struct reading *reading, const void *bytes, size_t size, struct fault *fault)
{
	int r = stream_write(reading->ctx, reading->out, bytes, size);
	if (r < 0)
		return stream_write_fault(r, fault);
	reading->at += size;
	reading->ctx->host->progress(reading->ctx, reading->at, reading->entry->size, "bytes");
	return 0;
}

/* A hole. */
static int write_zeros(struct reading *reading, uint64_t end, struct fault *fault)
{
	static const char zeros[1 << 16];
	int r = 0;
	while (r == 0 && reading->at < end) {
		uint64_t left = end - reading->at;
		r = write_some(
			reading, zeros, left < sizeof zeros ? (size_t)left : sizeof zeros, fault);
	}
	return r;
}

static int read_begin(
	void *data, const struct reader_item *item, struct archive_entry *tar, struct fault *fault)
{
	struct reading *reading = data;
	(void)tar;
	return item->piece == reading->next++
		? 0
		: fault_set(fault, -EBADMSG, NULL, "the parts of \"%s\" are not in order",
			  item->entry->path);
}

static int read_bytes(void *data, const struct reader_item *item, const void *bytes, size_t size,
	uint64_t offset, struct fault *fault)
{
	struct reading *reading = data;
	if (offset < reading->at)
		return fault_set(fault, -EBADMSG, NULL, "the bytes of \"%s\" are not in order",
			item->entry->path);
	store_hash_add(reading->hash, bytes, size);
	int r = write_zeros(reading, offset, fault);
	return r < 0 ? r : write_some(reading, bytes, size, fault);
}

static int read_end(void *data, const struct reader_item *item, struct fault *fault)
{
	const struct manifest_piece *piece = &item->entry->pieces[item->piece];
	return write_zeros(data, piece->from + piece->size, fault);
}

static const struct manifest_entry *find_path(const struct manifest *manifest, const char *path)
{
	for (size_t i = 0; i < manifest->entry_count; i++)
		if (strcmp(manifest->entries[i].path, path) == 0)
			return &manifest->entries[i];
	return NULL;
}

/* Of a further name of a file, the one that has the bytes. */
static int find_entry(struct reading *reading, const char *path, struct fault *fault)
{
	const struct manifest_entry *entry = find_path(&reading->manifest, path);
	if (entry && entry->type == 'h')
		entry = find_path(&reading->manifest, entry->link);
	if (!entry)
		return fault_set(fault, -ENOENT, "backup.find shows what there is",
			"backup \"%s\" has no \"%s\"", reading->manifest.id, path);
	if (entry->type != 'f')
		return fault_set(fault, -EISDIR, "backup.restore brings it back",
			"\"%s\" of backup \"%s\" is no regular file", path, reading->manifest.id);
	if (entry->changed)
		upkeep_warn(reading->ctx, "%s: it changed while it was backed up", entry->path);
	reading->entry = entry;
	return 0;
}

static int open_file(struct reading *reading, struct fault *fault)
{
	const struct read_args *args = reading->ctx->args;
	CLEANUP_FREE char *id = NULL;
	int r = vault_enter(reading->ctx, args->store, KEYS_SECRET | KEYS_TRUST, &reading->store,
		&reading->keys, fault);
	if (r == 0)
		r = vault_choose(
			reading->keys, reading->store, args->backup, args->name, &id, fault);
	if (r == 0)
		r = vault_load(reading->keys, reading->store, id, &reading->manifest, NULL, fault);
	return r < 0 ? r : find_entry(reading, args->path, fault);
}

static int read_file(struct reading *reading, struct fault *fault)
{
	const struct manifest_entry *entry = reading->entry;
	struct reader_sink sink = {reading, read_begin, read_bytes, read_end};
	struct reader_item *items = fault_alloc(entry->piece_count * sizeof *items);
	char hash[STORE_HASH_TEXT];
	for (size_t i = 0; i < entry->piece_count; i++)
		items[i] = (struct reader_item){entry, i, 0};
	reading->hash = store_hash_begin();
	int r = reader_run(reading->keys, reading->store, &reading->manifest, items,
		entry->piece_count, &sink, fault);
	store_hash_end(&reading->hash, hash);
	free(items);
	if (r == 0 && (strcmp(hash, entry->sha256) != 0 || reading->at != entry->size))
		r = fault_set(fault, -EBADMSG, "backup.verify tells more",
			"the bytes of \"%s\" are not those that were backed up", entry->path);
	return r;
}

static void report(const struct reading *reading)
{
	upkeep_output_text(reading->ctx, "id", reading->manifest.id);
	upkeep_output_int(reading->ctx, "bytes", (int64_t)reading->entry->size);
	upkeep_output_text(reading->ctx, "sha256", reading->entry->sha256);
}

int32_t read_run(struct upkeep_ctx *ctx)
{
	CLEANUP_FAULT struct fault fault = {0};
	struct reading reading = {.ctx = ctx};
	reading.out = stream_open_out(ctx, &fault);
	int r = reading.out < 0 ? reading.out : open_file(&reading, &fault);
	if (r == 0)
		r = read_file(&reading, &fault);
	if (r == 0)
		report(&reading);
	manifest_free(&reading.manifest);
	keys_close(&reading.keys);
	store_close(&reading.store);
	return r < 0 ? fault_report(ctx, r, &fault) : UPKEEP_UNCHANGED;
}
