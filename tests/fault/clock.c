/* SPDX-License-Identifier: MIT */
/* LD_PRELOAD: a wall clock that is set five hours forward, then back, then forward again. */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *t)
{
	static unsigned calls;
	int r = (int)syscall(SYS_clock_gettime, id, t);

	if (r == 0 && id == CLOCK_REALTIME)
		t->tv_sec += calls++ % 2 ? -18000 : 18000;
	return r;
}
