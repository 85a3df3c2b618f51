/* SPDX-License-Identifier: MIT */
/* A plugin of another user that wants more than that user may have: it speaks to the engine by
 * itself, over the worker's socket. */
#include <upkeep/plugin.h>

#include "wire/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SOCKET 3
#define NOBODY_TOLD INT64_MIN /* no answer */

struct args {
	const char *what, *other, *password;
};
static const struct upkeep_param params[] = {
	UPKEEP_PARAM_STRING(struct args, what, "which mischief", .flags = UPKEEP_REQUIRED),
	UPKEEP_PARAM_STRING(struct args, other, "on what"),
	UPKEEP_PARAM_SECRET(struct args, password, "a secret of its own"),
};
static const struct upkeep_output outputs[] = {
	UPKEEP_OUT("result", UPKEEP_INT, "what the engine answered"),
};

/* ---- messages by hand ---- */

struct raw {
	size_t size;
	unsigned char bytes[262144];
};

static void begin(struct raw *raw, enum wire_kind kind)
{
	raw->bytes[0] = (unsigned char)kind;
	raw->bytes[1] = 0;
	raw->size = 2;
}

static void put(struct raw *raw, enum wire_tag tag, const void *bytes, size_t size)
{
	uint32_t n = (uint32_t)size;

	raw->bytes[raw->size] = (unsigned char)tag;
	memcpy(raw->bytes + raw->size + 1, &n, sizeof n);
	if (size)
		memcpy(raw->bytes + raw->size + 5, bytes, size);
	raw->size += 5 + size;
}

static void put_number(struct raw *raw, enum wire_tag tag, int64_t number)
{
	put(raw, tag, &number, sizeof number);
}

static void put_text(struct raw *raw, enum wire_tag tag, const char *text)
{
	put(raw, tag, text, strlen(text) + 1);
}

static int64_t say(const struct raw *raw)
{
	return send(SOCKET, raw->bytes, raw->size, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Takes a descriptor that came along, or -1. */
static ssize_t take(unsigned char *in, size_t size, int *ret_fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec part = {in, size};
	struct msghdr head = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes};
	ssize_t n = recvmsg(SOCKET, &head, 0);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&head) : NULL;

	*ret_fd = -1;
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(c), sizeof *ret_fd);
	return n;
}

/* The result in the next ANSWER; of a program that was started, only when it has ended. */
static int64_t hear_end(bool wait)
{
	static unsigned char in[262144];
	int64_t result = NOBODY_TOLD;
	int32_t end;
	int fd;
	ssize_t n;

	do
		n = take(in, sizeof in, &fd);
	while (n > 0 && in[0] != WIRE_ANSWER);
	if (wait && fd >= 0 && read(fd, &end, sizeof end) < 0)
		return -errno;
	for (ssize_t at = 2; at + 5 <= n;) {
		uint32_t size;
		memcpy(&size, in + at + 1, sizeof size);
		if (in[at] == WIRE_RESULT)
			memcpy(&result, in + at + 5, sizeof result);
		at += 5 + (ssize_t)size;
	}
	return result;
}

static int64_t hear(void)
{
	return hear_end(false);
}

static int64_t ask(const struct raw *raw)
{
	int64_t r = say(raw);

	return r < 0 ? r : hear();
}

static void make_record(struct raw *raw, const char *file, const char *payload, size_t size)
{
	begin(raw, WIRE_UNDO_PUSH);
	put_text(raw, WIRE_NAME, "thing");
	put_number(raw, WIRE_VERSION, 1);
	put(raw, WIRE_PAYLOAD, payload, size);
	put(raw, WIRE_FILES, file ? file : "", file ? strlen(file) + 1 : 0);
	put_text(raw, WIRE_ABOUT, "put it back");
}

static int64_t push(struct raw *raw, const char *file, const char *payload, size_t size)
{
	make_record(raw, file, payload, size);
	return ask(raw);
}

static int64_t finish(struct raw *raw, int64_t serial, int64_t result)
{
	begin(raw, WIRE_DONE);
	put_number(raw, WIRE_SERIAL, serial);
	put_number(raw, WIRE_RESULT, result);
	return say(raw);
}

