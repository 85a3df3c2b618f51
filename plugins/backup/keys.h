/*
 * Keys of the site: who may read backups, and whose signature is believed.
 *
 * Nothing here uses the caller's own GnuPG directory.  Secret keys are used from a
 * directory of the task alone that points to the site's keyring, so that the agent which
 * gpg starts belongs to this task and ends with it.  Signatures are checked against a
 * second directory that holds only keys named by whole fingerprint.
 */
#ifndef BACKUP_KEYS_H
#define BACKUP_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "backup/settings.h"
#include "support/fault.h"

struct keys;

/* Prepares what is needed: KEYS_SECRET for sealing, signing and opening; KEYS_TRUST for
 * checking signatures. */
#define KEYS_SECRET 1u
#define KEYS_TRUST 2u
/* Whose notes that a backup is good are believed (with KEYS_TRUST). */
#define KEYS_VERIFIERS 4u
int keys_open(struct keys **ret, struct upkeep_ctx *ctx, unsigned needs, struct fault *fault);
void keys_close(struct keys **keys);
#define CLEANUP_KEYS __attribute__((cleanup(keys_close)))

/* The GnuPG directories of this task (NULL: not asked for), the site's key (NULL: none is named),
 * and to whom is sealed. */
struct upkeep_ctx *keys_ctx(const struct keys *keys);
const char *keys_home(const struct keys *keys);
const char *keys_trust_home(const struct keys *keys);
const char *keys_signer(const struct keys *keys);
const char *const *keys_recipients(const struct keys *keys, size_t *ret_count);

/* Signs the bytes of fd; `summary` is signed with them.  The caller closes *ret_fd. */
int keys_sign(struct keys *keys, int fd, const char *summary, int *ret_fd, struct fault *fault);

/* Checks the detached signature over the bytes of fd by one of the trusted keys (`whose` is
 * KEYS_TRUST) or of the verifiers' (KEYS_VERIFIERS).  *ret_summary is what was signed with them;
 * *ret_signer the whole fingerprint of the key.  -EBADMSG: not good. */
int keys_verify(struct keys *keys, unsigned whose, int fd, int signature_fd, char **ret_summary,
	char **ret_signer, struct fault *fault);

/* Whether `fingerprint` is that of a trusted key. */
bool keys_trusted(const struct keys *keys, const char *fingerprint);

/* The key that backup.init recorded in the keyring, or NULL. */
char *keys_recorded(const char *keyring);

/* Makes keyring and, unless there is one recorded, a key for signing and sealing.
 * *ret_made says whether something was made; *ret_fingerprint whose. */
int keys_make(struct upkeep_ctx *ctx, const char *user_id, bool *ret_made, char **ret_fingerprint,
	struct fault *fault);

/* Whether `text` is a whole fingerprint: 40 or 64 hexadecimal digits. */
bool keys_fingerprint_valid(const char *text);

#endif
