/* SPDX-License-Identifier: MIT */
/* postgres.basebackup: a copy of the whole server by pg_basebackup, to a directory or a stream. */
#include <fcntl.h>
#include <ftw.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "postgres/actions.h"
#include "postgres/programs.h"
#include "postgres/query.h"
#include "postgres/settings.h"
#include "support/beneath.h"
#include "support/cleanup.h"

#define KIND "basebackup"
#define TOKEN_TEXT 33 /* 128 random bits in hexadecimal digits, and the end */

/* Where it goes.  The token is in the unfinished name and in the backup's own label: what has
 * neither is not ours. */
struct place {
	char *dir, *name; /* the directory above, and the name in it */
	char token[TOKEN_TEXT];
	char *partial; /* the unfinished name */
	int dir_fd;
};

static void place_free(struct place *p)
{
	cleanup_fd(&p->dir_fd);
	free(p->dir);
	free(p->name);
	free(p->partial);
}
#define CLEANUP_PLACE __attribute__((cleanup(place_free)))

static int place_open(struct place *p, struct fault *fault)
{
	p->partial = fault_format(".upkeep-%.200s-%s", p->name, p->token);
	p->dir_fd = beneath_open_dir(p->dir);
	if (p->dir_fd < 0)
		return fault_set(fault, p->dir_fd, "make it, owned by the task's user",
			"cannot open the directory \"%s\": %s", p->dir, strerror(-p->dir_fd));
	return 0;
}

static int token_make(char token[TOKEN_TEXT], struct fault *fault)
{
	unsigned char random[16];
	if (getrandom(random, sizeof random, 0) != sizeof random)
		return fault_set(fault, -EIO, NULL, "the kernel gives no random bytes");
	for (size_t i = 0; i < sizeof random; i++)
		snprintf(token + 2 * i, 3, "%02x", random[i]);
	return 0;
}

