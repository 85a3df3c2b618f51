/* SPDX-License-Identifier: MIT */
#include "cli/outlook.h"

#include "base/vec.h"
#include "plan/build.h"

#include <stdlib.h>
#include <string.h>

struct would {
	const char *doing, *undoing;
	const char *unknown; /* the task after which more is known */
};

struct outlook_task {
	VEC(struct would) woulds;
	const char *state, *message; /* once it has ended */
	const char *rollback;        /* "rollback: ACTION ARGUMENTS" */
	bool past;                   /* comes after a point of no return */
	bool kept;                   /* is one, or comes before one */
};

struct outlook {
	const struct plan *plan;
	struct arena arena;
	struct outlook_task *tasks;
	uint32_t *order; /* of the run */
	bool has_pivot, any;
};

/* What becomes of one thing that a task did, when the run fails. */
enum fate {
	FATE_NOTHING, /* it changed nothing */
	FATE_UNDO,    /* as `undoing` says, or the rollback of the whole task */
	FATE_ACTION,  /* its action undoes it, and does not say how */
	FATE_STAYS,
};

static const struct plan_detail *detail_of(const struct outlook *o, uint32_t task)
{
	return &o->plan->details[o->plan->tasks[task].detail];
}

/* The task whose stream it reads; NULL: none. */
static const char *source_of(const struct outlook *o, uint32_t task)
{
	uint32_t source = o->plan->tasks[task].source;

	return source == PLAN_NONE ? NULL : detail_of(o, source)->name;
}

/* ---- the order of the run ---- */

static void order_tasks(struct outlook *o)
{
	const struct plan *plan = o->plan;
	uint32_t *left = base_alloc((plan->task_count + 1) * sizeof *left);
	uint32_t count = 0;

	o->order = arena_news(&o->arena, uint32_t, plan->task_count);
	for (uint32_t t = 0; t < plan->task_count; t++) {
		left[t] = plan->tasks[t].need_count;
		if (!left[t])
			o->order[count++] = t;
	}
	for (uint32_t i = 0; i < count; i++) {
		const struct plan_task *task = &plan->tasks[o->order[i]];
		for (uint32_t k = 0; k < task->next_count; k++) {
			uint32_t next = plan->edges[task->nexts + k];
			if (--left[next] == 0)
				o->order[count++] = next;
		}
	}
	free(left);
}

/* Tasks with run_if come last. */
static void move_late(struct outlook *o)
{
	const struct plan *plan = o->plan;
	uint32_t *late = base_alloc((plan->task_count + 1) * sizeof *late);
	uint32_t early = 0, count = 0;

	for (uint32_t i = 0; i < plan->task_count; i++)
		if (plan->tasks[o->order[i]].run_if == RUN_IF_SUCCESS)
			o->order[early++] = o->order[i];
		else
			late[count++] = o->order[i];
	memcpy(o->order + early, late, count * sizeof *late);
	free(late);
}

static bool is_pivot(const struct plan_task *task)
{
	return task->flags & PLAN_PIVOT && !(task->flags & (PLAN_LEFT_OUT | PLAN_EMPTY_EACH));
}

static void mark_past(struct outlook *o, uint32_t t)
{
	const struct plan_task *task = &o->plan->tasks[t];

	for (uint32_t k = 0; k < task->need_count; k++) {
		uint32_t need = o->plan->edges[task->needs + k];
		o->tasks[t].past |= o->tasks[need].past || is_pivot(&o->plan->tasks[need]);
	}
}

static void mark_kept(struct outlook *o, uint32_t t)
{
	const struct plan_task *task = &o->plan->tasks[t];

	o->tasks[t].kept = is_pivot(task);
	for (uint32_t k = 0; k < task->next_count; k++)
		o->tasks[t].kept |= o->tasks[o->plan->edges[task->nexts + k]].kept;
	o->has_pivot |= o->tasks[t].kept;
}

/* ---- rollbacks ---- */

static const char *as_written(void *data, const char *name)
{
	struct outlook *o = data;

	return arena_printf(&o->arena, "${%s}", name);
}

