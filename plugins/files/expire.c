/* SPDX-License-Identifier: MIT */
#include <fnmatch.h>
#include <stdlib.h>
#include <unistd.h>

#include "actions.h"
#include "place.h"
#include "select.h"
#include "support/cleanup.h"
#include "support/copy.h"
#include "undo.h"

int32_t expire_check(struct upkeep_ctx *ctx)
{
	const struct expire_args *args = ctx->args;
	if (args->older_than > 0 || args->max_total > 0)
		return UPKEEP_UNCHANGED;
	return upkeep_fail(ctx, UPKEEP_FAILED, "give `older_than`, `max_total` or both",
		"it would remove every file that the patterns match",
		"neither `older_than` nor `max_total` is given");
}

static int newest_first(const void *a, const void *b)
{
	const struct walk_file *x = a, *y = b;
	if (x->mtime_ns != y->mtime_ns)
		return x->mtime_ns > y->mtime_ns ? -1 : 1;
	int r = strcmp(x->dir, y->dir);
	return r ? r : strcmp(x->name, y->name);
}

static int is_protected(const struct walk_file *file, const struct upkeep_strings *patterns)
{
	char path[PATH_MAX + NAME_MAX + 2];
	snprintf(path, sizeof path, "%s/%s", file->dir, file->name);
	for (size_t i = 0; i < patterns->count; i++)
		if (fnmatch(patterns->items[i], strchr(patterns->items[i], '/') ? path : file->name,
			    0) == 0)
			return 1;
	return 0;
}

/* What has to go: protected files and the newest `keep` count, but stay. */
struct expiry {
	const struct expire_args *args;
	uint64_t seen, total_bytes;
};

static int goes(const struct walk_file *file, const void *arg)
{
	struct expiry *e = *(struct expiry *const *)arg;
	const struct expire_args *args = e->args;
	uint64_t place = e->seen++;
	int stays = is_protected(file, &args->protect) || place < (uint64_t)args->keep;
	int old = args->older_than > 0 && select_age_ms(file->mtime_ns) >= args->older_than;
	int much = args->max_total > 0 && e->total_bytes + file->used_bytes > args->max_total;
	if (stays || !(old || much)) {
		e->total_bytes += file->used_bytes;
		return 0;
	}
	return 1;
}

static int32_t expire_select(struct upkeep_ctx *ctx, struct walk_list *ret_list)
{
	struct expiry expiry = {.args = ctx->args}, *at = &expiry;
	int32_t r = select_files(ctx, &expiry.args->paths, WALK_LINKED | WALK_FOREIGN, ret_list);
	if (r < 0)
		return r;
	if (ret_list->count)
		qsort(ret_list->files, ret_list->count, sizeof *ret_list->files, newest_first);
	select_filter(ret_list, goes, &at);
	return 0;
}

static int64_t trash_keep(const struct upkeep_ctx *ctx)
{
	const struct files_settings *settings = ctx->settings;
	return settings->trash_keep;
}

static int32_t purge(struct upkeep_ctx *ctx, const struct walk_list *list, int only_say)
{
	int32_t changed = 0;
	for (size_t i = 0; i < list->trash_count; i++)
		changed |= place_trash_purge(ctx, list->trash_dirs[i], trash_keep(ctx), only_say);
	return changed;
}

int32_t expire_plan(struct upkeep_ctx *ctx)
{
	const struct expire_args *args = ctx->args;
	int now = strcmp(args->space, "now") == 0;
	CLEANUP_WALK struct walk_list list;
	char size[24], undoing[UPKEEP_TEXT_MAX];
	int32_t r = expire_select(ctx, &list);
	if (r < 0)
		return r;
	for (size_t i = 0; i < list.count; i++) {
		const struct walk_file *f = &list.files[i];
		snprintf(undoing, sizeof undoing, "move it back from %s/%s", f->dir, WALK_TRASH);
		upkeep_would(ctx, now ? NULL : undoing, "remove %s/%s (%s)%s", f->dir, f->name,
			select_size(f->size_bytes, size), now ? " for good" : "");
	}
	return purge(ctx, &list, 1) || list.count ? UPKEEP_CHANGED : UPKEEP_UNCHANGED;
}

int32_t expire_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	if (record)
		return undo_probe(ctx, record);
	CLEANUP_WALK struct walk_list list;
	int32_t r = expire_select(ctx, &list);
	return r < 0 ? r : list.count ? UPKEEP_NOT_DONE : UPKEEP_DONE;
}

static int32_t expire_one(struct upkeep_ctx *ctx, const struct walk_file *file, int now)
{
	struct place place;
	struct stat st;
	int32_t r = select_place(ctx, file, &place, &st);
	CLEANUP_FD int dir_fd = place.dir_fd;
	if (r != 0)
		return r;
	if ((int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec != file->mtime_ns) {
		select_skip(ctx, file, "it was written to meanwhile");
		return PLACE_SKIPPED;
	}
	place.dir_fd = dir_fd;
	r = place_trash(ctx, place, &st, now);
	if (r == PLACE_SKIPPED)
		select_skip(ctx, file, "it was replaced or removed");
	return r;
}

int32_t expire_run(struct upkeep_ctx *ctx)
{
	const struct expire_args *args = ctx->args;
	int now = strcmp(args->space, "now") == 0;
	CLEANUP_WALK struct walk_list list;
	int64_t files = 0, bytes = 0;
	int32_t r = expire_select(ctx, &list);
	for (size_t i = 0; i < list.count && r >= 0; i++) {
		r = copy_cancelled(ctx->host->cancel_fd(ctx))
			? UPKEEP_CANCELLED
			: expire_one(ctx, &list.files[i], now);
		files += r == 0;
		bytes += r == 0 ? (int64_t)list.files[i].used_bytes : 0;
		ctx->host->progress(ctx, i + 1, list.count, "files");
	}
	upkeep_output_int(ctx, "files", files);
	upkeep_output_int(ctx, "freed", now ? bytes : 0);
	upkeep_output_int(ctx, "trashed", now ? 0 : bytes);
	if (r < 0)
		return r;
	return purge(ctx, &list, 0) || files ? UPKEEP_CHANGED : UPKEEP_UNCHANGED;
}
