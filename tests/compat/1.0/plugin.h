/* SPDX-License-Identifier: MIT */
/*
 * upkeep/plugin.h - the contract between upkeep and its plugins
 *
 * A plugin is one shared object that exports one const symbol, `upkeep_plugin`
 * (made by UPKEEP_PLUGIN below), and links nothing of upkeep.  Everything it
 * may ask of its host comes through `ctx->host`, best by the static inline
 * wrappers at the end of this file.
 *
 * CHANGELOG (newest first; every addition is dated and raises the minor; until the first
 * release 1.0 itself may still change, each time with a line here)
 *   1.0  2026-11-25  struct upkeep_undo: fingerprint, without which no probe could tell drift
 *   1.0  2026-11-24  UPKEEP_NO_UNDO, UPKEEP_PLANS_UNKNOWN; `check` runs before plan and run
 *   1.0  2026-11-23  first version
 *
 * LIFE OF A PLUGIN
 *   It is loaded into a worker: a process of its own, one for each instance (and user,
 *   limits, environment), which calls one action at a time and many in its life, and ends
 *   with _exit: no destructor and no atexit function runs.  A crash costs that task alone.
 *   Before that it was loaded once by a process of its own (user nobody where root asked,
 *   writes no file, 5 s of processor time) that read its tables and called none of its
 *   functions: constructors must cope with that.
 *   open, then for each task check, plan or run, for its records undo and probe, in the
 *   end close.  A worker that is killed calls no close.
 *
 * RULES OF THE BORDER
 *   - Only fixed-width integers, double, pointers and size_t cross it.
 *   - Structs and the host table only ever grow at their end.  A field that the
 *     other side does not know reads as 0, and 0 always means "as before".
 *   - What the host passes lives until the callback returns.  What the plugin
 *     passes is copied during the call.  Nobody frees the other side's memory.
 *   - Nobody writes into the other side's structs.
 *   - Callbacks run on one thread, never two at once in a process.  From threads of its
 *     own a plugin may only call log, progress and poll the descriptor of cancel_fd, and
 *     only until the callback returns.
 *   - Nothing of a context is used after its callback has returned, descriptors included.
 *     Descriptors that the host gives are close-on-exec, and the host's to close unless
 *     their comment says otherwise.
 *   - A callback runs as the task's user, in its working directory, with its environment,
 *     umask and limits.  SIGPIPE is ignored, every other signal as in a new process.
 *   - Blocking is allowed; who blocks for long polls cancel_fd too.  What does not stop is
 *     killed when the task's time limit and `kill_after` have passed.
 *   - Text is UTF-8 where it is made for people; paths are bytes without NUL.
 *   - Functions of the host return 0 or a count on success and a negative errno
 *     value on failure, unless their comment says otherwise.  None may be called with a
 *     context that is not that of the callback being made.
 */
#ifndef UPKEEP_PLUGIN_H
#define UPKEEP_PLUGIN_H

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header.  Plugins of another major are never loaded. */
#define UPKEEP_ABI_MAJOR 1u
#define UPKEEP_ABI_MINOR 0u

/* The oldest host minor that the plugin can live with; define it before the
 * include to ask for more than 1.0.  Newer host functions than this must be
 * looked for with UPKEEP_HAS before use. */
#ifndef UPKEEP_NEEDS_MINOR
#define UPKEEP_NEEDS_MINOR 0u
#endif

#define UPKEEP_MAGIC 0x75706b70u /* "upkp" */

/* The longest message that crosses to the host in one call (failure, output, row, undo
 * payload with its names), in bytes: 128 KiB, names and lengths included; longer is
 * -EMSGSIZE.  A log text may be longer: it crosses in parts. */
#define UPKEEP_MESSAGE_MAX 131072u
/* The longest payload of an undo record, token of a plan, and value of an output, in
 * bytes: 64 KiB. */
#define UPKEEP_PAYLOAD_MAX 65536u

/*
 * TYPES of parameters, settings and outputs.  The configuration's text is
 * parsed and checked by the core; the plugin finds the C type named here.
 *   type              member                 written as
 */
#define UPKEEP_STRING 1u    /* const char *       "text"                           */
#define UPKEEP_INT 2u       /* int64_t            42                               */
#define UPKEEP_FLOAT 3u     /* double             1.5 (finite)                     */
#define UPKEEP_BOOL 4u      /* int32_t, 0 or 1    true, false                      */
#define UPKEEP_SIZE 5u      /* uint64_t, bytes    "64MiB", "1GB", "512"            */
#define UPKEEP_DURATION 6u  /* int64_t, ms        "250ms", "5m", "1h30m", "7d"     */
#define UPKEEP_PERCENT 7u   /* double, 0 to 100   "85%"                            */
#define UPKEEP_TIME 8u      /* int64_t, s (epoch) "2026-11-23", "2026-11-23T04:00Z" */
#define UPKEEP_PATH 9u      /* const char *       "/absolute/path"                 */
#define UPKEEP_HOSTPORT 10u /* const char *       "host:5432", "[::1]:5432"        */
#define UPKEEP_URL 11u      /* const char *       "https://host/path"              */
#define UPKEEP_CHOICE 12u   /* const char *       one of the words in `choices`    */
#define UPKEEP_SECRET 13u   /* const char *       "file:/etc/x.pw": the NAME; the text
                             *                    is asked for with upkeep_secret()  */
