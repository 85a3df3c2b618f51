/* The lock of a store: shared or alone, and who holds it. */
#ifndef SUPPORT_STORE_LOCK_H
#define SUPPORT_STORE_LOCK_H

#include <stdbool.h>

/* Takes the lock of the directory without waiting; *fd (-1 at first) stays open while it
 * is held.  `who` is told to those who find it held.  -EBUSY: *ret_holder says by whom
 * (never NULL then; the caller frees it). */
int store_lock(int dir, int *fd, bool alone, const char *who, char **ret_holder);

#endif
