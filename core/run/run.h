/*
 * run: turns decisions into journal entries and processes.  The caller of
 * run_execute becomes the keeper; the engine is its child.
 */
#ifndef UPKEEP_RUN_RUN_H
#define UPKEEP_RUN_RUN_H

#include "base/error.h"
#include "model/plan.h"
#include "model/state.h"

#include <stdbool.h>

/* Told of everything that happens, for the live view and plain lines.  Called in
 * the engine, on its thread; must not block long. */
enum run_event_kind {
	RUN_EVENT_BEGIN,
	RUN_EVENT_KNOWN, /* an earlier run: how the task stood before */
	RUN_EVENT_TASK,  /* its state, attempt, reason or message changed */
	RUN_EVENT_LOG,   /* a line of its output */
	RUN_EVENT_PROGRESS,
	RUN_EVENT_ROW,
	RUN_EVENT_WARNING,
	RUN_EVENT_TURN,    /* the undo begins */
	RUN_EVENT_CONFIRM, /* the task waits for a person, for duration_ms; next: what to type */
	RUN_EVENT_UNDO,    /* the undo of the task: its state, attempt (try), text, next */
	RUN_EVENT_WOULD,   /* plan_only: one thing that a task would do */
	RUN_EVENT_TOKEN,   /* plan_only: bytes and size: what its plan leaves for its run; the
	                    * last one of a task counts */
	RUN_EVENT_PROBED,  /* probe_only: probed, or text: why that cannot be said */
	RUN_EVENT_TICK,    /* nothing new; redraw (about ten a second on a terminal) */
	RUN_EVENT_END,     /* done and total: transactions of the journal, synced ones */
};
struct run_event {
	enum run_event_kind kind;
	const char *run_id;
	uint32_t task;
	enum task_state state;
	enum task_reason reason;
	enum undo_state undo;
	uint32_t attempt;
	int exit_code;
	int64_t wall_ms, duration_ms;
	const char *text, *next; /* message, line, unit, JSON cells, warning, cause of the end,
	                          * what would be done (next: how it would be undone, NULL:
	                          * cannot be) */
	const char *table;
	const char *unknown; /* would: the task after which more is known, NULL: none */
	const void *bytes;
	size_t size;
	int probed; /* UPKEEP_DONE, UPKEEP_NOT_DONE, UPKEEP_PARTLY; -1: it cannot be said */
	uint64_t done, total;
	enum run_state run_state;
	enum exit_code code;
};
struct run_watcher {
	void (*event)(void *data, const struct plan *plan, const struct run_event *event);
	void *data;
	bool wants_lines, wants_ticks;
};

/* What the plan of a task left for its run. */
struct run_token {
	const void *bytes; /* NULL: nothing */
	size_t size;
};

struct run_options {
	uint32_t jobs; /* 0: the site's */
	bool yes, strict;
	bool plan_only;        /* call `plan` of the actions, change nothing, journal nothing */
	bool probe_only;       /* with plan_only: call `probe` of the actions instead, with their
	                        * arguments; no answer of theirs ends it */
	bool no_cgroups;       /* as where none is writable: leftovers are told by their marks */
	bool force;            /* run_again: undo also what has drifted */
	const char *state_dir; /* run_again: where the journal lies; NULL: as the plan says */
	const char *cause;     /* "cron", "terminal": who asked */
	const char *id; /* run_execute: of the run, as journal_make_id makes it; NULL: a new one */
	const struct run_token *tokens; /* of a saved plan, one for each task; NULL: none */
	const char *program; /* upkeep itself, for workers and helpers; NULL: process_self() */
	const struct run_watcher *watcher;
};

/* Runs the plan: locks, journal, keeper, engine, workers.  Returns the exit code
 * (docs/behaviour.md); `err` says why where no run came about. */
enum exit_code run_execute(
	const struct plan *plan, const struct run_options *options, struct error *err);

/* What is done with an earlier run. */
enum run_again {
	RUN_AGAIN_RECOVER, /* what its graph's on_interrupt says; a finished undo, or run_if tasks
	                    * that are owed, are completed */
	RUN_AGAIN_RESUME,  /* go on where it stood */
	RUN_AGAIN_UNDO,    /* put everything back, also after success; of a run that succeeded
	                    * only where its probes see no drift, or by options.force */
};
/* Goes on with run `id` under its own id, with the plan that plan_restore made of it: kills
 * what is left of it, asks probes whether unknown tasks happened, and does what `how` says,
 * while it holds the run's lock.  Returns an exit code as run_execute does; EXIT_BUSY with a
 * message where the run lives, or somebody else goes on with it: nothing was done. */
enum exit_code run_again(const struct plan *plan, const char *id, enum run_again how,
	const struct run_options *options, struct error *err);
/* 0, or EXIT_UNRESOLVED with a message where an unsettled run of the same graph, or one that
 * owns a lock which the plan needs, stands in the way. */
enum exit_code run_stands_clear(const struct plan *plan, struct error *err);
/* The answer to confirm_within: every guard of the run that waits is told.  -ESRCH: none waits;
 * -ETIME: it came too late. */
int run_confirm(const char *state_dir, const char *id, struct error *err);
/* Whether a guard of the run lives that can still be told, also where the run itself is dead. */
bool run_waits(const char *state_dir, const char *id);

/* Whether anything holds the lock of a run: nothing does once its keeper and engine are
 * gone, whatever the journal still says.  An engine without its keeper may be dying: it is waited
 * for, a second at most.  Where that cannot be seen, true. */
bool run_lives(const char *state_dir, const char *id);

/* Cancels a live run of this site by its id; -ESRCH: it does not live. */
int run_cancel(const char *state_dir, const char *id, struct error *err);

#endif
