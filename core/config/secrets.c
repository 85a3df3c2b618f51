/* SPDX-License-Identifier: MIT */
#include "config/loader.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static void check_file(struct loader *loader, const char *key, const struct value *value)
{
	const char *path = strchr(value->string, ':') + 1;
	bool program = text_starts(value->string, "command:");
	struct stat st;

	if (stat(path, &st) < 0) {
		/* What the caller may not see is the run's to find out. */
		if (errno == ENOENT)
			loader_warn(loader, value->at, "make it before the run",
				"%s \"%s\": there is no %s", loader->key_noun, key, path);
		return;
	}
	const char *reason = reader_unsafe(&st);
	if (!reason && !program && st.st_mode & S_IROTH)
		reason = "can be read by everybody";
	if (!S_ISREG(st.st_mode))
		reason = "is not a regular file";
	if (reason)
		loader_error(loader, value->at, program ? "chmod go-w" : "chmod 600",
			"%s \"%s\": %s %s", loader->key_noun, key, path, reason);
}

static void check_secret(
	struct loader *loader, const char *key, const struct value *value, bool has_undo)
{
	union scalar scalar;

	if (value->kind != VALUE_STRING || value->has_refs ||
		scalar_parse(UPKEEP_SECRET, value, &scalar, NULL) < 0)
		return;
	bool fleeting =
		text_starts(value->string, "env:") || text_starts(value->string, "credential:");
	if (!fleeting)
		check_file(loader, key, value);
	else if (has_undo)
		loader_warn(loader, value->at, "use file: or command:",
			"%s \"%s\": this secret is gone after a reboot, and the undo would miss it",
			loader->key_noun, key);
}

static void check_param(struct loader *loader, const struct upkeep_param *param,
	const struct value *value, bool has_undo)
{
	uint32_t type = param->type & ~UPKEEP_LIST;

	if (type != UPKEEP_SECRET && type != UPKEEP_GROUP)
		return;
	if (value->kind == VALUE_LIST)
		for (uint32_t i = 0; i < value->list.count; i++)
			check_param(loader, param, &value->list.items[i], has_undo);
	else if (type == UPKEEP_SECRET)
		check_secret(loader, param->name, value, has_undo);
	else if (value->kind == VALUE_GROUP)
		secrets_check(loader, param->fields, param->field_count, value, has_undo);
}

void secrets_check(struct loader *loader, const struct upkeep_param *params, size_t count,
	const struct value *group, bool has_undo)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t type = params[i].type & ~UPKEEP_LIST;
		if (type != UPKEEP_SECRET && type != UPKEEP_GROUP)
			continue;
		const struct value *value = value_get(group, params[i].name);
		if (value)
			check_param(loader, &params[i], value, has_undo);
	}
}
