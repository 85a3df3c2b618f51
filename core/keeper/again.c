/* SPDX-License-Identifier: MIT */
/* Going on with an earlier run: what is left of it ends, then keeper and engine part as they
 * do for a new one. */
#include "keeper/alive.h"
#include "keeper/execute.h"
#include "keeper/leftover.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "run/named.h"
#include "run/temp.h"
#include "undo/guard.h"

#include <time.h>

#define GUARD_MS 60000

static int read_start(void *data, const struct journal_run *run)
{
	struct run_setup *setup = data;

	setup->started_ms = run->started_ms;
	return 0;
}

/* 13: what cannot be killed may still change the site. */
static enum exit_code end_leftovers(struct run_setup *setup, struct error *err)
{
	struct journal *journal = NULL;

	int r = journal_open_readonly(setup->state_dir, &journal, err);
	if (r == 0)
		r = journal_read_run(journal, setup->id, read_start, setup, err);
	if (r == 0)
		r = leftovers_end(setup->plan, setup->id, journal, err);
	journal_close(journal);
	return r == 0 ? EXIT_OK : r == -EDEADLK ? EXIT_ROLLBACK_FAILED : execute_refused(r, err);
}

/* A guard that lives is waited for when it is at it, and left alone as long as a person may
 * answer; the place of one that does not live is taken. */
static enum exit_code settle_guard(struct guard *guard, const char *id, struct error *err)
{
	for (int64_t until_ms = clock_monotonic_ms() + GUARD_MS;;) {
		enum guard_state state = guard_state(guard);
		bool alive = guard_is_alive(guard);
		bool open = state == GUARD_ARMED || state == GUARD_WAITING;
		if (!open && (state != GUARD_EXPIRED || !alive))
			return EXIT_OK;
		if (open && guard_is_abandoned(guard) && guard_decide(guard, GUARD_EXPIRED))
			return EXIT_OK;
		if (open && !guard_is_late(guard)) {
			error_set(err, -EBUSY, "upkeep confirm RUN, or wait",
				"run %s waits for its confirmation: it is left alone", id);
			return EXIT_BUSY;
		}
		if (clock_monotonic_ms() >= until_ms) {
			error_set(err, -EBUSY, "upkeep recover, later",
				"the guard of run %s is putting it back still", id);
			return EXIT_BUSY;
		}
		nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	}
}

static enum exit_code settle_guards(struct run_setup *setup, struct error *err)
{
	enum exit_code code = EXIT_OK;

	for (uint32_t i = 0; i < setup->plan->task_count && code == EXIT_OK; i++) {
		const struct plan_task *task = &setup->plan->tasks[i];
		struct guard guard;
		if (!setup->plan->details[task->detail].task->options->confirm_within_ms ||
			guard_open(setup->run_dir, i, &guard) < 0)
			continue;
		code = settle_guard(&guard, setup->id, err);
		guard_close(&guard);
	}
	return code;
}

/* What stays of them hinders nobody. */
static void remove_temp(const char *id)
{
	CLEANUP_ERROR struct error err = {0};

	if (temp_dirs_remove(id, &err) < 0)
		fprintf(stderr, "upkeep: run %s: %s\n", id, error_what(&err));
}

static enum exit_code go_on(struct run_setup *setup, struct error *err)
{
	CLEANUP_FD int graph_lock = -1, run_lock = -1;

	enum exit_code code = execute_open(setup, &run_lock, err);
	if (code == EXIT_OK)
		code = execute_take_graph(setup->plan, setup, &graph_lock, err);
	if (code == EXIT_OK && graph_lock < 0)
		code = EXIT_BUSY;
	if (code == EXIT_OK)
		code = settle_guards(setup, err);
	if (code == EXIT_OK)
		code = end_leftovers(setup, err);
	if (code != EXIT_OK) {
		if (setup->run_dir >= 0)
			close(TAKE_FD(setup->run_dir));
		return code;
	}
	remove_temp(setup->id);
	named_fetch_commands(setup->plan, setup->secrets);
	code = execute_part(setup, err);
	if (setup->rebooted && code != EXIT_INTERNAL && code != EXIT_JOURNAL)
		alive_believe(run_lock);
	return code;
}

enum exit_code run_again(const struct plan *plan, const char *id, enum run_again how,
	const struct run_options *options, struct error *err)
{
	struct cgroups cgroups = {.dir = -1};
	struct secrets secrets = {0};
	struct run_setup setup = {.plan = plan,
		.options = options,
		.cgroups = &cgroups,
		.secrets = &secrets,
		.again = true,
		.how = how,
		.state_dir = options->state_dir ? options->state_dir : plan->site->state_dir,
		.run_dir = -1,
		.keeper_fd = -1};

	snprintf(setup.id, sizeof setup.id, "%s", id);
	enum exit_code code = go_on(&setup, err);
	secrets_free(&secrets);
	return code;
}
