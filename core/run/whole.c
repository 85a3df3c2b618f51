/* SPDX-License-Identifier: MIT */
/* The ends of streams: who sees one, who may publish, and who has not read all. */
#include "run/flow.h"

#include "run/worker.h"

#include <fcntl.h>
#include <stdio.h>

/* ---- their ends ---- */

/* Lets go of the write end that lies in it: see hold_open. */
static void hold_release(int hold)
{
	struct keep_message message;
	int fd;

	/* Where there is none the reader has taken it, and with it the end from itself. */
	if (keep_receive(hold, &message, &fd) == 1)
		flow_close_fd(&fd);
}

static const struct flow_end *input_of(const struct flows *flows, uint32_t task)
{
	vec_each(&flows->list, f)
		for (uint32_t i = 0; i < (*f)->end_count; i++)
			if ((*f)->ends[i].task == task)
				return &(*f)->ends[i];
	return NULL;
}

static bool upstream_is_whole(const struct flows *flows, uint32_t task)
{
	const struct flow_end *input = input_of(flows, task);

	return !input || input->flow->whole;
}

/* The reader sees the end.  What it then leaves unread is seen by a read end of our own. */
static void end_release(struct engine *engine, struct flow_end *end)
{
	char path[32];

	if (!end->left) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", end->source.fd);
		end->read_end = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	}
	engine_unwatch(engine, &end->source);
	hold_release(end->hold);
	flow_close_fd(&end->hold);
}

static bool settle_one(struct engine *engine, struct flow *flow)
{
	if (flow->whole || !flow->succeeded || flow_bytes_in(flow->source.fd) ||
		!upstream_is_whole(flow->slot->flows, flow->task))
		return false;
	flow->whole = true;
	engine_unwatch(engine, &flow->source);
	for (uint32_t i = 0; i < flow->end_count; i++)
		end_release(engine, &flow->ends[i]);
	return true;
}

/* ---- publishing: one after another, when all have read all ---- */

static struct attempt *asking(const struct engine *engine, const struct slot *slot, uint32_t task)
{
	for (struct attempt *a = engine->running; a; a = a->next)
		if (a->slot == slot && a->task == task && a->asks_whole)
			return a;
	return NULL;
}

static bool is_downstream(const struct plan *plan, uint32_t task, uint32_t of)
{
	while (task != PLAN_NONE && task != of)
		task = plan->tasks[task].source;
	return task == of;
}

static bool others_are_ready(
	const struct engine *engine, const struct plan_gang *gang, const struct attempt *attempt)
{
	const struct plan *plan = engine->plan;

	for (uint32_t i = 0; i < gang->member_count; i++) {
		uint32_t task = plan->members[gang->members + i];
		if (engine->memory[task].state != TASK_SUCCEEDED &&
			!is_downstream(plan, task, attempt->task) &&
			!asking(engine, attempt->slot, task))
			return false;
	}
	return true;
}

/* In the order of the tasks. */
static void grant_next(struct engine *engine, struct slot *slot)
{
	struct flows *flows = slot->flows;
	const struct plan *plan = engine->plan;
	const struct plan_gang *gang = &plan->gangs[flows->gang];

	for (uint32_t i = 0; !flows->granted && i < gang->member_count; i++) {
		struct attempt *attempt = asking(engine, slot, plan->members[gang->members + i]);
		if (!attempt || !upstream_is_whole(flows, attempt->task) ||
			!others_are_ready(engine, gang, attempt))
			continue;
		flows->granted = attempt;
		attempt->asks_whole = false;
		host_answer_plain(attempt->action->worker, 1);
	}
}

void flows_settle(struct engine *engine, struct slot *slot)
{
	bool again = true;

	while (again) {
		again = false;
		vec_each(&slot->flows->list, f)
			again = settle_one(engine, *f) || again;
	}
	grant_next(engine, slot);
}

int flow_ask(struct attempt *attempt)
{
	struct flows *flows = attempt->slot->flows;
	struct worker *worker = attempt->action->worker;

	if (attempt->cancelled || attempt->timed_out)
		return host_answer_plain(worker, 0);
	if (!flows || flows->granted == attempt)
		return host_answer_plain(worker, 1);
	attempt->asks_whole = true;
	flows_settle(attempt->engine, attempt->slot);
	return 0;
}

void flow_refuse(struct attempt *attempt)
{
	if (!attempt->asks_whole)
		return;
	attempt->asks_whole = false;
	host_answer_plain(attempt->action->worker, 0);
}

/* ---- the end of a task ---- */

static bool reads_part(const struct attempt *attempt)
{
	const struct action_description *action = attempt->detail->task->action;

	return action && action->decl.flags & UPKEEP_READS_PART;
}

void flow_judge(struct attempt *attempt)
{
	const struct flow_end *end = attempt->input;

	if (!end || attempt->state != TASK_SUCCEEDED || reads_part(attempt))
		return;
	if (!end->flow->whole)
		attempt_fail(attempt, REASON_POSTCONDITION, NULL,
			"it ended before its input did, of which it had %llu bytes at most",
			(unsigned long long)end->flow->bytes);
	else if (flow_bytes_in(end->read_end))
		attempt_fail(attempt, REASON_POSTCONDITION, NULL,
			"it has left the last %zu bytes of its input unread",
			flow_bytes_in(end->read_end));
}

void flow_ended(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	struct flows *flows = attempt->slot->flows;

	if (!flows)
		return;
	if (flows->granted == attempt)
		flows->granted = NULL;
	if (attempt->output && attempt->state == TASK_SUCCEEDED) {
		attempt->output->succeeded = true;
		flow_move(engine, attempt->output);
	}
	flows_settle(engine, attempt->slot);
}
