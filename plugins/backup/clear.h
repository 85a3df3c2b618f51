/*
 * What of a store is garbage: backups that were removed and whose time has come, and what never
 * became a backup; but for the packs that others need.  The store is held alone.
 */
#ifndef BACKUP_CLEAR_H
#define BACKUP_CLEAR_H

#include "backup/vault.h"

/* Start with all but the last three; they are for clear_free. */
struct clear {
	struct upkeep_ctx *ctx;
	struct store *store;
	struct keys *keys;
	const char *name; /* of the backups to look at; NULL or "": all */
	int64_t now_s;
	struct needs needs;
	char **unknown; /* ids of backups whose needs could not be read */
	size_t unknown_count;
};

/* A backup that stays, and what it needs.  Where that cannot be read, nothing of its name is
 * cleared, and a warning says so. */
void clear_need(struct clear *clear, const struct vault_item *item);
/* The bytes of a group that nobody needs. */
uint64_t clear_size(const struct clear *clear, const char *id);
/* Clears; what was removed and may come back still counts as needing. */
int clear_run(struct clear *clear, struct fault *fault);
void clear_free(struct clear *clear);

#endif