#define UPKEEP_GROUP 14u    /* a struct of your own, described by `fields`           */
/* A list of any of these: UPKEEP_LIST | UPKEEP_PATH, say.  The member is the
 * list struct below that fits the element; of groups, struct upkeep_groups. */
#define UPKEEP_LIST 0x100u

/* Lists: `items` has `count` elements; no element is NULL; empty is {NULL, 0}. */
struct upkeep_strings { /* STRING, PATH, HOSTPORT, URL, CHOICE, SECRET */
	const char *const *items;
	size_t count;
};
struct upkeep_ints { /* INT, DURATION, TIME */
	const int64_t *items;
	size_t count;
};
struct upkeep_sizes { /* SIZE */
	const uint64_t *items;
	size_t count;
};
struct upkeep_floats { /* FLOAT, PERCENT */
	const double *items;
	size_t count;
};
struct upkeep_bools { /* BOOL */
	const int32_t *items;
	size_t count;
};
struct upkeep_groups { /* GROUP: element i begins at (const char *)items + i * stride */
	const void *items;
	size_t count;
	size_t stride;
};

/* FLAGS of a parameter. */
#define UPKEEP_REQUIRED 1u  /* must be given */
#define UPKEEP_NONEMPTY 2u  /* a string or list must not be empty */
#define UPKEEP_GLOBS 4u     /* shell wildcards are meant; said in the manual */
#define UPKEEP_SEARCHED 8u  /* a PATH that may be a bare program name, searched in the
                             * fixed path /usr/local/sbin:...:/bin, never in $PATH */
#define UPKEEP_NO_UNDO 16u  /* a BOOL or CHOICE with a default, of an action that is
                             * CHANGES_RECORDED: with any other value the call counts as
                             * CHANGES_IRREVERSIBLE, and need push no records */

/*
 * A parameter of an action, a setting of a plugin, or a field of a group.
 * Made with UPKEEP_PARAM and its like below, never by position.
 */
struct upkeep_param {
	const char *name;    /* [a-z][a-z0-9_]*, up to 63 characters; not one of
	                      * UPKEEP_CORE_KEYS (settings and fields of groups may be) */
	const char *about;   /* one sentence without a full stop, up to 64 KiB */
	size_t offset;       /* of the member in the arguments struct, bytes; aligned for
	                      * its type, inside the struct */
	uint32_t type;       /* UPKEEP_STRING ... | UPKEEP_LIST */
	uint32_t flags;      /* UPKEEP_REQUIRED ... */
	int64_t min, max;    /* inclusive bounds of numbers in the member's unit (bytes, ms,
	                      * s, percent), of a list: of each element; both 0: none; max
	                      * below min: no greatest; min INT64_MIN: no least */
	const char *preset;  /* the default, written as in a configuration file without
	                      * its quotes; of a list: its elements with "|" between them;
	                      * NULL: none, the member is zero */
	const char *choices; /* of a CHOICE: "one|two|three" */
	const struct upkeep_param *fields; /* of a GROUP, with the plugin's param stride */
	size_t field_count; /* up to 256; groups nest up to 8 deep */
	size_t fields_size; /* sizeof the struct that `fields` describes, bytes */
};

/* An output of an action, for ${task.NAME}.  Types other than GROUP. */
struct upkeep_output {
	const char *name;  /* [a-z][a-z0-9_]*, up to 63 characters, once in its table */
	const char *about; /* one sentence without a full stop */
	uint32_t type;     /* UPKEEP_STRING ... | UPKEEP_LIST */
	uint32_t flags;    /* none yet: 0 */
};

/* What an action CHANGES: it decides what is made durable before it starts, and what is
 * said of it after a crash. */
#define UPKEEP_CHANGES_UNKNOWN 0u      /* it cannot say: the start is committed */
#define UPKEEP_CHANGES_NONE 1u         /* it only reads: nothing is synced */
#define UPKEEP_CHANGES_RECORDED 2u     /* every change is preceded by undo_push; the start
                                        * is synced, each record before its change */
#define UPKEEP_CHANGES_IRREVERSIBLE 3u /* cannot be put back; the start is synced.  Where
                                        * only some arguments make it so: UPKEEP_NO_UNDO */

/* FLAGS of an action. */
#define UPKEEP_STREAM_IN 1u        /* may read a stream (`from`) */
#define UPKEEP_STREAM_OUT 2u       /* may be read by others */
#define UPKEEP_STREAM_IN_NEEDED 4u /* is an error without `from` */
#define UPKEEP_READS_PART 8u       /* may stop reading before the end; it closes the stream
                                    * then, for what is upstream waits until it is read */
#define UPKEEP_RETRY_CONTINUES 16u /* a retry goes on from the records of the last attempt */
#define UPKEEP_LEAVES_RUNNING 32u  /* may leave a process running on purpose */
#define UPKEEP_PLANS_UNKNOWN 64u   /* `plan` copes with optional arguments that are not known
                                    * yet and asks for each: UPKEEP_UNKNOWN */

