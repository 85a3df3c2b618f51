/* SPDX-License-Identifier: MIT */
/* The pieces of a plan's text, each believed only as far as it is checked. */
#include "plan/restorer.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#define NEXT_STEP "put back by hand what the run changed: its journal was damaged"

void unpack_fault(struct restore *r, const char *format, ...)
{
	CLEANUP_TEXT struct text what = {0};
	char message[256];
	va_list ap;

	if (r->result < 0)
		return;
	va_start(ap, format);
	vsnprintf(message, sizeof message, format, ap);
	va_end(ap);
	if (r->where)
		text_addf(&what, "%s %u: ", r->where, r->index);
	text_add_visible(&what, message, strlen(message));
	r->result = error_set(r->err, -EBADMSG, NEXT_STEP,
		"the plan of this run cannot be read: %s", text_string(&what));
}

static int digit_of(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* {"bytes": "hex"} */
static const char *bytes_of(struct restore *r, const char *hex, size_t size)
{
	char *text = arena_alloc(r->arena, size / 2 + 1);
	bool right = size % 2 == 0;

	for (size_t i = 0; right && i < size / 2; i++) {
		int high = digit_of(hex[i * 2]), low = digit_of(hex[i * 2 + 1]);
		right = high >= 0 && low >= 0 && high + low > 0;
		text[i] = (char)(high * 16 + low);
	}
	if (right)
		return text;
	unpack_fault(r, "\"bytes\" are not in hexadecimal");
	return "";
}

/* NULL: it is no text at all. */
static const char *string_of(struct restore *r, json_t *json)
{
	json_t *bytes = json_object_size(json) == 1 ? json_object_get(json, "bytes") : NULL;

	if (json_is_string(json))
		return arena_copy(r->arena, json_string_value(json), json_string_length(json));
	if (json_is_string(bytes))
		return bytes_of(r, json_string_value(bytes), json_string_length(bytes));
	return NULL;
}

const char *unpack_text(struct restore *r, json_t *object, const char *key)
{
	json_t *json = json_object_get(object, key);
	const char *text = json ? string_of(r, json) : NULL;

	if (json && !text)
		unpack_fault(r, "\"%s\" is not a text", key);
	return text;
}

const char *unpack_name(struct restore *r, json_t *object, const char *key)
{
	const char *text = unpack_text(r, object, key);

	if (text && *text)
		return text;
	unpack_fault(r, "\"%s\" is missing", key);
	return "";
}

int64_t unpack_number(struct restore *r, json_t *object, const char *key, int64_t otherwise,
	int64_t min, int64_t max)
{
	json_t *json = json_object_get(object, key);
	int64_t number = json ? json_integer_value(json) : otherwise;

	if ((!json || json_is_integer(json)) && number >= min && number <= max)
		return number;
	if (max < min)
		unpack_fault(r, "\"%s\" names something that is not there", key);
	else
		unpack_fault(r, "\"%s\" must be a whole number between %lld and %lld", key,
			(long long)min, (long long)max);
	return 0;
}

bool unpack_truth(struct restore *r, json_t *object, const char *key)
{
	json_t *json = json_object_get(object, key);

	if (json && !json_is_boolean(json))
		unpack_fault(r, "\"%s\" must be true or false", key);
	return json_is_true(json);
}

uint32_t unpack_numbers(
	struct restore *r, json_t *object, const char *key, uint32_t limit, struct numbers *ret)
{
	json_t *list = unpack_array(r, object, key);
	uint32_t count = (uint32_t)json_array_size(list);

	for (uint32_t i = 0; i < count; i++) {
		json_t *json = json_array_get(list, i);
		int64_t number = json_is_integer(json) ? json_integer_value(json) : -1;
		if (number < 0 || number >= limit) {
			unpack_fault(r, "\"%s\" names something that is not there", key);
			number = 0;
		}
		vec_push(ret, (uint32_t)number);
	}
	return count;
}

json_t *unpack_object(struct restore *r, json_t *object, const char *key)
{
	json_t *json = json_object_get(object, key);

	if (json && !json_is_object(json))
		unpack_fault(r, "\"%s\" must be an object", key);
	return json_is_object(json) ? json : NULL;
}

json_t *unpack_array(struct restore *r, json_t *object, const char *key)
{
	json_t *json = json_object_get(object, key);

	if (json && !json_is_array(json))
		unpack_fault(r, "\"%s\" must be a list", key);
	return json_is_array(json) ? json : NULL;
}

static struct value list_of(struct restore *r, json_t *json)
{
	struct value value = {.kind = VALUE_LIST};
	uint32_t count = (uint32_t)json_array_size(json);

	value.list.items = arena_news(r->arena, struct value, count);
	value.list.count = count;
	for (uint32_t i = 0; i < count; i++) {
		value.list.items[i] = unpack_value(r, json_array_get(json, i));
		value.has_refs |= value.list.items[i].has_refs;
	}
	return value;
}

static struct value group_of(struct restore *r, json_t *json)
{
	struct value value = {.kind = VALUE_GROUP};
	const char *name;
	json_t *member;

	value.group.members = arena_news(r->arena, struct value_member, json_object_size(json));
	json_object_foreach(json, name, member) {
		struct value_member *ret = &value.group.members[value.group.count++];
		ret->name = arena_string(r->arena, name);
		ret->value = unpack_value(r, member);
		value.has_refs |= ret->value.has_refs;
	}
	return value;
}

/* A text, or one of the objects that say what they are. */
static struct value string_or_group(struct restore *r, json_t *json)
{
	json_t *group = json_object_size(json) == 1 ? json_object_get(json, "group") : NULL;
	json_t *plain = json_object_size(json) == 1 ? json_object_get(json, "plain") : NULL;
	const char *text = string_of(r, plain ? plain : json);

	if (json_is_object(group))
		return group_of(r, group);
	if (text)
		return (struct value){.kind = VALUE_STRING,
			.string = text,
			.has_refs = !plain && strstr(text, "${")};
	unpack_fault(r, "a value is of no kind that is known");
	return (struct value){0};
}

struct value unpack_value(struct restore *r, json_t *json)
{
	switch (json ? json_typeof(json) : JSON_NULL) {
	case JSON_INTEGER:
		return (struct value){.kind = VALUE_INT, .integer = json_integer_value(json)};
	case JSON_REAL:
		return (struct value){.kind = VALUE_FLOAT, .real = json_real_value(json)};
	case JSON_TRUE:
	case JSON_FALSE:
		return (struct value){.kind = VALUE_BOOL, .truth = json_is_true(json)};
	case JSON_ARRAY:
		return list_of(r, json);
	default:
		return string_or_group(r, json);
	}
}

struct value unpack_group(struct restore *r, json_t *object, const char *key)
{
	struct value value = unpack_value(r, json_object_get(object, key));

	if (value.kind == VALUE_GROUP)
		return value;
	unpack_fault(r, "\"%s\" must be a group", key);
	return (struct value){.kind = VALUE_GROUP};
}

struct name_list unpack_names(struct restore *r, json_t *object, const char *key)
{
	json_t *list = unpack_array(r, object, key);
	uint32_t count = (uint32_t)json_array_size(list);
	const char **items = arena_news(r->arena, const char *, count);

	for (uint32_t i = 0; i < count; i++) {
		items[i] = string_of(r, json_array_get(list, i));
		if (!items[i]) {
			unpack_fault(r, "\"%s\" must be a list of names", key);
			items[i] = "";
		}
	}
	return (struct name_list){
		.items = items, .at = arena_news(r->arena, struct location, count), .count = count};
}

struct retry unpack_retry(struct restore *r, json_t *json)
{
	struct retry retry = {
		.attempts = (uint32_t)unpack_number(r, json, "attempts", 0, 1, UINT32_MAX),
		.delay_ms = unpack_number(r, json, "delay_ms", 0, 0, INT64_MAX),
		.max_delay_ms = unpack_number(r, json, "max_delay_ms", 0, 0, INT64_MAX),
		.backoff = json_number_value(json_object_get(json, "backoff")),
	};

	if (!(retry.backoff >= 1 && isfinite(retry.backoff)))
		unpack_fault(r, "\"backoff\" must be a number of at least 1");
	return retry;
}
