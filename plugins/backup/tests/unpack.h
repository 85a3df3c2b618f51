/* An archive as backup.archive writes it, put on the disk. */
#ifndef BACKUP_TESTS_UNPACK_H
#define BACKUP_TESTS_UNPACK_H

#include <stddef.h>

/* Makes the directory `dir` and in it all that is in the archive, with all that belongs to it. */
void unpack_archive(const void *bytes, size_t size, const char *dir);

#endif
