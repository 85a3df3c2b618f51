/* SPDX-License-Identifier: MIT */
#include "backup/reuse.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "backup/source.h"
#include "support/cleanup.h"

#define TAR_END 1024 /* of each pack */

struct reuse_pack {
	uint64_t used;
	bool refused;   /* what is in it is stored again */
	uint32_t place; /* among the borrowed ones */
};

/* A base's own packs, and behind them those that it borrowed. */
static size_t pack_count(const struct base *base)
{
	return base->manifest.pack_count + base->manifest.borrowed_count;
}

static size_t place_of(const struct base *base, uint32_t pack)
{
	return pack < MANIFEST_BORROWED ? pack
					: base->manifest.pack_count + (pack - MANIFEST_BORROWED);
}

static const struct manifest_pack *pack_at(const struct base *base, size_t place)
{
	size_t own = base->manifest.pack_count;
	return place < own ? &base->manifest.packs[place] : &base->manifest.borrowed[place - own];
}

/* ---- is it as it was? ---- */

static bool is_same(const struct tree_node *n, const struct manifest_entry *e)
{
	return e->seen.ino && e->seen.ino == n->ino && e->seen.dev == n->dev &&
		e->seen.ctime_s == n->ctime.tv_sec && e->seen.ctime_ns == n->ctime.tv_nsec &&
		e->mtime_s == n->mtime.tv_sec && e->mtime_ns == n->mtime.tv_nsec &&
		e->mode == n->mode && e->type == manifest_type(n->mode) &&
		(e->type != 'f' || e->size == n->size);
}

/* All names of the inode lie in one pack, as they did. */
static bool has_links(const struct reuse *reuse, const struct base *base, uint32_t node,
	const struct manifest_entry *head)
{
	uint32_t pack = head->pieces[head->piece_count - 1].pack;
	for (uint32_t n = reuse->tree->nodes[node].next_link; n != TREE_NONE;
		n = reuse->tree->nodes[n].next_link) {
		CLEANUP_FREE char *path = tree_path(reuse->tree, n);
		uint32_t index = base_find(base, path);
		const struct manifest_entry *e =
			index == BASE_NONE ? NULL : &base->manifest.entries[index];
		if (!e || e->type != 'h' || strcmp(e->link, head->path) != 0 ||
			e->pieces[0].pack != pack)
			return false;
	}
	return true;
}

static bool has_bytes(const struct reuse *reuse, uint32_t node, const struct manifest_entry *entry)
{
	struct source source;
	char hash[STORE_HASH_TEXT] = "";
	if (entry->type != 'f' || !reuse->by_content)
		return true;
	if (source_open(&source, reuse->tree, node) == 0)
		source_hash(&source, reuse->cancel_fd, hash); /* cancelled: choose_all sees it */
	source_close(&source);
	return strcmp(hash, entry->sha256) == 0;
}

/* ---- how much of each pack is used ---- */

static void count_entry(
	struct reuse *reuse, uint32_t base, const struct manifest_entry *e, int sign)
{
	for (size_t i = 0; i < e->piece_count; i++) {
		size_t place = place_of(&reuse->bases.items[base], e->pieces[i].pack);
		reuse->packs[base][place].used += (uint64_t)sign * e->pieces[i].length;
	}
}

/* Adds (1) or takes away (-1) what the node, with all its names, uses. */
static void count_node(struct reuse *reuse, uint32_t node, int sign)
{
	uint32_t base = reuse->choices[node].base - 1;
	const struct base *b = &reuse->bases.items[base];
	count_entry(reuse, base, &b->manifest.entries[reuse->choices[node].entry], sign);
	for (uint32_t n = reuse->tree->nodes[node].next_link; n != TREE_NONE;
		n = reuse->tree->nodes[n].next_link) {
		CLEANUP_FREE char *path = tree_path(reuse->tree, n);
		count_entry(reuse, base, &b->manifest.entries[base_find(b, path)], sign);
	}
}

