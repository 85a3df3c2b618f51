/* SPDX-License-Identifier: MIT */
/* Does an earlier run that is not settled stand in the way of a new one? */
#include "base/cleanup.h"
#include "journal/journal.h"
#include "plan/restore.h"
#include "run/run.h"

#include <string.h>

struct standing {
	const struct plan *plan;
	struct journal *journal;
	struct error *err;
};

/* The first lock that both plans have, or NULL. */
static const char *common_lock(const struct plan *a, const struct plan *b)
{
	for (uint32_t i = 0; i < a->resource_count; i++)
		for (uint32_t k = 0; k < b->resource_count; k++)
			if (!a->resources[i].is_pool && !b->resources[k].is_pool &&
				strcmp(a->resources[i].name, b->resources[k].name) == 0)
				return a->resources[i].name;
	return NULL;
}

/* The lock of ours that the earlier run owns, or NULL. */
static const char *owned_lock(struct standing *standing, const char *id)
{
	CLEANUP_FREE char *text = NULL;
	struct plan *earlier = NULL;
	const char *name = NULL;
	size_t size;

	if (!standing->plan->resource_count)
		return NULL;
	if (journal_read_plan(standing->journal, id, &text, &size, NULL) < 0 ||
		plan_restore(text, size, NULL, NULL, &earlier, NULL) < 0)
		return NULL;
	name = common_lock(standing->plan, earlier);
	plan_free(earlier);
	return name;
}

static int look(void *data, const struct journal_run *run)
{
	struct standing *standing = data;
	const struct plan *plan = standing->plan;

	if (run_lives(plan->site->state_dir, run->id))
		return 0;
	bool same = strcmp(run->graph, plan->graph->name) == 0;
	const char *lock = same ? NULL : owned_lock(standing, run->id);
	if (!same && !lock)
		return 0;
	CLEANUP_FREE char *next = NULL;
	bool can_resume = run->state != RUN_ROLLBACK_FAILED;
	if (asprintf(&next,
		    "upkeep show %s, then upkeep rollback %s%s%s, or upkeep resolve %s --why "
		    "\"...\"",
		    run->id, run->id, can_resume ? ", upkeep resume " : "",
		    can_resume ? run->id : "", run->id) < 0)
		next = NULL;
	error_set(standing->err, -EEXIST, next, "run %s of graph \"%s\" is not settled (%s)%s%s%s",
		run->id, run->graph, run_state_name(run->state),
		lock ? "; it owns the lock \"" : "", lock ? lock : "", lock ? "\"" : "");
	return 1;
}

enum exit_code run_stands_clear(const struct plan *plan, struct error *err)
{
	struct standing standing = {.plan = plan, .err = err};

	int r = journal_open_readonly(plan->site->state_dir, &standing.journal, NULL);
	if (r < 0)
		return EXIT_OK; /* there is none yet; what else is wrong the run itself says */
	r = journal_unsettled(standing.journal, look, &standing, err);
	journal_close(standing.journal);
	return r == 0 ? EXIT_OK : r == 1 ? EXIT_UNRESOLVED : EXIT_JOURNAL;
}
