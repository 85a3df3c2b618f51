/* SPDX-License-Identifier: MIT */
#include "cli/command.h"

#include <limits.h>

#define AT(member) offsetof(struct cli_options, member)
#define COUNTED(table) .options = (table), .option_count = sizeof(table) / sizeof((table)[0])

const struct cli_option cli_common_options[] = {
	{"--site", 0, OPTION_TEXT, "FILE",
		"the site file, else $UPKEEP_SITE, else the built-in one", AT(site)},
	{"--state-dir", 0, OPTION_TEXT, "DIR",
		"the state directory, else $UPKEEP_STATE_DIR, else the site file's", AT(state_dir)},
	{"--json", 0, OPTION_FLAG, NULL, "print JSON", AT(json)},
	{"--quiet", 'q', OPTION_FLAG, NULL, "print nothing on success, one block on failure",
		AT(quiet)},
	{"--color", 0, OPTION_TEXT, "WHEN", "auto, always or never; NO_COLOR is obeyed", AT(color)},
	{"--help", 'h', OPTION_FLAG, NULL, "print this help", AT(help)},
	{"--version", 0, OPTION_FLAG, NULL, "print the version", AT(version)},
};
const size_t cli_common_option_count = sizeof cli_common_options / sizeof cli_common_options[0];

#define PARAM_OPTION                                                                \
	{                                                                           \
		"--param", 'p', OPTION_LIST, "NAME=VALUE",                          \
			"set a parameter of the graph; may be repeated", AT(params) \
	}
#define SELECT_OPTIONS                                                                         \
	{"--only", 0, OPTION_LIST, "TASK", "run only this task; may be repeated", AT(only)},   \
		{"--skip", 0, OPTION_LIST, "TASK", "leave this task out; may be repeated",     \
			AT(skip)},                                                             \
	{                                                                                      \
		"--start-at", 0, OPTION_TEXT, "TASK", "leave out what comes before this task", \
			AT(start_at)                                                           \
	}

static const struct cli_option run_options[] = {
	{"--jobs", 'j', OPTION_TEXT, "N", "job slots; 0: as the site file says", AT(jobs)},
	PARAM_OPTION,
	{"--yes", 'y', OPTION_FLAG, NULL, "answer every confirmation with yes", AT(yes)},
	SELECT_OPTIONS,
	{"--strict", 0, OPTION_FLAG, NULL, "end with 12 where there are warnings", AT(strict)},
	{"--plan", 0, OPTION_TEXT, "FILE", "do what was saved there, or refuse; instead of GRAPH",
		AT(plan)},
};
static const struct cli_option plan_options[] = {
	PARAM_OPTION,
	SELECT_OPTIONS,
	{"--save", 0, OPTION_TEXT, "FILE", "write the plan down, to be run later", AT(save)},
};
static const struct cli_option drill_options[] = {
	{"--jobs", 'j', OPTION_TEXT, "N", "job slots; 0: as the site file says", AT(jobs)},
	PARAM_OPTION,
	{"--yes", 'y', OPTION_FLAG, NULL, "answer every confirmation with yes", AT(yes)},
	SELECT_OPTIONS,
	{"--force", 0, OPTION_FLAG, NULL, "run also what cannot be undone", AT(force)},
};
static const struct cli_option history_options[] = {
	{"--limit", 'n', OPTION_TEXT, "N", "at most so many runs; 20 unless told", AT(limit)},
};
static const struct cli_option log_options[] = {
	{"--follow", 'f', OPTION_FLAG, NULL, "go on while the run lives", AT(follow)},
};

#define SETTINGS_OPTION                                                                  \
	{                                                                                \
		"--settings", 0, OPTION_TEXT, "WHICH",                                   \
			"settings of the plugins: journaled (with the run), or current", \
			AT(settings)                                                     \
	}
static const struct cli_option recover_options[] = {SETTINGS_OPTION};
static const struct cli_option rollback_options[] = {
	{"--force", 0, OPTION_FLAG, NULL, "put back also what has been changed since", AT(force)},
	SETTINGS_OPTION,
};
static const struct cli_option resume_options[] = {
	{"--journaled", 0, OPTION_FLAG, NULL, "the graph as it was, where it is another today",
		AT(journaled)},
	{"--yes", 'y', OPTION_FLAG, NULL, "answer every confirmation with yes", AT(yes)},
	SETTINGS_OPTION,
};
static const struct cli_option resolve_options[] = {
	{"--why", 0, OPTION_TEXT, "TEXT", "what was done by hand, for the journal", AT(why)},
};

static const struct cli_option lint_options[] = {
	{"--run", 0, OPTION_FLAG, NULL, "call the actions too, each in a process of its own",
		AT(calls)},
};

