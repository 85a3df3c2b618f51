/* The arguments and callbacks of each action; their tables are in postgres.c. */
#ifndef POSTGRES_ACTIONS_H
#define POSTGRES_ACTIONS_H

#include <upkeep/plugin.h>

struct tables_args {
	struct upkeep_strings databases;
	int64_t top;
	const char *by; /* activity, size, dead or age */
};

int32_t tables_run(struct upkeep_ctx *ctx);

#endif
