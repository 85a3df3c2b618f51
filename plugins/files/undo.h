/* Putting back what any action of this plugin wrote down. */
#ifndef FILES_UNDO_H
#define FILES_UNDO_H

#include <upkeep/plugin.h>

/* Is the change of that record made?  UPKEEP_DONE, _NOT_DONE, _PARTLY, or a failure. */
int32_t undo_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *undo);

#endif
