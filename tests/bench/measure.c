/* SPDX-License-Identifier: MIT */
/*
 * measure FILE COMMAND...: runs the command and writes "CPU_US PEAK_KIB WALL_US" to FILE: the
 * processor time of it and of all that it waited for, the memory of the largest of them.
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static long long micros(struct timeval t)
{
	return t.tv_sec * 1000000LL + t.tv_usec;
}

static long long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
	struct rusage used;
	pid_t pid;
	int status;

	if (argc < 3) {
		fputs("usage: measure FILE COMMAND...\n", stderr);
		return 64;
	}
	long long start_us = now_us();
	errno = posix_spawnp(&pid, argv[2], NULL, NULL, argv + 2, environ);
	if (errno || waitpid(pid, &status, 0) < 0 || getrusage(RUSAGE_CHILDREN, &used) < 0) {
		fprintf(stderr, "measure: %s: %s\n", argv[2], strerror(errno));
		return 70;
	}
	FILE *out = fopen(argv[1], "we");
	if (!out || fprintf(out, "%lld %ld %lld\n", micros(used.ru_utime) + micros(used.ru_stime),
			    used.ru_maxrss, now_us() - start_us) < 0 ||
		fclose(out) != 0) {
		perror(argv[1]);
		return 70;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