static int64_t start(struct raw *raw, const char *argv, size_t size, const char *env,
	const char *cwd, const int64_t *targets, size_t count, bool wait)
{
	begin(raw, WIRE_SPAWN);
	put(raw, WIRE_ARGV, argv, size);
	put(raw, WIRE_ENV, env ? env : "", env ? strlen(env) + 1 : 0);
	put(raw, WIRE_TARGETS, targets, count * sizeof targets[0]);
	if (cwd)
		put_text(raw, WIRE_PATH, cwd);
	int64_t r = say(raw);
	return r < 0 ? r : hear_end(wait);
}

/* ---- mischief; the result becomes an output ---- */

static int64_t try_name(struct raw *raw, struct upkeep_ctx *ctx, const char *other)
{
	(void)ctx;
	return push(raw, other, "a=b\n", 4);
}

static int64_t try_secret(struct raw *raw, struct upkeep_ctx *ctx, const char *other)
{
	(void)ctx;
	begin(raw, WIRE_SECRET);
	put_text(raw, WIRE_NAME, other);
	return ask(raw);
}

static const char *own_secret(struct upkeep_ctx *ctx)
{
	const struct args *args = ctx->args;
	const char *text = "";

	ctx->host->secret(ctx, args->password, &text);
	return text;
}

static int64_t try_keep_secret(struct raw *raw, struct upkeep_ctx *ctx, const char *other)
{
	const char *text = own_secret(ctx);

	(void)other;
	return push(raw, NULL, text, strlen(text));
}

static int64_t try_show_secret(struct raw *raw, struct upkeep_ctx *ctx, const char *other)
{
	const char *text = own_secret(ctx);
	char cells[256];
	int n = snprintf(cells, sizeof cells, "name %s%cvalue", text, 0) + 1;
	int64_t type = UPKEEP_STRING;

	(void)other;
	begin(raw, WIRE_ROW);
	put_text(raw, WIRE_NAME, text);
	put(raw, WIRE_CELLS, cells, (size_t)n);
	put_number(raw, WIRE_TYPES, type);
	return say(raw);
}

static int64_t try_big(struct raw *raw, struct upkeep_ctx *ctx, const char *other)
{
	static char payload[UPKEEP_PAYLOAD_MAX + 1];

	(void)ctx;
	(void)other;
	memset(payload, 'a', sizeof payload);
	return push(raw, NULL, payload, sizeof payload);
}

/* How many it takes before it says no. */
static int64_t try_many(struct raw *raw, struct upkeep_ctx *ctx, const char *other)
{
	static char payload[UPKEEP_PAYLOAD_MAX];
	size_t size = atoi(other) ? 0 : sizeof payload;

	(void)ctx;
	memset(payload, 'a', sizeof payload);
	for (int64_t i = 0;; i++) {
		int64_t r = push(raw, NULL, payload, size);
		if (r < 0)
			return r == -EDQUOT ? i : r;
	}
}

static int64_t try_state(struct raw *raw, struct upkeep_ctx *ctx, const char *other)
{
	(void)ctx;
	begin(raw,
		strcmp(other, "drop") == 0           ? WIRE_UNDO_DROP
			: strcmp(other, "done") == 0 ? WIRE_UNDO_DONE
						     : WIRE_UNDO_APPLIED);
	put_number(raw, WIRE_ID, 1);
	say(raw);
	begin(raw, WIRE_WHOLE);
	return ask(raw);
}

static int64_t try_two(struct raw *raw, struct upkeep_ctx *ctx, const char *other)
{
	(void)ctx;
	(void)other;
	make_record(raw, NULL, "a=b\n", 4);
	say(raw);
	return ask(raw);
}

static int64_t try_done(struct raw *raw, struct upkeep_ctx *ctx, const char *other)
{
	(void)ctx;
	if (strcmp(other, "twice") == 0)
		return finish(raw, 1, UPKEEP_CHANGED);
	finish(raw, strcmp(other, "serial") == 0 ? 99 : 1,
		strcmp(other, "result") == 0 ? 77 : UPKEEP_CHANGED);
	return hear();
}

static int64_t try_refuse(struct raw *raw, struct upkeep_ctx *ctx, const char *other)
{
	(void)ctx;
	begin(raw, strcmp(other, "loaded") == 0 ? WIRE_LOADED : WIRE_REFUSED);
	put_text(raw, WIRE_TEXT, "not today");
	say(raw);
	return hear();
}

static int64_t shell(
	struct raw *raw, const char *script, const char *env, const char *cwd, bool wait)
{
	char argv[1024];
	int n = snprintf(argv, sizeof argv, "/bin/sh%c-c%c%s", 0, 0, script) + 1;

