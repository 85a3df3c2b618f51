/* SPDX-License-Identifier: MIT */
/* PostgreSQL servers.  The tables; the work is elsewhere. */
#include "postgres/actions.h"
#include "postgres/probes.h"
#include "postgres/drill.h"
#include "postgres/dump.h"
#include "postgres/restore.h"
#include "postgres/settings.h"

static const struct upkeep_param settings_table[] = {
	UPKEEP_PARAM_STRING(struct settings, host,
		"name or address of the server, or the directory of its socket",
		.preset = "/run/postgresql", .flags = UPKEEP_NONEMPTY),
	UPKEEP_PARAM_INT(struct settings, port, "its port; of a socket too", .min = 1, .max = 65535,
		.preset = "5432"),
	UPKEEP_PARAM_STRING(struct settings, user,
		"who connects; the name of the task's user where empty", .preset = ""),
	UPKEEP_PARAM_SECRET(struct settings, password, "the user's password"),
	UPKEEP_PARAM_STRING(struct settings, database,
		"database to connect to for what concerns the whole server", .preset = "postgres",
		.flags = UPKEEP_NONEMPTY),
	UPKEEP_PARAM_CHOICE(struct settings, sslmode,
		"how much TLS is asked for; nothing is sent in clear text from require on",
		.choices = "disable|allow|prefer|require|verify-ca|verify-full",
		.preset = "prefer"),
	UPKEEP_PARAM_PATH(struct settings, sslrootcert,
		"file with the certificates that verify-ca and verify-full believe"),
	UPKEEP_PARAM_STRING(struct settings, container,
		"container that the server runs in: reached at its own address, with the programs "
		"inside it",
		.preset = ""),
	UPKEEP_PARAM_PATH(struct settings, engine,
		"name or absolute path of the program that runs the container",
		.flags = UPKEEP_NONEMPTY | UPKEEP_SEARCHED, .preset = "docker"),
	UPKEEP_PARAM_PATH(struct settings, programs,
		"directory of pg_dump and its like; the newest that is not older than the server "
		"where it is not set"),
	{.name = "connect_timeout",
		.about = "how long the server may take to answer",
		.type = UPKEEP_DURATION,
		.offset = UPKEEP_MEMBER(struct settings, connect_timeout_ms, int64_t),
		.min = 1,
		.max = 600000,
		.preset = "10s"},
};

/* ---- dumps ---- */

static const struct upkeep_param dump_params[] = {
	UPKEEP_PARAM_STRING(struct dump_args, database, "the database to dump",
		.flags = UPKEEP_REQUIRED | UPKEEP_NONEMPTY),
	UPKEEP_PARAM_STRINGS(struct dump_args, exclude,
		"patterns of tables that are left out, as schema.name", .flags = UPKEEP_GLOBS),
	UPKEEP_PARAM_STRINGS(struct dump_args, exclude_data,
		"patterns of tables that are dumped without their rows, as schema.name",
		.flags = UPKEEP_GLOBS),
	{.name = "lock_timeout",
		.about = "how long it may wait for a table that somebody changes",
		.type = UPKEEP_DURATION,
		.offset = UPKEEP_MEMBER(struct dump_args, lock_timeout_ms, int64_t),
		.min = 1,
		.max = INT32_MAX,
		.preset = "30s"},
	UPKEEP_PARAM_BOOL(struct dump_args, count_rows,
		"count the rows of each table, for drill and restore to compare", .preset = "true"),
	UPKEEP_PARAM_BOOL(struct dump_args, role_passwords,
		"dump the roles' password hashes too, which only a superuser can",
		.preset = "true"),
};
static const struct upkeep_output dump_outputs[] = {
	UPKEEP_OUT("database", UPKEEP_STRING, "the database"),
	UPKEEP_OUT("bytes", UPKEEP_SIZE, "bytes of the dump"),
	UPKEEP_OUT("tables", UPKEEP_INT, "tables in it"),
	UPKEEP_OUT("rows", UPKEEP_INT, "rows of all tables that were counted"),
	UPKEEP_OUT("server_version", UPKEEP_STRING, "version of the server"),
	UPKEEP_OUT("client_version", UPKEEP_STRING, "version of pg_dump"),
};

