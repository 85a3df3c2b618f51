/* SPDX-License-Identifier: MIT */
#include "model/nearest.h"
#include "model/value.h"

#include "base/text.h"
#include "model/describe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Where a check is: "stores[0].url" is made from these only for a message. */
struct frame {
	const struct frame *outer;
	const char *name; /* NULL: an element of a list */
	uint32_t index;
};

struct check {
	const struct frame *frame;
	value_report *report;
	void *data;
	unsigned faults;
};

static void add_name(struct text *out, const struct frame *frame)
{
	if (frame->outer)
		add_name(out, frame->outer);
	if (frame->name)
		text_addf(out, "%s%s", frame->outer ? "." : "", frame->name);
	else
		text_addf(out, "[%u]", frame->index);
}

static void __attribute__((format(printf, 4, 5)))
fault(struct check *check, struct location at, const char *next, const char *format, ...)
{
	struct text CLEANUP_TEXT what = {0};
	char message[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(message, sizeof message, format, ap);
	va_end(ap);
	text_addc(&what, '"');
	add_name(&what, check->frame);
	text_addf(&what, "\" %s", message);
	check->report(check->data, at, text_string(&what), next);
	check->faults++;
}

/* In the unit that a person would write. */
static const char *bound_text(uint32_t type, int64_t bound, char *buffer, size_t size)
{
	static const struct {
		int64_t factor;
		const char *name;
	} sizes[] = {{1ll << 40, "TiB"}, {1ll << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}},
	  durations[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}};

	for (int i = 0; bound && type == UPKEEP_SIZE && i < 4; i++)
		if (bound % sizes[i].factor == 0) {
			snprintf(buffer, size, "%lld%s", (long long)(bound / sizes[i].factor),
				sizes[i].name);
			return buffer;
		}
	for (int i = 0; type == UPKEEP_DURATION && i < 4; i++)
		if (bound % durations[i].factor == 0) {
			snprintf(buffer, size, "%lld%s", (long long)(bound / durations[i].factor),
				durations[i].name);
			return buffer;
		}
	snprintf(buffer, size, "%lld%s", (long long)bound,
		type == UPKEEP_PERCENT            ? "%"
			: type == UPKEEP_DURATION ? "ms"
						  : "");
	return buffer;
}

static bool has_bounds(const struct upkeep_param *param)
{
	return param->min != 0 || param->max != 0;
}

/* A maximum below the minimum is none. */
static bool in_bounds(const struct upkeep_param *param, uint32_t type, const union scalar *scalar)
{
	bool open = param->max < param->min;

	switch (type) {
	case UPKEEP_FLOAT:
	case UPKEEP_PERCENT:
		return scalar->real >= (double)param->min &&
			(open || scalar->real <= (double)param->max);
	case UPKEEP_INT:
	case UPKEEP_SIZE: /* at most INT64_MAX, so the same */
	case UPKEEP_DURATION:
	case UPKEEP_TIME:
		return scalar->integer >= param->min && (open || scalar->integer <= param->max);
	default:
		return true;
	}
}

static void report_bounds(struct check *check, const struct upkeep_param *param, uint32_t type,
	const struct value *value)
{
	struct arena arena = {0};
	char low[32], high[32];
	const char *got = value_text(&arena, value);

	bound_text(type, param->min, low, sizeof low);
	if (param->min == INT64_MIN)
		fault(check, value->at, NULL, "must be at most %s, got %s",
			bound_text(type, param->max, high, sizeof high), got);
	else if (param->max < param->min)
		fault(check, value->at, NULL, "must be at least %s, got %s", low, got);
	else
		fault(check, value->at, NULL, "must be between %s and %s, got %s", low,
			bound_text(type, param->max, high, sizeof high), got);
	arena_free(&arena);
}