	return start(raw, argv, (size_t)n, env, cwd, NULL, 0, wait);
}

static int64_t try_spawn(struct raw *raw, struct upkeep_ctx *ctx, const char *other)
{
	int64_t r = shell(
		raw, "id -un; id -G; env | grep UPKEEP_MARK", *other ? other : NULL, NULL, true);

	(void)ctx;
	return r;
}

static int64_t try_cwd(struct raw *raw, struct upkeep_ctx *ctx, const char *other)
{
	int64_t r = shell(raw, "pwd", NULL, other, true);

	(void)ctx;
	return r;
}

static int64_t try_targets(struct raw *raw, struct upkeep_ctx *ctx, const char *other)
{
	const int64_t targets[] = {atoll(other), atoll(other)};

	(void)ctx;
	return start(raw, "/bin/true", sizeof "/bin/true", NULL, NULL, targets, 2, false);
}

static int64_t try_program(struct raw *raw, struct upkeep_ctx *ctx, const char *other)
{
	(void)ctx;
	return start(raw, other, strlen(other) + 1, NULL, NULL, NULL, 0, false);
}

/* How many run at once. */
static int64_t try_spawns(struct raw *raw, struct upkeep_ctx *ctx, const char *other)
{
	(void)ctx;
	(void)other;
	for (int64_t i = 0; i < 1000; i++) {
		int64_t r = shell(raw, "exec sleep 77.41", NULL, NULL, false);
		if (r < 0)
			return r == -EAGAIN ? i : r;
	}
	return 1000;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int64_t try_flood(struct raw *raw, struct upkeep_ctx *ctx, const char *other)
{
	static char line[60000];
	bool rows = strcmp(other, "rows") == 0, warn = strcmp(other, "warnings") == 0;

	(void)ctx;
	memset(line, 'f', sizeof line - 1);
	begin(raw, rows ? WIRE_ROW : WIRE_LOG);
	if (rows) {
		put_text(raw, WIRE_NAME, "flood");
		put(raw, WIRE_CELLS, "name\0value", sizeof "name\0value");
		put_number(raw, WIRE_TYPES, UPKEEP_STRING);
	} else {
		put_number(raw, WIRE_LEVEL, warn ? UPKEEP_WARN : UPKEEP_INFO);
		put(raw, WIRE_DATA, line, warn ? 10 : sizeof line);
	}
	int64_t count = 0;
	for (double until = now() + 3; now() < until && (!warn || count < 5000); count++)
		if (say(raw) < 0)
			return -count;
	return count;
}

static int64_t try_deaf(struct raw *raw, struct upkeep_ctx *ctx, const char *other)
{
	(void)ctx;
	(void)other;
	begin(raw, WIRE_WHOLE);
	while (say(raw) == 0)
		;
	return 0;
}

static int64_t try_stop(struct raw *raw, struct upkeep_ctx *ctx, const char *other)
{
	(void)ctx;
	(void)raw;
	(void)other;
	return raise(SIGSTOP);
}

/* Makes the engine's word to stop wait, if it can. */
static int64_t try_cancel(struct raw *raw, struct upkeep_ctx *ctx, const char *other)
{
	const uint64_t full = UINT64_MAX - 1;
	int fd = ctx->host->cancel_fd(ctx);

	(void)raw;
	(void)other;
	fcntl(fd, F_SETFL, 0);
	int64_t r = write(fd, &full, sizeof full);
	while (fd >= 0)
		pause();
	return r;
}

static int64_t try_look(struct raw *raw, struct upkeep_ctx *ctx, const char *other)
{
	struct stat st = {0};

	(void)ctx;
	(void)raw;
	(void)other;
	return stat("/proc/self/environ", &st) < 0 ? -errno : (int64_t)st.st_uid;
}

/* Its directory has another name now, and its old name is a link. */
static int64_t try_directory(struct raw *raw, struct upkeep_ctx *ctx, const char *other)
{
	const char *path = NULL;
	char away[256];
	int fd = ctx->host->temp_dir(ctx, &path);

	if (fd < 0 || symlinkat(other, fd, "link") < 0)
		return -1;
	snprintf(away, sizeof away, "%s.away", path);
	if (rename(path, away) < 0 || symlink(other, path) < 0)
		return -2;
	begin(raw, WIRE_TEMP_DIR);
	int64_t r = ask(raw);
	unlinkat(fd, "link", 0);
	rmdir(away);
	return r;
}

/* Leads out of the undo directory; whoever follows it reads and writes there. */
static int64_t try_link(struct raw *raw, struct upkeep_ctx *ctx, const char *other)
{
	int fd = ctx->host->undo_dir(ctx);

	if (fd < 0 || symlinkat(other, fd, "copy") < 0)
		return -1;
	return push(raw, "copy", "what=link\n", 10);
}

static int64_t try_keep(struct raw *raw, struct upkeep_ctx *ctx, const char *other)
{
	int dir = ctx->host->undo_dir(ctx);
	int fd = dir < 0 ? -1 : openat(dir, "copy", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, other, strlen(other)) < 0 || close(fd) < 0)
		return -1;
	return push(raw, "copy", "what=keep\n", 10);
}

