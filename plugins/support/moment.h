/* A moment as text. */
#ifndef SUPPORT_MOMENT_H
#define SUPPORT_MOMENT_H

#include <stdint.h>
#include <time.h>

/* Seconds since the epoch as 2026-11-23T04:00:00Z; 0 as "". */
static inline void moment_format(int64_t s, char text[32])
{
	time_t time = (time_t)s;
	struct tm tm;
	if (s == 0 || !gmtime_r(&time, &tm) || !strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm))
		text[0] = 0;
}

#endif
