/* SPDX-License-Identifier: MIT */
/* See inject.h.  A child of clone with CLONE_VM (process_spawn) makes raw system calls only:
 * it never comes here. */
#include "inject.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static struct inject_page *page; /* NULL: nothing is asked of us */
static enum inject_role role;
static pid_t self;

static void enlist(void)
{
	self = getpid();
	uint32_t at = atomic_fetch_add(&page->process_count, 1);
	if (at >= INJECT_PROCESSES)
		return;
	page->processes[at].role = role;
	page->processes[at].pid = self;
	/* All are to die: who comes while they are killed may not have been seen. */
	if (page->victims == INJECT_ALL && page->fired)
		syscall(SYS_kill, self, SIGKILL);
}

/* A child of fork: it has told who it is by its name, or is what its parent is. */
static void be_child(void)
{
	char name[17] = "";

	prctl(PR_GET_NAME, name);
	if (strcmp(name, "upkeep-engine") == 0)
		role = INJECT_ENGINE;
	else if (strcmp(name, "upkeep-guard") == 0)
		role = INJECT_GUARD;
	enlist();
}

static bool is_command(int argc, char **argv)
{
	static const char *const words[] = {"run", "recover", "rollback", "resume"};
	const char *name = argc ? strrchr(argv[0], '/') : NULL;

	if (argc < 2 || strcmp(name ? name + 1 : argv[0], "upkeep") != 0)
		return false;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcmp(argv[1], words[i]) == 0)
			return true;
	return false;
}

__attribute__((constructor)) static void inject_open(int argc, char **argv)
{
	const char *path = getenv(INJECT_FILE);
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;

	if (fd < 0)
		return;
	void *mapped = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (mapped == MAP_FAILED)
		return;
	role = argc > 1 && strcmp(argv[1], "--worker") == 0 ? INJECT_WORKER
		: is_command(argc, argv)                    ? INJECT_KEEPER
							    : INJECT_PROGRAM;
	page = mapped;
	enlist();
}

/* ---- what is done at a call ---- */

static void signal_some(uint32_t roles, int signal)
{
	uint32_t count = page->process_count;

	for (uint32_t i = 0; i < count && i < INJECT_PROCESSES; i++) {
		pid_t pid = page->processes[i].pid;
		if (pid > 0 && pid != self && roles & 1u << page->processes[i].role)
			syscall(SYS_kill, pid, signal);
	}
}

/* Keeper and engine end what they have started, and that may be we: they stand still while the
 * others are killed, and come last. */
static void kill_victims(void)
{
	uint32_t parents = page->victims & (1u << INJECT_KEEPER | 1u << INJECT_ENGINE);

	signal_some(parents, SIGSTOP);
	signal_some(page->victims & ~parents, SIGKILL);
	signal_some(parents, SIGKILL);
	if (page->victims & 1u << role)
		for (;;)
			syscall(SYS_kill, self, SIGKILL);
}

static bool fire(const char *call)
{
	uint32_t none = 0;

	if (!atomic_compare_exchange_strong(&page->fired, &none, 1))
		return false;
	strncpy(page->call, call, INJECT_CALL_SIZE - 1);
	return true;
}

/* 0: nothing; else what is to happen at this call. */
static enum inject_how call_begin(const char *call, bool disk)
{
	if (!page)
		return INJECT_COUNT;
	if (self != getpid())
		be_child();
	uint64_t at = atomic_fetch_add(&page->calls[role], 1) + 1;
	uint64_t disk_at = disk ? atomic_fetch_add(&page->disk_calls[role], 1) + 1 : 0;
	enum inject_how how = page->how;
	bool fails = how >= INJECT_ENOSPC;
	if (page->role != role || how == INJECT_COUNT)
		return INJECT_COUNT;
	if (how == INJECT_FULL && disk && disk_at >= page->point) {
		fire(call);
		return how;
	}
	if ((fails ? disk_at : at) != page->point || !fire(call))
		return INJECT_COUNT;
	if (how == INJECT_BEFORE)
		kill_victims();
	return how;
}

