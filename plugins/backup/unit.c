/* SPDX-License-Identifier: MIT */
#include "backup/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup/match.h"
#include "support/cleanup.h"

#define STAGE_PREFIX ".upkeep-restore-"
#define NO_ENTRY UINT32_MAX

static int make_dirs(const char *path)
{
	CLEANUP_FREE char *copy = fault_format("%s/", path);
	for (char *slash = copy + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return 0;
}

/* Its own entries must be exchanged where the directory itself cannot be renamed. */
static bool is_mount_point(const char *place)
{
	CLEANUP_FREE char *above = fault_format("%s/..", place);
	struct stat own, parent;
	if (lstat(place, &own) < 0 || !S_ISDIR(own.st_mode) || stat(above, &parent) < 0)
		return false;
	return own.st_dev != parent.st_dev || own.st_ino == parent.st_ino;
}

static void find_place(struct unit *unit, const char *target)
{
	CLEANUP_FREE char *place = fault_format("%s%s", target[1] ? target : "", unit->path);
	size_t size = strlen(place);
	while (size > 1 && place[size - 1] == '/')
		place[--size] = 0;
	if (is_mount_point(place)) {
		unit->live_dir = fault_format("%s", place);
		return;
	}
	char *slash = strrchr(place, '/');
	unit->name = fault_format("%s", slash + 1);
	slash[slash == place] = 0;
	unit->live_dir = fault_format("%s", place);
}

int unit_open(struct unit *unit, const char *path, const char *target, struct fault *fault)
{
	unsigned char random[6];
	*unit = (struct unit){.path = fault_format("%s", path), .stage_fd = -1};
	for (size_t size = strlen(unit->path); size > 1 && unit->path[size - 1] == '/';)
		unit->path[--size] = 0;
	if (!manifest_path_valid(unit->path))
		return fault_set(fault, -EINVAL, NULL, "\"%s\" is no path of a backup", path);
	find_place(unit, target);
	int r = make_dirs(unit->live_dir);
	if (r < 0)
		return fault_set(
			fault, r, NULL, "cannot make \"%s\": %s", unit->live_dir, strerror(-r));
	if (getrandom(random, sizeof random, 0) != sizeof random)
		return fault_set(fault, -errno, NULL, "cannot name a directory: %m");
	unit->stage = fault_format("%s/" STAGE_PREFIX "%02x%02x%02x%02x%02x%02x",
		unit->live_dir[1] ? unit->live_dir : "", random[0], random[1], random[2], random[3],
		random[4], random[5]);
	if (mkdir(unit->stage, 0700) == 0)
		unit->stage_fd = open(unit->stage, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return unit->stage_fd < 0
		? fault_set(fault, -errno, NULL, "cannot make \"%s\": %m", unit->stage)
		: 0;
}

void unit_free(struct unit *unit)
{
	if (unit->stage_fd >= 0)
		close(unit->stage_fd);
	free(unit->path);
	free(unit->live_dir);
	free(unit->name);
	free(unit->stage);
	free(unit->example);
	*unit = (struct unit){.stage_fd = -1};
}

void unit_drop_stage(struct unit *unit, bool only_empty)
{
	if (unit->stage_fd < 0)
		return;
	if (only_empty) {
		rmdir(unit->stage);
		return;
	}
	CLEANUP_FD int above = open(unit->live_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (above >= 0)
		extract_remove(above, strrchr(unit->stage, '/') + 1);
}

/* ---- extraction ---- */

struct bringing {
	struct unit *unit;
	const struct manifest *manifest;
	struct extract *extract;
	struct store_hash *hash;
	uint32_t *by_path; /* entries, sorted by path */
	uint32_t *first;   /* of each inode's head: the first entry that was asked for */
	struct reader_item *items;
	size_t count, room;
};

/* Where an entry goes in staging; NULL: it is the mount point itself. */
static char *stage_path(const struct unit *unit, const char *path)
{
	const char *rest = path + (unit->path[1] ? strlen(unit->path) : 0);
	while (*rest == '/')
		rest++;
	if (unit->name)
		return *rest ? fault_format("%s/%s", unit->name, rest)
			     : fault_format("%s", unit->name);
	return *rest ? fault_format("%s", rest) : NULL;
}

static int compare_paths(const void *a, const void *b, void *data)
{
	const struct manifest_entry *entries = data;
	return strcmp(entries[*(const uint32_t *)a].path, entries[*(const uint32_t *)b].path);
}

static void sort_paths(struct bringing *b)
{
	size_t count = b->manifest->entry_count;
	b->by_path = fault_alloc((count + 1) * sizeof *b->by_path);
	b->first = fault_alloc((count + 1) * sizeof *b->first);
	for (size_t i = 0; i < count; i++) {
		b->by_path[i] = (uint32_t)i;
		b->first[i] = NO_ENTRY;
	}
	if (count)
		qsort_r(b->by_path, count, sizeof *b->by_path, compare_paths, b->manifest->entries);
}

static uint32_t find_path(const struct bringing *b, const char *path)
{
	size_t low = 0, high = b->manifest->entry_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(b->manifest->entries[b->by_path[middle]].path, path);
		if (order == 0)
			return b->by_path[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NO_ENTRY;
}

static void want(struct bringing *b, const struct manifest_entry *from, uint32_t as)
{
	for (size_t p = 0; p < from->piece_count; p++) {
		if (b->count == b->room) {
			b->room = b->room ? b->room * 2 : 256;
			b->items = fault_resize(b->items, b->room, sizeof *b->items);
		}
		b->items[b->count++] = (struct reader_item){from, p, as};
	}
	b->unit->entries++;
	b->unit->bytes += from->size;
}

/* A hard link whose file was not asked for becomes the file. */
static int want_entry(struct bringing *b, uint32_t index, struct fault *fault)
{
	const struct manifest_entry *entry = &b->manifest->entries[index];
	uint32_t head = entry->type == 'h' ? find_path(b, entry->link) : index;
	if (head == NO_ENTRY || b->manifest->entries[head].type == 'h')
		return fault_set(fault, -EBADMSG, NULL,
			"\"%s\" is a name of a file that is not there", entry->path);
	if (b->first[head] == NO_ENTRY) {
		b->first[head] = index;
		want(b, &b->manifest->entries[head], index);
	} else {
		want(b, entry, index);
	}
	return 0;
}

static int choose(struct bringing *b, struct fault *fault)
{
	const struct unit *unit = b->unit;
	int r = 0;
	for (size_t i = 0; r == 0 && i < b->manifest->entry_count; i++) {
		const char *path = b->manifest->entries[i].path;
		if (!match_below(unit->path, path) ||
			(!unit->name && strcmp(path, unit->path) == 0))
			continue;
		r = want_entry(b, (uint32_t)i, fault);
	}
	if (r == 0 && b->count == 0)
		return fault_set(fault, -ENOENT, "backup.find shows what there is",
			"backup \"%s\" has no \"%s\"", b->manifest->id, unit->path);
	return r;
}

static int bring_begin(
	void *data, const struct reader_item *item, struct archive_entry *tar, struct fault *fault)
{
	struct bringing *b = data;
	const struct manifest_entry *as = &b->manifest->entries[item->tag];
	if (item->piece > 0)
		return b->hash ? 0
			       : fault_set(fault, -EBADMSG, NULL,
					 "the parts of \"%s\" are mixed up", as->path);
	CLEANUP_FREE char *path = stage_path(b->unit, as->path);
	CLEANUP_FREE char *link = NULL;
	if (item->entry->type == 'h') {
		uint32_t head = find_path(b, item->entry->link);
		link = stage_path(b->unit, b->manifest->entries[b->first[head]].path);
	}
	store_hash_end(&b->hash, NULL);
	if (item->entry->type == 'f')
		b->hash = store_hash_begin();
	return extract_begin(b->extract, path, link, tar, fault);
}

static int bring_bytes(void *data, const struct reader_item *item, const void *bytes, size_t size,
	uint64_t offset, struct fault *fault)
{
	struct bringing *b = data;
	(void)item;
	store_hash_add(b->hash, bytes, size);
	return extract_bytes(b->extract, bytes, size, offset, fault);
}

static int bring_end(void *data, const struct reader_item *item, struct fault *fault)
{
	struct bringing *b = data;
	char hash[STORE_HASH_TEXT];
	if (item->entry->type != 'f' || item->piece + 1 < item->entry->piece_count)
		return 0;
	store_hash_end(&b->hash, hash);
	if (strcmp(hash, item->entry->sha256) != 0)
		return fault_set(fault, -EBADMSG, NULL,
			"the bytes of \"%s\" are not those that were backed up", item->entry->path);
	return extract_end(b->extract, item->entry->size, fault);
}

/* What was stored again may lie in a later pack than what is in it. */
static int make_wanted_dirs(struct bringing *b, struct fault *fault)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < b->count; i++) {
		const struct manifest_entry *entry = b->items[i].entry;
		CLEANUP_FREE char *path =
			entry->type == 'd' ? stage_path(b->unit, entry->path) : NULL;
		if (path)
			r = extract_make_dir(b->extract, path, fault);
	}
	return r;
}

int unit_extract(struct unit *unit, struct keys *keys, struct store *store,
	const struct manifest *manifest, struct fault *fault)
{
	struct bringing b = {.unit = unit, .manifest = manifest};
	struct reader_sink sink = {&b, bring_begin, bring_bytes, bring_end};
	const char *example = NULL;
	sort_paths(&b);
	int r = choose(&b, fault);
	if (r == 0) {
		extract_open(&b.extract, unit->stage_fd, unit->entries, unit->bytes);
		r = make_wanted_dirs(&b, fault);
	}
	if (r == 0)
		r = reader_run(keys, store, manifest, b.items, b.count, &sink, fault);
	if (r == 0)
		r = extract_finish(b.extract, fault);
	if (r == 0)
		unit->incomplete = extract_incomplete(b.extract, &example);
	if (example)
		unit->example = fault_format("%s", example);
	extract_close(&b.extract);
	store_hash_end(&b.hash, NULL);
	free(b.by_path);
	free(b.first);
	free(b.items);
	return r;
}

/* ---- exchange ---- */

static void add_swap(const struct unit *unit, const char *name, struct swap **list, size_t *count)
{
	for (size_t i = 0; i < *count; i++)
		if (strcmp((*list)[i].name, name) == 0)
			return;
	*list = fault_resize(*list, *count + 1, sizeof **list);
	(*list)[(*count)++] = (struct swap){.live = fault_format("%s", unit->live_dir),
		.stage = fault_format("%s", unit->stage),
		.name = fault_format("%s", name)};
}

static int add_children(const struct unit *unit, const char *path, struct swap **list,
	size_t *count, struct fault *fault)
{
	CLEANUP_DIR DIR *dir = opendir(path);
	if (!dir)
		return fault_set(fault, -errno, NULL, "cannot list \"%s\": %m", path);
	for (struct dirent *e; (e = readdir(dir));)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
			strncmp(e->d_name, STAGE_PREFIX, strlen(STAGE_PREFIX)) != 0)
			add_swap(unit, e->d_name, list, count);
	return 0;
}

int unit_swaps(const struct unit *unit, struct swap **ret, size_t *ret_count, struct fault *fault)
{
	int r = 0;
	*ret = NULL;
	*ret_count = 0;
	if (unit->name) {
		add_swap(unit, unit->name, ret, ret_count);
	} else {
		r = add_children(unit, unit->stage, ret, ret_count, fault);
		if (r == 0)
			r = add_children(unit, unit->live_dir, ret, ret_count, fault);
	}
	for (size_t i = 0; r == 0 && i < *ret_count; i++)
		r = swap_look(&(*ret)[i], fault);
	return r;
}
