/*
 * What a backup needs of others: packs in their groups, as plain text in the object "needs" of its
 * own group, a line "ID FIRST LAST" for each row of packs that follow each other.  Its hash is in
 * the signed summary, so that whoever prunes knows it without the means to decrypt.
 */
#ifndef BACKUP_NEEDS_H
#define BACKUP_NEEDS_H

#include <stdbool.h>

#include "backup/manifest.h"

#define NEEDS_BYTES_MAX (64u << 20)

struct need {
	char *id;
	uint32_t first, last;
};

struct needs {
	struct need *items;
	size_t count, room;
};

/* The text for a manifest's borrowed packs; the caller frees it. */
char *needs_text(const struct manifest_pack *borrowed, size_t count);
/* Adds what a text says that was made for a backup `id` of that name.  -EBADMSG: it is no such
 * text, or names something else than other backups of the name. */
int needs_add(struct needs *needs, const char *text, const char *id, const char *name,
	struct fault *fault);
bool needs_pack(const struct needs *needs, const char *id, uint32_t number);
void needs_free(struct needs *needs);
#define CLEANUP_NEEDS __attribute__((cleanup(needs_free)))

#endif
