/* SPDX-License-Identifier: MIT */
#include "run/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STATUS = 2, ENVIRONMENT, PARENT, UID, GID, GROUPS, CWD, PATH, ARGV };
#define GROUPS_MAX 1024

static void __attribute__((noreturn)) give_up(int status_fd, const char *what, const char *on)
{
	int code = errno;

	dprintf(status_fd, "cannot %s %s: %s", what, on, strerror(code));
	_exit(127);
}

static void change_user(int status_fd, char *const *argv)
{
	gid_t groups[GROUPS_MAX];
	size_t count = 0;
	gid_t gid = (gid_t)strtoul(argv[GID], NULL, 10);
	uid_t uid = (uid_t)strtoul(argv[UID], NULL, 10);

	for (char *at = argv[GROUPS]; *at && count < GROUPS_MAX; at += *at == ',')
		groups[count++] = (gid_t)strtoul(at, &at, 10);
	if (setgroups(count, groups) < 0 || setresgid(gid, gid, gid) < 0 ||
		setresuid(uid, uid, uid) < 0)
		give_up(status_fd, "change to user", argv[UID]);
}

static char **read_environment(int status_fd, int fd)
{
	struct stat st;
	size_t size = fstat(fd, &st) == 0 ? (size_t)st.st_size : 0, count = 0;
	char *bytes = malloc(size + 1);
	char **list = calloc(size + 1, sizeof *list);

	if (!bytes || !list || pread(fd, bytes, size, 0) != (ssize_t)size)
		give_up(status_fd, "read", "the environment");
	bytes[size] = 0;
	for (char *at = bytes; at < bytes + size; at += strlen(at) + 1)
		list[count++] = at;
	return list;
}

int launch_entry(int argc, char *const *argv)
{
	if (argc <= ARGV || strcmp(argv[1], "--launch") != 0)
		return -1;
	int status_fd = atoi(argv[STATUS]);
	fcntl(status_fd, F_SETFD, FD_CLOEXEC);
	fcntl(atoi(argv[ENVIRONMENT]), F_SETFD, FD_CLOEXEC);
	char **environment = read_environment(status_fd, atoi(argv[ENVIRONMENT]));
	if (*argv[UID])
		change_user(status_fd, argv);
	/* After the change of user, which clears it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != atoi(argv[PARENT]))
		_exit(127);
	if (chdir(argv[CWD]) < 0)
		give_up(status_fd, "enter", argv[CWD]);
	execve(argv[PATH], argv + ARGV, environment);
	give_up(status_fd, "execute", argv[PATH]);
}
