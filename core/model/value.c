/* SPDX-License-Identifier: MIT */
#include "model/value.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct value *value_get(const struct value *group, const char *name)
{
	if (group->kind != VALUE_GROUP)
		return NULL;
	for (uint32_t i = 0; i < group->group.count; i++)
		if (strcmp(group->group.members[i].name, name) == 0)
			return &group->group.members[i].value;
	return NULL;
}

static struct value copy_list(struct arena *arena, const struct value *value)
{
	struct value copy = *value;

	copy.list.items = arena_news(arena, struct value, value->list.count);
	for (uint32_t i = 0; i < value->list.count; i++)
		copy.list.items[i] = value_copy(arena, &value->list.items[i]);
	return copy;
}

static struct value copy_group(struct arena *arena, const struct value *value)
{
	struct value copy = *value;

	copy.group.members = arena_news(arena, struct value_member, value->group.count);
	for (uint32_t i = 0; i < value->group.count; i++) {
		const struct value_member *from = &value->group.members[i];
		copy.group.members[i] = (struct value_member){
			.name = arena_string(arena, from->name),
			.at = from->at,
			.value = value_copy(arena, &from->value),
		};
	}
	return copy;
}

struct value value_copy(struct arena *arena, const struct value *value)
{
	struct value copy = *value;

	switch (value->kind) {
	case VALUE_STRING:
		copy.string = arena_string(arena, value->string);
		return copy;
	case VALUE_UNKNOWN:
		copy.after = arena_string(arena, value->after);
		return copy;
	case VALUE_LIST:
		return copy_list(arena, value);
	case VALUE_GROUP:
		return copy_group(arena, value);
	default:
		return copy;
	}
}

static bool lists_equal(const struct value *a, const struct value *b)
{
	if (a->list.count != b->list.count)
		return false;
	for (uint32_t i = 0; i < a->list.count; i++)
		if (!value_equal(&a->list.items[i], &b->list.items[i]))
			return false;
	return true;
}

/* Whatever the order of their members. */
static bool groups_equal(const struct value *a, const struct value *b)
{
	if (a->group.count != b->group.count)
		return false;
	for (uint32_t i = 0; i < a->group.count; i++) {
		const struct value *other = value_get(b, a->group.members[i].name);
		if (!other || !value_equal(&a->group.members[i].value, other))
			return false;
	}
	return true;
}

bool value_equal(const struct value *a, const struct value *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case VALUE_STRING:
		return text_equal(a->string, b->string);
	case VALUE_INT:
		return a->integer == b->integer;
	case VALUE_FLOAT:
		return a->real == b->real;
	case VALUE_BOOL:
		return a->truth == b->truth;
	case VALUE_LIST:
		return lists_equal(a, b);
	case VALUE_GROUP:
		return groups_equal(a, b);
	case VALUE_UNKNOWN:
		return text_equal(a->after, b->after);
	default:
		return true;
	}
}

static void add_quoted(struct text *out, const char *string)
{
	text_addc(out, '"');
	for (const unsigned char *s = (const unsigned char *)string; *s; s++) {
		if (*s == '"' || *s == '\\')
			text_addf(out, "\\%c", *s);
		else if (*s == '\n')
			text_adds(out, "\\n");
		else if (*s < 0x20)
			text_addf(out, "\\x%02x", *s);
		else
			text_addc(out, (char)*s);
	}
	text_addc(out, '"');
}

/* The shortest decimals that read back as the same number, with a point or exponent. */
static void add_float(struct text *out, double real)
{
	char number[40];

	for (int digits = 15; digits <= 17; digits++) {
		snprintf(number, sizeof number, "%.*g", digits, real);
		if (strtod(number, NULL) == real)
			break;
	}
	text_adds(out, number);
	if (!strpbrk(number, ".en"))
		text_adds(out, ".0");
}

static void add_value(struct text *out, const struct value *value);

/* [ ] holds scalars of one kind only; everything else is a ( ). */
static bool is_array(const struct value *value)
{
	for (uint32_t i = 0; i < value->list.count; i++) {
		const struct value *item = &value->list.items[i];
		if (item->kind == VALUE_LIST || item->kind == VALUE_GROUP ||
			item->kind != value->list.items[0].kind)
			return false;
	}
	return true;
}

static void add_list(struct text *out, const struct value *value)
{
	bool array = is_array(value);

	text_adds(out, array ? "[ " : "( ");
	for (uint32_t i = 0; i < value->list.count; i++) {
		if (i)
			text_adds(out, ", ");
		add_value(out, &value->list.items[i]);
	}
	if (value->list.count)
		text_addc(out, ' ');
	text_addc(out, array ? ']' : ')');
}

static void add_group(struct text *out, const struct value *value)
{
	text_adds(out, "{ ");
	for (uint32_t i = 0; i < value->group.count; i++) {
		text_addf(out, "%s = ", value->group.members[i].name);
		add_value(out, &value->group.members[i].value);
		text_adds(out, "; ");
	}
	text_addc(out, '}');
}

static void add_value(struct text *out, const struct value *value)
{
	switch (value->kind) {
	case VALUE_STRING:
		add_quoted(out, value->string);
		break;
	case VALUE_INT:
		text_addf(out, "%lld%s", (long long)value->integer,
			value->integer > INT32_MAX || value->integer < INT32_MIN ? "L" : "");
		break;
	case VALUE_FLOAT:
		add_float(out, value->real);
		break;
	case VALUE_BOOL:
		text_adds(out, value->truth ? "true" : "false");
		break;
	case VALUE_LIST:
		add_list(out, value);
		break;
	case VALUE_GROUP:
		add_group(out, value);
		break;
	case VALUE_UNKNOWN:
		text_addf(out, "known after %s", value->after);
		break;
	default:
		break;
	}
}

const char *value_text(struct arena *arena, const struct value *value)
{
	if (value->kind == VALUE_STRING)
		return arena_string(arena, value->string);
	if (value->kind == VALUE_INT)
		return arena_printf(arena, "%lld", (long long)value->integer);
	struct text CLEANUP_TEXT out = {0};
	add_value(&out, value);
	return arena_copy(arena, text_string(&out), out.size);
}
