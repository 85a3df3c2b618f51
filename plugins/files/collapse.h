/*
 * Taking the head of a log away while it is written to.
 *
 * collapse: the head, up to the last block boundary, is copied, then cut out of
 * the same file (FALLOC_FL_COLLAPSE_RANGE).  Writers that append go on at the
 * new end; the rotated files followed by the log are exactly the bytes written.
 * truncate: all of it is copied, then the file is emptied; what is written in
 * between is lost.
 */
#ifndef FILES_COLLAPSE_H
#define FILES_COLLAPSE_H

#include "place.h"

/* Both leave the copy as `name` beside the log and set *ret_bytes.
 * PLACE_SKIPPED: there is nothing to take. */
int32_t collapse_file(struct upkeep_ctx *ctx, struct place log, const struct stat *st,
	const char *name, int64_t *ret_bytes);
int32_t truncate_file(struct upkeep_ctx *ctx, struct place log, const struct stat *st,
	const char *name, int64_t *ret_bytes);

int32_t collapse_undo(struct upkeep_ctx *ctx, const struct record *record);
int32_t truncate_undo(struct upkeep_ctx *ctx, const struct record *record);
int32_t collapse_probe(const struct record *record);

/* 1 when every descriptor that writes to the file appends and all processes could
 * be looked into; 0 else, *ret_pid and name the first that does not (0: unseen). */
int collapse_all_append(uint64_t dev, uint64_t ino, int *ret_pid, char name[20]);

#endif
