/* Value trees as bytes: how arguments and settings travel.  Places in the
 * configuration and references do not travel: what is sent is resolved. */
#ifndef UPKEEP_MODEL_TREE_H
#define UPKEEP_MODEL_TREE_H

#include "base/arena.h"
#include "base/text.h"
#include "model/value.h"

#define TREE_DEPTH 32u /* of lists and groups in each other */

void tree_write(struct text *bytes, const struct value *value);
/* All of `bytes` is one value.  -EBADMSG where it is not; *ret is VALUE_NONE then. */
int tree_read(const unsigned char *bytes, size_t size, struct arena *arena, struct value *ret);

#endif
