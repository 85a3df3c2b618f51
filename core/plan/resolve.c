/* SPDX-License-Identifier: MIT */
#include "plan/resolve.h"

#include "plan/condition.h"
#include "plan/output.h"

#include <inttypes.h>
#include <string.h>

const struct graph_param *resolve_param(const struct graph *graph, const char *name, size_t size)
{
	for (uint32_t i = 0; i < graph->param_count; i++)
		if (strlen(graph->params[i].name) == size &&
			memcmp(graph->params[i].name, name, size) == 0)
			return &graph->params[i];
	return NULL;
}

uint32_t resolve_each_type(const struct graph *graph, const struct value *each)
{
	struct piece piece;
	const struct graph_param *param;

	if (each->kind == VALUE_STRING && reference_alone(each->string, &piece)) {
		param = piece.kind == REFERENCE_PARAM
			? resolve_param(graph, piece.name, piece.name_size)
			: NULL;
		return param ? param->decl.type & ~UPKEEP_LIST : 0;
	}
	if (each->kind == VALUE_STRING)
		return UPKEEP_PATH;
	if (each->kind != VALUE_LIST || !each->list.count)
		return 0;
	switch (each->list.items[0].kind) {
	case VALUE_INT:
		return UPKEEP_INT;
	case VALUE_FLOAT:
		return UPKEEP_FLOAT;
	case VALUE_BOOL:
		return UPKEEP_BOOL;
	case VALUE_GROUP:
		return UPKEEP_GROUP;
	default:
		return 0;
	}
}

/* The task that a reference means: by its full name, or the copy [0] of one with `each`. */
static const struct plan_detail *find_task(const struct plan *plan,
	const struct plan_detail *detail, const struct piece *piece, uint32_t copy,
	const char **ret_name, struct arena *arena)
{
	const char *name = copy == PLAN_NONE
		? arena_printf(arena, "%s%.*s", detail->prefix, (int)piece->head_size, piece->text)
		: arena_printf(arena, "%s%.*s[%" PRIu32 "]", detail->prefix, (int)piece->head_size,
			  piece->text, copy);
	uint32_t task = map_get(&plan->index, name);

	*ret_name = name;
	return task == MAP_NONE ? NULL : &plan->details[plan->tasks[task].detail];
}

static bool is_empty_each(const struct plan *plan, const char *name)
{
	uint32_t task = map_get(&plan->index, name);

	return task != MAP_NONE && plan->tasks[task].flags & PLAN_EMPTY_EACH;
}

/* An output's text as a value of its type; a list has one element a line. */
static int value_from_text(
	uint32_t type, const char *text, struct arena *arena, struct value *ret, struct error *err)
{
	union scalar scalar;
	uint32_t count = *text != 0;

	if (type & UPKEEP_LIST) {
		for (const char *s = text; *s; s++)
			count += *s == '\n' && s[1];
		*ret = (struct value){.kind = VALUE_LIST};
		ret->list.items = arena_news(arena, struct value, count);
		ret->list.count = count;
		for (uint32_t i = 0; i < count; i++) {
			size_t n = strcspn(text, "\n");
			int r = value_from_text(type & ~UPKEEP_LIST, arena_copy(arena, text, n),
				arena, &ret->list.items[i], err);
			if (r < 0)
				return r;
			text += n + (text[n] != 0);
		}
		return 0;
	}
	int r = scalar_parse_text(type, text, &scalar, err);
	if (r < 0)
		return r;
	*ret = (struct value){.kind = VALUE_STRING, .string = text};
	if (type == UPKEEP_INT)
		*ret = (struct value){.kind = VALUE_INT, .integer = scalar.integer};
	else if (type == UPKEEP_BOOL)
		*ret = (struct value){.kind = VALUE_BOOL, .truth = scalar.integer != 0};
	else if (type == UPKEEP_FLOAT)
		*ret = (struct value){.kind = VALUE_FLOAT, .real = scalar.real};
	return 0;
}

static int output_of(const struct plan_detail *producer, const char *name, const char *output,
	const struct plan_lookup *lookup, struct arena *arena, struct value *ret, struct error *err)
{
	uint32_t type = UPKEEP_STRING;
	const char *text = lookup->output ? lookup->output(lookup->data, name, output) : NULL;

	output_find(producer->task, output, &type);
	if (!text && lookup->all_known && !(type & UPKEEP_LIST))
		return error_set(err, -ENODATA, "let that task write it, or do without it",
			"${%s.%s} has no value: task \"%s\" did not write its output \"%s\"", name,
			output, name, output);
	if (!text && !lookup->all_known) {
		*ret = (struct value){.kind = VALUE_UNKNOWN, .after = name};
		return 0;
	}
	text = text ? text : ""; /* a list without elements */
	int r = value_from_text(type, arena_string(arena, text), arena, ret, err);
	if (r < 0)
		error_prefix(err, "output \"%s\" of task \"%s\"", output, name);
	return r;
}

