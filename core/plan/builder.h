/* What the files of plan_build share; nobody else includes this. */
#ifndef UPKEEP_PLAN_BUILDER_H
#define UPKEEP_PLAN_BUILDER_H

#include "plan/build.h"
#include "plan/reference.h"

/* The tasks of the plan that one task of a graph has become: itself, its copies, or
 * (core.graph) all of the graph. */
struct span {
	uint32_t first, count;
	struct scope *inner; /* core.graph: its first copy, the others by scope.next_copy */
	bool copies;         /* has `each` */
};

/* One inlining of a graph: where its names mean something. */
struct scope {
	const struct graph *graph;
	const char *prefix; /* "task/" or "" */
	const struct value *params;
	const struct plan_detail *outer;
	struct scope *parent, *next_copy;
	struct span *spans;          /* of graph->tasks */
	VEC(uint32_t) roots, leaves; /* plan tasks without needs and nexts inside */
	uint32_t first, end;
	bool repeated; /* the graph was inlined before: its errors are told */
};

struct link {
	uint32_t from, to;
};
struct need {
	uint32_t task;
	bool whole; /* one of the last tasks of a core.graph that was named as a whole */
};
struct use {                         /* of an output */
	uint32_t from, to, to_count; /* what the user has become */
	const char *text;
};

struct build {
	const struct site *site;
	const struct plan_options *options;
	struct diagnostics *diagnostics;
	struct plan *plan;
	VEC(struct plan_detail) details;
	VEC(struct plan_task) tasks;
	VEC(struct scope *) scopes; /* outer ones first */
	VEC(struct link) links;
	VEC(struct use) uses;
	VEC(struct need) sources; /* of the task at hand */
	uint32_t *marks, stamp;   /* sources that are in already */
	uint32_t *parents;        /* gangs while they are formed */
	unsigned errors;
};

void build_error(struct build *build, const struct graph *graph, struct location at,
	const char *next, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* parameter.c: --param and defaults → plan.params */
int parameter_set(struct build *build, const struct graph *graph, struct error *err);
/* The params of a core.graph task, checked against the graph's. */
const struct value *parameter_pass(struct build *build, const struct scope *scope,
	const struct task *task, const struct graph *graph);

/* expand.c, each.c */
struct scope *expand_graph(struct build *build, const struct graph *graph, const char *prefix,
	const struct value *params, const struct plan_detail *outer, struct scope *parent);
/* The items of the task's `each`. */
struct value each_items(struct build *build, const struct scope *scope, const struct task *task);

/* link.c: names and references → edges */
void link_scopes(struct build *build);
const struct span *link_find(
	const struct scope *scope, const char *name, size_t size, const struct task **ret_task);
/* Puts the tasks of a span among the sources of the task at hand. */
void link_source(struct build *build, const struct span *span, const char *use);
void link_offer(const struct graph *graph, const char *name, char *buffer, unsigned size,
	const char **ret_question);

/* check.c: the references and types of one task */
void check_task(struct build *build, const struct scope *scope, const struct task *task);
void check_arguments(struct build *build, uint32_t task);

/* gang.c */
void gang_form(struct build *build);
void gang_finish(struct build *build);

/* cycle.c */
void cycle_find(struct build *build);

/* select.c */
int select_tasks(struct build *build, struct error *err);

#endif
