/* SPDX-License-Identifier: MIT */
#include "run/engine.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "run/children.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>

#define LINE_MAX_BYTES 8192u

/* "instance.action", without the cost of a format. */
static const char *action_name(struct attempt *attempt)
{
	const struct task *task = attempt->detail->task;
	const char *of = task->instance ? task->instance->name : "core";
	const char *action = detail_action(attempt->detail);
	char *name = arena_alloc(&attempt->arena, strlen(of) + strlen(action) + 2);

	char *end = stpcpy(name, of);
	*end = '.';
	stpcpy(end + 1, action);
	return name;
}

void attempt_bind(struct attempt *attempt, const struct plan_detail *detail)
{
	attempt->detail = detail;
	attempt->options = detail->task->options;
	attempt->time_limit_ms = attempt->options->timeout_ms;
	attempt->action_name = action_name(attempt);
}

struct attempt *attempt_new(
	struct engine *engine, uint32_t task, uint32_t number, struct slot *slot)
{
	const struct plan_task *planned = &engine->plan->tasks[task];
	struct attempt *attempt = base_alloc(sizeof *attempt);

	attempt->engine = engine;
	attempt->task = task;
	attempt->number = number;
	attempt->slot = slot;
	attempt->changes = engine->options->plan_only ? UPKEEP_CHANGES_NONE : planned->changes;
	attempt_bind(attempt, &engine->plan->details[planned->detail]);
	attempt->started_ms = engine->now_ms;
	attempt->started_wall_ms = clock_wall_ms();
	attempt->timeout_at_ms = attempt->kill_at_ms = attempt->look_at_ms = attempt->stuck_at_ms =
		INT64_MAX;
	attempt->exit_code = -1;
	for (int i = 0; i < STREAM_KINDS; i++)
		attempt->streams[i].source.fd = -1;
	attempt->starting.source.fd = attempt->starting_end = -1;
	log_open(&attempt->log, engine->setup->run_dir, task, number,
		attempt->options->log_max_bytes);
	return attempt;
}

int attempt_resolve(
	struct attempt *attempt, const struct value *value, struct value *ret, struct error *err)
{
	const struct engine *engine = attempt->engine;

	if (!value->has_refs) {
		*ret = *value;
		return 0;
	}
	return plan_resolve(
		engine->plan, attempt->detail, value, &engine->lookup, &attempt->arena, ret, err);
}

static int open_slot(struct attempt *attempt, struct error *err)
{
	struct slot *slot = attempt->slot;
	struct engine *engine = attempt->engine;
	char name[32];
	size_t number = 0;

	if (slot->has_cgroup)
		return 0;
	while (engine->slots.items[number] != slot)
		number++;
	snprintf(name, sizeof name, "slot-%zu", number);
	int r = cgroup_open(engine->cgroups, name, &slot->cgroup);
	if (r < 0) {
		errno = -r;
		return error_set(err, r, NULL, "cannot make the cgroup %s/%s: %m",
			engine->cgroups->path, name);
	}
	slot->has_cgroup = true;
	return 0;
}

static int resolve_cwd(struct attempt *attempt, struct error *err)
{
	const char *cwd = attempt->options->cwd;
	struct value value = {.kind = VALUE_STRING, .string = cwd, .has_refs = true};

	attempt->cwd = cwd;
	if (!cwd || !strstr(cwd, "${") || attempt->engine->options->plan_only)
		return 0;
	int r = attempt_resolve(attempt, &value, &value, err);
	if (r == 0 && (value.kind != VALUE_STRING || value.string[0] != '/'))
		return error_set(err, -EINVAL, NULL, "cwd must be an absolute path, got \"%s\"",
			value_text(&attempt->arena, &value));
	attempt->cwd = value.string;
	return r;
}

