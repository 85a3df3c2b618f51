/* Values: what a configuration file says, before and after its types are known. */
#ifndef UPKEEP_MODEL_VALUE_H
#define UPKEEP_MODEL_VALUE_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <upkeep/plugin.h>

/* A place in a configuration file; line and column count from 1, line 0: none. */
struct location {
	uint32_t file; /* index into site.files */
	uint32_t line, column;
};

enum value_kind {
	VALUE_NONE,
	VALUE_STRING,
	VALUE_INT,
	VALUE_FLOAT,
	VALUE_BOOL,
	VALUE_LIST,
	VALUE_GROUP,
	VALUE_UNKNOWN, /* plan only: depends on an output that is not yet there */
};

struct value_member;
struct value {
	uint8_t kind;  /* enum value_kind */
	bool has_refs; /* a string with ${...}, or a list or group that holds one */
	struct location at;
	union {
		const char *string;
		int64_t integer;
		double real;
		bool truth;
		struct {
			struct value *items;
			uint32_t count;
		} list;
		struct {
			struct value_member *members;
			uint32_t count;
		} group;
		const char *after; /* of VALUE_UNKNOWN: the task it is known after */
	};
};
struct value_member {
	const char *name;
	struct location at; /* of the name */
	struct value value;
};

/* The member of a group, or NULL. */
const struct value *value_get(const struct value *group, const char *name);
/* A deep copy. */
struct value value_copy(struct arena *arena, const struct value *value);
bool value_equal(const struct value *a, const struct value *b); /* places do not count */
/* As text: strings as they are, lists and groups in libconfig's notation. */
const char *value_text(struct arena *arena, const struct value *value);

/* Name of an UPKEEP_* type for people: "size", "list of path". */
const char *type_name(uint32_t type);
/* The UPKEEP_* type of such a name, or 0. */
uint32_t type_from_name(const char *name);
/* What a value of that type looks like: "a size such as \"64MiB\", \"1GB\" or \"512\"". */
const char *type_form(uint32_t type);

/* One scalar after parsing, in the unit of its type (upkeep/plugin.h). */
union scalar {
	int64_t integer;    /* INT, DURATION (ms), TIME (s), BOOL */
	uint64_t size;      /* SIZE (bytes) */
	double real;        /* FLOAT, PERCENT */
	const char *string; /* the others; points into the value */
};
/* Checks and parses a value against a scalar type (no LIST, no GROUP).  The
 * message says what is wrong and what would be right, without any place.  A
 * string is read as text for every type, as outputs give it; that a configuration
 * file writes numbers without quotes is param_check's. */
int scalar_parse(uint32_t type, const struct value *value, union scalar *ret, struct error *err);
/* The same from text, as outputs, defaults and --param give it. */
int scalar_parse_text(uint32_t type, const char *text, union scalar *ret, struct error *err);
/* Checks a value against a parameter: type, bounds, choices, lists, groups (its
 * unknown and missing members; a group without `fields` may have any).  Strings with
 * references are taken as right, but a secret must not have any.  Messages begin with
 * the name in quotes: "\"jobs\" must be between 1 and 64, got 500".
 * Calls `report` for each fault (with the faulty value's place) and returns their count. */
typedef void value_report(void *data, struct location at, const char *what, const char *next);
unsigned param_check(const struct upkeep_param *param, const struct value *value,
	value_report *report, void *data);
/* The same over a whole group against a table: unknown names (nearest named),
 * missing required ones (at `at`).  Names in `skip` (space-separated) are passed over. */
unsigned params_check(const struct upkeep_param *params, size_t count, const struct value *group,
	struct location at, const char *skip, value_report *report, void *data);

#endif
