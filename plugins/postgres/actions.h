/* The arguments and callbacks of each action; their tables are in postgres.c. */
#ifndef POSTGRES_ACTIONS_H
#define POSTGRES_ACTIONS_H

#include <upkeep/plugin.h>

struct tables_args {
	struct upkeep_strings databases;
	int64_t top;
	const char *by; /* activity, size, dead or age */
};

/* Limits: 0 is none. */
struct check_args {
	struct upkeep_strings databases;
	struct upkeep_strings skip; /* of PROBE_NAMES */
	int64_t oldest_version, standbys;
	int32_t archiving;
	int64_t last_backup_s, backup_warn, backup_crit, clock_skew_ms; /* the others in ms */
	int64_t archive_backlog_warn, archive_backlog_crit;
	uint64_t slot_warn, slot_crit, lag_warn, lag_crit, size_warn, size_crit;
	double wraparound_warn, wraparound_crit, connections_warn, connections_crit;
	double sequence_warn, sequence_crit, disk_warn, disk_crit;
	int64_t prepared_warn, prepared_crit, transaction_warn, transaction_crit;
	int64_t idle_warn, idle_crit, lag_time_warn, lag_time_crit;
};

struct amcheck_args {
	struct upkeep_strings databases;
	int32_t full; /* indexes against tables, tables against what is out of line */
	int64_t lock_timeout_ms, max_duration_ms;
};

struct basebackup_args {
	const char *target;     /* directory to be made, or NULL: into the stream */
	const char *checkpoint; /* fast or spread */
	uint64_t max_rate;      /* bytes a second; 0: any */
	int32_t verify;
};

struct locks_args {
	struct upkeep_strings databases;
};

struct queries_args {
	int64_t min_runtime_ms, min_idle_ms, grace_ms;
	const char *do_;                                      /* report, cancel or terminate */
	struct upkeep_strings databases, users, applications; /* empty: all */
	struct upkeep_strings protect_users, protect_applications;
};

struct reindex_args {
	struct upkeep_strings databases, indexes, tables;
	const char *by; /* bloat or all */
	double min_bloat;
	uint64_t min_size;
	int64_t lock_timeout_ms, max_duration_ms, retries;
};

struct vacuum_args {
	struct upkeep_strings databases, tables;
	const char *by; /* dead, age or all */
	int64_t min_dead, min_age;
	double min_dead_percent;
	int32_t analyze;
	int64_t parallel; /* below 0: as the server would */
	int64_t lock_timeout_ms, cost_delay_ms, max_duration_ms;
};

int32_t amcheck_run(struct upkeep_ctx *ctx);
int32_t basebackup_check(struct upkeep_ctx *ctx);
int32_t basebackup_plan(struct upkeep_ctx *ctx);
int32_t basebackup_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record);
int32_t basebackup_run(struct upkeep_ctx *ctx);
int32_t basebackup_undo(struct upkeep_ctx *ctx, const struct upkeep_undo *record);
int32_t check_run(struct upkeep_ctx *ctx);
int32_t lag_run(struct upkeep_ctx *ctx);
int32_t locks_run(struct upkeep_ctx *ctx);
int32_t queries_plan(struct upkeep_ctx *ctx);
int32_t queries_run(struct upkeep_ctx *ctx);
int32_t queries_undo(struct upkeep_ctx *ctx, const struct upkeep_undo *record);
int32_t reindex_plan(struct upkeep_ctx *ctx);
int32_t reindex_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record);
int32_t reindex_run(struct upkeep_ctx *ctx);
int32_t reindex_undo(struct upkeep_ctx *ctx, const struct upkeep_undo *record);
int32_t vacuum_plan(struct upkeep_ctx *ctx);
int32_t vacuum_run(struct upkeep_ctx *ctx);
int32_t wraparound_run(struct upkeep_ctx *ctx);
int32_t tables_run(struct upkeep_ctx *ctx);

#endif
