/* SPDX-License-Identifier: MIT */
/* A plugin whose actions use every service of a host and log what each answered: loaded by a
 * worker (test_host.c) and linked to the fake host (test_fake.c). */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pipe2 */
#endif
#include <upkeep/plugin.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#define SAY(ctx, label, what) upkeep_info((ctx), label "=%lld", (long long)(what))

struct part {
	const char *name;
	int64_t n;
};
struct args {
	const char *program, *secret;
	struct upkeep_strings words;
	struct part part;
	struct upkeep_groups parts;
	int32_t stop;
};
static const struct upkeep_param part_params[] = {
	UPKEEP_PARAM_STRING(struct part, name, "its name", .flags = UPKEEP_REQUIRED),
	UPKEEP_PARAM_INT(struct part, n, "its number", .preset = "5"),
};
static const struct upkeep_param params[] = {
	UPKEEP_PARAM_STRING(struct args, program, "what is started"),
	UPKEEP_PARAM_SECRET(struct args, secret, "what is hidden"),
	UPKEEP_PARAM_STRINGS(struct args, words, "its arguments"),
	UPKEEP_PARAM_GROUP(struct args, part, struct part, part_params, "a group"),
	UPKEEP_PARAM_GROUPS(struct args, parts, struct part, part_params, "groups"),
	UPKEEP_PARAM_BOOL(struct args, stop, "whether it is stopped"),
};
static const struct upkeep_output outputs[] = {
	UPKEEP_OUT("number", UPKEEP_INT, "a number"),
	UPKEEP_OUT("text", UPKEEP_STRING, "a text"),
};

static int32_t push(struct upkeep_ctx *ctx, const char *text, const char *file, uint64_t *ret_id)
{
	struct upkeep_undo record = {.kind = "kind",
		.version = 3,
		.about = "put it back",
		.payload = text,
		.payload_size = strlen(text),
		.files = &file,
		.file_count = file ? 1 : 0};

	return upkeep_undo_push(ctx, &record, ret_id);
}

static int32_t run_undo(struct upkeep_ctx *ctx)
{
	uint64_t first = 0, second = 0;

	SAY(ctx, "too early",
		push(ctx, "a=b\n", "copy", &first)); /* before undo_dir was asked for */
	int dir = ctx->host->undo_dir(ctx);
	int fd = openat(dir, "copy", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	close(fd);
	SAY(ctx, "outside", push(ctx, "a=b\n", "../copy", &first));
	SAY(ctx, "push", push(ctx, "a=b\n", "copy", &first));
	SAY(ctx, "second", push(ctx, "c=d\n", NULL, &second));
	if (second == 0)
		return upkeep_fail(
			ctx, UPKEEP_FAILED, NULL, NULL, "the second record was not taken");
	SAY(ctx, "applied", ctx->host->undo_applied(ctx, first, "print"));
	SAY(ctx, "drop", ctx->host->undo_drop(ctx, second));
	SAY(ctx, "done", ctx->host->undo_done(ctx, 999));
	return UPKEEP_CHANGED;
}

static int32_t undo_undo(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	uint64_t id;

	upkeep_info(ctx, "record=%s/%u %.*s", record->kind, record->version,
		(int)record->payload_size - 1, record->payload);
	upkeep_info(ctx, "args=%d", ctx->args != NULL);
	SAY(ctx, "push in undo", push(ctx, "a=b\n", NULL, &id));
	SAY(ctx, "done", ctx->host->undo_done(ctx, record->id));
	return UPKEEP_CHANGED;
}

static int32_t probe_undo(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	(void)ctx;
	return record ? UPKEEP_PARTLY : UPKEEP_NOT_DONE;
}

static int32_t run_spawn(struct upkeep_ctx *ctx)
{
	const struct args *args = ctx->args;
	const char *argv[8] = {args->program}, *env[] = {"CALLING=yes", NULL};
	struct upkeep_spawn spawn = {.argv = argv, .env = env, .stdin_fd = -1, .stderr_fd = -1};
	char text[64] = "";
	int ends[2];
	int32_t exit_fd = -1;

	for (size_t i = 0; i < args->words.count && i < 6; i++)
		argv[i + 1] = args->words.items[i];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return UPKEEP_FAILED;
	spawn.stdout_fd = ends[1];
	int64_t handle = upkeep_spawn_start(ctx, &spawn, &exit_fd);
	close(ends[1]);
	if (handle < 0)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, strerror((int)-handle),
			"cannot start %s", args->program);
	if (args->stop)
		SAY(ctx, "kill", ctx->host->spawn_kill(ctx, handle, SIGTERM));
	SAY(ctx, "kill other", ctx->host->spawn_kill(ctx, handle + 7, SIGTERM));
	struct pollfd ready = {.fd = exit_fd, .events = POLLIN};
	poll(&ready, 1, 10000);
	SAY(ctx, "wait", ctx->host->spawn_wait(ctx, handle));
	SAY(ctx, "again", ctx->host->spawn_wait(ctx, handle));
	ssize_t n = read(ends[0], text, sizeof text - 1);
	close(ends[0]);
	return n < 0 ? UPKEEP_FAILED : upkeep_output_text(ctx, "text", text);
}

