/* The way back of a run, as show has it: what each task can put back, and the tries to. */
#ifndef UPKEEP_CLI_UNDONE_H
#define UPKEEP_CLI_UNDONE_H

#include "cli/command.h"
#include "journal/journal.h"
#include "report/table.h"

struct undone {
	const struct cli *cli;
	const char *id;
	bool interrupted;  /* nothing of the run is alive: no try goes on */
	VEC(char *) names; /* of tasks, by index */
	json_t *records, *tries, *gone;
	struct table record_table, try_table;
	struct text next; /* lines */
};
void undone_begin(struct undone *shown, const struct cli *cli, const char *id);
/* Remembers the task's name: before undone_read. */
void undone_name(struct undone *shown, const struct journal_task *task);
/* The name that was remembered, "?" where none was. */
const char *undone_task(const struct undone *shown, uint32_t task);
int undone_read(struct undone *shown, struct journal *journal, struct error *err);
/* Adds "undo_records", "undo_tries" and "undo_gone" (why, or null). */
void undone_json(const struct undone *shown, json_t *run);
/* Nothing where there is nothing. */
void undone_print(const struct undone *shown, struct text *out);
void undone_free(struct undone *shown);

/* Whether any task of the run has something to undo; negative after a message. */
int undone_any(struct journal *journal, const char *id, struct error *err);

#endif
