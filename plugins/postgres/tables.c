/* SPDX-License-Identifier: MIT */
#include "postgres/actions.h"
#include "postgres/databases.h"
#include "postgres/query.h"
#include "support/cleanup.h"

/* What the tables are ordered by; each of the words is an expression over the columns. */
static const struct {
	const char *by, *order;
} orders[] = {
	{"activity", "reads + writes"},
	{"size", "size"},
	{"dead", "dead"},
	{"age", "age"},
};

static const char *order_of(const char *by)
{
	for (size_t i = 0; i < UPKEEP_COUNT(orders); i++)
		if (strcmp(orders[i].by, by) == 0)
			return orders[i].order;
	return orders[0].order;
}

static int database_list(struct connection *c, void *arg, struct fault *fault)
{
	const struct tables_args *args = c->ctx->args;
	int64_t *total = arg;
	static const uint32_t types[] = {UPKEEP_STRING, UPKEEP_STRING, UPKEEP_STRING, UPKEEP_SIZE,
		UPKEEP_INT, UPKEEP_INT, UPKEEP_PERCENT, UPKEEP_INT, UPKEEP_INT, UPKEEP_INT,
		UPKEEP_TIME, UPKEEP_TIME};
	CLEANUP_RESULT PGresult *result = NULL;
	char top[24];
	snprintf(top, sizeof top, "%lld", (long long)args->top);
	CLEANUP_FREE char *sql = fault_format(
		"SELECT * FROM (SELECT current_database() AS database, s.schemaname AS schema,"
		" s.relname AS \"table\", " QUERY_SIZE " AS size,"
		" n_live_tup AS live, n_dead_tup AS dead,"
		" round(100.0 * n_dead_tup / greatest(n_live_tup + n_dead_tup, 1), 1) AS "
		"dead_percent,"
		" coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) AS reads,"
		" n_tup_ins + n_tup_upd + n_tup_del AS writes,"
		" age(c.relfrozenxid) AS age,"
		" extract(epoch FROM greatest(last_vacuum, last_autovacuum))::bigint AS vacuumed,"
		" extract(epoch FROM greatest(last_analyze, last_autoanalyze))::bigint AS analyzed"
		" FROM pg_stat_user_tables AS s JOIN pg_class AS c ON c.oid = s.relid) AS t"
		" ORDER BY %s DESC NULLS LAST, schema COLLATE \"C\", \"table\" COLLATE \"C\""
		" LIMIT $1",
		order_of(args->by));
	int r = query_run(c, "reading the statistics of tables", &result, fault, sql, top);
	if (r < 0)
		return r;
	query_rows(c->ctx, "tables", result, types);
	*total += PQntuples(result);
	return 0;
}

int32_t tables_run(struct upkeep_ctx *ctx)
{
	const struct tables_args *args = ctx->args;
	return databases_report(ctx, &args->databases, database_list, "tables");
}
