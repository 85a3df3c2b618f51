/* SPDX-License-Identifier: MIT */
#include "report/human.h"

#include <stdio.h>
#include <time.h>

const char *human_bytes(char *buffer, uint64_t bytes)
{
	static const char units[] = "BKMGTPE";
	double value = (double)bytes;
	unsigned unit = 0;

	for (; value >= 1023.95 && unit < 6; unit++)
		value /= 1024;
	if (unit == 0)
		snprintf(buffer, HUMAN_SIZE, "%u B", (unsigned)bytes);
	else
		snprintf(
			buffer, HUMAN_SIZE, "%.*f %ciB", value < 99.95 ? 1 : 0, value, units[unit]);
	return buffer;
}

const char *human_duration(char *buffer, int64_t duration_ms)
{
	long long s = duration_ms / 1000;

	if (duration_ms < 9950)
		snprintf(buffer, HUMAN_SIZE, "%.1f s", (double)duration_ms / 1000);
	else if (s < 60)
		snprintf(buffer, HUMAN_SIZE, "%lld s", s);
	else if (s < 3600)
		snprintf(buffer, HUMAN_SIZE, "%lldm%02llds", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buffer, HUMAN_SIZE, "%lldh%02lldm", s / 3600, s / 60 % 60);
	else
		snprintf(buffer, HUMAN_SIZE, "%lldd%02lldh", s / 86400, s / 3600 % 24);
	return buffer;
}

const char *human_time(char *buffer, int64_t wall_ms)
{
	time_t at = (time_t)(wall_ms / 1000);
	struct tm local;

	if (!wall_ms || !localtime_r(&at, &local) ||
		!strftime(buffer, HUMAN_SIZE, "%Y-%m-%d %H:%M:%S", &local))
		snprintf(buffer, HUMAN_SIZE, "-");
	return buffer;
}
