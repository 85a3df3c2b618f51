/* SPDX-License-Identifier: MIT */
#include "run/engine.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/spawn.h"

#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#define KEEP_RUNS 100 /* of each graph, and all that can still be undone */
#define LAZY_MS 100   /* results of tasks that change nothing may lag so long */
#define TICK_MS 100
#define LARGE_BYTES (256 << 10)

void engine_watch(struct engine *engine, struct source *source, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	epoll_ctl(engine->epoll, EPOLL_CTL_ADD, source->fd, &event);
}

/* What this turn has still in its hands of it is forgotten too. */
void engine_unwatch(struct engine *engine, struct source *source)
{
	if (source->fd < 0)
		return;
	epoll_ctl(engine->epoll, EPOLL_CTL_DEL, source->fd, NULL);
	close(source->fd);
	source->fd = -1;
	for (int i = 0; i < engine->batch_count; i++)
		if (engine->batch[i].data.ptr == source)
			engine->batch[i].data.ptr = NULL;
}

void engine_tell(struct engine *engine, const struct run_event *event)
{
	const struct run_watcher *watcher = engine->options->watcher;
	struct run_event copy = *event;

	if (!watcher)
		return;
	copy.run_id = engine->setup->id;
	copy.wall_ms = clock_wall_ms();
	watcher->event(watcher->data, engine->plan, &copy);
}

void engine_warn(struct engine *engine, uint32_t task, const char *text)
{
	engine->warnings++;
	journal_add_warning(engine->journal, task, text);
	engine_tell(
		engine, &(struct run_event){.kind = RUN_EVENT_WARNING, .task = task, .text = text});
}

const char *engine_time_limit(struct engine *engine)
{
	int64_t ms = engine->plan->graph->timeout_ms;
	const char *text = arena_printf(&engine->arena,
		"the time limit of %lld.%03lld s of graph \"%s\" was reached", (long long)ms / 1000,
		(long long)ms % 1000, engine->plan->graph->name);

	if (!engine->cause)
		engine->cause = base_string(text);
	return text;
}

/* Without a journal nothing more is started: the run is cancelled. */
static void engine_break(struct engine *engine, const struct error *err)
{
	if (engine->broken)
		return;
	engine->broken = true;
	free(engine->cause);
	engine->cause = base_string(error_what(err));
	engine_tell(engine,
		&(struct run_event){.kind = RUN_EVENT_WARNING,
			.task = PLAN_NONE,
			.text = engine->cause,
			.next = err->next});
	engine_event(engine, &(struct event){.kind = EVENT_CANCEL});
}

/* What room there is now is for the undo and the verdict. */
static void engine_full(struct engine *engine)
{
	CLEANUP_TEXT struct text text = {0};

	if (engine->full)
		return;
	engine->full = true;
	engine->next = arena_printf(
		&engine->arena, "make room on the file system of %s", engine->setup->state_dir);
	text_addf(
		&text, "the disk is full: %s has only its ballast left", engine->setup->state_dir);
	if (!engine->finished) {
		text_adds(&text, "; the run is cancelled");
		free(engine->cause);
		engine->cause = base_string(text_string(&text));
		engine_event(engine, &(struct event){.kind = EVENT_CANCEL});
	}
	text_addf(&text, "; %s", engine->next);
	engine_warn(engine, PLAN_NONE, text_string(&text));
}

int engine_flush(struct engine *engine, enum journal_sync sync)
{
	CLEANUP_ERROR struct error err = {0};

	if (engine->guardian) /* its word is in its file; a journal may hang */
		return 0;
	if (engine->broken)
		return -EIO;
	int r = journal_flush(engine->journal, sync, &err);
	if (r < 0) {
		engine_break(engine, &err);
		return r;
	}
	engine->results_wait = false;
	if (!journal_has_queued(engine->journal))
		engine->flush_at_ms = INT64_MAX;
	if (journal_is_full(engine->journal))
		engine_full(engine);
	return 0;
}

void engine_event(struct engine *engine, const struct event *event)
{
	struct event copy = *event;

	copy.now_ms = engine->now_ms;
	engine->undecided = true;
	decide_event(engine->decide, &copy);
}