/* All copies, as a list. */
static int outputs_of_copies(const struct plan *plan, const struct plan_detail *detail,
	const struct piece *piece, const struct plan_lookup *lookup, struct arena *arena,
	struct value *ret, struct error *err)
{
	const char *output = arena_copy(arena, piece->name, piece->name_size), *name;
	uint32_t count = 0;

	while (find_task(plan, detail, piece, count, &name, arena))
		count++;
	*ret = (struct value){.kind = VALUE_LIST};
	ret->list.items = arena_news(arena, struct value, count);
	ret->list.count = count;
	for (uint32_t i = 0; i < count; i++) {
		const struct plan_detail *copy = find_task(plan, detail, piece, i, &name, arena);
		int r = output_of(copy, name, output, lookup, arena, &ret->list.items[i], err);
		if (r < 0)
			return r;
		if (ret->list.items[i].kind == VALUE_UNKNOWN) {
			*ret = ret->list.items[i];
			return 0;
		}
	}
	return 0;
}

static int resolve_output(const struct plan *plan, const struct plan_detail *detail,
	const struct piece *piece, const struct plan_lookup *lookup, struct arena *arena,
	struct value *ret, struct error *err)
{
	const char *name;
	const struct plan_detail *producer =
		find_task(plan, detail, piece, PLAN_NONE, &name, arena);

	if (producer && !is_empty_each(plan, name))
		return output_of(producer, name, arena_copy(arena, piece->name, piece->name_size),
			lookup, arena, ret, err);
	const char *copy;
	if (!producer && !find_task(plan, detail, piece, 0, &copy, arena))
		return error_set(err, -ENOENT, NULL, "there is no task \"%s\"", name);
	return outputs_of_copies(plan, detail, piece, lookup, arena, ret, err);
}

static int resolve_parameter(const struct plan *plan, const struct plan_detail *detail,
	const struct piece *piece, const struct plan_lookup *lookup, struct arena *arena,
	struct value *ret, struct error *err)
{
	const char *name = arena_copy(arena, piece->name, piece->name_size);
	const struct value *value = value_get(detail->params, name);

	if (!value) {
		*ret = (struct value){.kind = VALUE_UNKNOWN, .after = ""};
		return 0;
	}
	if (!value->has_refs || !detail->outer) {
		*ret = *value;
		return 0;
	}
	/* it was written in the graph around this one, and means what it means there */
	return plan_resolve(plan, detail->outer, value, lookup, arena, ret, err);
}

static int resolve_run(const struct plan_detail *detail, const struct piece *piece,
	const struct plan_lookup *lookup, struct arena *arena, struct value *ret, struct error *err)
{
	const char *name = arena_copy(arena, piece->text, piece->size);
	const char *text = strcmp(name, "graph.name") == 0 ? detail->graph->name
		: lookup->run                              ? lookup->run(lookup->data, name)
							   : NULL;

	if (text)
		*ret = (struct value){.kind = VALUE_STRING, .string = arena_string(arena, text)};
	else if (!lookup->run)
		*ret = (struct value){.kind = VALUE_UNKNOWN, .after = ""};
	else
		return error_set(err, -ENOENT,
			strncmp(name, "env.", 4) == 0 ? "set it where upkeep is started" : NULL,
			"${%s} is not set", name);
	return 0;
}

int resolve_reference(const struct plan *plan, const struct plan_detail *detail,
	const struct piece *piece, const struct plan_lookup *lookup, struct arena *arena,
	struct value *ret, struct error *err)
{
	switch (piece->kind) {
	case REFERENCE_PARAM:
		return resolve_parameter(plan, detail, piece, lookup, arena, ret, err);
	case REFERENCE_RUN:
		return resolve_run(detail, piece, lookup, arena, ret, err);
	case REFERENCE_EACH:
		*ret = detail->each ? *detail->each
				    : (struct value){.kind = VALUE_UNKNOWN, .after = ""};
		return 0;
	default:
		return resolve_output(plan, detail, piece, lookup, arena, ret, err);
	}
}

int resolve_type(const struct plan *plan, const struct plan_detail *detail,
	const struct piece *piece, uint32_t *ret, struct error *err)
{
	struct arena arena = {0};
	const struct graph_param *param;
	const char *name;
	int r = 0;

	*ret = 0;
	if (piece->kind == REFERENCE_PARAM) {
		param = resolve_param(detail->graph, piece->name, piece->name_size);
		*ret = param ? param->decl.type : 0;
	} else if (piece->kind == REFERENCE_EACH) {
		*ret = resolve_each_type(detail->graph, &detail->task->options->each);
	} else if (piece->kind == REFERENCE_OUTPUT) {
		const struct plan_detail *found =
			find_task(plan, detail, piece, PLAN_NONE, &name, &arena);
		bool copies = !found || is_empty_each(plan, name);
		if (!found)
			found = find_task(plan, detail, piece, 0, &name, &arena);
		const char *output = arena_copy(&arena, piece->name, piece->name_size);
		if (!found || !output_find(found->task, output, ret))
			r = error_set(err, -ENOENT, NULL, "${%.*s} names nothing", (int)piece->size,
				piece->text);
		else if (copies)
			*ret |= UPKEEP_LIST;
	}
	arena_free(&arena);
	return r;
}

