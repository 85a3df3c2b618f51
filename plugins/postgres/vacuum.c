/* SPDX-License-Identifier: MIT */
/* postgres.vacuum: the tables that need it most, one after the other. */
#include "postgres/actions.h"
#include "postgres/databases.h"
#include "postgres/query.h"
#include "support/cleanup.h"

struct vacuum {
	struct upkeep_ctx *ctx;
	int64_t end_ms; /* no table is begun after it; INT64_MAX: any time */
	int64_t done, skipped, left;
	int failed;
	char first[512]; /* the first failure */
};

enum { OID, SCHEMA, NAME, DEAD, SIZE, AGE };

/* $1 which, $2 least dead rows, $3 least percent of them, $4 least age, $5 names.  What others'
 * sessions hold temporarily cannot be vacuumed, nor what the user does not own. */
#define LIST                                                                               \
	"SELECT c.oid, n.nspname, c.relname, coalesce(s.n_dead_tup, 0) AS dead,"           \
	" " QUERY_SIZE " AS size, age(c.relfrozenxid) AS age"                              \
	" FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"             \
	" LEFT JOIN pg_stat_all_tables AS s ON s.relid = c.oid"                            \
	" WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'"                       \
	" AND (pg_has_role(c.relowner, 'USAGE') OR (SELECT pg_has_role(datdba, 'USAGE')"   \
	"  FROM pg_database WHERE datname = current_database()) AND NOT c.relisshared)"    \
	" AND CASE $1 WHEN 'list' THEN c.oid = ANY (SELECT to_regclass(t) FROM"            \
	"   unnest($5::text[]) AS t)"                                                      \
	"  WHEN 'dead' THEN s.n_dead_tup >= $2::bigint AND s.n_dead_tup >="                \
	"   $3::float * (s.n_live_tup + s.n_dead_tup) / 100"                               \
	"  WHEN 'age' THEN age(c.relfrozenxid) >= $4::bigint ELSE true END"                \
	" ORDER BY CASE $1 WHEN 'age' THEN age(c.relfrozenxid) ELSE s.n_dead_tup END DESC" \
	" NULLS LAST, n.nspname COLLATE \"C\", c.relname COLLATE \"C\""

static int list_read(struct connection *c, PGresult **ret, struct fault *fault)
{
	const struct vacuum_args *args = c->ctx->args;
	char dead[24], percent[32], age[24];
	CLEANUP_FREE char *names = query_array(&args->tables);
	snprintf(dead, sizeof dead, "%lld", (long long)args->min_dead);
	snprintf(percent, sizeof percent, "%.3f", args->min_dead_percent);
	snprintf(age, sizeof age, "%lld", (long long)args->min_age);
	int r = args->tables.count ? query_exist(c, "table", names, fault) : 0;
	if (r < 0)
		return r;
	return query_run(c, "listing the tables", ret, fault, LIST,
		args->tables.count ? "list" : args->by, dead, percent, age, names);
}

static void table_row(struct vacuum *v, struct connection *c, const PGresult *list, int row,
	const PGresult *after, int64_t lasted_ms, const char *done)
{
	char lasted[24];
	CLEANUP_FREE char *name =
		fault_format("%s.%s", query_text(list, row, SCHEMA), query_text(list, row, NAME));
	snprintf(lasted, sizeof lasted, "%lld", (long long)lasted_ms);
	const struct upkeep_cell cells[] = {
		{.name = "server", .value = v->ctx->instance, .type = UPKEEP_STRING},
		{.name = "database", .value = c->database, .type = UPKEEP_STRING},
		{.name = "table", .value = name, .type = UPKEEP_STRING},
		{.name = "dead", .value = query_text(list, row, DEAD), .type = UPKEEP_INT},
		{.name = "dead_after",
			.value = after ? query_text(after, 0, 0) : NULL,
			.type = UPKEEP_INT},
		{.name = "size", .value = query_text(list, row, SIZE), .type = UPKEEP_SIZE},
		{.name = "size_after",
			.value = after ? query_text(after, 0, 1) : NULL,
			.type = UPKEEP_SIZE},
		{.name = "lasted", .value = lasted, .type = UPKEEP_DURATION},
		{.name = "done", .value = done, .type = UPKEEP_STRING},
	};
	upkeep_row(v->ctx, "vacuum", cells);
}

/* Somebody works on it: a second one would wait, and make autovacuum give up. */
static int is_busy(struct connection *c, const char *oid, struct fault *fault)
{
	CLEANUP_RESULT PGresult *result = NULL;
	int r = query_run(c, "looking for other vacuums", &result, fault,
		"SELECT 1 FROM pg_stat_progress_vacuum WHERE relid = $1::oid"
		" AND datname = current_database()",
		oid);
	return r < 0 ? r : PQntuples(result) > 0;
}

static int limits_set(struct connection *c, int64_t end_ms, struct fault *fault)
{
	const struct vacuum_args *args = c->ctx->args;
	char delay[24];
	snprintf(delay, sizeof delay, "%lld", (long long)args->cost_delay_ms);
	int r = query_limits(c, args->lock_timeout_ms, end_ms, fault);
	return r < 0 ? r
		     : query_run(c, "setting limits", NULL, fault,
			       "SELECT set_config('vacuum_cost_delay', $1, false)", delay);
}

