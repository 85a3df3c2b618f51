/* SPDX-License-Identifier: MIT */
#include "backup/extract.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backup/metadata.h"
#include "support/cleanup.h"

struct later {
	char *path;
	struct archive_entry *entry;
};

struct extract {
	int root, fd;
	uint64_t entries_left, bytes_left, incomplete;
	char *path; /* of the open file */
	struct archive_entry *entry;
	struct later *dirs;
	size_t dir_count, dir_room;
	bool dirs_made; /* by extract_make_dir */
	char *example;
};

static int open_beneath(int dir, const char *path, int flags)
{
	struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	long fd;
	for (int tries = 0; tries < 64; tries++) {
		fd = syscall(SYS_openat2, dir, path, &how, sizeof how);
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd < 0 ? -errno : (int)fd;
}

/* Every component is a plain name. */
static bool is_plain(const char *path)
{
	for (;;) {
		size_t size = strcspn(path, "/");
		if (size == 0 || size > 255 || (size == 1 && path[0] == '.') ||
			(size == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		if (!path[size])
			return true;
		path += size + 1;
	}
}

int extract_parent(int root, const char *path, const char **ret_name)
{
	CLEANUP_FD int dir = open_beneath(root, ".", O_PATH | O_DIRECTORY);
	const char *slash;
	if (dir < 0)
		return dir;
	if (!is_plain(path))
		return -EPERM;
	for (; (slash = strchr(path, '/')); path = slash + 1) {
		char name[256];
		memcpy(name, path, (size_t)(slash - path));
		name[slash - path] = 0;
		int next = open_beneath(dir, name, O_PATH | O_DIRECTORY);
		if (next < 0)
			return next;
		close(dir);
		dir = next;
	}
	*ret_name = path;
	return TAKE_FD(dir);
}

void extract_open(struct extract **ret, int root, uint64_t entries_max, uint64_t bytes_max)
{
	struct extract *extract = fault_alloc(sizeof *extract);
	*extract = (struct extract){
		.root = root, .fd = -1, .entries_left = entries_max, .bytes_left = bytes_max};
	*ret = extract;
}

static void set_metadata(
	struct extract *extract, int fd, struct archive_entry *entry, const char *path)
{
	const char *what = NULL;
	int r = metadata_apply(fd, entry, &what);
	if (r == 0)
		return;
	extract->incomplete++;
	if (!extract->example)
		extract->example = fault_format("%s of \"%s\": %s", what, path, strerror(-r));
}

static int make_dir(struct extract *extract, int dir, const char *name, const char *path,
	struct archive_entry *entry)
{
	struct stat st;
	if (mkdirat(dir, name, 0700) < 0 &&
		(errno != EEXIST || !extract->dirs_made ||
			fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode)))
		return -errno;
	if (extract->dir_count == extract->dir_room) {
		extract->dir_room = extract->dir_room ? extract->dir_room * 2 : 64;
		extract->dirs =
			fault_resize(extract->dirs, extract->dir_room, sizeof *extract->dirs);
	}
	extract->dirs[extract->dir_count++] =
		(struct later){fault_format("%s", path), archive_entry_clone(entry)};
	return 0;
}

static int make_link(struct extract *extract, int dir, const char *name, const char *target)
{
	const char *target_name;
	CLEANUP_FD int target_dir = extract_parent(extract->root, target, &target_name);
	if (target_dir < 0)
		return target_dir;
	return linkat(target_dir, target_name, dir, name, 0) < 0 ? -errno : 0;
}

static int make_special(struct extract *extract, int dir, const char *name, const char *path,
	struct archive_entry *entry)
{
	mode_t type = archive_entry_filetype(entry);
	int r;
	if (type == AE_IFLNK)
		r = symlinkat(archive_entry_symlink(entry) ? archive_entry_symlink(entry) : "", dir,
			name);
	else if (type == AE_IFIFO)
		r = mknodat(dir, name, S_IFIFO | 0600, 0);
	else if (type == AE_IFCHR || type == AE_IFBLK)
		r = mknodat(dir, name, type | 0600, archive_entry_rdev(entry));
	else
		return -EINVAL;
	if (r < 0)
		return -errno;
	CLEANUP_FD int fd = open_beneath(dir, name, O_PATH | O_NOFOLLOW);
	if (fd < 0)
		return fd;
	set_metadata(extract, fd, entry, path);
	return 0;
}

static int make_file(struct extract *extract, int dir, const char *name, const char *path,
	struct archive_entry *entry)
{
	extract->fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (extract->fd < 0)
		return -errno;
	extract->path = fault_format("%s", path);
	extract->entry = archive_entry_clone(entry);
	return 0;
}

static int make_entry(struct extract *extract, const char *path, const char *hardlink,
	struct archive_entry *entry)
{
	const char *name;
	CLEANUP_FD int dir = extract_parent(extract->root, path, &name);
	if (dir < 0)
		return dir;
	if (hardlink)
		return make_link(extract, dir, name, hardlink);
	if (archive_entry_filetype(entry) == AE_IFDIR)
		return make_dir(extract, dir, name, path, entry);
	if (archive_entry_filetype(entry) == AE_IFREG)
		return make_file(extract, dir, name, path, entry);
	return make_special(extract, dir, name, path, entry);
}

static void close_file(struct extract *extract)
{
	if (extract->fd >= 0)
		close(extract->fd);
	extract->fd = -1;
	free(extract->path);
	extract->path = NULL;
	archive_entry_free(extract->entry);
	extract->entry = NULL;
}

static int make_fault(const char *path, int code, struct fault *fault)
{
	return fault_set(fault, code, NULL, "cannot make \"%s\": %s", path,
		code == -ELOOP || code == -EXDEV || code == -EPERM ? "it would lead out"
								   : strerror(-code));
}

int extract_make_dir(struct extract *extract, const char *path, struct fault *fault)
{
	const char *name;
	CLEANUP_FD int dir = extract_parent(extract->root, path, &name);
	extract->dirs_made = true;
	if (dir < 0)
		return make_fault(path, dir, fault);
	return mkdirat(dir, name, 0700) < 0 ? make_fault(path, -errno, fault) : 0;
}

int extract_begin(struct extract *extract, const char *path, const char *hardlink,
	struct archive_entry *entry, struct fault *fault)
{
	close_file(extract);
	if (extract->entries_left == 0)
		return fault_set(
			fault, -EFBIG, NULL, "more entries than there may be, at \"%s\"", path);
	extract->entries_left--;
	int r = make_entry(extract, path, hardlink, entry);
	return r < 0 ? make_fault(path, r, fault) : 0;
}

int extract_bytes(struct extract *extract, const void *bytes, size_t size, uint64_t offset,
	struct fault *fault)
{
	const char *at = bytes;
	if (extract->fd < 0)
		return fault_set(fault, -EBADMSG, NULL, "bytes without a file");
	if (size > extract->bytes_left)
		return fault_set(fault, -EFBIG, NULL, "more bytes than there may be, in \"%s\"",
			extract->path);
	extract->bytes_left -= size;
	while (size > 0) {
		ssize_t n = pwrite(extract->fd, at, size, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fault_set(
				fault, -errno, NULL, "cannot write \"%s\": %m", extract->path);
		at += n;
		offset += (uint64_t)n;
		size -= (size_t)n;
	}
	return 0;
}

int extract_end(struct extract *extract, uint64_t size, struct fault *fault)
{
	if (extract->fd < 0)
		return 0;
	if (ftruncate(extract->fd, (off_t)size) < 0)
		return fault_set(fault, -errno, NULL, "cannot size \"%s\": %m", extract->path);
	set_metadata(extract, extract->fd, extract->entry, extract->path);
	close_file(extract);
	return 0;
}

int extract_finish(struct extract *extract, struct fault *fault)
{
	close_file(extract);
	for (size_t i = extract->dir_count; i > 0; i--) {
		struct later *later = &extract->dirs[i - 1];
		const char *name;
		CLEANUP_FD int dir = extract_parent(extract->root, later->path, &name);
		CLEANUP_FD int fd = dir < 0 ? dir : open_beneath(dir, name, O_RDONLY | O_DIRECTORY);
		if (fd < 0)
			return fault_set(fault, fd, NULL, "cannot open \"%s\" again: %s",
				later->path, strerror(-fd));
		set_metadata(extract, fd, later->entry, later->path);
	}
	return 0;
}

uint64_t extract_incomplete(const struct extract *extract, const char **ret_example)
{
	*ret_example = extract->example;
	return extract->incomplete;
}

void extract_close(struct extract **ret)
{
	struct extract *extract = *ret;
	if (!extract)
		return;
	close_file(extract);
	for (size_t i = 0; i < extract->dir_count; i++) {
		free(extract->dirs[i].path);
		archive_entry_free(extract->dirs[i].entry);
	}
	free(extract->dirs);
	free(extract->example);
	free(extract);
	*ret = NULL;
}

static int remove_below(int fd)
{
	CLEANUP_DIR DIR *dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -errno;
	}
	int r = 0;
	for (struct dirent *e; r == 0 && (e = readdir(dir));)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = extract_remove(dirfd(dir), e->d_name);
	return r;
}

int extract_remove(int dir, const char *name)
{
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = fd < 0 ? -errno : remove_below(fd);
	if (r < 0)
		return r;
	return unlinkat(dir, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}
