/* SPDX-License-Identifier: MIT */
/* A plugin that writes streams and reads them, and publishes what it has read, with a record. */
#include <upkeep/plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PART 65536u

struct args {
	const char *file, *notes, *name, *hold;
	uint64_t size;
	int32_t fails, early;
};
static const struct upkeep_param params[] = {
	UPKEEP_PARAM_PATH(struct args, file, "what is published"),
	UPKEEP_PARAM_PATH(struct args, notes, "what is done, line by line"),
	UPKEEP_PARAM_STRING(struct args, name, "in the notes"),
	UPKEEP_PARAM_PATH(struct args, hold, "wait while this file is there"),
	UPKEEP_PARAM_SIZE(struct args, size, "how much is written"),
	UPKEEP_PARAM_BOOL(
		struct args, fails, "fail instead of publishing, or in the middle of writing"),
	UPKEEP_PARAM_BOOL(struct args, early, "stop reading before the end"),
};

static void note(const struct args *args, const char *what)
{
	int fd = args->notes ? open(args->notes, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)
			     : -1;

	if (fd < 0)
		return;
	dprintf(fd, "%s %s\n", args->name ? args->name : "-", what);
	close(fd);
}

static int kept = -1; /* beyond the call */

static void wait_for(const struct args *args)
{
	while (args->hold && access(args->hold, F_OK) == 0)
		usleep(20000);
}

/* Line after line of the same length: what is missing is seen. */
static int32_t run_make(struct upkeep_ctx *ctx)
{
	const struct args *args = ctx->args;
	int fd = ctx->host->stream(ctx, UPKEEP_STREAM_OUT);
	char part[PART];

	if (fd < 0)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL, "nobody reads it");
	if (fcntl(fd, F_GETPIPE_SZ) != 1 << 20)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL, "its pipe is not 1 MiB");
	for (size_t i = 0; i < sizeof part; i++)
		part[i] = (char)(i % 64 == 63 ? '\n' : 'a' + i % 26);
	for (int64_t left = (int64_t)args->size; left > 0;) {
		if (args->fails && left <= (int64_t)args->size / 2)
			return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL, "it is to fail");
		ssize_t n =
			write(fd, part, left < (int64_t)sizeof part ? (size_t)left : sizeof part);
		if (n < 0)
			return upkeep_fail(
				ctx, UPKEEP_FAILED, NULL, strerror(errno), "cannot write");
		left -= n;
	}
	wait_for(args);
	return UPKEEP_UNCHANGED;
}

/* The file has the new text, or none; its record says that it is to be removed. */
static int32_t publish(struct upkeep_ctx *ctx, const char *from)
{
	const struct args *args = ctx->args;
	struct upkeep_undo record = {
		.struct_size = sizeof record, .kind = "remove", .version = 1, .about = "remove it"};
	char payload[8192];
	uint64_t id;

	upkeep_kv_put(payload, sizeof payload, &record.payload_size, "file", args->file);
	record.payload = payload;
	if (upkeep_undo_push(ctx, &record, &id) < 0 || rename(from, args->file) < 0)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL, "cannot publish %s", args->file);
	note(args, "published");
	return UPKEEP_CHANGED;
}

/* Copies all of it, or one part where it stops early. */
static int copy(struct upkeep_ctx *ctx, int to)
{
	const struct args *args = ctx->args;
	int from = ctx->host->stream(ctx, UPKEEP_STREAM_IN);
	struct pollfd fds[] = {{from, POLLIN, 0}, {ctx->host->cancel_fd(ctx), POLLIN, 0}};
	char part[PART];
	ssize_t n;

	while (poll(fds, 2, -1) > 0 && !fds[1].revents && (n = read(from, part, sizeof part)) > 0) {
		if (to >= 0 && write(to, part, (size_t)n) != n)
			return -errno;
		if (args->early) {
			close(from);
			kept = open("/dev/null", O_RDONLY | O_CLOEXEC); /* has its number */
			return kept == from ? 0 : -EBADF;
		}
	}
	return fds[1].revents ? -ECANCELED : 0;
}

static int32_t run_take(struct upkeep_ctx *ctx)
{
	const struct args *args = ctx->args;
	char part[4096];
	struct stat st;

	if (kept >= 0 && (fstat(kept, &st) < 0 || !S_ISCHR(st.st_mode)))
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL, "what it kept was closed");
	snprintf(part, sizeof part, "%s.part", args->file);
	int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int r = fd < 0 ? -errno : copy(ctx, fd);
	if (fd >= 0)
		close(fd);
	wait_for(args);
	note(args, r < 0 ? "stopped" : "has all");
	if (r < 0 || ctx->host->upstream_whole(ctx) != 1) {
		unlink(part);
		note(args, "gave up");
		return r == -ECANCELED ? UPKEEP_CANCELLED : UPKEEP_FAILED;
	}
	if (args->fails) {
		unlink(part);
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL, "it is to fail");
	}
	return publish(ctx, part);
}

static int32_t run_pass(struct upkeep_ctx *ctx)
{
	return copy(ctx, ctx->host->stream(ctx, UPKEEP_STREAM_OUT)) < 0 ? UPKEEP_FAILED
									: UPKEEP_UNCHANGED;
}

static int32_t undo_take(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	char file[4096];

	(void)ctx;
	if (upkeep_kv_get(record->payload, record->payload_size, "file", file, sizeof file) < 0 ||
		(unlink(file) < 0 && errno != ENOENT))
		return UPKEEP_FAILED;
	return UPKEEP_CHANGED;
}

#define ENDS_PARAMS UPKEEP_PARAMS(struct args, params)
static const struct upkeep_action actions[] = {
	{.name = "make",
		.about = "Write a stream",
		.run = run_make,
		.flags = UPKEEP_STREAM_OUT,
		.changes = UPKEEP_CHANGES_NONE,
		ENDS_PARAMS},
	{.name = "pass",
		.about = "Hand a stream on",
		.run = run_pass,
		.flags = UPKEEP_STREAM_IN | UPKEEP_STREAM_OUT,
		.changes = UPKEEP_CHANGES_NONE,
		ENDS_PARAMS},
	{.name = "take",
		.about = "Publish a stream",
		.run = run_take,
		.undo = undo_take,
		.flags = UPKEEP_STREAM_IN,
		.changes = UPKEEP_CHANGES_RECORDED,
		ENDS_PARAMS},
	{.name = "look",
		.about = "Read the beginning of a stream",
		.run = run_take,
		.undo = undo_take,
		.flags = UPKEEP_STREAM_IN | UPKEEP_READS_PART,
		.changes = UPKEEP_CHANGES_RECORDED,
		ENDS_PARAMS},
};

UPKEEP_PLUGIN(.name = "ends", .version = "1.0", .about = "Writes and reads streams",
	UPKEEP_ACTIONS(actions));
