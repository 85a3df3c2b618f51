/*
 * What a host remembers of the backups that it made, so that it need not read them (which it may
 * not be able to): beside the site's keys in KEYRING/memory, a group per store.
 *	ID~whole       the manifest as it was sealed: of the last backup of each name
 *	ID~part~NNNNN  lines of a manifest that is being made, up to the end of that pack: of
 *backups that were interrupted Nothing of it is needed to restore.  Where it is lost, the next
 *backup may be a full one.
 */
#ifndef BACKUP_MEMORY_H
#define BACKUP_MEMORY_H

#include "backup/settings.h"
#include "support/store.h"

struct memory {
	struct store *store;
	char *group;
};

int memory_open(struct memory *memory, const struct settings *settings, const struct store *of,
	struct fault *fault);
void memory_close(struct memory *memory);

/* The ids of backups of that name of which there is an object of that kind ("whole", "part"), the
 * oldest first. */
#define MEMORY_WHOLE "whole"
#define MEMORY_PART "part"
int memory_list(struct memory *memory, const char *name, const char *kind, struct store_names *ret,
	struct fault *fault);

/* Durably; the descriptor stays the caller's. */
int memory_put_part(struct memory *memory, const char *id, uint32_t pack, int fd);
/* The part, or the whole; *ret_fd is the caller's.  -ENOENT: there is none. */
int memory_get_part(struct memory *memory, const char *id, uint32_t pack, int *ret_fd);
int memory_get_whole(
	struct memory *memory, const char *id, int *ret_fd, char ret_hash[STORE_HASH_TEXT]);
/* Keeps the whole manifest of the backup, and forgets all else of its name. */
int memory_keep(
	struct memory *memory, const char *id, const char *name, int fd, struct fault *fault);

#endif
