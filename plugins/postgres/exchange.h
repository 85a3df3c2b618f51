/*
 * One database in the place of another, by renaming both in one transaction, and back.
 * Who is who is known by their OIDs, which no renaming changes, so that every step can be
 * tried twice.
 */
#ifndef POSTGRES_SWAP_H
#define POSTGRES_SWAP_H

#include "postgres/query.h"

struct swap {
	char *live;                 /* the name that counts */
	char *fresh, *old;          /* names of ours: of what comes, and of what goes */
	char *fresh_oid, *live_oid; /* live_oid "": there was none of that name */
	char *comment;              /* the live one's own */
	char *writes;               /* of the new one, before it has its place: swap_writes */
	char *until;                /* what is said of the old one from then on */
	int64_t keep_s;             /* how long one is kept that was written to and is taken back */
	bool terminate;             /* end the sessions that are in the way */
};

/* Notes what is there.  -ENOENT: `fresh` is not. */
int swap_look(struct swap *swap, struct connection *admin, struct fault *fault);
/* -EBUSY: sessions are in it that may not be ended; the message says whose. */
int swap_is_free(const struct swap *swap, struct connection *admin, struct fault *fault);
/* Writes the record of kind "swap", then does it. */
int swap_do(const struct swap *swap, struct connection *admin, uint64_t *ret_record,
	struct fault *fault);
/* Waits a second for the sessions in that database to end.  -EBUSY: they do not. */
int swap_settle(struct connection *admin, const char *database, struct fault *fault);
/* How much has been written to tables and catalogs of that database since it was made, as text: so
 * a change since then is seen.  "" where the server does not count. */
int swap_writes(struct upkeep_ctx *ctx, const char *database, char **ret, struct fault *fault);

/* Back: the old one gets its name again.  What had been restored is dropped; where somebody has
 * written to it since, it is kept under a reserved name. */
int32_t swap_undo(struct upkeep_ctx *ctx, const struct upkeep_undo *record);
int32_t swap_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record);

void swap_free(struct swap *swap);
#define CLEANUP_SWAP __attribute__((cleanup(swap_free)))

#endif
