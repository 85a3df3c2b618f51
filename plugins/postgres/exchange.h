/*
 * One database in the place of another, by renaming both in one transaction, and back.
 * Who is who is known by their OIDs, which no renaming changes, so that every step can be
 * tried twice.
 */
#ifndef POSTGRES_EXCHANGE_H
#define POSTGRES_EXCHANGE_H

#include "postgres/query.h"

struct exchange {
	char *live;                 /* the name that counts */
	char *fresh, *old;          /* names of ours: of what comes, and of what goes */
	char *fresh_oid, *live_oid; /* live_oid "": there was none of that name */
	char *comment;              /* the live one's own */
	char *writes;               /* of the new one, before it has its place: exchange_writes */
	char *until;                /* what is said of the old one from then on */
	int64_t keep_s;             /* how long one is kept that was written to and is taken back */
	bool terminate;             /* end the sessions that are in the way */
};

/* Notes what is there.  -ENOENT: `fresh` is not. */
int exchange_look(struct exchange *exchange, struct connection *admin, struct fault *fault);
/* -EBUSY: sessions are in it that may not be ended; the message says whose. */
int exchange_is_free(
	const struct exchange *exchange, struct connection *admin, struct fault *fault);
/* Writes the record of kind "swap", then does it. */
int exchange_do(const struct exchange *exchange, struct connection *admin, uint64_t *ret_record,
	struct fault *fault);
/* Waits a second for the sessions in that database to end.  -EBUSY: they do not, and `next` is what
 * to do. */
int exchange_settle(
	struct connection *admin, const char *database, const char *next, struct fault *fault);
/* How much has been written to tables and catalogs of that database since it was made, as text: so
 * a change since then is seen.  "" where the server does not count. */
int exchange_writes(struct upkeep_ctx *ctx, const char *database, char **ret, struct fault *fault);

/* Back: the old one gets its name again.  What had been restored is dropped; where somebody has
 * written to it since, it is kept under a reserved name. */
int32_t exchange_undo(struct upkeep_ctx *ctx, const struct upkeep_undo *record);
int32_t exchange_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record);

void exchange_free(struct exchange *exchange);
#define CLEANUP_EXCHANGE __attribute__((cleanup(exchange_free)))

#endif
