/* postgres.verify and postgres.drill: is a set good, and does it restore? */
#ifndef POSTGRES_DRILL_H
#define POSTGRES_DRILL_H

#include <upkeep/plugin.h>

struct assertion {
	const char *sql, *expect;
};
struct drill_args {
	struct upkeep_groups assertions;
};
int32_t drill_plan(struct upkeep_ctx *ctx);
int32_t drill_run(struct upkeep_ctx *ctx);

struct verify_args {
	const char *database;
};
int32_t verify_run(struct upkeep_ctx *ctx);

#endif
