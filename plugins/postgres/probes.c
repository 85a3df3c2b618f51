/* SPDX-License-Identifier: MIT */
#include "postgres/probes.h"

#include "postgres/actions.h"

#define LIMITS(kind, member)                                                  \
	.limits = (kind), .warn = offsetof(struct check_args, member##_warn), \
	.crit = offsetof(struct check_args, member##_crit)

/* Measures are numbers; what is above a limit, or above 0 without one, is not fine. */
const struct probe probes[] = {
	{.name = "settings-files",
		.limits = PROBE_FAILS,
		.sql = "SELECT count(*), string_agg(sourcefile || ':' || sourceline || ' ' || "
		       "error, '; ')"
		       " FROM pg_file_settings WHERE error IS NOT NULL AND NOT EXISTS"
		       " (SELECT FROM pg_settings AS s WHERE s.pending_restart AND s.name ="
		       "  lower(pg_file_settings.name))",
		.hint = "correct the file, then: SELECT pg_reload_conf()"},
	{.name = "settings-pending",
		.limits = PROBE_WARNS,
		.sql = "SELECT count(*), string_agg(name, ', ' ORDER BY name) FROM pg_settings"
		       " WHERE pending_restart",
		.hint = "restart the server for them to hold"},
	{.name = "wal-level",
		.limits = PROBE_WARNS,
		.sql = "SELECT (setting = 'minimal')::int, setting FROM pg_settings"
		       " WHERE name = 'wal_level'",
		.hint = "set wal_level = replica and restart: without it no base backup, no "
			"archive"},
	{.name = "archive-mode",
		.limits = PROBE_FAILS,
		.sql = "SELECT (setting = 'off')::int, setting FROM pg_settings"
		       " WHERE name = 'archive_mode' AND $3 = '1'",
		.hint = "set archive_mode = on and archive_command, then restart"},
	{.name = "archive-command",
		.limits = PROBE_FAILS,
		.sql = "SELECT (mode <> 'off' AND command = '' AND library = '')::int,"
		       " CASE WHEN mode = 'off' THEN 'off' WHEN library <> '' THEN 'library ' || "
		       "library"
		       "  WHEN command = '' THEN 'none' ELSE 'set' END"
		       " FROM (SELECT current_setting('archive_mode') AS mode,"
		       "  current_setting('archive_command') AS command,"
		       "  coalesce(current_setting('archive_library', true), '') AS library) AS s",
		.hint = "set archive_command: segments pile up in pg_wal until it is there"},
	{.name = "archive-failing",
		.limits = PROBE_FAILS,
		.sql = "SELECT (last_failed_time > coalesce(last_archived_time, '-infinity'))::int,"
		       " CASE WHEN last_failed_time > coalesce(last_archived_time, '-infinity')"
		       "  THEN failed_count || ' failures, last of ' || last_failed_wal"
		       "  ELSE archived_count || ' archived' END"
		       " FROM pg_stat_archiver WHERE current_setting('archive_mode') <> 'off'",
		.hint = "the server's log has what archive_command said"},
	{.name = "archive-backlog",
		LIMITS(PROBE_INT, archive_backlog),
		.since = 120000,
		.sql = "SELECT count(*), count(*) || ' segments wait' FROM "
		       "pg_ls_archive_statusdir()"
		       " WHERE name LIKE '%.ready'",
		.hint = "see that archive_command works and is quick enough"},
	{.name = "slots",
		.limits = PROBE_FAILS,
		.since = 130000,
		.sql = "SELECT count(*), string_agg(slot_name || ' ' || wal_status, ', ')"
		       " FROM pg_replication_slots WHERE wal_status IN ('lost', 'unreserved')",
		.hint = "drop the slot and build its standby anew: the WAL that it needs goes or "
			"is gone"},
	{.name = "slots-inactive",
		.limits = PROBE_FAILS,
		.sql = "SELECT count(*), string_agg(slot_name::text, ', ')"
		       " FROM pg_replication_slots WHERE NOT active",
		.hint = "start what reads it, or: SELECT pg_drop_replication_slot('NAME'); it "
			"holds WAL "
			"until the disk is full"},
	{.name = "slots-retained",
		LIMITS(PROBE_SIZE, slot),
		.sql = "SELECT max(bytes), pg_size_pretty(max(bytes)) FROM (SELECT pg_wal_lsn_diff("
		       "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()"
		       " ELSE pg_current_wal_lsn() END, restart_lsn) AS bytes"
		       " FROM pg_replication_slots) AS s HAVING max(bytes) IS NOT NULL",
		.hint = "see what keeps the slot's reader behind; max_slot_wal_keep_size is a "
			"limit"},
	{.name = "checksums",
		.limits = PROBE_WARNS,
		.sql = "SELECT (current_setting('data_checksums') = 'off')::int,"
		       " current_setting('data_checksums')",
		.hint = "stop the server and run pg_checksums --enable: damage is found when it "
			"happens"},
	{.name = "checksum-failures",
		.limits = PROBE_FAILS,
		.since = 120000,
		.sql = "SELECT sum(checksum_failures), string_agg(coalesce(datname, 'shared') || ' "
		       "' ||"
		       " checksum_failures, ', ') FROM pg_stat_database WHERE checksum_failures > 0"
		       " HAVING count(*) > 0",
		.hint = "the disk gave wrong bytes: stop writing, see the log for the file, "
			"restore it"},
	{.name = "durability",
		.limits = PROBE_FAILS,
		.sql = "SELECT count(*), string_agg(name || ' = off', ', ') FROM pg_settings"
		       " WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off'",
		.hint = "switch it on: a power cut would destroy the databases"},
	{.name = "autovacuum",
		.limits = PROBE_FAILS,
		.sql = "SELECT count(*), string_agg(name || ' = off', ', ') FROM pg_settings"
		       " WHERE name IN ('autovacuum', 'track_counts') AND setting = 'off'",
		.hint = "switch it on: tables grow and transaction numbers run out"},
	{.name = "autovacuum-tables",
		.limits = PROBE_WARNS,
		.each_database = 1,
		.sql = "SELECT count(*), string_agg(oid::regclass::text, ', ') FROM pg_class"
		       " WHERE relkind IN ('r', 'm') AND EXISTS (SELECT FROM unnest(reloptions) AS "
		       "o"
		       "  WHERE o IN ('autovacuum_enabled=false', 'autovacuum_enabled=off',"
		       "  'autovacuum_enabled=0', 'autovacuum_enabled=no'))",
		.hint = "ALTER TABLE ... RESET (autovacuum_enabled)"},
	{.name = "wraparound",
		LIMITS(PROBE_PERCENT, wraparound),
		.sql = "SELECT 100 * age(datfrozenxid) / 2147483648.0, datname || ' ' ||"
		       " round(100 * age(datfrozenxid) / 2147483648.0, 1) || '%' FROM pg_database"
		       " ORDER BY age(datfrozenxid) DESC LIMIT 1",
		.hint = "run postgres.vacuum with by = \"age\"; see what holds the horizon: "
			"postgres.wraparound"},
	{.name = "wraparound-multixact",
		LIMITS(PROBE_PERCENT, wraparound),
		.sql = "SELECT 100 * mxid_age(datminmxid) / 2147483648.0, datname || ' ' ||"
		       " round(100 * mxid_age(datminmxid) / 2147483648.0, 1) || '%' FROM "
		       "pg_database"
		       " ORDER BY mxid_age(datminmxid) DESC LIMIT 1",
		.hint = "run postgres.vacuum with by = \"age\""},
	{.name = "connections",
		LIMITS(PROBE_PERCENT, connections),
		.sql = "SELECT 100.0 * count(*) / current_setting('max_connections')::int,"
		       " count(*) || ' of ' || current_setting('max_connections')"
		       " FROM pg_stat_activity WHERE backend_type = 'client backend'",
		.hint = "postgres.queries lists them; put a pooler in front, or raise "
			"max_connections"},
	{.name = "prepared",
		LIMITS(PROBE_DURATION, prepared),
		.sql = "SELECT extract(epoch FROM max(now() - prepared)), count(*) || ' prepared, "
		       "the "
		       "oldest ' || date_trunc('second', max(now() - prepared)) FROM "
		       "pg_prepared_xacts"
		       " HAVING count(*) > 0",
		.hint = "find out whose it is, then: COMMIT PREPARED or ROLLBACK PREPARED"},
	{.name = "transactions",
		LIMITS(PROBE_DURATION, transaction),
		.sql = "SELECT extract(epoch FROM now() - xact_start), 'pid ' || pid || ' of ' ||"
		       " coalesce(usename, '') || ' since ' || date_trunc('second', now() - "
		       "xact_start)"
		       " FROM pg_stat_activity WHERE backend_type = 'client backend'"
		       " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL ORDER BY "
		       "xact_start LIMIT 1",
		.hint = "see it by postgres.queries; it keeps dead rows from being removed"},
	{.name = "idle",
		LIMITS(PROBE_DURATION, idle),
		.sql = "SELECT extract(epoch FROM now() - state_change), 'pid ' || pid || ' of ' ||"
		       " coalesce(usename, '') || ' since ' || date_trunc('second', now() - "
		       "state_change)"
		       " FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
		       " ORDER BY state_change LIMIT 1",
		.hint = "postgres.queries with do = \"terminate\" ends it; set "
			"idle_in_transaction_session_timeout"},
	{.name = "lag",
		LIMITS(PROBE_SIZE, lag),
		.sql = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), coalesce(nullif("
		       "application_name, ''), host(client_addr), 'pid ' || pid) || ' ' ||"
		       " pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn))"
		       " FROM pg_stat_replication WHERE NOT pg_is_in_recovery() AND replay_lsn IS "
		       "NOT NULL"
		       " ORDER BY replay_lsn LIMIT 1",
		.hint = "postgres.lag says where it stays: sent, written, flushed or replayed"},
	{.name = "lag-time",
		LIMITS(PROBE_DURATION, lag_time),
		.sql = "SELECT extract(epoch FROM max(replay_lag)), date_trunc('second', "
		       "max(replay_lag))"
		       " FROM pg_stat_replication HAVING max(replay_lag) IS NOT NULL",
		.hint = "postgres.lag says where it stays: sent, written, flushed or replayed"},
	{.name = "standbys",
		.limits = PROBE_FAILS,
		.sql = "SELECT greatest($4::int - count(*), 0), count(*) || ' of ' || $4 || ' "
		       "standbys'"
		       " FROM pg_stat_replication WHERE state = 'streaming' HAVING $4::int > 0",
		.hint = "see the log of the standby that is missing"},
	{.name = "replay",
		LIMITS(PROBE_DURATION, lag_time),
		.sql = "SELECT CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN "
		       "0"
		       " ELSE extract(epoch FROM now() - pg_last_xact_replay_timestamp()) END,"
		       " 'replayed to ' || coalesce(pg_last_xact_replay_timestamp()::text, "
		       "'nowhere')"
		       " WHERE pg_is_in_recovery()",
		.hint = "a long query on the standby can hold it; see max_standby_streaming_delay"},
	{.name = "size",
		LIMITS(PROBE_SIZE, size),
		.sql = "SELECT sum(pg_database_size(oid)), "
		       "pg_size_pretty(sum(pg_database_size(oid)))"
		       " FROM pg_database WHERE has_database_privilege(oid, 'CONNECT')"
		       " OR pg_has_role('pg_read_all_stats', 'USAGE')",
		.hint = "postgres.tables with by = \"size\" says what is large"},
	{.name = "passwords",
		.limits = PROBE_WARNS,
		.sql = "SELECT (current_setting('password_encryption') IN ('md5', 'on'))::int,"
		       " current_setting('password_encryption')",
		.hint = "set password_encryption = scram-sha-256, then set the passwords anew"},
	{.name = "read-only",
		.limits = PROBE_WARNS,
		.sql = "SELECT (current_setting('default_transaction_read_only') = 'on'"
		       " AND NOT pg_is_in_recovery())::int,"
		       " current_setting('default_transaction_read_only')",
		.hint = "ALTER SYSTEM RESET default_transaction_read_only once that is over"},
	{.name = "databases",
		.limits = PROBE_FAILS,
		.sql = "SELECT count(*), string_agg(datname, ', ') FROM pg_database"
		       " WHERE datconnlimit = -2",
		.hint = "DROP DATABASE it again: that was interrupted, and it cannot be used any "
			"more"},
	{.name = "indexes-invalid",
		.limits = PROBE_WARNS,
		.each_database = 1,
		.since = 120000,
		.sql = "SELECT count(*), string_agg(indexrelid::regclass::text, ', ') FROM pg_index"
		       " WHERE NOT indisvalid AND NOT EXISTS (SELECT FROM "
		       "pg_stat_progress_create_index"
		       "  AS p WHERE p.index_relid = indexrelid OR p.relid = indrelid)"
		       " AND (SELECT relkind FROM pg_class AS c WHERE c.oid = indexrelid) = 'i'",
		.hint = "REINDEX INDEX CONCURRENTLY it, or DROP it where its name ends in _ccnew "
			"or _ccold"},
	{.name = "constraints",
		.limits = PROBE_WARNS,
		.each_database = 1,
		.sql = "SELECT count(*), string_agg(conname || ' of ' || conrelid::regclass, ', ')"
		       " FROM pg_constraint WHERE NOT convalidated AND contype IN ('f', 'c')",
		.hint = "ALTER TABLE ... VALIDATE CONSTRAINT"},
	{.name = "sequences",
		LIMITS(PROBE_PERCENT, sequence),
		.each_database = 1,
		.sql = "SELECT used, schemaname || '.' || sequencename || ' ' || round(used, 1) || "
		       "'%'"
		       " FROM (SELECT *, 100 * CASE WHEN increment_by > 0"
		       "  THEN (last_value::numeric - min_value) / greatest(max_value::numeric - "
		       "min_value, 1)"
		       "  ELSE (max_value::numeric - last_value) / greatest(max_value::numeric - "
		       "min_value, 1)"
		       "  END AS used FROM pg_sequences WHERE NOT cycle AND last_value IS NOT "
		       "NULL) AS s"
		       " ORDER BY used DESC LIMIT 1",
		.hint = "make it, and the column that it fills, bigint before it ends"},
};
const size_t probe_count = UPKEEP_COUNT(probes);
