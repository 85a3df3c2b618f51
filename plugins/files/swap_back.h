/* Undoing the rename of a log whose writer has a new file by now. */
#ifndef FILES_SWAP_BACK_H
#define FILES_SWAP_BACK_H

#include <upkeep/plugin.h>

#include "record.h"

/* The old file gets its name back, its writers are told to open it, and what was
 * written to the new file in between is appended to it.  No line is lost; those
 * that a writer sends between its reopening and the appending come first. */
int32_t swap_back(struct upkeep_ctx *ctx, const struct record *record, int from_dir, int to_dir);

/* The second half, also of an undo that was cut off: nothing to do without a
 * new file that was set aside. */
int32_t swap_back_finish(struct upkeep_ctx *ctx, const struct record *record, int from_dir);

#endif
