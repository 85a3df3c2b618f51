/*
 * Saved plans: `plan --save FILE` keeps what was shown, `run --plan FILE` does that and nothing
 * else.  The file is JSON, 0600, and the caller's own: it may hold what tasks are told.
 */
#ifndef UPKEEP_CLI_SAVED_H
#define UPKEEP_CLI_SAVED_H

#include "cli/foreseen.h"
#include "cli/load.h"

/* ---- plan --save ---- */

/* A plan that is being shown, and noted where it is to be saved. */
struct saving {
	struct told told;
	char id[RUN_ID_SIZE]; /* of the pass: ${run.id} and ${run.stamp} of what is shown */
};
/* 0, or an exit code after a message; nothing is noted without --save. */
int saving_begin(const struct cli *cli, struct saving *saving);
void saving_event(const struct saving *saving, const struct run_event *event);
/* Writes the file where `code`, that of the pass, is no failure.  `code`, or another one after a
 * message. */
int saving_end(struct saving *saving, const struct cli *cli, const struct plan *plan, int code);

/* ---- run --plan ---- */

struct saved {
	json_t *json;             /* NULL: none */
	struct run_token *tokens; /* one for each task, since saved_check_state */
	uint32_t token_count;
};
/* Opens the file of --plan, and sets the graph, its parameters and selection in `cli` as they
 * were; these live as long as `saved`.  0, or an exit code after a message. */
int saved_open(struct cli *cli, struct saved *saved);
/* Is today's plan the one that was saved?  0, or EXIT_CONFIGURATION after a message. */
int saved_check_plan(const struct cli *cli, const struct saved *saved, const struct plan *plan);
/* Would its tasks do today what they said then?  0, or an exit code after a message. */
int saved_check_state(const struct cli *cli, struct saved *saved, const struct plan *plan);
void saved_free(struct saved *saved);
#define CLEANUP_SAVED __attribute__((cleanup(saved_free)))

#endif
