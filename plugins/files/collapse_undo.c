/* SPDX-License-Identifier: MIT */
#include "collapse.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/beneath.h"
#include "support/cleanup.h"
#include "support/copy.h"
#include "undo.h"
#include "writers.h"

#define BUFFER_BYTES 65536

/*
 * Where the copy is says how far things went:
 *   ".upkeep-partial-NAME"  before the cut (or, after a crash, just after it)
 *   NAME                    the head is cut out
 *   ".upkeep-undoing-NAME"  the head is being put back
 *   nowhere                 put back
 */
struct head {
	const struct record *record;
	int dir_fd, log_fd, copy_fd;
	char partial[NAME_MAX + 1], undoing[NAME_MAX + 1];
	int resumed; /* an undo had begun before */
};

static void head_close(struct head *h)
{
	if (h->dir_fd >= 0)
		close(h->dir_fd);
	if (h->log_fd >= 0)
		close(h->log_fd);
	if (h->copy_fd >= 0)
		close(h->copy_fd);
}
#define CLEANUP_HEAD __attribute__((cleanup(head_close)))

static int head_open(struct head *h, const struct record *r)
{
	struct stat st;
	*h = (struct head){.record = r, .dir_fd = -1, .log_fd = -1, .copy_fd = -1};
	h->dir_fd = beneath_open_dir(r->from_dir);
	if (h->dir_fd < 0)
		return h->dir_fd;
	if (place_partial(h->partial, r->to_name) < 0 ||
		snprintf(h->undoing, sizeof h->undoing, ".upkeep-undoing-%s", r->to_name) >
			NAME_MAX)
		return -ENAMETOOLONG;
	h->log_fd = beneath_open_file(h->dir_fd, r->from_name, O_RDWR, &st);
	if (h->log_fd < 0)
		return h->log_fd;
	return st.st_dev == r->from_dev && st.st_ino == r->from_ino ? 0 : -ESTALE;
}

static int copy_is(const struct head *h, const char *name)
{
	return beneath_is(h->dir_fd, name, h->record->to_dev, h->record->to_ino);
}

static int head_is_there(const struct head *h)
{
	char hash[COPY_HASH_TEXT];
	return copy_hash(h->log_fd, 0, h->record->bytes, hash) == 0 &&
		strcmp(hash, h->record->hash) == 0;
}

/* Opens the copy under the name that says "being put back". 1: nothing to do. */
static int copy_claim(struct head *h)
{
	struct stat st;
	const char *name = copy_is(h, h->record->to_name) ? h->record->to_name
		: copy_is(h, h->undoing)                  ? h->undoing
		: copy_is(h, h->partial)                  ? h->partial
							  : NULL;
	if (!name)
		return head_is_there(h) ? 1 : -ENOENT;
	h->resumed = name == h->undoing;
	if (name == h->partial && head_is_there(h))
		return unlinkat(h->dir_fd, name, 0) < 0 ? -errno : 1;
	if (name != h->undoing &&
		renameat2(h->dir_fd, name, h->dir_fd, h->undoing, RENAME_NOREPLACE) < 0)
		return -errno;
	h->copy_fd = beneath_open_file(h->dir_fd, h->undoing, O_RDWR, &st);
	return h->copy_fd < 0 ? h->copy_fd : 0;
}

static int bytes_write_back(const struct head *h)
{
	CLEANUP_FREE char *buffer = malloc(BUFFER_BYTES);
	if (!buffer)
		return -ENOMEM;
	for (uint64_t at = 0; at < h->record->bytes;) {
		size_t want = h->record->bytes - at < BUFFER_BYTES ? (size_t)(h->record->bytes - at)
								   : BUFFER_BYTES;
		ssize_t n = pread(h->copy_fd, buffer, want, (off_t)at);
		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG;
		int r = copy_write_at(h->log_fd, buffer, (size_t)n, at);
		if (r < 0)
			return r;
		at += (uint64_t)n;
	}
	return fsync(h->log_fd) < 0 ? -errno : 0;
}

/* After an undo that was cut off: the room at the head is there when its first
 * bytes are still zeros, or already those of the copy. */
static int room_is_there(const struct head *h)
{
	char log[4096], copy[4096];
	static const char zeros[4096];
	size_t n = h->record->bytes < sizeof log ? (size_t)h->record->bytes : sizeof log;
	if (pread(h->log_fd, log, n, 0) != (ssize_t)n ||
		pread(h->copy_fd, copy, n, 0) != (ssize_t)n)
		return 0;
	return memcmp(log, zeros, n) == 0 || memcmp(log, copy, n) == 0;
}

static int head_insert(const struct head *h)
{
	struct stat st;
	if (fstat(h->log_fd, &st) < 0)
		return -errno;
	if (st.st_size == 0 || (h->resumed && room_is_there(h)))
		return 0;
	return fallocate(h->log_fd, FALLOC_FL_INSERT_RANGE, 0, (off_t)h->record->bytes) < 0 ? -errno
											    : 0;
}

static int copy_remove(const struct head *h)
{
	if (!head_is_there(h))
		return -EBADMSG;
	return unlinkat(h->dir_fd, h->undoing, 0) < 0 ? -errno : 0;
}

