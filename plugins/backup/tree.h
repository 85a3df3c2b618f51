/*
 * The walk: what is to be backed up, in an order that depends on names alone.
 *
 * A node knows its parent and its name, so that paths of any length are reached step by
 * step, each directory opened inside the one above it and no symbolic link followed.
 */
#ifndef BACKUP_TREE_H
#define BACKUP_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#include "support/fault.h"

#define TREE_NONE UINT32_MAX
#define TREE_OPEN_MAX 64
/* What CACHEDIR.TAG begins with (bford.info/cachedir). */
#define TREE_CACHE_MARK "Signature: 8a477f597d28d172789f06886806bc55"

struct tree_node {
	char *name;         /* of a source: its absolute path without the last slash, "/" is "" */
	uint32_t parent;    /* TREE_NONE: a source */
	uint32_t link;      /* the first name of the same inode, or TREE_NONE */
	uint32_t next_link; /* the next name of the same inode */
	uint32_t mode;
	uint64_t dev, ino, size;
	struct timespec mtime, ctime; /* when it was found */
};

/* Something that was named or found and is not in the backup as it should be. */
struct tree_problem {
	char *path;
	const char *kind; /* "unreadable", "vanished", "changed", "socket", "metadata" */
	char *why;
};

struct tree {
	struct tree_node *nodes;
	uint32_t count, room;
	struct tree_problem *problems;
	size_t problem_count;
	uint64_t bytes; /* of regular files */
	uint64_t excluded;
	struct tree_open {
		uint32_t node;
		int fd;
		uint64_t used;
	} open[TREE_OPEN_MAX]; /* directories kept open */
	uint64_t clock;
};

struct tree_options {
	struct upkeep_strings paths, exclude;
	bool one_file_system, skip_caches;
	bool has_store; /* the store's own directory is left out */
	uint64_t store_dev, store_ino;
	int cancel_fd;
};

/* Walks.  A source that is not there is an error; anything below it that cannot be read
 * is a problem.  -ECANCELED. */
int tree_walk(struct tree *tree, const struct tree_options *options, struct fault *fault);

/* The absolute path; the caller frees it. */
char *tree_path(const struct tree *tree, uint32_t node);

/* Opens the directory that holds the node (-1: see errno); *ret_name is the node's name
 * in it.  The descriptor is the tree's. */
int tree_parent(struct tree *tree, uint32_t node, const char **ret_name);

/* The file to be added at this place of the walk, or TREE_NONE: all names of an inode are added
 * at the last of them, when the directories of all are there. */
uint32_t tree_due(const struct tree *tree, uint32_t node);

void tree_problem(struct tree *tree, uint32_t node, const char *kind, const char *why);
/* The same for what could not be opened: `code` is what source_open answered. */
void tree_unread(struct tree *tree, uint32_t node, int code);
/* Warns of the first of them; `more` ends the line that counts the others. */
void tree_warn(struct upkeep_ctx *ctx, const struct tree *tree, const char *more);
void tree_free(struct tree *tree);
#define CLEANUP_TREE __attribute__((cleanup(tree_free)))

#endif
