/* SPDX-License-Identifier: MIT */
/*
 * The memory of uploads of files, which lives longer than a process: a file in resume_dir for
 * each place and key.  It says which upload it is and of what; nothing of it is believed that
 * the server and the file do not confirm.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "s3-upload/put.h"
#include "support/cleanup.h"
#include "support/sigv4.h"
#include "support/write.h"

#define FILE_ROOM 8192
#define VALUE_ROOM 2048

/* The directory: the caller's own, and nobody else's to write. */
static int open_dir(const struct settings *settings, struct fault *fault)
{
	struct stat st;
	const char *path = settings->resume_dir;
	CLEANUP_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fault_set(fault, -errno, "make it, mode 0700, or leave resume_dir out",
			"cannot open resume_dir \"%s\": %m", path);
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return fault_set(fault, -EPERM, "chown it to the task's user, chmod 0700",
			"resume_dir \"%s\" is writable by others", path);
	return TAKE_FD(fd);
}

static bool is_set(const struct settings *settings)
{
	return settings->resume_dir && settings->resume_dir[0];
}

/* The whole file as text; false where there is none that is ours. */
static bool load(int dir, const char *name, char text[FILE_ROOM], size_t *ret_size)
{
	struct stat st;
	CLEANUP_FD int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return false;
	ssize_t n = read(fd, text, FILE_ROOM);
	*ret_size = n > 0 ? (size_t)n : 0;
	return n > 0 && n < FILE_ROOM;
}

static bool has(const char *text, size_t size, const char *name, const char *value)
{
	char found[VALUE_ROOM];
	return upkeep_kv_get(text, size, name, found, sizeof found) >= 0 &&
		strcmp(found, value) == 0;
}

/* Whose bytes they are, and what goes with them: the same before and after a restart. */
static char *identity(struct put *put)
{
	char cut[PARTS_TEXT], id[PUT_ID_TEXT];
	snprintf(id, sizeof id, "%s", put->id);
	snprintf(put->id, sizeof put->id, "-");
	parts_write(&put->cut, cut);
	char **headers = put_headers(put, PUT_META_PARTS, cut);
	snprintf(put->id, sizeof put->id, "%s", id);
	char *text = fault_format("%s\n%s\n%s%llu %llu %llu %lld.%09ld\n", s3_place(put->place.s3),
		put->key, place_sums(&put->place) ? "sha256\n" : "",
		(unsigned long long)put->st.st_dev, (unsigned long long)put->st.st_ino,
		(unsigned long long)put->st.st_size, (long long)put->st.st_mtim.tv_sec,
		put->st.st_mtim.tv_nsec);
	for (char **line = headers; *line; line++) {
		/* retain_days means another day at each attempt */
		bool moves = strncmp(*line, "x-amz-object-lock-retain", 24) == 0;
		char *longer = fault_format("%s%s\n", text, moves ? "" : *line);
		free(text);
		text = longer;
	}
	put_headers_free(&headers);
	char hash[SIGV4_HASH_TEXT];
	sigv4_hash(text, strlen(text), hash);
	free(text);
	return fault_format("%s", hash);
}

static char *file_name(const struct put *put)
{
	char hash[SIGV4_HASH_TEXT];
	CLEANUP_FREE char *text = fault_format("%s\n%s", s3_place(put->place.s3), put->key);
	sigv4_hash(text, strlen(text), hash);
	return fault_format("%.32s.upload", hash);
}

/* What the server has of it: sizes that fit; the bytes are compared later. */
static int take_parts(struct put *put, struct fault *fault)
{
	struct s3_part *parts = NULL;
	size_t count = 0;
	int r = s3_upload_parts(put->place.s3, put->key, put->upload, &parts, &count, fault);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		struct s3_part *made = &put->made[parts[i].number - 1];
		if (parts[i].number < 1 || parts[i].number > put->parts || made->etag ||
			!parts[i].etag)
			continue;
		*made = parts[i];
		parts[i] = (struct s3_part){0};
	}
	s3_parts_free(parts, count);
	return 0;
}

int put_resume_find(struct put *put, struct fault *fault)
{
	char text[FILE_ROOM], id[PUT_ID_TEXT], upload[VALUE_ROOM];
	size_t size = 0;
	if (!is_set(put->place.settings))
		return 0;
	CLEANUP_FD int dir = open_dir(put->place.settings, fault);
	if (dir < 0)
		return dir;
	put->resume = file_name(put);
	CLEANUP_FREE char *wanted = identity(put);
	if (!load(dir, put->resume, text, &size) || !has(text, size, "identity", wanted) ||
		upkeep_kv_get(text, size, "id", id, sizeof id) != PUT_ID_TEXT - 1 ||
		upkeep_kv_get(text, size, "upload", upload, sizeof upload) <= 0)
		return 0;
	put->upload = fault_format("%s", upload);
	int r = take_parts(put, fault);
	if (r == -ENOENT) { /* it was aborted, or completed, by now */
		free(TAKE_PTR(put->upload));
		fault_clear(fault);
		return 0;
	}
	if (r == 0)
		memcpy(put->id, id, sizeof put->id);
	else
		free(TAKE_PTR(put->upload));
	return r;
}

static int write_file(int dir, const char *name, const char *text, size_t size)
{
	CLEANUP_FREE char *partial = fault_format("%s.new", name);
	CLEANUP_FD int fd =
		openat(dir, partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	int r = write_all(fd, text, size);
	if (r == 0 && (fsync(fd) < 0 || renameat(dir, partial, dir, name) < 0 || fsync(dir) < 0))
		r = -errno;
	if (r < 0)
		unlinkat(dir, partial, 0);
	return r;
}

int put_resume_save(struct put *put, struct fault *fault)
{
	char text[FILE_ROOM];
	size_t size = 0;
	if (!put->resume)
		return 0;
	CLEANUP_FD int dir = open_dir(put->place.settings, fault);
	if (dir < 0)
		return dir;
	CLEANUP_FREE char *who = identity(put);
	int r = upkeep_kv_put(text, sizeof text, &size, "identity", who);
	if (r == 0)
		r = upkeep_kv_put(text, sizeof text, &size, "id", put->id);
	if (r == 0)
		r = upkeep_kv_put(text, sizeof text, &size, "upload", put->upload);
	if (r == 0)
		r = upkeep_kv_put(text, sizeof text, &size, "key", put->key);
	if (r == 0)
		r = write_file(dir, put->resume, text, size);
	return r < 0 ? fault_set(fault, r, NULL, "cannot write into \"%s\": %s",
			       put->place.settings->resume_dir, strerror(-r))
		     : 0;
}

void put_resume_forget(struct put *put)
{
	if (!put->resume)
		return;
	CLEANUP_FD int dir = open_dir(put->place.settings, NULL);
	if (dir >= 0)
		unlinkat(dir, put->resume, 0);
}

int put_resume_has(const struct settings *settings, const char *name, const char *upload)
{
	char text[FILE_ROOM];
	size_t size = 0;
	if (!is_set(settings) || !name[0] || strchr(name, '/') || name[0] == '.')
		return 0;
	CLEANUP_FD int dir = open_dir(settings, NULL);
	return dir >= 0 && load(dir, name, text, &size) && has(text, size, "upload", upload);
}
