/* A file or subtree that is brought back: from its packs into a staging directory on the
 * file system of the place where it belongs. */
#ifndef BACKUP_UNIT_H
#define BACKUP_UNIT_H

#include <stdbool.h>

#include "backup/extract.h"
#include "backup/reader.h"
#include "support/swap.h"

struct unit {
	char *path;     /* in the backup */
	char *live_dir; /* where it belongs */
	char *name;     /* in live_dir; NULL: live_dir's own entries, one by one (a mount point) */
	char *stage;    /* path of the staging directory */
	int stage_fd;
	uint64_t entries, bytes, incomplete;
	char *example; /* what could not be set */
};

/* Finds the place of `path` below `target` and makes the directories that lead there. */
int unit_open(struct unit *unit, const char *path, const char *target, struct fault *fault);
/* Extracts into staging; every file's bytes are compared with the manifest. */
int unit_extract(struct unit *unit, struct keys *keys, struct store *store,
	const struct manifest *manifest, struct fault *fault);
/* Lists what has to be exchanged; the caller frees each and the array. */
int unit_swaps(const struct unit *unit, struct swap **ret, size_t *ret_count, struct fault *fault);
/* Removes the staging directory: with all it holds, or only when it is empty. */
void unit_drop_stage(struct unit *unit, bool only_empty);
void unit_free(struct unit *unit);

#endif
