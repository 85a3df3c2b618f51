/*
 * Calendar: when a graph is to run, in a small subset of systemd's calendar
 * syntax (systemd.time(7)):
 *	hourly | daily | weekly | monthly | quarterly | semiannually | yearly | annually
 *	[WEEKDAYS] [[YEARS-]MONTHS-DAYS] [HOURS:MINUTES[:SECONDS]] [UTC]
 * WEEKDAYS are Mon to Sun or Monday to Sunday; everything else is a number or *.
 * Each may be a list with commas, and each element of it a range with two points:
 *	Mon..Fri 02:30      *-*-1,15 04:00      Sat,Sun *-4..9-* 00,12:00:00 UTC
 */
#ifndef UPKEEP_CONFIG_CALENDAR_H
#define UPKEEP_CONFIG_CALENDAR_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define CALENDAR_YEAR_MIN 1970
#define CALENDAR_YEAR_MAX 2225

/* Bit N is set where N matches. */
struct calendar {
	uint64_t years[4]; /* from CALENDAR_YEAR_MIN */
	uint64_t seconds, minutes;
	uint32_t hours, days; /* days from bit 1 */
	uint16_t months;      /* from bit 1 */
	uint8_t weekdays;     /* bit 0 is Monday */
	bool utc;             /* else local time */
};

/* -EINVAL with a message that says what is accepted. */
int calendar_parse(const char *text, struct calendar *ret, struct error *err);
/* The first time after `after_s` (seconds since the epoch), or -ENOENT: never again. */
int64_t calendar_next(const struct calendar *calendar, int64_t after_s);

#endif
