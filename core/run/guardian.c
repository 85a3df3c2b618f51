/* SPDX-License-Identifier: MIT */
/* The guard of a task with confirm_within: a process of its own, outside of everything that the
 * run's end kills, that has the task's records in memory and a worker ready, and puts the task
 * back when nobody confirms it in time. */
#include "run/engine.h"
#include "undo/guard.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "run/children.h"
#include "run/worker.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#define LOOK_MS 50
#define ENGINE_MS 5000 /* so long the engine may take to end the task */

struct guardian {
	struct source socket; /* from the engine; -1: it has no more to say */
	uint32_t task;
	struct guard guard;
	bool needs_worker, armed, fired, undoing;
	int64_t engine_until_ms; /* after it fired */
	const char *refusal;     /* why the plugin cannot be loaded, the arena's; NULL: not said */
	const char *refusal_next;
	char oom_score_adj[8]; /* as it was, for what it starts; "": unchanged */
};

/* False where nobody hears it. */
static bool answer(struct engine *engine, int result, const struct error *err)
{
	struct wire_out *out = &engine->out;

	wire_begin(out, WIRE_WRITTEN);
	wire_number(out, WIRE_RESULT, result);
	if (result < 0) {
		wire_text(out, WIRE_TEXT, error_what(err));
		wire_text(out, WIRE_NEXT, err->next);
	}
	return wire_send(engine->guardian->socket.fd, out, MSG_DONTWAIT) == 0;
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
	if (r == 1 && in->kind == WIRE_RECORD && !engine->guardian->fired) {
		take_record(engine, in);
	} else if (r == 1 && in->kind == WIRE_RECORD) {
		answer(engine, -ETIME, &(struct error){.what = NULL});
	} else {
		engine_unwatch(engine, source);
		if (!engine->guardian->armed) /* nothing was begun */
			engine->finished = true;
	}
}

/* When memory is short others are to go first. */
static void protect(struct guardian *guardian)
{
	static const char wanted[] = "-900";
	char *was = guardian->oom_score_adj;
	CLEANUP_FD int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);

	if (fd < 0 || read(fd, was, sizeof guardian->oom_score_adj - 1) <= 0 ||
		pwrite(fd, wanted, strlen(wanted), 0) < 0)
		*was = 0;
}

void guardian_spawned(const struct engine *engine, pid_t pid)
{
	const char *was = engine->guardian->oom_score_adj;
	char path[48];

	snprintf(path, sizeof path, "/proc/%d/oom_score_adj", (int)pid);
	CLEANUP_FD int fd = *was ? open(path, O_WRONLY | O_CLOEXEC) : -1;
	if (fd >= 0)
		file_write(fd, was, strlen(was));
}

void guardian_refused(struct engine *engine, const char *why, const char *next)
{
	engine->guardian->refusal = arena_string(&engine->arena, why);
	engine->guardian->refusal_next = arena_string(&engine->arena, next);
}

/* All that the undo needs is fetched now: later the journal may hang, a secret be gone. */
static int prepare(struct engine *engine, struct error *err)
{
	uint32_t task = engine->guardian->task;
	int r = again_read_past(engine, err);

	journal_detach(engine->journal);
	if (r == 0)
		r = undoing_prepare(engine, task, err);
	engine->guardian->needs_worker = r > 0;
	return r < 0 ? r : 0;
}

int guardian_open(struct engine *engine, uint32_t task, int socket, struct error *err)
{
	struct guardian *guardian = arena_new(&engine->arena, struct guardian);

	*guardian = (struct guardian){
		.socket = {socket, socket_ready}, .task = task, .guard = {.fd = -1}};
	engine->guardian = guardian;
	engine_watch(engine, &guardian->socket, EPOLLIN);
	protect(guardian);
	int r = prepare(engine, err);
	if (r < 0)
		answer(engine, r, err);
	return r;
}

/* 1: its worker has loaded the plugin, or it needs none; 0: not yet. */
static int is_prepared(struct engine *engine, struct error *err)
{
	const struct guardian *guardian = engine->guardian;
	const char *why = guardian->refusal;

	if (!guardian->needs_worker)
		return 1;
	if (why || !engine->workers.count)
		return error_set(err, -ENOEXEC, guardian->refusal_next,
			"its plugin cannot be loaded: %s",
			why ? why : "its process ended before it was");
	return engine->workers.items[0]->loaded;
}

static void arm(struct engine *engine)
{
	CLEANUP_ERROR struct error err = {0};
	struct guardian *guardian = engine->guardian;
	const struct plan *plan = engine->plan;
	int64_t within_ms =
		plan->details[plan->tasks[guardian->task].detail].task->options->confirm_within_ms;

	int r = is_prepared(engine, &err);
	if (r == 0)
		return;
	if (r > 0)
		r = guard_make(engine->setup->run_dir, guardian->task, getpid(),
			clock_monotonic_ms() + within_ms, &guardian->guard, &err);
	guardian->armed = r == 0;
	engine->finished = r < 0;
	/* The engine has gone, or waits no longer: nothing was begun. */
	if (!answer(engine, r, &err) && guardian->armed)
		guard_decide(&guardian->guard, GUARD_DISARMED);
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

	guardian->fired = guard_decide(&guardian->guard, GUARD_EXPIRED);
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
		if (!guard_is_open(&guardian->guard))
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
