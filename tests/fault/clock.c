/* SPDX-License-Identifier: MIT */
/* LD_PRELOAD: a wall clock that is set five hours forward, then back, then forward again; and
 * a time since boot that is ten minutes later once there is the file $CLOCK_JUMP. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *t)
{
	static unsigned calls;
	const char *jump = getenv("CLOCK_JUMP");
	int r = (int)syscall(SYS_clock_gettime, id, t);

	if (r == 0 && id == CLOCK_REALTIME)
		t->tv_sec += calls++ % 2 ? -18000 : 18000;
	if (r == 0 && id == CLOCK_BOOTTIME && jump && access(jump, F_OK) == 0)
		t->tv_sec += 600;
	return r;
}
