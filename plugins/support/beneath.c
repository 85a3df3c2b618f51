/* SPDX-License-Identifier: MIT */
#include "support/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/cleanup.h"

/* For kernels before 5.6, filters and valgrind, which do not know openat2: one
 * component at a time, none of them a link. */
static int open_stepwise(int dir_fd, const char *path, int flags)
{
	char name[NAME_MAX + 1];
	CLEANUP_FD int at = -1;
	for (;;) {
		size_t n = strcspn(path, "/");
		if (n > NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(name, path, n);
		name[n] = 0;
		if (strcmp(name, "..") == 0)
			return -EXDEV;
		path += n + strspn(path + n, "/");
		int how = (*path ? O_PATH | O_DIRECTORY : flags) | O_NOFOLLOW | O_CLOEXEC;
		int fd = openat(at < 0 ? dir_fd : at, name, how);
		if (fd < 0)
			return -errno;
		if (at >= 0)
			close(at);
		at = fd;
		if (!*path)
			return TAKE_FD(at);
	}
}

static int openat2_beneath(int dir_fd, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd;
	/* EAGAIN: something was renamed meanwhile and the kernel cannot be sure */
	for (int tries = 0; tries < 64; tries++) {
		fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof how);
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	if (fd < 0 && errno == ENOSYS)
		return open_stepwise(dir_fd, path, flags);
	return fd < 0 ? -errno : (int)fd;
}

int beneath_open_dir(const char *path)
{
	if (path[0] != '/')
		return -EINVAL;
	CLEANUP_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	while (*path == '/')
		path++;
	return openat2_beneath(root, *path ? path : ".", O_RDONLY | O_DIRECTORY);
}

int beneath_open_subdir(int dir_fd, const char *name)
{
	return openat2_beneath(dir_fd, name, O_RDONLY | O_DIRECTORY);
}

int beneath_open_file(int dir_fd, const char *name, int flags, struct stat *ret_st)
{
	if (strchr(name, '/'))
		return -EINVAL;
	/* what is not a regular file is never opened for more than a look: opening a
	 * device can have effects of its own */
	if (fstatat(dir_fd, name, ret_st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISLNK(ret_st->st_mode))
		return -ELOOP;
	if (!S_ISREG(ret_st->st_mode))
		return -EINVAL;
	CLEANUP_FD int fd = openat2_beneath(dir_fd, name, flags | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return fd;
	if (fstat(fd, ret_st) < 0)
		return -errno;
	if (!S_ISREG(ret_st->st_mode))
		return -EINVAL;
	return TAKE_FD(fd);
}

int beneath_is(int dir_fd, const char *name, uint64_t dev, uint64_t ino)
{
	struct stat st;
	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == dev &&
		st.st_ino == ino;
}
