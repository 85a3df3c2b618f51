/*
 * The inside of room run: the engine's state, shared by its files.
 *
 *	engine.c   the loop: decisions, intents, starts, ends
 *	deed.c     one decision → what is done about it
 *	undoing.c  the undo of one task: its tries, its records
 *	again.c    an earlier run: from the journal to where the engine goes on
 *	guarded.c  a task with confirm_within, as the engine sees it; guardian.c: its guard
 *	foresee.c  plan_only; compare.c: probe_only
 *	probe.c    what is asked before that: did unknown tasks happen, has anything drifted?
 *	attempt.c  one attempt of a task, from its start to its end, whatever it runs
 *	remains.c  what it leaves alive, and what cannot be killed
 *	program.c  core.exec; worker.c, host.c, recording.c: actions of plugins;
 *	confirm.c  core.confirm
 *	stream.c   pipes from processes to logs, captures and outputs
 *	flow.c     streams from task to task; whole.c: their ends, and who may publish
 */
#ifndef UPKEEP_RUN_ENGINE_H
#define UPKEEP_RUN_ENGINE_H

#include "base/arena.h"
#include "base/vec.h"
#include "decide/decide.h"
#include "journal/journal.h"
#include "plan/build.h"
#include "run/blank.h"
#include "run/cgroup.h"
#include "run/keep.h"
#include "run/locks.h"
#include "run/log.h"
#include "run/run.h"
#include "run/secret.h"
#include "undo/record.h"
#include "wire/wire.h"

#include <sys/epoll.h>
#include <sys/resource.h>

struct engine;
struct attempt;
struct flow;
struct flow_end;
struct flows;
struct guarded;
struct guardian;
struct worker;
struct action;

/* Something that epoll watches. */
struct source {
	int fd; /* -1: none */
	void (*ready)(struct engine *engine, struct source *source, uint32_t events);
};

/* A place for one running gang. */
struct slot {
	bool busy;
	uint32_t running; /* members that have not ended */
	struct cgroup cgroup;
	bool has_cgroup;     /* made at its first use */
	bool stuck;          /* something in it cannot be killed: it stays busy */
	struct flows *flows; /* of its gang; NULL: there are none */
};

/* A pipe that a process writes and we read. */
enum stream_kind { STREAM_LOG, STREAM_CAPTURE, STREAM_LINES, STREAM_KINDS };
struct stream {
	struct source source;
	struct attempt *attempt;
	enum stream_kind kind;
	struct text kept; /* CAPTURE, LINES */
	bool overflow;    /* more than is kept */
};

/* The arguments of core.exec. */
struct exec {
	const char **argv;
	char path[256];
	const char *stdout_path;
	char *temporary; /* of stdout_path, until it is renamed */
	const char *capture;
	const struct value *outputs, *ok, *transient;
};

enum attempt_kind { ATTEMPT_RUN, ATTEMPT_UNDO, ATTEMPT_PROBE };
enum attempt_phase {
	ATTEMPT_NEW, /* also while its guard is being armed */
	ATTEMPT_RUNNING,
	ATTEMPT_LEFTOVERS,
	ATTEMPT_CONFIRMING, /* it is done, and waits for a person or its guard */
	ATTEMPT_OVER,
};

/* One try of a task, of its undo, or a question to it. */
struct attempt {
	struct attempt *next;
	struct engine *engine;
	uint32_t task, number;
	const struct plan_detail *detail;
	const struct task_options *options;
	uint8_t changes;         /* UPKEEP_CHANGES_*: its class */
	const char *action_name; /* "instance.action" */
	struct slot *slot;
	enum attempt_kind kind;
	struct undoing *undoing;    /* ATTEMPT_UNDO: what it is a try of */
	struct undo_record *record; /* that the plugin is given; NULL: it gets arguments */
	struct guarded *guarded;    /* has confirm_within; else NULL */
	struct flow_end *input;     /* the stream that it reads; NULL: none */
	struct flow *output;        /* ... writes; NULL: nobody reads it */
	bool asks_whole;            /* its action waits for the answer to upstream_whole */
	int probed;                 /* ATTEMPT_PROBE: UPKEEP_DONE, _NOT_DONE, _PARTLY */
	enum attempt_phase phase;
	struct arena arena;
	struct value args;         /* resolved */
	const char *cwd;           /* resolved, NULL: "/" */
	char mark[KEEP_MARK_SIZE]; /* of its processes, in their environment; "": it has none */

