/* SPDX-License-Identifier: MIT */
#include "worker/decode.h"

#include "base/text.h"
#include "model/describe.h"
#include "model/describe_check.h"

#include <errno.h>
#include <string.h>

struct decoder {
	struct arena *arena;
	struct error *err;
};

static bool is_unknown(const struct value *value)
{
	if (value->kind == VALUE_UNKNOWN)
		return true;
	for (uint32_t i = 0; value->kind == VALUE_LIST && i < value->list.count; i++)
		if (is_unknown(&value->list.items[i]))
			return true;
	for (uint32_t i = 0; value->kind == VALUE_GROUP && i < value->group.count; i++)
		if (is_unknown(&value->group.members[i].value))
			return true;
	return false;
}

/* Stores one scalar as the C type that plugin.h names for it. */
static void store(uint32_t type, const union scalar *scalar, void *at)
{
	switch (type) {
	case UPKEEP_BOOL:
		*(int32_t *)at = (int32_t)scalar->integer;
		break;
	case UPKEEP_INT:
	case UPKEEP_DURATION:
	case UPKEEP_TIME:
		*(int64_t *)at = scalar->integer;
		break;
	case UPKEEP_SIZE:
		*(uint64_t *)at = scalar->size;
		break;
	case UPKEEP_FLOAT:
	case UPKEEP_PERCENT:
		*(double *)at = scalar->real;
		break;
	default:
		*(const char **)at = scalar->string;
	}
}

static int decode_scalar(struct decoder *decoder, const struct upkeep_param *param,
	const struct value *value, void *at)
{
	uint32_t type = param->type & ~UPKEEP_LIST;
	union scalar scalar;

	if (param->flags & UPKEEP_SEARCHED && type == UPKEEP_PATH && value->kind == VALUE_STRING &&
		!strchr(value->string, '/'))
		scalar.string = value->string;
	else if (scalar_parse(type, value, &scalar, decoder->err) < 0)
		return -EINVAL;
	store(type, &scalar, at);
	return 0;
}

/* Every list struct of plugin.h begins so. */
struct list {
	const void *items;
	size_t count;
};

static int decode_group(struct decoder *decoder, const struct upkeep_param *params, size_t count,
	const struct value *group, char *block, uint8_t *states);

static size_t element_size(const struct upkeep_param *param)
{
	uint32_t type = param->type & ~UPKEEP_LIST;

	return type == UPKEEP_GROUP ? param->fields_size : type == UPKEEP_BOOL ? 4 : 8;
}

static int decode_list(struct decoder *decoder, const struct upkeep_param *param,
	const struct value *value, void *at)
{
	bool groups = param->type == (UPKEEP_LIST | UPKEEP_GROUP);
	size_t size = element_size(param);
	char *items = arena_array(decoder->arena, value->list.count, size);

	for (uint32_t i = 0; i < value->list.count; i++) {
		const struct value *item = &value->list.items[i];
		int r = groups ? decode_group(decoder, param->fields, param->field_count, item,
					 items + i * size, NULL)
			       : decode_scalar(decoder, param, item, items + i * size);
		if (r < 0)
			return r;
	}
	*(struct list *)at = (struct list){value->list.count ? items : NULL, value->list.count};
	if (groups)
		((struct upkeep_groups *)at)->stride = size;
	return 0;
}

struct preset_target {
	struct decoder *decoder;
	const struct upkeep_param *param;
	char *items;
};

static int store_preset(void *data, size_t index, const char *text)
{
	struct preset_target *target = data;
	struct value value = {
		.kind = VALUE_STRING, .string = arena_string(target->decoder->arena, text)};

	return decode_scalar(target->decoder, target->param, &value,
		target->items + index * element_size(target->param));
}

static int decode_preset(struct decoder *decoder, const struct upkeep_param *param, void *at)
{
	struct preset_target target = {decoder, param, at};

	if (param->type & UPKEEP_LIST) {
		size_t count = preset_count(param);
		target.items = arena_array(decoder->arena, count, element_size(param));
		*(struct list *)at = (struct list){count ? target.items : NULL, count};
	}
	return preset_each(param, store_preset, &target);
}

/* Of an absent group the fields' defaults still hold. */
static int decode_absent(
	struct decoder *decoder, const struct upkeep_param *param, void *at, uint8_t *state)
{
	static const struct value empty = {.kind = VALUE_GROUP};

