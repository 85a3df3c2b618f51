/* SPDX-License-Identifier: MIT */
#include "backup/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/match.h"
#include "support/cleanup.h"

static const char cache_mark[] = TREE_CACHE_MARK;

/* Inodes with several names, by device and number: open addressing. */
struct inodes {
	uint32_t *slots; /* node + 1 */
	uint32_t count, room;
};

struct walk {
	struct tree *tree;
	const struct tree_options *options;
	struct inodes inodes;
};

static uint32_t *inode_slot(struct walk *walk, uint64_t dev, uint64_t ino)
{
	struct inodes *in = &walk->inodes;
	uint64_t hash = (ino ^ dev << 40) * 0x9e3779b97f4a7c15u;
	for (uint32_t i = (uint32_t)(hash >> 32);; i++) {
		uint32_t *slot = &in->slots[i & (in->room - 1)];
		if (!*slot)
			return slot;
		const struct tree_node *n = &walk->tree->nodes[*slot - 1];
		if (n->dev == dev && n->ino == ino)
			return slot;
	}
}

static void grow_inodes(struct walk *walk)
{
	struct inodes old = walk->inodes;
	walk->inodes.room = old.room ? old.room * 2 : 256;
	walk->inodes.slots = fault_alloc(walk->inodes.room * sizeof *old.slots);
	for (uint32_t i = 0; i < old.room; i++)
		if (old.slots[i]) {
			const struct tree_node *n = &walk->tree->nodes[old.slots[i] - 1];
			*inode_slot(walk, n->dev, n->ino) = old.slots[i];
		}
	free(old.slots);
}

/* Ties the names of one inode together, the first one being their head. */
static void join_links(struct walk *walk, uint32_t node)
{
	struct tree_node *nodes = walk->tree->nodes;
	if (walk->inodes.count * 2 >= walk->inodes.room)
		grow_inodes(walk);
	uint32_t *slot = inode_slot(walk, nodes[node].dev, nodes[node].ino);
	if (!*slot) {
		*slot = node + 1;
		walk->inodes.count++;
		return;
	}
	uint32_t head = *slot - 1;
	nodes[node].link = head;
	nodes[node].next_link = nodes[head].next_link;
	nodes[head].next_link = node;
}

static uint32_t add_node(
	struct walk *walk, uint32_t parent, const char *name, const struct stat *st)
{
	struct tree *tree = walk->tree;
	if (tree->count == tree->room) {
		tree->room = tree->room ? tree->room * 2 : 1024;
		tree->nodes = fault_resize(tree->nodes, tree->room, sizeof *tree->nodes);
	}
	uint32_t node = tree->count++;
	tree->nodes[node] = (struct tree_node){.name = fault_format("%s", name),
		.parent = parent,
		.link = TREE_NONE,
		.next_link = TREE_NONE,
		.mode = st->st_mode,
		.dev = st->st_dev,
		.ino = st->st_ino,
		.mtime = st->st_mtim,
		.ctime = st->st_ctim,
		.size = S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0};
	if (!S_ISDIR(st->st_mode) && st->st_nlink > 1)
		join_links(walk, node);
	if (tree->nodes[node].link == TREE_NONE)
		tree->bytes += tree->nodes[node].size;
	return node;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t read_names(DIR *dir, char ***ret)
{
	char **names = NULL;
	size_t count = 0, room = 0;
	for (struct dirent *e; (e = readdir(dir));) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (count == room) {
			room = room ? room * 2 : 64;
			names = fault_resize(names, room, sizeof *names);
		}
		names[count++] = fault_format("%s", e->d_name);
	}
	if (count)
		qsort(names, count, sizeof *names, compare_names);
	*ret = names;
	return count;
}

static bool is_cache(int dir)
{
	char text[sizeof cache_mark] = {0};
	CLEANUP_FD int fd = openat(
		dir, "CACHEDIR.TAG", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd >= 0 && read(fd, text, sizeof text - 1) == (ssize_t)sizeof text - 1 &&
		memcmp(text, cache_mark, sizeof text - 1) == 0;
}

static bool is_left_out(struct walk *walk, const char *path, const struct stat *st, uint64_t dev)
{
	const struct tree_options *options = walk->options;
	if (options->has_store && S_ISDIR(st->st_mode) && st->st_dev == options->store_dev &&
		st->st_ino == options->store_ino)
		return true;
	if (options->one_file_system && st->st_dev != dev && !S_ISDIR(st->st_mode))
		return true;
	return options->exclude.count > 0 && match_any(&options->exclude, path);
}

/* A mount point itself is kept, as an empty directory, when its file system is not. */
static bool is_entered(struct walk *walk, const struct tree_node *node, uint64_t dev)
{
	return S_ISDIR(node->mode) && !(walk->options->one_file_system && node->dev != dev);
}

static void add_entry(struct walk *walk, uint32_t dir, int fd, const char *name,
	const char *dir_path, uint64_t dev)
{
	struct stat st;
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		struct stat none = {0};
		const char *kind = errno == ENOENT ? "vanished" : "unreadable";
		const char *why = strerror(errno);
		uint32_t node = add_node(walk, dir, name, &none);
		tree_problem(walk->tree, node, kind, why);
		free(walk->tree->nodes[node].name);
		walk->tree->count--;
		return;
	}
	CLEANUP_FREE char *path = fault_format("%s/%s", dir_path[1] ? dir_path : "", name);
	if (is_left_out(walk, path, &st, dev)) {
		walk->tree->excluded++;
		return;
	}
	uint32_t node = add_node(walk, dir, name, &st);
	if (S_ISSOCK(st.st_mode)) {
		tree_problem(walk->tree, node, "socket", "sockets belong to running programs");
		walk->tree->nodes[node].mode = 0;
	}
}