static void choose(struct reuse *reuse, uint32_t node)
{
	CLEANUP_FREE char *path = tree_path(reuse->tree, node);
	for (uint32_t i = 0; i < reuse->bases.count; i++) {
		const struct base *base = &reuse->bases.items[i];
		uint32_t index = base_find(base, path);
		const struct manifest_entry *e =
			index == BASE_NONE ? NULL : &base->manifest.entries[index];
		if (!e || !is_same(&reuse->tree->nodes[node], e) ||
			!has_links(reuse, base, node, e) || !has_bytes(reuse, node, e))
			continue;
		reuse->choices[node] = (struct reuse_choice){i + 1, index};
		count_node(reuse, node, 1);
		return;
	}
}

static int choose_all(struct reuse *reuse, struct fault *fault)
{
	struct pollfd cancel = {.fd = reuse->cancel_fd, .events = POLLIN};
	for (uint32_t node = 0; node < reuse->tree->count; node++) {
		if ((node % 64 == 0 || reuse->by_content) && poll(&cancel, 1, 0) > 0)
			return fault_set(
				fault, -ECANCELED, NULL, "stopped before the backup was whole");
		if (reuse->tree->nodes[node].link == TREE_NONE &&
			manifest_type(reuse->tree->nodes[node].mode))
			choose(reuse, node);
	}
	return 0;
}

/* ---- which packs are refused ---- */

struct listing {
	struct store *store;
	const char *id; /* of the group that was listed last */
	struct store_names names;
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, *(char *const *)b);
}

static bool is_there(struct listing *listing, const char *id, const struct manifest_pack *pack)
{
	CLEANUP_FREE char *name = fault_format("%05u.pack", pack->number);
	if (!listing->id || strcmp(listing->id, id) != 0) {
		store_names_free(&listing->names);
		listing->id = id;
		listing->store->ops->list(listing->store, id, false, &listing->names, NULL);
	}
	struct store_names *names = &listing->names;
	char **found = names->count
		? bsearch(name, names->items, names->count, sizeof *names->items, compare_names)
		: NULL;
	return found && (!names->sizes || names->sizes[found - names->items] == pack->size);
}

static void refuse_missing(struct reuse *reuse, struct store *store)
{
	struct listing listing = {.store = store};
	for (size_t i = 0; i < reuse->bases.count; i++) {
		const struct base *base = &reuse->bases.items[i];
		for (size_t p = 0; p < pack_count(base); p++) {
			const struct manifest_pack *pack = pack_at(base, p);
			const char *id = pack->of ? pack->of : base->manifest.id;
			if (reuse->packs[i][p].used > 0 && !is_there(&listing, id, pack))
				reuse->packs[i][p].refused = true;
		}
	}
	store_names_free(&listing.names);
}

static bool is_small(const struct reuse *reuse, size_t base, size_t pack)
{
	return reuse->packs[base][pack].used > 0 &&
		pack_at(&reuse->bases.items[base], pack)->plain < REUSE_SMALL_BYTES;
}

static void refuse_small(struct reuse *reuse)
{
	size_t small = 0;
	for (size_t i = 0; i < reuse->bases.count; i++)
		for (size_t p = 0; p < pack_count(&reuse->bases.items[i]); p++)
			small += is_small(reuse, i, p);
	for (size_t i = 0; small > REUSE_SMALL_MAX && i < reuse->bases.count; i++)
		for (size_t p = 0; p < pack_count(&reuse->bases.items[i]); p++)
			if (is_small(reuse, i, p))
				reuse->packs[i][p].refused = true;
}

static void refuse_garbage(struct reuse *reuse)
{
	for (size_t i = 0; i < reuse->bases.count; i++)
		for (size_t p = 0; p < pack_count(&reuse->bases.items[i]); p++) {
			uint64_t plain = pack_at(&reuse->bases.items[i], p)->plain;
			uint64_t held = plain > TAR_END ? plain - TAR_END : 0;
			if (reuse->packs[i][p].used > 0 && reuse->packs[i][p].used < held / 2)
				reuse->packs[i][p].refused = true;
		}
}

