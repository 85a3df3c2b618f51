/* SPDX-License-Identifier: MIT */
#include "postgres/exchange.h"

#include <time.h>

#include "postgres/properties.h"
#include "postgres/record.h"
#include "postgres/scratch.h"
#include "support/cleanup.h"

#define TRIES 50
#define SETTLE_TRIES 10
#define BETWEEN_MS 100

static int oid_of(struct connection *admin, const char *name, char **ret, struct fault *fault)
{
	CLEANUP_RESULT PGresult *result = NULL;
	int r = query_run(admin, "looking for a database", &result, fault,
		"SELECT oid FROM pg_database WHERE datname = $1", name);
	*ret = fault_format("%s", r == 0 && PQntuples(result) ? query_text(result, 0, 0) : "");
	return r;
}

int exchange_look(struct exchange *exchange, struct connection *admin, struct fault *fault)
{
	CLEANUP_RESULT PGresult *result = NULL;
	int r = oid_of(admin, exchange->live, &exchange->live_oid, fault);
	if (r == 0)
		r = oid_of(admin, exchange->fresh, &exchange->fresh_oid, fault);
	if (r == 0 && !exchange->fresh_oid[0])
		return fault_set(
			fault, -ENOENT, NULL, "the database \"%s\" is gone", exchange->fresh);
	if (r == 0)
		r = query_run(admin, "reading a comment", &result, fault,
			"SELECT coalesce(max(shobj_description(oid, 'pg_database')), '')"
			" FROM pg_database WHERE datname = $1",
			exchange->live);
	exchange->comment = fault_format("%s", r == 0 ? query_text(result, 0, 0) : "");
	return r;
}

/* ---- sessions in the way ---- */

#define SESSIONS                                                                \
	" FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()" \
	" AND backend_type <> 'autovacuum worker'"

static int count_sessions(struct connection *admin, const char *database, int64_t *ret,
	char **ret_who, struct fault *fault)
{
	CLEANUP_RESULT PGresult *result = NULL;
	int r = query_run(admin, "looking for sessions", &result, fault,
		"SELECT count(*), coalesce(string_agg(DISTINCT format('%s (%s)', usename,"
		" coalesce(nullif(application_name, ''), host(client_addr), 'local')), ', '), "
		"'')" SESSIONS,
		database);
	*ret = r == 0 ? query_int(result, 0, 0) : 0;
	*ret_who = fault_format("%.200s", r == 0 ? query_text(result, 0, 1) : "");
	return r;
}

static int pause_between(const struct connection *admin)
{
	struct connection none = {.ctx = admin->ctx, .deaf = admin->deaf};
	int r = connect_wait(&none, 0, BETWEEN_MS);
	return r == -ETIMEDOUT ? 0 : r;
}

int exchange_settle(
	struct connection *admin, const char *database, const char *next, struct fault *fault)
{
	CLEANUP_FREE char *who = NULL;
	int64_t count = 1;
	int r = 0;
	for (int i = 0; r == 0 && i < SETTLE_TRIES; i++) {
		free(TAKE_PTR(who));
		r = i ? pause_between(admin) : 0;
		if (r == 0)
			r = count_sessions(admin, database, &count, &who, fault);
		if (r < 0 || !count)
			return r;
	}
	return fault_set(fault, -EBUSY, next, "%lld sessions are in the database \"%s\": %s",
		(long long)count, database, who);
}

int exchange_is_free(const struct exchange *exchange, struct connection *admin, struct fault *fault)
{
	return exchange->terminate ? 0
				   : exchange_settle(admin, exchange->live,
					     "stop what uses it, or set terminate = true", fault);
}

static int allow(struct connection *admin, const char *database, bool on, struct fault *fault)
{
	CLEANUP_FREE char *name = NULL;
	int r = query_name(admin, database, &name, fault);
	if (r < 0)
		return r;
	CLEANUP_FREE char *sql =
		fault_format("ALTER DATABASE %s ALLOW_CONNECTIONS %s", name, on ? "true" : "false");
	return query_run(admin, "opening or shutting a database", NULL, fault, sql);
}

