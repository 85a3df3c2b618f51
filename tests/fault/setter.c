/* SPDX-License-Identifier: MIT */
/* A plugin that sets a file's text, with a record and, where it is told to, a secret that its
 * undo needs too. */
#include <upkeep/plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_SIZE 256

struct args {
	const char *file, *text, *password;
	int64_t again, last;
};
static const struct upkeep_param params[] = {
	UPKEEP_PARAM_PATH(struct args, file, "what is set", .flags = UPKEEP_REQUIRED),
	UPKEEP_PARAM_STRING(struct args, text, "to what", .flags = UPKEEP_REQUIRED),
	UPKEEP_PARAM_SECRET(struct args, password, "without which it is not put back"),
	UPKEEP_PARAM_DURATION(struct args, again, "a second change so much later"),
	UPKEEP_PARAM_DURATION(struct args, last, "it lasts so long afterwards"),
};

static int file_get(const char *file, char text[static TEXT_SIZE])
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, TEXT_SIZE - 1);

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return -1;
	text[n] = 0;
	text[strcspn(text, "\n")] = 0;
	return 0;
}

static int file_set(const char *file, const char *text)
{
	FILE *out = fopen(file, "we");

	return out && fprintf(out, "%s\n", text) > 0 && fclose(out) == 0 ? 0 : -1;
}

static int32_t change(struct upkeep_ctx *ctx, const char *text)
{
	const struct args *args = ctx->args;
	struct upkeep_undo undo = {.struct_size = sizeof undo,
		.kind = "set",
		.version = 1,
		.about = "the text before"};
	char payload[2048], before[TEXT_SIZE];
	uint64_t id;

	if (file_get(args->file, before) < 0)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL, "cannot read %s", args->file);
	upkeep_kv_put(payload, sizeof payload, &undo.payload_size, "file", args->file);
	upkeep_kv_put(payload, sizeof payload, &undo.payload_size, "before", before);
	upkeep_kv_put(payload, sizeof payload, &undo.payload_size, "password",
		args->password ? args->password : "");
	undo.payload = payload;
	int32_t r = upkeep_undo_push(ctx, &undo, &id);
	if (r < 0)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL, "no record: %s", strerror(-r));
	if (file_set(args->file, text) < 0)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL, "cannot set %s", args->file);
	ctx->host->undo_applied(ctx, id, text);
	return UPKEEP_CHANGED;
}

static int32_t run_set(struct upkeep_ctx *ctx)
{
	const struct args *args = ctx->args;
	int32_t r = change(ctx, args->text);

	if (r == UPKEEP_CHANGED && args->again) {
		usleep((useconds_t)args->again * 1000);
		r = change(ctx, "again");
	}
	usleep((useconds_t)args->last * 1000);
	return r;
}

static int32_t undo_set(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	char file[1024] = "", before[TEXT_SIZE] = "", password[1024] = "";
	const char *text = NULL;

	upkeep_kv_get(record->payload, record->payload_size, "file", file, sizeof file);
	upkeep_kv_get(record->payload, record->payload_size, "before", before, sizeof before);
	upkeep_kv_get(record->payload, record->payload_size, "password", password, sizeof password);
	if (*password && ctx->host->secret(ctx, password, &text) < 0)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL, "cannot log in");
	upkeep_info(ctx, "putting %s back", file);
	return file_set(file, before) < 0 ? UPKEEP_FAILED : UPKEEP_CHANGED;
}

static const struct upkeep_action actions[] = {
	{.name = "set",
		.about = "Set the text of a file",
		.run = run_set,
		.undo = undo_set,
		.changes = UPKEEP_CHANGES_RECORDED,
		UPKEEP_PARAMS(struct args, params)},
};

UPKEEP_PLUGIN(.name = "setter", .version = "1.0", .about = "Sets files", UPKEEP_ACTIONS(actions));
