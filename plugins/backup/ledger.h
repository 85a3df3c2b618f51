/*
 * The ledger: what was verified when.  Each note is an object of its own in the store's
 * group "ledger", named ID~SECONDS~RESULT, so that notes are only ever added.
 */
#ifndef BACKUP_LEDGER_H
#define BACKUP_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "support/store.h"

#define LEDGER_GROUP "ledger"

struct ledger_mark {
	int64_t when_s;  /* 0: never looked at */
	char result[16]; /* "full", "hash", "failed" or "" */
};

/* Notes, durably. */
int ledger_note(struct store *store, const char *id, const char *result, int64_t now_s,
	const char *run_id, struct fault *fault);
/* The last note about `id` in a listing of the group. */
struct ledger_mark ledger_find(const struct store_names *notes, const char *id);
static inline bool ledger_good(const struct ledger_mark *mark)
{
	return mark->result[0] == 'f' ? mark->result[1] == 'u' : mark->result[0] == 'h';
}
/* Forgets all about a backup that is gone. */
void ledger_forget(struct store *store, const struct store_names *notes, const char *id);

#endif
