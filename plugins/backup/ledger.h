/*
 * The ledger: what this site verified when.  It lies beside the site's keys (KEYRING/ledger):
 * whoever can write a store cannot say that a backup is good.  (What other sites verified is said
 * by notes in the store that they signed: note.h.)  Each note is an object of its own in a group
 * per store, named ID~SECONDS~RESULT~HASH, where HASH begins the hash of the sealed manifest, so
 * that a note is about that manifest alone.
 */
#ifndef BACKUP_LEDGER_H
#define BACKUP_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "support/store.h"

struct ledger_mark {
	int64_t when_s;  /* 0: never looked at */
	char result[16]; /* "full", "hash", "failed" or "" */
	char host[65];   /* that noted it in the store; "": this site's own ledger says so */
};

/* Opens the site's ledger; -ENOENT where there is none and not `make`. */
int ledger_open(struct store **ret, const char *keyring, bool make, struct fault *fault);
/* The group of a store's notes; the caller frees it. */
char *ledger_group(const struct store *store);

/* Notes, durably.  `manifest` is the hash of the sealed manifest; of what failed "". */
int ledger_note(struct store *ledger, const char *group, const char *id, const char *result,
	const char *manifest, int64_t now_s, const char *run_id, struct fault *fault);
/* The last note about `id` with this manifest in a listing of the group. */
struct ledger_mark ledger_find(
	const struct store_names *notes, const char *id, const char *manifest);
/* Whether it is one of those results. */
bool ledger_result_valid(const char *result);
static inline bool ledger_good(const struct ledger_mark *mark)
{
	return mark->result[0] == 'f' ? mark->result[1] == 'u' : mark->result[0] == 'h';
}
/* Forgets all about a backup that is gone. */
void ledger_forget(
	struct store *ledger, const char *group, const struct store_names *notes, const char *id);

#endif