/* Nobody comes in, and who is in goes. */
static int end_sessions(struct connection *admin, const char *database, struct fault *fault)
{
	CLEANUP_FREE char *who = NULL;
	int64_t count = 0;
	int r = allow(admin, database, false, fault);
	for (int i = 0; r == 0 && i < TRIES; i++) {
		r = query_run(admin, "ending sessions", NULL, fault,
			"SELECT pg_terminate_backend(pid)" SESSIONS, database);
		free(TAKE_PTR(who));
		if (r == 0)
			r = count_sessions(admin, database, &count, &who, fault);
		if (r < 0 || !count)
			return r;
		r = pause_between(admin);
	}
	return r < 0 ? r
		     : fault_set(fault, -EBUSY,
			       "see what they wait for: SELECT pid, wait_event FROM "
			       "pg_stat_activity",
			       "sessions in \"%s\" do not end: %s", database, who ? who : "");
}

/* ---- renaming ---- */

static int rename_one(
	struct connection *admin, const char *from, const char *to, struct fault *fault)
{
	CLEANUP_FREE char *from_name = NULL;
	CLEANUP_FREE char *to_name = NULL;
	int r = query_name(admin, from, &from_name, fault);
	if (r == 0)
		r = query_name(admin, to, &to_name, fault);
	if (r < 0)
		return r;
	CLEANUP_FREE char *sql = fault_format("ALTER DATABASE %s RENAME TO %s", from_name, to_name);
	return query_run(admin, "renaming a database", NULL, fault, sql);
}

/* All of it or nothing. */
static int rename_both(
	struct connection *admin, const struct exchange *exchange, struct fault *fault)
{
	int r = query_run(admin, "beginning the exchange", NULL, fault, "BEGIN");
	if (r == 0 && exchange->live_oid[0])
		r = rename_one(admin, exchange->live, exchange->old, fault);
	if (r == 0)
		r = rename_one(admin, exchange->fresh, exchange->live, fault);
	if (r == 0 && exchange->live_oid[0])
		r = properties_comment(admin, exchange->old, exchange->until, fault);
	if (r == 0 && exchange->live_oid[0])
		r = allow(admin, exchange->old, false, fault);
	return r < 0 ? r : query_run(admin, "ending the exchange", NULL, fault, "COMMIT");
}

static int push_record(const struct exchange *exchange, struct connection *admin, uint64_t *ret,
	struct fault *fault)
{
	char payload[UPKEEP_PAYLOAD_MAX / 2];
	size_t size = 0;
	CLEANUP_FREE char *keep = fault_format("%lld", (long long)exchange->keep_s);
	CLEANUP_FREE char *about = exchange->live_oid[0]
		? fault_format("rename \"%s\" back to \"%s\"", exchange->old, exchange->live)
		: fault_format("drop the database \"%s\"", exchange->live);
	const char *const members[][2] = {{"live", exchange->live}, {"fresh", exchange->fresh},
		{"old", exchange->old}, {"fresh_oid", exchange->fresh_oid},
		{"live_oid", exchange->live_oid}, {"comment", exchange->comment},
		{"writes", exchange->writes}, {"keep_s", keep},
		{"terminate", exchange->terminate ? "true" : "false"}};
	int r = 0;
	for (size_t i = 0; r == 0 && i < UPKEEP_COUNT(members); i++)
		r = upkeep_kv_put(payload, sizeof payload, &size, members[i][0], members[i][1]);
	return r < 0
		? fault_set(fault, r, NULL, "cannot note the exchange of \"%s\": %s",
			  exchange->live, strerror(-r))
		: record_push(admin, "swap", about, payload, sizeof payload, &size, ret, fault);
}

int exchange_do(const struct exchange *exchange, struct connection *admin, uint64_t *ret_record,
	struct fault *fault)
{
	int r = exchange_is_free(exchange, admin, fault);
	if (r == 0)
		r = push_record(exchange, admin, ret_record, fault);
	if (r == 0 && exchange->terminate && exchange->live_oid[0])
		r = end_sessions(admin, exchange->live, fault);
	return r < 0 ? r : rename_both(admin, exchange, fault);
}

/* Catalogs too: there are definitions and large objects; but not what ANALYZE writes by itself, nor
 * what belongs to the whole server. */
#define WRITES                                                                                   \
	"SELECT CASE WHEN current_setting('track_counts')::bool THEN"                            \
	" coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::text END FROM pg_stat_all_tables" \
	" WHERE relid NOT IN (SELECT unnest(ARRAY[oid, reltoastrelid]) FROM pg_class WHERE"      \
	" relisshared OR oid IN ('pg_statistic'::regclass, 'pg_statistic_ext_data'::regclass))"