static bool choice_is(const char *choices, const char *word)
{
	size_t n = strlen(word);

	for (const char *c = choices; *c; c += strcspn(c, "|"), c += *c == '|')
		if (strcspn(c, "|") == n && memcmp(c, word, n) == 0)
			return true;
	return false;
}

static void check_choice(
	struct check *check, const struct upkeep_param *param, const struct value *value)
{
	struct text CLEANUP_TEXT words = {0};
	struct nearest nearest = nearest_start(value->string);
	char buffer[64], question[96];

	if (!param->choices || choice_is(param->choices, value->string))
		return;
	for (const char *c = param->choices; *c; c++)
		if (*c == '|')
			text_adds(&words, "\", \"");
		else
			text_addc(&words, *c);
	nearest_try_words(&nearest, param->choices, buffer, sizeof buffer);
	fault(check, value->at, nearest_question(&nearest, question, sizeof question),
		"must be one of \"%s\", got \"%s\"", text_string(&words), value->string);
}

/* Text for a number is right from an output and wrong in a file. */
static bool is_quoted_number(uint32_t type, const struct value *value)
{
	return value->kind == VALUE_STRING &&
		(type == UPKEEP_INT || type == UPKEEP_FLOAT || type == UPKEEP_BOOL);
}

static void check_quoted_number(struct check *check, uint32_t type, const struct value *value)
{
	union scalar scalar;
	bool fits = scalar_parse_text(type, value->string, &scalar, NULL) == 0;

	fault(check, value->at, fits ? "leave out the quotes" : NULL,
		"must be %s, got the string \"%s\"", type_form(type), value->string);
}

static bool is_unquoted_string(uint32_t type, const struct value *value)
{
	bool number =
		value->kind == VALUE_INT || value->kind == VALUE_FLOAT || value->kind == VALUE_BOOL;

	return number && (type == UPKEEP_STRING || type >= UPKEEP_PATH);
}

static void check_scalar(struct check *check, const struct upkeep_param *param, uint32_t type,
	const struct value *value)
{
	struct error CLEANUP_ERROR err = {0};
	union scalar scalar;

	bool refers = value->has_refs && value->kind == VALUE_STRING;
	if (refers && type == UPKEEP_SECRET) {
		fault(check, value->at, "write file:, env:, credential: or command:",
			"names a secret and takes no ${...}");
		return;
	}
	if (refers || value->kind == VALUE_UNKNOWN)
		return;
	if (is_quoted_number(type, value)) {
		check_quoted_number(check, type, value);
		return;
	}
	bool bare = type == UPKEEP_PATH && param->flags & UPKEEP_SEARCHED &&
		value->kind == VALUE_STRING && *value->string && !strchr(value->string, '/');
	if (!bare && scalar_parse(type, value, &scalar, &err) < 0)
		fault(check, value->at,
			is_unquoted_string(type, value) ? "put it in quotes" : err.next, "%s",
			error_what(&err));
	else if (!bare && has_bounds(param) && !in_bounds(param, type, &scalar))
		report_bounds(check, param, type, value);
	else if (type == UPKEEP_CHOICE)
		check_choice(check, param, value);
	else if (param->flags & UPKEEP_NONEMPTY && !(param->type & UPKEEP_LIST) &&
		value->kind == VALUE_STRING && !*value->string)
		fault(check, value->at, param->about, "must not be empty");
}

static void check_one(struct check *check, const struct upkeep_param *param, uint32_t type,
	const struct value *value);

static void check_group(struct check *check, const struct upkeep_param *params, size_t count,
	const struct value *group, struct location at, const char *skip);

/* The first of a list that is a program with its arguments. */
static void check_program(struct check *check, const struct value *value)
{
	if (value->kind != VALUE_STRING || value->has_refs || value->string[0] == '/')
		return;
	if (!*value->string || strchr(value->string, '/'))
		fault(check, value->at, "it is not searched in the current directory",
			"must be an absolute path, or the bare name of a program, got \"%s\"",
			value->string);
}

