/* SPDX-License-Identifier: MIT */
#include "replace.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "pack.h"
#include "support/beneath.h"
#include "support/cleanup.h"
#include "support/copy.h"
#include "undo.h"
#include "writers.h"

static int32_t commit_push(struct upkeep_ctx *ctx, const struct replace *p, uint64_t *ret_id)
{
	struct record record = {.kind = RECORD_REPLACE};
	char about[UPKEEP_TEXT_MAX];
	struct stat made;
	if (fstat(p->made_fd, &made) < 0)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, strerror(errno),
			"cannot look at what is to become \"%s/%s\"", p->to.dir, p->to.name);
	if (record_from(&record, p->from.dir, p->from.name, &p->from_st) < 0 ||
		record_to(&record, p->to.dir, p->to.name, &made) < 0)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, strerror(ENAMETOOLONG),
			"cannot replace \"%s/%s\"", p->from.dir, p->from.name);
	snprintf(record.hash, sizeof record.hash, "%s", p->hash);
	snprintf(record.format, sizeof record.format, "%s", p->format);
	snprintf(record.mode, sizeof record.mode, "%o", p->from_st.st_mode & 07777);
	record.bytes = p->bytes;
	record.uid = p->from_st.st_uid;
	record.gid = p->from_st.st_gid;
	record.mtime_ns = beneath_mtime_ns(&p->from_st);
	snprintf(about, sizeof about, "bring %s/%s back from %s/%s", p->from.dir, p->from.name,
		p->to.dir, p->to.name);
	return record_push(ctx, &record, about, ret_id);
}

static const char *source_fault(const struct replace *p)
{
	struct stat now;
	if (fstat(p->from_fd, &now) < 0 || now.st_size != p->from_st.st_size ||
		beneath_mtime_ns(&now) != beneath_mtime_ns(&p->from_st))
		return "it was written to meanwhile";
	if (now.st_nlink != p->from_st.st_nlink)
		return "its hard links changed meanwhile";
	if (!beneath_is(p->from.dir_fd, p->from.name, now.st_dev, now.st_ino))
		return "it was replaced meanwhile";
	return NULL;
}

static int32_t commit_now(struct upkeep_ctx *ctx, const struct replace *p, uint64_t id)
{
	char fingerprint[96];
	struct stat made = {0};
	int r = place_name(p->to.dir_fd, p->made_fd, p->made_name, p->to.name);
	if (r < 0) {
		ctx->host->undo_drop(ctx, id);
		return upkeep_fail(ctx, UPKEEP_FAILED,
			r == -EEXIST ? "move what is there out of the way" : NULL, strerror(-r),
			"cannot make \"%s/%s\"", p->to.dir, p->to.name);
	}
	r = fsync(p->to.dir_fd) < 0 || fstat(p->made_fd, &made) < 0 ? -errno : 0;
	if (r == 0 && !beneath_is(p->to.dir_fd, p->to.name, made.st_dev, made.st_ino))
		r = -ESTALE;
	if (r == 0)
		r = place_remove(
			p->from.dir_fd, p->from.name, p->from_st.st_dev, p->from_st.st_ino);
	if (r < 0)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL,
			r == -ESTALE ? "somebody put another file there meanwhile" : strerror(-r),
			"cannot put \"%s/%s\" in the place of \"%s/%s\"", p->to.dir, p->to.name,
			p->from.dir, p->from.name);
	fsync(p->from.dir_fd);
	place_fingerprint(&made, fingerprint);
	ctx->host->undo_applied(ctx, id, fingerprint);
	return 0;
}

int32_t replace_commit(struct upkeep_ctx *ctx, struct replace *p, const char **ret_why)
{
	uint64_t id = 0;
	int unsure = 0;
	int held = writers_hold_off(p->from_fd);
	int written = held < 0 ? writers_any(p->from_fd, &unsure) : !held;
	*ret_why = written ? "a process has it open for writing" : source_fault(p);
	int32_t r = *ret_why ? PLACE_SKIPPED : commit_push(ctx, p, &id);
	if (r == 0)
		r = commit_now(ctx, p, id);
	if (held == 1)
		writers_release(p->from_fd);
	if (r != 0)
		place_drop(p->to.dir_fd, p->made_name);
	return r;
}

/* Both ends of a record, opened: -1 where the directory is gone. */
struct ends {
	int from_dir, to_dir;
	int from_is_old, from_is_there, to_is_ours;
};

static void ends_close(struct ends *e)
{
	if (e->from_dir >= 0)
		close(e->from_dir);
	if (e->to_dir >= 0)
		close(e->to_dir);
}
#define CLEANUP_ENDS __attribute__((cleanup(ends_close)))

