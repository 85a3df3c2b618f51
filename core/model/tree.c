/* SPDX-License-Identifier: MIT */
#include "model/tree.h"

#include <errno.h>
#include <string.h>

/* A value is one byte of kind, then: a text with its NUL; 8 bytes of a number; one
 * byte of a truth; or a 32-bit count and that many values, in groups each after its name. */

static void put_count(struct text *bytes, uint32_t count)
{
	text_add(bytes, (const char *)&count, sizeof count);
}

static void put_string(struct text *bytes, const char *string)
{
	text_add(bytes, string, strlen(string) + 1);
}

void tree_write(struct text *bytes, const struct value *value)
{
	text_addc(bytes, (char)value->kind);
	switch ((enum value_kind)value->kind) {
	case VALUE_NONE:
		break;
	case VALUE_STRING:
		put_string(bytes, value->string);
		break;
	case VALUE_UNKNOWN:
		put_string(bytes, value->after ? value->after : "");
		break;
	case VALUE_INT:
		text_add(bytes, (const char *)&value->integer, sizeof value->integer);
		break;
	case VALUE_FLOAT:
		text_add(bytes, (const char *)&value->real, sizeof value->real);
		break;
	case VALUE_BOOL:
		text_addc(bytes, value->truth);
		break;
	case VALUE_LIST:
		put_count(bytes, value->list.count);
		for (uint32_t i = 0; i < value->list.count; i++)
			tree_write(bytes, &value->list.items[i]);
		break;
	case VALUE_GROUP:
		put_count(bytes, value->group.count);
		for (uint32_t i = 0; i < value->group.count; i++) {
			put_string(bytes, value->group.members[i].name);
			tree_write(bytes, &value->group.members[i].value);
		}
		break;
	}
}

struct reader {
	const unsigned char *at;
	size_t left;
	size_t promised; /* elements that counts have claimed and that still have to come */
	struct arena *arena;
};

static bool read_bytes(struct reader *reader, void *ret, size_t size)
{
	if (reader->left < size)
		return false;
	memcpy(ret, reader->at, size);
	reader->at += size;
	reader->left -= size;
	return true;
}

static bool read_string(struct reader *reader, const char **ret)
{
	const unsigned char *end = reader->left ? memchr(reader->at, 0, reader->left) : NULL;

	if (!end)
		return false;
	size_t size = (size_t)(end - reader->at);
	*ret = arena_copy(reader->arena, (const char *)reader->at, size);
	reader->at += size + 1;
	reader->left -= size + 1;
	return true;
}

static bool read_value(struct reader *reader, struct value *ret, unsigned depth);

/* Counts are believed only as far as their elements can all be in the bytes that are
 * left: memory grows with what was sent, not with what was claimed.  `promised` are those that
 * have not begun, of all lists and groups around. */
static bool read_count(struct reader *reader, uint32_t *ret)
{
	if (!read_bytes(reader, ret, sizeof *ret) || reader->promised > reader->left ||
		*ret > reader->left - reader->promised)
		return false;
	reader->promised += *ret;
	return true;
}

static bool read_list(struct reader *reader, struct value *ret, unsigned depth)
{
	uint32_t count;

	if (!read_count(reader, &count))
		return false;
	ret->list.items = arena_array(reader->arena, count, sizeof ret->list.items[0]);
	for (; ret->list.count < count; ret->list.count++) {
		reader->promised--;
		if (!read_value(reader, &ret->list.items[ret->list.count], depth + 1))
			return false;
	}
	return true;
}

static bool read_group(struct reader *reader, struct value *ret, unsigned depth)
{
	uint32_t count;

	if (!read_count(reader, &count))
		return false;
	ret->group.members = arena_array(reader->arena, count, sizeof ret->group.members[0]);
	for (; ret->group.count < count; ret->group.count++) {
		struct value_member *member = &ret->group.members[ret->group.count];
		reader->promised--;
		if (!read_string(reader, &member->name) ||
			!read_value(reader, &member->value, depth + 1))
			return false;
	}
	return true;
}

static bool read_truth(struct reader *reader, bool *ret)
{
	unsigned char truth;

	if (!read_bytes(reader, &truth, 1) || truth > 1)
		return false;
	*ret = truth;
	return true;
}

static bool read_value(struct reader *reader, struct value *ret, unsigned depth)
{
	if (depth > TREE_DEPTH || !read_bytes(reader, &ret->kind, 1))
		return false;
	switch ((enum value_kind)ret->kind) {
	case VALUE_NONE:
		return true;
	case VALUE_STRING:
		return read_string(reader, &ret->string);
	case VALUE_UNKNOWN:
		return read_string(reader, &ret->after);
	case VALUE_INT:
		return read_bytes(reader, &ret->integer, sizeof ret->integer);
	case VALUE_FLOAT:
		return read_bytes(reader, &ret->real, sizeof ret->real);
	case VALUE_BOOL:
		return read_truth(reader, &ret->truth);
	case VALUE_LIST:
		return read_list(reader, ret, depth);
	case VALUE_GROUP:
		return read_group(reader, ret, depth);
	}
	return false;
}

int tree_read(const unsigned char *bytes, size_t size, struct arena *arena, struct value *ret)
{
	struct reader reader = {bytes, size, 0, arena};

	*ret = (struct value){0};
	if (read_value(&reader, ret, 0) && reader.left == 0)
		return 0;
	*ret = (struct value){0};
	return -EBADMSG;
}
