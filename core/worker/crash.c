/* SPDX-License-Identifier: MIT */
#include "worker/crash.h"

#include <execinfo.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define FRAMES 32

static void write_backtrace(int signal_number)
{
	static const char head[] = "upkeep: the plugin crashed; backtrace:\n";
	void *frames[FRAMES];

	ssize_t n = write(STDERR_FILENO, head, sizeof head - 1);
	(void)n;
	backtrace_symbols_fd(frames, backtrace(frames, FRAMES), STDERR_FILENO);
	raise(signal_number); /* SA_RESETHAND: now it kills */
}

void crash_report(void)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
	static char room[65536]; /* a stack of its own, for when the stack is what ran out */
	struct sigaction action = {
		.sa_handler = write_backtrace, .sa_flags = SA_RESETHAND | SA_ONSTACK};
	stack_t stack = {.ss_sp = room, .ss_size = sizeof room};

	sigaltstack(&stack, NULL);
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
		sigaction(faults[i], &action, NULL);
}
