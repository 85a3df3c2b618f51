/* SPDX-License-Identifier: MIT */
/* postgres.check: everything about a server that should make somebody look. */
#include <sys/statvfs.h>
#include <time.h>

#include "postgres/actions.h"
#include "postgres/databases.h"
#include "postgres/probes.h"
#include "postgres/programs.h"
#include "postgres/query.h"
#include "postgres/settings.h"
#include "support/cleanup.h"

struct check {
	struct upkeep_ctx *ctx;
	struct connection *server;
	int64_t failed, warned;
	char first[512]; /* the first that failed, and what to do */
	const char *first_hint;
};

static int is_skipped(const struct check_args *args, const char *name)
{
	for (size_t i = 0; i < args->skip.count; i++)
		if (strcmp(args->skip.items[i], name) == 0)
			return 1;
	return 0;
}

/* State is ok, warning, failed or unknown. */
static void found(struct check *check, const char *name, const char *database, const char *state,
	const char *value, const char *hint)
{
	int fine = strcmp(state, "ok") == 0;
	const struct upkeep_cell cells[] = {
		{.name = "server", .value = check->ctx->instance, .type = UPKEEP_STRING},
		{.name = "check", .value = name, .type = UPKEEP_STRING},
		{.name = "database", .value = database, .type = UPKEEP_STRING},
		{.name = "state", .value = state, .type = UPKEEP_STRING},
		{.name = "value", .value = value, .type = UPKEEP_STRING},
		{.name = "hint", .value = fine ? NULL : hint, .type = UPKEEP_STRING},
	};
	upkeep_row(check->ctx, "checks", cells);
	if (strcmp(state, "failed") == 0 && check->failed++ == 0) {
		snprintf(check->first, sizeof check->first, "%s%s%s: %.300s", name,
			database ? " in " : "", database ? database : "", value);
		check->first_hint = hint;
	} else if (strcmp(state, "warning") == 0) {
		check->warned++;
		upkeep_warn(check->ctx, "%s%s%s: %s", name, database ? " in " : "",
			database ? database : "", value);
	}
}

/* A limit as the statement compares it; "0" is none. */
static void limit_text(const struct check_args *args, const struct probe *probe, size_t offset,
	char *room, size_t size)
{
	const void *member = (const char *)args + offset;
	double value = 0;
	if (probe->limits == PROBE_INT)
		value = (double)*(const int64_t *)member;
	else if (probe->limits == PROBE_SIZE)
		value = (double)*(const uint64_t *)member;
	else if (probe->limits == PROBE_DURATION)
		value = (double)*(const int64_t *)member / 1000;
	else if (probe->limits == PROBE_PERCENT)
		value = *(const double *)member;
	snprintf(room, size, "%.12g", value);
}

static int probe_ask(struct check *check, struct connection *c, const struct probe *probe,
	const char *database, struct fault *fault)
{
	const struct check_args *args = check->ctx->args;
	char warn[32] = "0", crit[32] = "0", standbys[24];
	CLEANUP_RESULT PGresult *result = NULL;
	if (is_skipped(args, probe->name) || c->version < probe->since)
		return 0;
	if (probe->limits > PROBE_WARNS) {
		limit_text(args, probe, probe->warn, warn, sizeof warn);
		limit_text(args, probe, probe->crit, crit, sizeof crit);
	} else
		snprintf(probe->limits == PROBE_FAILS ? crit : warn, sizeof warn, "0.001");
	snprintf(standbys, sizeof standbys, "%lld", (long long)args->standbys);
	CLEANUP_FREE char *sql = fault_format(
		"SELECT CASE WHEN measure >= nullif($2::numeric, 0) THEN 'failed'"
		" WHEN measure >= nullif($1::numeric, 0) THEN 'warning' ELSE 'ok' END, value"
		" FROM (%s) AS m (measure, value) WHERE $3::text IS NOT NULL AND $4::text IS NOT "
		"NULL",
		probe->sql);
	CLEANUP_FREE char *what = fault_format("the check %s", probe->name);
	int r = query_run(
		c, what, &result, fault, sql, warn, crit, args->archiving ? "1" : "0", standbys);
	if (r == -EACCES) {
		found(check, probe->name, database, "unknown", "the user may not see it",
			"GRANT pg_monitor TO the user");
		return 0;
	}
	if (r == 0 && PQntuples(result) > 0)
		found(check, probe->name, database, query_text(result, 0, 0),
			query_text(result, 0, 1), probe->hint);
	else if (r == 0)
		found(check, probe->name, database, "ok", NULL, NULL);
	return r;
}

