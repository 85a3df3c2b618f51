/* SPDX-License-Identifier: MIT */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

void (*fault_last_words)(void);

static struct {
	int on, count, n;
	enum fault fault;
	void (*deed)(void);
} now;

void fault_on(enum fault fault, int n, void (*deed)(void))
{
	now.on = 1;
	now.count = 0;
	now.n = n;
	now.fault = fault;
	now.deed = deed;
}

int fault_off(void)
{
	now.on = 0;
	return now.count;
}

static void end_here(void)
{
	now.on = 0;
	if (fault_last_words)
		fault_last_words();
	raise(SIGKILL);
}

/* True where the call is to fail. */
static int before(int *ret_last)
{
	*ret_last = 0;
	if (!now.on || ++now.count != now.n)
		return 0;
	if (now.fault == FAULT_DEED) {
		now.on = 0; /* what the deed does is not counted */
		now.deed();
		now.on = 1;
	} else if (now.fault == FAULT_BEFORE) {
		end_here();
	}
	*ret_last = now.fault == FAULT_AFTER;
	if (now.fault == FAULT_FAIL)
		errno = EIO;
	return now.fault == FAULT_FAIL;
}

#define WRAP(name, parameters, arguments)        \
	int __real_##name parameters;            \
	int __wrap_##name parameters;            \
	int __wrap_##name parameters             \
	{                                        \
		int last;                        \
		if (before(&last))               \
			return -1;               \
		int r = __real_##name arguments; \
		if (last)                        \
			end_here();              \
		return r;                        \
	}

WRAP(renameat2, (int a, const char *from, int b, const char *to, unsigned flags),
	(a, from, b, to, flags))
WRAP(renameat, (int a, const char *from, int b, const char *to), (a, from, b, to))
WRAP(linkat, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags))
WRAP(unlinkat, (int dir, const char *name, int flags), (dir, name, flags))
WRAP(mkdirat, (int dir, const char *name, mode_t mode), (dir, name, mode))
WRAP(ftruncate, (int fd, off_t size), (fd, size))
WRAP(fallocate, (int fd, int mode, off_t at, off_t size), (fd, mode, at, size))
WRAP(futimens, (int fd, const struct timespec *times), (fd, times))

/* No power is cut here: it is counted, and costs no time. */
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	int last;
	if (before(&last))
		return -1;
	if (last)
		end_here();
	return fcntl(fd, F_GETFD) < 0 ? -1 : 0;
}

int __real_openat(int dir, const char *name, int flags, ...);
int __wrap_openat(int dir, const char *name, int flags, ...);
int __wrap_openat(int dir, const char *name, int flags, ...)
{
	mode_t mode = 0;
	int last = 0;
	if (flags & O_CREAT) {
		va_list ap;
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
		if (before(&last))
			return -1;
	}
	int fd = __real_openat(dir, name, flags, mode);
	if (last)
		end_here();
	return fd;
}