	pid_t pid; /* of the program; 0: none */
	bool reaped;
	int status;
	struct rusage usage;
	struct stream streams[STREAM_KINDS];
	struct stream starting; /* what start helpers have to say: one pipe for all of them */
	int starting_end;       /* its write end, ours; -1: none yet */
	struct exec exec;
	struct cgroup_limit limit;
	struct action *action;   /* of a plugin */
	struct confirm *confirm; /* of core.confirm */

	struct log log;
	struct blank blank;
	struct text line; /* unfinished line for the watcher */

	int64_t started_ms, started_wall_ms;           /* monotonic, wall */
	int64_t timeout_at_ms, kill_at_ms, look_at_ms; /* INT64_MAX: never */
	int64_t time_limit_ms;                         /* 0: none */
	int64_t stuck_at_ms; /* when what was killed, and lives, counts as stuck */
	bool timed_out, cancelled, killed;
	bool stuck;         /* some of it cannot be killed: it ends all the same */
	bool run_timed_out; /* cancelled by the time limit of the graph */
	bool ended_well;    /* the program's exit code is one of `ok` */

	/* What came out of it. */
	enum task_state state;
	enum task_reason reason;
	int exit_code; /* -1: none; 256 + N: signal */
	bool changed, transient;
	char *message, *next_step;
};

struct output {
	char *name, *value;
	struct output *next;
};
/* What is remembered of every task. */
struct task_memory {
	struct output *outputs, *last_output;
	const char *refused; /* why its locks could not be taken; the arena's */
	struct undo_record *records;
	uint32_t attempts, undo_tries; /* so far, those of an earlier process included */
	int16_t exit_code;
	uint8_t state, reason; /* of the last row in the journal */
	uint8_t undo;          /* enum undo_state, as the journal has it */
};

/* A lock or place that we hold. */
struct held {
	uint32_t gang; /* PLAN_NONE: of the whole run */
	int fd;
};
/* A gang that waits for its locks. */
struct waiter {
	uint32_t gang;
	int64_t until_ms, retry_at_ms, pause_ms;
};

struct user {
	const char *key_name, *key_group; /* as the task names them, NULL: the caller's */
	bool other;                       /* than the engine's own */
	const char *name;
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	size_t group_count;
	const char *home;
	char *home_variable, *user_variable, *logname_variable; /* "HOME=..." */
};

struct engine {
	const struct plan *plan;
	const struct run_options *options;
	const struct run_setup *setup;
	struct arena arena;
	struct cgroups *cgroups;
	struct journal *journal;
	struct decide *decide;
	struct plan_lookup lookup;
	const char *program; /* upkeep itself */
	const char *program_path;
	int64_t now_ms; /* of this turn, monotonic */

	int epoll;
	struct source signals, keeper;
	struct epoll_event batch[64];
	int batch_count;

	VEC(struct slot *) slots;
	struct attempt *running;
	VEC(struct attempt *) starting;
	struct task_memory *memory;
	struct secrets secrets;
	VEC(struct user *) users;
	VEC(struct held) held;
	VEC(struct waiter) waiters;
	VEC(struct undoing *) undoings;
	struct guardian *guardian; /* this is no engine but the guard of a task; else NULL */
	struct probing *probing; /* questions before an earlier run goes on; NULL: none are open */
	VEC(struct worker *) workers;
	uint32_t worker_serial;
	VEC(char *) env; /* what every task gets */
	struct wire_in in;
	struct wire_out out;
	int *plugin_fds;  /* of the site's instances, opened once; 0: not yet */
	bool undo_waits;  /* an undo record is to be synced, then answered */
	bool told_worker; /* something, in this turn */
	bool undecided;   /* an event has come since decisions were carried out */
	bool would;       /* plan_only: something would be changed */
	char *mounts;     /* /proc/self/mountinfo, read once */

	bool graph_synced; /* the resolved graph is on the disk */
	bool results_wait; /* results of tasks that may change something are queued */
	bool broken;       /* the journal cannot be written */
	bool full;         /* the disk: nothing goes forward any more */
	int64_t flush_at_ms;
	int64_t signal_ms[3]; /* when the last signals came, the newest first */
	uint32_t cancels;
	bool turned;             /* it rolls back */
	bool unconfirmed;        /* an earlier run, a task of which was not confirmed in time */
	enum run_state was;      /* of an earlier run, before this */
	struct journal_run past; /* its row; texts are the arena's */
	bool untouched;          /* it stays as it was */
	const char *undo_cause;  /* "undo of task X: why", the arena's; NULL: none failed */
	uint32_t warnings;
	enum exit_code refused_code; /* why its locks were not to be had; 0: they were */
	bool finished;
	enum run_state run_state;
	enum exit_code exit_code;
	char *cause;      /* "failed task X: why" */
	const char *next; /* what to do about it; NULL; the arena's */
};