/* RESULTS of check, plan, run and undo. */
#define UPKEEP_UNCHANGED 0        /* fine, nothing was (would be) changed */
#define UPKEEP_CHANGED 1          /* fine, something was (would be) changed */
#define UPKEEP_FAILED (-1)        /* failed for good */
#define UPKEEP_FAILED_FOR_NOW (-2) /* failed, worth a retry */
#define UPKEEP_CANCELLED (-3)     /* stopped because cancel_fd said so */
#define UPKEEP_NEEDS_PERSON (-4)  /* a person has to decide */
/* RESULTS of probe, or a failure from above. */
#define UPKEEP_NOT_DONE 0
#define UPKEEP_DONE 1
#define UPKEEP_PARTLY 2

/* LEVELS of log. */
#define UPKEEP_DEBUG 0u
#define UPKEEP_INFO 1u
#define UPKEEP_WARN 2u /* counted in the summary; a failure under --strict */

/* One cell of a row. */
struct upkeep_cell {
	const char *name;  /* column; the same cells in every row of a table */
	const char *value; /* text; numbers in plain decimal, sizes in bytes, durations in ms,
	                    * times in s since the epoch; NULL: empty */
	uint32_t type;     /* UPKEEP_STRING, _INT, _SIZE, ...: how people see it */
	uint32_t flags;    /* none yet: 0 */
};

/*
 * An undo record.  `payload` is text made with upkeep_kv_put; larger pre-images
 * are files in the undo directory, named in `files`; the host syncs them, their
 * directory and the record before undo_push returns.  A payload that contains
 * the text of a secret is refused with -EPERM.  A plugin understands every kind
 * and version that it ever wrote.
 */
struct upkeep_undo {
	size_t struct_size; /* set by the host in what it passes; see UPKEEP_HAS_FIELD */
	const char *kind;   /* [a-z][a-z0-9-]*, up to 63 characters */
	uint32_t version;   /* of the kind; the plugin's own, from 1 */
	uint32_t flags; /* none yet: 0 */
	const char *payload; /* no NUL inside; in what the host passes one follows it */
	size_t payload_size; /* bytes, up to UPKEEP_PAYLOAD_MAX */
	const char *const *files; /* plain names of regular files inside the undo directory */
	size_t file_count;        /* up to 256 */
	const char *about; /* one line for people: "restore /etc/x from its copy" */
	uint64_t id;       /* given to undo() and probe(); ignored by undo_push */
	const char *fingerprint; /* what undo_applied said, given to undo() and probe(): NULL or
	                          * "" where it said nothing; ignored by undo_push */
};

/* A program to be started by the host, as the task's user, without a shell. */
struct upkeep_spawn {
	const char *const *argv; /* NULL-terminated; argv[0] is an absolute path, or a bare
	                          * name searched in the fixed path; never in $PATH */
	const char *const *env;  /* NULL-terminated NAME=VALUE; added to the task's
	                          * environment, never replaces it whole; NULL: none */
	const char *cwd;         /* NULL: the task's */
	/* Descriptor of yours that becomes 0, 1, 2 of the child; -1: /dev/null for 0,
	 * the task's log for 1 and 2.  Yours stay open and yours. */
	int32_t stdin_fd, stdout_fd, stderr_fd;
	uint32_t flags; /* none yet: 0 */
	/* Further descriptors: pass_from[i] of yours is pass_to[i] (3 to 60, each once) of
	 * the child's.  It gets no others. */
	const int32_t *pass_from, *pass_to;
	size_t pass_count; /* up to 13 */
};

/* Where an argument comes from (host->argument).  An unknown one is zero. */
#define UPKEEP_ARG_ABSENT 0  /* not given, no default */
#define UPKEEP_ARG_PRESET 1  /* not given, the default */
#define UPKEEP_ARG_GIVEN 2   /* written in the configuration */
#define UPKEEP_ARG_UNKNOWN 3 /* plan only: depends on an output that is not yet there */

struct upkeep_ctx;

/*
 * What a plugin may ask of the host.  `struct_size` says how much of the table
 * is there: use UPKEEP_HAS(ctx, function) for anything newer than your
 * UPKEEP_NEEDS_MINOR.
 */
struct upkeep_host {
	size_t struct_size; /* of the table as this host has it, bytes */
	uint32_t abi_major, abi_minor; /* the host's */

	/* A line for the task's log (and, for UPKEEP_WARN, the run's warnings).
	 * `size` bytes, any number, no NUL needed; newlines make further lines.  Secrets
	 * that the task was given are blanked, here and in every other text.  From any
	 * thread and in every callback. */
	void (*log)(struct upkeep_ctx *ctx, uint32_t level, const char *text, size_t size);

	/* How far the action is; total 0 is "unknown"; unit "bytes", "files", ..., or NULL.
	 * Calls more often than ten a second are merged.  From any thread and in every
	 * callback. */
	void (*progress)(struct upkeep_ctx *ctx, uint64_t done, uint64_t total, const char *unit);

	/* Sets a declared output, as text in the form of its type (lists: one
	 * element a call; others: the last call counts).  In run; up to 64 KiB a value and
	 * 16 MiB a task.  -ENOENT: not declared; -EINVAL: not of its type, or too long. */
	int32_t (*output)(struct upkeep_ctx *ctx, const char *name, const char *value);

