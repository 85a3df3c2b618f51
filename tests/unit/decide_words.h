/*
 * A run for tests of decide: a small plan, events, and the decisions that must come of
 * them, written as words:
 *	?a  evaluate its condition     +g  acquire for a gang (+ alone: all locks)
 *	-g  release                    g#n start its attempt n       !g cancel   !!g kill
 *	turn  the way back begins      ~a  undo a task               !~a stop its undo
 *	~a=held  its undo is held
 *	a=succeeded, a=failed:exit, a=skipped:upstream/b   settled (/b: because of b)
 *	end=succeeded:0                the run is over, with its exit code
 * Tasks are a, b, c, ...; a gang is written by its members.
 */
#ifndef UPKEEP_TESTS_DECIDE_WORDS_H
#define UPKEEP_TESTS_DECIDE_WORDS_H

#include "unit.h"

#include "base/text.h"
#include "decide/decide.h"
#include "sim/model.h"

struct world {
	struct plan plan;
	struct decide *decide;
	struct decide_options options;
	struct text said;
	uint32_t leaders[26], masks[26];
	struct retry retries[2];
	struct plan_resource resources[2];
	int64_t now_ms;
	bool retried; /* every gang, up to three attempts */
};

/* `edges`: "ab bc": b needs a, c needs b; "a=b": they form a gang. */
struct world *make(uint32_t count, const char *edges);
/* The same; all tasks can be undone. */
struct world *make_undoable(uint32_t count, const char *edges);
struct plan_task *task(struct world *w, char name);
/* Tells the event, if there is one, and compares what is decided then. */
void expect(struct world *w, const struct event *event, const char *words);
void begin(struct world *w, const char *words);
void cancel(struct world *w, const char *words);
void done(struct world *w, char name, const char *words);
void failed(struct world *w, char name, const char *words);
void stopped(struct world *w, char name, const char *words);
/* The same with something changed; a failure is worth a retry where there are retries. */
void changed(struct world *w, char name, const char *words);
void broke(struct world *w, char name, const char *words);
/* The answer to ~a. */
void undone(struct world *w, char name, enum undo_state undo, const char *words);
void hold(struct world *w, const char *words);
/* Before begin: how an earlier run left the task, in its one attempt. */
void restore(struct world *w, char name, enum task_state state, enum undo_state undo);
void condition(struct world *w, char name, bool truth, const char *words);
void answer(struct world *w, enum event_kind kind, uint32_t gang, const char *words);
/* Lets the time of the next wake come. */
void pass_time(struct world *w, const char *words);
/* Nothing is left to be told, and nothing more comes. */
void drop(struct world *w);

#endif
