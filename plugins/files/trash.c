/* SPDX-License-Identifier: MIT */
#include "place.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "support/beneath.h"
#include "support/cleanup.h"
#include "support/walk.h"

/* A directory of ours alone on the file system `dev`: into it nobody else reaches. */
static int private_dir(int dir_fd, const char *name, uint64_t dev)
{
	struct stat st;
	if (mkdirat(dir_fd, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	CLEANUP_FD int fd = beneath_open_subdir(dir_fd, name);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() || (st.st_mode & 077))
		return -EPERM;
	return st.st_dev == dev ? TAKE_FD(fd) : -EXDEV;
}

static const char *trash_slot(const struct upkeep_ctx *ctx)
{
	return ctx->run_id && ctx->run_id[0] && !strchr(ctx->run_id, '/') && ctx->run_id[0] != '.'
		? ctx->run_id
		: "run";
}

static int32_t trash_fail(struct upkeep_ctx *ctx, const char *dir, int code)
{
	return upkeep_fail(ctx, UPKEEP_FAILED, code == -EPERM ? "look at it, then remove it" : NULL,
		code == -EPERM ? "it belongs to somebody else" : strerror(-code),
		"cannot use the trash \"%s/%s\"", dir, WALK_TRASH);
}

/* A free name for `name` in the trash: its own, else with a number. */
static int slot_name(int slot_fd, const char *name, char room[NAME_MAX + 1])
{
	for (int i = 0; i < 1000; i++) {
		int n = i == 0 ? snprintf(room, NAME_MAX + 1, "%s", name)
			       : snprintf(room, NAME_MAX + 1, "%.240s.%d", name, i);
		struct stat st;
		if (n > NAME_MAX)
			return -ENAMETOOLONG;
		if (fstatat(slot_fd, room, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return errno == ENOENT ? 0 : -errno;
	}
	return -EEXIST;
}

/* Without a record: the call is irreversible (UPKEEP_NO_UNDO). */
static int32_t remove_now(
	struct upkeep_ctx *ctx, struct place file, struct place slot, const struct stat *st)
{
	if (!beneath_is(file.dir_fd, file.name, st->st_dev, st->st_ino))
		return PLACE_SKIPPED;
	/* by way of the trash, where nobody can change what the name means */
	if (renameat2(file.dir_fd, file.name, slot.dir_fd, slot.name, RENAME_NOREPLACE) < 0 ||
		!beneath_is(slot.dir_fd, slot.name, st->st_dev, st->st_ino)) {
		renameat2(slot.dir_fd, slot.name, file.dir_fd, file.name, RENAME_NOREPLACE);
		return PLACE_SKIPPED;
	}
	if (unlinkat(slot.dir_fd, slot.name, 0) < 0)
		return trash_fail(ctx, file.dir, -errno);
	return 0;
}

int32_t place_trash(struct upkeep_ctx *ctx, struct place file, const struct stat *st, int now)
{
	char path[PATH_MAX], name[NAME_MAX + 1];
	CLEANUP_FD int trash = private_dir(file.dir_fd, WALK_TRASH, st->st_dev);
	if (trash < 0)
		return trash_fail(ctx, file.dir, trash);
	CLEANUP_FD int slot = private_dir(trash, trash_slot(ctx), st->st_dev);
	if (slot < 0)
		return trash_fail(ctx, file.dir, slot);
	int code = slot_name(slot, file.name, name);
	if (code == 0 &&
		snprintf(path, sizeof path, "%s/%s/%s", file.dir, WALK_TRASH, trash_slot(ctx)) >=
			(int)sizeof path)
		code = -ENAMETOOLONG;
	if (code < 0)
		return trash_fail(ctx, file.dir, code);
	struct place to = {.dir_fd = slot, .dir = path, .name = name};
	int32_t r = now ? remove_now(ctx, file, to, st) : place_move(ctx, file, to, st, NULL);
	if (now || r != 0) {
		unlinkat(trash, trash_slot(ctx), AT_REMOVEDIR);
		unlinkat(file.dir_fd, WALK_TRASH, AT_REMOVEDIR);
	}
	return r;
}

static int slot_expired(int trash, const char *name, int64_t keep_ms)
{
	struct stat st;
	return name[0] != '.' && fstatat(trash, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		S_ISDIR(st.st_mode) && ((int64_t)time(NULL) - st.st_mtim.tv_sec) * 1000 > keep_ms;
}

static int32_t slot_empty(
	struct upkeep_ctx *ctx, const char *dir, int trash, const char *slot, int only_say)
{
	int fd = beneath_open_subdir(trash, slot);
	CLEANUP_DIR DIR *entries = fd < 0 ? NULL : fdopendir(fd);
	if (!entries)
		return fd < 0 ? 0 : (close(fd), 0);
	for (struct dirent *e; (e = readdir(entries));) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (only_say)
			upkeep_would(ctx, NULL, "remove %s/%s/%s/%s for good", dir, WALK_TRASH,
				slot, e->d_name);
		else if (unlinkat(dirfd(entries), e->d_name, 0) < 0)
			upkeep_warn(ctx, "cannot remove %s/%s/%s/%s: %s", dir, WALK_TRASH, slot,
				e->d_name, strerror(errno));
	}
	if (!only_say)
		unlinkat(trash, slot, AT_REMOVEDIR);
	return 1;
}

int32_t place_trash_purge(struct upkeep_ctx *ctx, const char *dir, int64_t keep_ms, int only_say)
{
	int32_t changed = 0;
	struct stat st;
	CLEANUP_FD int dir_fd = beneath_open_dir(dir);
	int fd = dir_fd < 0 ? dir_fd : beneath_open_subdir(dir_fd, WALK_TRASH);
	CLEANUP_DIR DIR *slots = fd < 0 ? NULL : fdopendir(fd);
	if (!slots)
		return fd < 0 ? 0 : (close(fd), 0);
	if (fstat(dirfd(slots), &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 077))
		return 0;
	for (struct dirent *e; (e = readdir(slots));)
		if (slot_expired(dirfd(slots), e->d_name, keep_ms))
			changed |= slot_empty(ctx, dir, dirfd(slots), e->d_name, only_say);
	if (changed && !only_say)
		unlinkat(dir_fd, WALK_TRASH, AT_REMOVEDIR);
	return changed;
}