	/* Adds a row to the named table, shown to people and in JSON, and kept with the
	 * run.  Up to 256 cells; cell_size is sizeof(struct upkeep_cell) as the plugin has
	 * it (upkeep_row gives it).  -EINVAL: no table or column name, too many cells;
	 * -EMSGSIZE. */
	int32_t (*row)(struct upkeep_ctx *ctx, const char *table, const struct upkeep_cell *cells,
		size_t count, size_t cell_size);

	/* Says why the action fails: what failed and on what, why (NULL: nothing to
	 * add), and what the person should type next (NULL: the same).  Returns
	 * `result`.  The log has it at once; the report names the last one, if the
	 * callback then returns a failure.  Each text is cut at UPKEEP_TEXT_MAX bytes.  In
	 * every callback. */
	int32_t (*fail)(struct upkeep_ctx *ctx, int32_t result, const char *what, const char *why,
		const char *next);

	/* plan only: one thing that would be done, and how it would be undone
	 * (NULL: it cannot be).  Elsewhere 0, and ignored.  -EINVAL: `doing` is NULL;
	 * -EMSGSIZE. */
	int32_t (*would)(struct upkeep_ctx *ctx, const char *doing, const char *undoing);
	/* plan only: leaves a token (up to UPKEEP_PAYLOAD_MAX bytes) for run; the last
	 * counts.  -EINVAL: not in plan; -EMSGSIZE: too long; -EPERM: it holds the text of a
	 * secret. */
	int32_t (*token_put)(struct upkeep_ctx *ctx, const void *token, size_t size);
	/* run only: the token that plan left: its size, or -ENOENT (no plan was saved).
	 * It lives until the callback returns, and is aligned for nothing but bytes. */
	int64_t (*token_get)(struct upkeep_ctx *ctx, const void **ret_token);

	/* Where the argument at `offset` of the arguments comes from: UPKEEP_ARG_*.
	 * -EINVAL: none begins there, or the callback has no arguments. */
	int32_t (*argument)(struct upkeep_ctx *ctx, size_t offset);

	/* run only: writes a record down, durably (synced to the disk, with its files),
	 * before the change that it describes.  record_size is sizeof(struct upkeep_undo) as
	 * the plugin has it (upkeep_undo_push gives it).  On success *ret_id names it, until
	 * the callback returns.  On failure nothing may be changed: -EPERM: it holds the text
	 * of a secret; -EINVAL: a bad kind, size or file, or not in run; -EROFS: in plan;
	 * others, such as -ENOSPC: it could not be written. */
	int32_t (*undo_push)(struct upkeep_ctx *ctx, const struct upkeep_undo *record,
		size_t record_size, uint64_t *ret_id);
	/* The change was made; `fingerprint` is the state now (for drift: probe and a later
	 * rollback compare it), or NULL; up to 64 KiB.  These three: -ENOENT: not an id of
	 * this callback (undo may name the record that it was given). */
	int32_t (*undo_applied)(struct upkeep_ctx *ctx, uint64_t id, const char *fingerprint);
	/* The change was not made after all. */
	int32_t (*undo_drop)(struct upkeep_ctx *ctx, uint64_t id);
	/* The change was put back: undo says so, or run when it takes a change back itself. */
	int32_t (*undo_done)(struct upkeep_ctx *ctx, uint64_t id);
	/* A descriptor of the directory for the files of this attempt's undo records (0700,
	 * the task's user); the same at each call.  To be asked for before a record names
	 * files.  -EINVAL: in open or close. */
	int32_t (*undo_dir)(struct upkeep_ctx *ctx);

	/* run only: the descriptor of the input (port UPKEEP_STREAM_IN) or output
	 * (UPKEEP_STREAM_OUT) stream, a pipe; -ENOENT where none is connected.  The plugin
	 * may close it or hand it to a child. */
	int32_t (*stream)(struct upkeep_ctx *ctx, uint32_t port);
	/* run only, after the last byte was read and before anything is published: 1 when
	 * every task upstream succeeded (also without an input), 0 when one failed: then
	 * nothing may be published.  May wait for long.  -EINVAL: not in run. */
	int32_t (*upstream_whole)(struct upkeep_ctx *ctx);

	/* A descriptor, the same at each call: readable (POLLIN) when the action must stop,
	 * for a cancelled run or a time limit; never to be read.  -EINVAL: in open or
	 * close. */
	int32_t (*cancel_fd)(struct upkeep_ctx *ctx);
	/* Milliseconds left until the task's time limit, 0 when it has passed;
	 * INT64_MAX: none. */
	int64_t (*deadline)(struct upkeep_ctx *ctx);

	/* Starts a program, as a child of the engine, in a process group of its own.  Returns
	 * a handle > 0, good until the callback returns; *ret_exit_fd (which may be NULL) is
	 * readable when it has ended (never to be read; the host's to close).  What still
	 * runs when the callback returns is killed, unless the action has
	 * UPKEEP_LEAVES_RUNNING.  spawn_size is sizeof(struct upkeep_spawn) as the plugin has
	 * it (upkeep_spawn_start gives it).  -ENOENT: no such program; -EBADF: a bad
	 * descriptor; -E2BIG: more than fits a message; -EINVAL: no argv, or in open or
	 * close. */
	int64_t (*spawn)(struct upkeep_ctx *ctx, const struct upkeep_spawn *spawn,
		size_t spawn_size, int32_t *ret_exit_fd);
	/* Waits for its end, as often as asked: 0 to 255 exit code, 256 + N killed by signal
	 * N.  -ECHILD: no such handle. */
	int32_t (*spawn_wait)(struct upkeep_ctx *ctx, int64_t handle);
	/* Sends a signal to it and its process group; of one that has ended: 0, and nothing.
	 * -ECHILD: no such handle; -EINVAL: no such signal. */
	int32_t (*spawn_kill)(struct upkeep_ctx *ctx, int64_t handle, int32_t signal);