static void ends_open(const struct record *r, struct ends *e)
{
	struct stat st;
	e->from_dir = beneath_open_dir(r->from_dir);
	e->to_dir = beneath_open_dir(r->to_dir);
	e->from_is_there = e->from_dir >= 0 &&
		fstatat(e->from_dir, r->from_name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	/* the inode number alone is not enough: ext4 gives a freed one to the next file */
	e->from_is_old = e->from_is_there && st.st_dev == r->from_dev && st.st_ino == r->from_ino &&
		(uint64_t)st.st_size == r->bytes && beneath_mtime_ns(&st) == r->mtime_ns;
	e->to_is_ours = e->to_dir >= 0 && beneath_is(e->to_dir, r->to_name, r->to_dev, r->to_ino);
}

int32_t replace_probe(const struct record *record)
{
	CLEANUP_ENDS struct ends e;
	ends_open(record, &e);
	if (e.to_is_ours)
		return e.from_is_there ? UPKEEP_PARTLY : UPKEEP_DONE;
	return UPKEEP_NOT_DONE;
}

static int bytes_back(const struct record *record, int to_fd, int made_fd, int cancel_fd)
{
	char hash[65];
	uint64_t bytes;
	int r = strcmp(record->format, "plain") == 0
		? copy_bytes(to_fd, made_fd, UINT64_MAX, cancel_fd, hash, &bytes)
		: pack_read(to_fd, made_fd, cancel_fd, hash, &bytes);
	if (r == 0 && (bytes != record->bytes || strcmp(hash, record->hash) != 0))
		r = -EBADMSG;
	return r;
}

static int belongings_back(const struct record *record, int to_fd, int made_fd)
{
	struct stat st;
	int r = copy_metadata(to_fd, made_fd);
	if (r < 0 || fstat(made_fd, &st) < 0)
		return r < 0 ? r : -errno;
	if ((st.st_uid != record->uid || st.st_gid != record->gid) &&
		fchown(made_fd, (uid_t)record->uid, (gid_t)record->gid) < 0)
		return -errno;
	if (fchmod(made_fd, (mode_t)strtoul(record->mode, NULL, 8)) < 0)
		return -errno;
	int64_t s = record->mtime_ns / 1000000000, ns = record->mtime_ns % 1000000000;
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
		{.tv_sec = ns < 0 ? s - 1 : s, .tv_nsec = ns < 0 ? ns + 1000000000 : ns}};
	if (futimens(made_fd, times) < 0 || fsync(made_fd) < 0)
		return -errno;
	return 0;
}

static int file_back(const struct record *record, const struct ends *e, int cancel_fd)
{
	char partial[NAME_MAX + 1];
	struct stat st;
	CLEANUP_FD int to = beneath_open_file(e->to_dir, record->to_name, O_RDONLY, &st);
	if (to < 0)
		return to;
	int r = place_partial(partial, record->from_name);
	CLEANUP_FD int made = r < 0 ? r : place_make(e->from_dir, partial);
	if (made < 0)
		return made;
	r = bytes_back(record, to, made, cancel_fd);
	if (r == 0)
		r = belongings_back(record, to, made);
	if (r == 0 &&
		renameat2(e->from_dir, partial, e->from_dir, record->from_name, RENAME_NOREPLACE) <
			0)
		r = -errno;
	if (r < 0)
		unlinkat(e->from_dir, partial, 0);
	else
		fsync(e->from_dir);
	return r;
}

/* An undo that was cut off after the file was back: it has the bytes of the record. */
static int is_back(const struct record *record, const struct ends *e)
{
	char hash[65];
	struct stat st;
	CLEANUP_FD int fd = beneath_open_file(e->from_dir, record->from_name, O_RDONLY, &st);
	return fd >= 0 && (uint64_t)st.st_size == record->bytes &&
		copy_hash(fd, 0, UINT64_MAX, hash) == 0 && strcmp(hash, record->hash) == 0;
}

static void partial_remove(const struct record *record, const struct ends *e)
{
	char partial[NAME_MAX + 1];
	if (e->to_dir >= 0 && place_partial(partial, record->to_name) == 0 &&
		beneath_is(e->to_dir, partial, record->to_dev, record->to_ino))
		unlinkat(e->to_dir, partial, 0);
}

/* What was cut off between the two steps of a removal has its name again. */
static int removals_undo(const struct record *record)
{
	CLEANUP_FD int from = beneath_open_dir(record->from_dir);
	CLEANUP_FD int to = beneath_open_dir(record->to_dir);
	int r = from < 0
		? 0
		: place_unremove(from, record->from_name, record->from_dev, record->from_ino);
	if (r == 0 && to >= 0)
		r = place_unremove(to, record->to_name, record->to_dev, record->to_ino);
	return r;
}

int32_t replace_undo(struct upkeep_ctx *ctx, const struct record *record)
{
	CLEANUP_ENDS struct ends e = {.from_dir = -1, .to_dir = -1};
	int r = removals_undo(record);
	if (r < 0)
		return upkeep_fail(ctx, UPKEEP_FAILED_FOR_NOW, NULL, strerror(-r),
			"cannot give \"%s/%s\" or \"%s/%s\" its name back, "
			"which was to be removed",
			record->from_dir, record->from_name, record->to_dir, record->to_name);
	ends_open(record, &e);
	partial_remove(record, &e);
	if (e.from_is_there && !e.from_is_old && e.to_is_ours && !is_back(record, &e))
		return upkeep_fail(ctx, UPKEEP_NEEDS_PERSON, "move it away",
			"another file has that name now",
			"cannot bring \"%s/%s\" back from \"%s/%s\"", record->from_dir,
			record->from_name, record->to_dir, record->to_name);
	if (!e.from_is_there && e.from_dir >= 0 && e.to_is_ours)
		r = file_back(record, &e, ctx->host->cancel_fd(ctx));
	else if (!e.from_is_there)
		r = -ENOENT;
	if (r == -ECANCELED)
		return UPKEEP_CANCELLED;
	if (r < 0)
		return upkeep_fail(ctx, undo_failure(r), "upkeep show RUN",
			r == -EBADMSG ? "it is damaged: its bytes are not those of the file"
				      : strerror(-r),
			"cannot bring \"%s/%s\" back from \"%s/%s\"", record->from_dir,
			record->from_name, record->to_dir, record->to_name);
	r = e.to_is_ours ? place_remove(e.to_dir, record->to_name, record->to_dev, record->to_ino)
			 : 0;
	if (r < 0 && r != -ESTALE)
		return upkeep_fail(ctx, UPKEEP_FAILED_FOR_NOW, NULL, strerror(-r),
			"cannot remove \"%s/%s\"", record->to_dir, record->to_name);
	return 0;
}
