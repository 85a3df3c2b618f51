/* SPDX-License-Identifier: MIT */
/*
 * log-writer LOG PID_FILE: appends 10,000 numbered lines a second to LOG, each in one write,
 * ten every millisecond; reopens it on HUP; on TERM ends and prints how many it wrote.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 100
#define BURST 10
#define PAUSE_NS 1000000

static volatile sig_atomic_t reopen, stop;

static void on_signal(int signal)
{
	if (signal == SIGHUP)
		reopen = 1;
	else
		stop = 1;
}

static int open_log(const char *path, int old)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);

	if (fd >= 0 && old >= 0)
		close(old);
	return fd >= 0 ? fd : old;
}

static int write_line(int fd, long number)
{
	char line[LINE_BYTES + 1];

	int n = snprintf(line, sizeof line, "line %09ld ", number);
	memset(line + n, '.', LINE_BYTES - (size_t)n);
	line[LINE_BYTES - 1] = '\n';
	return write(fd, line, LINE_BYTES) == LINE_BYTES ? 0 : -1;
}

static void pause_until(struct timespec *next)
{
	next->tv_nsec += PAUSE_NS;
	if (next->tv_nsec >= 1000000000) {
		next->tv_nsec -= 1000000000;
		next->tv_sec++;
	}
	while (!stop && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, next, NULL) != 0)
		;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_signal};
	struct timespec next;
	long written = 0;

	if (argc != 3)
		return 64;
	sigaction(SIGHUP, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	int fd = open_log(argv[1], -1);
	FILE *pid = fopen(argv[2], "we");
	if (fd < 0 || !pid || fprintf(pid, "%d\n", (int)getpid()) < 0 || fclose(pid) != 0) {
		perror("log-writer");
		return 1;
	}
	clock_gettime(CLOCK_MONOTONIC, &next);
	while (!stop) {
		if (reopen) {
			reopen = 0;
			fd = open_log(argv[1], fd);
		}
		for (int i = 0; i < BURST; i++)
			if (write_line(fd, written) == 0)
				written++;
		pause_until(&next);
	}
	printf("%ld\n", written);
	return 0;
}
