/* SPDX-License-Identifier: MIT */
#include "backup/clear.h"

#include <stdlib.h>
#include <string.h>

#include "support/cleanup.h"

#define STAMP (sizeof "20261123T000000Z-" - 1)
#define RANDOM (sizeof "-00000000" - 1)

void clear_need(struct clear *clear, const struct vault_item *item)
{
	CLEANUP_FAULT struct fault why = {0};
	if (!item->why && vault_needs(clear->store, item, &clear->needs, &why) == 0)
		return;
	upkeep_warn(clear->ctx,
		"nothing that \"%s\" may need is cleared, for what it needs is not known: %s",
		item->id, item->why ? item->why : fault_what(&why));
	clear->unknown =
		fault_resize(clear->unknown, clear->unknown_count + 1, sizeof *clear->unknown);
	clear->unknown[clear->unknown_count++] = fault_format("%s", item->id);
}

void clear_free(struct clear *clear)
{
	for (size_t i = 0; i < clear->unknown_count; i++)
		free(clear->unknown[i]);
	free(clear->unknown);
	needs_free(&clear->needs);
}

static bool is_needed(const struct clear *clear, const char *id, const char *object)
{
	char *end;
	unsigned long number = strtoul(object, &end, 10);
	return end != object && strcmp(end, ".pack") == 0 && number < MANIFEST_PACKS_MAX &&
		needs_pack(&clear->needs, id, (uint32_t)number);
}

uint64_t clear_size(const struct clear *clear, const char *id)
{
	CLEANUP_NAMES struct store_names names = {0};
	uint64_t size = 0;
	if (clear->store->ops->list(clear->store, id, false, &names, NULL) < 0 || !names.sizes)
		return 0;
	for (size_t i = 0; i < names.count; i++)
		if (!is_needed(clear, id, names.items[i]))
			size += names.sizes[i];
	return size;
}

/* Only what looks like ours, and like the backups of the name. */
static bool is_ours(const struct clear *clear, const char *id)
{
	if (clear->name && *clear->name)
		return manifest_id_valid(id, clear->name);
	return strlen(id) > STAMP && id[8] == 'T' && id[STAMP - 2] == 'Z' && id[STAMP - 1] == '-';
}

/* Some backup of the same name could need anything of it. */
static bool is_unknown(const struct clear *clear, const char *id)
{
	size_t size = strlen(id);
	for (size_t i = 0; i < clear->unknown_count; i++) {
		const char *other = clear->unknown[i];
		if (strlen(other) == size && size > STAMP + RANDOM &&
			strncmp(id + STAMP, other + STAMP, size - STAMP - RANDOM) == 0)
			return true;
	}
	return false;
}

/* That notes of what is gone stay does no harm. */
static void forget(struct clear *clear, const char *id)
{
	const struct settings *settings = clear->ctx->settings;
	CLEANUP_STORE struct store *ledger = NULL;
	CLEANUP_NAMES struct store_names notes = {0};
	CLEANUP_FREE char *group = ledger_group(clear->store);
	if (vault_notes(clear->ctx, clear->store, &notes, NULL) == 0 && notes.count > 0 &&
		ledger_open(&ledger, settings->keyring, false, NULL) == 0)
		ledger_forget(ledger, group, &notes, id);
}

static int clear_objects(
	struct clear *clear, const char *id, const struct store_names *names, struct fault *fault)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < names->count; i++)
		if (!is_needed(clear, id, names->items[i]) &&
			strcmp(names->items[i], VAULT_REMOVED) != 0)
			r = clear->store->ops->remove_object(
				clear->store, id, names->items[i], fault);
	return r;
}

/* The manifest goes first: whatever stops it, what is left is no backup. */
static int clear_group(struct clear *clear, const char *id, bool whole, struct fault *fault)
{
	struct store *store = clear->store;
	CLEANUP_NAMES struct store_names names = {0};
	int r = store->ops->list(store, id, false, &names, fault);
	size_t needed = 0;
	for (size_t i = 0; r == 0 && i < names.count; i++)
		needed += is_needed(clear, id, names.items[i]);
	if (r == 0 && whole) {
		r = store->ops->remove_object(store, id, VAULT_MANIFEST, fault);
		if (r == 0)
			r = store->ops->sync(store, id, fault);
		if (r == 0)
			forget(clear, id);
	} else if (r == 0 && needed == 0) {
		upkeep_info(clear->ctx, "removing \"%s\", which is no whole backup", id);
	}
	if (r < 0)
		return r;
	return needed ? clear_objects(clear, id, &names, fault)
		      : store->ops->remove(store, id, fault);
}

/* What may come back needs what it needed. */
static int need_removed(struct clear *clear, const char *id, struct fault *fault)
{
	int64_t until_s = INT64_MAX;
	if (!is_ours(clear, id))
		return 0;
	int r = clear->store->ops->has(clear->store, id, VAULT_MANIFEST, fault);
	if (r == 1)
		r = vault_buried(clear->store, id, &until_s, fault);
	if (r < 1 || until_s <= clear->now_s)
		return r;
	struct vault_item item;
	r = vault_look(clear->keys, clear->store, id, &item);
	if (r < 0)
		fault_set(fault, r, NULL, "backup \"%s\": %s", id, item.why);
	else
		clear_need(clear, &item);
	vault_free_item(&item);
	return r;
}

/* Of what the store cannot be asked about nothing is removed. */
static int clear_id(struct clear *clear, const char *id, struct fault *fault)
{
	int64_t until_s = INT64_MAX;
	if (!is_ours(clear, id) || is_unknown(clear, id))
		return 0;
	int whole = clear->store->ops->has(clear->store, id, VAULT_MANIFEST, fault);
	int buried = whole < 0 ? whole : vault_buried(clear->store, id, &until_s, fault);
	if (buried < 0)
		return buried;
	return (buried ? until_s <= clear->now_s : !whole) ? clear_group(clear, id, whole, fault)
							   : 0;
}

int clear_run(struct clear *clear, struct fault *fault)
{
	CLEANUP_NAMES struct store_names groups = {0};
	int r = clear->store->ops->list(clear->store, "", true, &groups, fault);
	for (size_t i = 0; r >= 0 && i < groups.count; i++)
		r = need_removed(clear, groups.items[i], fault);
	/* the newest first: whatever stops it, no backup is left without what it needs of older
	 * ones, for it could still be brought back */
	for (size_t i = groups.count; r >= 0 && i > 0; i--)
		r = clear_id(clear, groups.items[i - 1], fault);
	return r < 0 ? r : 0;
}