int exchange_writes(struct upkeep_ctx *ctx, const char *database, char **ret, struct fault *fault)
{
	CLEANUP_CONNECTION struct connection connection = {0};
	CLEANUP_RESULT PGresult *result = NULL;
	int r = connect_open(&connection, ctx, database, fault);
	if (r == 0)
		r = query_run(&connection, "asking how much was written", &result, fault, WRITES);
	*ret = fault_format("%s", r == 0 ? query_text(result, 0, 0) : "");
	return r;
}

/* ---- the record ---- */

static char *member(const struct upkeep_undo *record, const char *key)
{
	CLEANUP_FREE char *value = fault_alloc(UPKEEP_PAYLOAD_MAX);
	int64_t n = upkeep_kv_get(
		record->payload, record->payload_size, key, value, UPKEEP_PAYLOAD_MAX);
	return n < 0 ? NULL : fault_format("%s", value);
}

static int exchange_read(struct exchange *exchange, const struct upkeep_undo *record)
{
	CLEANUP_FREE char *terminate = member(record, "terminate");
	CLEANUP_FREE char *keep = member(record, "keep_s");
	*exchange = (struct exchange){.live = member(record, "live"),
		.fresh = member(record, "fresh"),
		.old = member(record, "old"),
		.fresh_oid = member(record, "fresh_oid"),
		.live_oid = member(record, "live_oid"),
		.comment = member(record, "comment"),
		.writes = member(record, "writes"),
		.keep_s = keep ? strtoll(keep, NULL, 10) : 0,
		.terminate = terminate && strcmp(terminate, "true") == 0};
	return exchange->live && exchange->fresh && exchange->old && exchange->fresh_oid &&
			exchange->live_oid && exchange->comment && exchange->writes &&
			scratch_is(exchange->fresh, SCRATCH_NEW) &&
			scratch_is(exchange->old, SCRATCH_OLD)
		? 0
		: -EINVAL;
}

void exchange_free(struct exchange *exchange)
{
	char *const texts[] = {exchange->live, exchange->fresh, exchange->old, exchange->fresh_oid,
		exchange->live_oid, exchange->comment, exchange->until, exchange->writes};
	for (size_t i = 0; i < UPKEEP_COUNT(texts); i++)
		free(texts[i]);
	*exchange = (struct exchange){0};
}

enum { NOT_EXCHANGED, EXCHANGED, OTHERWISE };

static int exchange_state(
	const struct exchange *exchange, struct connection *admin, int *ret, struct fault *fault)
{
	CLEANUP_FREE char *live = NULL;
	CLEANUP_FREE char *old = NULL;
	int r = oid_of(admin, exchange->live, &live, fault);
	if (r == 0)
		r = oid_of(admin, exchange->old, &old, fault);
	if (r < 0 || !live || !old)
		return r;
	if (strcmp(live, exchange->fresh_oid) == 0 && strcmp(old, exchange->live_oid) == 0)
		*ret = EXCHANGED;
	else
		*ret = strcmp(live, exchange->live_oid) == 0 && !old[0] ? NOT_EXCHANGED : OTHERWISE;
	return 0;
}

/* ---- undo ---- */

/* Where it cannot be said, it was. */
static bool was_written(
	const struct exchange *exchange, struct upkeep_ctx *ctx, const char *database)
{
	CLEANUP_FREE char *writes = NULL;
	return exchange_writes(ctx, database, &writes, NULL) < 0 || !writes[0] ||
		strcmp(writes, exchange->writes) != 0;
}

static int rename_back(struct connection *admin, const struct exchange *exchange, const char *name,
	const char *comment, struct fault *fault)
{
	int r = query_run(admin, "beginning the exchange", NULL, fault, "BEGIN");
	if (r == 0)
		r = rename_one(admin, exchange->live, name, fault);
	if (r == 0)
		r = properties_comment(admin, name, comment, fault);
	if (r == 0)
		r = allow(admin, name, true, fault);
	if (r == 0 && exchange->live_oid[0])
		r = rename_one(admin, exchange->old, exchange->live, fault);
	if (r == 0 && exchange->live_oid[0])
		r = properties_comment(admin, exchange->live, exchange->comment, fault);
	if (r == 0 && exchange->live_oid[0])
		r = allow(admin, exchange->live, true, fault);
	return r < 0 ? r : query_run(admin, "ending the exchange", NULL, fault, "COMMIT");
}

