/* Which files an action is about: what plan shows is what run does. */
#ifndef FILES_SELECT_H
#define FILES_SELECT_H

#include <stdint.h>

#include <upkeep/plugin.h>

#include "place.h"
#include "support/walk.h"

/* Walks the patterns; what they match and is left alone is a warning each. */
int32_t select_files(struct upkeep_ctx *ctx, const struct upkeep_strings *patterns, unsigned flags,
	struct walk_list *ret_list);

/* Keeps those for which keep() is true. */
void select_filter(struct walk_list *list,
	int (*keep)(const struct walk_file *file, const void *arg), const void *arg);

/* Age in milliseconds of what was last written at mtime_ns. */
int64_t select_age_ms(int64_t mtime_ns);

/* Opens the directory of the file and makes its place; PLACE_SKIPPED with a
 * warning where it is no longer the directory that was seen. */
int32_t select_place(struct upkeep_ctx *ctx, const struct walk_file *file, struct place *ret_place,
	struct stat *ret_st);

/* Says that the file was left alone, and why. */
void select_skip(struct upkeep_ctx *ctx, const struct walk_file *file, const char *why);

/* A size for people: "12.3 MiB". */
const char *select_size(uint64_t bytes, char room[24]);

#endif
