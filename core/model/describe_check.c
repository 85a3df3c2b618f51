/* SPDX-License-Identifier: MIT */
#include "model/describe_check.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "model/value.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define NEXT "mend the plugin and build it again; upkeep lint plugin FILE.so lists what is wrong"
#define FLAGS_KNOWN \
	(UPKEEP_REQUIRED | UPKEEP_NONEMPTY | UPKEEP_GLOBS | UPKEEP_SEARCHED | UPKEEP_NO_UNDO)
#define ACTION_FLAGS_KNOWN                                                                    \
	(UPKEEP_STREAM_IN | UPKEEP_STREAM_OUT | UPKEEP_STREAM_IN_NEEDED | UPKEEP_READS_PART | \
		UPKEEP_RETRY_CONTINUES | UPKEEP_LEAVES_RUNNING | UPKEEP_PLANS_UNKNOWN)

/* Where the checker stands, for its messages. */
struct check {
	const struct plugin_description *plugin;
	const char *table; /* "settings", "action \"dump\"" */
	bool newer;        /* made for a minor that this host does not know yet */
	bool recorded;     /* the table is of an action that writes undo records */
	struct error *err;
};

static bool name_is_good(const char *name, const char *further)
{
	if (!name || name[0] < 'a' || name[0] > 'z' || strlen(name) > 63)
		return false;
	for (const char *c = name; *c; c++)
		if (!(*c >= 'a' && *c <= 'z') && !(*c >= '0' && *c <= '9') && !strchr(further, *c))
			return false;
	return true;
}

static bool text_fits(const char *text)
{
	return !text || strnlen(text, DESCRIBE_TEXT_MAX + 1) <= DESCRIBE_TEXT_MAX;
}

bool type_member(uint32_t type, size_t fields_size, size_t *ret_size, size_t *ret_align)
{
	uint32_t element = type & ~UPKEEP_LIST;

	if (element < UPKEEP_STRING || element > UPKEEP_GROUP)
		return false;
	*ret_align = 8;
	*ret_size = 8;
	if (type == (UPKEEP_LIST | UPKEEP_GROUP))
		*ret_size = sizeof(struct upkeep_groups);
	else if (type & UPKEEP_LIST)
		*ret_size = sizeof(struct upkeep_strings);
	else if (type == UPKEEP_GROUP)
		*ret_size = fields_size, *ret_align = fields_size % 8 ? 4 : 8;
	else if (type == UPKEEP_BOOL)
		*ret_size = *ret_align = 4;
	return true;
}

int preset_each(const struct upkeep_param *param,
	int (*each)(void *data, size_t index, const char *text), void *data)
{
	if (!(param->type & UPKEEP_LIST))
		return each(data, 0, param->preset);
	const char *at = param->preset;
	for (size_t i = 0, n = preset_count(param); i < n; i++) {
		size_t size = strcspn(at, "|");
		CLEANUP_FREE char *part = strndup(at, size);
		int r = part ? each(data, i, part) : -ENOMEM;
		if (r < 0)
			return r;
		at += size + 1;
	}
	return 0;
}

size_t preset_count(const struct upkeep_param *param)
{
	size_t count = 1;

	if (!(param->type & UPKEEP_LIST) || !param->preset[0])
		return !(param->type & UPKEEP_LIST);
	for (const char *c = param->preset; *c; c++)
		count += *c == '|';
	return count;
}

static int fault(const struct check *check, const char *name, const char *what)
{
	return error_set(check->err, -EPROTO, NEXT, "plugin \"%s\": %s: \"%s\": %s",
		check->plugin->name, check->table, name ? name : "", what);
}

static bool word_is_choice(const char *choices, const char *word)
{
	size_t size = strlen(word);

	for (const char *at = choices; at && *at; at += *at == '|') {
		size_t n = strcspn(at, "|");
		if (n == size && memcmp(at, word, n) == 0)
			return true;
		at += n;
	}
	return false;
}

static bool number_in_bounds(const struct upkeep_param *param, const union scalar *scalar)
{
	bool open = param->max < param->min; /* no greatest */

	if (param->min == 0 && param->max == 0)
		return true;
	switch (param->type & ~UPKEEP_LIST) {
	case UPKEEP_INT:
	case UPKEEP_DURATION:
	case UPKEEP_TIME:
		return scalar->integer >= param->min && (open || scalar->integer <= param->max);
	case UPKEEP_SIZE:
		return scalar->size >= (uint64_t)param->min &&
			(open || scalar->size <= (uint64_t)param->max);
	case UPKEEP_FLOAT:
	case UPKEEP_PERCENT:
		return scalar->real >= (double)param->min &&
			(open || scalar->real <= (double)param->max);
	default:
		return true;
	}
}

