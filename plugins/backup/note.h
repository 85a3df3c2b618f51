/*
 * Notes of verifications that are kept with the store, so that whoever uses it sees them.  Each is
 * an object "verified~SECONDS~KEY" in the group of its backup: a detached signature over the
 * sealed manifest, made by the key of the site that verified it, which signs the text
 *	{"verified": "full", "id": ..., "when_s": ..., "host": ..., "run": ...}
 * with it.  A note is believed that was signed by one of the site's `verifiers`, and counts for
 * that very manifest alone.
 */
#ifndef BACKUP_NOTE_H
#define BACKUP_NOTE_H

#include "backup/keys.h"
#include "backup/ledger.h"

/* Signs and stores a note; earlier ones of the same key are removed.  -ENOKEY: there is no key to
 * sign with. */
int note_put(struct keys *keys, struct store *store, const char *id, const char *result,
	int64_t now_s, const char *run_id, struct fault *fault);

/* The newest note that is believed and newer than `mark`, or `mark` itself.  `sealed` holds the
 * manifest's bytes. */
struct ledger_mark note_newest(struct keys *keys, struct store *store, const char *id, int sealed,
	struct ledger_mark mark);

#endif
