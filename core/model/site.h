/*
 * The site: what the configuration files say, checked and with every name
 * looked up, still one graph at a time.  All of it lives in site.arena.
 */
#ifndef UPKEEP_MODEL_SITE_H
#define UPKEEP_MODEL_SITE_H

#include "base/arena.h"
#include "base/map.h"
#include "model/describe.h"
#include "model/value.h"

#include <sys/types.h>

struct instance {
	const char *name;
	struct location at;
	const char *plugin;                           /* the plugin's name */
	const char *path;                             /* of the .so; NULL where it was not found */
	const struct plugin_description *description; /* NULL where it was refused */
	struct value settings;                        /* a group */
};

enum run_if { RUN_IF_SUCCESS, RUN_IF_FAILURE, RUN_IF_DONE };
enum on_failure { ON_FAILURE_UNDO, ON_FAILURE_STOP, ON_FAILURE_CONTINUE };
enum overlap { OVERLAP_SKIP, OVERLAP_WAIT, OVERLAP_FAIL };
enum running { RUNNING_CANCEL, RUNNING_FINISH };
enum on_interrupt { ON_INTERRUPT_AUTO, ON_INTERRUPT_UNDO, ON_INTERRUPT_HOLD, ON_INTERRUPT_RESUME };

struct retry {
	uint32_t attempts; /* 1: no retry */
	int64_t delay_ms, max_delay_ms;
	double backoff; /* factor, at least 1 */
};

/* 0 means no limit of ours. */
struct limits {
	uint64_t memory_bytes, processes, files, file_size_bytes;
	int64_t cpu_time_ms;
};

struct name_list {
	const char *const *items;
	const struct location *at;
	uint32_t count;
};

/* Core keys of a task that most tasks leave alone.  Tasks that set none share
 * `task_options_plain`. */
struct task_options {
	const char *about;
	uint8_t run_if; /* enum run_if */
	bool ignore_failure, pivot, leaves_running;
	const char *when; /* expression text, NULL: none */
	struct location when_at;
	struct value each; /* VALUE_NONE: none; a list, or a string (glob or reference) */
	struct retry retry;
	int64_t timeout_ms;        /* of an attempt; 0: none */
	int64_t kill_after_ms;     /* TERM to KILL; default 10 s */
	int64_t stall_ms;          /* of a reader that reads nothing; default 30 min */
	int64_t confirm_within_ms; /* 0: none */
	struct name_list locks, pools;
	const char *run_as, *run_as_group; /* NULL: the caller's */
	bool has_umask, has_nice;
	mode_t umask;
	int nice;
	struct value env; /* a group of strings, or VALUE_NONE */
	const char *cwd;
	struct limits limits;
	uint64_t log_max_bytes;
	struct value rollback; /* a group with its own action, or VALUE_NONE */
	const struct instance *rollback_instance;
	const struct action_description *rollback_action;
	int64_t rollback_timeout_ms; /* of the undo; 0: none given */
	struct retry rollback_retry;
};
extern const struct task_options task_options_plain;

struct task {
	const char *name;
	struct location at;
	const struct instance *instance;         /* NULL for core.* */
	const struct action_description *action; /* NULL only where an error was reported */
	struct value args;                       /* a group: every key that is not the core's */
	struct name_list after;
	const char *from; /* NULL: none */
	struct location from_at;
	const struct task_options *options;
};

struct graph_param {
	const char *name, *about;
	struct location at;
	struct upkeep_param decl; /* type, bounds, choices; preset unused */
	struct value preset;      /* VALUE_NONE: must be given */
};

struct graph {
	const char *name, *about;
	struct location at;
	const char *schedule;                               /* text, checked; NULL: none */
	uint8_t overlap, on_failure, running, on_interrupt; /* their enums */
	int64_t wait_max_ms;                                /* 0: no end */
	int64_t timeout_ms;                                 /* 0: none */
	struct graph_param *params;
	uint32_t param_count;
	struct task *tasks;
	uint32_t task_count;
	struct map task_index; /* name → index */
	bool faulty;           /* an error was reported in it or in what it uses */
};

struct site {
	struct arena arena;
	const char **files; /* paths; location.file points here; [0] is the site file */
	uint32_t file_count;
	const char *path;
	const char *state_dir;
	uint32_t jobs; /* never 0 */
	int64_t undo_keep_ms;
	uint64_t undo_space_bytes;
	struct instance *instances;
	uint32_t instance_count;
	struct name_list plugin_dirs;
	struct name_list locks;
	struct {
		const char *name;
		uint32_t places;
	} * pools;
	uint32_t pool_count;
	struct graph *graphs; /* in order of files and places */
	uint32_t graph_count;
	bool faulty; /* an error in the settings themselves */
};

const struct graph *site_graph(const struct site *site, const char *name);
const struct instance *site_instance(const struct site *site, const char *name);
void site_free(struct site *site);
/* Does `graph` run `other` by core.graph, or by a graph that does? */
bool graph_uses(const struct site *site, const struct graph *graph, const struct graph *other);

/* One error or warning of the configuration. */
struct diagnostic {
	struct location at;
	bool warning;
	bool plugin;       /* a plugin is missing or refused (exit code 69 instead of 78) */
	const char *graph; /* the graph it lies in; NULL: the settings */
	char *what;        /* "task \"dump\": unknown parameter \"buket\"" */
	char *next;        /* "did you mean \"bucket\"?"; may be NULL */
};

#endif