static int check_preset_part(void *data, size_t index, const char *text)
{
	const struct upkeep_param *param = data;
	uint32_t type = param->type & ~UPKEEP_LIST;
	CLEANUP_ERROR struct error ignored = {0};
	union scalar scalar;

	(void)index;
	if (type == UPKEEP_CHOICE)
		return word_is_choice(param->choices, text) ? 0 : -EINVAL;
	if (type == UPKEEP_PATH && param->flags & UPKEEP_SEARCHED && !strchr(text, '/'))
		return text[0] ? 0 : -EINVAL;
	int r = scalar_parse_text(type, text, &scalar, &ignored);
	return r < 0 ? r : number_in_bounds(param, &scalar) ? 0 : -ERANGE;
}

static int check_preset(const struct check *check, const struct upkeep_param *param)
{
	if (!param->preset)
		return 0;
	if (param->flags & UPKEEP_REQUIRED)
		return fault(check, param->name, "is required and has a default; leave one out");
	if ((param->type & ~UPKEEP_LIST) == UPKEEP_GROUP)
		return fault(check, param->name, "a group has no default; its fields may");
	if (preset_each(param, check_preset_part, (void *)(uintptr_t)param) < 0)
		return fault(check, param->name,
			"its default is not of its type, or outside its bounds or choices");
	return 0;
}

static int check_params(const struct check *check, const struct upkeep_param *params, size_t count,
	size_t size, unsigned depth);

static int check_member(const struct check *check, const struct upkeep_param *param, size_t size)
{
	size_t member, align;
	CLEANUP_FREE char *text = NULL;

	if (!type_member(param->type, param->fields_size, &member, &align)) {
		if (asprintf(&text, "type %u is not known to this host (ABI %u.%u)", param->type,
			    UPKEEP_ABI_MAJOR, UPKEEP_ABI_MINOR) < 0)
			text = NULL;
		return fault(check, param->name, text ? text : "unknown type");
	}
	if (param->offset % align == 0 && param->offset <= size && member <= size - param->offset)
		return 0;
	if (asprintf(&text,
		    "a %s at offset %zu (%zu bytes, aligned to %zu) does not lie in its "
		    "struct of %zu bytes",
		    type_name(param->type), param->offset, member, align, size) < 0)
		text = NULL;
	return fault(check, param->name, text ? text : "lies outside its struct");
}

/* Only of what could be undone can an argument say that it cannot. */
static bool no_undo_fits(
	const struct check *check, const struct upkeep_param *param, unsigned depth)
{
	if (!(param->flags & UPKEEP_NO_UNDO))
		return true;
	return check->recorded && depth == 0 && param->preset &&
		(param->type == UPKEEP_BOOL || param->type == UPKEEP_CHOICE);
}

static int check_param(
	const struct check *check, const struct upkeep_param *param, size_t size, unsigned depth)
{
	bool group = (param->type & ~UPKEEP_LIST) == UPKEEP_GROUP;
	bool choice = (param->type & ~UPKEEP_LIST) == UPKEEP_CHOICE;

	if (!name_is_good(param->name, "_"))
		return fault(check, param->name,
			"is not a name of the form [a-z][a-z0-9_]*, "
			"up to 63 characters");
	if (depth == 0 && !check->newer && text_in_words(param->name, UPKEEP_CORE_KEYS))
		return fault(check, param->name, "is a key of the core; choose another name");
	if (!text_fits(param->about) || !text_fits(param->preset) || !text_fits(param->choices))
		return fault(check, param->name, "has a text longer than 64 KiB");
	if (!check->newer && param->flags & ~FLAGS_KNOWN)
		return fault(check, param->name, "has a flag that its ABI does not have");
	if (choice != (param->choices && param->choices[0]))
		return fault(check, param->name,
			"choices belong to the type CHOICE, and there "
			"to every parameter");
	if (group != (param->field_count > 0))
		return fault(check, param->name,
			"fields belong to the type GROUP, and there to "
			"every parameter");
	if (!no_undo_fits(check, param, depth))
		return fault(check, param->name,
			"NO_UNDO belongs to a BOOL or CHOICE with a "
			"default, of an action whose changes are recorded");
	int r = check_member(check, param, size);
	if (r == 0)
		r = check_preset(check, param);
	if (r == 0 && group)
		r = check_params(
			check, param->fields, param->field_count, param->fields_size, depth + 1);
	return r;
}