static int start_what_it_is(struct attempt *attempt, struct error *err)
{
	const struct task *task = attempt->detail->task;

	if (!task->action)
		return error_set(err, -ENOENT,
			arena_printf(&attempt->arena, "install the plugin, then upkeep run %s",
				attempt->engine->plan->graph->name),
			"the plugin \"%s\" is not here, or does not fit", task->instance->plugin);
	int r = attempt->engine->options->plan_only ? 0 : open_slot(attempt, err);
	if (r == 0 && !attempt->record)
		r = attempt_resolve(attempt, &task->args, &attempt->args, err);
	if (r == 0)
		r = resolve_cwd(attempt, err);
	if (r < 0)
		return r;
	if (task->instance && !attempt->engine->options->plan_only && !attempt->record)
		attempt->changes = (uint8_t)action_changes(&task->action->decl, &attempt->args);
	if (attempt->engine->options->probe_only && !compare_can_ask(attempt))
		return 0;
	if (task->instance)
		return action_start(attempt, err);
	if (attempt->engine->options->plan_only)
		return foresee_program(attempt, err);
	if (strcmp(task->action->decl.name, "exec") == 0)
		return program_start(attempt, err);
	if (strcmp(task->action->decl.name, "confirm") == 0)
		return confirm_start(attempt, err);
	return error_set(
		err, -ENOSYS, NULL, "core.%s cannot be run by itself", task->action->decl.name);
}

static bool needs_guard(const struct attempt *attempt)
{
	return attempt->options->confirm_within_ms && attempt->kind == ATTEMPT_RUN &&
		!attempt->engine->options->plan_only && !attempt->guarded && !attempt->message &&
		!attempt->cancelled;
}

void attempt_launch(struct attempt *attempt)
{
	CLEANUP_ERROR struct error err = {0};

	if (needs_guard(attempt) && guarded_start(attempt, &err) == 0)
		return;
	if (err.what)
		attempt_fail(attempt, REASON_START, err.next, "%s", error_what(&err));
	attempt->phase = ATTEMPT_RUNNING;
	if (attempt->time_limit_ms)
		attempt->timeout_at_ms = attempt->engine->now_ms + attempt->time_limit_ms;
	if (!attempt->message && !attempt->cancelled && start_what_it_is(attempt, &err) < 0)
		attempt_fail(attempt, REASON_START, err.next, "%s", error_what(&err));
	flow_parted(attempt);
	if (attempt->message || attempt->cancelled || attempt->state == TASK_SUCCEEDED)
		attempt_check(attempt);
}

void attempt_fail(
	struct attempt *attempt, enum task_reason reason, const char *next, const char *format, ...)
{
	CLEANUP_FREE char *text = NULL;
	va_list ap;

	if (attempt->message)
		return;
	va_start(ap, format);
	int n = vasprintf(&text, format, ap);
	va_end(ap);
	attempt->state = TASK_FAILED;
	attempt->reason = reason;
	attempt->message = blank_text(&attempt->blank, n < 0 ? "out of memory" : text);
	attempt->next_step = blank_text(&attempt->blank, next);
}

void attempt_output(struct attempt *attempt, const char *name, const char *value, bool list)
{
	struct task_memory *memory = &attempt->engine->memory[attempt->task];
	struct output *output = memory->outputs;

	if (attempt->kind != ATTEMPT_RUN)
		return;
	while (output && (list || strcmp(output->name, name) != 0))
		output = output->next;
	if (!output) {
		output = base_alloc(sizeof *output);
		output->name = base_string(name);
		*(memory->outputs ? &memory->last_output->next : &memory->outputs) = output;
		memory->last_output = output;
	}
	if (output->value)
		journal_drop_outputs(attempt->engine->journal, attempt->task, name);
	free(output->value);
	output->value = blank_text(&attempt->blank, value);
	journal_add_output(attempt->engine->journal, attempt->task, name, output->value);
}

/* ---- its log ---- */

static void tell_lines(struct attempt *attempt, const char *bytes, size_t size, bool last)
{
	while (size) {
		const char *end = memchr(bytes, '\n', size);
		size_t n = end ? (size_t)(end - bytes) : size;
		size_t room = LINE_MAX_BYTES - attempt->line.size;
		text_add(&attempt->line, bytes, n < room ? n : room);
		bytes += n + (end != NULL);
		size -= n + (end != NULL);
		if (!end && !last)
			return;
		engine_tell(attempt->engine,
			&(struct run_event){.kind = RUN_EVENT_LOG,
				.task = attempt->task,
				.text = text_string(&attempt->line)});
		attempt->line.size = 0;
	}
}

