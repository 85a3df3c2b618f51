/* The state of a run as decide's files share it; nobody else includes this. */
#ifndef UPKEEP_DECIDE_MACHINE_H
#define UPKEEP_DECIDE_MACHINE_H

#include "decide/decide.h"
#include "decide/heap.h"

/* What the run is at. */
enum phase {
	PHASE_START,
	PHASE_LOCKS, /* waits for all locks of the plan */
	PHASE_FORWARD,
	PHASE_UNDO,
	PHASE_FINAL, /* tasks with run_if */
	PHASE_OVER,
};

/* Where a gang is. */
enum place {
	PLACE_PENDING,   /* something that it needs is not settled */
	PLACE_ASKED,     /* its condition is being evaluated */
	PLACE_READY,     /* in decide.ready */
	PLACE_BLOCKED,   /* among the waiters of a resource */
	PLACE_ACQUIRING, /* waits for other runs */
	PLACE_ACQUIRED,  /* in decide.acquired */
	PLACE_RUNNING,   /* in decide.slots */
	PLACE_DELAYED,   /* in decide.timers */
	PLACE_UNDOING,   /* in decide.slots: its members are being undone */
	PLACE_SETTLED,
};

enum { ASKED_NOTHING, ASKED_TO_STOP, ASKED_TO_DIE };

/* What the undo has found out about a task. */
enum {
	MARK_THROUGH = 1, /* of its gang's undo: it has had its turn */
	MARK_KEPT = 2,    /* a pivot that has succeeded, or before one */
	MARK_BARRED = 4,  /* its undo has failed or is held: what it needs is held, too */
};

/* Of a gang.  In PHASE_UNDO, rank and waiting of forward gangs are those of the way back. */
struct unit {
	uint64_t rank;     /* longest remaining path, ms (or steps) */
	uint32_t waiting;  /* edges from what is not settled */
	uint32_t upstream; /* the task to blame where something needed did not succeed */
	uint32_t link;     /* next in the list of arrivals; index in slots or acquiring */
	uint32_t attempt;
	uint32_t running; /* members */
	uint8_t place;    /* enum place */
	uint8_t stopping; /* ASKED_* */
	bool final : 1;   /* has run_if */
	bool failed : 1;  /* this attempt */
	bool transient : 1;
	bool continues : 1;   /* the next attempt, from the records of this one */
	bool unconfirmed : 1; /* this attempt failed because nobody confirmed it */
	bool resumed : 1;     /* an earlier run left it unfinished; not started again yet */
	bool barred : 1;      /* something that needs it could not be undone */
};

struct track { /* of a task */
	uint8_t state, reason, undo;
	uint8_t marks; /* MARK_* */
};

struct pool { /* of a resource */
	uint32_t used;
	struct heap waiters;
};

struct decide {
	const struct plan *plan;
	struct decide_options options;
	struct unit *units;
	struct track *tracks;
	struct pool *pools;
	struct heap ready, acquired, timers; /* keys: rank, rank, UINT64_MAX - time */
	VEC(uint32_t) slots, acquiring;
	VEC(struct decision) queue;
	size_t queue_head;
	uint32_t first_arrival, last_arrival;         /* gangs that need nothing more; linked */
	uint32_t forward_left, undo_left, final_left; /* gangs */
	uint64_t rng;
	int64_t now_ms, deadline_ms;
	uint32_t culprit; /* the task whose failure stopped the run */
	uint32_t drained_pool;
	uint8_t phase;       /* enum phase */
	uint8_t verdict;     /* of the forward work: RUN_SUCCEEDED, _FAILED_CLEAN, _INTERRUPTED */
	uint8_t outcome;     /* from PHASE_FINAL on: the state in which the run will end */
	uint8_t stop_reason; /* of what is cancelled */
	uint8_t cancels;
	bool draining, holds_locks, refused;
	bool barred;      /* it has not got its locks: nothing starts, nothing is undone */
	bool changed;     /* a forward task has changed the site, ever */
	bool unconfirmed; /* that is why the culprit failed */
	bool restored;    /* decide_restore was called */
	bool turned;      /* DECISION_TURN was made */
	bool undo_held;   /* EVENT_HOLD_UNDO came */
};