static int check_params(const struct check *check, const struct upkeep_param *params, size_t count,
	size_t size, unsigned depth)
{
	if (count > DESCRIBE_PARAMS_MAX || size > DESCRIBE_SIZE_MAX || depth > DESCRIBE_DEPTH_MAX)
		return error_set(check->err, -EPROTO, NEXT,
			"plugin \"%s\": %s: %zu parameters in a "
			"struct of %zu bytes, %u levels deep; at most %u in %u, %u deep",
			check->plugin->name, check->table, count, size, depth, DESCRIBE_PARAMS_MAX,
			DESCRIBE_SIZE_MAX, DESCRIBE_DEPTH_MAX);
	for (size_t i = 0; i < count; i++) {
		int r = check_param(check, &params[i], size, depth);
		for (size_t j = 0; r == 0 && j < i; j++)
			if (text_equal(params[i].name, params[j].name))
				r = fault(check, params[i].name, "is there twice");
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_outputs(const struct check *check, const struct upkeep_action *action)
{
	if (action->output_count > DESCRIBE_PARAMS_MAX)
		return error_set(check->err, -EPROTO, NEXT,
			"plugin \"%s\": %s: %zu outputs; at most "
			"%u",
			check->plugin->name, check->table, action->output_count,
			DESCRIBE_PARAMS_MAX);
	for (size_t i = 0; i < action->output_count; i++) {
		const struct upkeep_output *output = &action->outputs[i];
		size_t size, align;
		if (!name_is_good(output->name, "_"))
			return fault(check, output->name,
				"is not a name for an output: "
				"[a-z][a-z0-9_]*, up to 63 characters");
		if (!type_member(output->type, 8, &size, &align) ||
			(output->type & ~UPKEEP_LIST) == UPKEEP_GROUP || !text_fits(output->about))
			return fault(check, output->name, "an output has a type other than GROUP");
		for (size_t j = 0; j < i; j++)
			if (text_equal(output->name, action->outputs[j].name))
				return fault(check, output->name, "is an output twice");
	}
	return 0;
}

static int check_action(const struct check *check, const struct action_description *action)
{
	const struct upkeep_action *decl = &action->decl;

	if (!name_is_good(decl->name, "-"))
		return fault(check, decl->name,
			"is not a name of the form [a-z][a-z0-9-]*, "
			"up to 63 characters");
	if (decl->changes > UPKEEP_CHANGES_IRREVERSIBLE)
		return fault(check, decl->name, "`changes` is none of UPKEEP_CHANGES_*");
	if (!text_fits(decl->about) || !text_fits(decl->manual))
		return fault(check, decl->name, "has a text longer than 64 KiB");
	if (!check->newer && decl->flags & ~ACTION_FLAGS_KNOWN)
		return fault(check, decl->name, "has a flag that its ABI does not have");
	if (decl->flags & UPKEEP_STREAM_IN_NEEDED && !(decl->flags & UPKEEP_STREAM_IN))
		return fault(check, decl->name, "needs a stream that it does not read");
	if (decl->flags & UPKEEP_PLANS_UNKNOWN && !(action->has & ACTION_HAS_PLAN))
		return fault(check, decl->name, "plans with unknown arguments and has no plan");
	if (decl->changes == UPKEEP_CHANGES_RECORDED && !(action->has & ACTION_HAS_UNDO))
		return fault(check, decl->name, "writes undo records and has no undo");
	int r = check_params(check, decl->params, decl->param_count, decl->params_size, 0);
	return r ? r : check_outputs(check, decl);
}

static int check_actions(struct check *check)
{
	const struct plugin_description *plugin = check->plugin;

	for (size_t i = 0; i < plugin->action_count; i++) {
		char table[80];
		const char *outer = check->table, *name = plugin->actions[i].decl.name;
		snprintf(table, sizeof table, "action \"%.63s\"", name ? name : "");
		check->table = table;
		check->recorded = plugin->actions[i].decl.changes == UPKEEP_CHANGES_RECORDED;
		int r = check_action(check, &plugin->actions[i]);
		for (size_t j = 0; r == 0 && j < i; j++)
			if (text_equal(name, plugin->actions[j].decl.name))
				r = fault(check, name, "is an action twice");
		check->table = outer;
		if (r < 0)
			return r;
	}
	return 0;
}

int description_check(const struct plugin_description *plugin, struct error *err)
{
	struct check check = {.plugin = plugin,
		.table = "settings",
		.err = err,
		.newer = plugin->abi_minor > UPKEEP_ABI_MINOR};

	if (!name_is_good(plugin->name, "-"))
		return error_set(err, -EPROTO, NEXT,
			"the plugin's name is not of the form "
			"[a-z][a-z0-9-]*, up to 63 characters");
	if (!plugin->version || !text_fits(plugin->version) || !text_fits(plugin->about))
		return error_set(err, -EPROTO, NEXT,
			"plugin \"%s\" has no version, or a text longer "
			"than 64 KiB",
			plugin->name);
	if (plugin->action_count == 0 || plugin->action_count > DESCRIBE_ACTIONS_MAX)
		return error_set(err, -EPROTO, NEXT,
			"plugin \"%s\" has %zu actions; it must have 1 "
			"to %u",
			plugin->name, plugin->action_count, DESCRIBE_ACTIONS_MAX);
	int r = check_params(
		&check, plugin->settings, plugin->setting_count, plugin->settings_size, 0);
	return r ? r : check_actions(&check);
}