/* How durable what this turn brought must be, above all the intents of its starts
 * (docs/behaviour.md, What changes things). */
static enum journal_sync turn_sync(const struct engine *engine)
{
	enum journal_sync sync = engine->results_wait ? JOURNAL_COMMIT : JOURNAL_LAZY;

	if (engine->undo_waits)
		return JOURNAL_SYNC;
	for (size_t i = 0; i < engine->starting.count; i++) {
		uint8_t changes = engine->starting.items[i]->changes;
		if (changes == UPKEEP_CHANGES_NONE)
			continue;
		if (changes != UPKEEP_CHANGES_UNKNOWN || !engine->graph_synced)
			return JOURNAL_SYNC;
		sync = JOURNAL_COMMIT;
	}
	return sync;
}

static void start_all(struct engine *engine, bool fine)
{
	/* An attempt that cannot be started ends at once, and is gone then. */
	size_t count = engine->starting.count;
	for (size_t i = 0; i < count; i++) {
		struct attempt *attempt = engine->starting.items[i];
		attempt->next = engine->running;
		engine->running = attempt;
	}
	for (size_t i = 0; i < count; i++) {
		struct attempt *attempt = engine->starting.items[i];
		bool full = engine->full && attempt->kind == ATTEMPT_RUN;
		if (!fine || engine->broken || full)
			attempt_fail(attempt, REASON_START, engine->next, "not started: %s",
				full ? "the disk is full" : "the journal cannot be written");
		attempt_launch(attempt);
	}
	memmove(engine->starting.items, engine->starting.items + count,
		(engine->starting.count - count) * sizeof engine->starting.items[0]);
	engine->starting.count -= count;
}

/* The intent is committed before the deed, the undo record before the change: all of a turn by
 * one commit. */
static void commit_turn(struct engine *engine)
{
	enum journal_sync sync = turn_sync(engine);
	int r = sync == JOURNAL_LAZY ? 0 : engine_flush(engine, sync);

	if (sync == JOURNAL_SYNC && r == 0)
		engine->graph_synced = true;
	if (engine->undo_waits)
		recording_answer(engine, r);
	start_all(engine, r == 0);
}

/* What cannot be started ends at once: what follows from that is for the next turn. */
static void carry_out_decisions(struct engine *engine)
{
	struct decision decision;

	while (decide_next(engine->decide, &decision))
		deed_carry_out(engine, &decision);
	engine->undecided = false;
	if (engine->starting.count || engine->undo_waits)
		commit_turn(engine);
	if (engine->flush_at_ms == INT64_MAX && journal_has_queued(engine->journal))
		engine->flush_at_ms = engine->now_ms + LAZY_MS;
}

static int wait_ms(struct engine *engine)
{
	int64_t until_ms = decide_wake(engine->decide);
	int64_t deed_ms = deed_next_ms(engine);
	int64_t undo_ms = undoing_next_ms(engine), guardian_ms = guardian_next_ms(engine);

	if (engine->undecided || engine->starting.count || engine->undo_waits)
		return 0;
	until_ms = until_ms < deed_ms ? until_ms : deed_ms;
	until_ms = until_ms < undo_ms ? until_ms : undo_ms;
	until_ms = until_ms < guardian_ms ? until_ms : guardian_ms;
	until_ms = until_ms < engine->flush_at_ms ? until_ms : engine->flush_at_ms;
	for (struct attempt *a = engine->running; a; a = a->next) {
		int64_t next_ms = attempt_next_ms(a);
		until_ms = next_ms < until_ms ? next_ms : until_ms;
	}
	int64_t left_ms = until_ms == INT64_MAX ? INT64_MAX : until_ms - clock_monotonic_ms();
	const struct run_watcher *watcher = engine->options->watcher;
	if (watcher && watcher->wants_ticks && left_ms > TICK_MS)
		left_ms = TICK_MS;
	return left_ms < 0 ? 0 : left_ms > 3600000 ? 3600000 : (int)left_ms;
}

