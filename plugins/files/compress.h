/* Compressing one file in its place. */
#ifndef FILES_COMPRESS_H
#define FILES_COMPRESS_H

#include "place.h"

/* Replaces the file by its compressed form, verified; PLACE_SKIPPED where it is
 * written to.  *ret_saved: bytes saved. */
int32_t compress_file(struct upkeep_ctx *ctx, struct place file, const struct stat *st,
	const char *format, int level, int64_t *ret_saved);

#endif