	*state = UPKEEP_ARG_ABSENT;
	if (param->type == UPKEEP_GROUP)
		return decode_group(decoder, param->fields, param->field_count, &empty, at, NULL);
	if (param->type == (UPKEEP_LIST | UPKEEP_GROUP))
		((struct upkeep_groups *)at)->stride = param->fields_size;
	if (!param->preset)
		return 0;
	*state = UPKEEP_ARG_PRESET;
	return decode_preset(decoder, param, at);
}

static int decode_param(struct decoder *decoder, const struct upkeep_param *param,
	const struct value *value, void *at, uint8_t *state)
{
	int r;

	if (!value)
		return decode_absent(decoder, param, at, state);
	if (is_unknown(value)) {
		*state = UPKEEP_ARG_UNKNOWN;
		return 0;
	}
	*state = UPKEEP_ARG_GIVEN;
	if (param->type & UPKEEP_LIST)
		r = decode_list(decoder, param, value, at);
	else if (param->type == UPKEEP_GROUP)
		r = decode_group(decoder, param->fields, param->field_count, value, at, NULL);
	else
		r = decode_scalar(decoder, param, value, at);
	if (r < 0)
		error_prefix(decoder->err, "\"%s\"", param->name);
	return r;
}

static int decode_group(struct decoder *decoder, const struct upkeep_param *params, size_t count,
	const struct value *group, char *block, uint8_t *states)
{
	for (size_t i = 0; i < count; i++) {
		uint8_t ignored;
		int r = decode_param(decoder, &params[i], value_get(group, params[i].name),
			block + params[i].offset, states ? &states[i] : &ignored);
		if (r < 0)
			return r;
	}
	return 0;
}

static void collect(void *data, struct location at, const char *what, const char *next)
{
	struct text *faults = data;

	(void)at;
	text_addf(faults, "%s%s%s%s", faults->size ? "; " : "", what, next ? ": " : "",
		next ? next : "");
}

/* An output is text; where it was put in for a number, it is one. */
static void unquote_scalar(uint32_t type, struct value *value)
{
	union scalar scalar;
	struct location at = value->at;

	if (value->kind != VALUE_STRING ||
		scalar_parse_text(type, value->string, &scalar, NULL) < 0)
		return;
	if (type == UPKEEP_INT)
		*value = (struct value){.kind = VALUE_INT, .at = at, .integer = scalar.integer};
	else if (type == UPKEEP_FLOAT)
		*value = (struct value){.kind = VALUE_FLOAT, .at = at, .real = scalar.real};
	else if (type == UPKEEP_BOOL)
		*value = (struct value){.kind = VALUE_BOOL, .at = at, .truth = scalar.integer};
}

static void unquote(const struct upkeep_param *params, size_t count, struct value *group);

static void unquote_one(const struct upkeep_param *param, struct value *value)
{
	if (value->kind == VALUE_LIST)
		for (uint32_t i = 0; i < value->list.count; i++)
			unquote_one(param, &value->list.items[i]);
	else if (value->kind == VALUE_GROUP)
		unquote(param->fields, param->field_count, value);
	else
		unquote_scalar(param->type & ~UPKEEP_LIST, value);
}

static void unquote(const struct upkeep_param *params, size_t count, struct value *group)
{
	for (uint32_t i = 0; i < group->group.count; i++) {
		const struct upkeep_param *param =
			params_find(params, count, group->group.members[i].name);
		if (param)
			unquote_one(param, &group->group.members[i].value);
	}
}

int arguments_decode(const struct upkeep_param *params, size_t count, size_t size,
	struct value *group, struct arena *arena, struct arguments *ret, struct error *err)
{
	struct value empty = {.kind = VALUE_GROUP};
	CLEANUP_TEXT struct text faults = {0};
	struct decoder decoder = {arena, err};

	if (group->kind == VALUE_NONE)
		group = &empty;
	if (group->kind != VALUE_GROUP)
		return error_set(err, -EINVAL, NULL, "the arguments are not a group");
	*ret = (struct arguments){.block = arena_array(arena, size, 1),
		.params = params,
		.count = count,
		.states = arena_array(arena, count, 1)};
	unquote(params, count, group);
	if (params_check(params, count, group, (struct location){0}, "", collect, &faults))
		return error_set(err, -EINVAL, NULL, "%s", text_string(&faults));
	return decode_group(&decoder, params, count, group, ret->block, ret->states);
}

bool arguments_unknown(const struct arguments *arguments)
{
	return arguments->count && memchr(arguments->states, UPKEEP_ARG_UNKNOWN, arguments->count);
}

int32_t arguments_state(const struct arguments *arguments, size_t offset)
{
	for (size_t i = 0; i < arguments->count; i++)
		if (arguments->params[i].offset == offset)
			return arguments->states[i];
	return -EINVAL;
}