static const struct upkeep_param restore_params[] = {
	UPKEEP_PARAM_STRING(struct restore_args, database,
		"the database that is replaced; the one that was dumped where empty", .preset = ""),
	UPKEEP_PARAM_BOOL(struct restore_args, terminate,
		"end the sessions that are in that database, now and at an undo",
		.preset = "false"),
	UPKEEP_PARAM_BOOL(struct restore_args, roles, "make the roles that the server lacks",
		.preset = "true"),
	UPKEEP_PARAM_STRING(struct restore_args, role,
		"role to become before objects are made; the user of the settings where empty",
		.preset = ""),
	UPKEEP_PARAM_BOOL(struct restore_args, tablespaces,
		"put tables into the tablespaces that they were in", .preset = "true"),
	UPKEEP_PARAM_BOOL(struct restore_args, analyze,
		"gather statistics before the database is put in its place", .preset = "true"),
	{.name = "undo_keep",
		.about = "how long the replaced database is kept",
		.type = UPKEEP_DURATION,
		.offset = UPKEEP_MEMBER(struct restore_args, undo_keep_ms, int64_t),
		.preset = "7d"},
};
static const struct upkeep_output restore_outputs[] = {
	UPKEEP_OUT("database", UPKEEP_STRING, "the database"),
	UPKEEP_OUT("old", UPKEEP_STRING, "name under which the replaced one is kept; or empty"),
	UPKEEP_OUT("bytes", UPKEEP_SIZE, "bytes of the dump"),
	UPKEEP_OUT("tables", UPKEEP_INT, "tables restored"),
	UPKEEP_OUT("rows", UPKEEP_INT, "rows in them"),
	UPKEEP_OUT("roles", UPKEEP_INT, "roles made"),
};

static const struct upkeep_param verify_params[] = {
	UPKEEP_PARAM_STRING(struct verify_args, database,
		"the database of which it has to be; any where empty", .preset = ""),
};
static const struct upkeep_output verify_outputs[] = {
	UPKEEP_OUT("database", UPKEEP_STRING, "the database that was dumped"),
	UPKEEP_OUT("bytes", UPKEEP_SIZE, "bytes of the dump"),
	UPKEEP_OUT("entries", UPKEEP_INT, "things in its list"),
	UPKEEP_OUT("tables", UPKEEP_INT, "tables in it"),
	UPKEEP_OUT("rows", UPKEEP_INT, "rows in them"),
};

static const struct upkeep_param assertion_fields[] = {
	UPKEEP_PARAM_STRING(
		struct assertion, sql, "a query", .flags = UPKEEP_REQUIRED | UPKEEP_NONEMPTY),
	UPKEEP_PARAM_STRING(struct assertion, expect, "the first column of its first row, as text",
		.flags = UPKEEP_REQUIRED),
};
static const struct upkeep_param drill_params[] = {
	UPKEEP_PARAM_GROUPS(struct drill_args, assertions, struct assertion, assertion_fields,
		"what has to be true of the restored data"),
};
static const struct upkeep_output drill_outputs[] = {
	UPKEEP_OUT("database", UPKEEP_STRING, "the database that was dumped"),
	UPKEEP_OUT("bytes", UPKEEP_SIZE, "bytes of the dump"),
	UPKEEP_OUT("tables", UPKEEP_INT, "tables restored"),
	UPKEEP_OUT("rows", UPKEEP_INT, "rows in them"),
};

/* ---- the server ---- */

#define DATABASES(s)                                                \
	UPKEEP_PARAM_STRINGS(s, databases,                          \
		"databases to go through; all but templates where " \
		"empty")

static const struct upkeep_param tables_params[] = {
	DATABASES(struct tables_args),
	UPKEEP_PARAM_INT(struct tables_args, top, "how many of each database", .min = 1,
		.max = 100000, .preset = "10"),
	UPKEEP_PARAM_CHOICE(struct tables_args, by, "what they are ordered by",
		.choices = "activity|size|dead|age", .preset = "activity"),
};
static const struct upkeep_output tables_outputs[] = {
	UPKEEP_OUT("tables", UPKEEP_INT, "tables listed"),
};

#define CHECK(kind, member, text, value) \
	UPKEEP_PARAM_##kind(struct check_args, member, text, .preset = value)

