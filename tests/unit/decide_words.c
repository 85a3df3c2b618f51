/* SPDX-License-Identifier: MIT */
#include "decide_words.h"

#include <stdlib.h>
#include <string.h>

/* `edges`: "ab bc": b needs a, c needs b; "a=b": they form a gang. */
struct world *make(uint32_t count, const char *edges)
{
	struct world *w = base_alloc(sizeof *w);
	struct model_edge list[32];
	size_t edge_count = 0;

	w->plan.task_count = count;
	w->plan.tasks = arena_news(&w->plan.arena, struct plan_task, count);
	for (uint32_t t = 0; t < count; t++) {
		w->plan.tasks[t].source = w->plan.tasks[t].detail = PLAN_NONE;
		w->leaders[t] = t;
	}
	for (const char *at = edges; *at; at += strcspn(at, " "), at += *at == ' ')
		if (at[1] == '=')
			w->leaders[at[2] - 'a'] = (uint32_t)(at[0] - 'a');
		else
			list[edge_count++] = (struct model_edge){
				(uint32_t)(at[0] - 'a'), (uint32_t)(at[1] - 'a')};
	model_link(&w->plan, list, edge_count);
	w->retries[0].attempts = 1;
	w->retries[1] = (struct retry){.attempts = 3, .delay_ms = 100000, .backoff = 1};
	w->plan.retries = w->retries;
	w->plan.retry_count = 2;
	w->resources[0] = (struct plan_resource){"lock", 1, false};
	w->resources[1] = (struct plan_resource){"pool", 1, true};
	w->plan.resources = w->resources;
	w->plan.resource_count = 2;
	w->options = (struct decide_options){.jobs = 4, .seed = 1};
	return w;
}

struct world *make_undoable(uint32_t count, const char *edges)
{
	struct world *w = make(count, edges);

	for (uint32_t t = 0; t < count; t++)
		w->plan.tasks[t].flags = PLAN_CAN_UNDO;
	return w;
}

struct plan_task *task(struct world *w, char name)
{
	return &w->plan.tasks[name - 'a'];
}

static void say_gang(struct world *w, uint32_t gang)
{
	if (gang == PLAN_NONE)
		return;
	for (uint32_t i = 0; i < w->plan.gangs[gang].member_count; i++)
		text_addc(&w->said, (char)('a' + w->plan.members[w->plan.gangs[gang].members + i]));
}

static void say_settled(struct world *w, const struct decision *decision)
{
	text_addf(&w->said, "%c=%s", 'a' + (int)decision->task, task_state_name(decision->state));
	if (decision->reason != REASON_NONE)
		text_addf(&w->said, ":%s", task_reason_name(decision->reason));
	if (decision->upstream != PLAN_NONE)
		text_addf(&w->said, "/%c", 'a' + (int)decision->upstream);
	assert_int_equal(decide_state(w->decide, decision->task), decision->state);
}

static void say_gang_mark(struct world *w, const struct decision *decision)
{
	static const char *const marks[] = {
		[DECISION_ACQUIRE] = "+", [DECISION_RELEASE] = "-", [DECISION_CANCEL] = "!"};

	text_adds(&w->said, decision->kind == DECISION_START ? "" : marks[decision->kind]);
	text_adds(&w->said, decision->kill ? "!" : "");
	say_gang(w, decision->gang);
	if (decision->kind == DECISION_START)
		text_addf(&w->said, "#%u", decision->attempt);
}

static void say(struct world *w, const struct decision *decision)
{
	int name = 'a' + (int)decision->task;

	if (w->said.size)
		text_addc(&w->said, ' ');
	switch (decision->kind) {
	case DECISION_SETTLED:
		say_settled(w, decision);
		break;
	case DECISION_EVALUATE:
		text_addf(&w->said, "?%c", name);
		break;
	case DECISION_UNDO:
		text_addf(&w->said, "~%c", name);
		assert_int_equal(decide_undo_state(w->decide, decision->task), UNDO_UNDOING);
		break;
	case DECISION_STOP_UNDO:
		text_addf(&w->said, "!~%c", name);
		break;
	case DECISION_HELD:
		text_addf(&w->said, "~%c=held", name);
		assert_int_equal(decide_undo_state(w->decide, decision->task), UNDO_HELD);
		break;
	case DECISION_TURN:
		text_adds(&w->said, "turn");
		assert_int_equal(decision->run_state, RUN_ROLLING_BACK);
		break;
	case DECISION_FINISH:
		text_addf(&w->said, "end=%s:%d", run_state_name(decision->run_state),
			(int)decision->exit_code);
		break;
	default:
		say_gang_mark(w, decision);
		break;
	}
}

