/*
 * Sealing: bytes in memory become an OpenPGP message in memory, and back, by the gpg
 * program.  Plain bytes are only ever in anonymous memory files and pipes.
 */
#ifndef BACKUP_SEAL_H
#define BACKUP_SEAL_H

#include "backup/keys.h"

/* One gpg at work.  Zeroed by seal_start, freed by seal_finish or seal_abort. */
struct seal_job {
	struct upkeep_ctx *ctx;
	int64_t handle;
	int exit_fd; /* the host's */
	int in, out, status, errors;
	bool opening;
};

/* Starts sealing (to all recipients) or opening what is in `in`, from its start.  The
 * job owns `in` from here on, whatever happens.  `limit` bounds what opening may give. */
int seal_start(struct seal_job *job, struct keys *keys, int in, struct fault *fault);
int seal_open_start(
	struct seal_job *job, struct keys *keys, int in, uint64_t limit, struct fault *fault);

/* Waits for its end (or for a cancel: -ECANCELED).  On success *ret_fd, at its start, and
 * its size are the caller's. */
int seal_finish(struct seal_job *job, int *ret_fd, uint64_t *ret_size, struct fault *fault);

/* Whether a job runs in it. */
bool seal_busy(const struct seal_job *job);
void seal_abort(struct seal_job *job);

/* An empty anonymous file. */
int seal_memory(const char *name, struct fault *fault);

#endif