	/* The text of the secret that a SECRET member names, NUL-terminated.  The pointer
	 * lives until the callback returns.  Only secrets named in this task or in the
	 * settings of its instance are given: -EPERM.  Returns its length in bytes; others:
	 * it could not be fetched, and the log says why.  Never put it into argv: any user
	 * of the machine reads /proc/PID/cmdline. */
	int64_t (*secret)(struct upkeep_ctx *ctx, const char *name, const char **ret_text);

	/* A directory of the task alone (0700), removed with all it holds when the
	 * task ends; its descriptor (the host's to close), and its path (ret_path may be
	 * NULL; it lives until the callback returns).  -EINVAL: in open or close. */
	int32_t (*temp_dir)(struct upkeep_ctx *ctx, const char **ret_path);
};

/*
 * The context of one callback.  Made by the host; read it, never write it.
 */
struct upkeep_ctx {
	size_t struct_size; /* as this host has it, bytes; see UPKEEP_HAS_FIELD */
	const struct upkeep_host *host;
	const void *settings; /* the settings struct of this instance; it outlives the context */
	const void *args;     /* the arguments struct; NULL in open, close and undo */
	void *session;        /* what open stored; NULL without open */
	const char *instance; /* the plugin's name in the configuration */
	const char *task;     /* "task" or "task/sub"; "" in open and close */
	const char *run_id;   /* "" outside runs */
	int64_t started_s;    /* when the run started, seconds since the epoch */
	uint32_t attempt;     /* 1 for the first */
	uint32_t flags;       /* none yet: 0 */
};

/* True where the host's table has `fn`. */
#define UPKEEP_HAS(ctx, fn) \
	((ctx)->host->struct_size >= \
			offsetof(struct upkeep_host, fn) + sizeof((ctx)->host->fn) && \
		(ctx)->host->fn != NULL)

/* True where a struct of the host (ctx, record) is long enough to hold `field`:
 * asked before reading one that is newer than UPKEEP_NEEDS_MINOR. */
#define UPKEEP_HAS_FIELD(pointer, struct_type, field) \
	((pointer)->struct_size >= \
		offsetof(struct_type, field) + sizeof(((struct_type *)0)->field))

/*
 * An action.  All callbacks are optional but `run`.
 */
struct upkeep_action {
	const char *name;  /* [a-z][a-z0-9-]*, up to 63 characters; used as "instance.name" */
	const char *about; /* one sentence without a full stop */
	uint32_t changes;  /* UPKEEP_CHANGES_* */
	uint32_t flags;    /* UPKEEP_STREAM_IN ... */
	const struct upkeep_param *params;
	size_t param_count; /* up to 256 */
	size_t params_size; /* sizeof the arguments struct, bytes, up to 1 MiB: the host makes it */
	const struct upkeep_output *outputs;
	size_t output_count; /* up to 256 */
	const char *manual; /* further paragraphs for `upkeep doc`; NULL: none */

	/* Rules between parameters; the core has checked each by itself.  Touches
	 * nothing outside.  Called before plan and before run, on the arguments that they
	 * get; a failure is theirs, and they are not called.  (`upkeep check` calls
	 * nothing.) */
	int32_t (*check)(struct upkeep_ctx *ctx);
	/* Says with would() what run would do.  Changes nothing.  Not called while an
	 * argument is not known yet, since it depends on an output that is not there; with
	 * UPKEEP_PLANS_UNKNOWN: while a required one is not, and without check before it. */
	int32_t (*plan)(struct upkeep_ctx *ctx);
	/* Is it done?  `record` NULL: for the arguments; else for that record (and args is
	 * NULL): DONE where the state is what its change left (see its fingerprint), NOT_DONE
	 * where it is as before the change, PARTLY where it is neither: then a later rollback
	 * refuses to touch it.  Changes nothing. */
	int32_t (*probe)(struct upkeep_ctx *ctx, const struct upkeep_undo *record);
	/* Does it.  May be killed at any moment: what was pushed before is undone then. */
	int32_t (*run)(struct upkeep_ctx *ctx);
	/* Puts back what the record describes; on success calls undo_done.  Works
	 * when called twice and when the change never happened, or half.  Has settings and
	 * secrets, no arguments: it may run on another day, after a newer version of the
	 * plugin was installed. */
	int32_t (*undo)(struct upkeep_ctx *ctx, const struct upkeep_undo *record);
};

/*
 * The plugin: the one exported symbol.  The first eight fields are frozen for
 * ever, in every major.
 */
