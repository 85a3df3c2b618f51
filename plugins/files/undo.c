/* SPDX-License-Identifier: MIT */
#include "undo.h"

#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include "actions.h"
#include "collapse.h"
#include "place.h"
#include "record.h"
#include "replace.h"
#include "support/beneath.h"
#include "support/cleanup.h"
#include "support/walk.h"
#include "swap_back.h"

int32_t undo_failure(int code)
{
	switch (-code) {
	case EIO:
	case ENOSPC:
	case EDQUOT:
	case ENOMEM:
	case EMFILE:
	case ENFILE:
		return UPKEEP_FAILED_FOR_NOW;
	default:
		return UPKEEP_NEEDS_PERSON;
	}
}

static int32_t gone_fail(struct upkeep_ctx *ctx, const struct record *r, int code, const char *why)
{
	return upkeep_fail(ctx, undo_failure(code), "upkeep show RUN", why ? why : strerror(-code),
		"cannot rename \"%s/%s\" back to \"%s/%s\"", r->to_dir, r->to_name, r->from_dir,
		r->from_name);
}

/* The directories that the trash made go with their last file. */
static void trash_tidy(const struct record *r)
{
	const char *at = strstr(r->to_dir, "/" WALK_TRASH "/");
	if (!at || strcmp(at + strlen("/" WALK_TRASH "/"), "") == 0)
		return;
	CLEANUP_FD int dir_fd = beneath_open_dir(r->from_dir);
	CLEANUP_FD int trash = dir_fd < 0 ? -1 : beneath_open_subdir(dir_fd, WALK_TRASH);
	if (trash < 0)
		return;
	unlinkat(trash, strrchr(r->to_dir, '/') + 1, AT_REMOVEDIR);
	unlinkat(dir_fd, WALK_TRASH, AT_REMOVEDIR);
}

/* The renamed file, or what the undo of a later compression made of it again: another
 * inode of the same size and time. */
static bool is_renamed(int dir, const char *name, const struct record *r)
{
	struct stat st;
	return dir >= 0 && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		st.st_dev == r->from_dev &&
		(st.st_ino == r->from_ino ||
			(r->mtime_ns && S_ISREG(st.st_mode) && (uint64_t)st.st_size == r->bytes &&
				beneath_mtime_ns(&st) == r->mtime_ns));
}

static int32_t rename_undo(struct upkeep_ctx *ctx, const struct record *r)
{
	CLEANUP_FD int from = beneath_open_dir(r->from_dir);
	CLEANUP_FD int to = beneath_open_dir(r->to_dir);
	if (is_renamed(from, r->from_name, r)) {
		trash_tidy(r);
		return swap_back_finish(ctx, r, from);
	}
	if (from < 0 || to < 0)
		return gone_fail(ctx, r, from < 0 ? from : to, NULL);
	if (!is_renamed(to, r->to_name, r))
		return gone_fail(ctx, r, -ENOENT, "it is no longer there");
	if (renameat2(to, r->to_name, from, r->from_name, RENAME_NOREPLACE) == 0) {
		trash_tidy(r);
		return swap_back_finish(ctx, r, from);
	}
	if (errno == EEXIST && strcmp(r->format, "log") == 0)
		return swap_back(ctx, r, from, to);
	return gone_fail(ctx, r, -errno, errno == EEXIST ? "another file has that name now" : NULL);
}

/* Where the old name is taken again, its undo would find no room: but a log is written on. */
static int32_t rename_probe(const struct record *r)
{
	struct stat st;
	CLEANUP_FD int from = beneath_open_dir(r->from_dir);
	CLEANUP_FD int to = beneath_open_dir(r->to_dir);
	if (!is_renamed(to, r->to_name, r))
		return UPKEEP_NOT_DONE;
	return strcmp(r->format, "log") != 0 && from >= 0 &&
			fstatat(from, r->from_name, &st, AT_SYMLINK_NOFOLLOW) == 0
		? UPKEEP_PARTLY
		: UPKEEP_DONE;
}

/* Not empty: others have put something there, which stays. */
static int32_t mkdir_undo(struct upkeep_ctx *ctx, const struct record *r)
{
	CLEANUP_FD int parent = beneath_open_dir(r->to_dir);
	if (parent < 0)
		return 0;
	if (unlinkat(parent, r->to_name, AT_REMOVEDIR) < 0 && errno != ENOTEMPTY &&
		errno != ENOENT && errno != ENOTDIR)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, strerror(errno),
			"cannot remove the directory \"%s/%s\"", r->to_dir, r->to_name);
	return 0;
}

static int32_t kind_undo(struct upkeep_ctx *ctx, const struct record *r)
{
	if (strcmp(r->kind, RECORD_RENAME) == 0)
		return rename_undo(ctx, r);
	if (strcmp(r->kind, RECORD_REPLACE) == 0)
		return replace_undo(ctx, r);
	if (strcmp(r->kind, RECORD_COLLAPSE) == 0)
		return collapse_undo(ctx, r);
	if (strcmp(r->kind, RECORD_TRUNCATE) == 0)
		return truncate_undo(ctx, r);
	return mkdir_undo(ctx, r);
}

int32_t files_undo(struct upkeep_ctx *ctx, const struct upkeep_undo *undo)
{
	struct record record;
	int32_t r = record_read(ctx, undo, &record);
	if (r == 0)
		r = kind_undo(ctx, &record);
	if (r < 0)
		return r;
	ctx->host->undo_done(ctx, undo->id);
	return UPKEEP_CHANGED;
}

static int32_t mkdir_probe(const struct record *r)
{
	struct stat st;
	CLEANUP_FD int dir = beneath_open_dir(r->to_dir);
	return dir >= 0 && fstatat(dir, r->to_name, &st, AT_SYMLINK_NOFOLLOW) == 0
		? UPKEEP_DONE
		: UPKEEP_NOT_DONE;
}

int32_t undo_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *undo)
{
	struct record r;
	int32_t result = record_read(ctx, undo, &r);
	if (result < 0)
		return result;
	if (strcmp(r.kind, RECORD_RENAME) == 0)
		return rename_probe(&r);
	if (strcmp(r.kind, RECORD_REPLACE) == 0)
		return replace_probe(&r);
	if (strcmp(r.kind, RECORD_COLLAPSE) == 0 || strcmp(r.kind, RECORD_TRUNCATE) == 0)
		return collapse_probe(&r);
	return mkdir_probe(&r);
}
