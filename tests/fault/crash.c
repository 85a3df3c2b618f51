/* SPDX-License-Identifier: MIT */
/* A plugin that does what plugins must not do. */
#include <upkeep/plugin.h>

#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int32_t do_segv(struct upkeep_ctx *ctx)
{
	(void)ctx;
	raise(SIGSEGV);
	return UPKEEP_CHANGED;
}

static int32_t do_abort(struct upkeep_ctx *ctx)
{
	(void)ctx;
	abort();
}

static int32_t do_exit(struct upkeep_ctx *ctx)
{
	(void)ctx;
	exit(3);
}

static int32_t do_hang(struct upkeep_ctx *ctx)
{
	signal(SIGTERM, SIG_IGN);
	while (ctx)
		pause();
	return UPKEEP_FAILED;
}

static int32_t do_obey(struct upkeep_ctx *ctx)
{
	int32_t fd = ctx->host->cancel_fd(ctx);
	char bytes[8];

	while (read(fd, bytes, sizeof bytes) < 0)
		usleep(10000);
	return UPKEEP_CANCELLED;
}

static int32_t do_flood(struct upkeep_ctx *ctx)
{
	while (ctx)
		puts("all work and no play makes a dull plugin");
	return UPKEEP_FAILED;
}

static int32_t do_garbage(struct upkeep_ctx *ctx)
{
	(void)ctx;
	for (int fd = 3; fd < 64; fd++)
		send(fd, "this is not a message", 21, MSG_NOSIGNAL);
	return UPKEEP_CHANGED;
}

static int32_t do_bomb(struct upkeep_ctx *ctx)
{
	while (ctx)
		if (fork() < 0)
			usleep(1000);
	return UPKEEP_FAILED;
}

/* Leaves children, one of them with a session of its own. */
static int32_t do_litter(struct upkeep_ctx *ctx)
{
	(void)ctx;
	for (int i = 0; i < 3; i++)
		if (fork() == 0) {
			if (i)
				setsid();
			execl("/bin/sleep", "sleep", "77.21", (char *)NULL);
			_exit(1);
		}
	usleep(100000);
	return UPKEEP_CHANGED;
}

static int32_t do_fine(struct upkeep_ctx *ctx)
{
	upkeep_info(ctx, "pid %d", (int)getpid());
	upkeep_output_int(ctx, "number", 42);
	return UPKEEP_UNCHANGED;
}

static int32_t do_record(struct upkeep_ctx *ctx)
{
	struct upkeep_undo undo = {.kind = "thing", .version = 1, .payload = "a=b\n",
		.payload_size = 4, .about = "put the thing back"};
	uint64_t id;

	undo.struct_size = sizeof undo;
	if (upkeep_undo_push(ctx, &undo, &id) < 0)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL, "no record");
	ctx->host->undo_applied(ctx, id, "now");
	return UPKEEP_CHANGED;
}

static int32_t do_spawn(struct upkeep_ctx *ctx)
{
	const char *const argv[] = {"sh", "-c", "echo from the program; exit 7", NULL};
	struct upkeep_spawn what = {.argv = argv, .stdin_fd = -1, .stdout_fd = -1,
		.stderr_fd = -1};
	int32_t exit_fd;
	int64_t handle = upkeep_spawn_start(ctx, &what, &exit_fd);

	if (handle < 0 || ctx->host->spawn_wait(ctx, handle) != 7)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL, "spawn");
	return UPKEEP_UNCHANGED;
}

static int32_t undo_record(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	return ctx->host->undo_done(ctx, record->id) < 0 ? UPKEEP_FAILED : UPKEEP_CHANGED;
}

static const struct upkeep_output outputs[] = {
	UPKEEP_OUT("number", UPKEEP_INT, "a number"),
};

#define ACTION(word) {.name = #word, .about = "Do " #word, .run = do_##word, \
	.changes = UPKEEP_CHANGES_NONE, UPKEEP_OUTPUTS(outputs)}
static const struct upkeep_action actions[] = {
	ACTION(segv), ACTION(abort), ACTION(exit), ACTION(hang), ACTION(obey), ACTION(flood),
	ACTION(garbage), ACTION(bomb), ACTION(litter), ACTION(fine), ACTION(spawn),
	{.name = "record", .about = "Record a change", .run = do_record, .undo = undo_record,
		.changes = UPKEEP_CHANGES_RECORDED},
};

UPKEEP_PLUGIN(.name = "crash", .version = "1.0", .about = "Misbehaves",
	UPKEEP_ACTIONS(actions));
