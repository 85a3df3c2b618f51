/* SPDX-License-Identifier: MIT */
#include "model/nearest.h"
#include "plan/builder.h"
#include "plan/condition.h"
#include "plan/output.h"
#include "plan/resolve.h"

#include <string.h>

struct walk {
	struct build *build;
	const struct scope *scope;
	const struct task *task;
};

static void complain(struct walk *w, struct location at, struct error *err)
{
	build_error(w->build, w->scope->graph, at.line ? at : w->task->at, err->next,
		"task \"%s\": %s", w->task->name, error_what(err));
}

static int check_param(struct walk *w, const struct piece *piece, uint32_t *ret, struct error *err)
{
	const struct graph *graph = w->scope->graph;
	const struct graph_param *param = resolve_param(graph, piece->name, piece->name_size);
	char name[64], buffer[96];

	if (param) {
		*ret = param->decl.type;
		return 0;
	}
	snprintf(name, sizeof name, "%.*s", (int)piece->name_size, piece->name);
	struct nearest nearest = nearest_start(name);
	for (uint32_t i = 0; i < graph->param_count; i++)
		nearest_try(&nearest, graph->params[i].name);
	return error_set(err, -EINVAL, nearest_question(&nearest, buffer, sizeof buffer),
		"graph \"%s\" has no parameter \"%s\"", graph->name, name);
}

static bool has_run_if(const struct walk *w)
{
	bool has = w->task->options->run_if != RUN_IF_SUCCESS;

	for (const struct plan_detail *outer = w->scope->outer; outer; outer = outer->outer)
		has = has || outer->task->options->run_if != RUN_IF_SUCCESS;
	return has;
}

static int check_run(struct walk *w, const struct piece *piece, uint32_t *ret, struct error *err)
{
	char name[64], buffer[96], word[64];

	*ret = piece->head_size == 3 && memcmp(piece->text, "env", 3) == 0 ? 0 : UPKEEP_STRING;
	if (*ret == 0)
		return 0;
	snprintf(name, sizeof name, "%.*s", (int)piece->size, piece->text);
	if (strcmp(name, "run.verdict") == 0 && !has_run_if(w))
		return error_set(err, -EINVAL, "add run_if = \"done\" or \"failure\"",
			"${run.verdict} is known only to tasks with run_if");
	if (text_in_words(name, "run.id run.stamp run.verdict graph.name host.name"))
		return 0;
	struct nearest nearest = nearest_start(name);
	nearest_try_words(
		&nearest, "run.id run.stamp run.verdict graph.name host.name", word, sizeof word);
	return error_set(err, -EINVAL, nearest_question(&nearest, buffer, sizeof buffer),
		"there is no ${%s}", name);
}

static int check_each(struct walk *w, const struct piece *piece, uint32_t *ret, struct error *err)
{
	const struct value *each = &w->task->options->each;

	(void)piece;
	if (each->kind == VALUE_NONE)
		return error_set(err, -EINVAL, "give the task an \"each\"",
			"${each} means something only in a task with \"each\"");
	*ret = resolve_each_type(w->scope->graph, each);
	return 0;
}

