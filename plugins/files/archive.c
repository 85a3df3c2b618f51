/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "actions.h"
#include "replace.h"
#include "select.h"
#include "support/beneath.h"
#include "support/cleanup.h"
#include "support/copy.h"
#include "undo.h"

static int wanted(const struct walk_file *file, const void *arg)
{
	const struct archive_args *args = arg;
	size_t n = strlen(args->to);
	int inside = strncmp(file->dir, args->to, n) == 0 && (!file->dir[n] || file->dir[n] == '/');
	return !inside && select_age_ms(file->mtime_ns) >= args->older_than;
}

static int32_t archive_select(struct upkeep_ctx *ctx, struct walk_list *ret_list)
{
	const struct archive_args *args = ctx->args;
	int32_t r = select_files(ctx, &args->paths, 0, ret_list);
	if (r == 0)
		select_filter(ret_list, wanted, args);
	return r;
}

/* Where the file's directory is in the archive: the part that the pattern found. */
static int target_dir(
	const struct archive_args *args, const struct walk_file *file, char dir[PATH_MAX])
{
	size_t n = strlen(file->dir);
	const char *below = file->base_length < n ? file->dir + file->base_length : "";
	return snprintf(dir, PATH_MAX, "%s%s%s", args->to, *below && *below != '/' ? "/" : "",
		       below) >= PATH_MAX
		? -ENAMETOOLONG
		: 0;
}

int32_t archive_plan(struct upkeep_ctx *ctx)
{
	const struct archive_args *args = ctx->args;
	CLEANUP_WALK struct walk_list list;
	char size[24], dir[PATH_MAX], undoing[2 * PATH_MAX];
	int32_t r = archive_select(ctx, &list);
	if (r < 0)
		return r;
	for (size_t i = 0; i < list.count; i++) {
		const struct walk_file *f = &list.files[i];
		if (target_dir(args, f, dir) < 0)
			continue;
		snprintf(undoing, sizeof undoing, "move it back from %s", dir);
		upkeep_would(ctx, undoing, "move %s/%s (%s) to %s", f->dir, f->name,
			select_size(f->size_bytes, size), dir);
	}
	return list.count ? UPKEEP_CHANGED : UPKEEP_UNCHANGED;
}

int32_t archive_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	if (record)
		return undo_probe(ctx, record);
	CLEANUP_WALK struct walk_list list;
	int32_t r = archive_select(ctx, &list);
	return r < 0 ? r : list.count ? UPKEEP_NOT_DONE : UPKEEP_DONE;
}

static int32_t dir_fail(struct upkeep_ctx *ctx, const char *dir, int code)
{
	return upkeep_fail(ctx, UPKEEP_FAILED,
		code == -ENOENT ? "make the directory that `to` names" : NULL,
		code == -ELOOP || code == -ENOTDIR
			? "a symbolic link, or something else that is no directory, is on the way"
			: strerror(-code),
		"cannot use the archive directory \"%s\"", dir);
}

static int32_t dir_make(struct upkeep_ctx *ctx, int parent, const char *dir, const char *name)
{
	struct record record = {.kind = RECORD_MKDIR};
	char about[UPKEEP_TEXT_MAX];
	uint64_t id;
	struct stat st;
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	if (record_to(&record, dir, name, NULL) < 0)
		return dir_fail(ctx, dir, -ENAMETOOLONG);
	snprintf(about, sizeof about, "remove the directory %s/%s if it is empty", dir, name);
	int32_t r = record_push(ctx, &record, about, &id);
	if (r < 0)
		return r;
	if (mkdirat(parent, name, 0750) < 0) {
		int code = -errno;
		ctx->host->undo_drop(ctx, id);
		return code == -EEXIST ? 0 : dir_fail(ctx, dir, code);
	}
	ctx->host->undo_applied(ctx, id, NULL);
	return 0;
}

