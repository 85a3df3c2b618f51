/* What gpg says of a message that was made by SEAL_SIGN; pure. */
#ifndef BACKUP_VERDICT_H
#define BACKUP_VERDICT_H

#include <stdint.h>

#include "backup/keys.h"

#define VERDICT_FINGERPRINT_MAX 65

struct verdict {
	char signer[VERDICT_FINGERPRINT_MAX]; /* whole fingerprint of the primary key */
	int64_t signed_s;
};

/* Judges the lines of gpg's --status-fd: one text, one good signature over it, made for a stream
 * (SEAL_NOTATION) and by a trusted key, and nothing else.  -EBADMSG: not so. */
int verdict_read(
	const struct keys *keys, const char *status, struct verdict *ret, struct fault *fault);

#endif
