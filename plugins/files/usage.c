/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "actions.h"
#include "place.h"
#include "select.h"
#include "support/beneath.h"
#include "support/cleanup.h"
#include "support/copy.h"

static int largest_first(const void *a, const void *b)
{
	const struct walk_file *x = a, *y = b;
	return x->used_bytes == y->used_bytes ? 0 : x->used_bytes > y->used_bytes ? -1 : 1;
}

/* Percent of the file system that is used, as df counts it; negative: unknown. */
static double used_percent(const char *path)
{
	struct statvfs v;
	CLEANUP_FD int fd = beneath_open_dir(path);
	if (fd < 0 || fstatvfs(fd, &v) < 0 || v.f_blocks == 0)
		return -1;
	double used = (double)(v.f_blocks - v.f_bfree);
	return 100 * used / (used + (double)v.f_bavail);
}

static void tree_row(struct upkeep_ctx *ctx, const char *path, const struct walk_list *list,
	uint64_t bytes, double percent)
{
	char files[24], size[24], used[24];
	snprintf(files, sizeof files, "%zu", list->count);
	snprintf(size, sizeof size, "%llu", (unsigned long long)bytes);
	snprintf(used, sizeof used, "%.1f", percent);
	const struct upkeep_cell cells[] = {
		{.name = "path", .value = path, .type = UPKEEP_PATH},
		{.name = "files", .value = files, .type = UPKEEP_INT},
		{.name = "used", .value = size, .type = UPKEEP_SIZE},
		{.name = "file_system", .value = used, .type = UPKEEP_PERCENT},
	};
	upkeep_row(ctx, "usage", cells);
}

static void largest_rows(struct upkeep_ctx *ctx, const struct walk_list *list, int64_t top)
{
	char path[PATH_MAX + NAME_MAX + 2], size[24];
	for (size_t i = 0; i < list->count && (int64_t)i < top; i++) {
		const struct walk_file *f = &list->files[i];
		snprintf(path, sizeof path, "%s/%s", f->dir, f->name);
		snprintf(size, sizeof size, "%llu", (unsigned long long)f->used_bytes);
		const struct upkeep_cell cells[] = {
			{.name = "file", .value = path, .type = UPKEEP_PATH},
			{.name = "used", .value = size, .type = UPKEEP_SIZE},
		};
		upkeep_row(ctx, "largest", cells);
	}
}

static int inode_order(const void *a, const void *b)
{
	const struct walk_file *x = a, *y = b;
	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return x->ino == y->ino ? 0 : x->ino < y->ino ? -1 : 1;
}

/* An inode with several names is counted once. */
static uint64_t bytes_sum(struct walk_list *list)
{
	uint64_t bytes = 0;
	if (list->count)
		qsort(list->files, list->count, sizeof *list->files, inode_order);
	for (size_t i = 0; i < list->count; i++)
		if (i == 0 || inode_order(&list->files[i - 1], &list->files[i]) != 0)
			bytes += list->files[i].used_bytes;
	return bytes;
}

static int32_t tree_measure(
	struct upkeep_ctx *ctx, const char *path, uint64_t *total, double *worst)
{
	const struct usage_args *args = ctx->args;
	CLEANUP_WALK struct walk_list list;
	CLEANUP_FREE char *pattern = NULL;
	if (asprintf(&pattern, "%s/**", path) < 0)
		return UPKEEP_FAILED_FOR_NOW;
	const struct upkeep_strings patterns = {(const char *const *)&pattern, 1};
	int32_t r = select_files(ctx, &patterns, WALK_READ | WALK_HIDDEN, &list);
	if (r < 0)
		return r;
	uint64_t bytes = bytes_sum(&list);
	double percent = used_percent(path);
	tree_row(ctx, path, &list, bytes, percent);
	if (list.count)
		qsort(list.files, list.count, sizeof *list.files, largest_first);
	largest_rows(ctx, &list, args->top);
	*total += bytes;
	*worst = percent > *worst ? percent : *worst;
	if (args->max_used > 0 && percent >= args->max_used)
		return upkeep_fail(ctx, UPKEEP_FAILED,
			"see the table \"largest\"; files.expire and files.archive make room", NULL,
			"the file system of \"%s\" is %.1f%% full, the limit is %.1f%%", path,
			percent, args->max_used);
	return 0;
}

int32_t usage_run(struct upkeep_ctx *ctx)
{
	const struct usage_args *args = ctx->args;
	uint64_t total = 0;
	double worst = 0;
	char text[24];
	int32_t result = UPKEEP_UNCHANGED;
	for (size_t i = 0; i < args->paths.count; i++) {
		if (copy_cancelled(ctx->host->cancel_fd(ctx)))
			return UPKEEP_CANCELLED;
		int32_t r = tree_measure(ctx, args->paths.items[i], &total, &worst);
		result = r < 0 ? r : result;
	}
	snprintf(text, sizeof text, "%llu", (unsigned long long)total);
	upkeep_output_text(ctx, "used", text);
	snprintf(text, sizeof text, "%.1f%%", worst);
	upkeep_output_text(ctx, "file_system", text);
	return result;
}
