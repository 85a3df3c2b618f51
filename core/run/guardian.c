/* SPDX-License-Identifier: MIT */
/* The guard of a task with confirm_within: a process of its own, outside of everything that the
 * run's end kills, that has the task's records in memory and a worker ready, and puts the task
 * back when nobody confirms it in time. */
#include "run/engine.h"
#include "undo/guard.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "run/children.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#define LOOK_MS 50
#define ENGINE_MS 5000 /* so long the engine may take to end the task */

struct guardian {
	struct source socket; /* from the engine; -1: it has no more to say */
	uint32_t task;
	struct guard guard;
	bool armed, fired, undoing;
	int64_t engine_until_ms; /* after it fired */
};

static void answer(struct engine *engine, int result, const struct error *err)
{
	struct wire_out *out = &engine->out;

	wire_begin(out, WIRE_WRITTEN);
	wire_number(out, WIRE_RESULT, result);
	if (result < 0) {
		wire_text(out, WIRE_TEXT, error_what(err));
		wire_text(out, WIRE_NEXT, err->next);
	}
	wire_send(engine->guardian->socket.fd, out, MSG_DONTWAIT);
}

static void take_record(struct engine *engine, struct wire_in *in)
{
	struct arena arena = {0};
	const struct wire_field *payload = &in->fields[WIRE_PAYLOAD];
	struct text files = {0};
	size_t count;
	const char **names = wire_get_texts(in, WIRE_FILES, &arena, &count);
	struct journal_undo row = {.id = (uint64_t)wire_get_number(in, WIRE_ID),
		.task = engine->guardian->task,
		.attempt = (uint32_t)wire_get_number(in, WIRE_ATTEMPT),
		.version = (uint32_t)wire_get_number(in, WIRE_VERSION),
		.kind = wire_get_text(in, WIRE_NAME),
		.about = wire_get_text(in, WIRE_ABOUT),
		.payload = arena_copy(&arena, (const char *)payload->bytes, payload->size)};

	for (size_t i = 0; i < count; i++)
		text_addf(&files, "%s%s", i ? "\n" : "", names[i]);
	row.files = count ? text_string(&files) : NULL;
	undo_records_add(&engine->memory[row.task].records, &row);
	text_free(&files);
	arena_free(&arena);
	answer(engine, 0, NULL);
}

static void socket_ready(struct engine *engine, struct source *source, uint32_t events)
{
	struct wire_in *in = &engine->in;

	(void)events;
	int r = wire_receive(source->fd, WIRE_WORKER, in, MSG_DONTWAIT);
	if (r == -EAGAIN)
		return;
	if (r == 1 && in->kind == WIRE_RECORD)
		take_record(engine, in);
	else
		engine_unwatch(engine, source);
}

int guardian_open(struct engine *engine, uint32_t task, int socket, struct error *err)
{
	struct guardian *guardian = arena_new(&engine->arena, struct guardian);

	*guardian = (struct guardian){
		.socket = {socket, socket_ready}, .task = task, .guard = {.fd = -1}};
	engine->guardian = guardian;
	engine_watch(engine, &guardian->socket, EPOLLIN);
	int r = again_read_outputs(engine, err);
	if (r == 0)
		r = undoing_prepare(engine, task, err);
	if (r < 0)
		answer(engine, r, err);
	return r;
}

static void arm(struct engine *engine)
{
	CLEANUP_ERROR struct error err = {0};
	struct guardian *guardian = engine->guardian;
	const struct plan *plan = engine->plan;
	int64_t within_ms = plan->details[plan->tasks[guardian->task].detail]
				    .task->options->confirm_within_ms;

	if (!action_is_prepared(engine))
		return;
	int r = guard_make(engine->setup->run_dir, guardian->task, getpid(),
		clock_monotonic_ms() + within_ms, &guardian->guard, &err);
	answer(engine, r, &err);
	guardian->armed = r == 0;
	engine->finished = r < 0;
}

struct marked {
	char mark[KEEP_MARK_SIZE];
	unsigned count;
};

static void kill_marked(void *data, pid_t pid)
{
	struct marked *marked = data;

	if (!child_has_variable(pid, marked->mark))
		return;
	kill(pid, SIGKILL);
	marked->count++;
}

/* The task may run still, where the engine hangs, or is dead and its keeper too. */
static bool task_has_ended(struct engine *engine)
{
	struct guardian *guardian = engine->guardian;
	struct marked marked = {.count = 0};

	if (guardian->socket.fd >= 0 && engine->now_ms < guardian->engine_until_ms)
		return false;
	keep_mark(marked.mark, engine->setup->id, guardian->task);
	processes_each(kill_marked, &marked);
	return !marked.count || engine->now_ms >= guardian->engine_until_ms + ENGINE_MS;
}

static void fire(struct engine *engine)
{
	struct guardian *guardian = engine->guardian;

	guardian->fired = guard_change(&guardian->guard, GUARD_ARMED, GUARD_EXPIRED);
	guardian->engine_until_ms = engine->now_ms + ENGINE_MS;
}

void guardian_turn(struct engine *engine)
{
	struct guardian *guardian = engine->guardian;

	if (guardian->undoing || engine->finished)
		return;
	if (!guardian->armed) {
		arm(engine);
	} else if (!guardian->fired) {
		if (guard_state(&guardian->guard) != GUARD_ARMED)
			engine->finished = true; /* somebody else has decided */
		else if (clock_monotonic_ms() >= guard_deadline_ms(&guardian->guard))
			fire(engine);
	} else if (task_has_ended(engine)) {
		guardian->undoing = true;
		undoing_begin(engine, guardian->task);
	}
}

void guardian_undone(struct engine *engine, enum undo_state state)
{
	guard_change(&engine->guardian->guard, GUARD_EXPIRED,
		state == UNDO_UNDONE ? GUARD_UNDONE : GUARD_FAILED);
	engine->finished = true;
}

int64_t guardian_next_ms(const struct engine *engine)
{
	return engine->guardian && !engine->guardian->undoing ? engine->now_ms + LOOK_MS
							      : INT64_MAX;
}
