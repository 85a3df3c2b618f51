/* SPDX-License-Identifier: MIT */
/* A plugin with everything that a plan can leave, and an undo that may forget its work. */
#include <upkeep/plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct args {
	const char *file, *shown, *kept, *secret;
	int32_t forgets;
};
static const struct upkeep_param params[] = {
	UPKEEP_PARAM_PATH(struct args, file, "what is written", UPKEEP_REQUIRED),
	UPKEEP_PARAM_PATH(struct args, shown, "its text is shown by the plan"),
	UPKEEP_PARAM_PATH(struct args, kept, "its text is the token"),
	UPKEEP_PARAM_SECRET(struct args, secret, "what a token may not hold"),
	UPKEEP_PARAM_BOOL(struct args, forgets, "its undo does nothing"),
};

static const char *text_of(const char *path, char buffer[256])
{
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	ssize_t n = fd >= 0 ? read(fd, buffer, 255) : 0;

	if (fd >= 0)
		close(fd);
	buffer[n > 0 ? n : 0] = 0;
	buffer[strcspn(buffer, "\n")] = 0;
	return buffer;
}

static int32_t plan_secret(struct upkeep_ctx *ctx, const struct args *args)
{
	const char *text = NULL;
	int64_t size = ctx->host->secret(ctx, args->secret, &text);
	int32_t r = ctx->host->token_put(ctx, text, size > 0 ? (size_t)size : 0);

	upkeep_would(ctx, "remove it", "a token with a secret: %s", strerror(-r));
	return UPKEEP_CHANGED;
}

static int32_t plan_write(struct upkeep_ctx *ctx)
{
	const struct args *args = ctx->args;
	char shown[256], kept[256];

	if (args->secret)
		return plan_secret(ctx, args);
	if (args->kept) {
		text_of(args->kept, kept);
		ctx->host->token_put(ctx, "not the last", 12);
		ctx->host->token_put(ctx, kept, strlen(kept));
	}
	upkeep_would(ctx, "remove it", "write %s", text_of(args->shown, shown));
	return UPKEEP_CHANGED;
}

static int32_t run_write(struct upkeep_ctx *ctx)
{
	const struct args *args = ctx->args;
	const void *token = NULL;
	int64_t size = ctx->host->token_get(ctx, &token);
	struct upkeep_undo record = {.struct_size = sizeof record,
		.kind = args->forgets ? "forget" : "remove",
		.version = 1,
		.payload = args->file,
		.payload_size = strlen(args->file),
		.about = "remove it"};
	uint64_t id;

	if (upkeep_undo_push(ctx, &record, &id) < 0)
		return UPKEEP_FAILED;
	int fd = open(args->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL, "it is there already");
	if (size < 0)
		dprintf(fd, "no token\n");
	else
		dprintf(fd, "token %.*s\n", (int)size, (const char *)token);
	close(fd);
	ctx->host->undo_applied(ctx, id, NULL);
	return UPKEEP_CHANGED;
}

/* Of its record it says that all is as it was left, once there is no FILE.hold; FILE.asked says
 * that it waits for that. */
static int32_t probe_record(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	char path[4096], asked[4096];

	snprintf(path, sizeof path, "%.*s.hold", (int)record->payload_size,
		(const char *)record->payload);
	snprintf(asked, sizeof asked, "%.*s.asked", (int)record->payload_size,
		(const char *)record->payload);
	while (access(path, F_OK) == 0) {
		close(open(asked, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
		upkeep_info(ctx, "waiting for %s", path);
		usleep(20000);
	}
	return UPKEEP_DONE;
}

static int32_t probe_write(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	const struct args *args = ctx->args;

	if (record)
		return probe_record(ctx, record);
	return access(args->file, F_OK) == 0 ? UPKEEP_DONE : UPKEEP_NOT_DONE;
}

static int32_t undo_write(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	char path[4096];

	snprintf(path, sizeof path, "%.*s", (int)record->payload_size,
		(const char *)record->payload);
	if (strcmp(record->kind, "remove") == 0 && unlink(path) < 0 && errno != ENOENT)
		return UPKEEP_FAILED;
	return ctx->host->undo_done(ctx, record->id) < 0 ? UPKEEP_FAILED : UPKEEP_CHANGED;
}

static const struct upkeep_action actions[] = {
	{.name = "write",
		.about = "Write what the plan left",
		.plan = plan_write,
		.run = run_write,
		.probe = probe_write,
		.undo = undo_write,
		.changes = UPKEEP_CHANGES_RECORDED,
		UPKEEP_PARAMS(struct args, params)},
};

UPKEEP_PLUGIN(.name = "odd", .version = "1.0", .about = "Writes what its plan left",
	UPKEEP_ACTIONS(actions));
