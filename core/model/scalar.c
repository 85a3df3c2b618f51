/* SPDX-License-Identifier: MIT */
#include "model/value.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const type_names[] = {NULL, "string", "int", "float", "bool", "size", "duration",
	"percent", "time", "path", "hostport", "url", "choice", "secret", "group"};
static const char *const list_names[] = {NULL, "list of string", "list of int", "list of float",
	"list of bool", "list of size", "list of duration", "list of percent", "list of time",
	"list of path", "list of hostport", "list of url", "list of choice", "list of secret",
	"list of group"};

const char *type_name(uint32_t type)
{
	uint32_t scalar = type & ~UPKEEP_LIST;

	if (scalar < UPKEEP_STRING || scalar > UPKEEP_GROUP)
		return "unknown type";
	return type & UPKEEP_LIST ? list_names[scalar] : type_names[scalar];
}

uint32_t type_from_name(const char *name)
{
	uint32_t list = 0;

	if (text_starts(name, "list of ")) {
		list = UPKEEP_LIST;
		name += strlen("list of ");
	}
	for (uint32_t type = UPKEEP_STRING; type <= UPKEEP_GROUP; type++)
		if (strcmp(name, type_names[type]) == 0)
			return type | list;
	return 0;
}

const char *type_form(uint32_t type)
{
	static const char *const forms[] = {NULL, "a string", "a whole number", "a number",
		"true or false", "a size such as \"64MiB\", \"1GB\" or \"512\"",
		"a duration such as \"250ms\", \"5m\", \"1h30m\" or \"7d\"",
		"a percentage such as \"85%\"",
		"a time such as \"2026-11-23\" or \"2026-11-23T04:00Z\"",
		"an absolute path such as \"/srv/data\"",
		"a host and port such as \"db.example.org:5432\" or \"[::1]:5432\"",
		"a URL such as \"https://host/path\"", "one of the known words",
		"the name of a secret: \"file:/PATH\", \"env:NAME\", \"credential:NAME\" or "
		"\"command:/PROGRAM\"",
		"a group { ... }"};
	uint32_t scalar = type & ~UPKEEP_LIST;

	if (type & UPKEEP_LIST)
		return scalar == UPKEEP_GROUP ? "a list of groups ( { ... }, ... )"
					      : "a list [ ... ]";
	return scalar >= UPKEEP_STRING && scalar <= UPKEEP_GROUP ? forms[scalar]
								 : "of a known type";
}

/* "must be a size such as ..., got \"x\"": the shape of most messages. */
static int refuse(struct error *err, uint32_t type, const char *text)
{
	struct text CLEANUP_TEXT visible = {0};

	text_add_visible(&visible, text, strlen(text));
	return error_set(err, -EINVAL, NULL, "must be %s, got \"%s\"", type_form(type),
		text_string(&visible));
}

static int parse_int(const char *text, union scalar *ret, struct error *err)
{
	char *end;

	errno = 0;
	long long n = strtoll(text, &end, 10);
	if (end == text || *end || isspace((unsigned char)text[0]))
		return refuse(err, UPKEEP_INT, text);
	if (errno)
		return error_set(err, -ERANGE, NULL, "does not fit into 64 bits: %s", text);
	ret->integer = n;
	return 0;
}

static int parse_float(const char *text, uint32_t type, double *ret, struct error *err)
{
	char *end;
	locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	locale_t before = uselocale(plain);

	double real = strtod(text, &end);
	uselocale(before);
	freelocale(plain);
	bool percent = type == UPKEEP_PERCENT && end > text && strcmp(end, "%") == 0;
	if (end == text || (*end && !percent) || (type == UPKEEP_PERCENT && !percent) ||
		isspace((unsigned char)text[0]))
		return refuse(err, type, text);
	*ret = real;
	return 0;
}

static int check_finite(double real, struct error *err)
{
	return isfinite(real) ? 0 : error_set(err, -ERANGE, NULL, "must be a finite number");
}

static int check_percent(double real, struct error *err)
{
	if (!(real >= 0 && real <= 100))
		return error_set(
			err, -ERANGE, NULL, "must be between 0%% and 100%%, got %g%%", real);
	return 0;
}

static int parse_bool(const char *text, union scalar *ret, struct error *err)
{
	bool truth = strcasecmp(text, "true") == 0;

	if (!truth && strcasecmp(text, "false") != 0)
		return refuse(err, UPKEEP_BOOL, text);
	ret->integer = truth;
	return 0;
}

struct unit {
	const char *name;
	uint64_t factor;
};
static const struct unit size_units[] = {{"", 1}, {"B", 1}, {"kB", 1000}, {"KB", 1000},
	{"MB", 1000000}, {"GB", 1000000000}, {"TB", 1000000000000}, {"PB", 1000000000000000},
	{"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30}, {"TiB", 1ull << 40},
	{"PiB", 1ull << 50}, {NULL, 0}};
static const struct unit duration_units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"min", 60000},
	{"h", 3600000}, {"d", 86400000}, {"w", 604800000}, {NULL, 0}};

