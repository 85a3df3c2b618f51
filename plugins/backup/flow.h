/* Streams through gpg: what backup.encrypt and backup.decrypt share. */
#ifndef BACKUP_FLOW_H
#define BACKUP_FLOW_H

#include "backup/seal.h"
#include "support/stream.h"

/* As seal_pipe, on descriptors that stay the caller's. */
int flow_start(struct seal_job *job, struct keys *keys, enum seal_work work, int in, int out,
	struct fault *fault);

/* Waits until one of the two (`other` may be NULL) has ended, or for a cancel (-ECANCELED). */
int flow_wait(struct seal_job *job, struct seal_job *other, struct seal_job **ret_first,
	struct fault *fault);

/* Ends a job that may not even have begun (zeroed). */
void flow_abort(struct seal_job *job);

#endif
