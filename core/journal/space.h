/*
 * Space for the index of the WAL.  SQLite maps that file; a page of it that the file system
 * finds no block for ends the process by SIGBUS, so space is seen to before.
 */
#ifndef UPKEEP_JOURNAL_SPACE_H
#define UPKEEP_JOURNAL_SPACE_H

#include <stdbool.h>

/* Whether the file system of `path` has enough left to open a journal; also where it cannot
 * be asked. */
bool space_is_left(const char *path);
/* Has blocks given to the file that this process has open as `path`, as far as the index grows
 * in the life of a run. */
void space_reserve(const char *path);

#endif