static const struct upkeep_param check_params[] = {
	DATABASES(struct check_args),
	UPKEEP_PARAM_CHOICES(
		struct check_args, skip, "checks that are left out", .choices = PROBE_NAMES),
	UPKEEP_PARAM_INT(struct check_args, oldest_version,
		"fail where the server's major version is below that", .min = 0, .max = 1000,
		.preset = "14"),
	UPKEEP_PARAM_INT(struct check_args, standbys, "fail where fewer standbys stream", .min = 0,
		.max = 1000, .preset = "0"),
	CHECK(BOOL, archiving, "fail where archive_mode is off", "false"),
	{.name = "last_backup",
		.about = "when the last backup was made; not judged where it is not given",
		.type = UPKEEP_TIME,
		.offset = UPKEEP_MEMBER(struct check_args, last_backup_s, int64_t)},
	CHECK(DURATION, backup_warn, "warn when the last backup is that old", "26h"),
	CHECK(DURATION, backup_crit, "fail when the last backup is that old", "50h"),
	{.name = "clock_skew",
		.about = "warn where the clocks of server and this machine differ by more",
		.type = UPKEEP_DURATION,
		.offset = UPKEEP_MEMBER(struct check_args, clock_skew_ms, int64_t),
		.preset = "5s"},
	CHECK(INT, archive_backlog_warn, "warn when that many segments wait for the archive", "16"),
	CHECK(INT, archive_backlog_crit, "fail when that many segments wait for the archive",
		"128"),
	CHECK(SIZE, slot_warn, "warn when a slot holds that much WAL", "1GiB"),
	CHECK(SIZE, slot_crit, "fail when a slot holds that much WAL", "10GiB"),
	CHECK(SIZE, lag_warn, "warn when a standby is that far behind", "64MiB"),
	CHECK(SIZE, lag_crit, "fail when a standby is that far behind", "1GiB"),
	CHECK(DURATION, lag_time_warn, "warn when a standby is that late", "1m"),
	CHECK(DURATION, lag_time_crit, "fail when a standby is that late", "15m"),
	CHECK(SIZE, size_warn, "warn when all databases together are that large", "0"),
	CHECK(SIZE, size_crit, "fail when all databases together are that large", "0"),
	CHECK(PERCENT, wraparound_warn, "warn when that much of the transaction numbers is used up",
		"20%"),
	CHECK(PERCENT, wraparound_crit, "fail when that much of the transaction numbers is used up",
		"50%"),
	CHECK(PERCENT, connections_warn, "warn when that many of the connections are taken", "80%"),
	CHECK(PERCENT, connections_crit, "fail when that many of the connections are taken", "95%"),
	CHECK(PERCENT, sequence_warn, "warn when a sequence is used up so far", "75%"),
	CHECK(PERCENT, sequence_crit, "fail when a sequence is used up so far", "90%"),
	CHECK(PERCENT, disk_warn, "warn when a disk of a server on this machine is that full",
		"85%"),
	CHECK(PERCENT, disk_crit, "fail when a disk of a server on this machine is that full",
		"95%"),
	CHECK(DURATION, prepared_warn, "warn when a prepared transaction is that old", "5m"),
	CHECK(DURATION, prepared_crit, "fail when a prepared transaction is that old", "1h"),
	CHECK(DURATION, transaction_warn, "warn when a transaction is that old", "1h"),
	CHECK(DURATION, transaction_crit, "fail when a transaction is that old", "12h"),
	CHECK(DURATION, idle_warn, "warn when a session idles in a transaction that long", "10m"),
	CHECK(DURATION, idle_crit, "fail when a session idles in a transaction that long", "2h"),
};
static const struct upkeep_output check_outputs[] = {
	UPKEEP_OUT("state", UPKEEP_STRING, "ok, warning or failed"),
	UPKEEP_OUT("failed", UPKEEP_INT, "checks that failed"),
	UPKEEP_OUT("warnings", UPKEEP_INT, "checks that warn"),
};

static const struct upkeep_param locks_params[] = {DATABASES(struct locks_args)};
static const struct upkeep_output locks_outputs[] = {
	UPKEEP_OUT(
		"blocked", UPKEEP_INT, "pairs of a session that waits and one that it waits for"),
};
static const struct upkeep_output lag_outputs[] = {
	UPKEEP_OUT("standbys", UPKEEP_INT, "rows: standbys, and the server itself where it is one"),
};
static const struct upkeep_output wraparound_outputs[] = {
	UPKEEP_OUT("rows", UPKEEP_INT, "databases, and what holds their horizon"),
};