static int check_output(struct walk *w, const struct piece *piece, uint32_t *ret, struct error *err)
{
	const struct task *other;
	const char *question;
	char task[128], output[64], buffer[96];
	const struct span *span = link_find(w->scope, piece->text, piece->head_size, &other);

	snprintf(task, sizeof task, "%.*s", (int)piece->head_size, piece->text);
	snprintf(output, sizeof output, "%.*s", (int)piece->name_size, piece->name);
	if (!span) {
		link_offer(w->scope->graph, task, buffer, sizeof buffer, &question);
		return error_set(err, -EINVAL, question, "${%s.%s} names no task of graph \"%s\"",
			task, output, w->scope->graph->name);
	}
	if (task_is_graph(other))
		return error_set(err, -EINVAL, "name a task inside it: ${TASK/INNER.OUTPUT}",
			"${%s.%s}: a graph has no outputs", task, output);
	link_source(w->build, span, arena_copy(&w->build->plan->arena, piece->text, piece->size));
	if (output_find(other, output, ret)) {
		*ret |= span->copies ? UPKEEP_LIST : 0;
		return 0;
	}
	if (!other->action) /* that is an error already */
		return 0;
	if (task_is_exec(other) && strcmp(output, "stdout") == 0)
		return error_set(err, -EINVAL, "add capture = \"text\" to it",
			"task \"%s\" does not capture its output", task);
	struct nearest nearest = nearest_start(output);
	output_offer(other, &nearest);
	return error_set(err, -EINVAL, nearest_question(&nearest, buffer, sizeof buffer),
		"task \"%s\" has no output \"%s\"", task, output);
}

/* What the reference is, with its task among the sources. */
static int check_reference(void *data, const struct piece *piece, uint32_t *ret, struct error *err)
{
	*ret = 0;
	switch (piece->kind) {
	case REFERENCE_PARAM:
		return check_param(data, piece, ret, err);
	case REFERENCE_RUN:
		return check_run(data, piece, ret, err);
	case REFERENCE_EACH:
		return check_each(data, piece, ret, err);
	default:
		return check_output(data, piece, ret, err);
	}
}

/* May a value of type `from` stand where `to` is wanted?  Texts are looked at when the
 * value is there. */
static bool type_fits(uint32_t from, uint32_t to)
{
	bool text = from == 0 || from == UPKEEP_STRING;

	if (from == to || to == 0)
		return true;
	if ((from | to) & UPKEEP_LIST)
		return from & to & UPKEEP_LIST && type_fits(from & ~UPKEEP_LIST, to & ~UPKEEP_LIST);
	if (to == UPKEEP_GROUP || from == UPKEEP_GROUP || from == UPKEEP_SECRET)
		return false;
	if (to == UPKEEP_STRING || text)
		return true;
	if (to == UPKEEP_CHOICE || to == UPKEEP_URL || to == UPKEEP_HOSTPORT)
		return from == UPKEEP_CHOICE;
	return from == UPKEEP_INT && (to == UPKEEP_FLOAT || to == UPKEEP_SIZE);
}

static int check_fit(const struct piece *piece, uint32_t type, bool alone, uint32_t wanted,
	const char *key, struct error *err)
{
	if (alone && type_fits(type, wanted))
		return 0;
	if (alone)
		return error_set(err, -EINVAL, NULL,
			"\"%s\" must be of type %s, but ${%.*s} is of type %s", key,
			type_name(wanted), (int)piece->size, piece->text,
			type ? type_name(type) : "text");
	if (type & UPKEEP_LIST || type == UPKEEP_GROUP)
		return error_set(err, -EINVAL, "let it be the whole value: a value is never split",
			"${%.*s} is a %s and cannot stand inside a text", (int)piece->size,
			piece->text, type & UPKEEP_LIST ? "list" : "group");
	return 0;
}

static void walk_string(struct walk *w, const struct value *value, uint32_t wanted, const char *key)
{
	const char *cursor = value->string;
	struct piece piece;
	bool alone = reference_alone(value->string, &piece);
	int r;

	do {
		struct error CLEANUP_ERROR err = {0};
		uint32_t type;
		r = reference_next(&cursor, &piece, &err);
		if (r > 0 && piece.is_reference) {
			int bad = check_reference(w, &piece, &type, &err);
			if (bad == 0)
				bad = check_fit(&piece, type, alone, wanted, key, &err);
			if (bad < 0)
				complain(w, value->at, &err);
		}
		if (r < 0)
			complain(w, value->at, &err);
	} while (r > 0);
}