static int database_check(struct connection *c, void *arg, struct fault *fault)
{
	int r = 0;
	for (size_t i = 0; i < probe_count && r >= 0; i++)
		if (probes[i].each_database)
			r = probe_ask(arg, c, &probes[i], c->database, fault);
	return r;
}

static void version_check(struct check *check)
{
	const struct check_args *args = check->ctx->args;
	int major = check->server->version / 10000;
	char value[64];
	snprintf(value, sizeof value, "%d.%d", major, check->server->version % 10000);
	if (!is_skipped(args, "version"))
		found(check, "version", NULL, major < args->oldest_version ? "failed" : "ok", value,
			"upgrade it: its makers correct no faults of it any more");
}

static int privileges_check(struct check *check, struct fault *fault)
{
	CLEANUP_RESULT PGresult *result = NULL;
	if (is_skipped(check->ctx->args, "privileges"))
		return 0;
	int r = query_run(check->server, "the check privileges", &result, fault,
		"SELECT rolsuper, pg_has_role('pg_monitor', 'USAGE'), rolname FROM pg_roles"
		" WHERE rolname = current_user");
	if (r < 0)
		return r;
	int super = query_bool(result, 0, 0), monitor = query_bool(result, 0, 1);
	found(check, "privileges", NULL, super || monitor ? "ok" : "warning",
		super             ? "superuser"
			: monitor ? "pg_monitor"
				  : "sees its own sessions only",
		"GRANT pg_monitor TO the user; a superuser for dumps of everything and for "
		"amcheck");
	return 0;
}

/* Times of backups and log lines are compared between the machines. */
static int clock_check(struct check *check, struct fault *fault)
{
	CLEANUP_RESULT PGresult *result = NULL;
	const struct check_args *args = check->ctx->args;
	struct timespec now;
	char value[64];
	if (is_skipped(args, "clock"))
		return 0;
	int r = query_run(check->server, "the check clock", &result, fault,
		"SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint");
	if (r < 0)
		return r;
	clock_gettime(CLOCK_REALTIME, &now);
	int64_t off_ms = query_int(result, 0, 0) - (now.tv_sec * 1000 + now.tv_nsec / 1000000);
	int wrong = args->clock_skew_ms > 0 && llabs(off_ms) > args->clock_skew_ms;
	snprintf(value, sizeof value, "%lld ms off", (long long)off_ms);
	found(check, "clock", NULL, wrong ? "warning" : "ok", value,
		"see that both machines follow a time server");
	return 0;
}

static void encryption_check(struct check *check)
{
	const struct check_args *args = check->ctx->args;
	PGconn *pg = check->server->pg;
	const char *host = PQhost(pg), *protocol = PQsslAttribute(pg, "protocol");
	int near = host[0] == '/' || strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 ||
		strcmp(host, "localhost") == 0;
	if (!is_skipped(args, "encryption"))
		found(check, "encryption", NULL, near || PQsslInUse(pg) ? "ok" : "warning",
			PQsslInUse(pg)           ? protocol
				: host[0] == '/' ? "a socket of this machine"
						 : "none",
			"switch ssl on at the server and set sslmode = \"verify-full\"");
}

static void backup_check(struct check *check)
{
	const struct check_args *args = check->ctx->args;
	int64_t age_ms = (time(NULL) - args->last_backup_s) * 1000;
	char value[64];
	if (is_skipped(args, "backup") ||
		!UPKEEP_GIVEN(check->ctx, struct check_args, last_backup_s))
		return;
	snprintf(value, sizeof value, "%.1f hours old", (double)age_ms / 3600000);
	found(check, "backup", NULL,
		args->backup_crit && age_ms >= args->backup_crit           ? "failed"
			: args->backup_warn && age_ms >= args->backup_warn ? "warning"
									   : "ok",
		value, "run the graph that backs up, and see why it did not run");
}

