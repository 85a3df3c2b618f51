/* SPDX-License-Identifier: MIT */
#include "support/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/beneath.h"
#include "support/cleanup.h"

#define DEPTH_MAX 128

struct walk {
	struct walk_list *list;
	char **parts;
	size_t part_count, base_length;
	unsigned flags;
};

static int walk_dir(struct walk *w, int dir_fd, const char *path, size_t part, unsigned depth);

static int refuse(struct walk *w, const char *dir, const char *name, const char *why)
{
	struct walk_list *list = w->list;
	if (list->refused_count == list->refused_room) {
		size_t room = list->refused_room ? 2 * list->refused_room : 16;
		void *more = reallocarray(list->refused, room, sizeof *list->refused);
		if (!more)
			return -ENOMEM;
		list->refused = more;
		list->refused_room = room;
	}
	char *path;
	if (asprintf(&path, "%s%s%s", dir, dir[1] && name[0] ? "/" : "", name) < 0)
		return -ENOMEM;
	list->refused[list->refused_count++] = (struct walk_refusal){.path = path, .why = why};
	return 0;
}

static const char *errno_reason(int code)
{
	switch (code) {
	case -ELOOP:
		return "is a symbolic link; write the path that it leads to";
	case -ENOTDIR:
		return "is not a directory";
	case -EACCES:
	case -EPERM:
		return "cannot be opened: permission denied";
	default:
		return "cannot be opened";
	}
}

static const char *dir_fault(const struct walk *w, const struct stat *dir, const struct stat *st)
{
	if (w->flags & WALK_READ || !(dir->st_mode & S_IWOTH))
		return NULL;
	if (!(dir->st_mode & S_ISVTX))
		return "lies in a directory that every user can write and that is not sticky";
	if (!(w->flags & WALK_FOREIGN) && st->st_uid != geteuid() && st->st_uid != 0 &&
		st->st_uid != dir->st_uid)
		return "belongs to another user, in a directory that every user can write";
	return NULL;
}

static const char *file_fault(const struct walk *w, const struct stat *dir, const struct stat *st)
{
	if (S_ISLNK(st->st_mode))
		return "is a symbolic link";
	if (S_ISDIR(st->st_mode))
		return "is a directory; end the pattern with \"/**\" for all files in it";
	if (!S_ISREG(st->st_mode))
		return "is not a regular file";
	if (st->st_nlink > 1 && !(w->flags & (WALK_LINKED | WALK_READ)))
		return "has more than one hard link";
	return dir_fault(w, dir, st);
}

static int list_room(struct walk_list *list)
{
	if (list->count < list->room)
		return 0;
	size_t room = list->room ? 2 * list->room : 64;
	void *more = reallocarray(list->files, room, sizeof *list->files);
	if (!more)
		return -ENOMEM;
	list->files = more;
	list->room = room;
	return 0;
}

static int list_add(struct walk *w, const char *path, const char *name, const struct stat *dir,
	const struct stat *st)
{
	if (list_room(w->list) < 0)
		return -ENOMEM;
	CLEANUP_FREE char *dir_copy = strdup(path);
	char *name_copy = strdup(name);
	if (!dir_copy || !name_copy) {
		free(name_copy);
		return -ENOMEM;
	}
	w->list->files[w->list->count++] = (struct walk_file){
		.dir = TAKE_PTR(dir_copy),
		.name = name_copy,
		.base_length = w->base_length,
		.dir_dev = dir->st_dev,
		.dir_ino = dir->st_ino,
		.dev = st->st_dev,
		.ino = st->st_ino,
		.size_bytes = (uint64_t)st->st_size,
		.used_bytes = (uint64_t)st->st_blocks * 512,
		.mtime_ns = beneath_mtime_ns(st),
		.mode = st->st_mode,
		.uid = st->st_uid,
		.gid = st->st_gid,
	};
	return 0;
}

