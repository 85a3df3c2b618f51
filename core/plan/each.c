/* SPDX-License-Identifier: MIT */
#include "plan/builder.h"
#include "plan/resolve.h"

#include <glob.h>
#include <string.h>

#define NONE_YET ((struct value){.kind = VALUE_UNKNOWN, .after = ""})

static struct value list_of(struct arena *arena, uint32_t count)
{
	struct value list = {.kind = VALUE_LIST};

	list.list.items = arena_news(arena, struct value, count);
	list.list.count = count;
	return list;
}

static struct value say(struct build *b, const struct scope *scope, const struct task *task,
	const char *next, const char *what)
{
	build_error(b, scope->graph, task->options->each.at, next, "task \"%s\": \"each\" %s",
		task->name, what);
	return (struct value){.kind = VALUE_LIST};
}

/* What the check of a graph cannot know counts as one item. */
static struct value unknown_items(struct build *b)
{
	struct value list = list_of(&b->plan->arena, 1);

	list.list.items[0] = NONE_YET;
	return list;
}

static struct value expand_glob(struct build *b, const struct value *pattern)
{
	glob_t found = {0};

	if (b->options->check_only)
		return unknown_items(b);
	if (glob(pattern->string, 0, NULL, &found) != 0)
		found.gl_pathc = 0;
	struct value list = list_of(&b->plan->arena, (uint32_t)found.gl_pathc);
	for (size_t i = 0; i < found.gl_pathc; i++)
		list.list.items[i] = (struct value){.kind = VALUE_STRING,
			.at = pattern->at,
			.string = arena_string(&b->plan->arena, found.gl_pathv[i])};
	globfree(&found);
	return list;
}

static bool mentions_output(const struct value *value)
{
	struct piece piece;
	bool found = false;

	if (value->kind == VALUE_LIST) {
		for (uint32_t i = 0; i < value->list.count; i++)
			found = found || mentions_output(&value->list.items[i]);
		return found;
	}
	const char *cursor = value->kind == VALUE_STRING ? value->string : "";
	while (reference_next(&cursor, &piece, NULL) > 0)
		found = found || (piece.is_reference && piece.kind == REFERENCE_OUTPUT);
	return found;
}

struct value each_items(struct build *b, const struct scope *scope, const struct task *task)
{
	const struct value *each = &task->options->each;
	const struct plan_detail here = {.prefix = scope->prefix,
		.params = scope->params,
		.graph = scope->graph,
		.task = task,
		.outer = scope->outer};
	const struct plan_lookup nothing = {0};
	struct piece piece;
	struct value value = {0};

	if (mentions_output(each))
		return say(b, scope, task,
			"hand the whole list to an action that takes one, such as backup.create's "
			"\"paths\"",
			"cannot depend on an output: copies are made before anything runs");
	/* It cannot fail: there are no outputs in it. */
	plan_resolve(b->plan, &here, each, &nothing, &b->plan->arena, &value, NULL);
	bool alone = each->kind == VALUE_STRING && reference_alone(each->string, &piece);
	if (alone && piece.kind == REFERENCE_PARAM) {
		const struct graph_param *param =
			resolve_param(scope->graph, piece.name, piece.name_size);
		if (param && !(param->decl.type & UPKEEP_LIST))
			return say(b, scope, task, "give the parameter a list type",
				"names a parameter that is not a list");
	}
	if (value.kind == VALUE_LIST)
		return value;
	if (value.kind == VALUE_UNKNOWN && b->options->check_only)
		return unknown_items(b);
	if (value.kind != VALUE_STRING || value.string[0] != '/' || !strpbrk(value.string, "*?["))
		return say(b, scope, task,
			"write a list such as [ \"a\", \"b\" ], \"${param.NAME}\" or "
			"\"/dir/*.conf\"",
			"is neither a list nor a parameter nor an absolute pattern");
	return expand_glob(b, &value);
}
