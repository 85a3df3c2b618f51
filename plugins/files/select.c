/* SPDX-License-Identifier: MIT */
#include "select.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int32_t select_files(struct upkeep_ctx *ctx, const struct upkeep_strings *patterns, unsigned flags,
	struct walk_list *ret_list)
{
	*ret_list = (struct walk_list){0};
	for (size_t i = 0; i < patterns->count; i++) {
		int r = walk_glob(ret_list, patterns->items[i], flags);
		if (r < 0)
			return upkeep_fail(ctx, UPKEEP_FAILED, NULL,
				r == -EINVAL ? "a pattern is absolute and has no \".\" or \"..\""
					     : strerror(-r),
				"cannot look for \"%s\"", patterns->items[i]);
	}
	walk_finish(ret_list);
	for (size_t i = 0; i < ret_list->refused_count; i++)
		upkeep_warn(ctx, "%s is left alone: it %s", ret_list->refused[i].path,
			ret_list->refused[i].why);
	return 0;
}

void select_filter(struct walk_list *list,
	int (*keep)(const struct walk_file *file, const void *arg), const void *arg)
{
	size_t kept = 0;
	for (size_t i = 0; i < list->count; i++) {
		struct walk_file file = list->files[i];
		if (keep(&file, arg)) {
			list->files[kept++] = file;
		} else {
			free(file.dir);
			free(file.name);
		}
	}
	list->count = kept;
}

int64_t select_age_ms(int64_t mtime_ns)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return ((int64_t)now.tv_sec * 1000000000 + now.tv_nsec - mtime_ns) / 1000000;
}

void select_skip(struct upkeep_ctx *ctx, const struct walk_file *file, const char *why)
{
	upkeep_warn(ctx, "%s/%s is left alone: %s", file->dir, file->name, why);
}

int32_t select_place(struct upkeep_ctx *ctx, const struct walk_file *file, struct place *ret_place,
	struct stat *ret_st)
{
	int fd = walk_open_dir(file);
	*ret_place = (struct place){.dir_fd = fd, .dir = file->dir, .name = file->name};
	if (fd < 0) {
		select_skip(ctx, file,
			fd == -ESTALE || fd == -ELOOP || fd == -ENOENT || fd == -ENOTDIR
				? "its directory was replaced"
				: strerror(-fd));
		return PLACE_SKIPPED;
	}
	if (fstatat(fd, file->name, ret_st, AT_SYMLINK_NOFOLLOW) == 0 &&
		ret_st->st_dev == file->dev && ret_st->st_ino == file->ino &&
		S_ISREG(ret_st->st_mode))
		return 0;
	close(fd);
	ret_place->dir_fd = -1;
	select_skip(ctx, file, "it was replaced or removed");
	return PLACE_SKIPPED;
}

const char *select_size(uint64_t bytes, char room[24])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	double value = (double)bytes;
	size_t u = 0;
	for (; value >= 1024 && u + 1 < UPKEEP_COUNT(units); u++)
		value /= 1024;
	snprintf(room, 24, u ? "%.1f %s" : "%.0f %s", value, units[u]);
	return room;
}