static int statement_run(struct connection *c, const PGresult *list, int row, struct fault *fault)
{
	const struct vacuum_args *args = c->ctx->args;
	CLEANUP_FREE char *name = NULL;
	char parallel[40] = "";
	int r = query_path(
		c, query_text(list, row, SCHEMA), query_text(list, row, NAME), &name, fault);
	if (r < 0)
		return r;
	if (c->version >= 130000 && args->parallel >= 0)
		snprintf(parallel, sizeof parallel, ", PARALLEL %lld", (long long)args->parallel);
	CLEANUP_FREE char *sql = fault_format("VACUUM (ANALYZE %s, FREEZE %s%s) %s",
		args->analyze ? "true" : "false",
		!args->tables.count && strcmp(args->by, "age") == 0 ? "true" : "false", parallel,
		name);
	CLEANUP_FREE char *what = fault_format("VACUUM of %s", name);
	return query_run(c, what, NULL, fault, sql);
}

static int table_after(struct connection *c, const char *oid, PGresult **ret, struct fault *fault)
{
	return query_run(c, "looking at the table afterwards", ret, fault,
		"SELECT pg_stat_get_dead_tuples(c.oid), " QUERY_SIZE
		" FROM pg_class AS c WHERE c.oid = $1::oid",
		oid);
}

/* What the end of a statement means: the word for its row; NULL: all has to stop. */
static const char *outcome(struct vacuum *v, int r, const struct fault *fault)
{
	if (r == 0) {
		v->done++;
		return "vacuumed";
	}
	if (r == -ECANCELED)
		return NULL;
	if (r == -EBUSY || r == -ENOENT) {
		v->skipped++;
		upkeep_warn(v->ctx, "left out: %s", fault_what(fault));
		return r == -EBUSY ? "locked" : "gone";
	}
	if (r == -EAGAIN && connect_now_ms() >= v->end_ms) {
		v->left++;
		return "stopped";
	}
	if (v->failed++ == 0)
		snprintf(v->first, sizeof v->first, "%.500s", fault_what(fault));
	return "failed";
}

static int table_vacuum(
	struct vacuum *v, struct connection *c, const PGresult *list, int row, struct fault *fault)
{
	CLEANUP_RESULT PGresult *after = NULL;
	CLEANUP_FAULT struct fault why = {0};
	int64_t start_ms = connect_now_ms();
	if (start_ms >= v->end_ms) {
		v->left++;
		return 0;
	}
	int r = is_busy(c, query_text(list, row, OID), fault);
	if (r > 0) {
		v->skipped++;
		table_row(v, c, list, row, NULL, 0, "another vacuum works on it");
		return 0;
	}
	if (r == 0)
		r = limits_set(c, v->end_ms, fault);
	if (r < 0)
		return r;
	r = statement_run(c, list, row, &why);
	const char *done = outcome(v, r, &why);
	if (!done || PQstatus(c->pg) != CONNECTION_OK)
		return fault_set(fault, r, why.next, "%s", fault_what(&why));
	if (r == 0)
		r = table_after(c, query_text(list, row, OID), &after, fault);
	if (r == -ECANCELED)
		return r;
	table_row(v, c, list, row, after && PQntuples(after) > 0 ? after : NULL,
		connect_now_ms() - start_ms, done);
	return 0;
}

static int database_vacuum(struct connection *c, void *arg, struct fault *fault)
{
	struct vacuum *v = arg;
	CLEANUP_RESULT PGresult *list = NULL;
	int r = list_read(c, &list, fault);
	for (int row = 0; r == 0 && row < PQntuples(list); row++) {
		c->ctx->host->progress(c->ctx, (uint64_t)row, (uint64_t)PQntuples(list), "tables");
		r = table_vacuum(v, c, list, row, fault);
	}
	return r;
}

static int database_plan(struct connection *c, void *arg, struct fault *fault)
{
	int64_t *count = arg;
	CLEANUP_RESULT PGresult *list = NULL;
	int r = list_read(c, &list, fault);
	for (int row = 0; r == 0 && row < PQntuples(list); row++) {
		upkeep_would(c->ctx, NULL, "VACUUM %s.%s in \"%s\": %s dead rows, %s bytes, age %s",
			query_text(list, row, SCHEMA), query_text(list, row, NAME), c->database,
			query_text(list, row, DEAD), query_text(list, row, SIZE),
			query_text(list, row, AGE));
		++*count;
	}
	return r;
}

int32_t vacuum_plan(struct upkeep_ctx *ctx)
{
	const struct vacuum_args *args = ctx->args;
	return databases_plan(ctx, &args->databases, database_plan);
}

int32_t vacuum_run(struct upkeep_ctx *ctx)
{
	const struct vacuum_args *args = ctx->args;
	CLEANUP_FAULT struct fault fault = {0};
	struct vacuum v = {.ctx = ctx, .end_ms = connect_end_ms(args->max_duration_ms)};
	int r = databases_each(ctx, &args->databases, database_vacuum, &v, &fault);
	upkeep_output_int(ctx, "vacuumed", v.done);
	upkeep_output_int(ctx, "skipped", v.skipped);
	upkeep_output_int(ctx, "left", v.left);
	if (v.left)
		upkeep_info(ctx, "%lld tables are left for the next time: max_duration is over",
			(long long)v.left);
	if (r < 0)
		return fault_report(ctx, r, &fault);
	if (v.failed)
		return upkeep_fail(ctx, UPKEEP_FAILED,
			"see the table; postgres.amcheck looks for damage", NULL,
			"%d tables could not be vacuumed; the first: %s", v.failed, v.first);
	return v.done ? UPKEEP_CHANGED : UPKEEP_UNCHANGED;
}