struct upkeep_plugin {
	uint32_t magic;
	uint32_t abi_major, abi_minor; /* what the author compiled against */
	uint32_t needs_minor;          /* the oldest host minor it can live with */
	uint32_t struct_size;          /* sizeof(struct upkeep_plugin), as the author had it */
	uint32_t param_stride, action_stride, output_stride; /* sizes of table elements, bytes */
	const char *name;    /* [a-z][a-z0-9-]*, up to 63 characters: the file's name without ".so" */
	const char *version; /* the plugin's own, any text */
	const char *about;   /* one sentence without a full stop */
	const struct upkeep_param *settings;
	size_t setting_count; /* up to 256 */
	size_t settings_size; /* sizeof the settings struct, bytes */
	const struct upkeep_action *actions;
	size_t action_count; /* 1 to 256 */
	/* Once per worker, before its first call but check, for what actions share (a
	 * connection); stores its state in *ret_session.  0, or a failure (UPKEEP_FAILED,
	 * ...) that is then that task's; the next task tries again.  Optional. */
	int32_t (*open)(struct upkeep_ctx *ctx, void **ret_session);
	/* Before the worker ends in good order; only after an open that succeeded. */
	void (*close)(struct upkeep_ctx *ctx, void *session);
};

#ifdef __cplusplus
#define UPKEEP_EXTERN extern "C"
#else
#define UPKEEP_EXTERN extern
#endif
#if defined(__GNUC__)
#define UPKEEP_EXPORT __attribute__((visibility("default")))
#else
#define UPKEEP_EXPORT
#endif

/* Declares the symbol; UPKEEP_PLUGIN(...) defines it:
 *	UPKEEP_PLUGIN(.name = "hello", .version = "1.0", .about = "...",
 *		UPKEEP_SETTINGS(struct settings, settings), UPKEEP_ACTIONS(actions)); */
UPKEEP_EXTERN UPKEEP_EXPORT const struct upkeep_plugin upkeep_plugin;
#define UPKEEP_PLUGIN(...) \
	const struct upkeep_plugin upkeep_plugin = { \
		.magic = UPKEEP_MAGIC, \
		.abi_major = UPKEEP_ABI_MAJOR, \
		.abi_minor = UPKEEP_ABI_MINOR, \
		.needs_minor = UPKEEP_NEEDS_MINOR, \
		.struct_size = (uint32_t)sizeof(struct upkeep_plugin), \
		.param_stride = (uint32_t)sizeof(struct upkeep_param), \
		.action_stride = (uint32_t)sizeof(struct upkeep_action), \
		.output_stride = (uint32_t)sizeof(struct upkeep_output), \
		__VA_ARGS__ }

#define UPKEEP_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define UPKEEP_SETTINGS(struct_type, table) \
	.settings = (table), .setting_count = UPKEEP_COUNT(table), \
	.settings_size = sizeof(struct_type)
#define UPKEEP_ACTIONS(table) .actions = (table), .action_count = UPKEEP_COUNT(table)
/* In an action: its arguments struct with their table; its outputs. */
#define UPKEEP_PARAMS(struct_type, table) \
	.params = (table), .param_count = UPKEEP_COUNT(table), .params_size = sizeof(struct_type)
#define UPKEEP_OUTPUTS(table) .outputs = (table), .output_count = UPKEEP_COUNT(table)

/* The offset of a member, refused at compile time unless it has the C type that
 * belongs to the parameter's type. */
#if defined(__cplusplus)
#define UPKEEP_MEMBER(struct_type, member, ctype) offsetof(struct_type, member)
#else
#define UPKEEP_MEMBER(struct_type, member, ctype) \
	(offsetof(struct_type, member) + \
		0 * sizeof(_Generic(&((struct_type *)0)->member, ctype * : (char)0)))
#endif

/*
 * Makers of parameters.  After the sentence come further fields, by name and in
 * the order of struct upkeep_param (C++ insists on it):
 *	UPKEEP_PARAM_INT(struct args, jobs, "parallel workers", .min = 1, .max = 64,
 *		.preset = "1"),
 */