/* Its undo speaks of what an undo has nothing to say about. */
static int64_t try_undo(struct raw *raw, struct upkeep_ctx *ctx, const char *other)
{
	char payload[64];

	(void)ctx;
	int n = snprintf(payload, sizeof payload, "what=%s\n", other);
	return push(raw, NULL, payload, (size_t)n);
}

static const struct {
	const char *what;
	int64_t (*make)(struct raw *raw, struct upkeep_ctx *ctx, const char *other);
} tries[] = {
	{"name", try_name},
	{"secret", try_secret},
	{"keep_secret", try_keep_secret},
	{"show_secret", try_show_secret},
	{"big", try_big},
	{"many", try_many},
	{"state", try_state},
	{"two", try_two},
	{"done", try_done},
	{"refuse", try_refuse},
	{"spawn", try_spawn},
	{"cwd", try_cwd},
	{"targets", try_targets},
	{"program", try_program},
	{"spawns", try_spawns},
	{"flood", try_flood},
	{"deaf", try_deaf},
	{"stop", try_stop},
	{"cancel", try_cancel},
	{"look", try_look},
	{"directory", try_directory},
	{"link", try_link},
	{"keep", try_keep},
	{"undo", try_undo},
};

static int32_t run_try(struct upkeep_ctx *ctx)
{
	static struct raw raw;
	const struct args *args = ctx->args;

	for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++)
		if (strcmp(tries[i].what, args->what) == 0) {
			int64_t r = tries[i].make(&raw, ctx, args->other ? args->other : "");
			upkeep_output_int(ctx, "result", r);
			return UPKEEP_CHANGED;
		}
	return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL, "there is no such mischief");
}

/* ---- undo ---- */

static void read_copy(struct upkeep_ctx *ctx)
{
	char text[64] = "";
	int dir = ctx->host->undo_dir(ctx);
	int fd = dir < 0 ? -1 : openat(dir, "copy", O_RDWR | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof text - 1) < 0)
		snprintf(text, sizeof text, "cannot: %s", strerror(errno));
	upkeep_info(ctx, "user %u group %u copy %s", getuid(), getgid(), text);
}

static int32_t undo_try(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	static struct raw raw;
	char what[32] = "";

	upkeep_kv_get(record->payload, record->payload_size, "what", what, sizeof what);
	if (strcmp(what, "keep") == 0 || strcmp(what, "link") == 0)
		read_copy(ctx);
	if (strcmp(what, "output") == 0) {
		begin(&raw, WIRE_OUTPUT);
		put_text(&raw, WIRE_NAME, "result");
		put_text(&raw, WIRE_TEXT, "7");
		say(&raw);
		hear();
	}
	if (strcmp(what, "row") == 0)
		try_flood(&raw, ctx, "rows");
	if (strcmp(what, "push") == 0 || strcmp(what, "drop") == 0) {
		make_record(&raw, NULL, "a=b\n", 4);
		if (*what == 'd') {
			begin(&raw, WIRE_UNDO_DROP);
			put_number(&raw, WIRE_ID, (int64_t)record->id);
		}
		say(&raw);
		hear();
	}
	return UPKEEP_CHANGED;
}

static const struct upkeep_action actions[] = {
	{.name = "try",
		.about = "Try something",
		.run = run_try,
		.undo = undo_try,
		.changes = UPKEEP_CHANGES_RECORDED,
		UPKEEP_PARAMS(struct args, params),
		UPKEEP_OUTPUTS(outputs)},
};

UPKEEP_PLUGIN(.name = "hostile", .version = "1.0", .about = "Wants more", UPKEEP_ACTIONS(actions));
