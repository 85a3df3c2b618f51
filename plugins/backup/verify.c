/* SPDX-License-Identifier: MIT */
#include "backup/actions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "backup/note.h"
#include "backup/reader.h"
#include "backup/vault.h"
#include "support/cleanup.h"

struct check {
	struct upkeep_ctx *ctx;
	struct store_hash *hash;
	const struct manifest_entry *entry; /* whose bytes come now */
	uint64_t entries, bytes, total;
};

static int check_begin(
	void *data, const struct reader_item *item, struct archive_entry *tar, struct fault *fault)
{
	struct check *check = data;
	(void)tar;
	if (item->entry->type != 'f')
		return 0;
	if (item->piece > 0 && check->entry != item->entry)
		return fault_set(fault, -EBADMSG, NULL, "the parts of \"%s\" are not in order",
			item->entry->path);
	if (item->piece > 0)
		return 0;
	store_hash_end(&check->hash, NULL);
	check->hash = store_hash_begin();
	check->entry = item->entry;
	return 0;
}

static int check_bytes(void *data, const struct reader_item *item, const void *bytes, size_t size,
	uint64_t offset, struct fault *fault)
{
	struct check *check = data;
	(void)item;
	(void)offset;
	(void)fault;
	store_hash_add(check->hash, bytes, size);
	check->bytes += size;
	return 0;
}

static int check_end(void *data, const struct reader_item *item, struct fault *fault)
{
	struct check *check = data;
	const struct manifest_entry *entry = item->entry;
	char hash[STORE_HASH_TEXT];
	if (item->piece + 1 < entry->piece_count)
		return 0;
	if (entry->type == 'f') {
		store_hash_end(&check->hash, hash);
		if (strcmp(hash, entry->sha256) != 0)
			return fault_set(fault, -EBADMSG, NULL,
				"the bytes of \"%s\" are not those that were backed up",
				entry->path);
	}
	if (++check->entries % 256 == 0)
		check->ctx->host->progress(check->ctx, check->entries, check->total, "entries");
	return 0;
}

/* Everything, down to each file's bytes. */
static int verify_full(struct check *check, struct keys *keys, struct store *store,
	const struct manifest *manifest, struct fault *fault)
{
	struct reader_item *items = NULL;
	size_t count = 0, room = 0;
	for (size_t i = 0; i < manifest->entry_count; i++)
		for (size_t p = 0; p < manifest->entries[i].piece_count; p++) {
			if (count == room) {
				room = room ? room * 2 : 1024;
				items = fault_resize(items, room, sizeof *items);
			}
			items[count++] = (struct reader_item){&manifest->entries[i], p, i};
		}
	struct reader_sink sink = {check, check_begin, check_bytes, check_end};
	check->total = manifest->entry_count;
	int r = reader_run(keys, store, manifest, items, count, &sink, fault);
	store_hash_end(&check->hash, NULL);
	free(items);
	return r;
}

/* Every pack is there with the right bytes. */
static int verify_hashes(struct store *store, const struct manifest *manifest, struct fault *fault)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < manifest->pack_count + manifest->borrowed_count; i++) {
		int fd = -1;
		size_t pack = i < manifest->pack_count
			? i
			: MANIFEST_BORROWED + (i - manifest->pack_count);
		r = reader_fetch(store, manifest, (uint32_t)pack, &fd, fault);
		if (fd >= 0)
			close(fd);
	}
	return r;
}

/* What it borrows must be what it says that it needs, or prune might take it away. */
static int verify_needs(struct keys *keys, struct store *store, const struct manifest *manifest,
	struct fault *fault)
{
	CLEANUP_NEEDS struct needs needs = {0};
	struct vault_item item;
	if (manifest->borrowed_count == 0)
		return 0;
	int r = vault_look(keys, store, manifest->id, &item);
	r = item.why ? fault_set(fault, r < 0 ? r : -EBADMSG, NULL, "%s", item.why)
		     : vault_needs(store, &item, &needs, fault);
	vault_free_item(&item);
	for (size_t i = 0; r == 0 && i < manifest->borrowed_count; i++)
		if (!needs_pack(&needs, manifest->borrowed[i].of, manifest->borrowed[i].number))
			r = fault_set(fault, -EBADMSG, NULL,
				"backup \"%s\" does not say that it needs pack %u of \"%s\"",
				manifest->id, manifest->borrowed[i].number,
				manifest->borrowed[i].of);
	return r;
}

