/*
 * Opening under hostile hands: directories that other users can write are
 * entered without following one symbolic link, and what was seen is compared
 * with what was opened.
 */
#ifndef SUPPORT_BENEATH_H
#define SUPPORT_BENEATH_H

#include <stdint.h>
#include <sys/stat.h>

/* Opens the directory at the absolute `path`; no component may be a symbolic
 * link.  Returns a descriptor or a negative errno (-ELOOP: a link). */
int beneath_open_dir(const char *path);

/* Opens the directory `name` (one component) inside dir_fd. */
int beneath_open_subdir(int dir_fd, const char *name);

/* Opens the regular file `name` (one component) inside dir_fd with `flags`
 * (never blocks, never follows, never makes it); *ret_st is what was opened.
 * -ELOOP: a symbolic link; -EINVAL: not a regular file. */
int beneath_open_file(int dir_fd, const char *name, int flags, struct stat *ret_st);

/* 1 when `name` inside dir_fd is the inode (dev, ino) itself, 0 when it is
 * something else or nothing. */
int beneath_is(int dir_fd, const char *name, uint64_t dev, uint64_t ino);

/* Modification time in nanoseconds since the epoch. */
static inline int64_t beneath_mtime_ns(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

#endif
