/*
 * What REINDEX CONCURRENTLY leaves when it does not come to its end: an invalid index called
 * ..._ccnew, the unfinished new one, or ..._ccold, the replaced old one (see the notes on
 * "Rebuilding Indexes Concurrently" in the documentation of REINDEX).
 *
 * Which of them are ours is known by OIDs that were written down before: an index that was there
 * already is never ours, except that the rebuilt one itself may have become ..._ccold.
 */
#ifndef POSTGRES_LEFTOVERS_H
#define POSTGRES_LEFTOVERS_H

#include "postgres/connect.h"

struct leftovers {
	char *database;
	char *table, *index; /* OIDs, as text */
	char *name;          /* of the index, for people */
	char *known;         /* OIDs of all indexes of the table, as an array's text */
	char *lock_ms;       /* how long locks are waited for; "0": for ever */
};

/* What is true now, before `index` is rebuilt by this connection. */
int leftovers_note(struct leftovers *ret, struct connection *connection, const char *index,
	int64_t lock_timeout_ms, struct fault *fault);

/* How many of ours there are. */
int leftovers_count(
	const struct leftovers *leftovers, struct connection *connection, struct fault *fault);

/* Drops what is ours.  Returns how many were dropped.  -EBUSY: a lock on the table was not to be
 * had. */
int leftovers_drop(
	const struct leftovers *leftovers, struct connection *connection, struct fault *fault);

/* To and from the payload of an undo record. */
int leftovers_write(
	const struct leftovers *leftovers, char *payload, size_t room, size_t *ret_size);
int leftovers_read(struct leftovers *ret, const char *payload, size_t size);

void leftovers_free(struct leftovers *leftovers);
#define CLEANUP_LEFTOVERS __attribute__((cleanup(leftovers_free)))

#endif