/* Opens `to` and below it every component, making what is missing. */
static int32_t dir_open(struct upkeep_ctx *ctx, const char *to, const char *dir, int *ret_fd)
{
	char path[PATH_MAX], rest[PATH_MAX], *save = NULL;
	CLEANUP_FD int fd = beneath_open_dir(to);
	if (fd < 0)
		return dir_fail(ctx, to, fd);
	snprintf(path, sizeof path, "%s", to);
	snprintf(rest, sizeof rest, "%s", dir + strlen(to));
	for (char *s = strtok_r(rest, "/", &save); s; s = strtok_r(NULL, "/", &save)) {
		int32_t r = dir_make(ctx, fd, path, s);
		if (r < 0)
			return r;
		int below = beneath_open_subdir(fd, s);
		if (below < 0)
			return dir_fail(ctx, dir, below);
		close(fd);
		fd = below;
		strncat(path, "/", sizeof path - strlen(path) - 1);
		strncat(path, s, sizeof path - strlen(path) - 1);
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int32_t copy_fail(struct upkeep_ctx *ctx, struct place from, struct place to, int code)
{
	if (code == -ECANCELED)
		return UPKEEP_CANCELLED;
	return upkeep_fail(ctx, code == -ENOSPC ? UPKEEP_FAILED_FOR_NOW : UPKEEP_FAILED, NULL,
		code == -EBADMSG ? "what was written reads back differently" : strerror(-code),
		"cannot copy \"%s/%s\" to \"%s\"", from.dir, from.name, to.dir);
}

static int copy_make(struct replace *p, int cancel_fd)
{
	char hash[65];
	int r = copy_bytes(p->from_fd, p->made_fd, UINT64_MAX, cancel_fd, p->hash, &p->bytes);
	if (r == 0)
		r = copy_metadata(p->from_fd, p->made_fd);
	if (r == 0 && fsync(p->made_fd) < 0)
		r = -errno;
	if (r < 0)
		return r;
	posix_fadvise(p->made_fd, 0, 0, POSIX_FADV_DONTNEED);
	r = copy_hash(p->made_fd, 0, UINT64_MAX, hash);
	return r == 0 && strcmp(hash, p->hash) != 0 ? -EBADMSG : r;
}

/* To another file system: copied, synced, read back and compared, then removed. */
static int32_t move_across(struct upkeep_ctx *ctx, struct place from, struct place to)
{
	char partial[NAME_MAX + 1];
	const char *why;
	struct replace p = {.from = from, .to = to, .made_name = partial, .format = "plain"};
	int r = place_partial(partial, to.name);
	CLEANUP_FD int from_fd =
		r < 0 ? r : beneath_open_file(from.dir_fd, from.name, O_RDONLY, &p.from_st);
	if (from_fd < 0)
		return copy_fail(ctx, from, to, from_fd);
	CLEANUP_FD int made_fd = place_make_nameless(to.dir_fd, partial);
	if (made_fd < 0)
		return copy_fail(ctx, from, to, made_fd);
	p.from_fd = from_fd;
	p.made_fd = made_fd;
	r = copy_make(&p, ctx->host->cancel_fd(ctx));
	if (r < 0) {
		place_drop(to.dir_fd, partial);
		return copy_fail(ctx, from, to, r);
	}
	int32_t result = replace_commit(ctx, &p, &why);
	if (result == PLACE_SKIPPED)
		upkeep_warn(ctx, "%s/%s is left alone: %s", from.dir, from.name, why);
	return result;
}

static int32_t archive_one(struct upkeep_ctx *ctx, const struct walk_file *file)
{
	const struct archive_args *args = ctx->args;
	struct place from;
	struct stat st, dir_st;
	char dir[PATH_MAX];
	CLEANUP_FD int to_fd = -1;
	int32_t r = select_place(ctx, file, &from, &st);
	CLEANUP_FD int from_dir = from.dir_fd;
	if (r != 0)
		return r;
	if (target_dir(args, file, dir) < 0)
		return dir_fail(ctx, args->to, -ENAMETOOLONG);
	r = dir_open(ctx, args->to, dir, &to_fd);
	if (r < 0)
		return r;
	struct place to = {to_fd, dir, file->name};
	from.dir_fd = from_dir;
	if (fstat(to_fd, &dir_st) < 0)
		return dir_fail(ctx, dir, -errno);
	r = dir_st.st_dev == st.st_dev ? place_move(ctx, from, to, &st, NULL)
				       : move_across(ctx, from, to);
	return r;
}

int32_t archive_run(struct upkeep_ctx *ctx)
{
	CLEANUP_WALK struct walk_list list;
	int64_t files = 0, bytes = 0;
	int32_t r = archive_select(ctx, &list);
	for (size_t i = 0; i < list.count && r >= 0; i++) {
		r = copy_cancelled(ctx->host->cancel_fd(ctx)) ? UPKEEP_CANCELLED
							      : archive_one(ctx, &list.files[i]);
		files += r == 0;
		bytes += r == 0 ? (int64_t)list.files[i].size_bytes : 0;
		ctx->host->progress(ctx, i + 1, list.count, "files");
	}
	upkeep_output_int(ctx, "files", files);
	upkeep_output_int(ctx, "bytes", bytes);
	if (r < 0)
		return r;
	return files ? UPKEEP_CHANGED : UPKEEP_UNCHANGED;
}
