/* SPDX-License-Identifier: MIT */
#include "keeper/leftover.h"

#include "base/clock.h"
#include "base/text.h"
#include "base/vec.h"
#include "run/cgroup.h"
#include "run/children.h"
#include "run/keep.h"

#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct leftovers {
	const struct plan *plan;
	const char *id;
	struct cgroups cgroups;
	VEC(uint32_t) spared; /* tasks */
	pid_t found;          /* one that is alive still; 0: none */
};

/* Daemons that tasks started on purpose, and that succeeded. */
static int read_task(void *data, const struct journal_task *row)
{
	struct leftovers *left = data;

	if (row->index >= left->plan->task_count || row->state != TASK_SUCCEEDED)
		return 0;
	const struct plan_task *task = &left->plan->tasks[row->index];
	const struct task *what = left->plan->details[task->detail].task;
	if (what->options->leaves_running ||
		(what->action && what->action->decl.flags & UPKEEP_LEAVES_RUNNING))
		vec_push(&left->spared, row->index);
	return 0;
}

static void kill_one(void *data, pid_t pid)
{
	struct leftovers *left = data;

	kill(pid, SIGKILL);
	left->found = pid;
}

static bool is_spared(const struct leftovers *left, const char *found)
{
	char mark[KEEP_MARK_SIZE];

	vec_each(&left->spared, task) {
		keep_mark(mark, left->id, *task);
		if (strcmp(mark, found) == 0)
			return true;
	}
	return false;
}

static void kill_marked(void *data, pid_t pid)
{
	struct leftovers *left = data;
	char prefixes[2][KEEP_MARK_SIZE], found[KEEP_MARK_SIZE];

	keep_mark(prefixes[0], left->id, 0);
	keep_guard_mark(prefixes[1], left->id, 0); /* of guards that have died */
	for (int i = 0; i < 2 && pid != getpid(); i++) {
		prefixes[i][strlen(prefixes[i]) - 1] = 0; /* of any task */
		if (process_find_variable(pid, prefixes[i], found, sizeof found) &&
			!is_spared(left, found))
			kill_one(left, pid);
	}
}

static void kill_all(struct leftovers *left)
{
	left->found = 0;
	cgroups_kill(&left->cgroups);
	cgroups_each(&left->cgroups, kill_one, left);
	processes_each(kill_marked, left);
}

static int wait_for_end(struct leftovers *left, struct error *err)
{
	int64_t until_ms = clock_monotonic_ms() + process_patience_ms();
	struct timespec pause = {.tv_nsec = 1000000};
	char name[PROCESS_NAME_SIZE];

	for (;;) {
		kill_all(left);
		if (!left->found)
			return 0;
		if (clock_monotonic_ms() > until_ms)
			break;
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < 100000000)
			pause.tv_nsec *= 2;
	}
	return error_set(err, -EDEADLK,
		"see what it waits for (a dead mount? a frozen cgroup?), then upkeep recover RUN",
		"process %s of run %s cannot be killed", process_name(left->found, name), left->id);
}

int leftovers_end(
	const struct plan *plan, const char *id, struct journal *journal, struct error *err)
{
	struct leftovers left = {.plan = plan, .id = id};

	int r = journal_tasks(journal, id, read_task, &left, err);
	cgroups_open(&left.cgroups, id);
	if (r == 0)
		r = wait_for_end(&left, err);
	cgroups_remove(&left.cgroups);
	cgroups_close(&left.cgroups);
	vec_free(&left.spared);
	return r;
}