static int resolve_string(const struct plan *plan, const struct plan_detail *detail,
	const struct value *value, const struct plan_lookup *lookup, struct arena *arena,
	struct value *ret, struct error *err)
{
	struct text CLEANUP_TEXT text = {0};
	const char *cursor = value->string;
	struct piece piece;
	struct value part;
	int r;

	if (reference_alone(value->string, &piece)) {
		r = resolve_reference(plan, detail, &piece, lookup, arena, ret, err);
		ret->at = value->at;
		return r;
	}
	while ((r = reference_next(&cursor, &piece, err)) > 0) {
		if (!piece.is_reference) {
			text_add(&text, piece.text, piece.size);
			continue;
		}
		r = resolve_reference(plan, detail, &piece, lookup, arena, &part, err);
		if (r < 0)
			return r;
		if (part.kind == VALUE_UNKNOWN) {
			*ret = part;
			ret->at = value->at;
			return 0;
		}
		text_adds(&text, value_text(arena, &part));
	}
	*ret = (struct value){.kind = VALUE_STRING,
		.at = value->at,
		.string = arena_copy(arena, text_string(&text), text.size)};
	return r;
}

static int resolve_list(const struct plan *plan, const struct plan_detail *detail,
	const struct value *value, const struct plan_lookup *lookup, struct arena *arena,
	struct value *ret, struct error *err)
{
	ret->list.items = arena_news(arena, struct value, value->list.count);
	for (uint32_t i = 0; i < value->list.count; i++) {
		struct value *item = &ret->list.items[i];
		int r = plan_resolve(plan, detail, &value->list.items[i], lookup, arena, item, err);
		if (r < 0)
			return r;
		if (item->kind == VALUE_UNKNOWN) {
			*ret = *item;
			return 0;
		}
	}
	return 0;
}

static int resolve_group(const struct plan *plan, const struct plan_detail *detail,
	const struct value *value, const struct plan_lookup *lookup, struct arena *arena,
	struct value *ret, struct error *err)
{
	ret->group.members = arena_news(arena, struct value_member, value->group.count);
	for (uint32_t i = 0; i < value->group.count; i++) {
		struct value_member *member = &ret->group.members[i];
		*member = value->group.members[i];
		int r = plan_resolve(plan, detail, &value->group.members[i].value, lookup, arena,
			&member->value, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int plan_resolve(const struct plan *plan, const struct plan_detail *detail,
	const struct value *value, const struct plan_lookup *lookup, struct arena *arena,
	struct value *ret, struct error *err)
{
	*ret = *value;
	if (!value->has_refs)
		return 0;
	ret->has_refs = false;
	switch (value->kind) {
	case VALUE_STRING:
		return resolve_string(plan, detail, value, lookup, arena, ret, err);
	case VALUE_LIST:
		return resolve_list(plan, detail, value, lookup, arena, ret, err);
	case VALUE_GROUP:
		return resolve_group(plan, detail, value, lookup, arena, ret, err);
	default:
		return 0;
	}
}

struct when {
	const struct plan *plan;
	const struct plan_detail *detail;
	const struct plan_lookup *lookup;
	struct arena arena;
};

static int when_type(void *data, const struct piece *piece, uint32_t *ret, struct error *err)
{
	struct when *when = data;

	return resolve_type(when->plan, when->detail, piece, ret, err);
}

static int when_value(void *data, const struct piece *piece, struct value *ret, struct error *err)
{
	struct when *when = data;
	int r = resolve_reference(
		when->plan, when->detail, piece, when->lookup, &when->arena, ret, err);

	if (r == 0 && ret->kind == VALUE_UNKNOWN)
		return error_set(
			err, -ENODATA, NULL, "${%.*s} is not known", (int)piece->size, piece->text);
	return r;
}

static int when_holds(struct when *when, struct error *err)
{
	const struct condition_lookup lookup = {when_type, when_value, when};
	const char *text = when->detail->task->options->when;
	struct condition *condition = text ? condition_parse(&when->arena, text, err) : NULL;

	if (!text)
		return 1;
	return condition ? condition_holds(condition, &lookup, err) : -EINVAL;
}

int plan_when(const struct plan *plan, const struct plan_detail *detail,
	const struct plan_lookup *lookup, struct error *err)
{
	struct when when = {.plan = plan, .lookup = lookup};
	int r = 1;

	for (when.detail = detail; r > 0 && when.detail; when.detail = when.detail->outer)
		r = when_holds(&when, err);
	arena_free(&when.arena);
	return r;
}
