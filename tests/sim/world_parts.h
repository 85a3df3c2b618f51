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
	uint32_t life;           /* 1; 2 after the cut */
	enum decide_begin begin; /* of this life */
	int64_t begin_ms;
	int64_t undo_ends[CASE_TASKS]; /* INT64_MAX: is not being undone */
	bool undo_cut[CASE_TASKS], hold_sent;
	uint32_t undos[CASE_TASKS]; /* begun, in all lives */
	int64_t ends[CASE_TASKS];   /* INT64_MAX: does not run */
	bool cut[CASE_TASKS];       /* ends because it was cancelled */
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
	uint32_t used[CASE_RESOURCES], slots, cancels;
	bool stopped, failed, interrupted, start_holds, refused, forward_began;
	bool doubtful;             /* the time limit came with the last task's end */
	uint8_t undo[CASE_TASKS];  /* enum undo_state */
	uint32_t base[CASE_TASKS]; /* attempts of the earlier life */
	bool stop_seen[CASE_TASKS];
	struct first { /* failure of a gang's attempt */
		bool seen, transient, continues, unconfirmed;
	} first[CASE_TASKS];
	bool undoes[CASE_TASKS];  /* a gang that has its slot for an undo */
	bool resumed[CASE_TASKS]; /* a gang of an earlier life that has not started in this */
	bool closed;              /* forward work was over when this life began */
	bool barred, changed, unconfirmed, turned, held;
	bool vague; /* whether nobody confirmed, or the time limit came first */
};

/* What the graph and the book say about undoing each task now. */
struct survey {
	bool kept[CASE_TASKS];   /* a passed pivot, or before one */
	bool doomed[CASE_TASKS]; /* what needs it could not be undone */
	bool early[CASE_TASKS];  /* something that needs it is not through */
	bool inside[CASE_TASKS]; /* the same, in its gang */
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

/* book.c: what can be read off the book */
static inline const uint32_t *members_of(const struct run *run, uint32_t gang)
{
	return run->plan.members + run->plan.gangs[gang].members;
}
static inline uint32_t member_count(const struct run *run, uint32_t gang)
{
	return run->plan.gangs[gang].member_count;
}
static inline bool is_final(const struct run *run, uint32_t gang)
{
	return run->plan.tasks[members_of(run, gang)[0]].run_if != RUN_IF_SUCCESS;
}
static inline bool is_stuck(uint8_t undo)
{
	return undo == UNDO_FAILED || undo == UNDO_HELD;
}
/* Calls visit for each task outside that the gang needs; stops at the first false. */
bool book_all_needs(
	const struct run *run, uint32_t gang, bool (*visit)(const struct run *run, uint32_t task));
bool book_is_settled(const struct run *run, uint32_t task);
bool book_is_satisfied(const struct run *run, uint32_t task);
bool book_forward_is_over(const struct run *run);
bool book_is_shared(const struct run *run, uint32_t gang);
/* Order alone says that the gang may start. */
bool book_may_start(const struct run *run, uint32_t gang);
bool book_has_places(const struct run *run, uint32_t gang);
void book_use(struct run *run, uint32_t gang, uint32_t change);
bool book_has_undo(const struct run *run, uint32_t gang, bool (*is)(uint8_t undo));
/* Whether the run has to turn back when its forward work is over. */
bool book_undo_is_due(const struct run *run);
bool book_undo_is_over(const struct run *run);
/* The undo phase: between two events it lasts while something is being undone. */
bool book_is_turning(const struct run *run);
void book_survey(const struct run *run, struct survey *ret);

/* again.c: the engine of a run dies, and another one goes on with it. */
void again_restore(struct run *run);

void check_begin(struct run *run);
void check_decision(struct world *world, struct run *run, const struct decision *decision);
void check_ended(struct world *world, struct run *run, const struct event *event);
void check_cancel(struct run *run);
/* check_undo.c */
/* The attempt of a gang is over; true: it keeps its slot and undoes what is left. */
bool check_leftovers(const struct run *run, uint32_t gang);
void check_note(struct run *run, const struct event *event);
void check_undo_start(struct world *world, struct run *run, uint32_t gang);
void check_undo(struct world *world, struct run *run, uint32_t task);
void check_undone(struct world *world, struct run *run, uint32_t task, enum undo_state undo);
void check_held(struct world *world, struct run *run, uint32_t task);
void check_stop_undo(struct world *world, struct run *run, uint32_t task);
void check_turn(struct world *world, struct run *run);
void check_hold(struct run *run);
/* Gives back the slot that a gang has for its undo. */
void check_free(struct run *run, uint32_t gang);
void check_undo_idle(struct world *world, struct run *run);
void check_undo_finish(struct world *world, struct run *run, const struct decision *decision);
/* Time has passed. */
void check_clock(const struct world *world, struct run *run);
/* Nothing may be left that could start. */
void check_idle(struct world *world, struct run *run);

#endif
