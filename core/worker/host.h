/* The host table as a worker serves it: each call becomes messages to the engine. */
#ifndef UPKEEP_WORKER_HOST_H
#define UPKEEP_WORKER_HOST_H

#include "base/arena.h"
#include "base/vec.h"
#include "wire/wire.h"
#include "worker/admit.h"
#include "worker/decode.h"
#include "worker/rules.h"

#include <pthread.h>
#include <upkeep/plugin.h>

/* A START that waits for its turn, and its descriptors. */
struct start {
	struct arena arena;
	int64_t serial, started_s, timeout_ms; /* timeout 0: none */
	enum wire_mode mode;
	uint32_t attempt;
	const char *task, *action, *run_id;
	struct value args;
	const char *token; /* NULL: none */
	size_t token_size;
	bool has_record, cancelled, unreadable; /* its arguments are no value */
	struct upkeep_undo record;
	int in, out, to_stdout, to_stderr, hold; /* -1: none */
	ino_t in_pipe, out_pipe;                 /* what lies behind in and out */
};

struct child {
	int64_t handle;
	int fd;         /* exit pipe */
	int32_t status; /* once it is known */
	bool known;
};
struct secret {
	char *name, *text;
	size_t size;
};

/* One callback that is being made. */
struct call {
	struct upkeep_ctx ctx; /* first: the host's functions get it back */
	struct worker *worker;
	struct start *start; /* NULL for open and close */
	enum call_mode mode;
	const struct action_description *action;
	struct arguments arguments;
	int64_t until_ms;               /* of the clock; INT64_MAX: none */
	int undo_dir, temp_dir, cancel; /* -1: not asked for yet */
	char *temp_path, *what, *why, *next;
	VEC(struct child) children;
	VEC(struct secret) secrets;
	VEC(uint64_t) records; /* ids that this call may speak of */
	pthread_mutex_t lock;
	int64_t progress_ms; /* when it was last sent */
};

struct worker {
	int socket;
	struct wire_in in;
	struct arena arena;
	struct admitted admitted;
	struct arguments settings;
	const char *instance;
	void *session;
	bool opened, ended;
	VEC(struct start *) queue;
};

extern const struct upkeep_host worker_host;

void call_init(struct call *call, struct worker *worker, struct start *start, enum call_mode mode);
void call_end(struct call *call);
/* Puts a message that is not an answer where it belongs; false: stop. */
bool worker_take(struct worker *worker);
/* Sends or ends the process: without an engine there is nothing left to do. */
void worker_send(struct worker *worker, const struct wire_out *out);
void worker_stop(struct worker *worker, int code) __attribute__((noreturn));

#endif
