/* SPDX-License-Identifier: MIT */
#include "run/engine.h"

#include <string.h>
#include <unistd.h>

/* The text of TASK.OUTPUT, NULL where it is not there. */
static const char *lookup_output(void *data, const char *task, const char *name)
{
	struct engine *engine = data;
	uint32_t index = map_get(&engine->plan->index, task);

	if (index == MAP_NONE)
		return NULL;
	const struct task_memory *memory = &engine->memory[index];
	char *value = NULL; /* of a list one element a line */
	for (const struct output *o = memory->outputs; o; o = o->next)
		if (strcmp(o->name, name) == 0)
			value = value ? arena_printf(&engine->arena, "%s\n%s", value, o->value)
				      : o->value;
	if (value)
		return value;
	if (engine->options->plan_only)
		return NULL;
	if (strcmp(name, "exit") == 0 && memory->state == TASK_SUCCEEDED)
		return arena_printf(&engine->arena, "%d", memory->exit_code);
	return NULL;
}

/* The time in the id: 20261124-101112-0a1b2c. */
static const char *run_stamp(struct engine *engine)
{
	const char *id = engine->setup->id;

	return arena_printf(&engine->arena, "%.8sT%.6sZ", id, id + strlen("20261124-"));
}

static const char *host_name(struct engine *engine)
{
	char name[256] = "";

	gethostname(name, sizeof name - 1);
	return arena_string(&engine->arena, name);
}

static const char *lookup_run(void *data, const char *name)
{
	struct engine *engine = data;

	if (strcmp(name, "run.id") == 0)
		return engine->setup->id;
	if (strcmp(name, "run.stamp") == 0)
		return run_stamp(engine);
	if (strcmp(name, "run.verdict") == 0)
		return decide_verdict(engine->decide);
	if (strcmp(name, "graph.name") == 0)
		return engine->plan->graph->name;
	if (strcmp(name, "host.name") == 0)
		return host_name(engine);
	if (text_starts(name, "env."))
		return getenv(name + strlen("env."));
	return NULL;
}

void lookup_init(struct engine *engine)
{
	engine->lookup = (struct plan_lookup){
		lookup_output, lookup_run, engine, .all_known = !engine->options->plan_only};
}