static void on_time(struct engine *engine)
{
	const struct run_watcher *watcher = engine->options->watcher;

	if (decide_wake(engine->decide) <= engine->now_ms)
		engine_event(engine, &(struct event){.kind = EVENT_TIME});
	deed_tend_waiters(engine);
	undoing_time(engine);
	if (engine->guardian)
		guardian_turn(engine);
	for (struct attempt *a = engine->running, *next; a; a = next) {
		next = a->next;
		if (attempt_next_ms(a) <= engine->now_ms)
			attempt_time(a);
	}
	if (engine->flush_at_ms <= engine->now_ms)
		engine_flush(engine, JOURNAL_LAZY);
	if (watcher && watcher->wants_ticks)
		engine_tell(engine, &(struct run_event){.kind = RUN_EVENT_TICK});
}

static int wait_for_events(struct engine *engine)
{
	int room = (int)(sizeof engine->batch / sizeof engine->batch[0]);
	int ms = wait_ms(engine), n = 0;
	int64_t until_ns = ms && engine->told_worker ? clock_monotonic_ns() + WIRE_SOON_NS : 0;

	engine->told_worker = false;
	while (n == 0 && until_ns && sched_yield() == 0 && clock_monotonic_ns() < until_ns)
		n = epoll_wait(engine->epoll, engine->batch, room, 0);
	return n ? n : epoll_wait(engine->epoll, engine->batch, room, ms);
}

static void engine_loop(struct engine *engine)
{
	for (;;) {
		engine->now_ms = clock_monotonic_ms();
		carry_out_decisions(engine);
		if (engine->finished && !engine->running && !engine->undoings.count)
			return;
		int n = wait_for_events(engine);
		engine->batch_count = n > 0 ? n : 0;
		engine->now_ms = clock_monotonic_ms();
		for (int i = 0; i < engine->batch_count; i++) {
			struct source *source = engine->batch[i].data.ptr;
			if (source)
				source->ready(engine, source, engine->batch[i].events);
		}
		engine->batch_count = 0;
		on_time(engine);
	}
}

static struct journal_run run_row(const struct engine *engine)
{
	const struct plan *plan = engine->plan;
	struct journal_run run = {
		.graph = plan->graph->name,
		.site_path = plan->site->path,
		.task_count = plan->task_count,
		.started_ms = engine->setup->started_ms,
		.state = engine->run_state,
		.exit_code = -1,
		.warnings = engine->warnings,
		.uid = getuid(),
		.cause = engine->options->cause,
	};
	memcpy(run.id, engine->setup->id, sizeof run.id);
	return run;
}

static void keep_ballast(struct engine *engine)
{
	CLEANUP_ERROR struct error err = {0};

	if (!engine->options->plan_only && journal_keep_ballast(engine->journal, &err) < 0)
		engine_warn(engine, PLAN_NONE, error_what(&err));
}

/* The resolved graph lies in the journal before anything that it describes. */
static void begin_run(struct engine *engine)
{
	CLEANUP_TEXT struct text resolved = {0};
	struct journal_run run = run_row(engine);

	if (!engine->options->plan_only)
		plan_text(engine->plan, &resolved);
	journal_add_run(engine->journal, &run, text_string(&resolved), resolved.size);
	engine->graph_synced = engine->options->plan_only;
	engine_tell(engine, &(struct run_event){.kind = RUN_EVENT_BEGIN, .task = PLAN_NONE});
	keep_ballast(engine);
	engine_event(engine, &(struct event){.kind = EVENT_BEGIN});
}

static void tell_known(struct engine *engine)
{
	for (uint32_t i = 0; i < engine->plan->task_count; i++) {
		const struct task_memory *memory = &engine->memory[i];
		engine_tell(engine,
			&(struct run_event){.kind = RUN_EVENT_KNOWN,
				.task = i,
				.state = memory->state,
				.reason = memory->reason,
				.undo = memory->undo,
				.attempt = memory->attempts,
				.exit_code = memory->exit_code});
	}
}

/* An earlier run: its graph is in the journal; what is not known of it is asked first. */
static int begin_again(struct engine *engine, struct error *err)
{
	int r = again_load(engine, err);

	if (r < 0)
		return r;
	engine->graph_synced = true;
	engine_tell(engine, &(struct run_event){.kind = RUN_EVENT_BEGIN, .task = PLAN_NONE});
	tell_known(engine);
	probe_begin(engine);
	return 0;
}

