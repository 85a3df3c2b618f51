/* SPDX-License-Identifier: MIT */
#include "place.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/beneath.h"
#include "support/cleanup.h"

int place_partial(char partial[NAME_MAX + 1], const char *name)
{
	int n = snprintf(partial, NAME_MAX + 1, ".upkeep-partial-%s", name);
	return n > NAME_MAX ? -ENAMETOOLONG : 0;
}

int place_make(int dir_fd, const char *name)
{
	if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
		return -errno;
	int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

int place_make_nameless(int dir_fd, char partial[NAME_MAX + 1])
{
	int fd = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return place_make(dir_fd, partial);
	partial[0] = 0;
	return fd;
}

int place_name(int dir_fd, int made_fd, const char *partial, const char *name)
{
	char made[40];
	snprintf(made, sizeof made, "/proc/self/fd/%d", made_fd);
	int r = *partial ? renameat2(dir_fd, partial, dir_fd, name, RENAME_NOREPLACE)
			 : linkat(AT_FDCWD, made, dir_fd, name, AT_SYMLINK_FOLLOW);
	return r < 0 ? -errno : 0;
}

void place_drop(int dir_fd, const char *partial)
{
	if (*partial)
		unlinkat(dir_fd, partial, 0);
}

static int removing_name(char removing[NAME_MAX + 1], const char *name)
{
	int n = snprintf(removing, NAME_MAX + 1, ".upkeep-removing-%s", name);
	return n > NAME_MAX ? -ENAMETOOLONG : 0;
}

int place_remove(int dir_fd, const char *name, uint64_t dev, uint64_t ino)
{
	char removing[NAME_MAX + 1];
	int r = removing_name(removing, name);
	if (r < 0)
		return r;
	if (!beneath_is(dir_fd, name, dev, ino))
		return -ESTALE;
	if (renameat2(dir_fd, name, dir_fd, removing, RENAME_NOREPLACE) < 0)
		return errno == ENOENT ? -ESTALE : -errno;
	if (!beneath_is(dir_fd, removing, dev, ino))
		r = -ESTALE;
	else if (unlinkat(dir_fd, removing, 0) < 0)
		r = -errno;
	if (r < 0)
		renameat2(dir_fd, removing, dir_fd, name, RENAME_NOREPLACE);
	return r;
}

int place_unremove(int dir_fd, const char *name, uint64_t dev, uint64_t ino)
{
	char removing[NAME_MAX + 1];
	if (removing_name(removing, name) < 0 || !beneath_is(dir_fd, removing, dev, ino))
		return 0;
	return renameat2(dir_fd, removing, dir_fd, name, RENAME_NOREPLACE) < 0 ? -errno : 0;
}

void place_fingerprint(const struct stat *st, char text[96])
{
	snprintf(text, 96, "%llu:%llu:%lld:%lld", (unsigned long long)st->st_dev,
		(unsigned long long)st->st_ino, (long long)st->st_size,
		(long long)beneath_mtime_ns(st));
}

static int32_t move_fail(struct upkeep_ctx *ctx, struct place from, struct place to, int code)
{
	return upkeep_fail(ctx, UPKEEP_FAILED,
		code == -EEXIST ? "move what is there out of the way" : NULL, strerror(-code),
		"cannot rename \"%s/%s\" to \"%s/%s\"", from.dir, from.name, to.dir, to.name);
}

static int32_t move_push(struct upkeep_ctx *ctx, struct place from, struct place to,
	const struct stat *st, const struct reopen *reopen, uint64_t *ret_id)
{
	struct record record = {.kind = RECORD_RENAME,
		.bytes = (uint64_t)st->st_size,
		.mtime_ns = beneath_mtime_ns(st)};
	char about[UPKEEP_TEXT_MAX];
	int r = record_from(&record, from.dir, from.name, st);
	if (r == 0)
		r = record_to(&record, to.dir, to.name, st);
	if (r < 0)
		return move_fail(ctx, from, to, r);
	if (reopen) {
		memcpy(record.format, "log", sizeof "log");
		snprintf(record.signal, sizeof record.signal, "%s",
			reopen->signal ? reopen->signal : "");
		snprintf(record.pid_file, sizeof record.pid_file, "%s",
			reopen->pid_file ? reopen->pid_file : "");
		snprintf(record.processes, sizeof record.processes, "%s",
			reopen->processes ? reopen->processes : "");
	}
	snprintf(about, sizeof about, "rename %s/%s back to %s/%s", to.dir, to.name, from.dir,
		from.name);
	return record_push(ctx, &record, about, ret_id);
}

int32_t place_move(struct upkeep_ctx *ctx, struct place from, struct place to,
	const struct stat *st, const struct reopen *reopen)
{
	uint64_t id = 0;
	char fingerprint[96];
	if (!beneath_is(from.dir_fd, from.name, st->st_dev, st->st_ino))
		return PLACE_SKIPPED;
	int32_t r = move_push(ctx, from, to, st, reopen, &id);
	if (r < 0)
		return r;
	if (renameat2(from.dir_fd, from.name, to.dir_fd, to.name, RENAME_NOREPLACE) < 0) {
		int code = -errno;
		ctx->host->undo_drop(ctx, id);
		return code == -ENOENT ? PLACE_SKIPPED : move_fail(ctx, from, to, code);
	}
	if (!beneath_is(to.dir_fd, to.name, st->st_dev, st->st_ino)) {
		/* somebody put another file there in that moment: theirs goes back */
		renameat2(to.dir_fd, to.name, from.dir_fd, from.name, RENAME_NOREPLACE);
		ctx->host->undo_drop(ctx, id);
		return PLACE_SKIPPED;
	}
	place_fingerprint(st, fingerprint);
	ctx->host->undo_applied(ctx, id, fingerprint);
	return 0;
}
