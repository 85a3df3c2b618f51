/* postgres.restore: a set in the place of a database. */
#ifndef POSTGRES_RESTORE_H
#define POSTGRES_RESTORE_H

#include <upkeep/plugin.h>

struct restore_args {
	const char *database, *role;
	int32_t terminate, roles, tablespaces, analyze;
	int64_t undo_keep_ms;
};
int32_t restore_check(struct upkeep_ctx *ctx);
int32_t restore_plan(struct upkeep_ctx *ctx);
int32_t restore_run(struct upkeep_ctx *ctx);
/* Of all records of this plugin: by their kind. */
int32_t restore_undo(struct upkeep_ctx *ctx, const struct upkeep_undo *record);
int32_t restore_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record);

#endif
