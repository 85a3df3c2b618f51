/* SPDX-License-Identifier: MIT */
/*
 * measure FILE TIMES COMMAND...: runs the command that many times, one after the other, and
 * writes "CPU_US PEAK_KIB WALL_US" to FILE: the processor time of all and of all that they
 * waited for, the memory of the largest of them.
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
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

/* The exit status, 128 + its signal, or -1. */
static int run_once(char **argv)
{
	pid_t pid;
	int status;

	errno = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
	if (errno || waitpid(pid, &status, 0) < 0)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	struct rusage used;
	int status = 0;

	if (argc < 4) {
		fputs("usage: measure FILE TIMES COMMAND...\n", stderr);
		return 64;
	}
	long long start_us = now_us();
	for (int i = 0; i < atoi(argv[2]) && status == 0; i++)
		status = run_once(argv + 3);
	if (status < 0 || getrusage(RUSAGE_CHILDREN, &used) < 0) {
		fprintf(stderr, "measure: %s: %s\n", argv[3], strerror(errno));
		return 70;
	}
	FILE *out = fopen(argv[1], "we");
	if (!out ||
		fprintf(out, "%lld %ld %lld\n", micros(used.ru_utime) + micros(used.ru_stime),
			used.ru_maxrss, now_us() - start_us) < 0 ||
		fclose(out) != 0) {
		perror(argv[1]);
		return 70;
	}
	return status;
}
