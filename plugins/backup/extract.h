/*
 * The extractor: puts entries below one directory and nowhere else.  Every step is
 * opened beneath it without following a symbolic link, nothing that is there is
 * overwritten, and there are limits.  libarchive only reads.
 */
#ifndef BACKUP_EXTRACT_H
#define BACKUP_EXTRACT_H

#include <archive_entry.h>
#include <stdint.h>

#include "support/fault.h"

struct extract;

/* Below `root` (which stays the caller's): at most so many entries and bytes. */
void extract_open(struct extract **ret, int root, uint64_t entries_max, uint64_t bytes_max);
/* Makes a directory before its entry comes, so that what lies in it may come first. */
int extract_make_dir(struct extract *extract, const char *path, struct fault *fault);
/* Makes `path` (relative) as the entry says; `hardlink`, unless NULL, is the path below
 * root of the file that it is a name of.  A regular file is left open for bytes. */
int extract_begin(struct extract *extract, const char *path, const char *hardlink,
	struct archive_entry *entry, struct fault *fault);
int extract_bytes(struct extract *extract, const void *bytes, size_t size, uint64_t offset,
	struct fault *fault);
/* The regular file is whole with `size` bytes. */
int extract_end(struct extract *extract, uint64_t size, struct fault *fault);
/* Gives the directories what is theirs, the deepest first. */
int extract_finish(struct extract *extract, struct fault *fault);
/* How many entries did not get all of their owner, mode, attributes, times; and of one
 * of them what and why (NULL: none). */
uint64_t extract_incomplete(const struct extract *extract, const char **ret_example);
void extract_close(struct extract **extract);

/* Removes `name` in dir with all below it, following nothing; 0 also where it is not. */
int extract_remove(int dir, const char *name);
/* Opens the directory that holds `path` below root; *ret_name points into path. */
int extract_parent(int root, const char *path, const char **ret_name);

#endif
