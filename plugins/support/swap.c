/* SPDX-License-Identifier: MIT */
#include "support/swap.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/cleanup.h"

static int open_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int inode_at(const char *dir, const char *name, uint64_t *ret)
{
	CLEANUP_FD int fd = open_dir(dir);
	struct stat st;
	*ret = 0;
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	*ret = st.st_ino;
	return 0;
}

int swap_look(struct swap *swap, struct fault *fault)
{
	int r = inode_at(swap->live, swap->name, &swap->live_ino);
	if (r == 0)
		r = inode_at(swap->stage, swap->name, &swap->stage_ino);
	return r < 0 ? fault_set(fault, r, NULL, "cannot look at \"%s/%s\": %s", swap->live,
			       swap->name, strerror(-r))
		     : 0;
}

int swap_state(const struct swap *swap)
{
	uint64_t live, stage;
	if (inode_at(swap->live, swap->name, &live) < 0 ||
		inode_at(swap->stage, swap->name, &stage) < 0)
		return -ESTALE;
	if (live == swap->stage_ino && stage == swap->live_ino)
		return 1;
	return live == swap->live_ino && stage == swap->stage_ino ? 0 : -ESTALE;
}

/* `in` goes to where `out` is, and `out` to where `in` was. */
static int exchange(const char *from, const char *to, const char *name, bool in, bool out)
{
	CLEANUP_FD int from_fd = open_dir(from);
	CLEANUP_FD int to_fd = open_dir(to);
	if (from_fd < 0 || to_fd < 0)
		return from_fd < 0 ? from_fd : to_fd;
	int r = 0;
	if (in && out)
		r = renameat2(from_fd, name, to_fd, name, RENAME_EXCHANGE);
	else if (in)
		r = renameat2(from_fd, name, to_fd, name, RENAME_NOREPLACE);
	else if (out)
		r = renameat2(to_fd, name, from_fd, name, RENAME_NOREPLACE);
	if (r < 0 || fsync(from_fd) < 0 || fsync(to_fd) < 0)
		return -errno;
	return 0;
}

int swap_do(const struct swap *swap, struct fault *fault)
{
	if (swap_state(swap) == 1)
		return 0;
	int r = exchange(
		swap->stage, swap->live, swap->name, swap->stage_ino != 0, swap->live_ino != 0);
	return r < 0 ? fault_set(fault, r, NULL, "cannot put \"%s/%s\" in its place: %s",
			       swap->live, swap->name, strerror(-r))
		     : 0;
}

int swap_undo(const struct swap *swap, struct fault *fault)
{
	int state = swap_state(swap);
	if (state == 0)
		return 0;
	if (state < 0)
		return fault_set(fault, -ESTALE, "look at both places and put it right by hand",
			"\"%s/%s\" is no longer what was restored, or \"%s\" is gone", swap->live,
			swap->name, swap->stage);
	if (mkdir(swap->stage, 0700) < 0 && errno != EEXIST)
		return fault_set(fault, -errno, NULL, "cannot make \"%s\" again: %m", swap->stage);
	int r = exchange(
		swap->stage, swap->live, swap->name, swap->live_ino != 0, swap->stage_ino != 0);
	return r < 0 ? fault_set(fault, r, NULL, "cannot put \"%s/%s\" back: %s", swap->live,
			       swap->name, strerror(-r))
		     : 0;
}

int swap_write(const struct swap *swap, char *payload, size_t room, size_t *ret_size)
{
	char live[24], stage[24];
	snprintf(live, sizeof live, "%llu", (unsigned long long)swap->live_ino);
	snprintf(stage, sizeof stage, "%llu", (unsigned long long)swap->stage_ino);
	*ret_size = 0;
	int r = upkeep_kv_put(payload, room, ret_size, "live", swap->live);
	if (r == 0)
		r = upkeep_kv_put(payload, room, ret_size, "stage", swap->stage);
	if (r == 0)
		r = upkeep_kv_put(payload, room, ret_size, "name", swap->name);
	if (r == 0)
		r = upkeep_kv_put(payload, room, ret_size, "live_ino", live);
	return r < 0 ? r : upkeep_kv_put(payload, room, ret_size, "stage_ino", stage);
}

static char *get(const char *payload, size_t size, const char *key)
{
	char value[2 * PATH_MAX];
	if (upkeep_kv_get(payload, size, key, value, sizeof value) < 0)
		return NULL;
	return fault_format("%s", value);
}

int swap_read(struct swap *swap, const char *payload, size_t size)
{
	CLEANUP_FREE char *live = get(payload, size, "live_ino");
	CLEANUP_FREE char *stage = get(payload, size, "stage_ino");
	*swap = (struct swap){.live = get(payload, size, "live"),
		.stage = get(payload, size, "stage"),
		.name = get(payload, size, "name")};
	if (!swap->live || !swap->stage || !swap->name || !live || !stage)
		return -EINVAL;
	swap->live_ino = strtoull(live, NULL, 10);
	swap->stage_ino = strtoull(stage, NULL, 10);
	return 0;
}

void swap_free(struct swap *swap)
{
	free(swap->live);
	free(swap->stage);
	free(swap->name);
	*swap = (struct swap){0};
}