/* What the caller of run_execute prepared before it parted into keeper and engine. */
struct run_setup {
	const struct plan *plan;
	const struct run_options *options;
	struct cgroups *cgroups;
	struct secrets *secrets; /* that were fetched already: the engine's */
	char id[RUN_ID_SIZE];
	bool again; /* an earlier run */
	enum run_again how;
	bool rebooted;         /* since it began: what was not synced may be lost */
	const char *state_dir; /* the site's; with plan_only one for the time being */
	int64_t started_ms;    /* wall */
	int run_dir;           /* STATE_DIR/runs/ID */
	bool guard;            /* this is the guard of a task */
	int keeper_fd;         /* our end of the pair */
	pid_t keeper;
};

/* The engine, whole: called in the child of the keeper.  Returns the exit code; a
 * message in err goes to standard error. */
enum exit_code engine_main(const struct run_setup *setup, struct error *err);
/* The guard of a task, whole: called in a child of the keeper that nothing else holds on to.
 * `socket` is its end of a pair with the engine. */
void guardian_main(const struct run_setup *setup, uint32_t task, int socket);

/* engine.c */
void engine_watch(struct engine *engine, struct source *source, uint32_t events);
void engine_unwatch(struct engine *engine, struct source *source); /* closes it */
void engine_tell(struct engine *engine, const struct run_event *event);
int engine_flush(struct engine *engine, enum journal_sync sync);
void engine_warn(struct engine *engine, uint32_t task, const char *text);
/* "time limit of ... reached", which becomes the run's cause where it has none. */
const char *engine_time_limit(struct engine *engine);
/* Makes the decider (anew) for a run that begins there. */
void engine_decide(struct engine *engine, enum decide_begin begin);
/* Tells decide, with the time of this turn. */
void engine_event(struct engine *engine, const struct event *event);

/* The name of its action, also where its plugin is not there any more. */
static inline const char *detail_action(const struct plan_detail *detail)
{
	return detail->task->action ? detail->task->action->decl.name : detail->missing_action;
}

/* signals.c */
int signals_open(struct engine *engine, struct error *err);
void signals_keeper_ready(struct engine *engine, struct source *source, uint32_t events);

/* deed.c */
void deed_carry_out(struct engine *engine, const struct decision *decision);
void deed_tend_waiters(struct engine *engine);
void outputs_free(struct task_memory *memory);
int64_t deed_next_ms(const struct engine *engine);
/* A free slot, or a new one, for so many attempts that start together. */
struct slot *engine_slot(struct engine *engine, uint32_t running);

/* attempt.c */
struct attempt *attempt_new(
	struct engine *engine, uint32_t task, uint32_t number, struct slot *slot);
