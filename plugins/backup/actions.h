/* The actions: their arguments and what runs them. */
#ifndef BACKUP_ACTIONS_H
#define BACKUP_ACTIONS_H

#include "backup/settings.h"

struct create_args {
	const char *store, *name, *as, *label, *compare;
	struct upkeep_strings paths, exclude;
	int32_t pin, one_file_system, skip_caches;
};
int32_t create_check(struct upkeep_ctx *ctx);
int32_t create_plan(struct upkeep_ctx *ctx);
int32_t create_run(struct upkeep_ctx *ctx);
int32_t create_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record);
int32_t create_undo(struct upkeep_ctx *ctx, const struct upkeep_undo *record);

struct archive_args {
	struct upkeep_strings paths, exclude;
	const char *compress;
	int64_t level;
	int32_t one_file_system, skip_caches;
};
int32_t archive_run(struct upkeep_ctx *ctx);

int32_t encrypt_run(struct upkeep_ctx *ctx);

struct decrypt_args {
	const char *spool;
};
int32_t decrypt_run(struct upkeep_ctx *ctx);

struct read_args {
	const char *store, *backup, *name, *path;
};
int32_t read_run(struct upkeep_ctx *ctx);

struct spot_args {
	const char *store, *backup, *name;
	struct upkeep_strings paths, exclude;
	double sample, count_tolerance, data_tolerance;
	int64_t files, seed;
	int32_t one_file_system, skip_caches;
};
int32_t spot_run(struct upkeep_ctx *ctx);

struct verify_args {
	const char *store, *backup, *name, *level;
	int32_t all;
	int64_t since_ms;
};
int32_t verify_run(struct upkeep_ctx *ctx);

struct list_args {
	const char *store, *name;
};
int32_t list_run(struct upkeep_ctx *ctx);

struct find_args {
	const char *store, *name, *pattern;
};
int32_t find_run(struct upkeep_ctx *ctx);

struct restore_args {
	const char *store, *backup, *name, *target;
	struct upkeep_strings paths;
};
int32_t restore_check(struct upkeep_ctx *ctx);
int32_t restore_plan(struct upkeep_ctx *ctx);
int32_t restore_run(struct upkeep_ctx *ctx);
int32_t restore_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record);
int32_t restore_undo(struct upkeep_ctx *ctx, const struct upkeep_undo *record);

struct prune_args {
	const char *store, *name, *space;
	int64_t keep_daily, keep_weekly, keep_monthly, min_keep, keep_within_ms, undo_keep_ms;
};
int32_t prune_check(struct upkeep_ctx *ctx);
int32_t prune_plan(struct upkeep_ctx *ctx);
int32_t prune_run(struct upkeep_ctx *ctx);
int32_t prune_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record);
int32_t prune_undo(struct upkeep_ctx *ctx, const struct upkeep_undo *record);

struct pin_args {
	const char *store, *backup, *name;
};
int32_t pin_run(struct upkeep_ctx *ctx);
int32_t unpin_run(struct upkeep_ctx *ctx);

struct init_args {
	int32_t create_key;
	const char *user_id;
};
int32_t init_run(struct upkeep_ctx *ctx);

#endif
