/* SPDX-License-Identifier: MIT */
#include "config/loader.h"

#include "model/nearest.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void add(struct loader *loader, struct location at, bool warning, const char *next,
	const char *format, va_list ap)
{
	char what[2048];

	vsnprintf(what, sizeof what, format, ap);
	if (loader->noun)
		diagnostics_add(loader->diagnostics, at, loader->graph, warning, next,
			"%s \"%s\": %s", loader->noun, loader->name, what);
	else
		diagnostics_add(loader->diagnostics, at, loader->graph, warning, next, "%s", what);
	if (!warning && loader->faulty)
		*loader->faulty = true;
}

void loader_error(
	struct loader *loader, struct location at, const char *next, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	add(loader, at, false, next, format, ap);
	va_end(ap);
}

void loader_warn(
	struct loader *loader, struct location at, const char *next, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	add(loader, at, true, next, format, ap);
	va_end(ap);
}

void loader_plugin_error(
	struct loader *loader, struct location at, const char *next, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	add(loader, at, false, next, format, ap);
	va_end(ap);
	loader->diagnostics->list.items[loader->diagnostics->list.count - 1].plugin = true;
}

void loader_report(void *data, struct location at, const char *what, const char *next)
{
	struct loader *loader = data;

	loader_error(loader, at, next, "%s %s", loader->key_noun, what);
}

const char *loader_place(struct loader *loader, struct location at)
{
	return arena_printf(
		&loader->site->arena, "%s:%u:%u", loader->site->files[at.file], at.line, at.column);
}

bool loader_name(struct loader *loader, struct location at, const char *what, const char *name,
	bool underscores)
{
	const char *letters = "abcdefghijklmnopqrstuvwxyz0123456789-_";
	size_t n = strspn(name, letters);
	bool right =
		name[0] >= 'a' && name[0] <= 'z' && !name[n] && (underscores || !strchr(name, '_'));

	if (!right)
		loader_error(loader, at,
			underscores ? "use a-z, 0-9, - and _, beginning with a letter"
				    : "use a-z, 0-9 and -, beginning with a letter",
			"%s may not be named \"%s\"", what, name);
	return right;
}

void loader_refuse_refs(struct loader *loader, const char *what, const struct value *value)
{
	for (uint32_t i = 0; value->kind == VALUE_LIST && i < value->list.count; i++)
		if (value->list.items[i].has_refs) {
			loader_refuse_refs(loader, what, &value->list.items[i]);
			return;
		}
	for (uint32_t i = 0; value->kind == VALUE_GROUP && i < value->group.count; i++)
		if (value->group.members[i].value.has_refs) {
			loader_refuse_refs(loader, what, &value->group.members[i].value);
			return;
		}
	loader_error(loader, value->at, "write the value itself", "%s takes no ${...}", what);
}

bool loader_key(struct loader *loader, const struct upkeep_param *key, struct value_member *member)
{
	struct value *value = &member->value;

	if (key->type == (UPKEEP_LIST | UPKEEP_STRING) && value->kind == VALUE_STRING) {
		struct value *item = arena_new(&loader->site->arena, struct value);
		*item = *value;
		value->kind = VALUE_LIST;
		value->list.items = item;
		value->list.count = 1;
	}
	if (value->has_refs && !(key->flags & KEY_REFS)) {
		char what[96];
		snprintf(what, sizeof what, "%s \"%s\"", loader->key_noun, member->name);
		loader_refuse_refs(loader, what, value);
		return false;
	}
	return !key->type || param_check(key, value, loader_report, loader) == 0;
}

static void report_unknown(struct loader *loader, const struct upkeep_param *keys, size_t count,
	const struct value_member *member)
{
	struct nearest nearest = nearest_start(member->name);
	struct text CLEANUP_TEXT known = {0};
	char question[128];

	for (size_t i = 0; i < count; i++) {
		nearest_try(&nearest, keys[i].name);
		text_addf(&known, "%s%s", i ? ", " : "known are: ", keys[i].name);
	}
	const char *next = nearest_question(&nearest, question, sizeof question);
	loader_error(loader, member->at, next ? next : text_string(&known), "%s \"%s\" is unknown",
		loader->key_noun, member->name);
}

void loader_keys(struct loader *loader, const struct upkeep_param *keys, size_t count,
	struct value *group, struct location at)
{
	for (uint32_t i = 0; i < group->group.count; i++) {
		struct value_member *member = &group->group.members[i];
		const struct upkeep_param *key = params_find(keys, count, member->name);
		if (!key)
			report_unknown(loader, keys, count, member);
		else if (!loader_key(loader, key, member))
			member->value = (struct value){.at = member->value.at};
	}
	for (size_t i = 0; i < count; i++)
		if (keys[i].flags & UPKEEP_REQUIRED && !value_get(group, keys[i].name))
			loader_error(loader, at, keys[i].about, "%s \"%s\" is missing",
				loader->key_noun, keys[i].name);
}

int64_t key_number(const struct upkeep_param *key, const struct value *value)
{
	union scalar scalar = {0};

	scalar_parse(key->type, value, &scalar, NULL);
	return scalar.integer;
}

uint8_t key_choice(const struct upkeep_param *key, const struct value *value)
{
	uint8_t index = 0;
	size_t n = strlen(value->string);

	for (const char *c = key->choices; strcspn(c, "|") != n || memcmp(c, value->string, n) != 0;
		index++)
		c += strcspn(c, "|") + 1;
	return index;
}

struct name_list key_names(struct loader *loader, const struct value *value)
{
	uint32_t count = value->list.count;
	const char **items = arena_news(&loader->site->arena, const char *, count);
	struct location *at = arena_news(&loader->site->arena, struct location, count);

	for (uint32_t i = 0; i < count; i++) {
		items[i] = value->list.items[i].string;
		at[i] = value->list.items[i].at;
	}
	return (struct name_list){.items = items, .at = at, .count = count};
}

static const struct value *group_value(const struct value *group, const char *name)
{
	const struct value *value = value_get(group, name);

	return value && value->kind != VALUE_NONE ? value : NULL;
}

int64_t group_number(const struct upkeep_param *keys, size_t count, const struct value *group,
	const char *name, int64_t otherwise)
{
	const struct value *value = group_value(group, name);

	return value ? key_number(params_find(keys, count, name), value) : otherwise;
}

uint8_t group_choice(const struct upkeep_param *keys, size_t count, const struct value *group,
	const char *name, uint8_t otherwise)
{
	const struct value *value = group_value(group, name);

	return value ? key_choice(params_find(keys, count, name), value) : otherwise;
}

const char *group_string(const struct value *group, const char *name, const char *otherwise)
{
	const struct value *value = group_value(group, name);

	return value ? value->string : otherwise;
}
