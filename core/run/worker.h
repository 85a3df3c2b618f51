/* Workers as the engine sees them: shared by worker.c (their life), host.c (what
 * their actions ask for) and recording.c (the undo records they write). */
#ifndef UPKEEP_RUN_WORKER_H
#define UPKEEP_RUN_WORKER_H

#include "run/engine.h"

/* A process that runs actions of one instance under one set of options. */
struct worker {
	struct source socket;
	struct source output; /* what it prints by itself */
	struct engine *engine;
	const struct instance *instance;
	const struct task_options *options; /* of the task it was started for */
	uint32_t number;
	pid_t pid;
	char mark[KEEP_MARK_SIZE]; /* of what its plugin forks */
	bool loaded;               /* it has its plugin: what the start helper said is over */
	bool guarded;              /* carries the mark of a task that a guard may kill */
	bool reaped, dead;         /* dead: its socket has ended or is not read any more */
	int status;
	struct cgroup cgroup;
	struct cgroup_limit limit;
	struct attempt *attempt; /* whose action it runs; NULL: idle */
	int64_t serial;
	VEC(const struct secret *) secrets; /* that it was told */
};

/* A program that an action asked for. */
struct child {
	pid_t pid;
	int end_fd; /* hears its end; -1: it has ended */
};

/* The side of an attempt that runs an action. */
struct action {
	struct worker *worker;
	bool done;      /* the worker said DONE, or can say nothing any more */
	int cancel_fd;  /* the worker's end of a pipe, -1: not asked for */
	int cancel_end; /* ours */
	char *temp_dir;
	int temp_fd; /* -1: not asked for */
	int log_end; /* write end of the log for its programs, -1: none yet */
	VEC(struct child) children;
	uint64_t undo_id; /* to be answered when it is synced; 0: none */
	bool between;     /* a record is put back: the next comes when that is synced */
	uint64_t output_bytes, row_bytes, record_bytes;
	uint32_t record_count, spawn_count, warning_count;
	bool records_full;
};

/* worker.c: it is not read any more, and killed; why is what its task failed of. */
#define DISTRUST_FORM "wrote something else than messages to its socket"
#define DISTRUST_DEAF "does not read what it is told"
void worker_distrust(struct worker *worker, const char *why);

/* host.c: one message of the worker.  A negative errno: it is not to be believed. */
int host_message(struct worker *worker, struct wire_in *in);
/* host.c: of an action that did not succeed, and perhaps said nothing at its end. */
bool action_may_have_changed(const struct attempt *attempt);
/* The answer to the worker's question: a negative errno where it does not read what it is told. */
int host_answer(struct worker *worker, int64_t result, int fd, const char *path,
	const struct secret_text *data);
int host_answer_plain(struct worker *worker, int64_t result);
/* Opens a directory, which belongs to the task's user from then on. */
int host_own_dir(struct attempt *attempt, int dir, const char *path);

/* recording.c: what a worker says of undo records; results as host_message. */
int recording_push(struct worker *worker, struct wire_in *in);
int recording_change(struct attempt *attempt, struct wire_in *in, enum journal_undo_state state);
int recording_open_dir(struct worker *worker);

#endif
