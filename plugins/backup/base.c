/* SPDX-License-Identifier: MIT */
#include "backup/base.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "backup/vault.h"
#include "support/cleanup.h"

#define TRIES 3 /* backups of the store, where the host remembers none */

static uint64_t hash_path(uint64_t seed, const char *path)
{
	uint64_t hash = 0xcbf29ce484222325u ^ seed;
	for (; *path; path++)
		hash = (hash ^ (unsigned char)*path) * 0x100000001b3u;
	return hash ^ hash >> 32;
}

static uint32_t *find_slot(const struct base *base, const char *path)
{
	for (uint64_t i = hash_path(base->seed, path);; i++) {
		uint32_t *slot = &base->slots[i & (base->room - 1)];
		if (!*slot || strcmp(base->manifest.entries[*slot - 1].path, path) == 0)
			return slot;
	}
}

uint32_t base_find(const struct base *base, const char *path)
{
	uint32_t slot = *find_slot(base, path);
	return slot ? slot - 1 : BASE_NONE;
}

/* Whoever names files cannot know the seed. */
static void index_paths(struct base *base)
{
	if (getrandom(&base->seed, sizeof base->seed, 0) < 0)
		base->seed = (uint64_t)(uintptr_t)base;
	for (base->room = 16; base->room < 2 * base->manifest.entry_count;)
		base->room *= 2;
	base->slots = fault_alloc(base->room * sizeof *base->slots);
	for (size_t i = 0; i < base->manifest.entry_count; i++)
		*find_slot(base, base->manifest.entries[i].path) = (uint32_t)i + 1;
}

static void add_base(struct bases *bases, struct manifest *manifest)
{
	bases->items = fault_resize(bases->items, bases->count + 1, sizeof *bases->items);
	struct base *base = &bases->items[bases->count++];
	*base = (struct base){.manifest = *manifest};
	*manifest = (struct manifest){0};
	index_paths(base);
}

/* The lines of all packs that were stored before it was interrupted. */
static int read_parts(struct memory *memory, const char *id, const char *name, struct manifest *ret)
{
	int r = 0;
	for (uint32_t pack = 0; r == 0; pack++) {
		CLEANUP_FD int fd = -1;
		if (memory_get_part(memory, id, pack, &fd) < 0)
			break;
		r = manifest_read_lines(ret, fd, NULL);
	}
	if (r < 0 || !ret->id || strcmp(ret->id, id) != 0 || strcmp(ret->name, name) != 0)
		return -EBADMSG;
	ret->ended = true;
	return manifest_check(ret, NULL);
}

static void load_parts(struct bases *bases, struct memory *memory, const char *name)
{
	CLEANUP_NAMES struct store_names ids = {0};
	if (memory_list(memory, name, MEMORY_PART, &ids, NULL) < 0)
		return;
	for (size_t i = ids.count; i > 0; i--) {
		CLEANUP_MANIFEST struct manifest manifest = {0};
		if (read_parts(memory, ids.items[i - 1], name, &manifest) == 0)
			add_base(bases, &manifest);
	}
}

/* What was found damaged would damage whatever builds upon it. */
static int check_verified(const struct vault_item *item, struct fault *fault)
{
	return strcmp(item->mark.result, "failed") == 0
		? fault_set(fault, -EUCLEAN, NULL, "its verification failed")
		: 0;
}

/* The manifest in the store says what was sealed: it must be what is remembered. */
static int read_whole(struct keys *keys, struct store *store, struct memory *memory, const char *id,
	struct manifest *ret, struct fault *fault)
{
	struct vault_item item;
	CLEANUP_FD int fd = -1;
	char hash[STORE_HASH_TEXT];
	int r = memory_get_whole(memory, id, &fd, hash);
	if (r < 0)
		return fault_set(fault, r, NULL, "what is remembered of it cannot be read");
	vault_examine(keys, store, id, &item);
	if (item.why)
		r = fault_set(fault, -EBADMSG, NULL, "%s", item.why);
	else if (strcmp(item.plain, hash) != 0)
		r = fault_set(fault, -EBADMSG, NULL,
			"what is remembered of it is not what its manifest says");
	else
		r = check_verified(&item, fault);
	vault_free_item(&item);
	return r < 0 ? r : manifest_read(ret, fd, fault);
}

static int read_stored(struct keys *keys, struct store *store, const char *id, struct manifest *ret,
	struct fault *fault)
{
	struct vault_item item;
	vault_examine(keys, store, id, &item);
	int r = check_verified(&item, fault);
	vault_free_item(&item);
	return r < 0 ? r : vault_load(keys, store, id, ret, NULL, fault);
}

/* Adds it, or says why not.  -EUCLEAN: nor is any older one to be built upon. */
static int judge(struct bases *bases, struct keys *keys, const char *id, int r,
	struct manifest *manifest, const struct fault *why)
{
	if (r == 0)
		add_base(bases, manifest);
	else
		upkeep_info(
			keys_ctx(keys), "backup \"%s\" is not built upon: %s", id, fault_what(why));
	return r;
}

static int load_whole(struct bases *bases, struct keys *keys, struct store *store,
	struct memory *memory, const char *name)
{
	CLEANUP_NAMES struct store_names ids = {0};
	int r = memory->store ? memory_list(memory, name, MEMORY_WHOLE, &ids, NULL) : -ENOENT;
	if (r == 0 && ids.count == 0)
		r = -ENOENT;
	for (size_t i = ids.count; i > 0; i--) {
		CLEANUP_FAULT struct fault why = {0};
		CLEANUP_MANIFEST struct manifest manifest = {0};
		const char *id = ids.items[i - 1];
		r = read_whole(keys, store, memory, id, &manifest, &why);
		r = judge(bases, keys, id, r, &manifest, &why);
		if (r == 0 || r == -EUCLEAN)
			break;
	}
	return r;
}

/* Ids begin with their time: the newest is the last. */
static void load_newest(
	struct bases *bases, struct keys *keys, struct store *store, const char *name)
{
	CLEANUP_NAMES struct store_names ids = {0};
	int tries = 0;
	if (store->ops->list(store, "", true, &ids, NULL) < 0)
		return;
	for (size_t i = ids.count; i > 0 && tries < TRIES; i--) {
		CLEANUP_FAULT struct fault why = {0};
		CLEANUP_MANIFEST struct manifest manifest = {0};
		const char *id = ids.items[i - 1];
		if (!manifest_id_valid(id, name) || vault_has(store, id, NULL) != 1)
			continue;
		int r = read_stored(keys, store, id, &manifest, &why);
		r = judge(bases, keys, id, r, &manifest, &why);
		if (r == 0 || r == -EUCLEAN)
			break;
		tries++;
	}
}

void bases_load(struct bases *bases, struct keys *keys, bool trusting, struct store *store,
	struct memory *memory, const char *name)
{
	if (memory->store)
		load_parts(bases, memory, name);
	int r = trusting ? load_whole(bases, keys, store, memory, name) : 0;
	if (r < 0 && r != -EUCLEAN)
		load_newest(bases, keys, store, name);
}

void bases_free(struct bases *bases)
{
	for (size_t i = 0; i < bases->count; i++) {
		manifest_free(&bases->items[i].manifest);
		free(bases->items[i].slots);
	}
	free(bases->items);
	*bases = (struct bases){0};
}
