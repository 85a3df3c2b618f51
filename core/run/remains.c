/* SPDX-License-Identifier: MIT */
/* What a task leaves alive: it is ended, or left on purpose, or cannot be killed. */
#include "run/engine.h"

#include "base/cleanup.h"
#include "run/children.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define LOOK_AGAIN_MS 2
#define NAMED_MAX 5

struct marked {
	const struct attempt *attempt;
	bool found;
};

static void kill_marked_one(void *data, pid_t pid)
{
	struct marked *marked = data;

	if (pid == marked->attempt->pid || workers_include(marked->attempt->engine, pid))
		return;
	bool has_mark = child_has_variable(pid, marked->attempt->mark);
	if (has_mark)
		kill(pid, SIGKILL);
	marked->found |= has_mark || process_is_between_programs(pid);
}

/* Without cgroups: all that became our child when its parent ended and carries the
 * task's mark. */
static bool kill_marked(const struct attempt *attempt)
{
	struct marked marked = {.attempt = attempt};

	if (!*attempt->mark)
		return false;
	children_each(getpid(), kill_marked_one, &marked);
	return marked.found;
}

static bool may_leave(const struct attempt *attempt)
{
	return attempt->options->leaves_running &&
		(attempt->state == TASK_SUCCEEDED || attempt->ended_well);
}

/* True where something is still alive that must end first. */
static bool kill_rest(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	struct slot *slot = attempt->slot;

	if (slot->running > 1) /* others of the gang still run in it */
		return false;
	if (engine->cgroups->kind == CGROUP_NONE) {
		if (!may_leave(attempt))
			return !attempt->confirm && kill_marked(attempt);
		keep_spare(engine->keeper.fd, attempt->task);
		return false;
	}
	if (!cgroup_is_populated(&slot->cgroup))
		return false;
	if (may_leave(attempt))
		cgroup_leave(engine->cgroups, &slot->cgroup);
	else
		cgroup_kill(engine->cgroups, &slot->cgroup);
	return cgroup_is_populated(&slot->cgroup);
}

void remains_wait(struct attempt *attempt)
{
	if (attempt->stuck_at_ms == INT64_MAX && !attempt->stuck)
		attempt->stuck_at_ms = attempt->engine->now_ms + process_patience_ms();
}

bool remains_end(struct attempt *attempt)
{
	if (attempt->stuck || !kill_rest(attempt)) {
		attempt->stuck_at_ms = INT64_MAX;
		return false;
	}
	remains_wait(attempt);
	attempt->look_at_ms = attempt->engine->now_ms + LOOK_AGAIN_MS;
	return true;
}

/* ---- what SIGKILL does not end ---- */

struct naming {
	struct attempt *attempt;
	struct text text;
	unsigned count;
};

static void name_one(void *data, pid_t pid)
{
	struct naming *naming = data;
	char name[PROCESS_NAME_SIZE];

	if (naming->count++ < NAMED_MAX)
		text_addf(&naming->text, "%s%s", naming->text.size ? ", " : "",
			process_name(pid, name));
}

static void name_other(void *data, pid_t pid)
{
	struct naming *naming = data;

	if (pid != naming->attempt->pid)
		name_one(naming, pid);
}

static void name_marked(void *data, pid_t pid)
{
	struct naming *naming = data;

	if (!workers_include(naming->attempt->engine, pid) &&
		child_has_variable(pid, naming->attempt->mark))
		name_other(naming, pid);
}

static void name_all(struct naming *naming)
{
	struct attempt *attempt = naming->attempt;
	pid_t worker = attempt->action ? action_process(attempt) : 0;

	if (attempt->pid && !attempt->reaped)
		name_one(naming, attempt->pid);
	if (worker)
		name_one(naming, worker);
	if (attempt->engine->cgroups->kind != CGROUP_NONE)
		cgroup_each(&attempt->slot->cgroup, name_other, naming);
	else if (*attempt->mark)
		children_each(getpid(), name_marked, naming);
	if (naming->count > NAMED_MAX)
		text_addf(&naming->text, " and %u more", naming->count - NAMED_MAX);
}

/* It may still change something: its undo is held, its slot is never used again. */
void remains_give_up(struct attempt *attempt)
{
	struct naming naming = {.attempt = attempt};

	name_all(&naming);
	free(attempt->message);
	attempt->message = NULL;
	attempt_fail(attempt, REASON_PERSON,
		"see what they wait for (a dead mount? a frozen cgroup?), then upkeep rollback RUN",
		"its processes cannot be killed: %s", text_string(&naming.text));
	text_free(&naming.text);
	attempt->stuck = attempt->slot->stuck = true;
	attempt->stuck_at_ms = attempt->look_at_ms = INT64_MAX;
	attempt->changed = attempt->changed || attempt->changes != UPKEEP_CHANGES_NONE;
	attempt->reaped = true;
	if (attempt->action)
		action_abandon(attempt);
	attempt_check(attempt);
}
