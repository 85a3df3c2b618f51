/* What most commands begin with: the site, its journal. */
#ifndef UPKEEP_CLI_LOAD_H
#define UPKEEP_CLI_LOAD_H

#include "cli/command.h"
#include "config/config.h"
#include "journal/journal.h"

struct loaded {
	struct catalog *catalog;
	struct site *site;
	struct diagnostics diagnostics;
};
/* 0, or a negative errno; the catalog of the built-in directory is there all the same. */
int site_try(const struct cli *cli, struct loaded *ret, struct error *err);
/* 0, or an exit code after a message. */
int site_load(const struct cli *cli, struct loaded *ret);
void loaded_free(struct loaded *loaded);
#define CLEANUP_LOADED __attribute__((cleanup(loaded_free)))

/* The state directory: --state-dir, $UPKEEP_STATE_DIR, the site file's, the built-in
 * one; on the heap. */
char *state_dir_find(const struct cli *cli);
/* For reading.  0; EXIT_NOT_PERMITTED, EXIT_JOURNAL; or -ENOENT without a message
 * where there is none yet. */
int journal_load(const struct cli *cli, const char *state_dir, struct journal **ret);
/* The same, and the run that the first argument names; no journal is an error. */
int run_load(const struct cli *cli, char **ret_state_dir, struct journal **ret, char id[]);
/* The graph that the first argument names, or NULL after a message (EXIT_USAGE). */
const struct graph *graph_load(const struct cli *cli, const struct loaded *loaded);
/* Prints what there is to say of `graph`; 0, or the exit code where it cannot run. */
int diagnostics_refuse(const struct loaded *loaded, const char *graph, bool quiet);
/* journal_runs and journal_read_run; a run that the journal calls running, and whose lock
 * nobody holds, is told as interrupted: but not one that can still be confirmed. */
int runs_seen(struct journal *journal, const char *state_dir, const char *graph, uint32_t limit,
	journal_run_reader *reader, void *data, struct error *err);
int run_seen(struct journal *journal, const char *state_dir, const char *id,
	journal_run_reader *reader, void *data, struct error *err);
/* What the journal says of a run. */
json_t *run_json(const struct cli *cli, const struct journal_run *run);
int errno_exit(int r, int otherwise);

/* What a site without cgroups lacks; the warning of it on standard error. */
#define CGROUPS_NONE                                                                    \
	"no cgroup is writable here: what tasks leave behind is told by a mark in its " \
	"environment, "                                                                 \
	"which a program can remove"
void cgroups_warn(const struct cli *cli);

#endif
