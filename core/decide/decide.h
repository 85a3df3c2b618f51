/*
 * Decide: the pure heart of a run.  Events go in, decisions come out.  It does
 * no I/O, reads no clock, starts nothing; time comes with the events.  The same
 * plan, seed and events always give the same decisions.
 *
 *	struct decide *d = decide_new(plan, &options);
 *	decide_event(d, &(struct event){ EVENT_BEGIN, .now_ms = now });
 *	for (;;) {
 *		while (decide_next(d, &decision)) carry it out;
 *		wait until something happens or decide_wake(d); decide_event(...);
 *	}
 *
 * The unit that starts, waits, retries and is cancelled is the gang.
 */
#ifndef UPKEEP_DECIDE_DECIDE_H
#define UPKEEP_DECIDE_DECIDE_H

#include "model/plan.h"
#include "model/state.h"

struct decide;

struct decide_options {
	uint32_t jobs;  /* slots, at least 1 */
	uint64_t seed;  /* of the retry jitter */
	int64_t timeout_ms; /* of the whole run; 0: none */
};

enum event_kind {
	EVENT_BEGIN,     /* once, first */
	EVENT_TIME,      /* decide_wake() has come */
	EVENT_CONDITION, /* the answer to DECISION_EVALUATE: task, truth */
	EVENT_ACQUIRED,  /* the answer to DECISION_ACQUIRE: gang (PLAN_NONE: all at the start) */
	EVENT_REFUSED,   /* the same, and the wait has run out: the gang fails (the run, for
	                  * PLAN_NONE) */
	EVENT_ENDED,     /* an attempt of a task has ended: task, result, reason, transient */
	EVENT_CANCEL,    /* the run is to stop; a second one kills at once */
	EVENT_UNDONE,    /* reserved for the undo track: task, result */
};

struct event {
	enum event_kind kind;
	int64_t now_ms; /* monotonic, never less than that of the event before */
	uint32_t task, gang;
	enum task_state result;  /* EVENT_ENDED: TASK_SUCCEEDED, _FAILED or _CANCELLED */
	enum task_reason reason;
	bool truth;
	bool transient;   /* EVENT_ENDED, failed: worth a retry */
	bool changed;     /* EVENT_ENDED: the site may be other than before (unknown or said so) */
};

enum decision_kind {
	DECISION_EVALUATE, /* task: is its `when` true?  Answer by EVENT_CONDITION */
	DECISION_ACQUIRE,  /* gang, or PLAN_NONE (everything, at the start): take its locks and
	                    * pool places from the other runs; answer when you have them all */
	DECISION_RELEASE,  /* gang, or PLAN_NONE */
	DECISION_START,    /* gang, attempt: start all its members now; each answers by
	                    * EVENT_ENDED */
	DECISION_CANCEL,   /* gang: ask its running members to stop; with `kill` at once */
	DECISION_SETTLED,  /* task, state, reason: its forward track has ended for good */
	DECISION_UNDO,     /* reserved for the undo track: task */
	DECISION_FINISH,   /* the run is over: run_state and exit_code; nothing follows */
};

struct decision {
	enum decision_kind kind;
	uint32_t gang, task;
	uint32_t attempt; /* from 1 */
	bool kill;
	enum task_state state;
	enum task_reason reason;
	uint32_t upstream; /* DECISION_SETTLED with REASON_UPSTREAM: the task that did not succeed */
	enum run_state run_state;
	enum exit_code exit_code;
};

struct decide *decide_new(const struct plan *plan, const struct decide_options *options);
void decide_event(struct decide *decide, const struct event *event);
/* The next decision, in the order in which they must be carried out; false: none. */
bool decide_next(struct decide *decide, struct decision *ret);
/* When EVENT_TIME is wanted (retry delays, the run's time limit); INT64_MAX: never. */
int64_t decide_wake(const struct decide *decide);
enum task_state decide_state(const struct decide *decide, uint32_t task);
/* Failure or success of the forward work so far, for ${run.verdict}: "succeeded",
 * "failed" or "cancelled". */
const char *decide_verdict(const struct decide *decide);
void decide_free(struct decide *decide);

#endif