/* What is not known yet stands as it was written. */
static void add_known(struct outlook *o, const struct plan_detail *detail,
	const struct value *value, struct text *out)
{
	const struct plan_lookup lookup = {.run = as_written, .data = o};
	struct value known;
	int r = plan_resolve(o->plan, detail, value, &lookup, &o->arena, &known, NULL);
	bool right = r == 0 && known.kind != VALUE_UNKNOWN;
	const char *text = value_text(&o->arena, right ? &known : value);

	text_add_visible(out, text, strlen(text));
}

static void add_words(struct outlook *o, const struct plan_detail *detail, const struct value *argv,
	struct text *out)
{
	for (uint32_t i = 0; i < (argv->kind == VALUE_LIST ? argv->list.count : 1); i++) {
		text_addc(out, ' ');
		add_known(o, detail, argv->kind == VALUE_LIST ? &argv->list.items[i] : argv, out);
	}
}

static void add_arguments(struct outlook *o, const struct plan_detail *detail,
	const struct value *args, struct text *out)
{
	const char *before = " ";

	for (uint32_t i = 0; i < args->group.count; i++) {
		const struct value_member *member = &args->group.members[i];
		const char *quote = member->value.kind == VALUE_STRING ? "\"" : "";
		if (strcmp(member->name, "action") == 0)
			continue;
		text_addf(out, "%s%s = %s", before, member->name, quote);
		add_known(o, detail, &member->value, out);
		text_adds(out, quote);
		before = ", ";
	}
}

static const char *rollback_text(struct outlook *o, const struct plan_detail *detail)
{
	const struct value *rollback = &detail->task->options->rollback;
	const struct value *action = value_get(rollback, "action");
	const struct value *argv = value_get(rollback, "argv");
	struct text CLEANUP_TEXT out = {0};

	if (!action || action->kind != VALUE_STRING)
		return NULL;
	text_addf(&out, "rollback: %s", action->string);
	if (argv && strcmp(action->string, "core.exec") == 0)
		add_words(o, detail, argv, &out);
	else
		add_arguments(o, detail, rollback, &out);
	return arena_string(&o->arena, out.bytes);
}

struct outlook *outlook_new(const struct plan *plan)
{
	struct outlook *o = base_alloc(sizeof *o);

	o->plan = plan;
	o->tasks = arena_news(&o->arena, struct outlook_task, plan->task_count);
	order_tasks(o);
	move_late(o);
	for (uint32_t i = 0; i < plan->task_count; i++)
		mark_past(o, o->order[i]);
	for (uint32_t i = plan->task_count; i-- > 0;)
		mark_kept(o, o->order[i]);
	for (uint32_t t = 0; t < plan->task_count; t++)
		o->tasks[t].rollback = rollback_text(o, detail_of(o, t));
	return o;
}

void outlook_free(struct outlook *o)
{
	for (uint32_t t = 0; t < o->plan->task_count; t++)
		vec_free(&o->tasks[t].woulds);
	arena_free(&o->arena);
	free(o);
}

/* Names of files need not be UTF-8, which JSON is. */
static const char *visible(struct outlook *o, const char *text)
{
	struct text CLEANUP_TEXT out = {0};

	if (!text || !*text)
		return NULL;
	text_add_visible(&out, text, strlen(text));
	return arena_string(&o->arena, out.bytes);
}

static void would_add(struct outlook *o, const struct run_event *event)
{
	struct would *would = vec_add(&o->tasks[event->task].woulds);
	const char *doing = visible(o, event->text);

	would->doing = doing ? doing : "";
	would->undoing = visible(o, event->next);
	would->unknown = arena_string(&o->arena, event->unknown);
	o->any = true;
}

void outlook_event(struct outlook *o, const struct run_event *event)
{
	if (event->kind == RUN_EVENT_WOULD) {
		would_add(o, event);
	} else if (event->kind == RUN_EVENT_TASK && event->state >= TASK_SUCCEEDED) {
		o->tasks[event->task].state = task_state_name(event->state);
		o->tasks[event->task].message = visible(o, event->text);
	}
}

/* ---- what becomes of it ---- */

