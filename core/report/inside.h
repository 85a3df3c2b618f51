/* What the files of report share. */
#ifndef UPKEEP_REPORT_INSIDE_H
#define UPKEEP_REPORT_INSIDE_H

#include "base/text.h"
#include "base/vec.h"
#include "report/report.h"

#include <jansson.h>

struct report_state {
	enum task_state state;
	enum task_reason reason;
	enum undo_state undo;
	uint32_t attempt;
	int exit_code;
	int64_t duration_ms, begun_ms; /* of the caller's clock */
	int64_t confirm_until_ms;      /* put back then; 0: waits for no confirmation */
	uint64_t done, total;
	char *unit, *message, *next, *undo_message;
};
struct report {
	struct report_options options;
	char run_id[32];
	struct report_state *tasks;
	VEC(uint32_t) running; /* in the order of their starts */
	VEC(char *) warnings;
	json_t *tables;
	char *cause, *next;
	uint32_t finished, failed_task; /* failed_task UINT32_MAX: none */
	uint32_t stuck_task;            /* whose undo failed first, UINT32_MAX: none */
	unsigned live_lines;            /* below the lines that stay */
	int64_t now_ms;
};

/* Writes lines that stay, above the live view. */
void report_print(struct report *report, const struct text *text);
void live_erase(struct report *report, struct text *out);
void live_draw(struct report *report, struct text *out);
const char *report_color(const struct report *report, enum task_state state);
void finish_json(struct report *report, enum run_state state, enum exit_code code,
	int64_t duration_ms, struct text *out);
void finish_refused(struct report *report, enum exit_code code, const char *why, const char *next,
	struct text *out);
void finish_summary(
	struct report *report, enum run_state state, int64_t duration_ms, struct text *out);
void finish_failure(struct report *report, enum run_state state, struct text *out);

#endif
