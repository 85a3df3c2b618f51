/* SPDX-License-Identifier: MIT */
#include "sim/case.h"

#include <stdlib.h>
#include <string.h>

static void remove_tasks(struct case_run *run, uint32_t first, uint32_t count)
{
	uint32_t kept = 0;

	for (uint32_t e = 0; e < run->edge_count; e++) {
		struct case_edge edge = run->edges[e];
		if ((edge.from >= first && edge.from < first + count) ||
			(edge.to >= first && edge.to < first + count))
			continue;
		edge.from = (uint16_t)(edge.from - (edge.from >= first + count ? count : 0));
		edge.to = (uint16_t)(edge.to - (edge.to >= first + count ? count : 0));
		run->edges[kept++] = edge;
	}
	run->edge_count = kept;
	memmove(&run->tasks[first], &run->tasks[first + count],
		(run->count - first - count) * sizeof run->tasks[0]);
	run->count -= count;
	if (first < run->count &&
		(first == 0 || run->tasks[first].run_if != run->tasks[first - 1].run_if))
		run->tasks[first].joins = false;
}

typedef bool case_fails(const struct sim_case *);

/* Keeps `smaller` where it still fails. */
static bool keep(struct sim_case *made, const struct sim_case *smaller, case_fails *fails)
{
	if (memcmp(made, smaller, sizeof *made) == 0 || !fails(smaller))
		return false;
	*made = *smaller;
	return true;
}

static bool shrink_tasks(
	struct sim_case *made, uint32_t r, case_fails *fails, struct sim_case *scratch)
{
	bool any = false;

	for (uint32_t size = made->runs[r].count / 2; size; size /= 2) {
		for (uint32_t at = 0; at + size <= made->runs[r].count;) {
			*scratch = *made;
			remove_tasks(&scratch->runs[r], at, size);
			if (keep(made, scratch, fails))
				any = true;
			else
				at += size;
		}
	}
	return any;
}

static bool shrink_edges(
	struct sim_case *made, uint32_t r, case_fails *fails, struct sim_case *scratch)
{
	bool any = false;

	for (uint32_t e = 0; e < made->runs[r].edge_count;) {
		*scratch = *made;
		struct case_run *run = &scratch->runs[r];
		run->edges[e] = run->edges[--run->edge_count];
		if (keep(made, scratch, fails))
			any = true;
		else
			e++;
	}
	return any;
}

static void simplify_task(struct case_task *task, uint32_t how)
{
	switch (how) {
	case 0:
		task->flags = 0;
		break;
	case 1:
		task->when = 0;
		break;
	case 2:
		task->fails = 0;
		break;
	case 3:
		task->attempts = 1;
		break;
	case 4:
		task->mask = 0;
		break;
	case 5:
		task->mask &= task->mask - 1;
		break;
	case 6:
		task->joins = false;
		break;
	case 7:
		task->duration_ms = 10;
		break;
	case 8:
		task->remembered_ms = 0;
		break;
	case 9:
		task->lingers_ms = 0;
		break;
	case 10:
		task->changes = false;
		break;
	case 11:
		task->continues = task->unconfirmed = task->irreversible = false;
		break;
	case 12:
		task->guard = UNDO_NOTHING;
		break;
	case 13:
		task->undo_fails = 0;
		break;
	case 14:
		task->undo_ms = 10;
		break;
	default:
		task->flags &= (uint8_t)~PLAN_PIVOT;
		break;
	}
}

static void simplify_run(struct sim_case *made, struct case_run *run, uint32_t how)
{
	switch (how) {
	case 0:
		run->timeout_ms = 0;
		break;
	case 1:
		run->cancel_ms[0] = 0;
		break;
	case 2:
		run->cancel_ms[1] = 0;
		break;
	case 3:
		run->locks_at_start = false;
		break;
	case 4:
		run->refused = 0;
		break;
	case 5:
		run->jobs = run->jobs > 1 ? run->jobs - 1 : 1;
		break;
	case 6:
		run->begin_ms = 0;
		break;
	case 7:
		run->hold_ms = 0;
		break;
	case 8:
		run->cut_ms = 0;
		break;
	case 9:
		run->flipped = false;
		break;
	case 10:
		run->on_failure = ON_FAILURE_UNDO;
		break;
	default:
		memset(made->ghost_ms, 0, sizeof made->ghost_ms);
		break;
	}
}

static bool shrink_details(
	struct sim_case *made, uint32_t r, case_fails *fails, struct sim_case *scratch)
{
	bool any = false;

	for (uint32_t how = 0; how < 12; how++) {
		*scratch = *made;
		simplify_run(scratch, &scratch->runs[r], how);
		any |= keep(made, scratch, fails);
	}
	for (uint32_t t = 0; t < made->runs[r].count; t++) {
		for (uint32_t how = 0; how < 16; how++) {
			*scratch = *made;
			simplify_task(&scratch->runs[r].tasks[t], how);
			any |= keep(made, scratch, fails);
		}
	}
	return any;
}

void case_shrink(struct sim_case *made, case_fails *fails)
{
	struct sim_case *scratch = malloc(sizeof *scratch);

	for (bool any = scratch != NULL; any;) {
		any = false;
		for (uint32_t r = 0; r < made->run_count; r++) {
			any |= shrink_tasks(made, r, fails, scratch);
			any |= shrink_edges(made, r, fails, scratch);
			any |= shrink_details(made, r, fails, scratch);
		}
	}
	free(scratch);
}

static void print_run(const struct case_run *run, FILE *out)
{
	fprintf(out,
		"  run: jobs %u, on_failure %u, running %u, timeout %u ms, begin %u, cancel %u "
		"%u, hold %u, cut %u then %u%s%s, refused in %u\n",
		run->jobs, run->on_failure, run->running, run->timeout_ms, run->begin_ms,
		run->cancel_ms[0], run->cancel_ms[1], run->hold_ms, run->cut_ms, run->again,
		run->locks_at_start ? ", locks at start" : "", run->flipped ? ", flipped" : "",
		run->refused);
	for (uint32_t t = 0; t < run->count; t++) {
		const struct case_task *task = &run->tasks[t];
		fprintf(out,
			"    %u:%s run_if %u flags %u when %u fails %u%s attempts %u mask %x"
			" %u ms (remembered %u) lingers %u%s%s%s%s guard %u undo %u ms fails %u;"
			" needs",
			t, task->joins ? " joins" : "", task->run_if, task->flags, task->when,
			task->fails, task->transient ? " transient" : "", task->attempts,
			task->mask, task->duration_ms, task->remembered_ms, task->lingers_ms,
			task->changes ? " changes" : "", task->continues ? " continues" : "",
			task->unconfirmed ? " unconfirmed" : "",
			task->irreversible ? " irreversible" : "", task->guard, task->undo_ms,
			task->undo_fails);
		for (uint32_t e = 0; e < run->edge_count; e++)
			if (run->edges[e].to == t)
				fprintf(out, " %u", run->edges[e].from);
		fputc('\n', out);
	}
}

void case_print(const struct sim_case *made, FILE *out)
{
	fprintf(out, "  seed %llu, places", (unsigned long long)made->seed);
	for (uint32_t r = 0; r < CASE_RESOURCES; r++)
		fprintf(out, " %u (until %u)", made->places[r], made->ghost_ms[r]);
	fputc('\n', out);
	for (uint32_t i = 0; i < made->run_count; i++)
		print_run(&made->runs[i], out);
}
