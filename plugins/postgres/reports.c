/* SPDX-License-Identifier: MIT */
/* Actions that show what one statement says: lag, locks, wraparound. */
#include "postgres/actions.h"
#include "postgres/databases.h"
#include "postgres/query.h"
#include "support/cleanup.h"

/* Names of relations are known in their own database alone. */
static int database_locks(struct connection *c, void *arg, struct fault *fault)
{
	int64_t *total = arg;
	static const uint32_t types[] = {UPKEEP_STRING, UPKEEP_INT, UPKEEP_STRING, UPKEEP_DURATION,
		UPKEEP_STRING, UPKEEP_STRING, UPKEEP_STRING, UPKEEP_INT, UPKEEP_STRING,
		UPKEEP_STRING, UPKEEP_STRING, UPKEEP_DURATION, QUERY_STATEMENT, QUERY_STATEMENT};
	CLEANUP_RESULT PGresult *result = NULL;
	int r = query_run(c, "reading the locks", &result, fault,
		"SELECT w.datname AS database, w.pid, w.usename AS \"user\","
		" (extract(epoch FROM clock_timestamp() - w.state_change) * 1000)::bigint AS "
		"waiting,"
		" l.mode, l.locktype AS kind, CASE WHEN l.database = (SELECT oid FROM pg_database"
		"  WHERE datname = current_database()) THEN l.relation::regclass::text END AS "
		"\"on\","
		" b.pid AS blocker, b.usename AS blocker_user,"
		" b.application_name AS blocker_application, b.state AS blocker_state,"
		" (extract(epoch FROM clock_timestamp() - b.xact_start) * 1000)::bigint AS "
		"blocker_since,"
		" w.query AS statement, b.query AS blocker_statement"
		" FROM pg_stat_activity AS w"
		" CROSS JOIN unnest(pg_blocking_pids(w.pid)) AS u (pid)"
		" LEFT JOIN pg_stat_activity AS b ON b.pid = u.pid"
		" LEFT JOIN LATERAL (SELECT * FROM pg_locks AS l WHERE l.pid = w.pid AND NOT "
		"granted"
		"  LIMIT 1) AS l ON true"
		" WHERE w.datname = current_database() AND w.wait_event_type = 'Lock'"
		" ORDER BY waiting DESC, w.pid, b.pid");
	if (r < 0)
		return r;
	query_rows(c->ctx, "locks", result, types);
	*total += PQntuples(result);
	return 0;
}

int32_t locks_run(struct upkeep_ctx *ctx)
{
	const struct locks_args *args = ctx->args;
	return databases_report(ctx, &args->databases, database_locks, "blocked");
}

/* One statement of the whole server: its rows as `table`, their number as `output`. */
static int32_t report_run(struct upkeep_ctx *ctx, const char *table, const char *output,
	const uint32_t *types, const char *sql)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_CONNECTION struct connection c = {0};
	CLEANUP_RESULT PGresult *result = NULL;
	int r = connect_open(&c, ctx, NULL, &fault);
	if (r == 0)
		r = query_run(&c, "reading the statistics", &result, &fault, sql);
	if (r < 0)
		return fault_report(ctx, r, &fault);
	query_rows(ctx, table, result, types);
	upkeep_output_int(ctx, output, PQntuples(result));
	return UPKEEP_UNCHANGED;
}

int32_t lag_run(struct upkeep_ctx *ctx)
{
	static const uint32_t types[] = {UPKEEP_STRING, UPKEEP_STRING, UPKEEP_STRING, UPKEEP_STRING,
		UPKEEP_SIZE, UPKEEP_SIZE, UPKEEP_SIZE, UPKEEP_SIZE, UPKEEP_DURATION};
	/* on a standby the one row is what it has received itself */
	return report_run(ctx, "lag", "standbys", types,
		"SELECT coalesce(nullif(application_name, ''), 'pid ' || pid) AS standby,"
		" host(client_addr) AS address, state, sync_state AS sync,"
		" pg_wal_lsn_diff(now_lsn, sent_lsn)::bigint AS unsent,"
		" pg_wal_lsn_diff(sent_lsn, write_lsn)::bigint AS unwritten,"
		" pg_wal_lsn_diff(write_lsn, flush_lsn)::bigint AS unflushed,"
		" pg_wal_lsn_diff(flush_lsn, replay_lsn)::bigint AS unreplayed,"
		" (extract(epoch FROM replay_lag) * 1000)::bigint AS late"
		" FROM pg_stat_replication, (SELECT CASE WHEN pg_is_in_recovery()"
		"  THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END AS now_lsn) AS n"
		" UNION ALL SELECT '(this server)', NULL, 'replaying', NULL, NULL, NULL, NULL,"
		" pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::bigint,"
		" CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 ELSE"
		"  (extract(epoch FROM now() - pg_last_xact_replay_timestamp()) * 1000)::bigint END"
		" WHERE pg_is_in_recovery()");
}

int32_t wraparound_run(struct upkeep_ctx *ctx)
{
	static const uint32_t types[] = {
		UPKEEP_STRING, UPKEEP_STRING, UPKEEP_INT, UPKEEP_PERCENT, UPKEEP_STRING};
	/* what is old, and what keeps it from growing young */
	return report_run(ctx, "wraparound", "rows", types,
		"SELECT kind, name, age, round(100 * age / 2147483648.0, 2) AS used, note FROM ("
		" SELECT 1 AS n, 'database' AS kind, datname::text AS name, age(datfrozenxid) AS "
		"age,"
		"  mxid_age(datminmxid) || ' multixacts' AS note FROM pg_database"
		" UNION ALL SELECT 2, 'session', pid || coalesce(' of ' || usename, ''),"
		"  greatest(age(backend_xid), age(backend_xmin)), backend_type || ', '"
		"  || coalesce(state, 'no state') FROM pg_stat_activity"
		"  WHERE pid <> pg_backend_pid() AND (backend_xid IS NOT NULL OR backend_xmin IS "
		"NOT NULL)"
		" UNION ALL SELECT 3, 'slot', slot_name::text, greatest(age(xmin), "
		"age(catalog_xmin)),"
		"  CASE WHEN active THEN 'active' ELSE 'inactive' END FROM pg_replication_slots"
		"  WHERE xmin IS NOT NULL OR catalog_xmin IS NOT NULL"
		" UNION ALL SELECT 4, 'prepared', gid, age(transaction), 'of ' || owner"
		"  FROM pg_prepared_xacts) AS t ORDER BY n, age DESC, name COLLATE \"C\"");
}
