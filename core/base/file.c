/* SPDX-License-Identifier: MIT */
#include "base/file.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

int file_write(int fd, const void *bytes, size_t size)
{
	const char *at = bytes;

	while (size) {
		ssize_t n = write(fd, at, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

ssize_t file_read(int fd, void *bytes, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, (char *)bytes + done, size - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int load_fd(int fd, const char *path, size_t limit, struct text *text, struct error *err)
{
	char chunk[16384];

	for (;;) {
		ssize_t n = file_read(fd, chunk, sizeof chunk);
		if (n < 0) {
			errno = (int)-n;
			return error_set(err, (int)n, NULL, "cannot read %s: %m", path);
		}
		if (text->size + (size_t)n > limit)
			return error_set(
				err, -EFBIG, NULL, "%s is larger than %zu bytes", path, limit);
		text_add(text, chunk, (size_t)n);
		if ((size_t)n < sizeof chunk)
			return 0;
	}
}

int file_load(const char *path, size_t limit, char **ret_bytes, size_t *ret_size, struct error *err)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	CLEANUP_TEXT struct text text = {0};

	if (fd < 0)
		return error_set(err, -errno, NULL, "cannot open %s: %m", path);
	int r = load_fd(fd, path, limit, &text, err);
	if (r < 0)
		return r;
	if (ret_size)
		*ret_size = text.size;
	*ret_bytes = text_take(&text);
	return 0;
}

int file_sync_parent(const char *path)
{
	CLEANUP_FREE char *dir = strdup(path);
	char *slash = dir ? strrchr(dir, '/') : NULL;

	if (!dir)
		return -ENOMEM;
	if (slash)
		slash[slash == dir] = 0;
	CLEANUP_FD int fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		/* cppcheck-suppress memleak ; CLEANUP_FREE frees it */
		return -errno;
	/* cppcheck-suppress memleak ; likewise */
	return 0;
}

static int store_temporary(const char *temporary, int fd, const void *bytes, size_t size,
	mode_t mode, bool sync, struct error *err)
{
	int r = file_write(fd, bytes, size);

	if (r == 0 && fchmod(fd, mode) < 0)
		r = -errno;
	if (r == 0 && sync && fsync(fd) < 0)
		r = -errno;
	if (r == 0)
		return 0;
	errno = -r;
	return error_set(err, r, NULL, "cannot write %s: %m", temporary);
}

int file_store(
	const char *path, const void *bytes, size_t size, mode_t mode, bool sync, struct error *err)
{
	CLEANUP_FREE char *temporary = NULL;

	if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
		return error_set(err, -ENOMEM, NULL, "out of memory");
	CLEANUP_FD int fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return error_set(err, -errno, NULL, "cannot make %s: %m", temporary);
	int r = store_temporary(temporary, fd, bytes, size, mode, sync, err);
	if (r == 0 && rename(temporary, path) < 0)
		r = error_set(err, -errno, NULL, "cannot rename %s to %s: %m", temporary, path);
	if (r < 0) {
		unlink(temporary);
		return r;
	}
	r = sync ? file_sync_parent(path) : 0;
	if (r < 0) {
		errno = -r;
		return error_set(err, r, NULL, "cannot sync the directory of %s: %m", path);
	}
	return 0;
}

static int make_one(const char *path, mode_t mode, struct error *err)
{
	struct stat st;

	if (mkdir(path, mode) == 0)
		return 0;
	int code = errno;
	if (code == EEXIST && stat(path, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return 0;
		code = ENOTDIR;
	}
	errno = code;
	return error_set(err, -code, NULL, "cannot make the directory %s: %m", path);
}

int file_make_dirs(const char *path, mode_t mode, struct error *err)
{
	CLEANUP_FREE char *copy = strdup(path);
	struct stat st;

	if (!copy)
		return error_set(err, -ENOMEM, NULL, "out of memory");
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		/* cppcheck-suppress memleak ; CLEANUP_FREE frees it */
		return 0;
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		int r = stat(copy, &st) == 0 && S_ISDIR(st.st_mode) ? 0 : make_one(copy, mode, err);
		*slash = '/';
		if (r < 0)
			return r;
	}
	return make_one(path, mode, err);
}

int file_open_beneath(int dirfd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.mode = flags & (O_CREAT | O_TMPFILE) ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	long fd = syscall(SYS_openat2, dirfd, path, &how, sizeof how);

	return fd < 0 ? -errno : (int)fd;
}

static int remove_at(int dirfd, const char *name, dev_t device);

static int remove_entries(int fd, dev_t device)
{
	CLEANUP_DIR DIR *dir = fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (!dir) {
		r = -errno;
		close(fd);
		return r;
	}
	while (r == 0 && (errno = 0, entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = remove_at(fd, entry->d_name, device);
	return r ? r : -errno;
}

static int remove_at(int dirfd, const char *name, dev_t device)
{
	struct stat st;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || st.st_dev != device) {
		close(fd);
		return -EXDEV;
	}
	int r = remove_entries(fd, device);
	if (r == 0 && unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = -errno;
	return r;
}

int file_remove_tree(int dirfd, const char *name, struct error *err)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno == ENOENT)
			return 0;
		return error_set(err, -errno, NULL, "cannot remove %s: %m", name);
	}
	int r = remove_at(dirfd, name, st.st_dev);
	if (r == 0)
		return 0;
	errno = -r;
	return error_set(err, r, NULL, "cannot remove %s: %m", name);
}

static bool stat_is_safe(const struct stat *st)
{
	bool sticky_of_root = st->st_uid == 0 && (st->st_mode & S_ISVTX);

	if (st->st_uid != 0 && st->st_uid != geteuid())
		return false;
	return !(st->st_mode & (S_IWGRP | S_IWOTH)) || sticky_of_root;
}

bool file_is_safe_dir(const char *path, struct error *err)
{
	CLEANUP_FREE char *real = realpath(path, NULL);
	struct stat st;

	if (!real) {
		error_set(err, -errno, NULL, "cannot look at %s: %m", path);
		return false;
	}
	for (;;) {
		if (stat(real, &st) < 0) {
			error_set(err, -errno, NULL, "cannot look at %s: %m", real);
			return false;
		}
		if (!stat_is_safe(&st)) {
			CLEANUP_TEXT struct text next = {0};
			text_addf(&next, "chown root %s; chmod go-w %s", real, real);
			error_set(err, -EPERM, text_string(&next),
				"%s can be changed by others than root and you", real);
			return false;
		}
		char *slash = strrchr(real, '/');
		if (!slash[1])
			return true;
		slash[slash == real] = 0;
	}
}

bool file_is_local(const char *path)
{
	static const uint32_t remote[] = {
		0x6969 /* NFS */,
		0xff534d42 /* CIFS */,
		0xfe534d42 /* SMB2 */,
		0x65735546 /* FUSE */,
		0x01021997 /* 9P */,
		0x00c36400 /* CEPH */,
		0x5346414f /* AFS */,
		0x73757245 /* CODA */,
		0x0bd00bd0 /* LUSTRE */,
		0x01161970 /* GFS2 */,
		0x7461636f /* OCFS2 */,
		0x47504653 /* GPFS */,
	};
	struct statfs fs;

	if (statfs(path, &fs) < 0)
		return false;
	for (size_t i = 0; i < sizeof remote / sizeof remote[0]; i++)
		if ((uint32_t)fs.f_type == remote[i])
			return false;
	return true;
}