#define UPKEEP_PARAM_(s, m, ty, ct, text, ...) \
	{ .name = #m, .about = (text), .offset = UPKEEP_MEMBER(s, m, ct), .type = (ty), ##__VA_ARGS__ }
#define UPKEEP_PARAM_STRING(s, m, ...) UPKEEP_PARAM_(s, m, UPKEEP_STRING, const char *, __VA_ARGS__)
#define UPKEEP_PARAM_INT(s, m, ...) UPKEEP_PARAM_(s, m, UPKEEP_INT, int64_t, __VA_ARGS__)
#define UPKEEP_PARAM_FLOAT(s, m, ...) UPKEEP_PARAM_(s, m, UPKEEP_FLOAT, double, __VA_ARGS__)
#define UPKEEP_PARAM_BOOL(s, m, ...) UPKEEP_PARAM_(s, m, UPKEEP_BOOL, int32_t, __VA_ARGS__)
#define UPKEEP_PARAM_SIZE(s, m, ...) UPKEEP_PARAM_(s, m, UPKEEP_SIZE, uint64_t, __VA_ARGS__)
#define UPKEEP_PARAM_DURATION(s, m, ...) UPKEEP_PARAM_(s, m, UPKEEP_DURATION, int64_t, __VA_ARGS__)
#define UPKEEP_PARAM_PERCENT(s, m, ...) UPKEEP_PARAM_(s, m, UPKEEP_PERCENT, double, __VA_ARGS__)
#define UPKEEP_PARAM_TIME(s, m, ...) UPKEEP_PARAM_(s, m, UPKEEP_TIME, int64_t, __VA_ARGS__)
#define UPKEEP_PARAM_PATH(s, m, ...) UPKEEP_PARAM_(s, m, UPKEEP_PATH, const char *, __VA_ARGS__)
#define UPKEEP_PARAM_HOSTPORT(s, m, ...) \
	UPKEEP_PARAM_(s, m, UPKEEP_HOSTPORT, const char *, __VA_ARGS__)
#define UPKEEP_PARAM_URL(s, m, ...) UPKEEP_PARAM_(s, m, UPKEEP_URL, const char *, __VA_ARGS__)
#define UPKEEP_PARAM_CHOICE(s, m, ...) UPKEEP_PARAM_(s, m, UPKEEP_CHOICE, const char *, __VA_ARGS__)
#define UPKEEP_PARAM_SECRET(s, m, ...) UPKEEP_PARAM_(s, m, UPKEEP_SECRET, const char *, __VA_ARGS__)
#define UPKEEP_PARAM_STRINGS(s, m, ...) \
	UPKEEP_PARAM_(s, m, UPKEEP_LIST | UPKEEP_STRING, struct upkeep_strings, __VA_ARGS__)
#define UPKEEP_PARAM_PATHS(s, m, ...) \
	UPKEEP_PARAM_(s, m, UPKEEP_LIST | UPKEEP_PATH, struct upkeep_strings, __VA_ARGS__)
#define UPKEEP_PARAM_INTS(s, m, ...) \
	UPKEEP_PARAM_(s, m, UPKEEP_LIST | UPKEEP_INT, struct upkeep_ints, __VA_ARGS__)
#define UPKEEP_PARAM_DURATIONS(s, m, ...) \
	UPKEEP_PARAM_(s, m, UPKEEP_LIST | UPKEEP_DURATION, struct upkeep_ints, __VA_ARGS__)
#define UPKEEP_PARAM_SIZES(s, m, ...) \
	UPKEEP_PARAM_(s, m, UPKEEP_LIST | UPKEEP_SIZE, struct upkeep_sizes, __VA_ARGS__)
#define UPKEEP_PARAM_FLOATS(s, m, ...) \
	UPKEEP_PARAM_(s, m, UPKEEP_LIST | UPKEEP_FLOAT, struct upkeep_floats, __VA_ARGS__)
#define UPKEEP_PARAM_BOOLS(s, m, ...) \
	UPKEEP_PARAM_(s, m, UPKEEP_LIST | UPKEEP_BOOL, struct upkeep_bools, __VA_ARGS__)
#define UPKEEP_PARAM_CHOICES(s, m, ...) \
	UPKEEP_PARAM_(s, m, UPKEEP_LIST | UPKEEP_CHOICE, struct upkeep_strings, __VA_ARGS__)
/* A group: `g` is the member's own struct type, `table` its fields. */
#define UPKEEP_PARAM_GROUP(s, m, g, table, ...) \
	UPKEEP_PARAM_(s, m, UPKEEP_GROUP, g, __VA_ARGS__, .fields = (table), \
		.field_count = UPKEEP_COUNT(table), .fields_size = sizeof(g))
#define UPKEEP_PARAM_GROUPS(s, m, g, table, ...) \
	UPKEEP_PARAM_(s, m, UPKEEP_LIST | UPKEEP_GROUP, struct upkeep_groups, __VA_ARGS__, \
		.fields = (table), .field_count = UPKEEP_COUNT(table), .fields_size = sizeof(g))
#define UPKEEP_OUT(out_name, out_type, text) \
	{ .name = (out_name), .about = (text), .type = (out_type) }

/* The keys of a task that belong to the core: no parameter has such a name. */
#define UPKEEP_CORE_KEYS \
	"action about after from run_if when each retry timeout kill_after stall ignore_failure lock " \
	"pool run_as run_as_group umask env cwd nice limits rollback pivot confirm_within " \
	"leaves_running log_max task"

/* ---- wrappers: what plugin code calls -------------------------------------- */

#if defined(__GNUC__)
#define UPKEEP_PRINTF(a, b) __attribute__((format(printf, a, b), unused))
#define UPKEEP_UNUSED __attribute__((unused))
#else
#define UPKEEP_PRINTF(a, b)
#define UPKEEP_UNUSED
#endif

/* Longest text that a formatting wrapper makes; longer is cut. */
#define UPKEEP_TEXT_MAX 8192

/* Logs a line made as by printf; a level of UPKEEP_DEBUG ... UPKEEP_WARN. */
UPKEEP_PRINTF(3, 4)
static inline void upkeep_log(struct upkeep_ctx *ctx, uint32_t level, const char *format, ...)
{
	char text[UPKEEP_TEXT_MAX];
	va_list ap;
	va_start(ap, format);
	int n = vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	if (n >= 0)
		ctx->host->log(ctx, level, text, strlen(text));
}
#define upkeep_info(ctx, ...) upkeep_log((ctx), UPKEEP_INFO, __VA_ARGS__)
#define upkeep_warn(ctx, ...) upkeep_log((ctx), UPKEEP_WARN, __VA_ARGS__)

/* return upkeep_fail(ctx, UPKEEP_FAILED, "upkeep show RUN", strerror(errno),
 *	"cannot open %s", path);  `next` and `why` may be NULL. */
UPKEEP_PRINTF(5, 6)
static inline int32_t upkeep_fail(struct upkeep_ctx *ctx, int32_t result, const char *next,
	const char *why, const char *format, ...)
{
	char what[UPKEEP_TEXT_MAX];
	va_list ap;
	va_start(ap, format);
	int n = vsnprintf(what, sizeof what, format, ap);
	va_end(ap);
	/* In parentheses: cmocka has a macro of that name. */
	return (ctx->host->fail)(ctx, result, n < 0 ? format : what, why, next);
}

/* Set an output: see host->output for what they return. */
static inline UPKEEP_UNUSED int32_t upkeep_output_text(struct upkeep_ctx *ctx, const char *name,
	const char *value)
{
	return ctx->host->output(ctx, name, value);
}
static inline UPKEEP_UNUSED int32_t upkeep_output_int(struct upkeep_ctx *ctx, const char *name,
	int64_t value)
{
	char text[24];
	snprintf(text, sizeof text, "%lld", (long long)value);
	return ctx->host->output(ctx, name, text);
}

/* upkeep_would(ctx, "remove it", "write %s", path): how it is undone (NULL: it cannot be)
 * comes first. */
UPKEEP_PRINTF(3, 4)
static inline int32_t upkeep_would(struct upkeep_ctx *ctx, const char *undoing,
	const char *format, ...)
{
	char doing[UPKEEP_TEXT_MAX];
	va_list ap;
	va_start(ap, format);
	int n = vsnprintf(doing, sizeof doing, format, ap);
	va_end(ap);
	return ctx->host->would(ctx, n < 0 ? format : doing, undoing);
}

/* The three calls that pass a struct, with its size as this header has it; `cells` is an
 * array. */
#define upkeep_row(ctx, table, cells) \
	((ctx)->host->row((ctx), (table), (cells), UPKEEP_COUNT(cells), sizeof((cells)[0])))
#define upkeep_undo_push(ctx, record, ret_id) \
	((ctx)->host->undo_push((ctx), (record), sizeof(struct upkeep_undo), (ret_id)))
#define upkeep_spawn_start(ctx, what, ret_exit_fd) \
	((ctx)->host->spawn((ctx), (what), sizeof(struct upkeep_spawn), (ret_exit_fd)))

/* In a plan with UPKEEP_PLANS_UNKNOWN: true where the member's value is not known yet.  And:
 * true where it was written down, or will be known, so that its default does not hold. */
#define UPKEEP_UNKNOWN(ctx, struct_type, member) \
	((ctx)->host->argument((ctx), offsetof(struct_type, member)) == UPKEEP_ARG_UNKNOWN)
#define UPKEEP_GIVEN(ctx, struct_type, member) \
	((ctx)->host->argument((ctx), offsetof(struct_type, member)) >= UPKEEP_ARG_GIVEN)

/*
 * Payloads: lines "key=value", in which a backslash, a newline and a carriage
 * return of the value are written \\, \n, \r.  Keys are [a-z0-9_]+.
 */

/* Appends to payload[*size] within `room` bytes, NUL-terminated. -ENOSPC: full. */
static inline UPKEEP_UNUSED int32_t upkeep_kv_put(char *payload, size_t room, size_t *size,
	const char *key, const char *value)
{
	size_t at = *size, k = strlen(key);
	if (room < 3 || at > room - 3 || k > room - 3 - at)
		return -ENOSPC;
	memcpy(payload + at, key, k);
	at += k;
	payload[at++] = '=';
	for (; *value; value++) {
		char c = *value;
		char escape = (char)(c == '\\' ? '\\' : c == '\n' ? 'n' : c == '\r' ? 'r' : 0);
		if (room - at < 4)
			return -ENOSPC;
		if (escape)
			payload[at++] = '\\';
		payload[at++] = escape ? escape : c;
	}
	if (room - at < 2)
		return -ENOSPC;
	payload[at++] = '\n';
	payload[at] = 0;
	*size = at;
	return 0;
}

/* Copies the value of `key` into value[room], NUL-terminated.  Returns its
 * length; -ENOENT: no such key; -ENOSPC: does not fit; -EINVAL: bad escape. */
static inline UPKEEP_UNUSED int64_t upkeep_kv_get(const char *payload, size_t size,
	const char *key, char *value, size_t room)
{
	size_t k = strlen(key), at = 0;
	while (at < size) {
		const char *line = payload + at;
		const char *end = (const char *)memchr(line, '\n', size - at);
		size_t n = end ? (size_t)(end - line) : size - at;
		at += n + 1;
		if (n <= k || memcmp(line, key, k) != 0 || line[k] != '=')
			continue;
		size_t out = 0;
		for (size_t i = k + 1; i < n; i++) {
			char c = line[i];
			if (c == '\\') {
				if (++i >= n)
					return -EINVAL;
				c = line[i];
				if (c != '\\' && c != 'n' && c != 'r')
					return -EINVAL;
				c = (char)(c == 'n' ? '\n' : c == 'r' ? '\r' : '\\');
			}
			if (out + 1 >= room)
				return -ENOSPC;
			value[out++] = c;
		}
		if (out >= room)
			return -ENOSPC;
		value[out] = 0;
		return (int64_t)out;
	}
	return -ENOENT;
}

#ifdef __cplusplus
}
#endif

#endif
