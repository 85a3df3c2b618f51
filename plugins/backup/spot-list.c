/* SPDX-License-Identifier: MIT */
#include "backup/spot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backup/match.h"
#include "support/cleanup.h"

static int compare_paths(const void *a, const void *b, void *data)
{
	const struct manifest_entry *entries = data;
	return strcmp(entries[*(const uint32_t *)a].path, entries[*(const uint32_t *)b].path);
}

static void sort_entries(struct spot *spot)
{
	size_t count = spot->manifest.entry_count;
	spot->by_path = fault_alloc((count + 1) * sizeof *spot->by_path);
	for (size_t i = 0; i < count; i++)
		spot->by_path[i] = (uint32_t)i;
	if (count)
		qsort_r(spot->by_path, count, sizeof *spot->by_path, compare_paths,
			spot->manifest.entries);
}

static struct manifest_entry *find_path(struct spot *spot, const char *path)
{
	size_t low = 0, high = spot->manifest.entry_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct manifest_entry *entry = &spot->manifest.entries[spot->by_path[middle]];
		int order = strcmp(entry->path, path);
		if (order == 0)
			return entry;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* Of a further name, the entry that has the bytes. */
static struct manifest_entry *find_file(struct spot *spot, struct manifest_entry *entry)
{
	return entry && entry->type == 'h' ? find_path(spot, entry->link) : entry;
}

static void add_file(struct spot *spot, uint32_t node, const struct manifest_entry *entry)
{
	if (spot->count == spot->room) {
		spot->room = spot->room ? spot->room * 2 : 1024;
		spot->files = fault_resize(spot->files, spot->room, sizeof *spot->files);
	}
	spot->files[spot->count++] = (struct spot_file){node, entry};
}

/* What is there now; `seen` marks the entries that are. */
static void add_live(struct spot *spot, bool *seen)
{
	const struct tree *tree = &spot->tree;
	for (uint32_t node = 0; node < tree->count; node++) {
		uint32_t head = tree_due(tree, node);
		if (head == TREE_NONE || !S_ISREG(tree->nodes[head].mode))
			continue;
		CLEANUP_FREE char *path = tree_path(tree, head);
		struct manifest_entry *entry = find_file(spot, find_path(spot, path));
		if (entry)
			seen[entry - spot->manifest.entries] = true;
		add_file(spot, head, entry);
		spot->live++;
	}
}

/* What is told, or what was left out of the backup. */
static struct upkeep_strings excluded(const struct spot *spot)
{
	const struct spot_args *args = spot->ctx->args;
	const struct manifest *manifest = &spot->manifest;
	return args->exclude.count ? args->exclude
				   : (struct upkeep_strings){(const char *const *)manifest->exclude,
					     manifest->exclude_count};
}

/* As in the walk, what lies below something that is left out is left out too. */
static bool is_left_out(const struct upkeep_strings *exclude, const char *path)
{
	CLEANUP_FREE char *part = fault_format("%s/", path);
	if (!exclude->count)
		return false;
	for (char *slash = part + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		bool out = match_any(exclude, part);
		*slash = '/';
		if (out)
			return true;
	}
	return false;
}

static bool is_below(const struct upkeep_strings *paths, const char *path)
{
	for (size_t i = 0; i < paths->count; i++)
		if (match_below(paths->items[i], path))
			return true;
	return false;
}

/* Each file once, by whichever of its names is meant. */
static void add_stored(struct spot *spot, const struct upkeep_strings *paths, const bool *seen)
{
	const struct upkeep_strings exclude = excluded(spot);
	struct manifest *manifest = &spot->manifest;
	CLEANUP_FREE bool *counted = fault_alloc(manifest->entry_count + 1);
	for (size_t i = 0; i < manifest->entry_count; i++) {
		const char *path = manifest->entries[i].path;
		struct manifest_entry *file = find_file(spot, &manifest->entries[i]);
		if (!file || file->type != 'f' || !is_below(paths, path) ||
			is_left_out(&exclude, path))
			continue;
		size_t index = (size_t)(file - manifest->entries);
		if (counted[index])
			continue;
		counted[index] = true;
		spot->stored++;
		if (!seen[index])
			add_file(spot, TREE_NONE, file);
	}
}

/* Sources that are gone are no error here: all that they held is missing. */
static int walk(struct spot *spot, const struct upkeep_strings *paths, struct fault *fault)
{
	const struct spot_args *args = spot->ctx->args;
	CLEANUP_FREE const char **there = fault_alloc((paths->count + 1) * sizeof *there);
	struct tree_options options = {.paths = {.items = there},
		.exclude = excluded(spot),
		.one_file_system = args->one_file_system,
		.skip_caches = args->skip_caches,
		.cancel_fd = spot->ctx->host->cancel_fd(spot->ctx)};
	struct stat st;
	for (size_t i = 0; i < paths->count; i++)
		if (lstat(paths->items[i], &st) == 0)
			there[options.paths.count++] = paths->items[i];
	options.has_store = spot->store->ops->identity(
				    spot->store, &options.store_dev, &options.store_ino) == 0;
	return tree_walk(&spot->tree, &options, fault);
}

int spot_list(struct spot *spot, struct fault *fault)
{
	const struct spot_args *args = spot->ctx->args;
	const struct upkeep_strings stored = {
		(const char *const *)spot->manifest.paths, spot->manifest.path_count};
	const struct upkeep_strings *paths = args->paths.count ? &args->paths : &stored;
	int r = walk(spot, paths, fault);
	if (r < 0)
		return r;
	CLEANUP_FREE bool *seen = fault_alloc(spot->manifest.entry_count + 1);
	sort_entries(spot);
	add_live(spot, seen);
	add_stored(spot, paths, seen);
	return spot->count
		? 0
		: fault_set(fault, -ENOENT, "name others in `paths`",
			  "neither the backup \"%s\" nor this host has a file to compare",
			  spot->manifest.id);
}
