/* SPDX-License-Identifier: MIT */
/* A plugin with many recorded changes, whose undo notes when it was begun and ended. */
#include <upkeep/plugin.h>

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct args {
	const char *prefix, *notes, *flaky;
	int64_t count, fail_at, pause;
};
static const struct upkeep_param params[] = {
	UPKEEP_PARAM_PATH(
		struct args, prefix, "files are PREFIX0, PREFIX1, ...", .flags = UPKEEP_REQUIRED),
	UPKEEP_PARAM_PATH(struct args, notes, "what the undo appends to", .flags = UPKEEP_REQUIRED),
	UPKEEP_PARAM_PATH(struct args, flaky, "fail for now until this file is there"),
	UPKEEP_PARAM_INT(struct args, count, "so many files", .min = 0, .max = 100, .preset = "3"),
	UPKEEP_PARAM_INT(struct args, fail_at, "fail after so many", .min = 0, .max = 100),
	UPKEEP_PARAM_DURATION(struct args, pause, "how long the undo of each takes"),
};

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t size = strlen(text);

	if (fd < 0)
		return -1;
	int r = write(fd, text, size) == (ssize_t)size && fchmod(fd, 0640) == 0 && fsync(fd) == 0
		? 0
		: -1;
	return close(fd) < 0 ? -1 : r;
}

/* The file has its old or its new text at any moment; its time is the given one, 0: now. */
static int replace_file(const char *path, const char *text, time_t time)
{
	char temporary[PATH_MAX];
	const struct timespec times[] = {{.tv_sec = time}, {.tv_sec = time}};

	snprintf(temporary, sizeof temporary, "%s.new", path);
	if (write_file(temporary, text) < 0 ||
		(time && utimensat(AT_FDCWD, temporary, times, 0) < 0) ||
		rename(temporary, path) < 0) {
		unlink(temporary);
		return -1;
	}
	return 0;
}

static int read_file(const char *path, char *text, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, room - 1);

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return -1;
	text[n] = 0;
	return 0;
}

/* The record has where the file is, its text and its time. */
static int push(
	struct upkeep_ctx *ctx, const char *path, const char *notes, int64_t pause_ms, uint64_t *id)
{
	char payload[8192], text[1024], number[24];
	struct upkeep_undo record = {.struct_size = sizeof record,
		.kind = "text",
		.version = 1,
		.payload = payload,
		.about = "write the old text"};
	struct stat st;

	if (stat(path, &st) < 0 || read_file(path, text, sizeof text) < 0)
		return -errno;
	upkeep_kv_put(payload, sizeof payload, &record.payload_size, "path", path);
	upkeep_kv_put(payload, sizeof payload, &record.payload_size, "notes", notes);
	upkeep_kv_put(payload, sizeof payload, &record.payload_size, "text", text);
	snprintf(number, sizeof number, "%lld", (long long)st.st_mtime);
	upkeep_kv_put(payload, sizeof payload, &record.payload_size, "time", number);
	snprintf(number, sizeof number, "%lld", (long long)pause_ms);
	upkeep_kv_put(payload, sizeof payload, &record.payload_size, "pause", number);
	return upkeep_undo_push(ctx, &record, id);
}

static int change_one(struct upkeep_ctx *ctx, const struct args *args, int64_t number)
{
	char path[PATH_MAX], text[64];
	uint64_t id;

	snprintf(path, sizeof path, "%s%lld", args->prefix, (long long)number);
	int r = push(ctx, path, args->notes, args->pause, &id);
	if (r < 0)
		return r;
	snprintf(text, sizeof text, "changed %lld\n", (long long)number);
	if (replace_file(path, text, 0) < 0)
		return -errno;
	return ctx->host->undo_applied(ctx, id, "changed");
}

static int32_t run_put(struct upkeep_ctx *ctx)
{
	const struct args *args = ctx->args;

	for (int64_t i = 0; i < args->count; i++) {
		int r = change_one(ctx, args, i);
		if (r < 0)
			return upkeep_fail(ctx, UPKEEP_FAILED, NULL, strerror(-r),
				"cannot change %lld", (long long)i);
		if (args->fail_at && i + 1 == args->fail_at)
			return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL, "it is to fail");
	}
	if (args->flaky && access(args->flaky, F_OK) < 0) {
		write_file(args->flaky, "");
		return upkeep_fail(ctx, UPKEEP_FAILED_FOR_NOW, NULL, NULL, "it is to fail once");
	}
	return UPKEEP_CHANGED;
}

static int note(struct upkeep_ctx *ctx, const char *notes, const char *what,
	const struct upkeep_undo *record)
{
	char line[256];
	int fd = open(notes, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	int n = snprintf(line, sizeof line, "%s %s %s %llu\n", what, ctx->run_id, ctx->task,
		(unsigned long long)record->id);

	if (fd < 0)
		return -1;
	int r = write(fd, line, (size_t)n) == n ? 0 : -1;
	close(fd);
	return r;
}

static const char *field(const struct upkeep_undo *record, const char *key, char *text, size_t room)
{
	if (upkeep_kv_get(record->payload, record->payload_size, key, text, room) < 0)
		*text = 0;
	return text;
}

static int32_t undo_put(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	char path[PATH_MAX], notes[PATH_MAX], text[1024], number[24];

	field(record, "notes", notes, sizeof notes);
	if (note(ctx, notes, "begin", record) < 0)
		return upkeep_fail(ctx, UPKEEP_FAILED_FOR_NOW, NULL, strerror(errno), "no note");
	int64_t pause_ms = atoll(field(record, "pause", number, sizeof number));
	nanosleep(&(struct timespec){.tv_nsec = pause_ms * 1000000}, NULL);
	time_t time = (time_t)atoll(field(record, "time", number, sizeof number));
	if (replace_file(field(record, "path", path, sizeof path),
		    field(record, "text", text, sizeof text), time) < 0)
		return upkeep_fail(
			ctx, UPKEEP_FAILED_FOR_NOW, NULL, strerror(errno), "cannot write %s", path);
	note(ctx, notes, "end", record);
	return ctx->host->undo_done(ctx, record->id) < 0 ? UPKEEP_FAILED : UPKEEP_CHANGED;
}

/* Of the whole task it cannot say. */
static int32_t probe_put(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	char path[PATH_MAX], text[1024];

	(void)ctx;
	if (!record)
		return UPKEEP_PARTLY;
	if (read_file(field(record, "path", path, sizeof path), text, sizeof text) < 0)
		return UPKEEP_NOT_DONE;
	return strncmp(text, "changed ", 8) == 0 ? UPKEEP_DONE : UPKEEP_PARTLY;
}

static const struct upkeep_action actions[] = {
	{.name = "put",
		.about = "Change files one by one",
		.changes = UPKEEP_CHANGES_RECORDED,
		UPKEEP_PARAMS(struct args, params),
		.probe = probe_put,
		.run = run_put,
		.undo = undo_put},
};

UPKEEP_PLUGIN(.name = "points", .version = "1.0", .about = "Changes and notes its undo",
	UPKEEP_ACTIONS(actions));
