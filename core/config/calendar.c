/* SPDX-License-Identifier: MIT */
#include "config/calendar.h"

#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ACCEPTED                                                                            \
	"write hourly, daily, weekly, monthly, quarterly, semiannually, yearly, or "        \
	"[WEEKDAYS] [[YEAR-]MONTH-DAY] [HH:MM[:SS]] [UTC] with *, lists (1,15) and ranges " \
	"(Mon..Fri), such as \"Mon..Fri 02:30\" or \"*-*-1,15 04:00\""

static const struct {
	const char *name, *text;
} shorthands[] = {
	{"hourly", "*-*-* *:00:00"},
	{"daily", "*-*-* 00:00:00"},
	{"weekly", "Mon *-*-* 00:00:00"},
	{"monthly", "*-*-1 00:00:00"},
	{"quarterly", "*-1,4,7,10-1 00:00:00"},
	{"semiannually", "*-1,7-1 00:00:00"},
	{"yearly", "*-1-1 00:00:00"},
	{"annually", "*-1-1 00:00:00"},
};

static int refuse(struct error *err, const char *text, const char *part, const char *why)
{
	struct text CLEANUP_TEXT whole = {0}, visible = {0};

	text_add_visible(&whole, text, strlen(text));
	text_add_visible(&visible, part, strlen(part));
	return error_set(err, -EINVAL, ACCEPTED, "\"%s\": %s%s%s%s", text_string(&whole), why,
		*part ? " \"" : "", text_string(&visible), *part ? "\"" : "");
}

static void set_bit(uint64_t *bits, unsigned number)
{
	bits[number / 64] |= 1ull << (number % 64);
}

static bool set_range(uint64_t *bits, long first, long last, long low, long high, long base)
{
	if (first < low || last > high || first > last)
		return false;
	for (long n = first; n <= last; n++)
		set_bit(bits, (unsigned)(n - base));
	return true;
}

/* What a component is made of: numbers, or names of weekdays. */
typedef bool read_element(const char **text, long *ret);

static bool read_number(const char **text, long *ret)
{
	char *end;

	if (!isdigit((unsigned char)**text) || strlen(*text) > 200)
		return false;
	*ret = strtol(*text, &end, 10);
	*text = end;
	return true;
}

static bool read_weekday(const char **text, long *ret)
{
	static const char *const names[] = {
		"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"};
	size_t n = 0;

	while (isalpha((unsigned char)(*text)[n]))
		n++;
	for (long day = 0; day < 7; day++)
		if ((n == 3 || n == strlen(names[day])) && strncasecmp(*text, names[day], n) == 0) {
			*text += n;
			*ret = day;
			return true;
		}
	return false;
}

/* One component: "*", or elements "A" and "A..B" joined by commas.  The whole of `text`. */
static bool read_component(
	const char *text, read_element *read, long low, long high, long base, uint64_t *bits)
{
	if (strcmp(text, "*") == 0)
		return set_range(bits, low, high, low, high, base);
	for (;; text++) {
		long first, last;
		if (!read(&text, &first))
			return false;
		last = first;
		if (text_starts(text, "..")) {
			text += 2;
			if (!read(&text, &last))
				return false;
		}
		if (!set_range(bits, first, last, low, high, base))
			return false;
		if (*text != ',')
			return !*text;
	}
}

/* Splits `word` at `sign`; the parts point into it. -1: more than `room` parts. */
static int split(char *word, char sign, char **parts, int room)
{
	int count = 0;

	for (char *s = word; s; count++) {
		if (count == room)
			return -1;
		parts[count] = s;
		s = strchr(s, sign);
		if (s)
			*s++ = 0;
	}
	return count;
}

static bool read_date(char *word, struct calendar *ret)
{
	char *parts[3];
	uint64_t months = 0, days = 0;
	int count = split(word, '-', parts, 3);

	if (count < 2)
		return false;
	const char *year = count == 3 ? parts[0] : "*";
	memset(ret->years, 0, sizeof ret->years);
	bool right = read_component(year, read_number, CALENDAR_YEAR_MIN, CALENDAR_YEAR_MAX,
			     CALENDAR_YEAR_MIN, ret->years) &&
		read_component(parts[count - 2], read_number, 1, 12, 0, &months) &&
		read_component(parts[count - 1], read_number, 1, 31, 0, &days);
	ret->months = (uint16_t)months;
	ret->days = (uint32_t)days;
	return right;
}

static bool read_clock(char *word, struct calendar *ret)
{
	char *parts[3];
	uint64_t hours = 0;
	int count = split(word, ':', parts, 3);

	if (count < 2)
		return false;
	ret->minutes = ret->seconds = 0;
	bool right = read_component(parts[0], read_number, 0, 23, 0, &hours) &&
		read_component(parts[1], read_number, 0, 59, 0, &ret->minutes) &&
		read_component(count == 3 ? parts[2] : "0", read_number, 0, 59, 0, &ret->seconds);
	ret->hours = (uint32_t)hours;
	return right;
}

