/* SPDX-License-Identifier: MIT */
#include "compress.h"

#include <fcntl.h>
#include <unistd.h>

#include "actions.h"
#include "pack.h"
#include "replace.h"
#include "select.h"
#include "support/beneath.h"
#include "support/cleanup.h"
#include "support/copy.h"
#include "undo.h"

static int wanted(const struct walk_file *file, const void *arg)
{
	const struct compress_args *args = arg;
	return file->size_bytes > 0 && file->size_bytes >= args->min_size &&
		select_age_ms(file->mtime_ns) >= args->older_than && !pack_is_packed(file->name);
}

static int32_t compress_select(struct upkeep_ctx *ctx, struct walk_list *ret_list)
{
	const struct compress_args *args = ctx->args;
	int32_t r = select_files(ctx, &args->paths, 0, ret_list);
	if (r == 0)
		select_filter(ret_list, wanted, args);
	return r;
}

int32_t compress_plan(struct upkeep_ctx *ctx)
{
	const struct compress_args *args = ctx->args;
	CLEANUP_WALK struct walk_list list;
	char size[24], undoing[UPKEEP_TEXT_MAX];
	int32_t r = compress_select(ctx, &list);
	if (r < 0)
		return r;
	for (size_t i = 0; i < list.count; i++) {
		const struct walk_file *f = &list.files[i];
		snprintf(undoing, sizeof undoing, "decompress %s/%s%s", f->dir, f->name,
			pack_suffix(args->format));
		upkeep_would(ctx, undoing, "compress %s/%s (%s) to %s%s", f->dir, f->name,
			select_size(f->size_bytes, size), f->name, pack_suffix(args->format));
	}
	return list.count ? UPKEEP_CHANGED : UPKEEP_UNCHANGED;
}

int32_t compress_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	if (record)
		return undo_probe(ctx, record);
	CLEANUP_WALK struct walk_list list;
	int32_t r = compress_select(ctx, &list);
	return r < 0 ? r : list.count ? UPKEEP_NOT_DONE : UPKEEP_DONE;
}

static int32_t pack_fail(struct upkeep_ctx *ctx, struct place file, int code)
{
	if (code == -ECANCELED)
		return UPKEEP_CANCELLED;
	return upkeep_fail(ctx, code == -ENOSPC ? UPKEEP_FAILED_FOR_NOW : UPKEEP_FAILED,
		code == -ENOSPC ? "make room, or compress smaller files first" : NULL,
		code == -EBADMSG ? "what was written does not decompress to the same bytes"
				 : strerror(-code),
		"cannot compress \"%s/%s\"", file.dir, file.name);
}

/* Writes, syncs, reads back from the disk and compares. */
static int stand_in_make(struct replace *p, int level, int cancel_fd)
{
	char hash[65];
	uint64_t bytes;
	int r = pack_write(p->from_fd, p->made_fd, p->format, level, cancel_fd, p->hash, &p->bytes);
	if (r == 0)
		r = copy_metadata(p->from_fd, p->made_fd);
	if (r == 0 && fsync(p->made_fd) < 0)
		r = -errno;
	if (r < 0)
		return r;
	posix_fadvise(p->made_fd, 0, 0, POSIX_FADV_DONTNEED);
	r = pack_read(p->made_fd, -1, cancel_fd, hash, &bytes);
	if (r == 0 && (bytes != p->bytes || strcmp(hash, p->hash) != 0))
		r = -EBADMSG;
	return r;
}

static int64_t saved_bytes(const struct replace *p)
{
	struct stat made;
	return fstat(p->made_fd, &made) < 0 ? 0 : (int64_t)p->from_st.st_size - made.st_size;
}

int32_t compress_file(struct upkeep_ctx *ctx, struct place file, const struct stat *st,
	const char *format, int level, int64_t *ret_saved)
{
	char name[NAME_MAX + 1], partial[NAME_MAX + 1];
	const char *why;
	struct replace p = {.from = file,
		.to = {file.dir_fd, file.dir, name},
		.made_name = partial,
		.format = format};
	if (snprintf(name, sizeof name, "%s%s", file.name, pack_suffix(format)) > NAME_MAX ||
		place_partial(partial, name) < 0)
		return pack_fail(ctx, file, -ENAMETOOLONG);
	CLEANUP_FD int from = beneath_open_file(file.dir_fd, file.name, O_RDONLY, &p.from_st);
	if (from < 0 || p.from_st.st_ino != st->st_ino || p.from_st.st_dev != st->st_dev)
		return PLACE_SKIPPED;
	CLEANUP_FD int made = place_make_nameless(file.dir_fd, partial);
	if (made < 0)
		return pack_fail(ctx, file, made);
	p.from_fd = from;
	p.made_fd = made;
	int r = stand_in_make(&p, level, ctx->host->cancel_fd(ctx));
	if (r < 0) {
		place_drop(file.dir_fd, partial);
		return pack_fail(ctx, file, r);
	}
	*ret_saved = saved_bytes(&p);
	r = replace_commit(ctx, &p, &why);
	if (r == PLACE_SKIPPED)
		upkeep_warn(ctx, "%s/%s is left alone: %s", file.dir, file.name, why);
	return r;
}

static int32_t compress_one(struct upkeep_ctx *ctx, const struct walk_file *file, int64_t *saved)
{
	const struct compress_args *args = ctx->args;
	struct place place;
	struct stat st;
	int64_t now_saved = 0;
	int32_t r = select_place(ctx, file, &place, &st);
	CLEANUP_FD int dir_fd = place.dir_fd;
	if (r == 0)
		r = compress_file(ctx, place, &st, args->format, (int)args->level, &now_saved);
	if (r == 0) {
		*saved += now_saved;
		upkeep_info(ctx, "compressed %s/%s", file->dir, file->name);
	}
	(void)dir_fd;
	return r;
}

int32_t compress_run(struct upkeep_ctx *ctx)
{
	CLEANUP_WALK struct walk_list list;
	int64_t done = 0, saved = 0;
	int32_t r = compress_select(ctx, &list);
	for (size_t i = 0; i < list.count && r >= 0; i++) {
		r = copy_cancelled(ctx->host->cancel_fd(ctx))
			? UPKEEP_CANCELLED
			: compress_one(ctx, &list.files[i], &saved);
		done += r == 0;
		ctx->host->progress(ctx, i + 1, list.count, "files");
	}
	upkeep_output_int(ctx, "files", done);
	upkeep_output_int(ctx, "saved", saved > 0 ? saved : 0);
	if (r < 0)
		return r;
	return done ? UPKEEP_CHANGED : UPKEEP_UNCHANGED;
}
