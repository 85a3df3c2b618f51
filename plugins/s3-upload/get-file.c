/* SPDX-License-Identifier: MIT */
/*
 * An object becomes a file: it comes into a directory of its own beside the place, and then takes
 * the place at once.  Undo records: "stage", that directory, and "place", the exchange.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "s3-upload/get.h"
#include "support/cleanup.h"
#include "support/sigv4.h"

#define PAYLOAD_ROOM 16384

/* The same object for the same place comes into the same directory. */
static void name_target(struct get *get)
{
	const char *path = get->args->file, *slash = strrchr(path, '/');
	char hash[SIGV4_HASH_TEXT];
	CLEANUP_FREE char *text = fault_format("%s\n%s\n%s\n%s\n%llu", s3_place(get->place.s3),
		get->key, get->source.version ? get->source.version : "", get->object.etag,
		(unsigned long long)get->source.size);
	sigv4_hash(text, strlen(text), hash);
	get->target.name = fault_format("%s", slash + 1);
	get->target.live =
		slash == path ? fault_format("/") : fault_format("%.*s", (int)(slash - path), path);
	get->target.stage = fault_format("%s/.%s.upkeep-%.16s",
		slash == path ? "" : get->target.live, get->target.name, hash);
}

static int push(struct get *get, const char *kind, const char *payload, size_t size,
	const char *about, uint64_t *ret_id, struct fault *fault)
{
	const struct upkeep_undo record = {.struct_size = sizeof record,
		.kind = kind,
		.version = 1,
		.payload = payload,
		.payload_size = size,
		.about = about};
	int r = upkeep_undo_push(get->ctx, &record, ret_id);
	return r < 0 ? fault_set(fault, r, NULL, "cannot write the undo record: %s", strerror(-r))
		     : 0;
}

static int record_stage(struct get *get, struct fault *fault)
{
	char payload[PAYLOAD_ROOM];
	size_t size = 0;
	CLEANUP_FREE char *about = fault_format("remove \"%s\"", get->target.stage);
	int r = upkeep_kv_put(payload, sizeof payload, &size, "stage", get->target.stage);
	if (r == 0)
		r = upkeep_kv_put(payload, sizeof payload, &size, "name", get->target.name);
	if (r == 0)
		r = upkeep_kv_put(
			payload, sizeof payload, &size, "keep", get->args->resume ? "yes" : "no");
	if (r < 0)
		return fault_set(fault, r, NULL, "\"%s\" is too long a name", get->args->file);
	return push(get, "stage", payload, size, about, &get->stage_record, fault);
}

/* The file in the stage directory, which is ours alone; locked, so that two that fetch the same
 * do not mix. */
static int open_stage(struct get *get, struct fault *fault)
{
	struct stat st;
	const char *stage = get->target.stage;
	if (mkdir(stage, 0700) < 0 && errno != EEXIST)
		return fault_set(fault, -errno, NULL, "cannot make \"%s\": %m", stage);
	CLEANUP_FD int dir = open(stage, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || fstat(dir, &st) < 0)
		return fault_set(fault, -errno, NULL, "cannot open \"%s\": %m", stage);
	if (st.st_uid != geteuid() || (st.st_mode & 077))
		return fault_set(fault, -EPERM, "look what it is, and remove it",
			"\"%s\" is somebody else's", stage);
	CLEANUP_FD int fd = openat(dir, get->target.name,
		O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0666);
	if (fd < 0)
		return fault_set(fault, -errno, NULL, "cannot make a file in \"%s\": %m", stage);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return fault_set(
			fault, -EBUSY, NULL, "another task fetches the same into \"%s\"", stage);
	if (!get->args->resume && ftruncate(fd, 0) < 0)
		return fault_set(fault, -errno, NULL, "cannot empty a file in \"%s\": %m", stage);
	return TAKE_FD(fd);
}

/* What replaces a file gets its owner and mode. */
static int take_after(const struct get *get, int fd, struct fault *fault)
{
	struct stat st;
	if (stat(get->args->file, &st) < 0)
		return 0;
	if (fchown(fd, st.st_uid, st.st_gid) < 0 || fchmod(fd, st.st_mode & 07777) < 0)
		return fault_set(fault, -errno, NULL,
			"cannot give it the owner and mode of \"%s\": %m", get->args->file);
	return 0;
}

static int take_place(struct get *get, struct fault *fault)
{
	char payload[PAYLOAD_ROOM];
	size_t size = 0;
	uint64_t id = 0;
	int r = swap_look(&get->target, fault);
	if (r < 0)
		return r;
	if (get->target.live_ino && !get->args->replace)
		return fault_set(fault, -EEXIST, "remove it, or set replace = true",
			"there is a file \"%s\"", get->args->file);
	CLEANUP_FREE char *about = fault_format(
		get->target.live_ino ? "exchange \"%s\" back" : "remove \"%s\"", get->args->file);
	r = swap_write(&get->target, payload, sizeof payload, &size);
	if (r < 0)
		return fault_set(fault, r, NULL, "\"%s\" is too long a name", get->args->file);
	r = push(get, "place", payload, size, about, &id, fault);
	if (r < 0)
		return r;
	r = swap_do(&get->target, fault);
	if (r < 0) {
		get->ctx->host->undo_drop(get->ctx, id);
		return r;
	}
	get->ctx->host->undo_applied(get->ctx, id, get->hash);
	get->ctx->host->undo_drop(get->ctx, get->stage_record);
	get->replaced = get->target.live_ino != 0;
	if (!get->replaced)
		rmdir(get->target.stage);
	return 0;
}

int get_drop_stage(const char *stage, const char *name)
{
	CLEANUP_FD int dir = open(stage, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? 0 : -errno;
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return -errno;
	return rmdir(stage) < 0 && errno != ENOENT ? -errno : 0;
}

static int fetch(struct get *get, struct fault *fault)
{
	CLEANUP_FD int fd = open_stage(get, fault);
	if (fd < 0)
		return fd;
	int r = get_parts(get, fd, fault);
	if (r == 0)
		r = take_after(get, fd, fault);
	if (r == 0 && fsync(fd) < 0)
		r = fault_set(fault, -errno, NULL, "cannot sync \"%s\": %m", get->target.stage);
	return r == 0 ? take_place(get, fault) : r;
}

int get_file(struct get *get, struct fault *fault)
{
	name_target(get);
	int r = record_stage(get, fault);
	if (r < 0)
		return r;
	r = fetch(get, fault);
	/* What has bytes that are wrong is nothing to go on with. */
	bool keep = get->args->resume && r != -EBADMSG && r != -ESTALE;
	if (r < 0 && !keep && get_drop_stage(get->target.stage, get->target.name) == 0)
		get->ctx->host->undo_drop(get->ctx, get->stage_record);
	return r;
}
