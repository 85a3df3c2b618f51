/* SPDX-License-Identifier: MIT */
#include "worker/rules.h"

#include "base/cleanup.h"
#include "model/value.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

int rules_output(const struct action_description *action, const char *name, const char *value,
	struct error *err)
{
	const struct upkeep_output *output = name && action ? action_output(action, name) : NULL;
	union scalar scalar;

	if (!output)
		return error_set(err, -ENOENT, "declare it in the action's table of outputs",
			"output \"%s\" is not declared", name ? name : "");
	if (!value || strlen(value) > UPKEEP_PAYLOAD_MAX)
		return error_set(
			err, -EINVAL, NULL, "output \"%s\": no text, or more than 64 KiB", name);
	if (scalar_parse_text(output->type & ~UPKEEP_LIST, value, &scalar, err) < 0) {
		error_prefix(err, "output \"%s\"", name);
		return -EINVAL;
	}
	return 0;
}

int rules_copy(void *ret, size_t size, const void *theirs, size_t their_size, size_t least)
{
	memset(ret, 0, size);
	if (!theirs || their_size < least)
		return -EINVAL;
	memcpy(ret, theirs, their_size < size ? their_size : size);
	return 0;
}

bool rules_is_plain_name(const char *name)
{
	return name && name[0] && !strchr(name, '/') && strlen(name) <= 255 &&
		strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static bool kind_is_good(const char *kind)
{
	return kind && kind[0] >= 'a' && kind[0] <= 'z' && strlen(kind) <= 63 &&
		kind[strspn(kind, "abcdefghijklmnopqrstuvwxyz0123456789-")] == 0;
}

int rules_record(const struct upkeep_undo *record, struct error *err)
{
	if (!kind_is_good(record->kind))
		return error_set(err, -EINVAL, NULL,
			"an undo record's kind is [a-z][a-z0-9-]*, up to "
			"63 characters");
	if (record->payload_size > UPKEEP_PAYLOAD_MAX || (record->payload_size && !record->payload))
		return error_set(err, -EINVAL,
			"put what is larger into a file of the undo directory",
			"undo record \"%s\": its payload has %zu bytes; at most %u", record->kind,
			record->payload_size, UPKEEP_PAYLOAD_MAX);
	if (record->file_count > 256 || (record->file_count && !record->files))
		return error_set(err, -EINVAL, NULL, "undo record \"%s\": %zu files; at most 256",
			record->kind, record->file_count);
	for (size_t i = 0; i < record->file_count; i++)
		if (!rules_is_plain_name(record->files[i]))
			return error_set(err, -EINVAL, NULL,
				"undo record \"%s\": \"%s\" is not a plain "
				"name in the undo directory",
				record->kind, record->files[i] ? record->files[i] : "");
	return 0;
}

bool rules_result(enum call_mode mode, int32_t result)
{
	int32_t most = mode == CALL_PROBE ? UPKEEP_PARTLY : UPKEEP_CHANGED;

	return result >= UPKEEP_NEEDS_PERSON && result <= most;
}

int rules_sync(int dir, const struct upkeep_undo *record)
{
	for (size_t i = 0; i < record->file_count; i++) {
		CLEANUP_FD int fd = openat(dir, record->files[i],
			O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
		struct stat st;
		if (fd < 0 || fstat(fd, &st) < 0)
			return -errno;
		if (!S_ISREG(st.st_mode))
			return -EINVAL;
		if (fsync(fd) < 0)
			return -errno;
	}
	return record->file_count && fsync(dir) < 0 ? -errno : 0;
}