static const struct unit *unit_find(const struct unit *units, const char *name, size_t size)
{
	for (; units->name; units++)
		if (strlen(units->name) == size && memcmp(units->name, name, size) == 0)
			return units;
	return NULL;
}

static const char *skip_digits(const char *text)
{
	return text + strspn(text, "0123456789");
}

static int parse_size(const char *text, union scalar *ret, struct error *err)
{
	const char *digits_end = skip_digits(text);
	const struct unit *unit = unit_find(size_units, digits_end, strlen(digits_end));

	if (digits_end == text || !unit)
		return refuse(err, UPKEEP_SIZE, text);
	errno = 0;
	unsigned long long n = strtoull(text, NULL, 10);
	uint64_t bytes;
	if (errno || __builtin_mul_overflow((uint64_t)n, unit->factor, &bytes) || bytes > INT64_MAX)
		return error_set(err, -ERANGE, NULL, "is too large a size: \"%s\"", text);
	ret->size = bytes;
	return 0;
}

static int parse_duration(const char *text, union scalar *ret, struct error *err)
{
	int64_t all = 0;

	if (strcmp(text, "0") == 0) {
		ret->integer = 0;
		return 0;
	}
	if (!*text)
		return refuse(err, UPKEEP_DURATION, text);
	for (const char *s = text; *s;) {
		const char *name = skip_digits(s);
		size_t size = strspn(name, "abcdefghijklmnopqrstuvwxyz");
		const struct unit *unit = unit_find(duration_units, name, size);
		if (name == s || !unit)
			return refuse(err, UPKEEP_DURATION, text);
		errno = 0;
		long long n = strtoll(s, NULL, 10);
		int64_t part;
		if (errno || __builtin_mul_overflow((int64_t)n, (int64_t)unit->factor, &part) ||
			__builtin_add_overflow(all, part, &all))
			return error_set(
				err, -ERANGE, NULL, "is too long a duration: \"%s\"", text);
		s = name + size;
	}
	ret->integer = all;
	return 0;
}

/* "" (local time), "Z", "+02:00"; false where it is none of them. */
static bool parse_zone(const char *text, bool *ret_local, int *ret_offset_s)
{
	int hours, minutes, end = 0;

	*ret_local = !*text;
	*ret_offset_s = 0;
	if (!*text || strcmp(text, "Z") == 0)
		return true;
	if (*text != '+' && *text != '-')
		return false;
	if (sscanf(text + 1, "%2d:%2d%n", &hours, &minutes, &end) != 2 || text[1 + end] ||
		end != 5 || hours > 14 || minutes > 59 || hours < 0 || minutes < 0)
		return false;
	*ret_offset_s = (hours * 60 + minutes) * (*text == '-' ? -60 : 60);
	return true;
}

/* Reads "2026-11-23" and what may follow; returns what is left, or NULL. */
static const char *parse_date(const char *text, struct tm *ret)
{
	const char *rest = strptime(text, "%Y-%m-%d", ret);

	if (!rest || skip_digits(text) - text != 4)
		return NULL;
	if (*rest != 'T' && *rest != ' ')
		return rest;
	rest = strptime(rest + 1, "%H:%M", ret);
	if (rest && *rest == ':')
		rest = strptime(rest + 1, "%S", ret);
	return rest;
}

static int parse_time(const char *text, union scalar *ret, struct error *err)
{
	struct tm tm = {.tm_isdst = -1};
	bool local;
	int offset_s;

	const char *zone = parse_date(text, &tm);
	if (!zone || !parse_zone(zone, &local, &offset_s))
		return refuse(err, UPKEEP_TIME, text);
	struct tm given = tm;
	time_t seconds = local ? mktime(&tm) : timegm(&tm) - offset_s;
	if (tm.tm_mday != given.tm_mday || tm.tm_mon != given.tm_mon)
		return error_set(err, -ERANGE, NULL, "must be a day that exists, got \"%s\"", text);
	ret->integer = seconds;
	return 0;
}

static bool is_port(const char *text)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	unsigned long port = strtoul(text, &end, 10);
	return !*end && port >= 1 && port <= 65535;
}

static bool is_hostport(const char *text)
{
	const char *colon = strrchr(text, ':');
	char host[64];
	struct in6_addr address;

	if (!colon || colon == text || !is_port(colon + 1))
		return false;
	if (text[0] != '[')
		return strspn(text,
			       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			       "0123456789._-") == (size_t)(colon - text);
	size_t size = (size_t)(colon - text);
	if (size < 3 || size > sizeof host || text[size - 1] != ']')
		return false;
	memcpy(host, text + 1, size - 2);
	host[size - 2] = 0;
	return inet_pton(AF_INET6, host, &address) == 1;
}