static void programs_check(struct check *check)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_PROGRAMS struct programs programs = {0};
	char value[64];
	if (is_skipped(check->ctx->args, "programs"))
		return;
	int r = programs_find(
		&programs, check->ctx, check->server->version / 10000, PROGRAMS_NEWEST, &fault);
	snprintf(value, sizeof value, "%d.%d", programs.version / 10000, programs.version % 10000);
	found(check, "programs", NULL, r < 0 ? "failed" : "ok", r < 0 ? fault_what(&fault) : value,
		"install the client programs of the server's version: postgresql-client-NN");
}

/* A place that this machine cannot see is nobody's fault: the server may be elsewhere. */
static void disk_judge(struct check *check, const char *path)
{
	const struct check_args *args = check->ctx->args;
	struct statvfs st;
	char value[512];
	if (statvfs(path, &st) < 0 || st.f_blocks == 0)
		return;
	double used = (double)(st.f_blocks - st.f_bfree);
	double percent = 100 * used / (used + (double)st.f_bavail);
	snprintf(value, sizeof value, "%.400s: %.1f%% used", path, percent);
	found(check, "disk", NULL,
		args->disk_crit > 0 && percent >= args->disk_crit           ? "failed"
			: args->disk_warn > 0 && percent >= args->disk_warn ? "warning"
									    : "ok",
		value, "make room, or move a tablespace; a full disk stops the server");
}

static int disk_check(struct check *check, struct fault *fault)
{
	const struct settings *settings = check->ctx->settings;
	CLEANUP_RESULT PGresult *result = NULL;
	if (is_skipped(check->ctx->args, "disk") || settings->host[0] != '/' ||
		settings->container[0])
		return 0;
	int r = query_run(check->server, "the check disk", &result, fault,
		"SELECT setting FROM pg_settings WHERE name = 'data_directory' AND setting IS NOT "
		"NULL"
		" UNION ALL SELECT * FROM (SELECT pg_tablespace_location(oid) AS at FROM "
		"pg_tablespace)"
		" AS t WHERE at <> ''");
	for (int row = 0; r == 0 && row < PQntuples(result); row++)
		disk_judge(check, query_text(result, row, 0));
	return r;
}

static int server_check(struct check *check, struct fault *fault)
{
	int r = privileges_check(check, fault);
	version_check(check);
	encryption_check(check);
	backup_check(check);
	programs_check(check);
	if (r == 0)
		r = clock_check(check, fault);
	if (r == 0)
		r = disk_check(check, fault);
	for (size_t i = 0; i < probe_count && r >= 0; i++)
		if (!probes[i].each_database)
			r = probe_ask(check, check->server, &probes[i], NULL, fault);
	return r;
}

static int32_t check_finish(struct check *check)
{
	struct upkeep_ctx *ctx = check->ctx;
	upkeep_output_text(ctx, "state",
		check->failed           ? "failed"
			: check->warned ? "warning"
					: "ok");
	upkeep_output_int(ctx, "failed", check->failed);
	upkeep_output_int(ctx, "warnings", check->warned);
	if (!check->failed)
		return UPKEEP_UNCHANGED;
	if (check->failed == 1)
		return upkeep_fail(ctx, UPKEEP_FAILED, check->first_hint, NULL, "%s", check->first);
	return upkeep_fail(ctx, UPKEEP_FAILED, check->first_hint, NULL, "%s, and %lld more failed",
		check->first, (long long)check->failed - 1);
}

int32_t check_run(struct upkeep_ctx *ctx)
{
	const struct check_args *args = ctx->args;
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_CONNECTION struct connection c = {0};
	struct check check = {.ctx = ctx, .server = &c};
	int r = connect_open(&c, ctx, NULL, &fault);
	if (r != -ECANCELED)
		found(&check, "connection", NULL, r < 0 ? "failed" : "ok",
			r < 0 ? fault_what(&fault) : c.where, fault.next);
	if (r == 0)
		r = server_check(&check, &fault);
	if (r >= 0)
		r = databases_each(ctx, &args->databases, database_check, &check, &fault);
	return r < 0 ? fault_report(ctx, r, &fault) : check_finish(&check);
}
