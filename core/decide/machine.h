/* The state of a run as decide's files share it; nobody else includes this. */
#ifndef UPKEEP_DECIDE_MACHINE_H
#define UPKEEP_DECIDE_MACHINE_H

#include "decide/decide.h"
#include "decide/heap.h"

/* What the run is at.  The undo track lies between FORWARD and FINAL. */
enum phase {
	PHASE_START,
	PHASE_LOCKS, /* waits for all locks of the plan */
	PHASE_FORWARD,
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
	PLACE_SETTLED,
};

enum { ASKED_NOTHING, ASKED_TO_STOP, ASKED_TO_DIE };

struct unit {              /* of a gang */
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
};

struct track { /* of a task */
	uint8_t state, reason, undo;
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
	uint32_t first_arrival, last_arrival; /* gangs that need nothing more; linked */
	uint32_t forward_left, final_left;    /* gangs */
	uint64_t rng;
	int64_t now_ms, deadline_ms;
	uint32_t changed_count; /* forward tasks */
	uint32_t culprit;       /* the task whose failure stopped the run */
	uint32_t drained_pool;
	uint8_t phase;       /* enum phase */
	uint8_t verdict;     /* RUN_SUCCEEDED, RUN_FAILED_CLEAN, RUN_INTERRUPTED */
	uint8_t stop_reason; /* of what is cancelled */
	uint8_t cancels;
	bool draining, holds_locks, refused;
};

/* rank.c: fills unit.rank, unit.waiting and unit.final. */
void rank_gangs(struct decide *decide);

/* queue.c */
struct decision *queue_push(struct decide *decide, enum decision_kind kind);
bool queue_pop(struct decide *decide, struct decision *ret);
void arrival_push(struct decide *decide, uint32_t gang);
uint32_t arrival_pop(struct decide *decide); /* PLAN_NONE: there is none */

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
/* Gives up one gang that will not start any more; false: none is left. */
bool stop_drain(struct decide *decide);

static inline const uint32_t *gang_members(const struct decide *decide, uint32_t gang)
{
	return decide->plan->members + decide->plan->gangs[gang].members;
}

#endif
