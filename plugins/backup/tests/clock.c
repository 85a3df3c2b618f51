/* SPDX-License-Identifier: MIT */
#include "clock.h"

static int64_t ahead_ms;
static struct timespec stopped_at;

int __real_clock_gettime(clockid_t clock, struct timespec *ts);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);
time_t __wrap_time(time_t *ret);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	int r = __real_clock_gettime(clock, ts);
	if (r != 0 || clock != CLOCK_REALTIME)
		return r;
	if (stopped_at.tv_sec) {
		*ts = stopped_at;
		return 0;
	}
	int64_t ns = ts->tv_nsec + ahead_ms * 1000000;
	ts->tv_sec += ns / 1000000000;
	ts->tv_nsec = ns % 1000000000;
	return 0;
}

time_t __wrap_time(time_t *ret)
{
	struct timespec now;
	__wrap_clock_gettime(CLOCK_REALTIME, &now);
	if (ret)
		*ret = now.tv_sec;
	return now.tv_sec;
}

void clock_advance(int64_t ms)
{
	ahead_ms += ms;
}

void clock_stop(const struct timespec *at)
{
	stopped_at = at ? *at : (struct timespec){0};
}
