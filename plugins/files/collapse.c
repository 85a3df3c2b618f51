/* SPDX-License-Identifier: MIT */
#include "collapse.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "support/beneath.h"
#include "support/cleanup.h"
#include "support/copy.h"
#include "writers.h"

/* One log, its copy in the making, and how much of it. */
struct cut {
	struct place log;
	struct stat st;
	int log_fd, copy_fd;
	const char *name;           /* of the copy in the end */
	char partial[NAME_MAX + 1]; /* and until then */
	uint64_t bytes;
	char hash[COPY_HASH_TEXT];
};

int collapse_all_append(uint64_t dev, uint64_t ino, int *ret_pid, char name[20])
{
	CLEANUP_WRITERS struct writers writers;
	*ret_pid = 0;
	name[0] = 0;
	if (writers_find(dev, ino, &writers) < 0 || writers.unseen > 0)
		return 0;
	for (size_t i = 0; i < writers.count; i++) {
		if (writers.items[i].appends)
			continue;
		*ret_pid = writers.items[i].pid;
		memcpy(name, writers.items[i].name, 20);
		return 0;
	}
	return 1;
}

static int32_t cut_fail(struct upkeep_ctx *ctx, const struct cut *c, int code)
{
	if (code == -ECANCELED)
		return UPKEEP_CANCELLED;
	int unable = code == -EOPNOTSUPP || code == -EINVAL;
	return upkeep_fail(ctx, code == -ENOSPC ? UPKEEP_FAILED_FOR_NOW : UPKEEP_FAILED,
		unable ? "give `signal` and `pid_file` or `processes`, so that it can be renamed"
		       : NULL,
		unable                     ? "its file system cannot cut out the head of a file"
			: code == -EBADMSG ? "the copy reads back differently"
					   : strerror(-code),
		"cannot rotate \"%s/%s\"", c->log.dir, c->log.name);
}

static int cut_open(struct cut *c, struct place log, const struct stat *st, const char *name)
{
	*c = (struct cut){.log = log, .log_fd = -1, .copy_fd = -1, .name = name};
	/* appending, so that it does not itself look like a writer that does not */
	c->log_fd = beneath_open_file(log.dir_fd, log.name, O_RDWR | O_APPEND, &c->st);
	if (c->log_fd < 0)
		return c->log_fd;
	if (c->st.st_dev != st->st_dev || c->st.st_ino != st->st_ino || c->st.st_nlink != 1)
		return -ESTALE;
	return place_partial(c->partial, name);
}

static void cut_close(struct cut *c)
{
	if (c->copy_fd >= 0)
		close(c->copy_fd);
	if (c->log_fd >= 0)
		close(c->log_fd);
}
#define CLEANUP_CUT __attribute__((cleanup(cut_close)))

/* Copies `length` bytes from the start, syncs and reads them back. */
static int head_copy(struct cut *c, uint64_t length, int cancel_fd)
{
	char hash[COPY_HASH_TEXT];
	c->copy_fd = place_make(c->log.dir_fd, c->partial);
	if (c->copy_fd < 0)
		return c->copy_fd;
	int r = copy_bytes(c->log_fd, c->copy_fd, length, cancel_fd, c->hash, &c->bytes);
	if (r == 0)
		r = copy_metadata(c->log_fd, c->copy_fd);
	if (r == 0 && (fsync(c->copy_fd) < 0 || fsync(c->log.dir_fd) < 0))
		r = -errno;
	if (r == 0)
		r = copy_hash(c->copy_fd, 0, UINT64_MAX, hash);
	if (r == 0 && strcmp(hash, c->hash) != 0)
		r = -EBADMSG;
	return r;
}

static int32_t cut_push(
	struct upkeep_ctx *ctx, const struct cut *c, const char *kind, uint64_t *ret_id)
{
	struct record record = {.kind = kind, .bytes = c->bytes};
	struct stat copy;
	char about[UPKEEP_TEXT_MAX];
	if (fstat(c->copy_fd, &copy) < 0)
		return cut_fail(ctx, c, -errno);
	if (record_from(&record, c->log.dir, c->log.name, &c->st) < 0 ||
		record_to(&record, c->log.dir, c->name, &copy) < 0)
		return cut_fail(ctx, c, -ENAMETOOLONG);
	snprintf(record.hash, sizeof record.hash, "%s", c->hash);
	snprintf(about, sizeof about, "put %s/%s back at the head of %s", c->log.dir, c->name,
		c->log.name);
	return record_push(ctx, &record, about, ret_id);
}

