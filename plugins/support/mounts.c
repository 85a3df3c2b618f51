/* SPDX-License-Identifier: MIT */
#include "support/mounts.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#include "support/cleanup.h"

/* The kernel writes space, tab, newline and backslash as \ooo. */
static void unescape(char *text)
{
	char *to = text;
	for (const char *at = text; *at; at++) {
		if (at[0] == '\\' && at[1] >= '0' && at[1] <= '3' && at[2] && at[3]) {
			*to++ = (char)((at[1] - '0') * 64 + (at[2] - '0') * 8 + (at[3] - '0'));
			at += 3;
		} else {
			*to++ = *at;
		}
	}
	*to = 0;
}

static void mount_free(struct mount *m)
{
	free(m->path);
	free(m->device);
	free(m->type);
	free(m->options);
	free(m->super_options);
}

static char *word_copy(const char *word)
{
	char *copy = word ? strdup(word) : NULL;
	if (copy)
		unescape(copy);
	return copy;
}

/* "36 35 98:0 /root /path options [optional...] - type device super_options" */
static int line_parse(char *line, struct mount *m)
{
	char *save = NULL, *words[6];
	*m = (struct mount){0};
	for (size_t i = 0; i < 6; i++)
		if (!(words[i] = strtok_r(i ? NULL : line, " \n", &save)))
			return -EINVAL;
	char *word = strtok_r(NULL, " \n", &save);
	while (word && strcmp(word, "-") != 0)
		word = strtok_r(NULL, " \n", &save);
	snprintf(m->number, sizeof m->number, "%s", words[2]);
	m->path = word_copy(words[4]);
	m->options = word_copy(words[5]);
	m->type = word_copy(strtok_r(NULL, " \n", &save));
	m->device = word_copy(strtok_r(NULL, " \n", &save));
	m->super_options = word_copy(strtok_r(NULL, " \n", &save));
	if (m->path && m->options && m->type && m->device && m->super_options)
		return 0;
	mount_free(m);
	return -EINVAL;
}

int mounts_read(const char *mountinfo, struct mounts *ret)
{
	CLEANUP_FILE FILE *f = fopen(mountinfo, "re");
	CLEANUP_FREE char *line = NULL;
	size_t room = 0;
	*ret = (struct mounts){0};
	if (!f)
		return -errno;
	while (getline(&line, &room, f) > 0) {
		struct mount m;
		int r = line_parse(line, &m);
		if (r < 0)
			return r;
		struct mount *more = reallocarray(ret->items, ret->count + 1, sizeof *more);
		if (!more) {
			mount_free(&m);
			return -ENOMEM;
		}
		ret->items = more;
		more[ret->count++] = m;
	}
	return 0;
}

void mounts_free(struct mounts *mounts)
{
	for (size_t i = 0; i < mounts->count; i++)
		mount_free(&mounts->items[i]);
	free(mounts->items);
	*mounts = (struct mounts){0};
}

int mount_has(const char *options, const char *option)
{
	size_t n = strlen(option);
	for (const char *at = options; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
		if (strcspn(at, ",") == n && strncmp(at, option, n) == 0)
			return 1;
	return 0;
}

int mount_is_storage(const struct mount *mount)
{
	static const char *const remote[] = {"nfs", "nfs4", "cifs", "ceph", "zfs", "btrfs",
		"glusterfs", "fuse.sshfs", "9p", "virtiofs"};
	static const char *const images[] = {"squashfs", "iso9660", "udf", "erofs", "cramfs"};
	for (size_t i = 0; i < sizeof images / sizeof images[0]; i++)
		if (strcmp(mount->type, images[i]) == 0)
			return 0;
	if (mount->device[0] == '/')
		return strcmp(mount->type, "devtmpfs") != 0;
	for (size_t i = 0; i < sizeof remote / sizeof remote[0]; i++)
		if (strcmp(mount->type, remote[i]) == 0)
			return 1;
	return strcmp(mount->path, "/") == 0;
}

/* Shared by two threads; whoever leaves last frees it. */
struct question {
	pthread_mutex_t mutex;
	pthread_cond_t answered;
	int holders, done, code;
	struct statvfs answer;
	char path[];
};

static void question_leave(struct question *q)
{
	int last = --q->holders == 0;
	pthread_mutex_unlock(&q->mutex);
	if (!last)
		return;
	pthread_mutex_destroy(&q->mutex);
	pthread_cond_destroy(&q->answered);
	free(q);
}

static void *question_ask(void *arg)
{
	struct question *q = arg;
	struct statvfs answer;
	int code = statvfs(q->path, &answer) < 0 ? -errno : 0;
	pthread_mutex_lock(&q->mutex);
	if (code == 0)
		q->answer = answer;
	q->code = code;
	q->done = 1;
	pthread_cond_signal(&q->answered);
	question_leave(q);
	return NULL;
}

static struct question *question_start(const char *path)
{
	struct question *q = calloc(1, sizeof *q + strlen(path) + 1);
	pthread_condattr_t clock;
	pthread_attr_t detached;
	pthread_t thread;
	if (!q)
		return NULL;
	memcpy(q->path, path, strlen(path) + 1);
	q->holders = 2;
	pthread_mutex_init(&q->mutex, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&q->answered, &clock);
	pthread_condattr_destroy(&clock);
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	int r = pthread_create(&thread, &detached, question_ask, q);
	pthread_attr_destroy(&detached);
	if (r == 0)
		return q;
	q->holders = 1;
	pthread_mutex_lock(&q->mutex);
	question_leave(q);
	return NULL;
}

static void space_fill(const struct statvfs *v, struct mount_space *ret)
{
	uint64_t unit = v->f_frsize ? v->f_frsize : v->f_bsize;
	double used = (double)(v->f_blocks - v->f_bfree);
	double usable = used + (double)v->f_bavail;
	*ret = (struct mount_space){
		.total_bytes = v->f_blocks * unit,
		.used_bytes = (v->f_blocks - v->f_bfree) * unit,
		.free_bytes = v->f_bavail * unit,
		.used_percent = usable > 0 ? 100 * used / usable : 0,
		.inodes_percent = v->f_files
			? 100 * (double)(v->f_files - v->f_ffree) / (double)v->f_files
			: 0,
	};
}

int mount_space(const char *path, int64_t timeout_ms, struct mount_space *ret)
{
	struct timespec end;
	struct question *q = question_start(path);
	int r = 0;
	if (!q)
		return -EAGAIN;
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += timeout_ms / 1000;
	end.tv_nsec += timeout_ms % 1000 * 1000000;
	if (end.tv_nsec >= 1000000000) {
		end.tv_sec++;
		end.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&q->mutex);
	while (!q->done && r == 0)
		r = pthread_cond_timedwait(&q->answered, &q->mutex, &end);
	int code = q->done ? q->code : -ETIMEDOUT;
	if (q->done && code == 0)
		space_fill(&q->answer, ret);
	question_leave(q);
	return code;
}
