/*
 * The ballast: a file that holds room on the file system of the state directory.  When that is
 * full the room is given up, so that verdicts and undo can still be written.
 */
#ifndef UPKEEP_JOURNAL_BALLAST_H
#define UPKEEP_JOURNAL_BALLAST_H

#include "base/error.h"

#include <stdbool.h>

#define BALLAST_NAME "ballast" /* in the state directory */
#define BALLAST_BYTES (16 << 20)

/* Makes it in the directory where it is missing or short.  What cannot be made whole is not
 * left there. */
int ballast_keep(int dir_fd, struct error *err);
/* Gives it up; false where there was none. */
bool ballast_give(int dir_fd);

#endif
