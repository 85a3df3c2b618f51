/* What world.c (which acts) and check.c (which judges) share. */
#ifndef UPKEEP_TESTS_SIM_WORLD_PARTS_H
#define UPKEEP_TESTS_SIM_WORLD_PARTS_H

#include "decide/decide.h"
#include "sim/world.h"

struct asker {         /* a gang that asks the table for its resources */
	uint32_t held; /* the first so many of its resources */
	bool asked, granted;
};

struct run {
	const struct case_run *made;
	struct plan plan;
	struct decide *decide;
	bool begun, over;
	/* the world */
	int64_t ends[CASE_TASKS]; /* INT64_MAX: does not run */
	bool cut[CASE_TASKS];     /* ends because it was cancelled */
	struct asker askers[CASE_TASKS];
	bool start_asked, cancelled[2];
	uint32_t start_held;
	/* the judge's own book, kept from events and decisions alone */
	uint32_t attempt[CASE_TASKS];
	uint8_t result[CASE_TASKS], settled[CASE_TASKS]; /* enum task_state; 0: not yet */
	uint8_t reason[CASE_TASKS];
	bool running[CASE_TASKS], evaluated[CASE_TASKS];
	bool gang_runs[CASE_TASKS], reserved[CASE_TASKS]; /* of gangs, like what follows */
	int64_t ended_ms[CASE_TASKS], forward_ms;
	uint64_t rank[CASE_TASKS];
	uint32_t used[CASE_RESOURCES], slots, cancels, changes;
	bool stopped, failed, interrupted, start_holds, refused, forward_began;
	bool doubtful; /* the time limit came with the last task's end */
};

struct world {
	const struct sim_case *played;
	struct run runs[2];
	uint32_t table[CASE_RESOURCES];
	int64_t now_ms;
	uint64_t hash, steps;
	char message[200];
};

void world_fail(struct world *world, const struct run *run, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

void check_begin(struct run *run);
void check_decision(struct world *world, struct run *run, const struct decision *decision);
void check_ended(struct world *world, struct run *run, const struct event *event);
void check_cancel(struct run *run);
/* Time has passed. */
void check_clock(const struct world *world, struct run *run);
/* Nothing may be left that could start. */
void check_idle(struct world *world, struct run *run);

#endif