/* True where a node lost its choice: other packs may now have too little in use. */
static bool drop_refused(struct reuse *reuse)
{
	bool dropped = false;
	for (uint32_t node = 0; node < reuse->tree->count; node++) {
		struct reuse_choice choice = reuse->choices[node];
		if (!choice.base)
			continue;
		const struct base *base = &reuse->bases.items[choice.base - 1];
		const struct manifest_entry *e = &base->manifest.entries[choice.entry];
		bool refused = false;
		for (size_t i = 0; i < e->piece_count; i++)
			refused |= reuse->packs[choice.base - 1][place_of(base, e->pieces[i].pack)]
					   .refused;
		if (!refused)
			continue;
		count_node(reuse, node, -1);
		reuse->choices[node] = (struct reuse_choice){0};
		dropped = true;
	}
	return dropped;
}

/* In the order of the bases, whose packs are in the order in which their entries must be read. */
static void list_borrowed(struct reuse *reuse)
{
	size_t room = 0;
	for (size_t i = 0; i < reuse->bases.count; i++)
		room += pack_count(&reuse->bases.items[i]);
	reuse->borrowed = fault_alloc((room + 1) * sizeof *reuse->borrowed);
	for (size_t i = 0; i < reuse->bases.count; i++)
		for (size_t p = 0; p < pack_count(&reuse->bases.items[i]); p++) {
			if (reuse->packs[i][p].used == 0)
				continue;
			reuse->packs[i][p].place = (uint32_t)reuse->borrowed_count;
			struct manifest_pack pack = *pack_at(&reuse->bases.items[i], p);
			if (!pack.of)
				pack.of = reuse->bases.items[i].manifest.id;
			reuse->borrowed[reuse->borrowed_count++] = pack;
		}
}

int reuse_decide(struct reuse *reuse, struct tree *tree, struct store *store, bool by_content,
	int cancel_fd, struct fault *fault)
{
	reuse->tree = tree;
	reuse->by_content = by_content;
	reuse->cancel_fd = cancel_fd;
	reuse->choices = fault_alloc((tree->count + 1) * sizeof *reuse->choices);
	reuse->packs = fault_alloc((reuse->bases.count + 1) * sizeof *reuse->packs);
	for (size_t i = 0; i < reuse->bases.count; i++)
		reuse->packs[i] = fault_alloc(
			(pack_count(&reuse->bases.items[i]) + 1) * sizeof *reuse->packs[i]);
	int r = reuse->bases.count ? choose_all(reuse, fault) : 0;
	if (r < 0)
		return r;
	refuse_missing(reuse, store);
	refuse_small(reuse);
	do
		refuse_garbage(reuse);
	while (drop_refused(reuse));
	list_borrowed(reuse);
	return 0;
}

struct manifest_entry reuse_entry(const struct reuse *reuse, uint32_t node, const char *path)
{
	struct reuse_choice choice = reuse->choices[node];
	const struct base *base = &reuse->bases.items[choice.base - 1];
	uint32_t index = path ? base_find(base, path) : choice.entry;
	struct manifest_entry entry = base->manifest.entries[index];
	struct manifest_piece *pieces = fault_alloc(entry.piece_count * sizeof *pieces);
	for (size_t i = 0; i < entry.piece_count; i++) {
		pieces[i] = entry.pieces[i];
		size_t place = place_of(base, pieces[i].pack);
		pieces[i].pack = MANIFEST_BORROWED + reuse->packs[choice.base - 1][place].place;
	}
	entry.pieces = pieces;
	return entry;
}

void reuse_free(struct reuse *reuse)
{
	for (size_t i = 0; reuse->packs && i < reuse->bases.count; i++)
		free(reuse->packs[i]);
	free(reuse->packs);
	free(reuse->choices);
	free(reuse->borrowed);
	bases_free(&reuse->bases);
	*reuse = (struct reuse){0};
}
