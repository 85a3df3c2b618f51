/* SPDX-License-Identifier: MIT */
#include "plan/reference.h"

#include <errno.h>
#include <string.h>

static bool is_word(const struct piece *piece, const char *word)
{
	return strlen(word) == piece->head_size && memcmp(piece->text, word, piece->head_size) == 0;
}

static bool has_only_name_letters(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_*./",
			    text[i]) ||
			!text[i])
			return false;
	return size > 0;
}

static int split(struct piece *piece, struct error *err)
{
	const char *point = memrchr(piece->text, '.', piece->size);

	if (!has_only_name_letters(piece->text, piece->size))
		return error_set(err, -EINVAL,
			"write ${param.NAME}, ${TASK.OUTPUT}, ${run.id} and "
			"their like; a plain \"${\" is written \"$${\"",
			"\"${%.*s}\" is not a reference", (int)piece->size, piece->text);
	piece->name = "";
	piece->name_size = 0;
	piece->head_size = point ? (size_t)(point - piece->text) : piece->size;
	piece->kind = REFERENCE_EACH;
	if (!point && is_word(piece, "each"))
		return 1;
	if (!point || point == piece->text || point + 1 == piece->text + piece->size)
		return error_set(err, -EINVAL,
			"write ${param.NAME} for a parameter, or "
			"${TASK.OUTPUT} for an output",
			"\"${%.*s}\" does not say what of it is meant", (int)piece->size,
			piece->text);
	piece->name = point + 1;
	piece->name_size = piece->size - piece->head_size - 1;
	piece->kind = is_word(piece, "param") ? REFERENCE_PARAM
		: is_word(piece, "run") || is_word(piece, "graph") || is_word(piece, "host") ||
			is_word(piece, "env")
		? REFERENCE_RUN
		: REFERENCE_OUTPUT;
	return 1;
}

int reference_next(const char **cursor, struct piece *ret, struct error *err)
{
	const char *at = *cursor, *end;

	*ret = (struct piece){.text = at};
	if (!*at)
		return 0;
	if (strncmp(at, "$${", 3) == 0) {
		ret->text = at + 1;
		ret->size = 2;
		*cursor = at + 3;
		return 1;
	}
	if (strncmp(at, "${", 2) == 0) {
		end = strchr(at, '}');
		if (!end)
			return error_set(err, -EINVAL,
				"close it with \"}\", or write \"$${\" for a "
				"plain \"${\"",
				"the reference \"%.20s\" is not closed", at);
		ret->is_reference = true;
		ret->text = at + 2;
		ret->size = (size_t)(end - at) - 2;
		*cursor = end + 1;
		return split(ret, err);
	}
	do
		at++;
	while (*at && strncmp(at, "${", 2) != 0 && strncmp(at, "$${", 3) != 0);
	ret->size = (size_t)(at - ret->text);
	*cursor = at;
	return 1;
}

bool reference_alone(const char *text, struct piece *ret)
{
	return reference_next(&text, ret, NULL) == 1 && ret->is_reference && !*text;
}