/* Earlier runs that nobody can undo any more, and nobody is likely to ask for; undo files beyond
 * the room for them. */
static void retain_runs(struct engine *engine)
{
	CLEANUP_ERROR struct error err = {0};
	const struct site *site = engine->plan->site;
	int64_t now_ms = clock_wall_ms();
	uint32_t removed;

	if (engine->broken || engine->options->plan_only)
		return;
	int r = journal_retain(
		engine->journal, now_ms, site->undo_keep_ms, KEEP_RUNS, &removed, &err);
	if (r == 0)
		r = journal_retain_undo(engine->journal, now_ms, site->undo_keep_ms,
			site->undo_space_bytes, &removed, &err);
	if (r < 0)
		engine_warn(engine, PLAN_NONE, error_what(&err));
}

static void warn_of_ignored(struct engine *engine)
{
	for (uint32_t i = 0; i < engine->plan->task_count; i++)
		if (engine->memory[i].state == TASK_FAILED &&
			engine->plan->tasks[i].flags & PLAN_IGNORE_FAILURE)
			engine_warn(engine, i, "failed, which is ignored");
}

/* With room again: what an unsettled run needs comes before another one of its graph. */
static void add_what_follows(struct engine *engine)
{
	switch (engine->run_state) {
	case RUN_SUCCEEDED:
		return;
	case RUN_ROLLBACK_FAILED:
		engine->next =
			arena_printf(&engine->arena, "%s, then upkeep rollback RUN", engine->next);
		return;
	case RUN_INTERRUPTED:
		engine->next = arena_printf(&engine->arena,
			"%s, then upkeep resume RUN, or upkeep rollback RUN", engine->next);
		return;
	default:
		engine->next = arena_printf(&engine->arena, "%s, then upkeep run %s", engine->next,
			engine->plan->graph->name);
	}
}

static enum exit_code end_run(struct engine *engine)
{
	warn_of_ignored(engine);
	retain_runs(engine);
	struct journal_run run = run_row(engine);

	if (engine->broken)
		engine->exit_code = EXIT_JOURNAL;
	else if (engine->options->plan_only && engine->would && engine->exit_code == EXIT_OK)
		engine->exit_code = EXIT_PLAN_CHANGES;
	else if ((engine->exit_code == EXIT_FAILED_CLEAN || engine->exit_code == EXIT_BUSY) &&
		engine->refused_code)
		engine->exit_code = engine->refused_code;
	else if (engine->exit_code == EXIT_OK && engine->options->strict && engine->warnings)
		engine->exit_code = EXIT_FAILED_PARTIAL;
	run.ended_ms = clock_wall_ms();
	run.exit_code = engine->exit_code;
	if (engine->full)
		add_what_follows(engine);
	run.cause = engine->cause;
	run.next = engine->next;
	/* Half of it is to come: recover sees to that, where nobody else does. */
	if (engine->plan->drill && !engine->setup->again &&
		(run.exit_code == EXIT_OK || run.exit_code == EXIT_FAILED_PARTIAL))
		run.state = RUN_ROLLING_BACK;
	journal_end_run(engine->journal, engine->untouched ? &engine->past : &run);
	if (engine_flush(engine,
		    engine->graph_synced && !engine->options->plan_only ? JOURNAL_SYNC
									: JOURNAL_LAZY) < 0)
		engine->exit_code = EXIT_JOURNAL;
	struct journal_counts counts = journal_counts(engine->journal);
	engine_tell(engine,
		&(struct run_event){.kind = RUN_EVENT_END,
			.task = PLAN_NONE,
			.done = counts.commits,
			.total = counts.syncs,
			.run_state = engine->run_state,
			.code = engine->exit_code,
			.exit_code = engine->exit_code,
			.text = engine->cause,
			.next = engine->next,
			.duration_ms = run.ended_ms - run.started_ms});
	return engine->exit_code;
}