/* How much the pattern says about a name: the more, the more is worth a word. */
enum naming { NAMED_DEEP, NAMED_WILD, NAMED_WHOLE };

static int consider(
	struct walk *w, int dir_fd, const char *path, const char *name, enum naming naming)
{
	struct stat dir, st;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : refuse(w, path, name, errno_reason(-errno));
	if ((S_ISDIR(st.st_mode) && naming != NAMED_WHOLE) ||
		(!S_ISREG(st.st_mode) && naming == NAMED_DEEP))
		return 0;
	if (fstat(dir_fd, &dir) < 0)
		return -errno;
	const char *fault = file_fault(w, &dir, &st);
	return fault ? refuse(w, path, name, fault) : list_add(w, path, name, &dir, &st);
}

/* A symbolic link is worth a word only where the pattern names it. */
static int descend(struct walk *w, int dir_fd, const char *path, const char *name, size_t part,
	unsigned depth, int named)
{
	CLEANUP_FD int fd = beneath_open_subdir(dir_fd, name);
	if (fd == -ENOENT || (!named && (fd == -ELOOP || fd == -ENOTDIR)))
		return 0;
	if (fd < 0)
		return refuse(w, path, name, errno_reason(fd));
	CLEANUP_FREE char *below = NULL;
	if (asprintf(&below, "%s%s%s", path, path[1] ? "/" : "", name) < 0) {
		below = NULL;
		return -ENOMEM;
	}
	return walk_dir(w, fd, below, part, depth + 1);
}

