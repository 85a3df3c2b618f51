/* SPDX-License-Identifier: MIT */
/* A task with confirm_within, as the engine sees it: its guard is armed before it starts, has
 * each of its records, and decides over its end by the guard's file. */
#include "run/engine.h"
#include "undo/guard.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define ARM_MS (SECRET_COMMAND_MS + 10000)
#define ANSWER_MS 5000
#define LOOK_MS 100

struct guarded {
	struct source socket; /* to the guard; -1: closed */
	struct attempt *attempt;
	struct guard guard; /* its file, once it is armed */
	int64_t arm_until_ms;
	bool armed, told, unconfirmed, settled;
	bool expired_by_us; /* in the place of a guard that has died */
	enum undo_state undo;
};

static void cannot_arm(struct attempt *attempt, const char *why, const char *next)
{
	attempt_fail(attempt, REASON_START, next,
		"its guard could not be armed, so nothing was changed: %s", why);
}

static int open_file(struct guarded *guarded)
{
	struct attempt *attempt = guarded->attempt;

	return guard_open(attempt->engine->setup->run_dir, attempt->task, &guarded->guard);
}

/* The guard says that it is armed, or why not. */
static void socket_ready(struct engine *engine, struct source *source, uint32_t events)
{
	struct guarded *guarded = (struct guarded *)source;
	struct attempt *attempt = guarded->attempt;
	struct wire_in *in = &engine->in;

	(void)events;
	int r = wire_receive(source->fd, WIRE_ENGINE, in, MSG_DONTWAIT);
	if (r == -EAGAIN)
		return;
	if (r != 1 || in->kind != WIRE_WRITTEN) {
		engine_unwatch(
			engine, source); /* it is gone: its file says what there is to know */
		if (!guarded->armed)
			cannot_arm(attempt, "it ended before it was", NULL);
	} else if (wire_get_number(in, WIRE_RESULT) < 0) {
		cannot_arm(attempt, wire_get_text(in, WIRE_TEXT), wire_get_text(in, WIRE_NEXT));
	} else if (!guarded->armed) {
		guarded->armed = open_file(guarded) == 0;
		if (!guarded->armed)
			cannot_arm(attempt, "its file cannot be read", NULL);
	}
	if (attempt->phase == ATTEMPT_NEW && (guarded->armed || attempt->message)) {
		attempt->look_at_ms = engine->now_ms + LOOK_MS;
		attempt_launch(attempt);
	}
}

int guarded_start(struct attempt *attempt, struct error *err)
{
	struct engine *engine = attempt->engine;
	struct guarded *guarded = arena_new(&attempt->arena, struct guarded);
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_set(err, -errno, NULL, "cannot make a socket pair: %m");
	*guarded = (struct guarded){.socket = {pair[0], socket_ready},
		.attempt = attempt,
		.guard = {.fd = -1},
		.arm_until_ms = engine->now_ms + ARM_MS};
	attempt->guarded = guarded;
	attempt->look_at_ms = guarded->arm_until_ms;
	keep_guard(engine->keeper.fd, attempt->task, pair[1]);
	close(pair[1]);
	engine_watch(engine, &guarded->socket, EPOLLIN);
	return 0;
}

bool guarded_is_armed(const struct attempt *attempt)
{
	return attempt->guarded->armed;
}

/* The guard answers at once, or not at all. */
static int wait_for_answer(struct guarded *guarded)
{
	struct pollfd wait = {.fd = guarded->socket.fd, .events = POLLIN};
	struct wire_in in = {0};
	int r = poll(&wait, 1, ANSWER_MS);

	if (r <= 0)
		return r < 0 ? -errno : -ETIMEDOUT;
	r = wire_receive(guarded->socket.fd, WIRE_ENGINE, &in, MSG_DONTWAIT);
	if (r == 1 && in.kind == WIRE_WRITTEN)
		r = (int)wire_get_number(&in, WIRE_RESULT);
	else
		r = r < 0 ? r : -EPIPE;
	wire_in_free(&in);
	return r;
}

int guarded_push(struct attempt *attempt, const struct journal_undo *row)
{
	struct guarded *guarded = attempt->guarded;
	struct wire_out *out = &attempt->engine->out;

	if (guarded->socket.fd < 0 || guard_state(&guarded->guard) != GUARD_ARMED)
		return -ETIME;
	wire_begin(out, WIRE_RECORD);
	wire_record(out, row);
	wire_number(out, WIRE_ATTEMPT, row->attempt);
	int r = wire_send(guarded->socket.fd, out, MSG_DONTWAIT);
	if (r == 0)
		r = wait_for_answer(guarded);
	if (r < 0) /* a late answer must not be taken for that to the next record */
		engine_unwatch(attempt->engine, &guarded->socket);
	return r;
}

/* ---- the end ---- */

static void tell_waiting(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	int64_t left_ms = guard_deadline_ms(&attempt->guarded->guard) - clock_monotonic_ms();

	if (!guard_change(&attempt->guarded->guard, GUARD_ARMED, GUARD_WAITING))
		return;
	attempt->guarded->told = true;
	journal_set_state(engine->journal, RUN_AWAITING_CONFIRMATION);
	engine_flush(engine, JOURNAL_COMMIT);
	engine_tell(engine,
		&(struct run_event){.kind = RUN_EVENT_CONFIRM,
			.task = attempt->task,
			.duration_ms = left_ms > 0 ? left_ms : 0,
			.next = "upkeep confirm RUN"});
}

