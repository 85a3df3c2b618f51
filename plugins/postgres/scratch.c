/* SPDX-License-Identifier: MIT */
#include "postgres/scratch.h"

#include <sys/random.h>
#include <time.h>

#include "postgres/properties.h"
#include "postgres/record.h"
#include "support/cleanup.h"
#include "support/moment.h"

#define DIGITS 12
#define HOLD_CLASS "1970301808" /* "upkp" */
#define UNTIL ", until "

void scratch_name(char ret[SCRATCH_ROOM], const char *prefix)
{
	unsigned char random[DIGITS / 2];
	while (getrandom(random, sizeof random, 0) != sizeof random)
		;
	char *to = stpcpy(ret, prefix);
	for (size_t i = 0; i < sizeof random; i++, to += 2)
		snprintf(to, 3, "%02x", random[i]);
}

bool scratch_is(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);
	return strncmp(name, prefix, n) == 0 && strlen(name) == n + DIGITS &&
		strspn(name + n, "0123456789abcdef") == DIGITS;
}

bool scratch_is_ours(const char *name)
{
	return scratch_is(name, SCRATCH_DRILL) || scratch_is(name, SCRATCH_NEW) ||
		scratch_is(name, SCRATCH_OLD) || scratch_is(name, SCRATCH_UNDONE);
}

/* ---- making ---- */

/* Only what this server knows of: the provider came with 15, libc is what there was. */
static int locale_clause(
	struct connection *connection, const struct about *about, char **ret, struct fault *fault)
{
	CLEANUP_FREE char *encoding = NULL;
	CLEANUP_FREE char *collate = NULL;
	CLEANUP_FREE char *ctype = NULL;
	CLEANUP_FREE char *locale = NULL;
	const char *provider = about_text(about->json, "provider");
	int r = properties_literal(
		connection, about_text(about->json, "encoding"), &encoding, fault);
	if (r == 0)
		r = properties_literal(
			connection, about_text(about->json, "collate"), &collate, fault);
	if (r == 0)
		r = properties_literal(connection, about_text(about->json, "ctype"), &ctype, fault);
	if (r == 0)
		r = properties_literal(
			connection, about_text(about->json, "locale"), &locale, fault);
	if (r < 0)
		return r;
	*ret = fault_format("ENCODING %s LC_COLLATE %s LC_CTYPE %s%s%s", encoding, collate, ctype,
		*provider == 'i'           ? " LOCALE_PROVIDER icu ICU_LOCALE "
			: *provider == 'b' ? " LOCALE_PROVIDER builtin BUILTIN_LOCALE "
					   : "",
		*provider == 'i' || *provider == 'b' ? locale : "");
	return 0;
}

static int push_record(
	struct connection *connection, const char *name, uint64_t *ret, struct fault *fault)
{
	char payload[256];
	size_t size = 0;
	CLEANUP_FREE char *about = fault_format("drop the database \"%s\"", name);
	upkeep_kv_put(payload, sizeof payload, &size, "name", name);
	return record_push(
		connection, "database", about, payload, sizeof payload, &size, ret, fault);
}

static int is_there(struct connection *connection, const char *name, bool *ret, struct fault *fault)
{
	CLEANUP_RESULT PGresult *result = NULL;
	int r = query_run(connection, "looking for a database", &result, fault,
		"SELECT FROM pg_database WHERE datname = $1", name);
	*ret = r == 0 && PQntuples(result) > 0;
	return r;
}

char *scratch_comment(const struct upkeep_ctx *ctx, const char *what, int64_t until_s)
{
	char text[32];
	moment_format(until_s, text);
	return fault_format(
		"upkeep run %s, task %s: %s" UNTIL "%s", ctx->run_id, ctx->task, what, text);
}

