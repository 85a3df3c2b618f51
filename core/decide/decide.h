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
 * The unit that starts, waits, retries and is cancelled is the gang: it succeeds
 * only whole.  Its first failure of an attempt says whether a retry is worth it.
 *
 * Rules beyond docs/behaviour.md:
 *  - What is left out, or has an empty `each`, passes order and failure on from
 *    what it needs to what needs it.
 *  - After a failure that stops the run no attempt starts: a task between two
 *    attempts fails, what never started is cancelled (attempt 0).
 *  - The first cancel (and the run's time limit) concerns forward work; run_if
 *    tasks still get their turn.  A second cancel kills whatever runs, and no
 *    further run_if task starts.  A run that is cancelled, or refused its locks,
 *    before it could begin runs none of them.
 *  - run_if looks at the verdict of the run: "failure" is "did not succeed".
 *  - A task that waits for its next attempt holds no slot, lock or pool place.
 *
 * THE UNDO TRACK
 *  - A run that did not succeed, with on_failure "undo", turns back once nothing runs any
 *    more: every forward task that has something to undo is undone, gang by gang in reverse
 *    order of the edges (also of edges through tasks that have nothing to undo), inside a
 *    gang member by member; what does not depend on each other at once, in as many slots.
 *    It takes locks and pool places inside the run, but asks no other run for any.
 *  - A pivot that has succeeded, and whatever comes before it, is not undone.
 *  - An undo that has failed for good (the caller has retried it) holds all that its task
 *    depended on; other branches go on.  The run ends ROLLBACK_FAILED.
 *  - Between two attempts, and before a gang that was interrupted runs again, what its
 *    members left to undo is undone first; if that fails, the gang has failed for good.
 *  - EVENT_HOLD_UNDO stops the undo as well: what runs is killed, what has not ended is held.
 *    What that concerns is told as held when its turn comes: at once, or when the undos that
 *    were told to stop have answered.  A cancel is ignored while the undo goes on.
 *  - The run_if tasks have their turn after it.
 *  - What could be neither finished nor undone is no failure to ignore.
 *  - What failed attempts changed and had undone is nothing once an attempt has succeeded;
 *    what cannot be undone stays, whatever other attempts do.
 *
 * EARLIER RUNS are gone on with (resume, recover, rollback): decide_restore for every task
 * that is not plainly pending, then EVENT_BEGIN, with options.begin saying where.
 *  - A gang stands where it succeeded (and was not undone since), was skipped, or failed and
 *    was to be ignored: nothing more is decided about it.  In DECIDE_FORWARD all others run
 *    again, whole, and so does what needs them.  (A run that had turned back is better taken
 *    all the way back: what its gangs left is undone before each starts, not all in order.)
 *  - An undo that was running, failed or held is tried again.
 *  - A run_if task that succeeded, failed or was skipped has had its turn.
 *  - A run that does not get the locks of its start, or is cancelled before, ends
 *    INTERRUPTED where an earlier one has changed something: it is as it was.
 */
#ifndef UPKEEP_DECIDE_DECIDE_H
#define UPKEEP_DECIDE_DECIDE_H

#include "model/plan.h"
#include "model/state.h"

struct decide;

enum decide_begin {
	DECIDE_FORWARD, /* a new run, or resume */
	DECIDE_UNDO,    /* put everything back: recover, rollback; whatever on_failure says */
	DECIDE_FINAL,   /* only what run_if tasks are owed */
};

struct decide_options {
	uint32_t jobs;      /* slots, at least 1 */
	uint64_t seed;      /* of the retry jitter */
	int64_t timeout_ms; /* of the whole run; 0: none */
	enum decide_begin begin;
	bool unconfirmed; /* DECIDE_UNDO: because nobody confirmed a task in time */
};

enum event_kind {
	EVENT_BEGIN,     /* once, first */
	EVENT_TIME,      /* decide_wake() has come */
	EVENT_CONDITION, /* the answer to DECISION_EVALUATE: task, truth; or result TASK_FAILED
	                  * and reason, where the condition could not be evaluated */
	EVENT_ACQUIRED,  /* the answer to DECISION_ACQUIRE: gang (PLAN_NONE: all at the start);
	                  * ignored where DECISION_RELEASE came in between */
	EVENT_REFUSED,   /* the same, and the wait has run out; nothing is held: the gang fails
	                  * with `reason` (the run ends with EXIT_BUSY, for PLAN_NONE) */
	EVENT_ENDED,     /* an attempt of a task has ended: task, result, reason, transient */
	EVENT_CANCEL,    /* the run is to stop; a second one kills at once */
	EVENT_UNDONE,    /* the answer to DECISION_UNDO: task, undo: UNDO_UNDONE, _FAILED, _HELD */
	EVENT_HOLD_UNDO, /* the undo is to stop as well (the third signal) */
};

struct event {
	enum event_kind kind;
	int64_t now_ms; /* monotonic, never less than that of the event before */
	uint32_t task, gang;
	enum task_state result; /* EVENT_ENDED: TASK_SUCCEEDED, _FAILED or _CANCELLED */
	enum task_reason reason;
	bool truth;
	bool transient;    /* EVENT_ENDED, failed: worth a retry */
	bool changed;      /* EVENT_ENDED: the site may be other than before (unknown or said so) */
	bool irreversible; /* EVENT_ENDED: its arguments were such that this cannot be undone */
	bool continues; /* EVENT_ENDED, failed: a retry goes on from its records: no undo before */
	bool unconfirmed; /* EVENT_ENDED, failed: it was not confirmed in time */
	/* EVENT_UNDONE; EVENT_ENDED: UNDO_UNDONE, _FAILED or _HELD where a guard has undone it
	 * (or could not), else UNDO_NOTHING */
	enum undo_state undo;
};

enum decision_kind {
	DECISION_EVALUATE,  /* task: is its `when` true?  Answer by EVENT_CONDITION */
	DECISION_ACQUIRE,   /* gang: take its locks and pool places from the other runs, in the
	                     * order of plan.resources; answer when you have them all, best
	                     * before the next decide_next: then nothing overtakes it.
	                     * PLAN_NONE (plan.locks_at_start): all locks of the plan; then
	                     * those of gangs concern their pools alone. */
	DECISION_RELEASE,   /* gang, or PLAN_NONE; where it still waits, it waits no more */
	DECISION_START,     /* gang, attempt: start all its members now; each answers by
	                     * EVENT_ENDED */
	DECISION_CANCEL,    /* gang: ask its running members to stop; with `kill` at once; reason:
	                     * REASON_TIMEOUT where the time limit of the run is why */
	DECISION_SETTLED,   /* task, state, reason: its forward track has ended for good */
	DECISION_UNDO,      /* task: undo all of it that is not undone; answer by EVENT_UNDONE */
	DECISION_STOP_UNDO, /* task: kill its undo, which then answers UNDO_HELD */
	DECISION_HELD,      /* task: its undo is held; nothing is to be answered */
	DECISION_TURN,      /* the undo begins: run_state is RUN_ROLLING_BACK; to be on the disk
	                     * before anything is undone */
	DECISION_FINISH,    /* the run is over: run_state and exit_code; nothing follows */
};

struct decision {
	enum decision_kind kind;
	uint32_t gang, task;
	uint32_t attempt; /* from 1 */
	bool kill;
	enum task_state state;
	enum task_reason reason;
	uint32_t
		upstream; /* DECISION_SETTLED with REASON_UPSTREAM: the task that did not succeed */
	enum run_state run_state;
	enum exit_code exit_code;
};

struct decide *decide_new(const struct plan *plan, const struct decide_options *options);
/* Before EVENT_BEGIN: how a task of an earlier run stands; `attempts` it has had.  What is
 * neither settled nor TASK_PENDING counts as to be run again. */
void decide_restore(struct decide *decide, uint32_t task, enum task_state state,
	enum undo_state undo, uint32_t attempts);
void decide_event(struct decide *decide, const struct event *event);
/* The next decision, in the order in which they must be carried out; false: none. */
bool decide_next(struct decide *decide, struct decision *ret);
/* When EVENT_TIME is wanted (retry delays, the run's time limit); INT64_MAX: never. */
int64_t decide_wake(const struct decide *decide);
enum task_state decide_state(const struct decide *decide, uint32_t task);
/* The other track: UNDO_TODO or UNDO_IRREVERSIBLE once the task has changed something. */
enum undo_state decide_undo_state(const struct decide *decide, uint32_t task);
/* Failure or success so far, for ${run.verdict}: "succeeded", "failed" or "cancelled"; from
 * the end of the undo on "rolled back" where it put everything back, "rollback failed" where
 * something is held or could not be undone. */
const char *decide_verdict(const struct decide *decide);
void decide_free(struct decide *decide);

#endif