/* The copy gets its name only now: under it, the head is known to be cut out. */
static int32_t cut_finish(struct upkeep_ctx *ctx, const struct cut *c, uint64_t id)
{
	char fingerprint[96];
	struct stat copy;
	if (renameat2(c->log.dir_fd, c->partial, c->log.dir_fd, c->name, RENAME_NOREPLACE) < 0 ||
		fsync(c->log.dir_fd) < 0 || fstat(c->copy_fd, &copy) < 0)
		return cut_fail(ctx, c, -errno);
	place_fingerprint(&copy, fingerprint);
	ctx->host->undo_applied(ctx, id, fingerprint);
	return 0;
}

static int32_t head_cut(struct upkeep_ctx *ctx, struct cut *c)
{
	uint64_t id = 0;
	int pid;
	char writer[20];
	int32_t r = cut_push(ctx, c, RECORD_COLLAPSE, &id);
	if (r < 0)
		return r;
	int code = collapse_all_append(c->st.st_dev, c->st.st_ino, &pid, writer) ? 0 : -EBUSY;
	if (code == 0 && fallocate(c->log_fd, FALLOC_FL_COLLAPSE_RANGE, 0, (off_t)c->bytes) < 0)
		code = -errno;
	if (code < 0) {
		unlinkat(c->log.dir_fd, c->partial, 0);
		ctx->host->undo_drop(ctx, id);
		return cut_fail(ctx, c, code);
	}
	return cut_finish(ctx, c, id);
}

/* The range may not reach the end of the file, and must be whole blocks. */
static uint64_t head_bytes(const struct cut *c)
{
	struct statfs fs;
	struct stat st;
	if (fstatfs(c->log_fd, &fs) < 0 || fs.f_bsize <= 0 || fstat(c->log_fd, &st) < 0 ||
		st.st_size <= 1)
		return 0;
	uint64_t block = (uint64_t)fs.f_bsize;
	return ((uint64_t)st.st_size - 1) / block * block;
}

int32_t collapse_file(struct upkeep_ctx *ctx, struct place log, const struct stat *st,
	const char *name, int64_t *ret_bytes)
{
	CLEANUP_CUT struct cut c;
	int code = cut_open(&c, log, st, name);
	if (code == -ESTALE || code == -ENOENT)
		return PLACE_SKIPPED;
	uint64_t head = code < 0 ? 0 : head_bytes(&c);
	if (code == 0 && head == 0) {
		upkeep_info(ctx, "%s/%s is shorter than a block: nothing to take away", log.dir,
			log.name);
		return PLACE_SKIPPED;
	}
	if (code == 0)
		code = head_copy(&c, head, ctx->host->cancel_fd(ctx));
	if (code < 0 && c.copy_fd >= 0)
		unlinkat(log.dir_fd, c.partial, 0);
	int32_t r = code < 0 ? cut_fail(ctx, &c, code) : head_cut(ctx, &c);
	*ret_bytes = (int64_t)c.bytes;
	return r;
}

static int32_t all_cut(struct upkeep_ctx *ctx, struct cut *c)
{
	uint64_t id = 0;
	int32_t r = cut_push(ctx, c, RECORD_TRUNCATE, &id);
	if (r < 0)
		return r;
	if (ftruncate(c->log_fd, 0) < 0) {
		int code = -errno;
		ctx->host->undo_drop(ctx, id);
		return cut_fail(ctx, c, code);
	}
	return cut_finish(ctx, c, id);
}

int32_t truncate_file(struct upkeep_ctx *ctx, struct place log, const struct stat *st,
	const char *name, int64_t *ret_bytes)
{
	CLEANUP_CUT struct cut c;
	int code = cut_open(&c, log, st, name);
	if (code == -ESTALE || code == -ENOENT)
		return PLACE_SKIPPED;
	if (code == 0)
		code = head_copy(&c, UINT64_MAX, ctx->host->cancel_fd(ctx));
	if (code < 0 && c.copy_fd >= 0)
		unlinkat(log.dir_fd, c.partial, 0);
	int32_t r = code < 0 ? cut_fail(ctx, &c, code) : all_cut(ctx, &c);
	*ret_bytes = (int64_t)c.bytes;
	return r;
}
