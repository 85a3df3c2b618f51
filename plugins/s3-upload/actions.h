/* The actions: their arguments and what runs them.  A file for each. */
#ifndef S3_UPLOAD_ACTIONS_H
#define S3_UPLOAD_ACTIONS_H

#include "s3-upload/settings.h"

struct put_args {
	const char *key, *file;
	int32_t if_none_match, lose_replaced;
	const char *sse, *sse_key, *storage_class, *content_type, *object_lock, *verify;
	int64_t retain_until, retain_days;
	struct upkeep_strings tags, metadata;
};
int32_t put_check(struct upkeep_ctx *ctx);
int32_t put_plan(struct upkeep_ctx *ctx);
int32_t put_run(struct upkeep_ctx *ctx);
int32_t put_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record);
int32_t put_undo(struct upkeep_ctx *ctx, const struct upkeep_undo *record);

struct get_args {
	const char *key, *version, *file, *sha256;
	int32_t replace, resume;
};
int32_t get_check(struct upkeep_ctx *ctx);
int32_t get_plan(struct upkeep_ctx *ctx);
int32_t get_run(struct upkeep_ctx *ctx);
int32_t get_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record);
int32_t get_undo(struct upkeep_ctx *ctx, const struct upkeep_undo *record);

struct verify_args {
	const char *key, *version, *etag, *sha256, *level;
	uint64_t size;
};
int32_t verify_check(struct upkeep_ctx *ctx);
int32_t verify_run(struct upkeep_ctx *ctx);

struct list_args {
	const char *below;
};
int32_t list_run(struct upkeep_ctx *ctx);

struct janitor_args {
	int64_t older_than_ms;
};
int32_t janitor_plan(struct upkeep_ctx *ctx);
int32_t janitor_run(struct upkeep_ctx *ctx);

struct prune_args {
	const char *below;
	int64_t older_than_ms, keep;
};
int32_t prune_plan(struct upkeep_ctx *ctx);
int32_t prune_run(struct upkeep_ctx *ctx);

int32_t check_run(struct upkeep_ctx *ctx);

#endif