static int make(struct connection *connection, const char *name, const struct about *about,
	struct fault *fault)
{
	CLEANUP_FREE char *locale = NULL;
	CLEANUP_FREE char *text = fault_format("upkeep run %s, task %s: not yet in use",
		connection->ctx->run_id, connection->ctx->task);
	int r = locale_clause(connection, about, &locale, fault);
	if (r < 0)
		return r;
	/* the name is of letters, digits and _ alone */
	CLEANUP_FREE char *sql =
		fault_format("CREATE DATABASE %s TEMPLATE template0 %s", name, locale);
	CLEANUP_FREE char *shut = fault_format("REVOKE ALL ON DATABASE %s FROM PUBLIC", name);
	r = query_run(connection, "making a database", NULL, fault, sql);
	if (r == 0)
		r = properties_comment(connection, name, text, fault);
	return r < 0 ? r : query_run(connection, "shutting the new database", NULL, fault, shut);
}

int scratch_create(struct connection *connection, const char *name, const struct about *about,
	uint64_t *ret_record, struct fault *fault)
{
	bool there;
	if (!scratch_is_ours(name))
		return fault_set(fault, -EINVAL, NULL, "\"%s\" is no reserved name", name);
	int r = is_there(connection, name, &there, fault);
	if (r == 0 && there)
		return fault_set(
			fault, -EEXIST, "try again", "the database \"%s\" is there already", name);
	if (r == 0)
		r = push_record(connection, name, ret_record, fault);
	if (r == 0)
		r = make(connection, name, about, fault);
	if (r == 0)
		connection->ctx->host->undo_applied(connection->ctx, *ret_record, NULL);
	return r;
}

/* ---- removing ---- */

static int drop(struct connection *connection, const char *name, bool force, struct fault *fault)
{
	if (!scratch_is_ours(name))
		return fault_set(fault, -EINVAL, "drop it by hand, if it must go",
			"\"%s\" is no reserved name: it is left alone", name);
	if (force && connection->version < 130000) {
		int r = query_run(connection, "ending the sessions of a database", NULL, fault,
			"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1",
			name);
		if (r < 0)
			return r;
	}
	CLEANUP_FREE char *sql = fault_format("DROP DATABASE IF EXISTS %s%s", name,
		force && connection->version >= 130000 ? " WITH (FORCE)" : "");
	return query_run(connection, "dropping a database", NULL, fault, sql);
}

int scratch_drop(struct connection *connection, const char *name, struct fault *fault)
{
	return drop(connection, name, true, fault);
}

static bool record_name(const struct upkeep_undo *record, char name[SCRATCH_ROOM])
{
	return upkeep_kv_get(record->payload, record->payload_size, "name", name, SCRATCH_ROOM) >
		0 &&
		scratch_is_ours(name);
}

int32_t scratch_undo(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_CONNECTION struct connection connection = {0};
	char name[SCRATCH_ROOM];
	bool there = false;
	if (!record_name(record, name))
		return upkeep_fail(
			ctx, UPKEEP_NEEDS_PERSON, NULL, NULL, "the undo record is not readable");
	int r = connect_open(&connection, ctx, NULL, &fault);
	if (r == 0)
		r = record_settle(record, &connection, &fault);
	if (r == 0)
		r = is_there(&connection, name, &there, &fault);
	if (r == 0 && there)
		r = scratch_drop(&connection, name, &fault);
	if (r < 0)
		return fault_report(ctx, r, &fault);
	ctx->host->undo_done(ctx, record->id);
	return there ? UPKEEP_CHANGED : UPKEEP_UNCHANGED;
}

/* Once it is in its place it has another name: then it is the record of the exchange that matters.
 */
int32_t scratch_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_CONNECTION struct connection connection = {0};
	char name[SCRATCH_ROOM];
	bool there = false;
	if (!record_name(record, name))
		return upkeep_fail(
			ctx, UPKEEP_FAILED, NULL, NULL, "the undo record is not readable");
	int r = connect_open(&connection, ctx, NULL, &fault);
	if (r == 0)
		r = record_settle(record, &connection, &fault);
	if (r == 0)
		r = is_there(&connection, name, &there, &fault);
	if (r < 0)
		return fault_report(ctx, r, &fault);
	return there ? UPKEEP_DONE : UPKEEP_NOT_DONE;
}

/* ---- what was left ---- */

