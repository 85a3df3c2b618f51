/* @NAME@: a plugin for upkeep.  What you change: everything below; how: upkeep/plugin.h. */
#include <upkeep/plugin.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct note { /* the arguments of "note", filled by upkeep */
	const char *path;
	const char *text;
	int64_t times;
};

static const struct upkeep_param note_params[] = {
	UPKEEP_PARAM_PATH(struct note, path, "the file to write", .flags = UPKEEP_REQUIRED),
	UPKEEP_PARAM_STRING(struct note, text, "what it says", .preset = "hello"),
	UPKEEP_PARAM_INT(struct note, times, "how often", .min = 1, .max = 100, .preset = "1"),
};
static const struct upkeep_output note_outputs[] = {
	UPKEEP_OUT("bytes", UPKEEP_INT, "size of the file"),
};

static int32_t note_plan(struct upkeep_ctx *ctx)
{
	const struct note *args = ctx->args;

	if (access(args->path, F_OK) == 0)
		return UPKEEP_UNCHANGED;
	upkeep_would(ctx, "remove it", "write %s", args->path);
	return UPKEEP_CHANGED;
}

static int path_of(const struct upkeep_undo *record, char *path, size_t size)
{
	return upkeep_kv_get(record->payload, record->payload_size, "path", path, size);
}

static int32_t note_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	const struct note *args = ctx->args;
	char path[4096];

	if (record && path_of(record, path, sizeof path) < 0)
		return upkeep_fail(ctx, UPKEEP_NEEDS_PERSON, NULL, NULL, "the record has no path");
	return access(record ? path : args->path, F_OK) == 0 ? UPKEEP_DONE : UPKEEP_NOT_DONE;
}

static int32_t note_run(struct upkeep_ctx *ctx)
{
	const struct note *args = ctx->args;
	struct upkeep_undo record = {.kind = "made", .version = 1, .about = "remove the note"};
	char payload[8192];
	uint64_t id;
	int bytes = 0;

	if (access(args->path, F_OK) == 0)
		return UPKEEP_UNCHANGED;
	record.payload = payload;
	if (upkeep_kv_put(payload, sizeof payload, &record.payload_size, "path", args->path) < 0 ||
		upkeep_undo_push(ctx, &record, &id) < 0) /* first the record, then the change */
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL, "cannot record the change");
	int fd = open(args->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0) {
		int code = errno;
		ctx->host->undo_drop(ctx, id);
		return upkeep_fail(ctx, UPKEEP_FAILED, "give another path", strerror(code),
			"cannot make %s", args->path);
	}
	for (int64_t i = 0; i < args->times; i++)
		bytes += dprintf(fd, "%s\n", args->text);
	close(fd);
	ctx->host->undo_applied(ctx, id, NULL);
	upkeep_output_int(ctx, "bytes", bytes);
	return UPKEEP_CHANGED;
}

static int32_t note_undo(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	char path[4096];

	if (path_of(record, path, sizeof path) < 0)
		return upkeep_fail(ctx, UPKEEP_NEEDS_PERSON, NULL, NULL, "the record has no path");
	int failed = unlink(path) < 0;
	if (failed && errno != ENOENT)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, strerror(errno), "cannot remove it");
	ctx->host->undo_done(ctx, record->id);
	return failed ? UPKEEP_UNCHANGED : UPKEEP_CHANGED;
}

static const struct upkeep_action actions[] = {
	/* clang-format off */
	{ .name = "note", .about = "Write a note into a new file", .changes = UPKEEP_CHANGES_RECORDED,
		UPKEEP_PARAMS(struct note, note_params), UPKEEP_OUTPUTS(note_outputs),
		.manual = "A file that is there already is left as it is.",
		.plan = note_plan, .probe = note_probe, .run = note_run, .undo = note_undo },
	/* clang-format on */
};

UPKEEP_PLUGIN(.name = "@NAME@", .version = "1.0", .about = "Writes notes", UPKEEP_ACTIONS(actions));