static int32_t run_secret(struct upkeep_ctx *ctx)
{
	const struct args *args = ctx->args;
	const char *text = NULL, *again = NULL, *other;
	char payload[64];
	size_t size = 0;
	uint64_t id;

	SAY(ctx, "secret", ctx->host->secret(ctx, args->secret, &text));
	SAY(ctx, "secret again", ctx->host->secret(ctx, args->secret, &again));
	SAY(ctx, "same", text == again);
	SAY(ctx, "other", ctx->host->secret(ctx, "file:/other", &other));
	if (upkeep_kv_put(payload, sizeof payload, &size, "password", text ? text : "") < 0)
		return UPKEEP_FAILED;
	SAY(ctx, "push", push(ctx, payload, NULL, &id));
	return UPKEEP_UNCHANGED;
}

static int32_t run_places(struct upkeep_ctx *ctx)
{
	const char *path = NULL;

	int temp = ctx->host->temp_dir(ctx, &path);
	SAY(ctx, "temp", temp >= 0);
	SAY(ctx, "same", ctx->host->temp_dir(ctx, &path) == temp);
	int fd = openat(temp, "made", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	close(fd);
	return upkeep_output_text(ctx, "text", path);
}

static int32_t run_wait(struct upkeep_ctx *ctx)
{
	struct pollfd stop = {.fd = ctx->host->cancel_fd(ctx), .events = POLLIN};

	SAY(ctx, "same", ctx->host->cancel_fd(ctx) == stop.fd);
	for (int i = 0; i < 100; i++) {
		ctx->host->progress(ctx, (uint64_t)i, 0, "waits");
		if (poll(&stop, 1, 100) == 1)
			return UPKEEP_CANCELLED;
	}
	return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL, "nobody cancelled it");
}

static int32_t run_tell(struct upkeep_ctx *ctx)
{
	struct upkeep_cell cells[] = {
		{"name", "x", UPKEEP_STRING, 0}, {"size", "42", UPKEEP_SIZE, 0}};
	const struct args *args = ctx->args;
	const void *token;

	for (size_t i = 0; i < args->parts.count; i++) {
		const struct part *part =
			(const void *)((const char *)args->parts.items + i * args->parts.stride);
		upkeep_info(ctx, "part %s %lld", part->name, (long long)part->n);
	}
	SAY(ctx, "number", upkeep_output_int(ctx, "number", 7));
	SAY(ctx, "not a number", upkeep_output_text(ctx, "number", "seven"));
	SAY(ctx, "not declared", upkeep_output_text(ctx, "other", "x"));
	SAY(ctx, "row", upkeep_row(ctx, "table", cells));
	SAY(ctx, "short row", ctx->host->row(ctx, "table", cells, 1, 8));
	ctx->host->progress(ctx, 10, 10, "bytes");
	SAY(ctx, "would", upkeep_would(ctx, NULL, "not in run"));
	SAY(ctx, "token_put", ctx->host->token_put(ctx, "x", 1));
	SAY(ctx, "token_get", ctx->host->token_get(ctx, &token));
	SAY(ctx, "deadline", ctx->host->deadline(ctx) > 0);
	return upkeep_fail(
		ctx, UPKEEP_FAILED_FOR_NOW, "try again", "it is early", "cannot tell %d", 1);
}