void attempt_launch(struct attempt *attempt);
/* Frees one that was never launched, with its slot. */
void attempt_drop(struct attempt *attempt);
/* Asks it to stop; `kill` at once. */
void attempt_cancel(struct attempt *attempt, bool kill);
void attempt_time(struct attempt *attempt);
int64_t attempt_next_ms(const struct attempt *attempt);
/* A process of it has ended (its program, or one of its action). */
bool attempt_reaped(struct attempt *attempt, pid_t pid, int status, const struct rusage *usage);
/* Its main process or action is over: ends what it left, then the attempt. */
void attempt_check(struct attempt *attempt);
/* Says why it failed (the first word counts); texts are copied and blanked. */
void attempt_fail(struct attempt *attempt, enum task_reason reason, const char *next,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
void attempt_output(struct attempt *attempt, const char *name, const char *value, bool list);
/* Sends a signal to all its processes that belong to its group. */
void attempt_signal(struct attempt *attempt, int signal);
int attempt_resolve(
	struct attempt *attempt, const struct value *value, struct value *ret, struct error *err);
/* Bytes for its log: blanked, told line by line. */
void attempt_log(struct attempt *attempt, const char *bytes, size_t size, bool last);

/* Its plan_detail, and what follows from it. */
void attempt_bind(struct attempt *attempt, const struct plan_detail *detail);

/* remains.c */
/* Ends what its main process left; true where something is still alive that must end first. */
bool remains_end(struct attempt *attempt);
/* It was killed: from now on it is waited for, and not for ever. */
void remains_wait(struct attempt *attempt);
/* That time is over: it fails, and its undo is held. */
void remains_give_up(struct attempt *attempt);

/* guarded.c */
/* Asks for a guard; the attempt is launched when it is armed. */
int guarded_start(struct attempt *attempt, struct error *err);
bool guarded_is_armed(const struct attempt *attempt);
/* The guard has the record too; a negative errno: then it does not count as written. */
int guarded_push(struct attempt *attempt, const struct journal_undo *row);
/* The attempt's processes have ended: true where its end waits for somebody. */
bool guarded_waits(struct attempt *attempt);
/* Looks what has become of it. */
void guarded_look(struct attempt *attempt);
void guarded_end(struct attempt *attempt);
/* What the guard has made of it: UNDO_NOTHING where the engine is to undo it. */
enum undo_state guarded_undo(const struct attempt *attempt);
bool guarded_is_unconfirmed(const struct attempt *attempt);

/* guardian.c */
int guardian_open(struct engine *engine, uint32_t task, int socket, struct error *err);
/* Once a turn: fires where the time has come. */
void guardian_turn(struct engine *engine);
void guardian_undone(struct engine *engine, enum undo_state state);
int64_t guardian_next_ms(const struct engine *engine);
/* A worker could not load its plugin. */
void guardian_refused(struct engine *engine, const char *why, const char *next);
/* A process was started, which memory shortage may end like any other. */
void guardian_spawned(const struct engine *engine, pid_t pid);

/* undoing.c */
/* Fetches what the undo of a task needs and can be fetched before; 1: it has started a worker
 * for it, 0: it needs none. */
int undoing_prepare(struct engine *engine, uint32_t task, struct error *err);
/* What a guard has done is in the journal, as if the engine had: its try, and the records. */
void undoing_by_guard(struct engine *engine, uint32_t task, enum undo_state state);
void undoing_begin(struct engine *engine, uint32_t task);
/* Kills the undo of the task, which is then held. */
void undoing_stop(struct engine *engine, uint32_t task);
void undoing_hold(struct engine *engine, uint32_t task);
/* A try has ended. */
void undoing_ended(struct attempt *attempt);
/* The plugin has put the attempt's record back: gives it the next one; false: there is none. */
bool undoing_next_record(struct attempt *attempt);
void undoing_time(struct engine *engine);
int64_t undoing_next_ms(const struct engine *engine);
void undoing_free(struct engine *engine);
/* Is there anything that could put the task back? */
bool undoing_is_possible(const struct engine *engine, uint32_t task);

/* again.c */
int again_load(struct engine *engine, struct error *err);
/* Outputs, records and tries to undo them, of the run as it is in the journal. */
int again_read_past(struct engine *engine, struct error *err);
/* All questions are answered: the engine goes on. */
void again_begin(struct engine *engine);
/* The run stays as it was; `cause` becomes the engine's. */
void again_refuse(struct engine *engine, enum exit_code code, char *cause);
/* Nothing was left to do in it before. */
bool again_was_settled(const struct engine *engine);

/* probe.c */
void probe_begin(struct engine *engine);
void probe_ended(struct attempt *attempt);
/* No more is asked, and the run stays as it is. */
void probe_cancel(struct engine *engine);

/* user.c: looked up once a run. */
const struct user *engine_user(
	struct engine *engine, const struct task_options *options, struct error *err);

/* Is it a question to `probe`, whoever asks? */
bool attempt_probes(const struct attempt *attempt);

/* compare.c, probe_only */
/* False where the action cannot be asked: the attempt is over, its message says why. */
bool compare_can_ask(struct attempt *attempt);
/* Tells what came out of it, which is no failure. */
void compare_ended(struct attempt *attempt);

/* foresee.c: the task after which the value is known; NULL: it is. */
const char *foresee_unknown(const struct value *value);
/* plan_only: says which arguments are not known yet; false where they are too few
 * to ask the action. */
bool foresee_arguments(struct attempt *attempt);
/* Says which program would run, and succeeds. */
int foresee_program(struct attempt *attempt, struct error *err);

/* program.c */
int program_start(struct attempt *attempt, struct error *err);
/* Nothing of it can write any more, but what is in the pipes. */
void program_end(struct attempt *attempt);
/* After the pipes were read: what its end means. */
void program_judge(struct attempt *attempt);

/* launch.c */
struct launch_request {
	struct attempt *attempt;
	const char *path; /* absolute */
	char *const *argv;
	char *const *envp;
	const char *cwd; /* NULL: "/" */
	const struct process_fd *fds;
	size_t fd_count;
	struct cgroup *cgroup;
	bool is_worker; /* which holds what is told it with each START */
};
/* Starts a program as the task wants it: user, directory, limits, umask, nice, cgroup;
 * by a helper process where the exec could hang. */
int program_launch(const struct launch_request *request, struct process *ret, struct error *err);
/* The task's limits that are set in the process, at most 8; the cgroups of the others. */
size_t launch_limits(const struct attempt *attempt, struct process_limit *limits);
/* The secrets of its environment are blanked in what it says, also where a worker has them that
 * was started for another task. */
int launch_blank(struct attempt *attempt, struct error *err);
int launch_open_limit(struct attempt *attempt, struct cgroup *cgroup, struct error *err);
/* The task's environment with `more` (NAME=VALUE, NULL-terminated, may be NULL); an
 * array to be freed, its strings live as long as the attempt, those of `more` as they do. */
char **program_environment(struct attempt *attempt, const char *const *more, struct error *err);

/* stream.c */
int stream_open(struct attempt *attempt, struct stream *stream, enum stream_kind kind,
	int *ret_write_end, struct error *err);
/* Reads what is there; closes it. */
void stream_finish(struct stream *stream);

/* flow.c */
/* The streams of a gang that is to start in this slot. */
int flows_open(struct engine *engine, uint32_t gang, struct slot *slot, struct error *err);
void flows_close(struct engine *engine, struct slot *slot);
/* Finds the attempt's own in those of its slot. */
void flow_bind(struct attempt *attempt);
/* The descriptors for its process, -1: none; the hold is for every process that may read. */
int flow_input_fd(const struct attempt *attempt);
int flow_output_fd(const struct attempt *attempt);
int flow_hold_fd(const struct attempt *attempt);
/* Adds them to the START of its action. */
void flow_send(const struct attempt *attempt, struct wire_out *out);
/* When it has been reading nothing of what there is for too long; INT64_MAX: never. */
int64_t flow_stall_ms(const struct attempt *attempt);
/* Its process has them, or will never be. */
void flow_parted(struct attempt *attempt);

/* whole.c */
/* Lets readers see the end where it has come; lets the next action publish. */
void flows_settle(struct engine *engine, struct slot *slot);
/* The action asks upstream_whole; a negative errno as host_message. */
int flow_ask(struct attempt *attempt);
/* It will not be: what waits for the answer is told. */
void flow_refuse(struct attempt *attempt);
/* It has succeeded, as far as it can tell: did it read all? */
void flow_judge(struct attempt *attempt);
/* Its result is in the journal. */
void flow_ended(struct attempt *attempt);

/* lookup.c */
void lookup_init(struct engine *engine);

/* confirm.c */
int confirm_start(struct attempt *attempt, struct error *err);
void confirm_end(struct attempt *attempt);

/* worker.c */
/* The fields of a record that START and RECORD share, its id too. */
void wire_record(struct wire_out *out, const struct journal_undo *row);
int action_start(struct attempt *attempt, struct error *err);
/* Starts a worker that fits the attempt, and leaves it idle. */
int action_prepare(struct attempt *attempt, struct error *err);
/* Sends the worker what the attempt is to do next. */
int action_send(struct attempt *attempt, struct error *err);
/* The attempt is to stop: tells the action, or kills its worker. */
void action_cancel(struct attempt *attempt, bool kill);
bool action_is_over(const struct attempt *attempt);
pid_t action_process(const struct attempt *attempt); /* that works on it; 0: none any more */
/* It is over, whatever its worker still does, which is given nothing more to do. */
void action_abandon(struct attempt *attempt);
void action_end(struct attempt *attempt);
/* A program that the action asked for has ended. */
bool action_reaped(struct attempt *attempt, pid_t pid, int status, const struct rusage *usage);
/* Is that the process of a worker? */
bool workers_include(const struct engine *engine, pid_t pid);
bool workers_reaped(struct engine *engine, pid_t pid, int status);
void workers_close(struct engine *engine);

/* recording.c: the records of this turn are synced, or that failed with `r`. */
void recording_answer(struct engine *engine, int r);

#endif