static int place_make(struct place *p, const char *target, struct fault *fault)
{
	const char *slash = strrchr(target, '/');
	*p = (struct place){.dir_fd = -1,
		.dir = fault_format("%.*s", slash > target ? (int)(slash - target) : 1, target),
		.name = fault_format("%s", slash + 1)};
	int r = p->name[0]
		? token_make(p->token, fault)
		: fault_set(fault, -EINVAL, NULL, "\"%s\" names no directory to be made", target);
	if (r == 0)
		r = place_open(p, fault);
	if (r == 0 && faccessat(p->dir_fd, p->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return fault_set(fault, -EEXIST, "name one that is not there, as with ${run.stamp}",
			"there is something at \"%s\"", target);
	return r;
}

/* 1: the directory `name` is a backup with our token in its label; 0: it is not, or not there. */
static int place_is_ours(const struct place *p, const char *name)
{
	char text[4096];
	struct stat st;
	CLEANUP_FD int dir = beneath_open_subdir(p->dir_fd, name);
	CLEANUP_FD int fd =
		dir < 0 ? -1 : beneath_open_file(dir, "backup_label", O_RDONLY | O_CLOEXEC, &st);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
	text[n > 0 ? n : 0] = 0;
	return strstr(text, p->token) != NULL;
}

/* ---- removing ---- */

static int entry_remove(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

static int partial_remove(const struct place *p, struct fault *fault)
{
	CLEANUP_FREE char *path = fault_format("/proc/self/fd/%d/%s", p->dir_fd, p->partial);
	if (nftw(path, entry_remove, 32, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0 || errno == ENOENT)
		return fsync(p->dir_fd) < 0 ? -errno : 0;
	return fault_set(fault, -errno, NULL, "cannot remove \"%s/%s\": %m", p->dir, p->partial);
}

/* ---- making ---- */

static int record_push(
	struct upkeep_ctx *ctx, const struct place *p, uint64_t *ret_id, struct fault *fault)
{
	char payload[8192];
	size_t size = 0;
	CLEANUP_FREE char *about =
		fault_format("remove the base backup \"%s/%s\"", p->dir, p->name);
	int r = upkeep_kv_put(payload, sizeof payload, &size, "dir", p->dir);
	if (r == 0)
		r = upkeep_kv_put(payload, sizeof payload, &size, "name", p->name);
	if (r == 0)
		r = upkeep_kv_put(payload, sizeof payload, &size, "token", p->token);
	const struct upkeep_undo record = {.kind = KIND,
		.version = 1,
		.payload = payload,
		.payload_size = size,
		.about = about};
	if (r == 0)
		r = upkeep_undo_push(ctx, &record, ret_id);
	return r < 0 ? fault_set(fault, r, NULL, "cannot write down the backup to \"%s/%s\": %s",
			       p->dir, p->name, strerror(-r))
		     : 0;
}

/* What this version of it cannot do, and the version. */
static int server_look(struct upkeep_ctx *ctx, int *ret_version, struct fault *fault)
{
	CLEANUP_CONNECTION struct connection c = {0};
	CLEANUP_RESULT PGresult *result = NULL;
	int r = connect_open(&c, ctx, NULL, fault);
	if (r == 0)
		r = query_run(&c, "looking at the server", &result, fault,
			"SELECT (SELECT count(*) FROM pg_tablespace WHERE"
			" pg_tablespace_location(oid) <> ''), rolsuper OR rolreplication, rolname"
			" FROM pg_roles WHERE rolname = current_user");
	if (r < 0)
		return r;
	*ret_version = c.version;
	if (query_int(result, 0, 0) > 0)
		return fault_set(fault, -ENOTSUP,
			"use pg_basebackup with --tablespace-mapping, or dumps",
			"the server has tablespaces, which would lie outside of the backup");
	if (!query_bool(result, 0, 1))
		return fault_set(fault, -EACCES, "ALTER ROLE ... REPLICATION, and see pg_hba.conf",
			"the user \"%s\" may not read the server's files",
			query_text(result, 0, 2));
	upkeep_output_int(ctx, "version", c.version);
	return 0;
}

static int programs_ready(struct programs *ret, struct upkeep_ctx *ctx, struct fault *fault)
{
	int version = 0;
	int r = server_look(ctx, &version, fault);
	if (r == 0)
		r = programs_find(ret, ctx, version / 10000, PROGRAMS_NEWEST, fault);
	if (r == 0)
		r = programs_prepare(ret, "upkeep", version, fault);
	return r;
}

static int program_whole(const struct programs *programs, const char *name, const char *const *args,
	int stdout_fd, struct fault *fault)
{
	CLEANUP_PROGRAM struct program program = {0};
	int r = program_start(&program, programs, name, args, -1, stdout_fd, fault);
	if (r == 0)
		r = program_await(&program, fault);
	return r < 0 ? r : program_end(&program, fault);
}

static int backup_take(struct upkeep_ctx *ctx, const struct programs *programs, const char *where,
	const char *token, int stdout_fd, struct fault *fault)
{
	const struct basebackup_args *args = ctx->args;
	CLEANUP_FREE char *dir = fault_format("--pgdata=%s", where);
	CLEANUP_FREE char *label = fault_format("--label=upkeep %s", token);
	CLEANUP_FREE char *checkpoint = fault_format("--checkpoint=%s", args->checkpoint);
	/* in kB a second; the least that it takes is 32 */
	CLEANUP_FREE char *rate = fault_format("--max-rate=%llu",
		(unsigned long long)(args->max_rate / 1024 < 32 ? 32 : args->max_rate / 1024));
	const char *argv[16] = {dir, label, checkpoint, "--no-password"};
	size_t n = 4;
	argv[n++] = stdout_fd < 0 ? "--format=plain" : "--format=tar";
	argv[n++] = stdout_fd < 0 ? "--wal-method=stream" : "--wal-method=fetch";
	if (args->max_rate)
		argv[n++] = rate;
	return program_whole(programs, "pg_basebackup", argv, stdout_fd, fault);
}

static int directory_publish(const struct place *p, struct fault *fault)
{
	CLEANUP_FREE char *path = fault_format("%s/%s", p->dir, p->name);
	if (!place_is_ours(p, p->partial))
		return fault_set(fault, -EIO, NULL, "pg_basebackup left no label in \"%s/%s\"",
			p->dir, p->partial);
	if (renameat2(p->dir_fd, p->partial, p->dir_fd, p->name, RENAME_NOREPLACE) < 0)
		return fault_set(fault, -errno, "name one that is not there",
			"cannot give the backup its name \"%s\": %m", path);
	return fsync(p->dir_fd) < 0
		? fault_set(fault, -errno, NULL, "cannot sync \"%s\": %m", p->dir)
		: 0;
}

static int directory_fill(struct upkeep_ctx *ctx, const struct place *p,
	const struct programs *programs, struct fault *fault)
{
	const struct basebackup_args *args = ctx->args;
	CLEANUP_FREE char *where = fault_format("%s/%s", p->dir, p->partial);
	if (mkdirat(p->dir_fd, p->partial, 0700) < 0)
		return fault_set(fault, -errno, "see that the task's user may write there",
			"cannot make a directory in \"%s\": %m", p->dir);
	int r = backup_take(ctx, programs, where, p->token, -1, fault);
	const char *const verify[] = {"--quiet", where, NULL};
	if (r == 0 && args->verify)
		r = program_whole(programs, "pg_verifybackup", verify, -1, fault);
	return r;
}

static int directory_backup(struct upkeep_ctx *ctx, struct fault *fault)
{
	const struct basebackup_args *args = ctx->args;
	CLEANUP_PLACE struct place p = {.dir_fd = -1};
	CLEANUP_PROGRAMS struct programs programs = {0};
	uint64_t id = 0;
	int r = place_make(&p, args->target, fault);
	if (r == 0)
		r = programs_ready(&programs, ctx, fault);
	if (r == 0)
		r = record_push(ctx, &p, &id, fault);
	if (r == 0)
		r = directory_fill(ctx, &p, &programs, fault);
	if (r == 0)
		r = directory_publish(&p, fault);
	if (r < 0)
		return r;
	ctx->host->undo_applied(ctx, id, p.token);
	upkeep_output_text(ctx, "path", args->target);
	return 0;
}

static int stream_backup(struct upkeep_ctx *ctx, int out, struct fault *fault)
{
	CLEANUP_PROGRAMS struct programs programs = {0};
	char token[TOKEN_TEXT];
	int r = token_make(token, fault);
	if (r == 0)
		r = programs_ready(&programs, ctx, fault);
	return r < 0 ? r : backup_take(ctx, &programs, "-", token, out, fault);
}

int32_t basebackup_check(struct upkeep_ctx *ctx)
{
	const struct basebackup_args *args = ctx->args;
	const struct settings *settings = ctx->settings;
	if (args->target && settings->container[0])
		return upkeep_fail(ctx, UPKEEP_FAILED,
			"leave target out, and read the stream by from in another task",
			"the programs inside a container write no directory of this machine",
			"cannot back up to \"%s\"", args->target);
	return 0;
}

int32_t basebackup_plan(struct upkeep_ctx *ctx)
{
	const struct basebackup_args *args = ctx->args;
	if (args->target)
		upkeep_would(ctx, "remove it", "copy the whole server to \"%s\"", args->target);
	else
		upkeep_would(ctx, "nothing is to be undone",
			"write a copy of the whole server into the stream");
	return UPKEEP_CHANGED;
}

int32_t basebackup_run(struct upkeep_ctx *ctx)
{
	const struct basebackup_args *args = ctx->args;
	CLEANUP_FAULT struct fault fault = {0};
	int out = ctx->host->stream(ctx, UPKEEP_STREAM_OUT), r;
	if ((out >= 0) == (args->target != NULL))
		r = fault_set(&fault, -EINVAL, "set target, or read it by from in another task",
			out >= 0 ? "there is a target as well as a reader of the stream"
				 : "there is neither a target nor a reader of the stream");
	else
		r = out >= 0 ? stream_backup(ctx, out, &fault) : directory_backup(ctx, &fault);
	return r < 0 ? fault_report(ctx, r, &fault) : UPKEEP_CHANGED;
}

/* ---- undoing ---- */

static int32_t record_read(
	struct upkeep_ctx *ctx, const struct upkeep_undo *record, struct place *p)
{
	*p = (struct place){.dir_fd = -1,
		.dir = fault_alloc(record->payload_size + 1),
		.name = fault_alloc(record->payload_size + 1)};
	const char *text = record->payload;
	size_t size = record->payload_size;
	if (strcmp(record->kind, KIND) == 0 && record->version == 1 &&
		upkeep_kv_get(text, size, "dir", p->dir, size + 1) > 0 &&
		upkeep_kv_get(text, size, "name", p->name, size + 1) > 0 &&
		upkeep_kv_get(text, size, "token", p->token, sizeof p->token) == TOKEN_TEXT - 1)
		return 0;
	return upkeep_fail(ctx, UPKEEP_NEEDS_PERSON, "use the version of the plugin that wrote it",
		NULL, "cannot read a record of kind \"%s\", version %u", record->kind,
		record->version);
}

/* A backup that is in place gets its unfinished name back first: under its own name it is
 * whole or not there. */
int32_t basebackup_undo(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_PLACE struct place p;
	int32_t result = record_read(ctx, record, &p);
	if (result < 0)
		return result;
	int r = place_open(&p, &fault);
	if (r == 0 && place_is_ours(&p, p.name) &&
		renameat2(p.dir_fd, p.name, p.dir_fd, p.partial, RENAME_NOREPLACE) < 0)
		r = fault_set(
			&fault, -errno, NULL, "cannot take \"%s/%s\" away: %m", p.dir, p.name);
	int there = r == 0 && faccessat(p.dir_fd, p.partial, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	if (there)
		r = partial_remove(&p, &fault);
	if (r < 0 && r != -ENOENT)
		return fault_report(ctx, r, &fault);
	ctx->host->undo_done(ctx, record->id);
	return there ? UPKEEP_CHANGED : UPKEEP_UNCHANGED;
}

/* Once a server was started on it, or somebody put another there, it is not what was left. */
int32_t basebackup_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	const struct basebackup_args *args = ctx->args;
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_PLACE struct place p = {.dir_fd = -1};
	if (!record)
		return args->target && access(args->target, F_OK) == 0 ? UPKEEP_DONE
								       : UPKEEP_NOT_DONE;
	int32_t result = record_read(ctx, record, &p);
	if (result < 0)
		return result;
	int r = place_open(&p, &fault);
	if (r == -ENOENT)
		return UPKEEP_NOT_DONE;
	if (r < 0)
		return fault_report(ctx, r, &fault);
	if (place_is_ours(&p, p.name))
		return UPKEEP_DONE;
	if (faccessat(p.dir_fd, p.name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
		faccessat(p.dir_fd, p.partial, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return UPKEEP_PARTLY;
	return UPKEEP_NOT_DONE;
}
