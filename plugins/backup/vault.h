/* Backups in a store: which there are, and one of them, its signature checked first. */
#ifndef BACKUP_VAULT_H
#define BACKUP_VAULT_H

#include "backup/keys.h"
#include "backup/ledger.h"
#include "backup/manifest.h"
#include "backup/needs.h"
#include "backup/settings.h"
#include "support/store.h"

#define VAULT_MANIFEST "manifest"
#define VAULT_SIGNATURE "manifest.sig"
#define VAULT_PIN "pinned"
#define VAULT_NEEDS "needs"
/* What has this is no longer a backup, though all of it may be there: it holds the time until
 * which it can be brought back (s since the epoch). */
#define VAULT_REMOVED "removed"
#define VAULT_ID_MAX 150

/* What is known of a backup without opening it: from the signed summary. */
struct vault_item {
	char *id, *name, *label, *host, *signer;
	int64_t created_s;
	uint64_t entries, bytes, stored, problems;
	char manifest[STORE_HASH_TEXT]; /* the sealed manifest's hash */
	char plain[STORE_HASH_TEXT];    /* of what was sealed; "" where the summary is an old one */
	char needs[STORE_HASH_TEXT];    /* of what it needs of others; "": nothing */
	bool pinned;
	struct ledger_mark mark;
	char *why; /* not NULL: the signature is not good, and nothing else is known */
};

struct vault_items {
	struct vault_item *items; /* by time, the newest first */
	size_t count;
};

/* The store of that name in the settings ("" or NULL: the first one). */
int vault_open_store(struct upkeep_ctx *ctx, const char *name, bool make, struct store **ret,
	struct fault *fault);

/* Holds the store until it is closed: shared by whoever reads or adds, alone by whoever
 * takes away.  Waits, while others hold it, until the task's deadline or its cancel. */
int vault_hold(struct upkeep_ctx *ctx, struct store *store, bool alone, struct fault *fault);
/* Opens what is to be read and holds it, shared, and opens the keys (`needs` as in keys_open). */
int vault_enter(struct upkeep_ctx *ctx, const char *name, unsigned needs, struct store **ret_store,
	struct keys **ret_keys, struct fault *fault);

/* All whole backups; of `name` alone unless NULL or "". */
int vault_list(struct keys *keys, struct store *store, const char *name, struct vault_items *ret,
	struct fault *fault);
/* One of them, whether or not it was removed; what is wrong with it is in ret->why.  A negative
 * errno (ret->why has its message): the store could not be asked, and nothing is known of it. */
int vault_look(struct keys *keys, struct store *store, const char *id, struct vault_item *ret);
/* The same, with what is known of its verification. */
int vault_examine(struct keys *keys, struct store *store, const char *id, struct vault_item *ret);
void vault_free_item(struct vault_item *item);
void vault_free(struct vault_items *items);
#define CLEANUP_ITEMS __attribute__((cleanup(vault_free)))

/* What the site's own ledger says of the store's backups. */
int vault_notes(
	struct upkeep_ctx *ctx, struct store *store, struct store_names *ret, struct fault *fault);

/* Adds what the backup needs of others; the item's signature is good. */
int vault_needs(struct store *store, const struct vault_item *item, struct needs *needs,
	struct fault *fault);

/* 1 where there is such a backup: whole, and not removed; 0: none; or a negative errno. */
int vault_has(struct store *store, const char *id, struct fault *fault);

/* Checks signature, then decrypts and reads the manifest of `id`.  ret_hash, unless NULL,
 * has STORE_HASH_TEXT bytes for the hash of the sealed manifest. */
int vault_load(struct keys *keys, struct store *store, const char *id, struct manifest *ret,
	char *ret_hash, struct fault *fault);

/* The backup to use: `which` is an id, or "latest" with a name ("" : of any name).
 * The caller frees *ret_id. */
int vault_choose(struct keys *keys, struct store *store, const char *which, const char *name,
	char **ret_id, struct fault *fault);

/* The summary's text, to be signed; the caller frees it. */
char *vault_summary(const struct vault_item *item);

/* Takes the backup, or what became none, out of sight: vault_unbury brings it back until
 * `until_s`.  0 also where that was done, and where we may put but not look.  -ENOENT: there is
 * nothing of that id. */
int vault_bury(struct store *store, const char *id, int64_t until_s, struct fault *fault);
/* Brings it back; 0 also where it is there. -ENOENT: it is gone. */
int vault_unbury(struct store *store, const char *id, struct fault *fault);
/* 1 where it is out of sight, and until when it can be brought back; 0; or a negative errno. */
int vault_buried(struct store *store, const char *id, int64_t *ret_until_s, struct fault *fault);

#endif
