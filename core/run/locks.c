/* SPDX-License-Identifier: MIT */
#include "run/locks.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#define HOST_DIR "/run/lock/upkeep"
#define HOST_PREFIX "host-"
#define LOOKS 5

static int lock_open(const char *dir, mode_t mode, const char *file, struct error *err)
{
	CLEANUP_TEXT struct text path = {0};

	int r = file_make_dirs(dir, mode, err);
	if (r < 0)
		return r;
	text_addf(&path, "%s/%s", dir, file);
	int fd = open(text_string(&path), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_set(err, -errno,
			errno == EACCES ? "start it as root, or as the user whose lock it is"
					: NULL,
			"cannot open the lock %s: %m", text_string(&path));
	return fd;
}

static void write_holder(int fd, const struct lock_holder *holder)
{
	CLEANUP_TEXT struct text text = {0};

	text_addf(&text, "%s %d %" PRId64 " %s %s\n", holder->run_id, (int)holder->keeper,
		holder->since_ms, holder->graph, holder->task);
	/* Only people read it; the lock holds without. */
	if (ftruncate(fd, 0) == 0 && pwrite(fd, text.bytes, text.size, 0) < 0)
		return;
}

struct holder_text {
	char id[64], graph[256], task[512];
	struct lock_holder holder;
};

/* Who wrote himself into it, false where nobody did (yet). */
static bool read_holder(int fd, struct holder_text *ret)
{
	char text[1024];
	int keeper;

	*ret = (struct holder_text){
		.holder = {.run_id = ret->id, .graph = ret->graph, .task = ret->task}};
	ssize_t n = pread(fd, text, sizeof text - 1, 0);
	text[n < 0 ? 0 : n] = 0;
	if (sscanf(text, "%63s %d %" SCNd64 " %255s %511s", ret->id, &keeper, &ret->holder.since_ms,
		    ret->graph, ret->task) < 3)
		return false;
	ret->holder.keeper = keeper;
	return true;
}

/* "...is held by run R (graph G, task T) since 2026-01-31 12:00:00" */
static int say_held(int fd, const char *file, struct error *err)
{
	const char *colon = strchr(file, ':');
	struct holder_text by;
	char since[32] = "";
	struct tm tm;

	if (!read_holder(fd, &by))
		return error_set(err, -EWOULDBLOCK, "upkeep locks",
			"the %.*s \"%s\" is held by another run", (int)(colon - file), file,
			colon + 1);
	time_t seconds = (time_t)(by.holder.since_ms / 1000);
	strftime(since, sizeof since, "%Y-%m-%d %H:%M:%S", localtime_r(&seconds, &tm));
	return error_set(err, -EWOULDBLOCK, "upkeep locks",
		"the %.*s \"%s\" is held by run %s (graph %s%s%s) since %s", (int)(colon - file),
		file, colon + 1, by.id, by.graph, *by.task ? ", task " : "", by.task, since);
}

/* One without a holder's text is looked at by `upkeep locks`, or taken just now. */
static int flock_exclusive(int fd)
{
	struct holder_text by;
	int r;

	for (int i = 0; (r = flock(fd, LOCK_EX | LOCK_NB)) < 0 && i < LOOKS; i++) {
		int code = errno;
		bool held = code != EWOULDBLOCK || read_holder(fd, &by);
		errno = code;
		if (held)
			break;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	return r;
}

static int take_file(const char *state_dir, const char *name, const char *file,
	const struct lock_holder *holder, struct error *err)
{
	bool host = text_starts(name, HOST_PREFIX);
	CLEANUP_TEXT struct text dir = {0};

	text_addf(&dir, "%s/locks", host ? "" : state_dir);
	CLEANUP_FD int fd = lock_open(host ? HOST_DIR : text_string(&dir), 0700, file, err);
	if (fd < 0)
		return fd;
	if (flock_exclusive(fd) < 0)
		return errno == EWOULDBLOCK
			? say_held(fd, file, err)
			: error_set(err, -errno, NULL, "cannot take the lock %s: %m", file);
	write_holder(fd, holder);
	return TAKE_FD(fd);
}

int lock_take(const char *state_dir, const char *kind, const char *name,
	const struct lock_holder *holder, struct error *err)
{
	CLEANUP_TEXT struct text file = {0};

	text_addf(&file, "%s:%s", kind, name);
	return take_file(state_dir, strcmp(kind, LOCK_GRAPH) == 0 ? "" : name, text_string(&file),
		holder, err);
}

int lock_take_place(const char *state_dir, const char *name, uint32_t places,
	const struct lock_holder *holder, struct error *err)
{
	int fd = -EWOULDBLOCK;

	for (uint32_t i = 0; i < places && fd == -EWOULDBLOCK; i++) {
		CLEANUP_TEXT struct text file = {0};
		text_addf(&file, LOCK_POOL ":%s.%" PRIu32, name, i);
		fd = take_file(state_dir, name, text_string(&file), holder, err);
	}
	return fd;
}

void lock_release(int fd)
{
	if (ftruncate(fd, 0) < 0)
		errno = 0;
	flock(fd, LOCK_UN);
	close(fd);
}

/* Held by somebody: we do not get it. */
static int list_one(int dir, const char *file, lock_reader *reader, void *data)
{
	CLEANUP_FD int fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	const char *colon = strchr(file, ':');
	struct holder_text by;
	char kind[16];

	if (fd < 0 || !colon || (size_t)(colon - file) >= sizeof kind ||
		flock(fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK)
		return 0;
	snprintf(kind, sizeof kind, "%.*s", (int)(colon - file), file);
	if (!read_holder(fd, &by))
		return 0;
	return reader(data, kind, colon + 1, &by.holder);
}

static int list_dir(const char *path, lock_reader *reader, void *data, struct error *err)
{
	CLEANUP_DIR DIR *dir = opendir(path);
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0
				       : error_set(err, -errno, NULL, "cannot read %s: %m", path);
	while (r == 0 && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			r = list_one(dirfd(dir), entry->d_name, reader, data);
	return r;
}

int locks_list(const char *state_dir, lock_reader *reader, void *data, struct error *err)
{
	CLEANUP_TEXT struct text path = {0};

	text_addf(&path, "%s/locks", state_dir);
	int r = list_dir(text_string(&path), reader, data, err);
	return r ? r : list_dir(HOST_DIR, reader, data, err);
}