/* In the site's own ledger, and for others, signed, in the store. */
static int note(struct upkeep_ctx *ctx, struct keys *keys, struct store *store, const char *id,
	const char *result, const char *manifest, struct fault *fault)
{
	const struct settings *settings = ctx->settings;
	CLEANUP_FAULT struct fault why = {0};
	CLEANUP_STORE struct store *ledger = NULL;
	CLEANUP_FREE char *group = ledger_group(store);
	int64_t now_s = time(NULL);
	int r = ledger_open(&ledger, settings->keyring, true, fault);
	if (r == 0)
		r = ledger_note(ledger, group, id, result, manifest, now_s, ctx->run_id, fault);
	int told = note_put(keys, store, id, result, now_s, ctx->run_id, &why);
	if (told < 0 && told != -ENOKEY)
		upkeep_warn(ctx, "other sites cannot see that backup \"%s\" was verified: %s", id,
			fault_what(&why));
	return r;
}

static int verify_one(struct upkeep_ctx *ctx, struct keys *keys, struct store *store,
	const char *id, struct fault *fault)
{
	const struct verify_args *args = ctx->args;
	CLEANUP_MANIFEST struct manifest manifest = {0};
	struct check check = {.ctx = ctx};
	bool full = strcmp(args->level, "full") == 0;
	char hash[STORE_HASH_TEXT] = "";
	int r = vault_load(keys, store, id, &manifest, hash, fault);
	if (r == 0)
		r = verify_needs(keys, store, &manifest, fault);
	if (r == 0)
		r = full ? verify_full(&check, keys, store, &manifest, fault)
			 : verify_hashes(store, &manifest, fault);
	/* a cancelled or starved check says nothing about the backup */
	if (r == 0 || r == -EBADMSG || r == -ENOENT) {
		int noted = note(ctx, keys, store, id, r == 0 ? args->level : "failed",
			r == 0 ? hash : "", r == 0 ? fault : NULL);
		r = r == 0 ? noted : r;
	}
	if (r < 0)
		return r;
	char entries[24], packs[24], bytes[24];
	snprintf(entries, sizeof entries, "%zu", manifest.entry_count);
	snprintf(packs, sizeof packs, "%zu", manifest.pack_count + manifest.borrowed_count);
	snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)check.bytes);
	struct upkeep_cell cells[] = {{"backup", id, UPKEEP_STRING, 0},
		{"level", args->level, UPKEEP_STRING, 0}, {"entries", entries, UPKEEP_INT, 0},
		{"packs", packs, UPKEEP_INT, 0}, {"bytes", bytes, UPKEEP_SIZE, 0}};
	upkeep_row(ctx, "verified", cells);
	return 0;
}

static bool is_fresh(const struct verify_args *args, const struct ledger_mark *mark)
{
	bool enough = strcmp(mark->result, "full") == 0 || strcmp(mark->result, args->level) == 0;
	return enough && mark->when_s >= time(NULL) - args->since_ms / 1000;
}

/* One bad backup does not keep the others from being looked at. */
static int verify_all(struct upkeep_ctx *ctx, struct keys *keys, struct store *store,
	int64_t *count, struct fault *fault)
{
	const struct verify_args *args = ctx->args;
	CLEANUP_ITEMS struct vault_items items = {0};
	int r = vault_list(keys, store, args->name, &items, fault);
	for (size_t i = 0; r != -ECANCELED && i < items.count; i++) {
		CLEANUP_FAULT struct fault own = {0};
		if (args->since_ms > 0 && is_fresh(args, &items.items[i].mark))
			continue;
		int one = verify_one(ctx, keys, store, items.items[i].id, &own);
		*count += one == 0;
		if (one == 0)
			continue;
		upkeep_warn(ctx, "%s", fault_what(&own));
		if (r == 0)
			r = fault_set(fault, one, own.next, "%s", fault_what(&own));
	}
	return r;
}

int32_t verify_run(struct upkeep_ctx *ctx)
{
	const struct verify_args *args = ctx->args;
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_STORE struct store *store = NULL;
	CLEANUP_KEYS struct keys *keys = NULL;
	CLEANUP_FREE char *id = NULL;
	int64_t count = 0;
	int r = vault_enter(ctx, args->store, KEYS_SECRET | KEYS_TRUST, &store, &keys, &fault);
	if (r == 0 && args->all)
		r = verify_all(ctx, keys, store, &count, &fault);
	else if (r == 0) {
		r = vault_choose(keys, store, args->backup, args->name, &id, &fault);
		if (r == 0)
			r = verify_one(ctx, keys, store, id, &fault);
		count = r == 0;
	}
	if (r < 0)
		return fault_report(ctx, r, &fault);
	upkeep_output_int(ctx, "verified", count);
	if (id)
		upkeep_output_text(ctx, "id", id);
	return UPKEEP_UNCHANGED;
}