static void make_decide(struct world *w)
{
	if (w->decide)
		return;
	model_gangs(&w->plan, w->leaders);
	model_take(&w->plan, w->masks);
	for (uint32_t g = 0; g < w->plan.gang_count; g++)
		w->plan.gangs[g].retry = w->retried;
	w->decide = decide_new(&w->plan, &w->options);
}

/* Tells the event, if there is one, and compares what is decided then. */
void expect(struct world *w, const struct event *event, const char *words)
{
	struct decision decision;

	make_decide(w);
	if (event) {
		struct event told = *event;
		told.now_ms = w->now_ms;
		decide_event(w->decide, &told);
	}
	text_free(&w->said);
	while (decide_next(w->decide, &decision))
		say(w, &decision);
	assert_string_equal(text_string(&w->said), words);
}

void restore(struct world *w, char name, enum task_state state, enum undo_state undo)
{
	make_decide(w);
	decide_restore(w->decide, (uint32_t)(name - 'a'), state, undo, state != TASK_SKIPPED);
}

void begin(struct world *w, const char *words)
{
	expect(w, &(struct event){.kind = EVENT_BEGIN}, words);
}

void cancel(struct world *w, const char *words)
{
	expect(w, &(struct event){.kind = EVENT_CANCEL}, words);
}

void done(struct world *w, char name, const char *words)
{
	expect(w,
		&(struct event){.kind = EVENT_ENDED,
			.task = (uint32_t)(name - 'a'),
			.result = TASK_SUCCEEDED},
		words);
}

void failed(struct world *w, char name, const char *words)
{
	expect(w,
		&(struct event){.kind = EVENT_ENDED,
			.task = (uint32_t)(name - 'a'),
			.result = TASK_FAILED,
			.reason = REASON_EXIT,
			.transient = true},
		words);
}

void stopped(struct world *w, char name, const char *words)
{
	expect(w,
		&(struct event){.kind = EVENT_ENDED,
			.task = (uint32_t)(name - 'a'),
			.result = TASK_CANCELLED},
		words);
}

static void end_changed(struct world *w, char name, struct event event, const char *words)
{
	event.kind = EVENT_ENDED;
	event.task = (uint32_t)(name - 'a');
	event.changed = true;
	expect(w, &event, words);
}

void changed(struct world *w, char name, const char *words)
{
	end_changed(w, name, (struct event){.result = TASK_SUCCEEDED}, words);
}

void broke(struct world *w, char name, const char *words)
{
	end_changed(w, name,
		(struct event){
			.result = TASK_FAILED, .reason = REASON_EXIT, .transient = w->retried},
		words);
}

void undone(struct world *w, char name, enum undo_state undo, const char *words)
{
	expect(w,
		&(struct event){.kind = EVENT_UNDONE, .task = (uint32_t)(name - 'a'), .undo = undo},
		words);
}

void hold(struct world *w, const char *words)
{
	expect(w, &(struct event){.kind = EVENT_HOLD_UNDO}, words);
}

void condition(struct world *w, char name, bool truth, const char *words)
{
	expect(w,
		&(struct event){
			.kind = EVENT_CONDITION, .task = (uint32_t)(name - 'a'), .truth = truth},
		words);
}

void answer(struct world *w, enum event_kind kind, uint32_t gang, const char *words)
{
	expect(w, &(struct event){.kind = kind, .gang = gang}, words);
}

/* Lets the time of the next wake come. */
void pass_time(struct world *w, const char *words)
{
	int64_t wake = decide_wake(w->decide);

	assert_int_not_equal(wake, INT64_MAX);
	if (wake > w->now_ms) {
		w->now_ms = wake - 1;
		expect(w, &(struct event){.kind = EVENT_TIME}, "");
	}
	w->now_ms = wake;
	expect(w, &(struct event){.kind = EVENT_TIME}, words);
}

/* Nothing is left to be told, and nothing more comes. */
void drop(struct world *w)
{
	cancel(w, "");
	decide_free(w->decide);
	arena_free(&w->plan.arena);
	text_free(&w->said);
	free(w);
}