static void log_clean(struct attempt *attempt, const char *bytes, size_t size, bool last)
{
	const struct run_watcher *watcher = attempt->engine->options->watcher;

	if (size)
		log_write(&attempt->log, bytes, size);
	if (watcher && watcher->wants_lines)
		tell_lines(attempt, bytes, size, last);
}

void attempt_log(struct attempt *attempt, const char *bytes, size_t size, bool last)
{
	CLEANUP_TEXT struct text clean = {0};

	if (!attempt->blank.secrets.count) {
		log_clean(attempt, bytes, size, last);
		return;
	}
	blank_feed(&attempt->blank, bytes, size, last, &clean);
	log_clean(attempt, text_string(&clean), clean.size, last);
}

/* ---- stopping it ---- */

void attempt_signal(struct attempt *attempt, int signal)
{
	if (attempt->pid > 0 && !attempt->reaped) {
		kill(-attempt->pid, signal);
		kill(attempt->pid, signal); /* before its group is made */
		if (signal == SIGTERM)
			kill(-attempt->pid, SIGCONT); /* the stopped shall hear it too */
	}
	/* Others of its slot belong to the same gang, which stops whole. */
	if (signal == SIGKILL)
		cgroup_kill(attempt->engine->cgroups, &attempt->slot->cgroup);
}

static void stop_it(struct attempt *attempt, bool at_once)
{
	if (attempt->phase != ATTEMPT_RUNNING)
		return;
	if (at_once) {
		attempt->killed = true;
		attempt->kill_at_ms = INT64_MAX;
		remains_wait(attempt);
	} else if (attempt->kill_at_ms == INT64_MAX && !attempt->killed) {
		attempt->kill_at_ms = attempt->engine->now_ms + attempt->options->kill_after_ms;
	}
	if (attempt->action)
		action_cancel(attempt, at_once);
	else
		attempt_signal(attempt, at_once ? SIGKILL : SIGTERM);
	if (attempt->confirm)
		attempt_check(attempt);
}

void attempt_cancel(struct attempt *attempt, bool kill)
{
	if (!attempt->timed_out)
		attempt->cancelled = true;
	stop_it(attempt, kill);
}

int64_t attempt_next_ms(const struct attempt *attempt)
{
	int64_t next_ms = attempt->look_at_ms;

	if (attempt->phase == ATTEMPT_RUNNING) {
		int64_t stall_ms = flow_stall_ms(attempt);
		next_ms = attempt->timeout_at_ms < next_ms ? attempt->timeout_at_ms : next_ms;
		next_ms = attempt->kill_at_ms < next_ms ? attempt->kill_at_ms : next_ms;
		next_ms = stall_ms < next_ms ? stall_ms : next_ms;
	}
	return attempt->stuck_at_ms < next_ms ? attempt->stuck_at_ms : next_ms;
}

static void look_again(struct attempt *attempt)
{
	if (attempt->guarded && attempt->phase != ATTEMPT_LEFTOVERS)
		guarded_look(attempt);
	else
		attempt_check(attempt);
}

void attempt_time(struct attempt *attempt)
{
	int64_t now_ms = attempt->engine->now_ms;

	if (attempt->timeout_at_ms <= now_ms) {
		attempt->timeout_at_ms = INT64_MAX;
		attempt->timed_out = !attempt->cancelled;
		stop_it(attempt, false);
	} else if (attempt->kill_at_ms <= now_ms) {
		stop_it(attempt, true);
	} else if (attempt->look_at_ms <= now_ms) {
		attempt->look_at_ms = INT64_MAX;
		look_again(attempt);
	} else if (attempt->stuck_at_ms <= now_ms) {
		remains_give_up(attempt);
	} else if (flow_stall_ms(attempt) <= now_ms) {
		attempt_fail(attempt, REASON_TIMEOUT, NULL,
			"it has read nothing of its input for %lld.%03lld s (stall)",
			(long long)attempt->options->stall_ms / 1000,
			(long long)attempt->options->stall_ms % 1000);
		stop_it(attempt, false);
	}
}

bool attempt_probes(const struct attempt *attempt)
{
	return attempt->kind == ATTEMPT_PROBE || attempt->engine->options->probe_only;
}

/* ---- its end ---- */

