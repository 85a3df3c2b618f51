/* SPDX-License-Identifier: MIT */
#include "writers.h"

#include <ctype.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "support/cleanup.h"

static int text_read(int dir_fd, const char *path, char *text, size_t room)
{
	CLEANUP_FD int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, text, room - 1);
	if (n < 0)
		return -errno;
	text[n] = 0;
	return 0;
}

/* The open flags of descriptor `name`, from fdinfo; -1: gone. */
static int flags_read(int process_fd, const char *name)
{
	char path[300], text[512];
	snprintf(path, sizeof path, "fdinfo/%s", name);
	if (text_read(process_fd, path, text, sizeof text) < 0)
		return -1;
	const char *at = strstr(text, "flags:");
	return at ? (int)strtoul(at + 6, NULL, 8) : -1;
}

static int writer_add(struct writers *writers, int pid, int process_fd, int flags)
{
	struct writer *more = reallocarray(writers->items, writers->count + 1, sizeof *more);
	if (!more)
		return -ENOMEM;
	writers->items = more;
	struct writer *w = &more[writers->count++];
	*w = (struct writer){.pid = pid, .appends = (flags & O_APPEND) != 0};
	if (text_read(process_fd, "comm", w->name, sizeof w->name) == 0)
		w->name[strcspn(w->name, "\n")] = 0;
	return 0;
}

static int descriptor_look(struct writers *writers, int pid, int process_fd, int fds_fd,
	const char *name, uint64_t dev, uint64_t ino)
{
	struct stat st;
	if (fstatat(fds_fd, name, &st, 0) < 0 || st.st_dev != dev || st.st_ino != ino)
		return 0;
	int flags = flags_read(process_fd, name);
	if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY || (flags & O_PATH))
		return 0;
	return writer_add(writers, pid, process_fd, flags);
}

static int process_look(
	struct writers *writers, int proc_fd, const char *pid, uint64_t dev, uint64_t ino)
{
	CLEANUP_FD int process_fd = openat(proc_fd, pid, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (process_fd < 0)
		return 0;
	int fds_fd = openat(process_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP_DIR DIR *fds = fds_fd < 0 ? NULL : fdopendir(fds_fd);
	if (!fds) {
		writers->unseen += errno == EACCES || errno == EPERM;
		if (fds_fd >= 0)
			close(fds_fd);
		return 0;
	}
	for (struct dirent *entry; (entry = readdir(fds));) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		int r = descriptor_look(
			writers, atoi(pid), process_fd, fds_fd, entry->d_name, dev, ino);
		if (r < 0)
			return r;
	}
	return 0;
}

int writers_find(uint64_t dev, uint64_t ino, struct writers *ret)
{
	*ret = (struct writers){0};
	CLEANUP_DIR DIR *proc = opendir("/proc");
	if (!proc)
		return -errno;
	for (struct dirent *entry; (entry = readdir(proc));) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		int r = process_look(ret, dirfd(proc), entry->d_name, dev, ino);
		if (r < 0)
			return r;
	}
	return 0;
}

void writers_free(struct writers *writers)
{
	free(writers->items);
	*writers = (struct writers){0};
}

int writers_hold_off(int fd)
{
	/* the notice that somebody waits must not be SIGIO, which kills */
	if (fcntl(fd, F_SETSIG, SIGURG) < 0)
		return -errno;
	if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0)
		return 1;
	return errno == EAGAIN ? 0 : -errno;
}

void writers_release(int fd)
{
	fcntl(fd, F_SETLEASE, F_UNLCK);
}

int writers_any(int fd, int *ret_unsure)
{
	struct stat st;
	int none = writers_hold_off(fd);
	*ret_unsure = 0;
	if (none == 1)
		writers_release(fd);
	if (none >= 0)
		return !none;
	CLEANUP_WRITERS struct writers writers;
	if (fstat(fd, &st) < 0 || writers_find(st.st_dev, st.st_ino, &writers) < 0)
		return *ret_unsure = 1;
	*ret_unsure = writers.unseen > 0;
	return writers.count > 0;
}
