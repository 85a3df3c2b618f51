/* Putting a stand-in in the place of a file: its compressed form, or its copy in
 * an archive; and back. */
#ifndef FILES_REPLACE_H
#define FILES_REPLACE_H

#include "place.h"

struct replace {
	struct place from, to;
	int from_fd;           /* read-only */
	struct stat from_st;   /* as it was before anything was read */
	int made_fd;           /* the stand-in, whole, synced and verified */
	const char *made_name; /* its name in the directory of `to` until now; "": none */
	const char *format;    /* "zstd", "gzip", "plain" */
	char hash[65];         /* of the file's own bytes */
	uint64_t bytes;
};

/* Gives the stand-in its name and removes the file, if that is unchanged and
 * nobody has it open for writing; else PLACE_SKIPPED (*ret_why says why) and
 * nothing was changed. */
int32_t replace_commit(struct upkeep_ctx *ctx, struct replace *replace, const char **ret_why);

/* The undo of it. */
int32_t replace_undo(struct upkeep_ctx *ctx, const struct record *record);
int32_t replace_probe(const struct record *record);

#endif
