/* The arguments and callbacks of each action; their tables are in files.c. */
#ifndef FILES_ACTIONS_H
#define FILES_ACTIONS_H

#include <upkeep/plugin.h>

struct files_settings {
	int64_t trash_keep; /* ms */
};

struct rotate_create {
	const char *owner, *group, *mode;
};

struct rotate_args {
	struct upkeep_strings paths;
	uint64_t size, min_size;
	int64_t age;
	int64_t keep;
	const char *method, *compress, *format;
	int64_t level;
	const char *signal, *pid_file;
	struct upkeep_strings processes;
	int64_t wait;
	int32_t recreate;
	struct rotate_create create;
};

struct compress_args {
	struct upkeep_strings paths;
	uint64_t min_size;
	int64_t older_than;
	const char *format;
	int64_t level;
};

struct expire_args {
	struct upkeep_strings paths, protect;
	int64_t older_than;
	uint64_t max_total;
	int64_t keep;
	const char *space;
};

struct archive_args {
	struct upkeep_strings paths;
	const char *to;
	int64_t older_than;
};

struct json_args {
	struct upkeep_strings paths;
	uint64_t max_size;
};

struct usage_args {
	struct upkeep_strings paths;
	int64_t top;
	double max_used;
};

struct errors_args {
	struct upkeep_strings paths, words, ignore;
	int64_t lines, warn, crit;
};

int32_t rotate_check(struct upkeep_ctx *ctx);
int32_t rotate_plan(struct upkeep_ctx *ctx);
int32_t rotate_run(struct upkeep_ctx *ctx);
int32_t compress_plan(struct upkeep_ctx *ctx);
int32_t compress_run(struct upkeep_ctx *ctx);
int32_t expire_check(struct upkeep_ctx *ctx);
int32_t expire_plan(struct upkeep_ctx *ctx);
int32_t expire_run(struct upkeep_ctx *ctx);
int32_t archive_plan(struct upkeep_ctx *ctx);
int32_t archive_run(struct upkeep_ctx *ctx);
int32_t json_run(struct upkeep_ctx *ctx);
int32_t usage_run(struct upkeep_ctx *ctx);
int32_t errors_run(struct upkeep_ctx *ctx);

/* Of every changing action: the kind of the record says what is to be put back. */
int32_t files_undo(struct upkeep_ctx *ctx, const struct upkeep_undo *record);
int32_t rotate_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record);
int32_t compress_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record);
int32_t expire_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record);
int32_t archive_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record);

#endif
