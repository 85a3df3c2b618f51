/* The spot check: what its files share.  A file of the sample is known by its place in the walk of
 * what is there now, its entry in the backup, or both. */
#ifndef BACKUP_SPOT_H
#define BACKUP_SPOT_H

#include "backup/actions.h"
#include "backup/tree.h"
#include "backup/vault.h"

enum spot_kind {
	SPOT_SAME,
	SPOT_CHANGED,    /* since the backup, by its size or time */
	SPOT_NEW,        /* not in the backup */
	SPOT_MISSING,    /* in the backup alone */
	SPOT_UNREADABLE, /* now */
	SPOT_SILENT,     /* other bytes, with the same size and time: nobody says that it changed */
	SPOT_KINDS
};

struct spot_file {
	uint32_t node;                      /* TREE_NONE: it is not there now */
	const struct manifest_entry *entry; /* NULL: it is not in the backup */
};

struct spot {
	struct upkeep_ctx *ctx;
	struct store *store;
	struct keys *keys;
	struct manifest manifest;
	struct tree tree;
	uint32_t *by_path; /* entries, sorted by path */
	struct spot_file *files;
	size_t count, room;
	uint64_t live, stored; /* regular files */
	uint64_t sampled, kinds[SPOT_KINDS];
	uint64_t seed;
};

/* Lists all files that are there now, in the backup, or both (spot-list.c). */
int spot_list(struct spot *spot, struct fault *fault);

/* Compares one file (spot-compare.c), reading no more than it needs.  *ret_why, the caller's, says
 * more; NULL where there is no more to say.  Negative: it could not be found out. */
int spot_compare(struct spot *spot, const struct spot_file *file, enum spot_kind *ret,
	char **ret_why, struct fault *fault);

#endif
