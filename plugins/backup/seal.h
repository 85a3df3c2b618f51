/*
 * Sealing: bytes become an OpenPGP message, and back, by the gpg program: in memory, or between
 * two descriptors.  Plain bytes are only ever in anonymous memory files and pipes.
 */
#ifndef BACKUP_SEAL_H
#define BACKUP_SEAL_H

#include "backup/keys.h"

enum seal_work {
	SEAL_ENCRYPT, /* to all recipients */
	SEAL_OPEN,    /* decrypt */
	SEAL_SIGN,    /* wrap into a message that the site's key has signed */
	SEAL_CHECK,   /* unwrap such a message, by the trusted keys; no secret key is at hand */
};
/* In the signature of SEAL_SIGN and in no other: one made for something else is no substitute. */
#define SEAL_NOTATION "stream@upkeep.invalid"

/* One gpg at work.  Zeroed by its start; it is over with seal_finish, seal_end or seal_abort. */
struct seal_job {
	struct upkeep_ctx *ctx;
	int64_t handle;
	int exit_fd; /* the host's: readable when gpg has ended */
	int in, out, status, errors;
	enum seal_work work;
};

/* Starts sealing (to all recipients) or opening what is in `in`, from its start.  The
 * job owns `in` from here on, whatever happens.  `limit` bounds what opening may give. */
int seal_start(struct seal_job *job, struct keys *keys, int in, struct fault *fault);
int seal_open_start(
	struct seal_job *job, struct keys *keys, int in, uint64_t limit, struct fault *fault);

/* Waits for its end (or for a cancel: -ECANCELED).  On success *ret_fd, at its start, and
 * its size are the caller's. */
int seal_finish(struct seal_job *job, int *ret_fd, uint64_t *ret_size, struct fault *fault);

/* Starts gpg between two descriptors that it may keep: the job owns them, whatever happens. */
int seal_pipe(struct seal_job *job, struct keys *keys, enum seal_work work, int in, int out,
	struct fault *fault);
/* What has come of a gpg that has ended.  *ret_status, also on failure, is what it said of the
 * message, in the lines of its --status-fd, and the caller's; NULL: not wanted. */
int seal_end(struct seal_job *job, char **ret_status, struct fault *fault);

/* Whether a job runs in it. */
bool seal_busy(const struct seal_job *job);
void seal_abort(struct seal_job *job);

/* An empty anonymous file. */
int seal_memory(const char *name, struct fault *fault);

#endif
