/* A random case: one run, or two that share locks, small enough to shrink and print. */
#ifndef UPKEEP_TESTS_SIM_CASE_H
#define UPKEEP_TESTS_SIM_CASE_H

#include "model/plan.h"
#include "model/state.h"

#include <stdio.h>

enum { CASE_TASKS = 200, CASE_EDGES = 800, CASE_LOCKS = 4, CASE_POOLS = 3 };
enum { CASE_RESOURCES = CASE_LOCKS + CASE_POOLS };
enum case_when { WHEN_NONE, WHEN_TRUE, WHEN_FALSE, WHEN_BROKEN };
enum { FAILS_ALWAYS = 255 };

struct case_task {
	uint8_t run_if, flags;          /* without PLAN_WHEN */
	uint8_t when;                   /* enum case_when */
	uint8_t fails;                  /* so many attempts fail first */
	uint8_t attempts;               /* 1: no retry */
	uint8_t lingers_ms;             /* after a cancel; 255: ignores all but a kill */
	bool transient, changes, joins; /* joins: the gang of the task before it */
	bool continues, unconfirmed, irreversible;
	uint8_t guard;      /* enum undo_state: what a guard did when an attempt did not succeed */
	uint8_t undo_fails; /* so many undos fail first */
	uint8_t undo_ms;
	uint16_t duration_ms, remembered_ms;
	uint32_t mask; /* of resources */
};
struct case_edge {
	uint16_t from, to; /* from < to */
};
struct case_run {
	uint32_t count, edge_count;
	struct case_task tasks[CASE_TASKS];
	struct case_edge edges[CASE_EDGES];
	uint32_t jobs, timeout_ms;
	uint8_t on_failure, running;
	bool locks_at_start, flipped;             /* edges inside a gang lead from `to` to `from` */
	uint8_t refused;                          /* in which life; 0: never */
	uint16_t begin_ms, cancel_ms[2], hold_ms; /* 0: never */
	uint16_t cut_ms;                          /* its engine dies; 0: never */
	uint8_t again;                            /* enum decide_begin: then */
};
struct sim_case {
	uint64_t seed;
	uint32_t run_count;
	uint8_t places[CASE_RESOURCES];
	uint16_t ghost_ms[CASE_RESOURCES]; /* someone else holds one place until then */
	struct case_run runs[2];
};

void case_make(struct sim_case *made, uint64_t seed, uint32_t run_count);
void case_print(const struct sim_case *made, FILE *out);
/* Makes the case smaller while `fails(case)` stays true. */
void case_shrink(struct sim_case *made, bool (*fails)(const struct sim_case *));
/* The plan of a run; case tasks and plan tasks have the same indices. */
void case_plan(const struct sim_case *made, uint32_t run, struct plan *plan);

#endif
