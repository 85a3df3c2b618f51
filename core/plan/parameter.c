/* SPDX-License-Identifier: MIT */
#include "model/nearest.h"
#include "plan/builder.h"
#include "plan/resolve.h"

#include <string.h>

struct fault {
	struct build *build;
	const struct graph *graph;
	struct location at;
	const char *task;
};

static void report_fault(void *data, struct location at, const char *what, const char *next)
{
	struct fault *fault = data;

	build_error(fault->build, fault->graph, at.line ? at : fault->at, next,
		"task \"%s\": parameter %s", fault->task, what);
}

static void keep_fault(void *data, struct location at, const char *what, const char *next)
{
	(void)at;
	error_set(data, -ERANGE, next, "--param %s", what);
}

/* Text as the value of a type: lists have commas. */
static struct value value_of(struct arena *arena, uint32_t type, const char *text)
{
	struct value value = {.kind = VALUE_STRING, .string = text};
	union scalar scalar;

	if (type & UPKEEP_LIST) {
		uint32_t count = *text != 0;
		for (const char *s = text; *s; s++)
			count += *s == ',';
		value = (struct value){.kind = VALUE_LIST};
		value.list.items = arena_news(arena, struct value, count);
		value.list.count = count;
		for (uint32_t i = 0; i < count; i++) {
			size_t n = strcspn(text, ",");
			value.list.items[i] =
				value_of(arena, type & ~UPKEEP_LIST, arena_copy(arena, text, n));
			text += n + (text[n] != 0);
		}
		return value;
	}
	if (scalar_parse_text(type, text, &scalar, NULL) < 0)
		return value;
	if (type == UPKEEP_INT)
		value = (struct value){.kind = VALUE_INT, .integer = scalar.integer};
	else if (type == UPKEEP_BOOL)
		value = (struct value){.kind = VALUE_BOOL, .truth = scalar.integer != 0};
	else if (type == UPKEEP_FLOAT)
		value = (struct value){.kind = VALUE_FLOAT, .real = scalar.real};
	return value;
}

static const char *nearest_param(
	const struct graph *graph, const char *name, char *buffer, unsigned size)
{
	struct nearest nearest = nearest_start(name);

	for (uint32_t i = 0; i < graph->param_count; i++)
		nearest_try(&nearest, graph->params[i].name);
	return nearest_question(&nearest, buffer, size);
}

static int set_one(struct build *b, const struct graph *graph, const char *text,
	struct value *given, struct error *err)
{
	const char *equals = strchr(text, '=');
	char buffer[96];

	if (!equals)
		return error_set(err, -ERANGE, "write --param NAME=VALUE",
			"--param \"%s\" has no \"=\"", text);
	const char *name = arena_copy(&b->plan->arena, text, (size_t)(equals - text));
	const struct graph_param *param = resolve_param(graph, name, strlen(name));
	if (!param)
		return error_set(err, -ENOENT, nearest_param(graph, name, buffer, sizeof buffer),
			"graph \"%s\" has no parameter \"%s\"", graph->name, name);
	struct upkeep_param decl = param->decl;
	struct error CLEANUP_ERROR fault = {0};
	decl.name = param->name;
	struct value value =
		value_of(&b->plan->arena, decl.type, arena_string(&b->plan->arena, equals + 1));
	if (param_check(&decl, &value, keep_fault, &fault))
		return error_set(err, -ERANGE, fault.next, "%s", error_what(&fault));
	given[param - graph->params] = value;
	return 0;
}

int parameter_set(struct build *b, const struct graph *graph, struct error *err)
{
	struct arena *arena = &b->plan->arena;
	struct value *given = arena_news(arena, struct value, graph->param_count);
	struct value *group = &b->plan->params;

	for (uint32_t i = 0; b->options->values && i < graph->param_count; i++) {
		const struct value *value = value_get(b->options->values, graph->params[i].name);
		if (value)
			given[i] = *value;
	}
	for (size_t i = 0; i < b->options->param_count; i++) {
		int r = set_one(b, graph, b->options->params[i], given, err);
		if (r < 0)
			return r;
	}
	*group = (struct value){.kind = VALUE_GROUP};
	group->group.members = arena_news(arena, struct value_member, graph->param_count);
	for (uint32_t i = 0; i < graph->param_count; i++) {
		const struct graph_param *param = &graph->params[i];
		const struct value *value = given[i].kind ? &given[i] : &param->preset;
		if (value->kind == VALUE_NONE && b->options->check_only)
			continue;
		if (value->kind == VALUE_NONE)
			return error_set(err, -ENOENT, "give it with --param NAME=VALUE",
				"graph \"%s\" needs a value for its parameter \"%s\"", graph->name,
				param->name);
		group->group.members[group->group.count++] = (struct value_member){
			.name = param->name, .at = param->at, .value = *value};
	}
	return 0;
}

static void pass_one(struct build *b, const struct scope *scope, const struct task *task,
	const struct graph *graph, const struct value_member *member, struct value *given)
{
	const struct graph_param *param = resolve_param(graph, member->name, strlen(member->name));
	struct fault fault = {b, scope->graph, member->at, task->name};
	char buffer[96];

	if (!param) {
		build_error(b, scope->graph, member->at,
			nearest_param(graph, member->name, buffer, sizeof buffer),
			"task \"%s\": graph \"%s\" has no parameter \"%s\"", task->name,
			graph->name, member->name);
		return;
	}
	struct upkeep_param decl = param->decl;
	decl.name = param->name;
	param_check(&decl, &member->value, report_fault, &fault);
	given[param - graph->params] = member->value;
}

const struct value *parameter_pass(struct build *b, const struct scope *scope,
	const struct task *task, const struct graph *graph)
{
	struct arena *arena = &b->plan->arena;
	const struct value *params = value_get(&task->args, "params");
	struct value *given = arena_news(arena, struct value, graph->param_count);
	struct value *group = arena_new(arena, struct value);

	for (uint32_t i = 0; params && params->kind == VALUE_GROUP && i < params->group.count; i++)
		pass_one(b, scope, task, graph, &params->group.members[i], given);
	group->kind = VALUE_GROUP;
	group->group.members = arena_news(arena, struct value_member, graph->param_count);
	for (uint32_t i = 0; i < graph->param_count; i++) {
		const struct graph_param *param = &graph->params[i];
		const struct value *value = given[i].kind ? &given[i] : &param->preset;
		if (value->kind == VALUE_NONE) {
			build_error(b, scope->graph, task->at, "add it to \"params\"",
				"task \"%s\": graph \"%s\" needs a value for its parameter \"%s\"",
				task->name, graph->name, param->name);
			continue;
		}
		group->group.members[group->group.count++] = (struct value_member){
			.name = param->name, .at = param->at, .value = *value};
	}
	return group;
}