/* The last eight digits as a number of the kind that locks have. */
static char *hold_key(const char *name)
{
	return fault_format("%d", (int)(int32_t)strtoul(name + strlen(name) - 8, NULL, 16));
}

int scratch_hold(struct connection *connection, const char *name, struct fault *fault)
{
	CLEANUP_FREE char *key = hold_key(name);
	return query_run(connection, "holding the scratch database", NULL, fault,
		"SELECT pg_advisory_lock(" HOLD_CLASS ", $1::int)", key);
}

static int reap_drill(struct connection *connection, const char *name, struct fault *fault)
{
	CLEANUP_RESULT PGresult *result = NULL;
	CLEANUP_FREE char *key = hold_key(name);
	/* such a lock is one database's: a drill of other settings holds it in another */
	int r = query_run(connection, "asking whether a drill lives", &result, fault,
		"SELECT pg_try_advisory_lock(" HOLD_CLASS ", $1::int),"
		" EXISTS (SELECT FROM pg_stat_activity WHERE datname = $2)"
		" OR EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2"
		"  AND classid = " HOLD_CLASS "::oid AND objid = $1::int::oid"
		"  AND pid <> pg_backend_pid())",
		key, name);
	if (r < 0)
		return r;
	bool held = query_bool(result, 0, 0), used = query_bool(result, 0, 1);
	if (held && used)
		upkeep_info(connection->ctx,
			"\"%s\" of a drill that was killed is still in use: the "
			"next drill drops it",
			name);
	if (held && !used) {
		upkeep_info(
			connection->ctx, "dropping \"%s\", which a killed drill has left", name);
		r = drop(connection, name, false, fault);
	}
	if (held)
		query_run(connection, "letting go", NULL, NULL,
			"SELECT pg_advisory_unlock(" HOLD_CLASS ", $1::int)", key);
	return r;
}

int scratch_reap_drills(struct connection *connection, struct fault *fault)
{
	CLEANUP_RESULT PGresult *result = NULL;
	int r = query_run(connection, "looking for what killed drills have left", &result, fault,
		"SELECT datname FROM pg_database WHERE datname ~ '^" SCRATCH_DRILL
		"[0-9a-f]{12}$'");
	for (int i = 0; r == 0 && i < PQntuples(result); i++) {
		CLEANUP_FAULT struct fault why = {0};
		r = reap_drill(connection, query_text(result, i, 0), &why);
		if (r < 0 && r != -ECANCELED) {
			upkeep_warn(connection->ctx, "cannot drop what a killed drill has left: %s",
				fault_what(&why));
			r = 0;
		} else if (r < 0)
			fault_set(fault, r, NULL, "%s", fault_what(&why));
	}
	return r;
}

static bool is_over(const char *comment)
{
	struct tm tm = {0};
	const char *until = NULL;
	for (const char *at = comment; (at = strstr(at, UNTIL)); at++)
		until = at + strlen(UNTIL);
	const char *end = until ? strptime(until, "%Y-%m-%dT%H:%M:%SZ", &tm) : NULL;
	return end && !*end && timegm(&tm) <= time(NULL);
}

int scratch_reap_old(struct connection *connection, struct fault *fault)
{
	CLEANUP_RESULT PGresult *result = NULL;
	int r = query_run(connection, "looking for databases whose time has come", &result, fault,
		"SELECT datname, coalesce(shobj_description(oid, 'pg_database'), '') FROM "
		"pg_database"
		" WHERE datname ~ '^(" SCRATCH_OLD "|" SCRATCH_UNDONE ")[0-9a-f]{12}$'");
	for (int i = 0; r == 0 && i < PQntuples(result); i++) {
		CLEANUP_FAULT struct fault why = {0};
		const char *name = query_text(result, i, 0);
		if (!is_over(query_text(result, i, 1)))
			continue;
		upkeep_info(connection->ctx, "dropping \"%s\": %s", name, query_text(result, i, 1));
		if (drop(connection, name, true, &why) < 0)
			upkeep_warn(
				connection->ctx, "cannot drop \"%s\": %s", name, fault_what(&why));
	}
	return r;
}
