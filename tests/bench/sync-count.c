/* SPDX-License-Identifier: MIT */
/* A library to be preloaded: counts in the file $SYNC_COUNT, for all processes that have it, how
 * often something was synced, how often a database's log, and the most such syncs between two
 * waits for events.  The file has room for struct counts already. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

struct counts {
	_Atomic unsigned long syncs, log_syncs, most_a_turn;
};

static struct counts *counts;
static unsigned long this_turn;
static bool is_turning; /* not before the first wait: a database is being opened */

__attribute__((constructor)) static void counts_open(void)
{
	const char *path = getenv("SYNC_COUNT");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *map = fd < 0 ? MAP_FAILED
			   : mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map != MAP_FAILED)
		counts = map;
	if (fd >= 0)
		close(fd);
}

static void count(int fd)
{
	char link[64], name[4096];

	if (!counts)
		return;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t size = readlink(link, name, sizeof name);
	counts->syncs++;
	if (size < 4 || memcmp(name + size - 4, "-wal", 4) != 0)
		return;
	counts->log_syncs++;
	this_turn++;
}

int fsync(int fd)
{
	count(fd);
	return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

int fdatasync(int fd)
{
	count(fd);
	return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}

int epoll_wait(int fd, struct epoll_event *events, int most, int timeout_ms)
{
	if (counts && is_turning && this_turn > counts->most_a_turn)
		counts->most_a_turn = this_turn;
	is_turning = true;
	this_turn = 0;
	return ((int (*)(int, struct epoll_event *, int, int))dlsym(RTLD_NEXT, "epoll_wait"))(
		fd, events, most, timeout_ms);
}
