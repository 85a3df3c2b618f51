/* postgres.dump: a database as a set, into the stream. */
#ifndef POSTGRES_DUMP_H
#define POSTGRES_DUMP_H

#include <upkeep/plugin.h>

struct dump_args {
	const char *database;
	struct upkeep_strings exclude, exclude_data;
	int64_t lock_timeout_ms;
	int32_t count_rows, role_passwords;
};
int32_t dump_check(struct upkeep_ctx *ctx);
int32_t dump_plan(struct upkeep_ctx *ctx);
int32_t dump_run(struct upkeep_ctx *ctx);

#endif
