/*
 * The rules that a plugin's tables must keep before any of them is used
 * (plugin-abi.md 4): counts, names, types, bounds, defaults, every member inside its
 * struct.  They hold for a plugin that is being loaded and for a description that was
 * read from a cache alike.
 */
#ifndef UPKEEP_MODEL_DESCRIBE_CHECK_H
#define UPKEEP_MODEL_DESCRIBE_CHECK_H

#include "base/error.h"
#include "model/describe.h"

/* What one plugin may have at most. */
#define DESCRIBE_ACTIONS_MAX 256u
#define DESCRIBE_PARAMS_MAX 256u     /* of a table; outputs too */
#define DESCRIBE_DEPTH_MAX 8u        /* of groups in groups */
#define DESCRIBE_SIZE_MAX (1u << 20) /* of an arguments struct, bytes */
#define DESCRIBE_TEXT_MAX (1u << 16) /* of a name, sentence or manual, bytes */

/* -EPROTO with what is wrong, where, and what would be right. */
int description_check(const struct plugin_description *plugin, struct error *err);

/* Size and alignment of the member that a type needs; false for a type that this host does
 * not know.  Of a GROUP: `fields_size`. */
bool type_member(uint32_t type, size_t fields_size, size_t *ret_size, size_t *ret_align);

/* Calls `each` with every element of a preset: once for a scalar, for each part between
 * "|" for a list.  Stops at the first negative result and returns it. */
int preset_each(const struct upkeep_param *param,
	int (*each)(void *data, size_t index, const char *text), void *data);
/* How many elements a preset of a list has. */
size_t preset_count(const struct upkeep_param *param);

#endif