static enum fate fate_of(const struct outlook *o, uint32_t t, const struct would *would)
{
	const struct plan_task *task = &o->plan->tasks[t];
	const struct action_description *action = detail_of(o, t)->task->action;
	bool silent = would->unknown || (action && !(action->has & ACTION_HAS_PLAN));

	if (task->changes == UPKEEP_CHANGES_NONE && !o->tasks[t].rollback && !would->undoing)
		return FATE_NOTHING;
	if (task->run_if != RUN_IF_SUCCESS)
		return FATE_STAYS;
	if (o->tasks[t].rollback || would->undoing)
		return FATE_UNDO;
	return silent && task->flags & PLAN_CAN_UNDO ? FATE_ACTION : FATE_STAYS;
}

/* How it would be undone; NULL: it would not. */
static const char *undo_of(
	struct arena *arena, const struct outlook *o, uint32_t t, const struct would *would)
{
	const struct task *task = detail_of(o, t)->task;

	switch (fate_of(o, t, would)) {
	case FATE_UNDO:
		return o->tasks[t].rollback ? o->tasks[t].rollback : would->undoing;
	case FATE_ACTION:
		return arena_printf(arena, "by %s.%s",
			task->instance ? task->instance->name : "core", task->action->decl.name);
	default:
		return NULL;
	}
}

static const char *why_it_stays(const struct outlook *o, uint32_t t)
{
	return o->plan->tasks[t].run_if != RUN_IF_SUCCESS
		? "is not undone: it runs when all is decided"
		: "cannot be undone";
}

/* ---- for people ---- */

static void would_print(const struct outlook *o, uint32_t t, const struct would *would,
	struct arena *arena, struct text *out)
{
	enum fate fate = fate_of(o, t, would);

	text_addf(out, "    %s\n", would->doing);
	if (fate == FATE_NOTHING)
		text_adds(out, "        changes nothing\n");
	else if (fate == FATE_STAYS)
		text_addf(out, "        %s\n", why_it_stays(o, t));
	else if (!o->tasks[t].rollback)
		text_addf(out, "        undo: %s\n", undo_of(arena, o, t, would));
}

/* A rollback undoes all that its task did, so it stands once. */
static bool is_rolled_back(const struct outlook *o, uint32_t t)
{
	const struct outlook_task *task = &o->tasks[t];

	return task->rollback && task->woulds.count &&
		fate_of(o, t, &task->woulds.items[0]) == FATE_UNDO;
}

static void task_print(const struct outlook *o, uint32_t t, struct arena *arena, struct text *out)
{
	const struct outlook_task *task = &o->tasks[t];
	const char *when = detail_of(o, t)->task->options->when, *source = source_of(o, t);
	bool pivot = is_pivot(&o->plan->tasks[t]);

	if (!task->woulds.count && !task->message && !pivot)
		return;
	text_addf(out, "%s%s%s%s%s%s\n", detail_of(o, t)->name, source ? ", from " : "",
		source ? source : "", when ? ", where " : "", when ? when : "",
		pivot ? " (point of no return: once done, it and what it comes after stay)" : "");
	vec_each(&task->woulds, would)
		would_print(o, t, would, arena, out);
	if (is_rolled_back(o, t))
		text_addf(out, "        undo: %s\n", task->rollback);
	if (task->message)
		text_addf(out, "    %s\n", task->message);
}

static void undo_task_print(
	const struct outlook *o, uint32_t t, struct arena *arena, struct text *out)
{
	const struct outlook_task *task = &o->tasks[t];
	const char *name = detail_of(o, t)->name;

	if (is_rolled_back(o, t)) {
		text_addf(out, "    %s: %s\n", name, task->rollback);
		return;
	}
	for (size_t i = task->woulds.count; i-- > 0;) {
		const struct would *would = &task->woulds.items[i];
		const char *undo = undo_of(arena, o, t, would);
		if (fate_of(o, t, would) != FATE_NOTHING)
			text_addf(
				out, "    %s: %s: %s\n", name, would->doing, undo ? undo : "stays");
	}
}

/* What a failed run has not begun, keeps, or never undoes, is no part of it. */
static bool is_undone(const struct outlook *o, uint32_t t, enum outlook_when when)
{
	const struct outlook_task *task = &o->tasks[t];

	if (o->plan->tasks[t].run_if != RUN_IF_SUCCESS)
		return false;
	return when == OUTLOOK_PAST_PIVOT ? o->has_pivot && !task->kept : !task->past;
}

