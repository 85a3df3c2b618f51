/* SPDX-License-Identifier: MIT */
/*
 * spawn-loop N: the bare limit that a runner of N programs is measured against:
 * /bin/true N times, two at a time, each in a process group of its own, both of its
 * outputs read through pipes to their end.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define AT_ONCE 2

struct child {
	pid_t pid;
	int outputs[2]; /* -1: at its end */
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void start(struct child *child)
{
	static char program[] = "/bin/true", *const argv[] = {program, NULL},
		    *const envp[] = {NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int ends[2][2];

	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
	for (int i = 0; i < 2; i++) {
		if (pipe2(ends[i], O_CLOEXEC) < 0)
			fail("pipe2");
		posix_spawn_file_actions_adddup2(&actions, ends[i][1], i + 1);
		child->outputs[i] = ends[i][0];
	}
	errno = posix_spawn(&child->pid, argv[0], &actions, &attributes, argv, envp);
	if (errno)
		fail("posix_spawn");
	for (int i = 0; i < 2; i++)
		close(ends[i][1]);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
}

/* One read of each output that is ready; true when both are at their end. */
static int drain(struct child *child, const struct pollfd *ready)
{
	char bytes[4096];

	for (int i = 0; i < 2; i++) {
		if (child->outputs[i] < 0 || !ready[i].revents)
			continue;
		if (read(child->outputs[i], bytes, sizeof bytes) <= 0) {
			close(child->outputs[i]);
			child->outputs[i] = -1;
		}
	}
	return child->outputs[0] < 0 && child->outputs[1] < 0;
}

int main(int argc, char **argv)
{
	struct child children[AT_ONCE] = {0};
	struct pollfd ready[2 * AT_ONCE];
	long left = argc > 1 ? atol(argv[1]) : 10000;
	int running = 0;

	while (left > 0 || running > 0) {
		for (int i = 0; i < AT_ONCE; i++) {
			if (!children[i].pid && left > 0) {
				start(&children[i]);
				left--;
				running++;
			}
			for (int k = 0; k < 2; k++)
				ready[2 * i + k] = (struct pollfd){
					.fd = children[i].pid ? children[i].outputs[k] : -1,
					.events = POLLIN};
		}
		if (poll(ready, 2 * AT_ONCE, -1) < 0)
			fail("poll");
		for (int i = 0; i < AT_ONCE; i++) {
			if (!children[i].pid || !drain(&children[i], ready + 2 * i))
				continue;
			waitpid(children[i].pid, NULL, 0);
			children[i].pid = 0;
			running--;
		}
	}
	return 0;
}