bool attempt_reaped(struct attempt *attempt, pid_t pid, int status, const struct rusage *usage)
{
	if (attempt->action && action_reaped(attempt, pid, status, usage))
		return true;
	if (attempt->pid != pid || attempt->reaped)
		return false;
	attempt->reaped = true;
	attempt->status = status;
	attempt->usage = *usage;
	attempt_check(attempt);
	return true;
}

/* What a cancel or the time limit did is not the task's own failure. */
static void judge(struct attempt *attempt)
{
	if (attempt->stuck)
		attempt->transient = false;
	if (attempt->stuck || attempt->state == TASK_SUCCEEDED)
		return;
	if (attempt->timed_out && attempt->reason != REASON_START) {
		free(attempt->message);
		attempt->message = NULL;
		attempt_fail(attempt, REASON_TIMEOUT, NULL, "not done within %lld.%03lld s",
			(long long)attempt->time_limit_ms / 1000,
			(long long)attempt->time_limit_ms % 1000);
		attempt->transient = true;
	} else if (attempt->cancelled) {
		if (attempt->run_timed_out) {
			free(attempt->message);
			attempt->message = base_string(engine_time_limit(attempt->engine));
		}
		attempt->state = TASK_CANCELLED;
		attempt->reason = attempt->run_timed_out ? REASON_TIMEOUT : REASON_CANCEL;
	}
}

