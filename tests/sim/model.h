/* Plans built straight in the model, without configuration: for tests and benches. */
#ifndef UPKEEP_TESTS_SIM_MODEL_H
#define UPKEEP_TESTS_SIM_MODEL_H

#include "model/plan.h"

struct model_edge {
	uint32_t from, to;
};

/* Fills needs, nexts and plan.edges of tasks that are there. */
void model_link(struct plan *plan, const struct model_edge *edges, size_t count);
/* Makes gangs: leaders[task] is the lowest task of its gang (itself where it is alone). */
void model_gangs(struct plan *plan, const uint32_t *leaders);
/* Gives every gang the resources whose bits its tasks have in masks (up to 32). */
void model_take(struct plan *plan, const uint32_t *masks);

#endif
