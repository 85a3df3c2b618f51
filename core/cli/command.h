/*
 * Commands: one row of a table each; --help, the man pages and the completion
 * are made from the same rows.
 */
#ifndef UPKEEP_CLI_COMMAND_H
#define UPKEEP_CLI_COMMAND_H

#include "base/error.h"
#include "base/text.h"
#include "base/vec.h"
#include "model/state.h"

#include <jansson.h>
#include <stdbool.h>

typedef VEC(const char *) cli_words;

struct cli_options {
	const char *site, *state_dir, *color, *jobs, *start_at, *limit, *settings, *why, *save,
		*plan;
	bool json, quiet, help, version, yes, strict, follow, calls, force, journaled;
	cli_words params, only, skip;
};

enum cli_option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_LIST };
struct cli_option {
	const char *name;  /* "--site" */
	char letter;       /* 0: none */
	uint8_t kind;      /* what lies at the offset of struct cli_options */
	const char *value; /* "FILE"; NULL: a flag */
	const char *about;
	size_t offset;
};

struct cli {
	const struct cli_command *command;
	struct cli_options options;
	cli_words args;
	int report_fd; /* where the report of a run goes; 0: standard output */
};

struct cli_command {
	const char *name;     /* "run", "new plugin" */
	const char *synopsis; /* its arguments: "RUN [TASK]" */
	const char *about;    /* one line */
	const char *details;  /* paragraphs for its manual page */
	const struct cli_option *options;
	size_t option_count;
	unsigned args_min, args_max;
	int (*run)(struct cli *cli); /* returns the exit code */
};
extern const struct cli_command cli_commands[];
extern const size_t cli_command_count;
extern const struct cli_option cli_common_options[];
extern const size_t cli_common_option_count;

/* By its name, words joined by a space or, as manual pages are, by a hyphen. */
const struct cli_command *command_find(const char *name);
/* 0, or EXIT_USAGE after a message. */
int options_parse(struct cli *cli, int argc, char *const *argv);
void help_print(const struct cli_command *command);   /* NULL: of upkeep itself */
void manual_print(const struct cli_command *command); /* mdoc */
void completion_print(void);
/* What the completion asks: --complete graphs, tasks GRAPH, runs, actions. */
int complete_print(int argc, char *const *argv);

int command_run(struct cli *cli);
int command_plan(struct cli *cli);
int command_check(struct cli *cli);
int command_list(struct cli *cli);
int command_history(struct cli *cli);
int command_show(struct cli *cli);
int command_log(struct cli *cli);
int command_plugins(struct cli *cli);
int command_doc(struct cli *cli);
int command_cancel(struct cli *cli);
int command_confirm(struct cli *cli);
int command_recover(struct cli *cli);
int command_rollback(struct cli *cli);
int command_resume(struct cli *cli);
int command_resolve(struct cli *cli);
int command_locks(struct cli *cli);
int command_new(struct cli *cli);
int command_drill(struct cli *cli);
int command_lint(struct cli *cli);

/* Messages to standard error: "upkeep: WHAT" and "next: NEXT"; returns `code`. */
int cli_fail(const struct cli *cli, int code, const struct error *err);
int cli_usage(const struct cli *cli, const char *next, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* " --site FILE --state-dir DIR" as far as they were given, quoted for a shell; on the heap. */
char *cli_given(const struct cli *cli);
/* What to type next, with these; NULL for NULL. */
char *cli_next(const struct cli *cli, const char *next, const char *run_id);
/* Prints and frees. */
void cli_print_text(struct text *text);
void cli_print_json(json_t *json);
bool cli_colors(const struct cli *cli, int fd);

#endif
