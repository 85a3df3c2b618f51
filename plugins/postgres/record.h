/*
 * Undo records of what statements do.
 *
 * When a client is killed, the server may be in the middle of its last statement, and end it well
 * after an undo has looked and found nothing to do.  So each record says which session it is, and
 * an undo ends that first: from then on what is seen is what there is.
 */
#ifndef POSTGRES_RECORD_H
#define POSTGRES_RECORD_H

#include "postgres/connect.h"

/* Writes down what this connection is about to do.  `payload` is as upkeep_kv_put made it, of
 * *size bytes, with a hundred of `room` left for the session; *size grows by them. */
int record_push(struct connection *connection, const char *kind, const char *about, char *payload,
	size_t room, size_t *size, uint64_t *ret, struct fault *fault);

/* Ends the session of the record, where it is there and not this connection's, and waits until it
 * is gone.  -EBUSY: it does not within ten seconds; -ECANCELED. */
int record_settle(
	const struct upkeep_undo *record, struct connection *connection, struct fault *fault);

#endif
