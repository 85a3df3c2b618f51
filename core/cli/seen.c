/* SPDX-License-Identifier: MIT */
#include "cli/load.h"

#include "run/run.h"

#include <string.h>

struct dead {
	char id[RUN_ID_SIZE];
};
struct seen {
	const char *state_dir;
	journal_run_reader *reader;
	void *data;
	VEC(struct dead) dead;
};

static bool goes_on(const struct journal_run *run)
{
	return run->state == RUN_RUNNING || run->state == RUN_ROLLING_BACK ||
		run->state == RUN_AWAITING_CONFIRMATION;
}

static bool is_dead(const char *state_dir, const struct journal_run *run)
{
	return goes_on(run) && !run_lives(state_dir, run->id) &&
		!(run->state == RUN_AWAITING_CONFIRMATION && run_waits(state_dir, run->id));
}

static int lock_look(void *data, const struct journal_run *run)
{
	struct seen *seen = data;

	if (is_dead(seen->state_dir, run))
		memcpy(vec_add(&seen->dead)->id, run->id, RUN_ID_SIZE);
	return 0;
}

static int run_tell(void *data, const struct journal_run *run)
{
	struct seen *seen = data;
	struct journal_run told = *run;

	vec_each(&seen->dead, dead)
		if (goes_on(run) && text_equal(dead->id, run->id)) {
			told.state = RUN_INTERRUPTED;
			told.cause = "it was killed before it could say how it ended";
			told.next = "upkeep recover RUN";
		}
	return seen->reader(seen->data, &told);
}

/* The locks are looked at before the states are read: a run may end in between, and has then
 * written how. */
int runs_seen(struct journal *journal, const char *state_dir, const char *graph, uint32_t limit,
	journal_run_reader *reader, void *data, struct error *err)
{
	struct seen seen = {state_dir, reader, data, {0}};
	int r = journal_runs(journal, graph, limit, lock_look, &seen, err);

	if (r == 0)
		r = journal_runs(journal, graph, limit, run_tell, &seen, err);
	vec_free(&seen.dead);
	return r;
}

int run_seen(struct journal *journal, const char *state_dir, const char *id,
	journal_run_reader *reader, void *data, struct error *err)
{
	struct seen seen = {state_dir, reader, data, {0}};
	int r = journal_read_run(journal, id, lock_look, &seen, err);

	if (r == 0)
		r = journal_read_run(journal, id, run_tell, &seen, err);
	vec_free(&seen.dead);
	return r;
}