/* Every reference of a value; `decl` says what it should be (NULL: `wanted`). */
static void walk_value(struct walk *w, const struct value *value, const struct upkeep_param *decl,
	uint32_t wanted, const char *key)
{
	if (!value->has_refs)
		return;
	if (value->kind == VALUE_STRING)
		walk_string(w, value, wanted, key);
	for (uint32_t i = 0; value->kind == VALUE_LIST && i < value->list.count; i++)
		walk_value(w, &value->list.items[i], decl, wanted & ~UPKEEP_LIST, key);
	for (uint32_t i = 0; value->kind == VALUE_GROUP && i < value->group.count; i++) {
		const struct value_member *member = &value->group.members[i];
		const struct upkeep_param *field =
			decl ? params_find(decl->fields, decl->field_count, member->name) : NULL;
		walk_value(w, &member->value, field, field ? field->type : 0, member->name);
	}
}

static void walk_arguments(
	struct walk *w, const struct value *args, const struct action_description *action)
{
	if (!args->has_refs || args->kind != VALUE_GROUP)
		return;
	for (uint32_t i = 0; i < args->group.count; i++) {
		const struct value_member *member = &args->group.members[i];
		const struct upkeep_param *decl = action
			? params_find(action->decl.params, action->decl.param_count, member->name)
			: NULL;
		walk_value(w, &member->value, decl, decl ? decl->type : 0, member->name);
	}
}

static void check_condition(struct walk *w)
{
	const struct task_options *options = w->task->options;
	const struct condition_lookup lookup = {check_reference, NULL, w};
	struct error CLEANUP_ERROR err = {0};
	struct arena arena = {0};
	struct condition *condition = condition_parse(&arena, options->when, &err);

	if (!condition || condition_check(condition, &lookup, &err) < 0)
		complain(w, options->when_at, &err);
	arena_free(&arena);
}

static void check_options(struct walk *w)
{
	const struct task_options *options = w->task->options;
	struct value cwd = {.kind = VALUE_STRING, .string = options->cwd, .has_refs = true};

	if (options == &task_options_plain)
		return;
	if (options->when)
		check_condition(w);
	walk_value(w, &options->env, NULL, UPKEEP_STRING, "env");
	if (options->each.kind != VALUE_NONE)
		walk_value(w, &options->each, NULL, 0, "each");
	if (options->cwd)
		walk_value(w, &cwd, NULL, UPKEEP_PATH, "cwd");
	walk_arguments(w, &options->rollback, options->rollback_action);
}

void check_task(struct build *build, const struct scope *scope, const struct task *task)
{
	struct walk w = {build, scope, task};

	walk_arguments(&w, &task->args, task->action);
	check_options(&w);
}

static void report_value(void *data, struct location at, const char *what, const char *next)
{
	struct walk *w = data;
	struct error err = {.what = (char *)(uintptr_t)what, .next = (char *)(uintptr_t)next};

	complain(w, at, &err);
}

/* Arguments whose references are known before the run, against their declarations. */
void check_arguments(struct build *b, uint32_t index)
{
	const struct plan_detail *detail = &b->details.items[b->tasks.items[index].detail];
	const struct scope scope = {.graph = detail->graph};
	struct walk w = {b, &scope, detail->task};
	const struct value *args = &detail->task->args;
	const struct plan_lookup nothing = {0};

	if (!args->has_refs || !detail->task->action)
		return;
	for (uint32_t i = 0; i < args->group.count; i++) {
		const struct value_member *member = &args->group.members[i];
		const struct upkeep_param *decl = params_find(detail->task->action->decl.params,
			detail->task->action->decl.param_count, member->name);
		struct value value;
		if (decl && member->value.has_refs && member->value.kind == VALUE_STRING &&
			plan_resolve(b->plan, detail, &member->value, &nothing, &b->plan->arena,
				&value, NULL) == 0 &&
			value.kind != VALUE_UNKNOWN)
			param_check(decl, &value, report_value, &w);
	}
}
