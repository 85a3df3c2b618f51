/* Which outputs a task has: those of its action, and those that a core.exec declares. */
#ifndef UPKEEP_PLAN_OUTPUT_H
#define UPKEEP_PLAN_OUTPUT_H

#include "model/nearest.h"
#include "model/site.h"

/* True where `task` has the output; its type in *ret_type. */
bool output_find(const struct task *task, const char *name, uint32_t *ret_type);
/* Offers the names of all outputs. */
void output_offer(const struct task *task, struct nearest *nearest);

bool task_is_exec(const struct task *task);
bool task_is_graph(const struct task *task);

#endif
