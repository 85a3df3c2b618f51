/*
 * Report: what a run tells while it goes.  On a terminal a live view under lines
 * that stay; elsewhere plain lines; with JSON one object at the end; quiet: only
 * the block of a failure.
 */
#ifndef UPKEEP_REPORT_REPORT_H
#define UPKEEP_REPORT_REPORT_H

#include "model/state.h"

#include <stdbool.h>
#include <stdint.h>

struct report;

struct report_options {
	int fd;        /* where to write; width is asked of it */
	bool terminal; /* live view */
	bool color, json, quiet;
	bool back_is_success; /* EXIT_ROLLED_BACK and EXIT_NOT_CONFIRMED are what was asked for */
	const char *graph, *state_dir;
	const char *given; /* options that commands to type next need: " --site FILE"; NULL: none */
	uint32_t task_count;
	const char *const *names; /* of the tasks; live as long as the report */
};
struct report_task {
	uint32_t index, attempt;
	enum task_state state;
	enum task_reason reason;
	int exit_code;
	int64_t duration_ms;
	enum undo_state undo;       /* what there is to put back, once it has ended */
	const char *message, *next; /* NULL: none */
};

struct report *report_new(const struct report_options *options);
void report_begin(struct report *report, const char *run_id);
void report_task(struct report *report, const struct report_task *task, int64_t now_ms);
/* How a task of an earlier run stood before; nothing is printed. */
void report_known(struct report *report, const struct report_task *task);
/* Why the run ended as it did, and what it says to type next; NULL: nothing is to be said.
 * Before report_end. */
void report_cause(struct report *report, const char *cause, const char *next);
/* A task waits for a person for so long. */
void report_confirm(struct report *report, uint32_t task, int64_t left_ms, const char *next);
/* The run turns back. */
void report_turn(struct report *report);
/* The undo of a task: UNDOING at the start of a try, "to undo" where it will be tried again. */
void report_undo(struct report *report, uint32_t task, enum undo_state state, uint32_t number,
	const char *message, const char *next);
void report_progress(struct report *report, uint32_t task, uint64_t done, uint64_t total,
	const char *unit, int64_t now_ms);
void report_line(struct report *report, uint32_t task, const char *line);
void report_warning(struct report *report, uint32_t task, const char *text);
void report_row(struct report *report, const char *table, const char *cells);
void report_tick(struct report *report, int64_t now_ms);
void report_end(
	struct report *report, enum run_state state, enum exit_code code, int64_t duration_ms);
/* No run came about: with JSON the object says so, else nothing. */
void report_refused(struct report *report, enum exit_code code, const char *why, const char *next);
void report_free(struct report *report);

/* The last `lines` lines of a file, visible, each behind `indent`; false: cannot read. */
struct text;
bool report_tail(const char *path, unsigned lines, const char *indent, struct text *out);

#endif
