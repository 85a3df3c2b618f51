/* What the actions of this plugin write down before a change. */
#ifndef FILES_RECORD_H
#define FILES_RECORD_H

#include <limits.h>
#include <stdint.h>
#include <sys/stat.h>

#include <upkeep/plugin.h>

/* KINDS, each with version 1.  "from" is the file as it was, "to" what it became. */
#define RECORD_RENAME "rename"     /* from was renamed to to (same inode) */
#define RECORD_REPLACE "replace"   /* to was made out of from, then from removed */
#define RECORD_COLLAPSE "collapse" /* the head of from was copied to to and cut out of from */
#define RECORD_TRUNCATE "truncate" /* from was copied to to and emptied */
#define RECORD_MKDIR "mkdir"       /* directory to_dir was made */

struct record {
	const char *kind;
	char from_dir[PATH_MAX], from_name[NAME_MAX + 1];
	char to_dir[PATH_MAX], to_name[NAME_MAX + 1];
	uint64_t from_dev, from_ino;
	uint64_t to_dev, to_ino;
	uint64_t bytes;   /* rename, replace: size of from; collapse, truncate: of the head */
	char hash[65];    /* SHA-256 of those bytes */
	char format[8];   /* replace: "zstd", "gzip", or "plain" for a copy */
	char mode[8];     /* replace: of from, octal */
	int64_t uid, gid; /* replace: of from */
	int64_t mtime_ns; /* rename, replace: of from */
	char signal[8];   /* rename of a log: how its writers are told */
	char pid_file[PATH_MAX];
	char processes[1024]; /* names, separated by commas */
};

/* Fills from_* or to_*; -ENAMETOOLONG. */
int record_from(struct record *record, const char *dir, const char *name, const struct stat *st);
int record_to(struct record *record, const char *dir, const char *name, const struct stat *st);

/* Writes it down; what fails is told to the host, the result is returned. */
int32_t record_push(
	struct upkeep_ctx *ctx, const struct record *record, const char *about, uint64_t *ret_id);

/* Reads what record_push wrote; what is not understood is told to the host. */
int32_t record_read(
	struct upkeep_ctx *ctx, const struct upkeep_undo *undo, struct record *ret_record);

#endif
