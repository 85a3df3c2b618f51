/*
 * What need not be stored again: entries that are as they were when an earlier backup stored them,
 * and whose packs are there.
 *
 * Packs do not fill with garbage: where less than half of one would still be used, what is used of
 * it is stored again.  Nor do small ones add up: where more than REUSE_SMALL_MAX of them would be
 * used, what is in them is stored again, together.
 */
#ifndef BACKUP_REUSE_H
#define BACKUP_REUSE_H

#include "backup/base.h"
#include "backup/tree.h"

#define REUSE_SMALL_BYTES (1ull << 20) /* of tar */
#define REUSE_SMALL_MAX 16

struct reuse_choice {
	uint32_t base; /* its number + 1; 0: the node is stored */
	uint32_t entry;
};

struct reuse {
	struct tree *tree;
	struct bases bases;
	struct reuse_choice *choices; /* of each node of the tree that is no further name */
	struct manifest_pack
		*borrowed; /* the packs that are used; what they point to is the bases' */
	size_t borrowed_count;
	struct reuse_pack **packs; /* of each base */
	bool by_content;
	int cancel_fd;
};

/* Decides for all nodes; `bases` is filled.  `by_content`: a file's bytes are read and compared
 * too.  -ECANCELED. */
int reuse_decide(struct reuse *reuse, struct tree *tree, struct store *store, bool by_content,
	int cancel_fd, struct fault *fault);
/* The entry of a node that was chosen, or of a further name of it, as the new manifest says it.
 * Its pieces are the caller's, the rest is the base's. */
struct manifest_entry reuse_entry(const struct reuse *reuse, uint32_t node, const char *path);
void reuse_free(struct reuse *reuse);

#endif
