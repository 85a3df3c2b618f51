/* What the files of streams share: flow.c (making and moving) and whole.c (their ends). */
#ifndef UPKEEP_RUN_FLOW_H
#define UPKEEP_RUN_FLOW_H

#include "run/engine.h"

/* The way to one reader. */
struct flow_end {
	struct source source; /* where we write; -1: it has its end, or reads no more */
	struct flow *flow;
	uint32_t task;
	int read_end;     /* its own, until it was started; afterwards, once it has its end, ours */
	int hold;         /* has a write end in it: see hold_open */
	size_t ahead;     /* bytes that it has of those which are still in the writer's pipe */
	int64_t since_ms; /* so long it has been reading nothing of what there is; INT64_MAX: it
	                   * does */
	bool left;        /* it reads no more */
};

struct flow {
	struct source source; /* what the task writes */
	uint32_t task;
	struct slot *slot;
	int write_end; /* its own, until it was started */
	uint64_t bytes;
	int64_t told_ms;
	bool idle;      /* nothing can move now: epoll says when */
	bool closed;    /* nobody can write to it any more */
	bool succeeded; /* the task */
	bool whole;     /* ... and all upstream, and its readers have it all */
	uint32_t end_count;
	struct flow_end *ends;
};

struct flows {
	struct source timer; /* when what is not idle is moved next */
	uint32_t gang;
	VEC(struct flow *) list;
	int null;                      /* for what is dropped */
	const struct attempt *granted; /* may publish now, and has not ended yet */
};

/* Moves what there is, as far as the readers have room. */
void flow_move(struct engine *engine, struct flow *flow);
/* What lies in a pipe; 0 where fd is -1. */
size_t flow_bytes_in(int fd);
void flow_close_fd(int *fd); /* -1 from then on */

#endif
