/* SPDX-License-Identifier: MIT */
/* A plugin that does what plugins must not do. */
#include <upkeep/plugin.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
	struct upkeep_undo undo = {.kind = "thing",
		.version = 1,
		.payload = "a=b\n",
		.payload_size = 4,
		.about = "put the thing back"};
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
	struct upkeep_spawn what = {.argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
	int32_t exit_fd;
	int64_t handle = upkeep_spawn_start(ctx, &what, &exit_fd);

	if (handle < 0 || ctx->host->spawn_wait(ctx, handle) != 7)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL, "spawn");
	return UPKEEP_UNCHANGED;
}

/* One change with a copied file as its pre-image, another that is not made after all. */
static int record_file(struct upkeep_ctx *ctx)
{
	static const char *const files[] = {"copy"};
	struct upkeep_undo undo = {.struct_size = sizeof undo,
		.kind = "file",
		.version = 1,
		.payload = "a=b\n",
		.payload_size = 4,
		.about = "put the file back",
		.files = files,
		.file_count = 1};
	uint64_t id, dropped;
	int32_t dir = ctx->host->undo_dir(ctx);
	int fd = dir < 0 ? -1 : openat(dir, "copy", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, "before", 6) != 6 || close(fd) < 0)
		return -1;
	if (upkeep_undo_push(ctx, &undo, &id) < 0)
		return -2;
	undo.file_count = 0;
	if (upkeep_undo_push(ctx, &undo, &dropped) < 0 || ctx->host->undo_drop(ctx, dropped) < 0)
		return -3;
	return ctx->host->undo_done(ctx, id) < 0 ? -4 : 0;
}

/* Programs with descriptors of ours, ended by us; one that is not there. */
static int run_programs(struct upkeep_ctx *ctx)
{
	const char *const cat[] = {"cat", NULL}, *const sleeper[] = {"/bin/sleep", "77.22", NULL};
	const char *const none[] = {"/nowhere/program", NULL};
	const char *const told[] = {"/bin/sh", "-c", "echo $TOLD in $(pwd); echo seen >&5", NULL};
	const char *const env[] = {"TOLD=told", NULL};
	int pipes[2];
	const int32_t to[] = {5};
	struct upkeep_spawn what = {.argv = cat, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
	char seen[8] = "";
	int32_t exit_fd;

	if (pipe(pipes) < 0)
		return -1;
	int64_t handle = upkeep_spawn_start(ctx, &what, &exit_fd);
	if (handle < 0 || ctx->host->spawn_wait(ctx, handle) != 0)
		return -2;
	what.argv = sleeper;
	handle = upkeep_spawn_start(ctx, &what, &exit_fd);
	if (handle < 0 || ctx->host->spawn_kill(ctx, handle, SIGTERM) < 0 ||
		ctx->host->spawn_wait(ctx, handle) != 256 + SIGTERM)
		return -3;
	what.argv = none; /* of another user only the start helper sees that it is not there */
	handle = upkeep_spawn_start(ctx, &what, &exit_fd);
	if (handle >= 0 && ctx->host->spawn_wait(ctx, handle) != 127)
		return -4;
	what = (struct upkeep_spawn){.argv = told,
		.env = env,
		.cwd = "/usr",
		.stdin_fd = -1,
		.stdout_fd = -1,
		.stderr_fd = -1,
		.pass_from = &pipes[1],
		.pass_to = to,
		.pass_count = 1};
	handle = upkeep_spawn_start(ctx, &what, &exit_fd);
	if (handle < 0 || ctx->host->spawn_wait(ctx, handle) != 0)
		return -5;
	return read(pipes[0], seen, 5) == 5 && strcmp(seen, "seen\n") == 0 ? 0 : -6;
}

static int32_t do_serve(struct upkeep_ctx *ctx)
{
	const struct upkeep_cell cells[] = {{"size", "17", UPKEEP_SIZE, 0},
		{"fine", "true", UPKEEP_BOOL, 0}, {"odd", "many", UPKEEP_INT, 0}};
	const char *dir = NULL, *again = NULL;
	char path[256];

	if (ctx->host->temp_dir(ctx, &dir) < 0 || ctx->host->temp_dir(ctx, &again) < 0 ||
		strcmp(dir, again) != 0)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL, "no directory");
	snprintf(path, sizeof path, "%s/file", dir);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || close(fd) < 0)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL, "no file");
	upkeep_output_text(ctx, "dir", dir);
	upkeep_output_text(ctx, "words", "one");
	upkeep_output_text(ctx, "words", "two");
	upkeep_row(ctx, "cells", cells);
	int recorded = record_file(ctx), ran = run_programs(ctx);
	if (recorded < 0 || ran < 0)
		return upkeep_fail(
			ctx, UPKEEP_FAILED, NULL, NULL, "record %d, programs %d", recorded, ran);
	return UPKEEP_CHANGED;
}

static int32_t undo_record(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	return ctx->host->undo_done(ctx, record->id) < 0 ? UPKEEP_FAILED : UPKEEP_CHANGED;
}

static const struct upkeep_output outputs[] = {
	UPKEEP_OUT("number", UPKEEP_INT, "a number"),
	UPKEEP_OUT("dir", UPKEEP_PATH, "a directory that has gone"),
	UPKEEP_OUT("words", UPKEEP_LIST | UPKEEP_STRING, "some words"),
};

#define ACTION(word)                                                    \
	{                                                               \
		.name = #word, .about = "Do " #word, .run = do_##word,  \
		.changes = UPKEEP_CHANGES_NONE, UPKEEP_OUTPUTS(outputs) \
	}
static const struct upkeep_action actions[] = {
	ACTION(segv),
	ACTION(abort),
	ACTION(exit),
	ACTION(hang),
	ACTION(obey),
	ACTION(flood),
	ACTION(garbage),
	ACTION(bomb),
	ACTION(litter),
	ACTION(fine),
	ACTION(spawn),
	{.name = "serve",
		.about = "Use every service",
		.run = do_serve,
		.undo = undo_record,
		.changes = UPKEEP_CHANGES_RECORDED,
		UPKEEP_OUTPUTS(outputs)},
	{.name = "record",
		.about = "Record a change",
		.run = do_record,
		.undo = undo_record,
		.changes = UPKEEP_CHANGES_RECORDED},
};

UPKEEP_PLUGIN(.name = "crash", .version = "1.0", .about = "Misbehaves", UPKEEP_ACTIONS(actions));