static int trash_note(struct walk *w, int dir_fd, const char *path)
{
	struct walk_list *list = w->list;
	struct stat st;
	if (fstatat(dir_fd, WALK_TRASH, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		return 0;
	for (size_t i = 0; i < list->trash_count; i++)
		if (strcmp(list->trash_dirs[i], path) == 0)
			return 0;
	char **more = reallocarray(list->trash_dirs, list->trash_count + 1, sizeof *more);
	if (!more)
		return -ENOMEM;
	list->trash_dirs = more;
	more[list->trash_count] = strdup(path);
	return more[list->trash_count] ? (list->trash_count++, 0) : -ENOMEM;
}

static int visit(struct walk *w, int dir_fd, const char *path, const struct dirent *entry,
	size_t part, unsigned depth)
{
	const char *want = w->parts[part];
	int last = part + 1 == w->part_count, hidden = (w->flags & WALK_HIDDEN) != 0;
	if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		(!hidden && strncmp(entry->d_name, ".upkeep-", 8) == 0))
		return 0;
	int deep = strcmp(want, "**") == 0;
	if (fnmatch(deep ? "*" : want, entry->d_name, hidden ? 0 : FNM_PERIOD) != 0)
		return 0;
	if (deep) {
		int r = last ? consider(w, dir_fd, path, entry->d_name, NAMED_DEEP) : 0;
		if (r < 0 || (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN))
			return r;
		return descend(w, dir_fd, path, entry->d_name, part, depth, 0);
	}
	return last ? consider(w, dir_fd, path, entry->d_name, NAMED_WILD)
		    : descend(w, dir_fd, path, entry->d_name, part + 1, depth, 0);
}

static int scan(struct walk *w, int dir_fd, const char *path, size_t part, unsigned depth)
{
	int again = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP_DIR DIR *dir = again < 0 ? NULL : fdopendir(again);
	if (!dir) {
		int code = -errno;
		if (again >= 0)
			close(again);
		return refuse(w, path, "", errno_reason(code));
	}
	for (struct dirent *entry; (entry = readdir(dir));) {
		int r = visit(w, dir_fd, path, entry, part, depth);
		if (r < 0)
			return r;
	}
	return 0;
}

static int walk_dir(struct walk *w, int dir_fd, const char *path, size_t part, unsigned depth)
{
	const char *want = w->parts[part];
	int last = part + 1 == w->part_count;
	if (depth > DEPTH_MAX)
		return refuse(w, path, "", "lies too deep");
	if (last && trash_note(w, dir_fd, path) < 0)
		return -ENOMEM;
	if (!strpbrk(want, "*?["))
		return last ? consider(w, dir_fd, path, want, NAMED_WHOLE)
			    : descend(w, dir_fd, path, want, part + 1, depth, 1);
	if (strcmp(want, "**") == 0 && !last) {
		int r = walk_dir(w, dir_fd, path, part + 1, depth);
		if (r < 0)
			return r;
	}
	return scan(w, dir_fd, path, part, depth);
}

static int split(struct walk *w, char *pattern)
{
	char *save = NULL;
	size_t room = strlen(pattern) / 2 + 2;
	int wild = 0;
	w->parts = calloc(room, sizeof *w->parts);
	if (!w->parts)
		return -ENOMEM;
	w->base_length = 0;
	for (char *s = strtok_r(pattern, "/", &save); s; s = strtok_r(NULL, "/", &save)) {
		if (strcmp(s, ".") == 0 || strcmp(s, "..") == 0)
			return -EINVAL;
		w->parts[w->part_count++] = s;
		wild = wild || strpbrk(s, "*?[");
		w->base_length += wild ? 0 : strlen(s) + 1;
	}
	/* a pattern without wildcards: its directory is the base */
	if (!wild && w->part_count > 0)
		w->base_length -= strlen(w->parts[w->part_count - 1]) + 1;
	return w->part_count > 0 ? 0 : -EINVAL;
}

int walk_glob(struct walk_list *list, const char *pattern, unsigned flags)
{
	struct walk w = {.list = list, .flags = flags};
	if (pattern[0] != '/')
		return -EINVAL;
	CLEANUP_FREE char *copy = strdup(pattern);
	if (!copy)
		return -ENOMEM;
	int r = split(&w, copy);
	CLEANUP_FD int root = beneath_open_dir("/");
	if (r == 0)
		r = root < 0 ? root : walk_dir(&w, root, "/", 0, 0);
	free(w.parts);
	return r;
}

static int file_order(const void *a, const void *b)
{
	const struct walk_file *x = a, *y = b;
	int r = strcmp(x->dir, y->dir);
	return r ? r : strcmp(x->name, y->name);
}

static void file_free(struct walk_file *file)
{
	free(file->dir);
	free(file->name);
}

void walk_finish(struct walk_list *list)
{
	size_t kept = 0;
	if (list->count)
		qsort(list->files, list->count, sizeof *list->files, file_order);
	for (size_t i = 0; i < list->count; i++) {
		if (kept && file_order(&list->files[kept - 1], &list->files[i]) == 0)
			file_free(&list->files[i]);
		else
			list->files[kept++] = list->files[i];
	}
	list->count = kept;
}

void walk_free(struct walk_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		file_free(&list->files[i]);
	for (size_t i = 0; i < list->refused_count; i++)
		free(list->refused[i].path);
	for (size_t i = 0; i < list->trash_count; i++)
		free(list->trash_dirs[i]);
	free(list->files);
	free(list->refused);
	free(list->trash_dirs);
	*list = (struct walk_list){0};
}

int walk_open_dir(const struct walk_file *file)
{
	struct stat st;
	CLEANUP_FD int fd = beneath_open_dir(file->dir);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_dev == file->dir_dev && st.st_ino == file->dir_ino ? TAKE_FD(fd) : -ESTALE;
}

int walk_open_file(int dir_fd, const struct walk_file *file, int flags, struct stat *ret_st)
{
	CLEANUP_FD int fd = beneath_open_file(dir_fd, file->name, flags, ret_st);
	if (fd < 0)
		return fd;
	return ret_st->st_dev == file->dev && ret_st->st_ino == file->ino ? TAKE_FD(fd) : -ESTALE;
}