static int32_t head_fail(struct upkeep_ctx *ctx, const struct record *r, int code)
{
	return upkeep_fail(ctx, undo_failure(code), "upkeep show RUN",
		code == -ESTALE ? "another file has that name now"
			: code == -EBUSY
			? "a process has it open for writing; stop it for the moment"
			: code == -ENOENT ? "the copy of its head is gone"
					  : strerror(-code),
		"cannot put \"%s/%s\" back at the head of \"%s\"", r->to_dir, r->to_name,
		r->from_name);
}

int32_t collapse_undo(struct upkeep_ctx *ctx, const struct record *record)
{
	CLEANUP_HEAD struct head h;
	int code = head_open(&h, record);
	if (code == 0)
		code = copy_claim(&h);
	if (code == 1)
		return 0;
	if (code == 0)
		code = head_insert(&h);
	if (code == 0)
		code = bytes_write_back(&h);
	if (code == 0)
		code = copy_remove(&h);
	return code < 0 ? head_fail(ctx, record, code) : 0;
}

/* A writer that does not append has gone on behind a hole of the old length. */
static int hole_is_there(const struct head *h)
{
	struct stat st;
	if (fstat(h->log_fd, &st) < 0)
		return 0;
	if (st.st_size == 0)
		return 1;
	off_t data = lseek(h->log_fd, 0, SEEK_DATA);
	return (uint64_t)st.st_size >= h->record->bytes && data > 0 &&
		(uint64_t)data + 4096 > h->record->bytes;
}

/* Nobody writes: what came since is appended to the copy, which takes the name. */
static int log_append(const struct head *h)
{
	CLEANUP_FREE char *buffer = malloc(BUFFER_BYTES);
	uint64_t at = 0;
	if (!buffer)
		return -ENOMEM;
	if (ftruncate(h->copy_fd, (off_t)h->record->bytes) < 0)
		/* cppcheck-suppress memleak ; CLEANUP_FREE frees it */
		return -errno;
	for (;;) {
		ssize_t n = pread(h->log_fd, buffer, BUFFER_BYTES, (off_t)at);
		if (n <= 0)
			return n < 0 ? -errno : fsync(h->copy_fd) < 0 ? -errno : 0;
		int r = copy_write_at(h->copy_fd, buffer, (size_t)n, h->record->bytes + at);
		if (r < 0)
			return r;
		at += (uint64_t)n;
	}
}

static int names_exchange(const struct head *h)
{
	return renameat2(h->dir_fd, h->undoing, h->dir_fd, h->record->from_name, RENAME_EXCHANGE) <
			0
		? -errno
		: 0;
}

/* -ESTALE: what now has the name of the copy is not the log that was there. */
static int old_log_remove(const struct head *h)
{
	if (!beneath_is(h->dir_fd, h->undoing, h->record->from_dev, h->record->from_ino))
		return -ESTALE;
	return unlinkat(h->dir_fd, h->undoing, 0) < 0 ? -errno : 0;
}

static int log_exchange(struct head *h)
{
	struct stat st;
	int unsure;
	close(TAKE_FD(h->log_fd));
	h->log_fd = beneath_open_file(h->dir_fd, h->record->from_name, O_RDONLY, &st);
	if (h->log_fd < 0)
		return h->log_fd;
	if (writers_any(h->log_fd, &unsure))
		return -EBUSY;
	int r = log_append(h);
	if (r == 0)
		r = names_exchange(h);
	if (r < 0)
		return r;
	r = old_log_remove(h);
	if (r == -ESTALE)
		names_exchange(h); /* somebody else's, in that moment: it goes back */
	return r;
}

/* The log is another than it was: the copy, where the exchange was made. */
static int exchange_finish(const struct head *h)
{
	if (!copy_is(h, h->record->from_name))
		return -ESTALE;
	int r = old_log_remove(h);
	return r == -ESTALE ? 1 : r;
}

/* Into the log itself: a writer has it open. */
static int log_write_back(struct head *h)
{
	struct stat st;
	close(TAKE_FD(h->log_fd));
	h->log_fd = beneath_open_file(h->dir_fd, h->record->from_name, O_RDWR, &st);
	int r = h->log_fd < 0 ? h->log_fd : bytes_write_back(h);
	return r < 0 ? r : copy_remove(h);
}

static int log_restore(struct head *h)
{
	if (h->resumed && room_is_there(h))
		return log_write_back(h);
	int r = log_exchange(h);
	return r == -EBUSY && hole_is_there(h) ? log_write_back(h) : r;
}

int32_t truncate_undo(struct upkeep_ctx *ctx, const struct record *record)
{
	CLEANUP_HEAD struct head h;
	int code = head_open(&h, record);
	if (code == -ESTALE)
		code = exchange_finish(&h) ?: 1;
	else if (code == 0)
		code = copy_claim(&h);
	if (code == 1)
		return 0;
	if (code == 0)
		code = log_restore(&h);
	return code < 0 ? head_fail(ctx, record, code) : 0;
}

int32_t collapse_probe(const struct record *r)
{
	char undoing[NAME_MAX + 20];
	CLEANUP_FD int dir = beneath_open_dir(r->to_dir);
	snprintf(undoing, sizeof undoing, ".upkeep-undoing-%s", r->to_name);
	if (dir < 0)
		return UPKEEP_NOT_DONE;
	if (beneath_is(dir, r->to_name, r->to_dev, r->to_ino))
		return UPKEEP_DONE;
	return beneath_is(dir, undoing, r->to_dev, r->to_ino) ? UPKEEP_PARTLY : UPKEEP_NOT_DONE;
}