static void undo_print(
	const struct outlook *o, enum outlook_when when, struct arena *arena, struct text *out)
{
	static const char *const places[] = {
		[OUTLOOK_BEFORE_PIVOT] = " before the point of no return",
		[OUTLOOK_PAST_PIVOT] = " after the point of no return"};
	static const char *const titles[] = {[ON_FAILURE_UNDO] = "undo, if it fails",
		[ON_FAILURE_STOP] = "left as it is if it fails (on_failure = \"stop\"); the undo",
		[ON_FAILURE_CONTINUE] =
			"left as it is if it fails (on_failure = \"continue\"); the undo"};
	struct text CLEANUP_TEXT lines = {0};

	for (uint32_t i = o->plan->task_count; i-- > 0;)
		if (is_undone(o, o->order[i], when))
			undo_task_print(o, o->order[i], arena, &lines);
	if (lines.size)
		text_addf(out, "%s%s:\n%s", titles[o->plan->on_failure],
			o->has_pivot ? places[when] : "", lines.bytes);
}

void outlook_print(const struct outlook *o, struct text *out)
{
	struct arena arena = {0};

	for (uint32_t i = 0; i < o->plan->task_count; i++)
		if (!is_pivot(&o->plan->tasks[o->order[i]]) || o->any)
			task_print(o, o->order[i], &arena, out);
	undo_print(o, OUTLOOK_BEFORE_PIVOT, &arena, out);
	undo_print(o, OUTLOOK_PAST_PIVOT, &arena, out);
	arena_free(&arena);
}

/* ---- for programs ---- */

static json_t *would_json(
	const struct outlook *o, uint32_t t, const struct would *would, struct arena *arena)
{
	return json_pack("{s:s, s:s?, s:b, s:s?}", "do", would->doing, "undo",
		undo_of(arena, o, t, would), "irreversible", fate_of(o, t, would) == FATE_STAYS,
		"known_after", would->unknown);
}

json_t *outlook_tasks(const struct outlook *o)
{
	json_t *list = json_array();
	struct arena arena = {0};

	for (uint32_t i = 0; i < o->plan->task_count; i++) {
		uint32_t t = o->order[i];
		const struct outlook_task *task = &o->tasks[t];
		json_t *woulds = json_array();
		vec_each(&task->woulds, would)
			json_array_append_new(woulds, would_json(o, t, would, &arena));
		json_t *json = json_pack("{s:s, s:s?, s:o, s:b}", "task", detail_of(o, t)->name,
			"from", source_of(o, t), "would", woulds, "pivot",
			is_pivot(&o->plan->tasks[t]));
		if (task->state)
			json_object_set_new(json, "state", json_string(task->state));
		if (task->message)
			json_object_set_new(json, "message", json_string(task->message));
		json_array_append_new(list, json);
	}
	arena_free(&arena);
	return list;
}

static void undo_task_json(const struct outlook *o, uint32_t t, struct arena *arena, json_t *list)
{
	const struct outlook_task *task = &o->tasks[t];
	const char *name = detail_of(o, t)->name;

	if (is_rolled_back(o, t)) {
		json_array_append_new(
			list, json_pack("{s:s, s:s}", "task", name, "undo", task->rollback));
		return;
	}
	for (size_t i = task->woulds.count; i-- > 0;) {
		const struct would *would = &task->woulds.items[i];
		if (fate_of(o, t, would) != FATE_NOTHING)
			json_array_append_new(list,
				json_pack("{s:s, s:s, s:s?}", "task", name, "do", would->doing,
					"undo", undo_of(arena, o, t, would)));
	}
}

json_t *outlook_undo(const struct outlook *o, enum outlook_when when)
{
	json_t *list = json_array();
	struct arena arena = {0};

	for (uint32_t i = o->plan->task_count; i-- > 0;)
		if (is_undone(o, o->order[i], when))
			undo_task_json(o, o->order[i], &arena, list);
	arena_free(&arena);
	return list;
}
