/* SPDX-License-Identifier: MIT */
#include "record.h"

#include <inttypes.h>
#include <stdlib.h>

struct field {
	const char *key;
	size_t offset, room; /* room 0: a 64-bit number */
};

#define FIELD_TEXT(member)                                                                     \
	{                                                                                      \
#member, offsetof(struct record, member), sizeof(((struct record *)0)->member) \
	}
#define FIELD_NUMBER(member)                                \
	{                                                   \
#member, offsetof(struct record, member), 0 \
	}

static const struct field fields[] = {
	FIELD_TEXT(from_dir),
	FIELD_TEXT(from_name),
	FIELD_TEXT(to_dir),
	FIELD_TEXT(to_name),
	FIELD_NUMBER(from_dev),
	FIELD_NUMBER(from_ino),
	FIELD_NUMBER(to_dev),
	FIELD_NUMBER(to_ino),
	FIELD_NUMBER(bytes),
	FIELD_TEXT(hash),
	FIELD_TEXT(format),
	FIELD_TEXT(mode),
	FIELD_NUMBER(uid),
	FIELD_NUMBER(gid),
	FIELD_NUMBER(mtime_ns),
	FIELD_TEXT(signal),
	FIELD_TEXT(pid_file),
	FIELD_TEXT(processes),
};

static const char *const kinds[] = {
	RECORD_RENAME, RECORD_REPLACE, RECORD_COLLAPSE, RECORD_TRUNCATE, RECORD_MKDIR};

static int name_set(char *dir_room, char *name_room, const char *dir, const char *name)
{
	if (strlen(dir) >= PATH_MAX || strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(dir_room, dir, strlen(dir) + 1);
	memcpy(name_room, name, strlen(name) + 1);
	return 0;
}

int record_from(struct record *record, const char *dir, const char *name, const struct stat *st)
{
	if (st) {
		record->from_dev = st->st_dev;
		record->from_ino = st->st_ino;
	}
	return name_set(record->from_dir, record->from_name, dir, name);
}

int record_to(struct record *record, const char *dir, const char *name, const struct stat *st)
{
	if (st) {
		record->to_dev = st->st_dev;
		record->to_ino = st->st_ino;
	}
	return name_set(record->to_dir, record->to_name, dir, name);
}

static int field_put(const struct record *record, const struct field *f, char *payload, size_t room,
	size_t *size)
{
	const char *at = (const char *)record + f->offset;
	char number[24];
	if (f->room == 0) {
		int64_t value;
		memcpy(&value, at, sizeof value);
		if (value == 0)
			return 0;
		snprintf(number, sizeof number, "%" PRId64, value);
		at = number;
	}
	return *at ? upkeep_kv_put(payload, room, size, f->key, at) : 0;
}

int32_t record_push(
	struct upkeep_ctx *ctx, const struct record *record, const char *about, uint64_t *ret_id)
{
	char payload[UPKEEP_PAYLOAD_MAX];
	size_t size = 0;
	int r = 0;
	for (size_t i = 0; i < UPKEEP_COUNT(fields) && r == 0; i++)
		r = field_put(record, &fields[i], payload, sizeof payload, &size);
	struct upkeep_undo undo = {
		.struct_size = sizeof undo,
		.kind = record->kind,
		.version = 1,
		.payload = payload,
		.payload_size = size,
		.about = about,
	};
	if (r == 0)
		r = upkeep_undo_push(ctx, &undo, ret_id);
	if (r < 0)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, strerror(-r),
			"cannot write down how to undo \"%s\"; nothing was changed", about);
	return 0;
}

static int field_get(struct record *record, const struct field *f, const struct upkeep_undo *undo)
{
	char *at = (char *)record + f->offset;
	char number[24];
	int64_t n = upkeep_kv_get(undo->payload, undo->payload_size, f->key, f->room ? at : number,
		f->room ? f->room : sizeof number);
	if (n == -ENOENT)
		return 0;
	if (n < 0)
		return (int)n;
	if (f->room == 0) {
		int64_t value = strtoll(number, NULL, 10);
		memcpy(at, &value, sizeof value);
	}
	return 0;
}

static const char *kind_find(const char *kind)
{
	for (size_t i = 0; i < UPKEEP_COUNT(kinds); i++)
		if (strcmp(kinds[i], kind) == 0)
			return kinds[i];
	return NULL;
}

int32_t record_read(
	struct upkeep_ctx *ctx, const struct upkeep_undo *undo, struct record *ret_record)
{
	int r = 0;
	*ret_record = (struct record){.kind = kind_find(undo->kind)};
	for (size_t i = 0; i < UPKEEP_COUNT(fields) && r == 0; i++)
		r = field_get(ret_record, &fields[i], undo);
	if (r == 0 && ret_record->kind && undo->version == 1)
		return 0;
	return upkeep_fail(ctx, UPKEEP_NEEDS_PERSON, "upkeep show RUN",
		r < 0 ? strerror(-r) : "this version of the plugin does not know it",
		"cannot read an undo record of kind \"%s\", version %u", undo->kind, undo->version);
}
