/* SPDX-License-Identifier: MIT */
/* A plugin that makes a file, with an undo record or without, to measure what the record costs. */
#include <upkeep/plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct args {
	const char *file;
};
static const struct upkeep_param params[] = {
	UPKEEP_PARAM_PATH(struct args, file, "what is made", .flags = UPKEEP_REQUIRED),
};

static int32_t make(struct upkeep_ctx *ctx)
{
	const struct args *args = ctx->args;
	int fd = open(args->file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, "text\n", 5) != 5 || close(fd) < 0)
		return upkeep_fail(
			ctx, UPKEEP_FAILED, NULL, NULL, "%s: %s", args->file, strerror(errno));
	return UPKEEP_CHANGED;
}

static int32_t make_recorded(struct upkeep_ctx *ctx)
{
	const struct args *args = ctx->args;
	struct upkeep_undo undo = {
		.struct_size = sizeof undo, .kind = "make", .version = 1, .about = "a new file"};
	char payload[2048];
	uint64_t id;

	upkeep_kv_put(payload, sizeof payload, &undo.payload_size, "file", args->file);
	undo.payload = payload;
	int32_t r = upkeep_undo_push(ctx, &undo, &id);
	if (r < 0)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL, "no record: %s", strerror(-r));
	r = make(ctx);
	if (r == UPKEEP_CHANGED)
		ctx->host->undo_applied(ctx, id, "made");
	return r;
}

static int32_t undo(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	char file[1024];

	(void)ctx;
	upkeep_kv_get(record->payload, record->payload_size, "file", file, sizeof file);
	return unlink(file) == 0 ? UPKEEP_CHANGED : UPKEEP_UNCHANGED;
}

static const struct upkeep_action actions[] = {
	{.name = "plain", .about = "make a file", UPKEEP_PARAMS(struct args, params), .run = make},
	{.name = "recorded",
		.about = "make a file that can be taken back",
		.changes = UPKEEP_CHANGES_RECORDED,
		UPKEEP_PARAMS(struct args, params),
		.run = make_recorded,
		.undo = undo},
};

UPKEEP_PLUGIN(.name = "write", .version = "1", .about = "files, for benchmarks",
	UPKEEP_ACTIONS(actions));
