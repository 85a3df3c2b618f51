/*
 * Bases: what is known of earlier backups of a name, for the next one to build upon.  First those
 * that were interrupted, the newest first, then the last whole one.  What the host remembers is
 * used only where the signed manifest in the store vouches for it; a host that can read takes the
 * newest manifest from the store where it remembers none.  Nothing is built upon a backup whose
 * verification failed, as far as the site knows, nor then upon an older one.
 */
#ifndef BACKUP_BASE_H
#define BACKUP_BASE_H

#include "backup/keys.h"
#include "backup/manifest.h"
#include "backup/memory.h"

#define BASE_NONE UINT32_MAX

struct base {
	struct manifest manifest;
	uint32_t *slots; /* entries by path; open addressing, entry + 1 */
	size_t room;
	uint64_t seed;
};

struct bases {
	struct base *items;
	size_t count;
};

/* What cannot be used is left out, and the task's log says why.  `memory` may have no store;
 * `trusting`: the keys can check signatures. */
void bases_load(struct bases *bases, struct keys *keys, bool trusting, struct store *store,
	struct memory *memory, const char *name);
/* The entry of that path, or BASE_NONE. */
uint32_t base_find(const struct base *base, const char *path);
void bases_free(struct bases *bases);

#endif
