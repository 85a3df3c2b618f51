/* SPDX-License-Identifier: MIT */
/* postgres.amcheck: every table and B-tree index read and compared with its own rules. */
#include "postgres/actions.h"
#include "postgres/databases.h"
#include "postgres/query.h"
#include "support/cleanup.h"

struct amcheck {
	struct upkeep_ctx *ctx;
	int64_t end_ms;
	int64_t checked, skipped, left, damaged;
	char first[512];    /* the first damage */
	int in_transaction; /* the extension is in none of the databases for longer than this */
	char *schema;       /* quoted, of the extension */
};

enum { OID, NAME, KIND, PAGES };

/* Smaller ones first: most is known early. */
#define LIST                                                                                    \
	"SELECT c.oid, c.oid::regclass, CASE c.relkind WHEN 'i' THEN 'index' ELSE 'table' END," \
	" c.relpages FROM pg_class AS c LEFT JOIN pg_index AS i ON i.indexrelid = c.oid"        \
	" LEFT JOIN pg_am AS a ON a.oid = c.relam WHERE c.relpersistence <> 't'"                \
	" AND (c.relkind = 'i' AND a.amname = 'btree' AND i.indisvalid AND i.indisready"        \
	"  OR c.relkind IN ('r', 'm', 't') AND a.amname = 'heap' AND $1 = 'heap')"              \
	" AND (NOT pg_is_in_recovery() OR c.relpersistence = 'p')"                              \
	" ORDER BY c.relpages, c.oid"

/* Where the extension is not installed, it is for one transaction that is rolled back. */
static int extension_ready(struct amcheck *a, struct connection *c, struct fault *fault)
{
	CLEANUP_RESULT PGresult *result = NULL;
	static const char find[] = "SELECT n.nspname FROM pg_extension AS e JOIN pg_namespace AS n"
				   " ON n.oid = e.extnamespace WHERE e.extname = 'amcheck'";
	free(TAKE_PTR(a->schema));
	a->in_transaction = 0;
	int r = query_run(c, "looking for amcheck", &result, fault, find);
	if (r < 0)
		return r;
	if (PQntuples(result) > 0)
		return query_name(c, query_text(result, 0, 0), &a->schema, fault);
	a->in_transaction = 1;
	r = query_run(c, "beginning a transaction", NULL, fault, "BEGIN");
	if (r == 0)
		r = query_run(c, "the extension amcheck for this transaction", NULL, fault,
			"CREATE EXTENSION amcheck SCHEMA pg_catalog");
	if (r < 0 && r != -ECANCELED)
		return fault_set(fault, r,
			"as a superuser, in that database: CREATE EXTENSION amcheck; Debian has it "
			"in "
			"postgresql-contrib",
			"amcheck is not installed in database \"%s\", and cannot be: %s",
			c->database, fault_what(fault));
	a->schema = fault_format("pg_catalog");
	return r;
}

static void damage_found(struct amcheck *a, struct connection *c, const PGresult *list, int row,
	const char *block, const char *message)
{
	const struct upkeep_cell cells[] = {
		{.name = "server", .value = a->ctx->instance, .type = UPKEEP_STRING},
		{.name = "database", .value = c->database, .type = UPKEEP_STRING},
		{.name = "relation", .value = query_text(list, row, NAME), .type = UPKEEP_STRING},
		{.name = "kind", .value = query_text(list, row, KIND), .type = UPKEEP_STRING},
		{.name = "block", .value = block, .type = UPKEEP_INT},
		{.name = "message", .value = message, .type = UPKEEP_STRING},
	};
	upkeep_row(a->ctx, "damage", cells);
	if (a->damaged == 0)
		snprintf(a->first, sizeof a->first, "%s %.100s in \"%.64s\": %.300s",
			query_text(list, row, KIND), query_text(list, row, NAME), c->database,
			message);
}

static int is_index(const PGresult *list, int row)
{
	return query_text(list, row, KIND)[0] == 'i';
}

static int relation_ask(struct amcheck *a, struct connection *c, const PGresult *list, int row,
	PGresult **ret, struct fault *fault)
{
	const struct amcheck_args *args = c->ctx->args;
	int index = is_index(list, row);
	CLEANUP_FREE char *what = fault_format("checking %s", query_text(list, row, NAME));
	CLEANUP_FREE char *sql =
		fault_format(index ? "SELECT %s.bt_index_check($1::oid::regclass, $2::bool)"
				   : "SELECT blkno, msg FROM %s.verify_heapam($1::oid::regclass,"
				     " check_toast := $2::bool)",
			a->schema);
	return query_run(c, what, ret, fault, sql, query_text(list, row, OID),
		args->full ? "true" : "false");
}