const struct cli_command cli_commands[] = {
	{"run", "GRAPH", "run a graph",
		"Checks the configuration, plans the graph and runs it. Errors elsewhere in the "
		"site "
		"are printed as warnings. With --plan FILE and no GRAPH it does what upkeep plan "
		"saved "
		"there, and refuses where the site, the graph or what its tasks would do "
		"have changed since, or the file is not the caller's own.",
		COUNTED(run_options), 0, 1, command_run},
	{"plan", "GRAPH", "say what a run would do",
		"Asks the actions what they would do and how that would be undone, and changes "
		"nothing. Ends with 0 where nothing would change, with 2 where something would. "
		"With --save FILE, upkeep run can do just that later.",
		COUNTED(plan_options), 1, 1, command_plan},
	{"drill", "GRAPH", "run a graph, undo it and compare",
		"Asks the actions' probes, runs the graph, puts everything back as rollback does, "
		"and "
		"asks them again. Ends with 0 where all is as it was before. Refuses a graph with "
		"tasks that cannot be undone.",
		COUNTED(drill_options), 1, 1, command_drill},
	{"check", "", "report every error of the site",
		"Reads the whole site and plans every graph. Calls no action and reads no journal; "
		"a plugin that is new here is loaded in a process of its own, to describe itself.",
		NULL, 0, 0, 0, command_check},
	{"list", "", "list the graphs",
		"With what each is about, its schedule, the next time and "
		"the last run.",
		NULL, 0, 0, 0, command_list},
	{"history", "[GRAPH]", "list earlier runs", "Newest first.", COUNTED(history_options), 0, 1,
		command_history},
	{"show", "RUN", "show one run",
		"Its tasks, tables, warnings and verdict, what its tasks can put back, and the "
		"tries to undo them. RUN is an id, the beginning of one, or last.",
		NULL, 0, 1, 1, command_show},
	{"log", "RUN [TASK]", "print the output of a run's tasks",
		"Tries to undo a task have a heading. RUN is an id, the beginning of one, or last.",
		COUNTED(log_options), 1, 2, command_log},
	{"plugins", "", "list the enabled plugins", "With version, ABI and actions.", NULL, 0, 0, 0,
		command_plugins},
	{"doc", "[ACTION]", "explain an action",
		"Its parameters, outputs and what it changes, from "
		"the plugin's own description. ACTION is PLUGIN.ACTION, or PLUGIN for its settings "
		"and "
		"the names of its actions; without it the names of all. With --json as a JSON "
		"Schema.",
		NULL, 0, 0, 1, command_doc},
	{"cancel", "RUN", "cancel a run",
		"The run is asked to stop; its verdict says what it left.", NULL, 0, 1, 1,
		command_cancel},
	{"confirm", "RUN", "keep what a task with confirm_within did",
		"Without it the task is put back when its time is over.", NULL, 0, 1, 1,
		command_confirm},
	{"recover", "[RUN]", "put interrupted runs in order",
		"Ends what is left of every run whose upkeep was killed, and does what its graph's "
		"on_interrupt says: puts everything back, goes on, or holds it for a person. Runs "
		"that are alive are left alone. For boot time; run does it first, too.",
		COUNTED(recover_options), 0, 1, command_recover},
	{"rollback", "RUN", "put back what a run changed",
		"Undoes its tasks in reverse order, also hours after it succeeded. Refuses where "
		"what "
		"it left has been changed since. Ends with 0 where everything is back.",
		COUNTED(rollback_options), 1, 1, command_rollback},
	{"resume", "RUN", "go on with an interrupted run",
		"With the same id and the graph as it was; what had succeeded is not done again. "
		"Refuses where the site's graph is another today, unless told --journaled.",
		COUNTED(resume_options), 1, 1, command_resume},
	{"resolve", "RUN", "say that a run is settled",
		"After a person has put right what it left: nothing of it will be undone, and its "
		"graph can run again.",
		COUNTED(resolve_options), 1, 1, command_resolve},
	{"locks", "", "list the locks that are held", "Who holds each, since when and for what.",
		NULL, 0, 0, 0, command_locks},
	{"new plugin", "NAME", "begin a plugin",
		"Writes a plugin that builds, with its test and its "
		"Makefile, into a new directory NAME.",
		NULL, 0, 1, 1, command_new},
	{"lint plugin", "FILE [ACTION] [NAME=VALUE...]", "check a plugin",
		"Checks what the compiler cannot: descriptor, symbols, tables, bad values for each "
		"parameter. With --run the actions too: all that need no arguments, or ACTION with "
		"these; they do what they do, so give them something to spoil. Ends with 69 where "
		"it "
		"finds a fault.",
		COUNTED(lint_options), 1, UINT_MAX, command_lint},
};
const size_t cli_command_count = sizeof cli_commands / sizeof cli_commands[0];

const struct cli_command *command_find(const char *name)
{
	for (size_t i = 0; i < cli_command_count; i++) {
		const char *a = cli_commands[i].name, *b = name;

		while (*a && (*a == *b || (*a == ' ' && *b == '-')))
			a++, b++;
		if (!*a && !*b)
			return &cli_commands[i];
	}
	return NULL;
}
