/* What belongs to a file beside its bytes: from an open file into an archive entry, and
 * from an archive entry onto a file. */
#ifndef BACKUP_METADATA_H
#define BACKUP_METADATA_H

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

#include "support/fault.h"

/* Fills owner, mode, times, device numbers, extended attributes and ACLs of what fd (it
 * may be O_PATH) has open; `st` is its fstat. */
void metadata_read(int fd, const struct stat *st, struct archive_entry *entry);

/* Gives them to `fd` (it may be O_PATH), in the order that keeps setuid bits,
 * capabilities, ACLs and times.  Returns 0, or the first negative errno; the rest is
 * done all the same, and *ret_what says what could not be set. */
int metadata_apply(int fd, struct archive_entry *entry, const char **ret_what);

#endif