/* XX001 and XX002 are the server's words for damage; checksums have the first. */
static int is_damage(const struct connection *c)
{
	return strcmp(c->sqlstate, "XX001") == 0 || strcmp(c->sqlstate, "XX002") == 0;
}

static int relation_judge(struct amcheck *a, struct connection *c, const PGresult *list, int row,
	int r, const PGresult *result, struct fault *fault)
{
	if (r == 0)
		a->checked++;
	/* a damaged index is an error, a damaged table is rows */
	if (r == 0 && !is_index(list, row) && PQntuples(result) > 0) {
		for (int i = 0; i < PQntuples(result); i++)
			damage_found(a, c, list, row, query_text(result, i, 0),
				query_text(result, i, 1));
		a->damaged++;
		return 0;
	}
	if (r < 0 && is_damage(c)) {
		a->checked++;
		damage_found(a, c, list, row, NULL, fault_what(fault));
		a->damaged++;
		return 0;
	}
	if (r == -ENOENT)
		return 0; /* dropped since it was listed */
	if (r == -EBUSY) {
		upkeep_warn(a->ctx, "left out: %s", fault_what(fault));
		a->skipped++;
		return 0;
	}
	if (r == -EAGAIN && connect_now_ms() >= a->end_ms) {
		a->left++;
		return 0;
	}
	return r;
}

/* A savepoint that is gone back to gives back the locks too. */
static int relation_check(
	struct amcheck *a, struct connection *c, const PGresult *list, int row, struct fault *fault)
{
	const struct amcheck_args *args = c->ctx->args;
	CLEANUP_RESULT PGresult *result = NULL;
	if (connect_now_ms() >= a->end_ms) {
		a->left++;
		return 0;
	}
	int r = 0;
	if (a->in_transaction)
		r = query_run(c, "a savepoint", NULL, fault, "SAVEPOINT each");
	if (r == 0)
		r = query_limits(c, args->lock_timeout_ms, a->end_ms, fault);
	if (r < 0)
		return r;
	r = relation_ask(a, c, list, row, &result, fault);
	if (r == -ECANCELED || PQstatus(c->pg) != CONNECTION_OK)
		return r;
	r = relation_judge(a, c, list, row, r, result, fault);
	if (r == 0 && a->in_transaction)
		r = query_run(c, "a savepoint", NULL, fault, "ROLLBACK TO SAVEPOINT each");
	return r;
}

static int database_amcheck(struct connection *c, void *arg, struct fault *fault)
{
	struct amcheck *a = arg;
	CLEANUP_RESULT PGresult *list = NULL;
	int r = extension_ready(a, c, fault);
	if (r == 0)
		r = query_run(c, "listing tables and indexes", &list, fault, LIST,
			c->version >= 140000 ? "heap" : "none");
	for (int row = 0; r == 0 && row < PQntuples(list); row++) {
		c->ctx->host->progress(
			c->ctx, (uint64_t)row, (uint64_t)PQntuples(list), "relations");
		r = relation_check(a, c, list, row, fault);
	}
	if (r == 0 && a->in_transaction)
		r = query_run(c, "ending the transaction", NULL, fault, "ROLLBACK");
	return r;
}

int32_t amcheck_run(struct upkeep_ctx *ctx)
{
	const struct amcheck_args *args = ctx->args;
	CLEANUP_FAULT struct fault fault = {0};
	struct amcheck a = {.ctx = ctx, .end_ms = connect_end_ms(args->max_duration_ms)};
	int r = databases_each(ctx, &args->databases, database_amcheck, &a, &fault);
	free(a.schema);
	upkeep_output_int(ctx, "checked", a.checked);
	upkeep_output_int(ctx, "skipped", a.skipped);
	upkeep_output_int(ctx, "left", a.left);
	upkeep_output_int(ctx, "damaged", a.damaged);
	if (a.left)
		upkeep_warn(ctx, "%lld relations are not checked: max_duration is over",
			(long long)a.left);
	if (r < 0)
		return fault_report(ctx, r, &fault);
	if (a.damaged)
		return upkeep_fail(ctx, UPKEEP_FAILED,
			"see the table of damage; REINDEX a damaged index; for a table: copy the "
			"data "
			"directory first, then restore",
			a.first, "%lld damaged of %lld tables and indexes", (long long)a.damaged,
			(long long)a.checked);
	return UPKEEP_UNCHANGED;
}