void engine_decide(struct engine *engine, enum decide_begin begin)
{
	const struct plan *plan = engine->plan;
	uint32_t jobs = engine->options->jobs ? engine->options->jobs : plan->site->jobs;
	uint64_t seed = (uint64_t)clock_monotonic_ns() ^ (uint64_t)getpid() << 32;

	if (engine->decide)
		decide_free(engine->decide);
	engine->decide = decide_new(plan,
		&(struct decide_options){.jobs = jobs,
			.seed = seed,
			.timeout_ms = plan->graph->timeout_ms,
			.begin = begin,
			.unconfirmed = engine->unconfirmed && begin == DECIDE_UNDO});
}

static int engine_open(struct engine *engine, const struct run_setup *setup, struct error *err)
{
	const struct plan *plan = setup->plan;

	*engine = (struct engine){.plan = plan,
		.options = setup->options,
		.setup = setup,
		.secrets = *setup->secrets,
		.cgroups = setup->cgroups,
		.flush_at_ms = INT64_MAX,
		.keeper = {.fd = setup->keeper_fd, .ready = signals_keeper_ready},
		.now_ms = clock_monotonic_ms()};
	engine->program = setup->options->program ? setup->options->program : process_self();
	engine->memory = base_alloc(plan->task_count * sizeof engine->memory[0]);
	engine->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (engine->epoll < 0)
		return error_set(err, -errno, NULL, "cannot make an epoll instance: %m");
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return error_set(err, -errno, NULL, "cannot become a subreaper: %m");
	lookup_init(engine);
	engine_decide(engine, DECIDE_FORWARD);
	int r = signals_open(engine, err);
	if (r < 0)
		return r;
	if (engine->keeper.fd >= 0)
		engine_watch(engine, &engine->keeper, EPOLLIN | EPOLLHUP);
	return setup->guard ? journal_open_readonly(setup->state_dir, &engine->journal, err)
			    : journal_open(setup->state_dir, &engine->journal, err);
}

static void free_memory(struct engine *engine)
{
	for (uint32_t i = 0; i < engine->plan->task_count; i++)
		outputs_free(&engine->memory[i]);
	free(engine->memory);
}

static void engine_close(struct engine *engine)
{
	workers_close(engine);
	undoing_free(engine);
	vec_each(&engine->slots, s) {
		cgroup_remove(engine->cgroups, &(*s)->cgroup);
		free(*s);
	}
	vec_free(&engine->slots);
	vec_each(&engine->users, u) {
		free((*u)->groups);
		free(*u);
	}
	vec_free(&engine->users);
	vec_free(&engine->starting);
	vec_free(&engine->held);
	vec_free(&engine->waiters);
	vec_free(&engine->env);
	secrets_free(&engine->secrets);
	free_memory(engine);
	for (uint32_t i = 0; i < engine->plan->site->instance_count; i++)
		if (engine->plugin_fds && engine->plugin_fds[i] > 0)
			close(engine->plugin_fds[i]);
	free(engine->plugin_fds);
	wire_in_free(&engine->in);
	wire_out_free(&engine->out);
	free(engine->mounts);
	free(engine->cause);
	if (engine->decide)
		decide_free(engine->decide);
	if (engine->journal)
		journal_close(engine->journal);
	if (engine->signals.fd > 0)
		close(engine->signals.fd);
	if (engine->epoll >= 0)
		close(engine->epoll);
	arena_free(&engine->arena);
}

void guardian_main(const struct run_setup *setup, uint32_t task, int socket)
{
	CLEANUP_ERROR struct error err = {0};
	struct engine engine;

	if (engine_open(&engine, setup, &err) == 0 &&
		guardian_open(&engine, task, socket, &err) == 0)
		engine_loop(&engine);
	engine_close(&engine);
}

enum exit_code engine_main(const struct run_setup *setup, struct error *err)
{
	struct engine engine;

	/* Large buffers go back to the system when they are freed, whatever came before. */
	mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
	int r = engine_open(&engine, setup, err);
	enum exit_code code = r == -EACCES || r == -EPERM ? EXIT_NOT_PERMITTED : EXIT_JOURNAL;
	if (r == 0 && setup->again)
		r = begin_again(&engine, err);
	else if (r == 0)
		begin_run(&engine);
	if (r == 0) {
		engine_loop(&engine);
		code = end_run(&engine);
	}
	engine_close(&engine);
	return code;
}