static int64_t cpu_ms(const struct rusage *usage)
{
	return (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000 +
		(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1000;
}

/* Without a rollback only records can be undone; arguments may be such that there are none
 * (UPKEEP_NO_UNDO). */
static bool cannot_be_undone(const struct attempt *attempt)
{
	return attempt->changes == UPKEEP_CHANGES_IRREVERSIBLE
		? attempt->options->rollback.kind == VALUE_NONE
		: !undoing_is_possible(attempt->engine, attempt->task);
}

static void put_result(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	char log[JOURNAL_PATH_SIZE];
	struct journal_task row = {
		.index = attempt->task,
		.name = attempt->detail->name,
		.action = attempt->action_name,
		.state = attempt->state,
		.reason = attempt->reason,
		.undo = decide_undo_state(engine->decide, attempt->task),
		.attempt = attempt->number,
		.started_ms = attempt->started_wall_ms,
		.ended_ms = clock_wall_ms(),
		.exit_code = attempt->exit_code,
		.changed = attempt->changed,
		.message = attempt->message,
		.next = attempt->next_step,
		.log_bytes = log_bytes(&attempt->log),
		.log_dropped_bytes = log_dropped(&attempt->log),
		.cpu_ms = cpu_ms(&attempt->usage),
		.peak_memory_bytes = (uint64_t)attempt->usage.ru_maxrss * 1024,
	};
	if (row.log_bytes) {
		journal_log_path(log, engine->setup->id, attempt->task, attempt->number);
		row.log = log;
	}
	journal_put_task(engine->journal, &row);
	engine->memory[attempt->task].state = (uint8_t)attempt->state;
	if (attempt->changes != UPKEEP_CHANGES_NONE)
		engine->results_wait = true;
	engine_tell(engine,
		&(struct run_event){.kind = RUN_EVENT_TASK,
			.task = attempt->task,
			.state = attempt->state,
			.reason = attempt->reason,
			.attempt = attempt->number,
			.exit_code = attempt->exit_code,
			.duration_ms = row.ended_ms - row.started_ms,
			.undo = row.undo,
			.text = attempt->message,
			.next = attempt->next_step});
}

static void attempt_free(struct attempt *attempt)
{
	if (attempt->guarded)
		guarded_end(attempt);
	for (int i = 0; i < STREAM_KINDS; i++)
		text_free(&attempt->streams[i].kept);
	text_free(&attempt->starting.kept);
	text_free(&attempt->line);
	blank_free(&attempt->blank);
	cgroup_limit_close(&attempt->limit);
	free(attempt->exec.temporary);
	free(attempt->message);
	free(attempt->next_step);
	arena_free(&attempt->arena);
	free(attempt);
}

static void remember_cause(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;

	if (engine->cause || attempt->state != TASK_FAILED || attempt->options->ignore_failure)
		return;
	if (asprintf(&engine->cause, "task \"%s\": %s", attempt->detail->name,
		    attempt->message ? attempt->message : task_reason_name(attempt->reason)) < 0)
		engine->cause = NULL;
}

static void leave_slot(struct engine *engine, struct slot *slot)
{
	if (--slot->running || slot->stuck)
		return;
	slot->busy = false;
	flows_close(engine, slot);
	if (slot->cgroup.spoiled) {
		cgroup_remove(engine->cgroups, &slot->cgroup);
		slot->has_cgroup = false;
	}
}

void attempt_drop(struct attempt *attempt)
{
	leave_slot(attempt->engine, attempt->slot);
	attempt_free(attempt);
}

/* Told first, since it knows whether there is something to undo now; nothing is decided on it
 * before the result is in the journal. */
static void run_ended(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	const struct action_description *action = attempt->detail->task->action;

	if (engine->options->probe_only)
		compare_ended(attempt);
	engine_event(engine,
		&(struct event){.kind = EVENT_ENDED,
			.task = attempt->task,
			.gang = engine->plan->tasks[attempt->task].gang,
			.result = attempt->state,
			.reason = attempt->reason,
			.transient = attempt->transient,
			.changed = attempt->changed,
			.continues = action && action->decl.flags & UPKEEP_RETRY_CONTINUES,
			.unconfirmed = guarded_is_unconfirmed(attempt),
			.undo = attempt->stuck ? UNDO_HELD : guarded_undo(attempt),
			.irreversible = attempt->changed && guarded_undo(attempt) == UNDO_NOTHING &&
				cannot_be_undone(attempt)});
	put_result(attempt);
	remember_cause(attempt);
	flow_ended(attempt);
}

static void attempt_over(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	struct attempt **link = &engine->running;

	attempt->phase = ATTEMPT_OVER;
	log_clean(attempt, "", 0, true);
	log_finish(&attempt->log);
	if (log_dropped(&attempt->log)) {
		CLEANUP_TEXT struct text text = {0};
		text_addf(&text, "%s: %llu bytes of output were dropped (log_max)",
			attempt->detail->name, (unsigned long long)log_dropped(&attempt->log));
		engine_warn(engine, attempt->task, text_string(&text));
	}
	switch (attempt->kind) {
	case ATTEMPT_RUN:
		run_ended(attempt);
		break;
	case ATTEMPT_UNDO:
		undoing_ended(attempt);
		break;
	case ATTEMPT_PROBE:
		probe_ended(attempt);
		break;
	}
	while (*link != attempt)
		link = &(*link)->next;
	*link = attempt->next;
	leave_slot(engine, attempt->slot);
	attempt_free(attempt);
}

/* Of a program it is the failure; of the programs of an action it stands in the log. */
static void end_starting(struct attempt *attempt)
{
	const struct text *said = &attempt->starting.kept;

	stream_finish(&attempt->starting);
	if (attempt->starting_end >= 0)
		close(TAKE_FD(attempt->starting_end));
	if (!attempt->action || !said->size)
		return;
	attempt_log(attempt, said->bytes, said->size, false);
	attempt_log(attempt, "\n", 1, true);
}

void attempt_check(struct attempt *attempt)
{
	bool runs = (attempt->pid && !attempt->reaped) ||
		(attempt->action && !action_is_over(attempt)) ||
		(attempt->confirm && !attempt->message && !attempt->cancelled &&
			!attempt->timed_out && attempt->state != TASK_SUCCEEDED);

	if (runs || attempt->phase == ATTEMPT_OVER)
		return;
	if (attempt->phase == ATTEMPT_CONFIRMING) {
		if (!guarded_waits(attempt))
			attempt_over(attempt);
		return;
	}
	if (attempt->phase == ATTEMPT_RUNNING) {
		attempt->phase = ATTEMPT_LEFTOVERS;
		if (attempt->pid)
			program_end(attempt);
		if (attempt->action)
			action_end(attempt);
		if (attempt->confirm)
			confirm_end(attempt);
	}
	if (remains_end(attempt))
		return;
	for (int i = 0; i < STREAM_KINDS; i++)
		stream_finish(&attempt->streams[i]);
	end_starting(attempt);
	if (attempt->pid)
		program_judge(attempt);
	flow_judge(attempt);
	judge(attempt);
	if (attempt->stuck || !attempt->guarded || !guarded_waits(attempt))
		attempt_over(attempt);
}