static void fail_unconfirmed(struct attempt *attempt, enum undo_state undo)
{
	struct guarded *guarded = attempt->guarded;

	guarded->settled = guarded->unconfirmed = true;
	guarded->undo = undo;
	if (undo == UNDO_NOTHING)
		keep_kill_guarded(attempt->engine->setup->id, attempt->task);
	else
		undoing_by_guard(attempt->engine, attempt->task, undo);
	attempt->transient = false;
	free(attempt->message);
	free(attempt->next_step);
	attempt->message = attempt->next_step = NULL;
	attempt_fail(attempt, REASON_TIMEOUT, NULL, "it was not confirmed within %lld.%03lld s",
		(long long)attempt->options->confirm_within_ms / 1000,
		(long long)attempt->options->confirm_within_ms % 1000);
}

/* Nobody decides any more but this engine. */
static void settle_failed(struct attempt *attempt)
{
	struct guarded *guarded = attempt->guarded;

	if (guard_decide(&guarded->guard, GUARD_DISARMED))
		guarded->settled = true;
}

/* The deadline is over, and the guard is not there to see it. */
static bool expire(struct guarded *guarded)
{
	struct guard *guard = &guarded->guard;

	if (guard_is_open(guard) && guard_is_late(guard) && guard_is_abandoned(guard) &&
		guard_decide(guard, GUARD_EXPIRED))
		guarded->expired_by_us = true;
	return guarded->expired_by_us;
}

static void settle_open(struct attempt *attempt)
{
	struct guarded *guarded = attempt->guarded;

	if (attempt->state != TASK_SUCCEEDED) {
		settle_failed(attempt);
	} else if (attempt->cancelled) {
		settle_failed(attempt);
		attempt->state = TASK_CANCELLED;
		attempt->reason = attempt->run_timed_out ? REASON_TIMEOUT : REASON_CANCEL;
	} else if (expire(guarded)) {
		fail_unconfirmed(attempt, UNDO_NOTHING);
	} else if (!guarded->told) {
		tell_waiting(attempt);
	}
}

static bool others_wait(const struct attempt *attempt)
{
	for (const struct attempt *a = attempt->engine->running; a; a = a->next)
		if (a != attempt && a->guarded && a->guarded->told && !a->guarded->settled)
			return true;
	return false;
}

static void settle_confirmed(struct attempt *attempt)
{
	attempt->guarded->settled = true;
	if (!others_wait(attempt))
		journal_set_state(attempt->engine->journal, RUN_RUNNING);
}

static void look(struct attempt *attempt)
{
	struct guarded *guarded = attempt->guarded;

	switch (guard_state(&guarded->guard)) {
	case GUARD_ARMED:
	case GUARD_WAITING:
		settle_open(attempt);
		break;
	case GUARD_CONFIRMED:
		settle_confirmed(attempt);
		break;
	case GUARD_DISARMED:
		guarded->settled = true;
		break;
	case GUARD_EXPIRED: /* where it died at it, its undo is ours too */
		if (guarded->expired_by_us || !guard_is_alive(&guarded->guard))
			fail_unconfirmed(attempt, UNDO_NOTHING);
		break;
	case GUARD_UNDONE:
		fail_unconfirmed(attempt, UNDO_UNDONE);
		break;
	case GUARD_FAILED:
		fail_unconfirmed(attempt, UNDO_FAILED);
		break;
	}
}

/* The guard waits for our end of the socket before it undoes a task that still ran. */
bool guarded_waits(struct attempt *attempt)
{
	struct guarded *guarded = attempt->guarded;

	if (!guarded->armed || guarded->settled)
		return false;
	engine_unwatch(attempt->engine, &guarded->socket);
	look(attempt);
	if (guarded->settled)
		return false;
	attempt->phase = ATTEMPT_CONFIRMING;
	attempt->look_at_ms = attempt->engine->now_ms + LOOK_MS;
	return true;
}

/* It may have been armed in this very moment: a guard that cannot say so any more disarms
 * itself. */
static void give_up(struct attempt *attempt)
{
	struct guarded *guarded = attempt->guarded;

	cannot_arm(attempt, "it took too long",
		arena_printf(&attempt->arena, "upkeep run %s, when the host is less busy",
			attempt->engine->plan->graph->name));
	engine_unwatch(attempt->engine, &guarded->socket);
	if (open_file(guarded) == 0)
		guard_decide(&guarded->guard, GUARD_DISARMED);
	attempt_launch(attempt);
}

void guarded_look(struct attempt *attempt)
{
	struct guarded *guarded = attempt->guarded;

	if (attempt->phase == ATTEMPT_NEW) {
		give_up(attempt);
		return;
	}
	if (attempt->phase == ATTEMPT_RUNNING) {
		expire(guarded);
		if (guarded->armed && guard_state(&guarded->guard) == GUARD_EXPIRED)
			attempt_cancel(attempt, true);
		attempt->look_at_ms = attempt->engine->now_ms + LOOK_MS;
		return;
	}
	attempt_check(attempt);
}

void guarded_end(struct attempt *attempt)
{
	struct guarded *guarded = attempt->guarded;

	engine_unwatch(attempt->engine, &guarded->socket);
	if (guarded->guard.page)
		guard_close(&guarded->guard);
}

enum undo_state guarded_undo(const struct attempt *attempt)
{
	return attempt->guarded ? attempt->guarded->undo : UNDO_NOTHING;
}

bool guarded_is_unconfirmed(const struct attempt *attempt)
{
	return attempt->guarded && attempt->guarded->unconfirmed;
}