/* The parameters are those of the run: nothing can be set any more. */
static int undo_settle(
	const struct exchange *exchange, struct connection *admin, struct fault *fault)
{
	CLEANUP_FREE char *name = NULL;
	int r = properties_literal(admin, exchange->live, &name, fault);
	if (r < 0)
		return r;
	CLEANUP_FREE char *next = fault_format(
		"stop what uses it, or end its sessions by SQL: SELECT pg_terminate_backend(pid) "
		"FROM pg_stat_activity WHERE datname = %s; then upkeep rollback RUN",
		name);
	return exchange_settle(admin, exchange->live, next, fault);
}

/* Only where nobody finds it any more is it known whether somebody wrote to it: up to then a
 * session may. */
static int go_back(const struct exchange *exchange, struct connection *admin, struct fault *fault)
{
	char undone[SCRATCH_ROOM];
	CLEANUP_FREE char *what = fault_format("restored as \"%s\", taken back", exchange->live);
	CLEANUP_FREE char *comment =
		scratch_comment(admin->ctx, what, (int64_t)time(NULL) + exchange->keep_s);
	scratch_name(undone, SCRATCH_UNDONE);
	int r = exchange->terminate ? end_sessions(admin, exchange->live, fault)
				    : undo_settle(exchange, admin, fault);
	if (r == 0)
		r = rename_back(admin, exchange, undone, comment, fault);
	if (r < 0) {
		query_run(admin, "giving the exchange up", NULL, NULL, "ROLLBACK");
		allow(admin, exchange->live, true, NULL);
		return r;
	}
	if (!was_written(exchange, admin->ctx, undone))
		return scratch_drop(admin, undone, fault);
	upkeep_warn(admin->ctx,
		"\"%s\" was written to since it was restored: what it held is kept as \"%s\"",
		exchange->live, undone);
	return 0;
}

/* Half of it may have been done, or of an earlier undo: the one database is open, the other
 * gone. */
static int clear_up(const struct exchange *exchange, struct connection *admin, struct fault *fault)
{
	int r = exchange->live_oid[0] ? allow(admin, exchange->live, true, fault) : 0;
	return r < 0 ? r : scratch_drop(admin, exchange->fresh, fault);
}

static int32_t undo_otherwise(struct upkeep_ctx *ctx, const struct exchange *exchange)
{
	return upkeep_fail(ctx, UPKEEP_NEEDS_PERSON,
		"look with psql -l, and rename by hand: ALTER DATABASE ... RENAME TO ...", NULL,
		"\"%s\" is no longer the database that was restored, or \"%s\" is not the one that "
		"it "
		"replaced",
		exchange->live, exchange->old);
}

int32_t exchange_undo(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_CONNECTION struct connection admin = {0};
	CLEANUP_EXCHANGE struct exchange exchange = {0};
	int state = OTHERWISE;
	if (exchange_read(&exchange, record) < 0)
		return upkeep_fail(
			ctx, UPKEEP_NEEDS_PERSON, NULL, NULL, "the undo record is not readable");
	int r = connect_open(&admin, ctx, NULL, &fault);
	if (r == 0)
		r = record_settle(record, &admin, &fault);
	if (r == 0)
		r = exchange_state(&exchange, &admin, &state, &fault);
	if (r == 0 && state == OTHERWISE)
		return undo_otherwise(ctx, &exchange);
	if (r == 0)
		r = state == EXCHANGED ? go_back(&exchange, &admin, &fault)
				       : clear_up(&exchange, &admin, &fault);
	if (r < 0)
		return fault_report(ctx, r, &fault);
	ctx->host->undo_done(ctx, record->id);
	return state == EXCHANGED ? UPKEEP_CHANGED : UPKEEP_UNCHANGED;
}

int32_t exchange_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_CONNECTION struct connection admin = {0};
	CLEANUP_EXCHANGE struct exchange exchange = {0};
	int state = OTHERWISE;
	if (exchange_read(&exchange, record) < 0)
		return upkeep_fail(
			ctx, UPKEEP_FAILED, NULL, NULL, "the undo record is not readable");
	int r = connect_open(&admin, ctx, NULL, &fault);
	if (r == 0)
		r = record_settle(record, &admin, &fault);
	if (r == 0)
		r = exchange_state(&exchange, &admin, &state, &fault);
	if (r < 0)
		return fault_report(ctx, r, &fault);
	if (state == NOT_EXCHANGED)
		return UPKEEP_NOT_DONE;
	return state == EXCHANGED && !was_written(&exchange, ctx, exchange.live) ? UPKEEP_DONE
										 : UPKEEP_PARTLY;
}