static bool call_fails(enum inject_how how)
{
	if (how != INJECT_ENOSPC && how != INJECT_EIO && how != INJECT_FULL)
		return false;
	errno = how == INJECT_EIO ? EIO : ENOSPC;
	return true;
}

static void call_end(enum inject_how how)
{
	int before = errno;

	if (how == INJECT_AFTER || how == INJECT_HALF)
		kill_victims();
	errno = before;
}

static bool is_file(int fd)
{
	struct stat st;
	int before = errno;
	bool yes = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);

	errno = before;
	return yes;
}

/* The next function of that name, looked up once. */
#define NEXT(name)                     \
	static __typeof__(&name) next; \
	if (!next)                     \
	*(void **)&next = dlsym(RTLD_NEXT, #name)
#define MAKE_CALL(type, name, disk, call)              \
	NEXT(name);                                    \
	enum inject_how how = call_begin(#name, disk); \
	if (call_fails(how))                           \
		return (type)-1;                       \
	if (how == INJECT_HALF)                        \
		kill_victims();                        \
	type made = call;                              \
	call_end(how);                                 \
	return made

#define WRAP1(type, name, t1, disk)                   \
	type name(t1 a);                              \
	type name(t1 a)                               \
	{                                             \
		MAKE_CALL(type, name, disk, next(a)); \
	}
#define WRAP2(type, name, t1, t2, disk)                  \
	type name(t1 a, t2 b);                           \
	type name(t1 a, t2 b)                            \
	{                                                \
		MAKE_CALL(type, name, disk, next(a, b)); \
	}
#define WRAP3(type, name, t1, t2, t3, disk)                 \
	type name(t1 a, t2 b, t3 c);                        \
	type name(t1 a, t2 b, t3 c)                         \
	{                                                   \
		MAKE_CALL(type, name, disk, next(a, b, c)); \
	}
#define WRAP4(type, name, t1, t2, t3, t4, disk)                \
	type name(t1 a, t2 b, t3 c, t4 d);                     \
	type name(t1 a, t2 b, t3 c, t4 d)                      \
	{                                                      \
		MAKE_CALL(type, name, disk, next(a, b, c, d)); \
	}
#define WRAP5(type, name, t1, t2, t3, t4, t5, disk)               \
	type name(t1 a, t2 b, t3 c, t4 d, t5 e);                  \
	type name(t1 a, t2 b, t3 c, t4 d, t5 e)                   \
	{                                                         \
		MAKE_CALL(type, name, disk, next(a, b, c, d, e)); \
	}
/* A write, of which half may come through. */
#define WRAP_WRITE(name, declared, fd, size, half, whole)             \
	ssize_t name declared;                                        \
	ssize_t name declared                                         \
	{                                                             \
		NEXT(name);                                           \
		enum inject_how how = call_begin(#name, is_file(fd)); \
		if (call_fails(how))                                  \
			return -1;                                    \
		ssize_t made = how == INJECT_HALF ? half : whole;     \
		call_end(how);                                        \
		return made;                                          \
	}

WRAP_WRITE(write, (int fd, const void *b, size_t n), fd, n, next(fd, b, n / 2), next(fd, b, n))
WRAP_WRITE(pwrite, (int fd, const void *b, size_t n, off_t at), fd, n, next(fd, b, n / 2, at),
	next(fd, b, n, at))
WRAP_WRITE(pwrite64, (int fd, const void *b, size_t n, off64_t at), fd, n, next(fd, b, n / 2, at),
	next(fd, b, n, at))
WRAP_WRITE(writev, (int fd, const struct iovec *v, int n), fd, n, next(fd, v, 0), next(fd, v, n))
WRAP_WRITE(pwritev, (int fd, const struct iovec *v, int n, off_t at), fd, n, next(fd, v, 0, at),
	next(fd, v, n, at))
WRAP1(int, fsync, int, true)
WRAP1(int, fdatasync, int, true)
WRAP1(int, syncfs, int, true)
WRAP2(int, rename, const char *, const char *, true)
WRAP4(int, renameat, int, const char *, int, const char *, true)
WRAP5(int, renameat2, int, const char *, int, const char *, unsigned int, true)
WRAP2(int, link, const char *, const char *, true)
WRAP5(int, linkat, int, const char *, int, const char *, int, true)
WRAP2(int, symlink, const char *, const char *, true)
WRAP3(int, symlinkat, const char *, int, const char *, true)
WRAP1(int, unlink, const char *, true)
WRAP3(int, unlinkat, int, const char *, int, true)
WRAP1(int, rmdir, const char *, true)
WRAP2(int, mkdir, const char *, mode_t, true)
WRAP3(int, mkdirat, int, const char *, mode_t, true)
WRAP2(int, ftruncate, int, off_t, true)
WRAP2(int, ftruncate64, int, off64_t, true)
WRAP2(int, truncate, const char *, off_t, true)
WRAP4(int, fallocate, int, int, off_t, off_t, true)
WRAP4(int, fallocate64, int, int, off64_t, off64_t, true)
WRAP2(int, chmod, const char *, mode_t, true)
WRAP2(int, fchmod, int, mode_t, true)
WRAP4(int, fchmodat, int, const char *, mode_t, int, true)
WRAP3(int, chown, const char *, uid_t, gid_t, true)
WRAP3(int, fchown, int, uid_t, gid_t, true)
WRAP5(int, fchownat, int, const char *, uid_t, gid_t, int, true)
WRAP5(int, setxattr, const char *, const char *, const void *, size_t, int, true)
WRAP5(int, fsetxattr, int, const char *, const void *, size_t, int, true)
WRAP2(int, fremovexattr, int, const char *, true)
WRAP3(int, msync, void *, size_t, int, true)
WRAP3(ssize_t, sendmsg, int, const struct msghdr *, int, false)
WRAP4(ssize_t, send, int, const void *, size_t, int, false)
WRAP2(int, kill, pid_t, int, false)
WRAP2(int, flock, int, int, false)
WRAP4(ssize_t, sendfile, int, int, off_t *, size_t, true)

int utimensat(int dir, const char *path, const struct timespec times[2], int flags)
{
	MAKE_CALL(int, utimensat, true, next(dir, path, times, flags));
}

int futimens(int fd, const struct timespec times[2])
{
	MAKE_CALL(int, futimens, true, next(fd, times));
}

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t size, unsigned flags)
{
	MAKE_CALL(ssize_t, copy_file_range, true, next(in, from, out, to, size, flags));
}

/* Of opens only those count that make or empty a file. */
#define CHANGES (O_CREAT | O_TRUNC)
#define WRAP_OPEN(name, declared, flags, call)                                          \
	int name declared                                                               \
	{                                                                               \
		va_list ap;                                                             \
		va_start(ap, flags);                                                    \
		mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0; \
		va_end(ap);                                                             \
		if (!(flags & CHANGES)) {                                               \
			NEXT(name);                                                     \
			return call;                                                    \
		}                                                                       \
		MAKE_CALL(int, name, true, call);                                       \
	}
WRAP_OPEN(open, (const char *path, int flags, ...), flags, next(path, flags, mode))
WRAP_OPEN(open64, (const char *path, int flags, ...), flags, next(path, flags, mode))
WRAP_OPEN(openat, (int dir, const char *path, int flags, ...), flags, next(dir, path, flags, mode))
WRAP_OPEN(
	openat64, (int dir, const char *path, int flags, ...), flags, next(dir, path, flags, mode))

int posix_fallocate(int fd, off_t offset, off_t size)
{
	NEXT(posix_fallocate);
	enum inject_how how = call_begin("posix_fallocate", true);
	if (call_fails(how))
		return errno;
	int made = next(fd, offset, size);
	call_end(how);
	return made;
}