static bool is_url(const char *text)
{
	size_t scheme = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+.-");

	if (!islower((unsigned char)text[0]) || strncmp(text + scheme, "://", 3) != 0 ||
		!text[scheme + 3])
		return false;
	for (const unsigned char *s = (const unsigned char *)text; *s; s++)
		if (*s <= ' ' || *s == 0x7f)
			return false;
	return true;
}

static bool is_word(const char *text, const char *letters)
{
	return *text && !text[strspn(text, letters)];
}
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

static int check_secret(const char *text, struct error *err)
{
	if (text_starts(text, "file:") && text[5] == '/')
		return 0;
	if (text_starts(text, "env:") && is_word(text + 4, LETTERS) &&
		!isdigit((unsigned char)text[4]))
		return 0;
	if (text_starts(text, "credential:") && is_word(text + 11, LETTERS ".-") && text[11] != '.')
		return 0;
	if (text_starts(text, "command:") && text[8] == '/') {
		if (strpbrk(text, " \t\n"))
			return error_set(err, -EINVAL, "put them into a script and name that",
				"must be a program without arguments");
		return 0;
	}
	/* The text is not repeated: it may be the secret itself. */
	return error_set(err, -EINVAL, NULL, "must be %s; a secret is named here, never written",
		type_form(UPKEEP_SECRET));
}

static int check_string(uint32_t type, const char *text, struct error *err)
{
	bool right = true;

	if (type == UPKEEP_SECRET)
		return check_secret(text, err);
	if (type == UPKEEP_PATH)
		right = text[0] == '/';
	else if (type == UPKEEP_HOSTPORT)
		right = is_hostport(text);
	else if (type == UPKEEP_URL)
		right = is_url(text);
	return right ? 0 : refuse(err, type, text);
}

static int parse_real(uint32_t type, double real, union scalar *ret, struct error *err)
{
	ret->real = real;
	return type == UPKEEP_PERCENT ? check_percent(real, err) : check_finite(real, err);
}

int scalar_parse_text(uint32_t type, const char *text, union scalar *ret, struct error *err)
{
	double real = 0;
	int r;

	*ret = (union scalar){0};
	switch (type) {
	case UPKEEP_INT:
		return parse_int(text, ret, err);
	case UPKEEP_FLOAT:
	case UPKEEP_PERCENT:
		r = parse_float(text, type, &real, err);
		return r < 0 ? r : parse_real(type, real, ret, err);
	case UPKEEP_BOOL:
		return parse_bool(text, ret, err);
	case UPKEEP_SIZE:
		return parse_size(text, ret, err);
	case UPKEEP_DURATION:
		return parse_duration(text, ret, err);
	case UPKEEP_TIME:
		return parse_time(text, ret, err);
	default:
		ret->string = text;
		return check_string(type, text, err);
	}
}

static int parse_number(
	uint32_t type, const struct value *value, union scalar *ret, struct error *err)
{
	bool whole = value->kind == VALUE_INT;

	*ret = (union scalar){0};
	if (type == UPKEEP_FLOAT || type == UPKEEP_PERCENT)
		return parse_real(type, whole ? (double)value->integer : value->real, ret, err);
	if (whole && type == UPKEEP_SIZE && value->integer < 0)
		return error_set(err, -ERANGE, NULL, "must not be negative, got %lld",
			(long long)value->integer);
	if (whole &&
		(type == UPKEEP_INT || type == UPKEEP_SIZE ||
			(type == UPKEEP_DURATION && value->integer == 0))) {
		ret->integer = value->integer;
		return 0;
	}
	if (whole)
		return error_set(err, -EINVAL, NULL, "must be %s, got the number %lld",
			type_form(type), (long long)value->integer);
	return error_set(
		err, -EINVAL, NULL, "must be %s, got the number %g", type_form(type), value->real);
}

int scalar_parse(uint32_t type, const struct value *value, union scalar *ret, struct error *err)
{
	switch (value->kind) {
	case VALUE_STRING:
		return scalar_parse_text(type, value->string, ret, err);
	case VALUE_INT:
	case VALUE_FLOAT:
		return parse_number(type, value, ret, err);
	case VALUE_BOOL:
		ret->integer = value->truth;
		if (type == UPKEEP_BOOL)
			return 0;
		return error_set(err, -EINVAL, NULL, "must be %s, got %s", type_form(type),
			value->truth ? "true" : "false");
	case VALUE_LIST:
		return error_set(err, -EINVAL, NULL, "must be %s, got a list", type_form(type));
	case VALUE_GROUP:
		return error_set(err, -EINVAL, NULL, "must be %s, got a group", type_form(type));
	default:
		return error_set(err, -EINVAL, NULL, "must be %s", type_form(type));
	}
}
