/*
 * How far a backup has come: for each pack that is stored, the host remembers what lies in it, so
 * that the next backup need not store it again when this one is interrupted.  That it cannot be
 * remembered is no fault of the backup.
 */
#ifndef BACKUP_PROGRESS_H
#define BACKUP_PROGRESS_H

#include "backup/manifest.h"
#include "backup/memory.h"

/* The pack that is being filled, and those that are being sealed. */
#define PROGRESS_PARTS 3

struct progress {
	struct memory *memory; /* without a store: nothing is remembered */
	const struct manifest *head;
	struct manifest_writer *writer;
	struct manifest_part parts[PROGRESS_PARTS];
	bool off;
};

/* A pack begins: what the writer puts from now on is about it. */
void progress_begin(struct progress *progress, uint32_t pack);
/* It is in the store. */
void progress_stored(struct progress *progress, const struct manifest_pack *pack);
void progress_free(struct progress *progress);

#endif
