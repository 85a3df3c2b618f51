/* The packs of a backup that is being made: filled one after the other, sealed by two gpg programs
 * at a time, and stored. */
#ifndef BACKUP_PACKER_H
#define BACKUP_PACKER_H

#include "backup/manifest.h"
#include "backup/pack.h"
#include "backup/progress.h"
#include "backup/seal.h"
#include "support/store.h"

#define PACKER_SEALING (PROGRESS_PARTS - 1)

struct packer {
	struct keys *keys;
	struct store *store;
	const char *id; /* of the backup */
	struct progress *progress;
	struct pack *pack;
	uint32_t count;              /* begun */
	struct manifest_pack *packs; /* those that are sealed */
	uint64_t stored;             /* bytes */
	struct seal_job jobs[PACKER_SEALING];
	uint32_t job_packs[PACKER_SEALING];
};

/* A pack (`pack`) with room for `size` more bytes of input; an empty one has always room. */
int packer_make_room(struct packer *packer, uint64_t size, struct fault *fault);
/* Seals the last pack, and waits until all are stored. */
int packer_end(struct packer *packer, struct fault *fault);
void packer_free(struct packer *packer);

#endif
