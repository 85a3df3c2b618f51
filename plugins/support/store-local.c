/* SPDX-License-Identifier: MIT */
#include "support/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/cleanup.h"
#include "support/store-lock.h"

#define AGAIN_MS 100

struct local {
	struct store store;
	int root;
	int lock;
};

static struct local *local_of(struct store *store)
{
	return (struct local *)store;
}

static int dir_open(int at, const char *path)
{
	int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* "a/b" has its own syncing at each level. */
static int group_make(struct local *local, const char *group)
{
	CLEANUP_FREE char *path = fault_format("%s", group);
	char *slash = strchr(path, '/');
	if (slash)
		*slash = 0;
	if (mkdirat(local->root, path, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (slash) {
		*slash = '/';
		if (mkdirat(local->root, path, 0700) < 0 && errno != EEXIST)
			return -errno;
	}
	return dir_open(local->root, path);
}

static int put_into(int dir, const char *partial, const char *name, int fd, uint64_t size,
	struct store_hash *hash)
{
	CLEANUP_FD int to =
		openat(dir, partial, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return -errno;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	uint64_t written = 0;
	int r = store_copy(fd, to, UINT64_MAX, hash, &written);
	if (r < 0)
		return r;
	if (written != size)
		return -EIO;
	if (fsync(to) < 0)
		return -errno;
	return renameat2(dir, partial, dir, name, RENAME_NOREPLACE) < 0 ? -errno : 0;
}

static int local_put(struct store *store, const char *group, const char *name, int fd,
	uint64_t size, char ret_hash[STORE_HASH_TEXT], struct fault *fault)
{
	CLEANUP_FD int dir = group_make(local_of(store), group);
	if (dir < 0)
		return fault_set(fault, dir, "check the store's directory and its owner",
			"cannot make \"%s\" in the store \"%s\": %s", group, store->place,
			strerror(-dir));
	CLEANUP_FREE char *partial = fault_format("%s.partial", name);
	struct store_hash *hash = store_hash_begin();
	int r = put_into(dir, partial, name, fd, size, hash);
	store_hash_end(&hash, ret_hash);
	if (r < 0) {
		unlinkat(dir, partial, 0);
		return fault_set(fault, r,
			r == -ENOSPC ? "free some space there, or let backup.prune do it" : NULL,
			"cannot write \"%s/%s\" in the store \"%s\": %s", group, name, store->place,
			strerror(-r));
	}
	return 0;
}

static int get_from(struct local *local, const char *group, const char *name, int fd,
	uint64_t limit, uint64_t *ret_size, struct store_hash *hash)
{
	CLEANUP_FD int dir = dir_open(local->root, group);
	if (dir < 0)
		return dir;
	CLEANUP_FD int from =
		openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (from < 0)
		return -errno;
	struct stat st;
	if (fstat(from, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return store_copy(from, fd, limit, hash, ret_size);
}

static int local_get(struct store *store, const char *group, const char *name, int fd,
	uint64_t limit, uint64_t *ret_size, char ret_hash[STORE_HASH_TEXT], struct fault *fault)
{
	struct store_hash *hash = store_hash_begin();
	int r = get_from(local_of(store), group, name, fd, limit, ret_size, hash);
	store_hash_end(&hash, ret_hash);
	if (r < 0)
		return fault_set(fault, r, NULL, "cannot read \"%s/%s\" in the store \"%s\": %s",
			group, name, store->place,
			r == -EFBIG ? "it is larger than it can be" : strerror(-r));
	return 0;
}

static int sync_dir(int at, const char *path)
{
	CLEANUP_FD int dir = dir_open(at, path);
	if (dir < 0)
		return dir;
	return fsync(dir) < 0 ? -errno : 0;
}

static int sync_group(struct local *local, const char *group)
{
	CLEANUP_FREE char *path = fault_format("%s", group);
	for (;;) {
		int r = sync_dir(local->root, path);
		if (r < 0)
			return r;
		char *slash = strrchr(path, '/');
		if (!slash)
			break;
		*slash = 0;
	}
	return fsync(local->root) < 0 ? -errno : 0;
}

static int local_sync(struct store *store, const char *group, struct fault *fault)
{
	int r = sync_group(local_of(store), group);
	if (r < 0)
		return fault_set(fault, r, NULL, "cannot sync \"%s\" in the store \"%s\": %s",
			group, store->place, strerror(-r));
	return 0;
}

struct listed {
	char *name;
	uint64_t size;
};

static bool entry_wanted(int dir, const char *name, bool groups, struct stat *st)
{
	if (!store_name_valid(name) || fstatat(dir, name, st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	return groups ? S_ISDIR(st->st_mode) : S_ISREG(st->st_mode);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct listed *)a)->name, ((const struct listed *)b)->name);
}

static void take_names(struct listed *list, size_t count, bool groups, struct store_names *names)
{
	qsort(list, count, sizeof *list, compare_names);
	names->items = fault_alloc(count * sizeof *names->items);
	names->sizes = groups ? NULL : fault_alloc(count * sizeof *names->sizes);
	for (; names->count < count; names->count++) {
		names->items[names->count] = list[names->count].name;
		if (!groups)
			names->sizes[names->count] = list[names->count].size;
	}
}

static void list_dir(DIR *dir, bool groups, struct store_names *names)
{
	struct listed *list = NULL;
	size_t count = 0, room = 0;
	struct stat st;
	for (struct dirent *e; (e = readdir(dir));) {
		if (!entry_wanted(dirfd(dir), e->d_name, groups, &st))
			continue;
		if (count == room) {
			room = room ? room * 2 : 64;
			list = fault_resize(list, room, sizeof *list);
		}
		list[count++] =
			(struct listed){fault_format("%s", e->d_name), (uint64_t)st.st_size};
	}
	if (count)
		take_names(list, count, groups, names);
	free(list);
}

static int local_list(struct store *store, const char *group, bool groups, struct store_names *ret,
	struct fault *fault)
{
	*ret = (struct store_names){0};
	CLEANUP_FD int fd = dir_open(local_of(store)->root, *group ? group : ".");
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fault_set(fault, fd, NULL, "cannot list \"%s\" in the store \"%s\": %s",
			group, store->place, strerror(-fd));
	CLEANUP_DIR DIR *dir = fdopendir(fd);
	if (!dir)
		return fault_set(
			fault, -errno, NULL, "cannot list the store \"%s\": %m", store->place);
	TAKE_FD(fd);
	list_dir(dir, groups, ret);
	return 0;
}

/* A group holds plain files only; whatever else lies there stops the removal. */
static int remove_files(int fd)
{
	CLEANUP_DIR DIR *dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -errno;
	}
	for (struct dirent *e; (e = readdir(dir));) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(dir), e->d_name, 0) < 0 && errno != ENOENT)
			return -errno;
	}
	return 0;
}

static int local_remove(struct store *store, const char *group, struct fault *fault)
{
	struct local *local = local_of(store);
	int fd = dir_open(local->root, group);
	if (fd == -ENOENT)
		return 0;
	int r = fd < 0 ? fd : remove_files(fd);
	if (r == 0 && unlinkat(local->root, group, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = -errno;
	if (r < 0)
		return fault_set(fault, r, NULL, "cannot remove \"%s\" from the store \"%s\": %s",
			group, store->place, strerror(-r));
	return 0;
}

static int local_remove_object(
	struct store *store, const char *group, const char *name, struct fault *fault)
{
	CLEANUP_FD int dir = dir_open(local_of(store)->root, group);
	if (dir == -ENOENT)
		return 0;
	int r = dir < 0 ? dir : unlinkat(dir, name, 0) < 0 && errno != ENOENT ? -errno : 0;
	if (r < 0)
		return fault_set(fault, r, NULL,
			"cannot remove \"%s/%s\" from the store \"%s\": %s", group, name,
			store->place, strerror(-r));
	return 0;
}

static int local_has(struct store *store, const char *group, const char *name, struct fault *fault)
{
	CLEANUP_FD int dir = dir_open(local_of(store)->root, group);
	struct stat st;
	if (dir >= 0 && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	int r = dir < 0 ? dir : -errno;
	return r == -ENOENT
		? 0
		: fault_set(fault, r, NULL, "cannot look at \"%s/%s\" in the store \"%s\": %s",
			  group, name, store->place, strerror(-r));
}

static int local_hold(struct store *store, bool alone, const char *who, struct fault *fault)
{
	struct local *local = local_of(store);
	CLEANUP_FREE char *holder = NULL;
	int r = store_lock(local->root, &local->lock, alone, who, &holder);
	if (r == -EBUSY)
		return fault_set(fault, r, "try again when it has ended",
			"the store \"%s\" is held by %s", store->name, holder);
	return r < 0 ? fault_set(fault, r, NULL, "cannot lock the store \"%s\": %s", store->place,
			       strerror(-r))
		     : 0;
}

static int local_identity(struct store *store, uint64_t *ret_dev, uint64_t *ret_ino)
{
	struct stat st;
	if (fstat(local_of(store)->root, &st) < 0)
		return -errno;
	*ret_dev = st.st_dev;
	*ret_ino = st.st_ino;
	return 0;
}

static void local_close(struct store *store)
{
	struct local *local = local_of(store);
	if (local->lock >= 0)
		close(local->lock);
	if (local->root >= 0)
		close(local->root);
	free(local);
}

static const struct store_ops local_ops = {
	.put = local_put,
	.get = local_get,
	.sync = local_sync,
	.list = local_list,
	.remove = local_remove,
	.remove_object = local_remove_object,
	.has = local_has,
	.hold = local_hold,
	.identity = local_identity,
	.close = local_close,
};

static int make_dirs(const char *path)
{
	CLEANUP_FREE char *copy = fault_format("%s", path);
	for (char *slash = copy + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return mkdir(copy, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

/* Whoever can write a store can take backups away: only its owner may. */
static int check_owner(int fd, const char *path, struct fault *fault)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return fault_set(fault, -errno, NULL, "cannot look at the store \"%s\": %m", path);
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022)) {
		CLEANUP_FREE char *next =
			fault_format("chown root: '%s'; chmod go-w '%s'", path, path);
		return fault_set(fault, -EPERM, next,
			"others can write the store \"%s\" (mode %04o, owner %u)", path,
			(unsigned)(st.st_mode & 07777), (unsigned)st.st_uid);
	}
	return 0;
}

int store_open_local(
	struct store **ret, const char *name, const char *path, bool make, struct fault *fault)
{
	int r = make ? make_dirs(path) : 0;
	if (r < 0)
		return fault_set(fault, r, NULL, "cannot make the store's directory \"%s\": %s",
			path, strerror(-r));
	CLEANUP_FD int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return fault_set(fault, -errno, "make the directory, or run backup.create first",
			"cannot open the store \"%s\" at \"%s\": %m", name, path);
	r = check_owner(root, path, fault);
	if (r < 0)
		return r;
	struct local *local = fault_alloc(sizeof *local);
	*local = (struct local){
		.store = {&local_ops, fault_format("%s", name), fault_format("%s", path), AGAIN_MS},
		.root = TAKE_FD(root),
		.lock = -1};
	*ret = &local->store;
	return 0;
}
