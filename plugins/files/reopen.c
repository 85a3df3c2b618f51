/* SPDX-License-Identifier: MIT */
#include "reopen.h"

#include <ctype.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "support/beneath.h"
#include "support/cleanup.h"
#include "writers.h"

#define POLL_MS 20

static int signal_number(const char *name)
{
	static const struct {
		const char *name;
		int number;
	} known[] = {{"HUP", SIGHUP}, {"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"WINCH", SIGWINCH},
		{"TERM", SIGTERM}};
	for (size_t i = 0; i < UPKEEP_COUNT(known); i++)
		if (strcmp(known[i].name, name) == 0)
			return known[i].number;
	return SIGHUP;
}

int reopen_possible(const struct reopen *reopen)
{
	return (reopen->pid_file && reopen->pid_file[0]) ||
		(reopen->processes && reopen->processes[0]);
}

/* Sends through a pidfd, so that the process asked about is the one that gets it.
 * `uid`: who may be signalled; (uid_t)-1: anybody.  -EPERM: of another user. */
static int process_signal(int pid, int number, uid_t uid)
{
	char path[32];
	struct stat st;
	CLEANUP_FD int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0 && errno != ENOSYS)
		return -errno;
	snprintf(path, sizeof path, "/proc/%d", pid);
	if (stat(path, &st) < 0)
		return -ESRCH;
	if (uid != (uid_t)-1 && st.st_uid != uid)
		return -EPERM;
	long r = fd < 0 ? kill(pid, number) : syscall(SYS_pidfd_send_signal, fd, number, NULL, 0);
	return r < 0 ? -errno : 0;
}

/* Whom the pid file may name: anybody when only root or the caller could have
 * written it, else its owner's own processes. */
static uid_t pid_file_reach(const struct stat *dir, const struct stat *st)
{
	int trusted = (st->st_uid == 0 || st->st_uid == geteuid()) && !(st->st_mode & 022) &&
		(dir->st_uid == 0 || dir->st_uid == geteuid()) &&
		(!(dir->st_mode & 022) || (dir->st_mode & S_ISVTX));
	return trusted ? (uid_t)-1 : st->st_uid;
}

static int pid_file_read(const char *path, int *ret_pid, uid_t *ret_reach)
{
	char text[32], dir[4096];
	struct stat dir_st, st;
	const char *slash = strrchr(path, '/');
	if (!slash || (size_t)(slash - path) >= sizeof dir)
		return -EINVAL;
	snprintf(dir, sizeof dir, "%.*s", (int)(slash - path), path);
	CLEANUP_FD int dir_fd = beneath_open_dir(dir[0] ? dir : "/");
	if (dir_fd < 0)
		return dir_fd;
	CLEANUP_FD int fd = beneath_open_file(dir_fd, slash + 1, O_RDONLY, &st);
	if (fd < 0)
		return fd;
	ssize_t n = read(fd, text, sizeof text - 1);
	if (n < 0 || fstat(dir_fd, &dir_st) < 0)
		return -errno;
	text[n] = 0;
	*ret_pid = atoi(text);
	*ret_reach = pid_file_reach(&dir_st, &st);
	return *ret_pid > 1 ? 0 : -EINVAL;
}

static int32_t pid_file_tell(struct upkeep_ctx *ctx, const char *path, int number)
{
	int pid = 0;
	uid_t reach = 0;
	int r = pid_file_read(path, &pid, &reach);
	if (r < 0)
		return upkeep_fail(ctx, UPKEEP_FAILED, "give the path without symbolic links",
			strerror(-r), "cannot read a process id from \"%s\"", path);
	r = process_signal(pid, number, reach);
	if (r == -EPERM && reach != (uid_t)-1)
		return upkeep_fail(ctx, UPKEEP_FAILED,
			"let root own the pid file and its directory",
			"the file could have been written by somebody else",
			"will not signal process %d, which \"%s\" names", pid, path);
	if (r < 0)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, strerror(-r),
			"cannot signal process %d, which \"%s\" names", pid, path);
	return 0;
}

static int name_listed(const char *names, const char *name)
{
	size_t n = strlen(name);
	for (const char *at = names; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
		size_t length = strcspn(at, ",");
		/* the kernel keeps 15 bytes of a name */
		if ((length == n || (n == 15 && length > 15)) && strncmp(at, name, n) == 0)
			return 1;
	}
	return 0;
}

static int process_name(const char *pid, char name[20])
{
	char path[300];
	snprintf(path, sizeof path, "/proc/%s/comm", pid);
	CLEANUP_FILE FILE *f = fopen(path, "re");
	if (!f || !fgets(name, 20, f))
		return -ENOENT;
	name[strcspn(name, "\n")] = 0;
	/* cppcheck-suppress resourceLeak ; CLEANUP_FILE closes it */
	return 0;
}

static int32_t processes_tell(struct upkeep_ctx *ctx, const char *names, int number)
{
	char name[20];
	int told = 0;
	CLEANUP_DIR DIR *proc = opendir("/proc");
	for (struct dirent *entry; proc && (entry = readdir(proc));)
		if (isdigit((unsigned char)entry->d_name[0]) &&
			process_name(entry->d_name, name) == 0 && name_listed(names, name) &&
			process_signal(atoi(entry->d_name), number, (uid_t)-1) == 0)
			told++;
	if (told == 0)
		return upkeep_fail(ctx, UPKEEP_FAILED, "check `processes`: ps -eo comm",
			"no process of that name could be signalled",
			"cannot tell \"%s\" to reopen", names);
	return 0;
}

int32_t reopen_tell(struct upkeep_ctx *ctx, const struct reopen *reopen)
{
	int number = signal_number(reopen->signal && reopen->signal[0] ? reopen->signal : "HUP");
	int32_t r = 0;
	if (reopen->pid_file && reopen->pid_file[0])
		r = pid_file_tell(ctx, reopen->pid_file, number);
	if (r == 0 && reopen->processes && reopen->processes[0])
		r = processes_tell(ctx, reopen->processes, number);
	return r;
}

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int32_t reopen_wait(struct upkeep_ctx *ctx, int fd, const char *path, int64_t wait_ms)
{
	int64_t end = now_ms() + wait_ms;
	struct pollfd cancel = {.fd = ctx->host->cancel_fd(ctx), .events = POLLIN};
	int unsure;
	while (writers_any(fd, &unsure)) {
		if (now_ms() >= end)
			return upkeep_fail(ctx, UPKEEP_FAILED,
				"check `signal`, `pid_file` and `processes`, or raise `wait`",
				"a process still has it open for writing",
				"the writer of \"%s\" did not reopen it", path);
		if (poll(&cancel, 1, POLL_MS) > 0)
			return UPKEEP_CANCELLED;
	}
	return 0;
}
