/* GnuPG's library, bound to one directory; for keys.c alone. */
#ifndef BACKUP_GNUPG_H
#define BACKUP_GNUPG_H

#include <gpgme.h>

#include "support/fault.h"

/* A context on the GnuPG directory `home`. */
int gnupg_open(gpgme_ctx_t *ret, const char *home, struct fault *fault);
static inline void gnupg_close(gpgme_ctx_t *gpg)
{
	if (*gpg)
		gpgme_release(*gpg);
	*gpg = NULL;
}
#define CLEANUP_GNUPG __attribute__((cleanup(gnupg_close)))

static inline void gnupg_data_close(gpgme_data_t *data)
{
	if (*data)
		gpgme_data_release(*data);
	*data = NULL;
}
#define CLEANUP_DATA __attribute__((cleanup(gnupg_data_close)))

/* Sets the message from GnuPG's error; returns -EIO. */
int gnupg_fault(struct fault *fault, gpgme_error_t e, const char *next, const char *what);

/* Ends the agent that works for `home`. */
void gnupg_end_agent(struct upkeep_ctx *ctx, const char *home);

#endif
