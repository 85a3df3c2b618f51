/* The mounted file systems and how full they are. */
#ifndef SUPPORT_MOUNTS_H
#define SUPPORT_MOUNTS_H

#include <stddef.h>
#include <stdint.h>

struct mount {
	char *path, *device, *type;
	char *options;       /* of this mount: "rw,relatime" */
	char *super_options; /* of the file system: "ro,errors=remount-ro" */
	char number[32];     /* "major:minor" */
};

struct mounts {
	struct mount *items;
	size_t count;
};

/* Reads a mountinfo file, escapes resolved.  Negative errno; -EINVAL: not one. */
int mounts_read(const char *mountinfo, struct mounts *ret);
void mounts_free(struct mounts *mounts);
#define CLEANUP_MOUNTS __attribute__((cleanup(mounts_free)))

/* True for one that stores files and can fill up: no kernel interfaces, no images
 * that are always full. */
int mount_is_storage(const struct mount *mount);

/* True where `option` is one of the comma-separated options. */
int mount_has(const char *options, const char *option);

struct mount_space {
	uint64_t total_bytes, used_bytes, free_bytes;
	double used_percent;   /* as df counts it */
	double inodes_percent; /* 0 where the file system does not count them */
};

/* Asks in a thread of its own, so that a dead server costs timeout_ms and not the
 * caller: -ETIMEDOUT. */
int mount_space(const char *path, int64_t timeout_ms, struct mount_space *ret);

#endif