/* Adds what lies in the directory `dir`, in the order of the names. */
static void list_dir(struct walk *walk, uint32_t dir, uint64_t dev)
{
	const char *name;
	int above = tree_parent(walk->tree, dir, &name);
	int fd = above < 0 ? -1
			   : openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	CLEANUP_DIR DIR *list = fd < 0 ? NULL : fdopendir(fd);
	if (!list) {
		tree_problem(walk->tree, dir, errno == ENOENT ? "vanished" : "unreadable",
			strerror(errno));
		if (fd >= 0)
			close(fd);
		return;
	}
	bool cache = walk->options->skip_caches && is_cache(fd);
	char **names;
	size_t count = read_names(list, &names);
	CLEANUP_FREE char *path = tree_path(walk->tree, dir);
	for (size_t i = 0; i < count; i++) {
		if (!cache || strcmp(names[i], "CACHEDIR.TAG") == 0)
			add_entry(walk, dir, fd, names[i], path, dev);
		else
			walk->tree->excluded++;
		free(names[i]);
	}
	free(names);
}

static bool is_cancelled(const struct tree_options *options)
{
	struct pollfd fd = {.fd = options->cancel_fd, .events = POLLIN};
	return poll(&fd, 1, 0) > 0;
}

/* Depth first: the directories of a listing are entered, in order, before the next one. */
static int walk_below(struct walk *walk, uint32_t source)
{
	uint32_t *stack = NULL;
	size_t depth = 0, room = 0;
	uint64_t dev = walk->tree->nodes[source].dev;
	uint32_t first = source, last = source + 1;
	int r = 0;
	for (;;) {
		for (uint32_t n = last; n > first; n--) {
			if (!is_entered(walk, &walk->tree->nodes[n - 1], dev))
				continue;
			if (depth == room) {
				room = room ? room * 2 : 64;
				stack = fault_resize(stack, room, sizeof *stack);
			}
			stack[depth++] = n - 1;
		}
		if (depth == 0)
			break;
		if (is_cancelled(walk->options)) {
			r = -ECANCELED;
			break;
		}
		uint32_t dir = stack[--depth];
		first = walk->tree->count;
		list_dir(walk, dir, dev);
		last = walk->tree->count;
	}
	free(stack);
	return r;
}

static char *clean_path(const char *path)
{
	char *clean = fault_format("%s", path), *to = clean;
	for (const char *from = path; *from; from++)
		if (*from != '/' || from[1] != '/')
			*to++ = *from;
	*to = 0;
	while (to > clean && to[-1] == '/')
		*--to = 0;
	return clean;
}

/* A source inside another one is there already. */
static bool is_covered(const struct tree_options *options, size_t index)
{
	CLEANUP_FREE char *own = clean_path(options->paths.items[index]);
	for (size_t i = 0; i < options->paths.count; i++) {
		CLEANUP_FREE char *other = clean_path(options->paths.items[i]);
		if (i != index && match_below(other, own) && (strcmp(other, own) != 0 || i < index))
			return true;
	}
	return false;
}

static int walk_source(struct walk *walk, const char *given, struct fault *fault)
{
	CLEANUP_FREE char *path = clean_path(given);
	struct stat st;
	if (lstat(*path ? path : "/", &st) < 0)
		return fault_set(fault, -errno, "correct `paths`",
			"cannot read the source \"%s\": %m", given);
	uint32_t node = add_node(walk, TREE_NONE, path, &st);
	if (S_ISLNK(st.st_mode))
		tree_problem(walk->tree, node, "metadata",
			"the source is a symbolic link: the link was kept, not what it points to");
	int r = walk_below(walk, node);
	return r < 0 ? fault_set(fault, r, NULL, "stopped while reading \"%s\"", given) : 0;
}

int tree_walk(struct tree *tree, const struct tree_options *options, struct fault *fault)
{
	struct walk walk = {.tree = tree, .options = options};
	int r = 0;
	for (size_t i = 0; r == 0 && i < options->paths.count; i++)
		if (!is_covered(options, i))
			r = walk_source(&walk, options->paths.items[i], fault);
	free(walk.inodes.slots);
	return r;
}