static void check_list(
	struct check *check, const struct upkeep_param *param, const struct value *value)
{
	struct frame item = {.outer = check->frame};

	if (value->kind == VALUE_UNKNOWN || (value->kind == VALUE_STRING && value->has_refs))
		return;
	if (value->kind != VALUE_LIST) {
		fault(check, value->at, param->about, "must be %s", type_form(param->type));
		return;
	}
	if (param->flags & UPKEEP_NONEMPTY && !value->list.count)
		fault(check, value->at, param->about, "must not be empty");
	check->frame = &item;
	if (param->flags & UPKEEP_SEARCHED && value->list.count)
		check_program(check, &value->list.items[0]);
	for (; item.index < value->list.count; item.index++)
		check_one(check, param, param->type & ~UPKEEP_LIST, &value->list.items[item.index]);
	check->frame = item.outer;
}

static void check_one(struct check *check, const struct upkeep_param *param, uint32_t type,
	const struct value *value)
{
	if (type & UPKEEP_LIST)
		check_list(check, param, value);
	else if (type != UPKEEP_GROUP)
		check_scalar(check, param, type, value);
	else if (value->kind == VALUE_UNKNOWN)
		return;
	else if (value->kind != VALUE_GROUP)
		fault(check, value->at, param->about, "must be %s", type_form(type));
	else if (param->fields)
		check_group(check, param->fields, param->field_count, value, value->at, "");
}

static void check_unknown(struct check *check, const struct upkeep_param *params, size_t count,
	const struct value_member *member)
{
	struct nearest nearest = nearest_start(member->name);
	struct text CLEANUP_TEXT known = {0};
	char question[128];

	for (size_t i = 0; i < count; i++)
		nearest_try(&nearest, params[i].name);
	const char *next = nearest_question(&nearest, question, sizeof question);
	if (!next && count) {
		text_adds(&known, "known are: ");
		for (size_t i = 0; i < count; i++)
			text_addf(&known, "%s%s", i ? ", " : "", params[i].name);
		next = text_string(&known);
	}
	fault(check, member->at, next, "is unknown");
}

static void check_missing(struct check *check, const struct upkeep_param *param, struct location at)
{
	struct text CLEANUP_TEXT next = {0};

	text_addf(&next, "add %s, %s (%s)", param->name, type_form(param->type), param->about);
	fault(check, at, text_string(&next), "is missing");
}

static void check_group(struct check *check, const struct upkeep_param *params, size_t count,
	const struct value *group, struct location at, const char *skip)
{
	struct frame frame = {.outer = check->frame};

	/* cppcheck-suppress autoVariables ; taken off again below */
	check->frame = &frame;
	for (uint32_t i = 0; i < group->group.count; i++) {
		const struct value_member *member = &group->group.members[i];
		const struct upkeep_param *param = params_find(params, count, member->name);
		frame.name = member->name;
		if (*skip && text_in_words(member->name, skip))
			continue;
		if (param)
			check_one(check, param, param->type, &member->value);
		else
			check_unknown(check, params, count, member);
	}
	for (size_t i = 0; i < count; i++) {
		frame.name = params[i].name;
		if (params[i].flags & UPKEEP_REQUIRED && !value_get(group, params[i].name))
			check_missing(check, &params[i], at);
	}
	check->frame = frame.outer;
}

unsigned param_check(const struct upkeep_param *param, const struct value *value,
	value_report *report, void *data)
{
	struct frame frame = {.name = param->name};
	struct check check = {.frame = &frame, .report = report, .data = data};

	check_one(&check, param, param->type, value);
	return check.faults;
}

unsigned params_check(const struct upkeep_param *params, size_t count, const struct value *group,
	struct location at, const char *skip, value_report *report, void *data)
{
	struct check check = {.report = report, .data = data};

	check_group(&check, params, count, group, at, skip ? skip : "");
	return check.faults;
}