static bool read_weekdays(const char *word, struct calendar *ret)
{
	uint64_t days = 0;
	bool right = read_component(word, read_weekday, 0, 6, 0, &days);

	ret->weekdays = (uint8_t)days;
	return right;
}

/* Every day at midnight. */
static const struct calendar midnight = {
	.years = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX},
	.months = 0x1ffe,
	.days = 0xfffffffe,
	.weekdays = 0x7f,
	.hours = 1,
	.minutes = 1,
	.seconds = 1,
};

/* Reads one word; the parts of an expression come in this order, each at most once. */
enum part { PART_WEEKDAYS, PART_DATE, PART_CLOCK, PART_ZONE };

static bool read_word(char *word, struct calendar *ret, enum part *ret_part)
{
	if (strcmp(word, "UTC") == 0) {
		*ret_part = PART_ZONE;
		return ret->utc = true;
	}
	if (isalpha((unsigned char)*word)) {
		*ret_part = PART_WEEKDAYS;
		return read_weekdays(word, ret);
	}
	*ret_part = strchr(word, ':') ? PART_CLOCK : PART_DATE;
	return *ret_part == PART_CLOCK ? read_clock(word, ret) : read_date(word, ret);
}

static int parse_words(const char *whole, const char *text, struct calendar *ret, struct error *err)
{
	char word[256], copy[256];
	int last = -1;
	bool timed = false;

	*ret = midnight;
	for (const char *s = text + strspn(text, " "); *s; s += strspn(s, " ")) {
		size_t n = strcspn(s, " ");
		enum part part;
		if (n >= sizeof word)
			return refuse(err, whole, "", "a part is too long");
		memcpy(word, s, n);
		word[n] = 0;
		memcpy(copy, word, n + 1);
		if (!read_word(word, ret, &part))
			return refuse(err, whole, copy, "cannot make sense of");
		if ((int)part <= last)
			return refuse(err, whole, copy, "out of order or twice:");
		last = (int)part;
		timed |= part != PART_ZONE;
		s += n;
	}
	return timed ? 0 : refuse(err, whole, "", "says no time");
}

int calendar_parse(const char *text, struct calendar *ret, struct error *err)
{
	for (size_t i = 0; i < sizeof shorthands / sizeof shorthands[0]; i++)
		if (strcasecmp(text, shorthands[i].name) == 0)
			return parse_words(text, shorthands[i].text, ret, err);
	return parse_words(text, text, ret, err);
}

static bool has_bit(const uint64_t *bits, int number)
{
	return bits[number / 64] >> (number % 64) & 1;
}

static bool day_matches(const struct calendar *calendar, const struct tm *day)
{
	int year = day->tm_year + 1900 - CALENDAR_YEAR_MIN;

	return has_bit(calendar->years, year) && calendar->months >> (day->tm_mon + 1) & 1 &&
		calendar->days >> day->tm_mday & 1 &&
		calendar->weekdays >> ((day->tm_wday + 6) % 7) & 1;
}

static int64_t to_seconds(const struct calendar *calendar, struct tm tm)
{
	tm.tm_isdst = -1;
	return calendar->utc ? timegm(&tm) : mktime(&tm);
}

/* The first matching time of that day after `after_s`, or -1. */
static int64_t first_of_day(const struct calendar *calendar, const struct tm *day, int64_t after_s)
{
	struct tm tm = *day;

	for (tm.tm_hour = 0; tm.tm_hour < 24; tm.tm_hour++) {
		if (!(calendar->hours >> tm.tm_hour & 1))
			continue;
		tm.tm_min = tm.tm_sec = 59;
		if (to_seconds(calendar, tm) <= after_s)
			continue;
		for (tm.tm_min = 0; tm.tm_min < 60; tm.tm_min++) {
			for (tm.tm_sec = 0; calendar->minutes >> tm.tm_min & 1 && tm.tm_sec < 60;
				tm.tm_sec++) {
				if (!(calendar->seconds >> tm.tm_sec & 1))
					continue;
				int64_t at = to_seconds(calendar, tm);
				if (at > after_s)
					return at;
			}
		}
	}
	return -1;
}

static int days_of_month(const struct tm *day)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int year = day->tm_year + 1900;
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[day->tm_mon] + (day->tm_mon == 1 && leap);
}

static void next_day(struct tm *day)
{
	day->tm_wday = (day->tm_wday + 1) % 7;
	if (++day->tm_mday <= days_of_month(day))
		return;
	day->tm_mday = 1;
	if (++day->tm_mon < 12)
		return;
	day->tm_mon = 0;
	day->tm_year++;
}

int64_t calendar_next(const struct calendar *calendar, int64_t after_s)
{
	time_t start = after_s;
	struct tm day;

	if (after_s < 0 || !(calendar->utc ? gmtime_r(&start, &day) : localtime_r(&start, &day)))
		return -ENOENT;
	for (; day.tm_year + 1900 <= CALENDAR_YEAR_MAX; next_day(&day)) {
		if (day.tm_year + 1900 < CALENDAR_YEAR_MIN || !day_matches(calendar, &day))
			continue;
		int64_t at = first_of_day(calendar, &day, after_s);
		if (at >= 0)
			return at;
	}
	return -ENOENT;
}
