/*
 * The plan: one graph made flat for one run: parameters set, subgraphs inlined
 * as "task/sub", each expanded, gangs formed, every edge an index.
 */
#ifndef UPKEEP_MODEL_PLAN_H
#define UPKEEP_MODEL_PLAN_H

#include "model/site.h"

#define PLAN_NONE UINT32_MAX

enum {
	PLAN_WHEN = 1, /* has a condition: ask before starting */
	PLAN_IGNORE_FAILURE = 2,
	PLAN_PIVOT = 4,
	PLAN_LEFT_OUT = 8,    /* by --only, --skip, --start-at: counts as satisfied */
	PLAN_EMPTY_EACH = 16, /* skipped; what follows runs */
	PLAN_CAN_UNDO = 32,   /* has a rollback or its action an undo */
};

/* What `decide` needs of a task; 1,000,000 of them are usual in tests.  Every edge is
 * in both lists.  No task without run_if needs one with it; the members of a gang agree
 * in run_if and in PLAN_LEFT_OUT. */
struct plan_task {
	uint32_t gang;              /* index into plan.gangs */
	uint32_t needs, need_count; /* predecessors: plan.edges[needs ...] */
	uint32_t nexts, next_count; /* successors: plan.edges[nexts ...] */
	uint32_t source;            /* the task whose stream it reads, or PLAN_NONE */
	uint32_t duration_ms;       /* remembered by the journal; 0: unknown */
	uint32_t detail;            /* index into plan.details, or PLAN_NONE in simulations */
	uint8_t run_if;             /* enum run_if */
	uint8_t flags;              /* PLAN_* */
	uint8_t changes;            /* UPKEEP_CHANGES_* */
	uint8_t unused;
};

/* Tasks that start together in one slot; most have one member. */
struct plan_gang {
	uint32_t members, member_count;     /* plan.members[members ...], in task order */
	uint32_t resources, resource_count; /* plan.taken[resources ...], ascending, no doubles */
	uint32_t retry;                     /* index into plan.retries; [0] is "no retry" */
};

/* A lock (places 1) or a pool. Sorted by kind, then name: locks are taken in this order. */
struct plan_resource {
	const char *name;
	uint32_t places;
	bool is_pool;
};

/* What `run` needs of a task beyond that. */
struct plan_detail {
	const char *name; /* "task", "task/sub", "task[2]" */
	const struct task *task;
	const char *prefix;              /* of the subgraph it lies in: "task/" or "" */
	const struct value *params;      /* the parameters its ${param.*} mean (a group) */
	const struct value *each;        /* ${each}, or NULL */
	const struct graph *graph;       /* the graph that it was written in */
	const struct plan_detail *outer; /* of the core.graph task it lies in (whose `when`
	                                  * holds for it too), or NULL */
	const char *missing_action;      /* restored: the action, where it is there no more and
	                                  * task->action NULL; else NULL */
};

struct plan {
	struct arena arena;
	const struct site *site;
	const struct graph *graph;
	struct value params; /* a group: defaults and --param, typed */
	struct plan_task *tasks;
	uint32_t task_count;
	struct plan_gang *gangs;
	uint32_t gang_count;
	uint32_t *edges, *members, *taken;
	struct plan_resource *resources;
	uint32_t resource_count;
	struct retry *retries;
	uint32_t retry_count;
	struct plan_detail *details;
	struct map index; /* name → task; a task with `each` under its plain name is not here */
	uint8_t on_failure, running; /* of the graph */
	bool locks_at_start;         /* some task has a lock and can be undone */
	bool drill;                  /* what its run does is put back, whatever interrupts it */
};

#endif
