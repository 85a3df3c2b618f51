/* Putting back what any action of this plugin wrote down. */
#ifndef FILES_UNDO_H
#define FILES_UNDO_H

#include <upkeep/plugin.h>

/* Is the change of that record made?  UPKEEP_DONE, _NOT_DONE, _PARTLY, or a failure. */
int32_t undo_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *undo);

/* The result for an undo that failed with this negative errno: what a disk may do the next time
 * is worth a retry, anything else needs a person. */
int32_t undo_failure(int code);

#endif
