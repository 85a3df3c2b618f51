/* SPDX-License-Identifier: MIT */
#include "model/site.h"

#include <stdlib.h>
#include <string.h>

const struct task_options task_options_plain = {
	.run_if = RUN_IF_SUCCESS,
	.retry = {.attempts = 1, .backoff = 1},
	.kill_after_ms = 10 * 1000,
	.stall_ms = 30 * 60 * 1000,
	.log_max_bytes = 64u << 20,
	.rollback_retry = {.attempts = 3,
		.delay_ms = 1000,
		.max_delay_ms = 30 * 1000,
		.backoff = 4},
};

const struct graph *site_graph(const struct site *site, const char *name)
{
	for (uint32_t i = 0; i < site->graph_count; i++)
		if (strcmp(site->graphs[i].name, name) == 0)
			return &site->graphs[i];
	return NULL;
}

const struct instance *site_instance(const struct site *site, const char *name)
{
	for (uint32_t i = 0; i < site->instance_count; i++)
		if (strcmp(site->instances[i].name, name) == 0)
			return &site->instances[i];
	return NULL;
}

static bool reaches(
	const struct site *site, const struct graph *graph, const struct graph *other, bool *seen)
{
	if (seen[graph - site->graphs])
		return false;
	seen[graph - site->graphs] = true;
	for (uint32_t i = 0; i < graph->task_count; i++) {
		const struct task *task = &graph->tasks[i];
		const struct value *name = task->instance ? NULL : value_get(&task->args, "graph");
		const struct graph *next =
			name && name->kind == VALUE_STRING ? site_graph(site, name->string) : NULL;
		if (next && (next == other || reaches(site, next, other, seen)))
			return true;
	}
	return false;
}

bool graph_uses(const struct site *site, const struct graph *graph, const struct graph *other)
{
	bool *seen = base_alloc(site->graph_count * sizeof *seen);
	bool uses = reaches(site, graph, other, seen);

	free(seen);
	return uses;
}

void site_free(struct site *site)
{
	if (!site)
		return;
	for (uint32_t i = 0; i < site->graph_count; i++)
		map_free(&site->graphs[i].task_index);
	arena_free(&site->arena);
	free(site);
}
