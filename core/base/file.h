/*
 * Safe files: whole writes, atomic publication, no path from outside followed
 * blindly.  All descriptors are opened with O_CLOEXEC.
 */
#ifndef UPKEEP_BASE_FILE_H
#define UPKEEP_BASE_FILE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Writes all, through EINTR and short writes. */
int file_write(int fd, const void *bytes, size_t size);
/* Reads until `size` bytes or the end; returns the count. */
ssize_t file_read(int fd, void *bytes, size_t size);
/* The whole file, NUL-terminated, at most `limit` bytes (-EFBIG beyond).  The
 * caller frees *ret_bytes. */
int file_load(
	const char *path, size_t limit, char **ret_bytes, size_t *ret_size, struct error *err);
/* Writes `path` whole under a temporary name in its directory, syncs file and
 * directory where `sync`, and renames: readers see the old or the new. */
int file_store(const char *path, const void *bytes, size_t size, mode_t mode, bool sync,
	struct error *err);
/* mkdir -p with `mode` for what is made; 0 also where it is there already. */
int file_make_dirs(const char *path, mode_t mode, struct error *err);
/* Syncs the directory that holds `path`. */
int file_sync_parent(const char *path);
/* Opens `path` below `dirfd` without leaving it and without following symbolic
 * links (openat2 RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS). */
int file_open_beneath(int dirfd, const char *path, int flags, mode_t mode);
/* Removes a tree below dirfd without following links or crossing mounts; 0 also where
 * it is not there. */
int file_remove_tree(int dirfd, const char *name, struct error *err);
/* True where `path` and every directory above it is writable by root or the
 * caller alone (a sticky directory of root counts as safe); else a message. */
bool file_is_safe_dir(const char *path, struct error *err);
/* True where the file system of `path` is local (not NFS, CIFS, FUSE, ...). */
bool file_is_local(const char *path);

#endif