static int32_t plan_tell(struct upkeep_ctx *ctx)
{
	uint64_t id;

	upkeep_would(ctx, "untell it", "tell %s", "it");
	upkeep_would(ctx, NULL, "burn it");
	SAY(ctx, "token_put", ctx->host->token_put(ctx, "token", 5));
	SAY(ctx, "push in plan", push(ctx, "a=b\n", NULL, &id));
	SAY(ctx, "stream", ctx->host->stream(ctx, UPKEEP_STREAM_IN));
	return UPKEEP_CHANGED;
}

static int32_t run_stream(struct upkeep_ctx *ctx)
{
	int in = ctx->host->stream(ctx, UPKEEP_STREAM_IN);
	int out = ctx->host->stream(ctx, UPKEEP_STREAM_OUT);
	char bytes[4096];
	ssize_t n;

	if (in < 0)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, strerror(-in), "no input");
	while ((n = read(in, bytes, sizeof bytes)) > 0)
		if (write(out, bytes, (size_t)n) != n)
			return upkeep_fail(
				ctx, UPKEEP_FAILED, NULL, strerror(errno), "cannot write");
	if (n < 0)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, strerror(errno), "cannot read");
	return ctx->host->upstream_whole(ctx) == 1
		? UPKEEP_CHANGED
		: upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL, "the input is not whole");
}

static int32_t run_crash(struct upkeep_ctx *ctx)
{
	upkeep_fail(ctx, UPKEEP_FAILED, NULL, "it is broken", "cannot reach %s", "the moon");
	raise(SIGSEGV);
	return UPKEEP_FAILED;
}

static int32_t check_rules(struct upkeep_ctx *ctx)
{
	const struct args *args = ctx->args;

	return args->stop ? upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL, "it is against the rules")
			  : UPKEEP_UNCHANGED;
}

static int32_t plan_rules(struct upkeep_ctx *ctx)
{
	const struct args *args = ctx->args;

	upkeep_would(ctx, NULL, "unknown=%d given=%d stop=%d",
		UPKEEP_UNKNOWN(ctx, struct args, program), UPKEEP_GIVEN(ctx, struct args, program),
		args->stop);
	return UPKEEP_UNCHANGED;
}

static int32_t run_rules(struct upkeep_ctx *ctx)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return UPKEEP_FAILED;
	close(ends[0]);
	SAY(ctx, "broken pipe", write(ends[1], "x", 1) < 0 ? errno : 0);
	close(ends[1]);
	return UPKEEP_UNCHANGED;
}

#define ACTION(word, ...)                                                                  \
	{                                                                                  \
		.name = #word, .about = "Uses " #word, UPKEEP_PARAMS(struct args, params), \
		UPKEEP_OUTPUTS(outputs), .run = run_##word, ##__VA_ARGS__                  \
	}
static const struct upkeep_action actions[] = {
	ACTION(undo, .changes = UPKEEP_CHANGES_RECORDED, .undo = undo_undo, .probe = probe_undo),
	ACTION(spawn),
	ACTION(secret),
	ACTION(places),
	ACTION(wait),
	ACTION(tell, .plan = plan_tell),
	ACTION(stream, .flags = UPKEEP_STREAM_IN | UPKEEP_STREAM_OUT),
	ACTION(crash),
	ACTION(rules, .flags = UPKEEP_PLANS_UNKNOWN, .check = check_rules, .plan = plan_rules),
};

UPKEEP_PLUGIN(.name = "calling", .version = "1.0", .about = "Calls its host",
	UPKEEP_ACTIONS(actions));