/* A duration under a name that has no unit in it. */
#define DURATION(s, word, text, ...)                                          \
	{                                                                     \
		.name = #word, .about = text, .type = UPKEEP_DURATION,        \
		.offset = UPKEEP_MEMBER(s, word##_ms, int64_t), ##__VA_ARGS__ \
	}

static const struct upkeep_param amcheck_params[] = {
	DATABASES(struct amcheck_args),
	UPKEEP_PARAM_BOOL(struct amcheck_args, full,
		"also that every row is in every index, and values that are stored out of line",
		.preset = "true"),
	DURATION(struct amcheck_args, lock_timeout, "what is locked for longer is left out",
		.min = 0, .max = 86400000, .preset = "5s"),
	DURATION(struct amcheck_args, max_duration, "stop after that, whatever is left; 0: never",
		.min = 0, .max = -1, .preset = "0s"),
};
static const struct upkeep_output amcheck_outputs[] = {
	UPKEEP_OUT("checked", UPKEEP_INT, "tables and indexes that were read"),
	UPKEEP_OUT("skipped", UPKEEP_INT, "those that were locked"),
	UPKEEP_OUT("left", UPKEEP_INT, "those that max_duration left"),
	UPKEEP_OUT("damaged", UPKEEP_INT, "those that are damaged"),
};

static const struct upkeep_param basebackup_params[] = {
	UPKEEP_PARAM_PATH(struct basebackup_args, target,
		"directory to be made; into the stream, as a tar archive, where it is not given"),
	UPKEEP_PARAM_CHOICE(struct basebackup_args, checkpoint,
		"fast: begins at once; spread: spares the disks", .choices = "fast|spread",
		.preset = "fast"),
	UPKEEP_PARAM_SIZE(struct basebackup_args, max_rate, "at most that much a second; 0: any",
		.preset = "0"),
	UPKEEP_PARAM_BOOL(struct basebackup_args, verify,
		"read a directory again and compare it with its manifest before it gets its name",
		.preset = "true"),
};
static const struct upkeep_output basebackup_outputs[] = {
	UPKEEP_OUT("path", UPKEEP_PATH, "the directory that was made"),
	UPKEEP_OUT("version", UPKEEP_INT, "of the server, as 150020"),
};

static const struct upkeep_param queries_params[] = {
	DURATION(struct queries_args, min_runtime, "statements that run that long", .min = 0,
		.max = -1, .preset = "5m"),
	DURATION(struct queries_args, min_idle, "sessions that idle in a transaction that long",
		.min = 0, .max = -1, .preset = "10m"),
	{.name = "do",
		.about = "cancel: the statement ends, the session stays; terminate: cancel, wait "
			 "for grace, then end the session; also those that idle",
		.type = UPKEEP_CHOICE,
		.offset = UPKEEP_MEMBER(struct queries_args, do_, const char *),
		.flags = UPKEEP_NO_UNDO,
		.choices = "report|cancel|terminate",
		.preset = "report"},
	DURATION(struct queries_args, grace, "how long a cancelled statement may take to end",
		.min = 0, .max = 3600000, .preset = "10s"),
	UPKEEP_PARAM_STRINGS(struct queries_args, databases, "only in these; all where empty"),
	UPKEEP_PARAM_STRINGS(struct queries_args, users, "only of these; all where empty"),
	UPKEEP_PARAM_STRINGS(struct queries_args, applications, "only of these; all where empty"),
	UPKEEP_PARAM_STRINGS(
		struct queries_args, protect_users, "users whose sessions are never ended"),
	UPKEEP_PARAM_STRINGS(struct queries_args, protect_applications,
		"applications whose sessions are never ended",
		.preset = "pg_dump|pg_restore|pg_basebackup"),
};
static const struct upkeep_output queries_outputs[] = {
	UPKEEP_OUT("found", UPKEEP_INT, "sessions that were found"),
	UPKEEP_OUT("ended", UPKEEP_INT, "statements or sessions that were ended"),
};

static const struct upkeep_param reindex_params[] = {
	DATABASES(struct reindex_args),
	UPKEEP_PARAM_STRINGS(struct reindex_args, indexes, "these indexes, with their schemas"),
	UPKEEP_PARAM_STRINGS(
		struct reindex_args, tables, "all indexes of these tables, with their schemas"),
	UPKEEP_PARAM_CHOICE(struct reindex_args, by,
		"where neither are named: bloat: those that are larger than they need be; all: all",
		.choices = "bloat|all", .preset = "bloat"),
	UPKEEP_PARAM_PERCENT(struct reindex_args, min_bloat,
		"for bloat: at least so much of it is not needed, as estimated", .preset = "40%"),
	UPKEEP_PARAM_SIZE(
		struct reindex_args, min_size, "for bloat: at least that large", .preset = "8MiB"),
	DURATION(struct reindex_args, lock_timeout,
		"how long locks and older transactions are waited for; 0: for ever", .min = 0,
		.max = 86400000, .preset = "1m"),
	DURATION(struct reindex_args, max_duration, "stop after that, whatever is left; 0: never",
		.min = 0, .max = -1, .preset = "0s"),
	UPKEEP_PARAM_INT(struct reindex_args, retries,
		"how often each is tried again after a lock or deadlock", .min = 0, .max = 100,
		.preset = "2"),
};
static const struct upkeep_output reindex_outputs[] = {
	UPKEEP_OUT("rebuilt", UPKEEP_INT, "indexes that were rebuilt"),
	UPKEEP_OUT("left", UPKEEP_INT, "indexes that max_duration left"),
	UPKEEP_OUT("invalid", UPKEEP_INT, "invalid indexes that are not ours"),
};

static const struct upkeep_param vacuum_params[] = {
	DATABASES(struct vacuum_args),
	UPKEEP_PARAM_STRINGS(struct vacuum_args, tables,
		"these tables, with their schemas; those that need it where empty"),
	UPKEEP_PARAM_CHOICE(struct vacuum_args, by,
		"dead: by dead rows; age: by transactions, and frozen; all: every table",
		.choices = "dead|age|all", .preset = "dead"),
	UPKEEP_PARAM_INT(struct vacuum_args, min_dead, "for dead: at least so many dead rows",
		.min = 0, .max = -1, .preset = "1000"),
	UPKEEP_PARAM_INT(struct vacuum_args, min_age, "for age: at least so many transactions old",
		.min = 0, .max = 2000000000, .preset = "150000000"),
	UPKEEP_PARAM_PERCENT(struct vacuum_args, min_dead_percent,
		"for dead: at least so many of its rows are dead", .preset = "5%"),
	UPKEEP_PARAM_BOOL(
		struct vacuum_args, analyze, "gather statistics as well", .preset = "true"),
	UPKEEP_PARAM_INT(struct vacuum_args, parallel,
		"workers for the indexes of one table; -1: as many as the server gives", .min = -1,
		.max = 1024, .preset = "-1"),
	DURATION(struct vacuum_args, lock_timeout,
		"a table that is locked for longer is left out; 0: waits", .min = 0,
		.max = 86400000, .preset = "5s"),
	DURATION(struct vacuum_args, cost_delay, "rest after each piece of work: slower, gentler",
		.min = 0, .max = 100, .preset = "0s"),
	DURATION(struct vacuum_args, max_duration, "stop after that, whatever is left; 0: never",
		.min = 0, .max = -1, .preset = "0s"),
};
static const struct upkeep_output vacuum_outputs[] = {
	UPKEEP_OUT("vacuumed", UPKEEP_INT, "tables that were vacuumed"),
	UPKEEP_OUT("skipped", UPKEEP_INT, "tables that others worked on or had locked"),
	UPKEEP_OUT("left", UPKEEP_INT, "tables that max_duration left"),
};

static const struct upkeep_action actions[] = {
	{.name = "dump",
		.about = "Dump a database, with the roles and what is needed to check a restore",
		.changes = UPKEEP_CHANGES_NONE,
		.flags = UPKEEP_STREAM_OUT,
		UPKEEP_PARAMS(struct dump_args, dump_params),
		UPKEEP_OUTPUTS(dump_outputs),
		.check = dump_check,
		.plan = dump_plan,
		.run = dump_run},
	{.name = "restore",
		.about = "Put what a dump holds in the place of a database",
		.changes = UPKEEP_CHANGES_RECORDED,
		.flags = UPKEEP_STREAM_IN | UPKEEP_STREAM_IN_NEEDED,
		UPKEEP_PARAMS(struct restore_args, restore_params),
		UPKEEP_OUTPUTS(restore_outputs),
		.check = restore_check,
		.plan = restore_plan,
		.probe = restore_probe,
		.run = restore_run,
		.undo = restore_undo},
	{.name = "verify",
		.about = "Read a dump and see that it is whole",
		.changes = UPKEEP_CHANGES_NONE,
		.flags = UPKEEP_STREAM_IN | UPKEEP_STREAM_IN_NEEDED,
		UPKEEP_PARAMS(struct verify_args, verify_params),
		UPKEEP_OUTPUTS(verify_outputs),
		.run = verify_run},
	{.name = "drill",
		.about = "Restore a dump into a scratch database, compare, ask, drop it again",
		.changes = UPKEEP_CHANGES_RECORDED,
		.flags = UPKEEP_STREAM_IN | UPKEEP_STREAM_IN_NEEDED,
		UPKEEP_PARAMS(struct drill_args, drill_params),
		UPKEEP_OUTPUTS(drill_outputs),
		.plan = drill_plan,
		.probe = restore_probe,
		.run = drill_run,
		.undo = restore_undo},
	{.name = "amcheck",
		.about = "Read every table and B-tree index and look for damage",
		.changes = UPKEEP_CHANGES_NONE,
		UPKEEP_PARAMS(struct amcheck_args, amcheck_params),
		UPKEEP_OUTPUTS(amcheck_outputs),
		.run = amcheck_run},
	{.name = "basebackup",
		.about = "Copy the whole server, to a directory or into a stream",
		.changes = UPKEEP_CHANGES_RECORDED,
		.flags = UPKEEP_STREAM_OUT,
		UPKEEP_PARAMS(struct basebackup_args, basebackup_params),
		UPKEEP_OUTPUTS(basebackup_outputs),
		.check = basebackup_check,
		.plan = basebackup_plan,
		.probe = basebackup_probe,
		.run = basebackup_run,
		.undo = basebackup_undo},
	{.name = "check",
		.about = "Everything about a server that should make somebody look",
		.changes = UPKEEP_CHANGES_NONE,
		UPKEEP_PARAMS(struct check_args, check_params),
		UPKEEP_OUTPUTS(check_outputs),
		.run = check_run},
	{.name = "lag",
		.about = "How far standbys are behind, and where they stay",
		.changes = UPKEEP_CHANGES_NONE,
		UPKEEP_OUTPUTS(lag_outputs),
		.run = lag_run},
	{.name = "locks",
		.about = "Who waits for a lock, and who holds it",
		.changes = UPKEEP_CHANGES_NONE,
		UPKEEP_PARAMS(struct locks_args, locks_params),
		UPKEEP_OUTPUTS(locks_outputs),
		.run = locks_run},
	{.name = "queries",
		.about = "Statements that run, and sessions that idle in a transaction, for too "
			 "long; ends them if asked to",
		.changes = UPKEEP_CHANGES_RECORDED,
		UPKEEP_PARAMS(struct queries_args, queries_params),
		UPKEEP_OUTPUTS(queries_outputs),
		.plan = queries_plan,
		.run = queries_run,
		.undo = queries_undo},
	{.name = "reindex",
		.about = "Build bloated indexes anew while they are in use",
		.changes = UPKEEP_CHANGES_RECORDED,
		UPKEEP_PARAMS(struct reindex_args, reindex_params),
		UPKEEP_OUTPUTS(reindex_outputs),
		.plan = reindex_plan,
		.probe = reindex_probe,
		.run = reindex_run,
		.undo = reindex_undo},
	{.name = "tables",
		.about = "The busiest tables: sizes, rows, dead rows, last vacuum",
		.changes = UPKEEP_CHANGES_NONE,
		UPKEEP_PARAMS(struct tables_args, tables_params),
		UPKEEP_OUTPUTS(tables_outputs),
		.run = tables_run},
	{.name = "vacuum",
		.about = "Vacuum and analyze the tables that need it",
		.changes = UPKEEP_CHANGES_IRREVERSIBLE,
		UPKEEP_PARAMS(struct vacuum_args, vacuum_params),
		UPKEEP_OUTPUTS(vacuum_outputs),
		.plan = vacuum_plan,
		.run = vacuum_run},
	{.name = "wraparound",
		.about = "How old the databases' oldest transactions are, and what holds them",
		.changes = UPKEEP_CHANGES_NONE,
		UPKEEP_OUTPUTS(wraparound_outputs),
		.run = wraparound_run},
};

UPKEEP_PLUGIN(.name = "postgres", .version = "1.0",
	.about = "PostgreSQL servers: checks, dumps and restores, queries, upkeep of tables",
	UPKEEP_SETTINGS(struct settings, settings_table), UPKEEP_ACTIONS(actions));
