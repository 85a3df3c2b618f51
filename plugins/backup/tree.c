/* SPDX-License-Identifier: MIT */
#include "backup/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROBLEMS_SHOWN 20

void tree_problem(struct tree *tree, uint32_t node, const char *kind, const char *why)
{
	tree->problems =
		fault_resize(tree->problems, tree->problem_count + 1, sizeof *tree->problems);
	tree->problems[tree->problem_count++] = (struct tree_problem){
		.path = tree_path(tree, node), .kind = kind, .why = fault_format("%s", why)};
}

void tree_unread(struct tree *tree, uint32_t node, int code)
{
	tree_problem(tree, node, code == -ENOENT || code == -ESTALE ? "vanished" : "unreadable",
		strerror(-code));
}

void tree_warn(struct upkeep_ctx *ctx, const struct tree *tree, const char *more)
{
	for (size_t i = 0; i < tree->problem_count && i < PROBLEMS_SHOWN; i++)
		upkeep_warn(ctx, "%s: %s: %s", tree->problems[i].kind, tree->problems[i].path,
			tree->problems[i].why);
	if (tree->problem_count > PROBLEMS_SHOWN)
		upkeep_warn(ctx, "%zu more entries like these%s",
			tree->problem_count - PROBLEMS_SHOWN, more);
}

uint32_t tree_due(const struct tree *tree, uint32_t node)
{
	const struct tree_node *n = &tree->nodes[node];
	if (n->link == TREE_NONE)
		return n->next_link == TREE_NONE ? node : TREE_NONE;
	return tree->nodes[n->link].next_link == node ? n->link : TREE_NONE;
}

void tree_free(struct tree *tree)
{
	for (uint32_t i = 0; i < tree->count; i++)
		free(tree->nodes[i].name);
	for (size_t i = 0; i < tree->problem_count; i++) {
		free(tree->problems[i].path);
		free(tree->problems[i].why);
	}
	for (size_t i = 0; i < TREE_OPEN_MAX; i++)
		if (tree->open[i].used)
			close(tree->open[i].fd);
	free(tree->nodes);
	free(tree->problems);
	*tree = (struct tree){0};
}

char *tree_path(const struct tree *tree, uint32_t node)
{
	size_t size = 0;
	for (uint32_t n = node; n != TREE_NONE; n = tree->nodes[n].parent)
		size += strlen(tree->nodes[n].name) + 1;
	char *path = fault_alloc(size + 1), *at = path + size;
	for (uint32_t n = node; n != TREE_NONE; n = tree->nodes[n].parent) {
		size_t length = strlen(tree->nodes[n].name);
		at -= length;
		memcpy(at, tree->nodes[n].name, length);
		if (tree->nodes[n].parent != TREE_NONE)
			*--at = '/';
	}
	if (!*at)
		*--at = '/';
	memmove(path, at, strlen(at) + 1);
	return path;
}

static int cache_find(struct tree *tree, uint32_t node)
{
	for (size_t i = 0; i < TREE_OPEN_MAX; i++)
		if (tree->open[i].used && tree->open[i].node == node) {
			tree->open[i].used = ++tree->clock;
			return tree->open[i].fd;
		}
	return -1;
}

static void cache_add(struct tree *tree, uint32_t node, int fd)
{
	size_t oldest = 0;
	for (size_t i = 1; i < TREE_OPEN_MAX; i++)
		if (tree->open[i].used < tree->open[oldest].used)
			oldest = i;
	if (tree->open[oldest].used)
		close(tree->open[oldest].fd);
	tree->open[oldest] = (struct tree_open){node, fd, ++tree->clock};
}

/* The directory above a source, by its path: the administrator's own symbolic links in
 * it are followed. */
static int open_above_source(const struct tree_node *source)
{
	char *path = fault_format("%s", source->name);
	char *slash = strrchr(path, '/');
	if (slash)
		*slash = 0;
	int fd = open(*path ? path : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int saved = errno;
	free(path);
	errno = saved;
	return fd;
}

static const char *own_name(const struct tree_node *node)
{
	if (node->parent != TREE_NONE)
		return node->name;
	const char *slash = strrchr(node->name, '/');
	return slash && slash[1] ? slash + 1 : ".";
}

static int open_step(struct tree *tree, uint32_t node, int above)
{
	const struct tree_node *n = &tree->nodes[node];
	int fd = openat(above, own_name(n), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0 || st.st_dev != n->dev || st.st_ino != n->ino) {
		close(fd);
		errno = ENOENT; /* another directory now */
		return -1;
	}
	cache_add(tree, node, fd);
	return fd;
}

/* Opens the directory `node`, from the nearest one above that is still open. */
static int open_dir(struct tree *tree, uint32_t node)
{
	uint32_t depth = 0, n = node;
	int fd = -1;
	for (; n != TREE_NONE && (fd = cache_find(tree, n)) < 0; n = tree->nodes[n].parent)
		depth++;
	if (fd >= 0 && depth == 0)
		return fd;
	uint32_t *steps = fault_alloc(depth * sizeof *steps);
	n = node;
	for (uint32_t i = depth; i > 0; i--, n = tree->nodes[n].parent)
		steps[i - 1] = n;
	int top = fd < 0 ? open_above_source(&tree->nodes[steps[0]]) : -1;
	fd = fd < 0 ? top : fd;
	for (uint32_t i = 0; i < depth && fd >= 0; i++)
		fd = open_step(tree, steps[i], fd);
	int saved = errno;
	if (top >= 0)
		close(top);
	free(steps);
	errno = saved;
	return fd;
}

/* What lies above a source is kept open under a number that no node has. */
static int source_parent(struct tree *tree, uint32_t node)
{
	uint32_t key = TREE_NONE - 1 - node;
	int fd = cache_find(tree, key);
	if (fd >= 0)
		return fd;
	fd = open_above_source(&tree->nodes[node]);
	if (fd >= 0)
		cache_add(tree, key, fd);
	return fd;
}

int tree_parent(struct tree *tree, uint32_t node, const char **ret_name)
{
	const struct tree_node *n = &tree->nodes[node];
	*ret_name = own_name(n);
	return n->parent == TREE_NONE ? source_parent(tree, node) : open_dir(tree, n->parent);
}