/* rank.c: fills unit.rank, unit.waiting and unit.final. */
void rank_gangs(struct decide *decide);

/* queue.c */
struct decision *queue_push(struct decide *decide, enum decision_kind kind);
bool queue_pop(struct decide *decide, struct decision *ret);
void arrival_push(struct decide *decide, uint32_t gang);
uint32_t arrival_pop(struct decide *decide); /* PLAN_NONE: there is none */
void slot_take(struct decide *decide, uint32_t gang);
void slot_leave(struct decide *decide, uint32_t gang);

/* gang.c: what happens to one gang */
void gang_settle(
	struct decide *decide, uint32_t gang, enum task_state state, enum task_reason reason);
void gang_arrive(struct decide *decide, uint32_t gang);
void gang_make_ready(struct decide *decide, uint32_t gang);
void gang_block(struct decide *decide, uint32_t gang);
void gang_acquire(struct decide *decide, uint32_t gang);
void gang_start(struct decide *decide, uint32_t gang);
void gang_end_task(struct decide *decide, const struct event *event);
void gang_stop(struct decide *decide, uint32_t gang, bool kill);
/* Settles a gang that will not get its next attempt. */
void gang_give_up(struct decide *decide, uint32_t gang);
/* What earlier attempts left is undone, or cannot be: on to the next attempt. */
void gang_go_on(struct decide *decide, uint32_t gang);
bool gang_failure_is_ignored(const struct decide *decide, uint32_t gang);

/* undo.c: the way back */
void undo_begin(struct decide *decide);
/* Everything that needs the gang is through. */
void undo_arrive(struct decide *decide, uint32_t gang);
/* It has its slot and its resources. */
void undo_start(struct decide *decide, uint32_t gang);
void undo_end_task(struct decide *decide, const struct event *event);
/* Outside PHASE_UNDO: undoes what attempts of a gang that keeps its slot have left, then calls
 * gang_go_on.  False: they have left nothing. */
bool undo_leftovers(struct decide *decide, uint32_t gang);
/* Tells the undo that runs in this gang to stop. */
void undo_stop(struct decide *decide, uint32_t gang);
void undo_note(struct decide *decide, const struct event *event);
static inline bool undo_is_stuck(enum undo_state undo)
{
	return undo == UNDO_FAILED || undo == UNDO_HELD;
}

/* restore.c: makes the state of an earlier run, which the tracks tell, the state of this one. */
void restore_run(struct decide *decide);

/* resource.c: locks and pools inside the run, and what other runs must be asked for */
/* Takes them all and returns true, or puts the gang among the waiters of one. */
bool resource_take(struct decide *decide, uint32_t gang);
void resource_give(struct decide *decide, uint32_t gang);
/* The same where the other runs hold nothing for us. */
void resource_forget(struct decide *decide, uint32_t gang);
bool resource_is_shared(const struct decide *decide, uint32_t gang);

/* stop.c: failures, cancels, the end */
void stop_on_failure(struct decide *decide, uint32_t task);
void stop_on_timeout(struct decide *decide);
void stop_on_cancel(struct decide *decide);
void stop_refused(struct decide *decide);
/* The undo is to stop as well. */
void stop_on_hold(struct decide *decide);
/* How the run ends: from what its tracks say after the undo. */
enum run_state stop_outcome(const struct decide *decide);
enum exit_code stop_exit_code(const struct decide *decide);
/* Gives up one gang that will not start any more; false: none is left. */
bool stop_drain(struct decide *decide);

static inline const uint32_t *gang_members(const struct decide *decide, uint32_t gang)
{
	return decide->plan->members + decide->plan->gangs[gang].members;
}

#endif
