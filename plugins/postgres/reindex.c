/* SPDX-License-Identifier: MIT */
/* postgres.reindex: indexes built anew while they are in use. */
#include "postgres/actions.h"
#include "postgres/databases.h"
#include "postgres/leftovers.h"
#include "postgres/query.h"
#include "postgres/record.h"
#include "support/cleanup.h"

#define KIND "reindex"

struct reindex {
	struct upkeep_ctx *ctx;
	int64_t end_ms;
	int64_t done, left, invalid;
	int failed;
	char first[512]; /* the first failure */
};

enum { OID, SCHEMA, NAME, TABLE, SIZE, BLOAT };

/* $1 which, $2 least bloat in percent, $3 least size, $4 indexes, $5 tables.  The size that an
 * index of such rows would have: each takes its values, 8 bytes before them, to a multiple of 8,
 * and 4 in the page's table; pages are filled to 90 % (documentation: "B-Tree Indexes").  Equal
 * values that are stored once make indexes smaller than that: they are never called bloated.
 * Catalogs, and what an exclusion constraint needs, cannot be built beside their use. */
#define LIST                                                                                       \
	"SELECT indexrelid, nspname, relname, \"table\", size, round(bloat, 1) FROM ("             \
	" SELECT x.indexrelid, n.nspname, c.relname, x.indrelid::regclass AS \"table\","           \
	"  c.relpages * b.bytes AS size, CASE WHEN a.amname = 'btree' AND c.relpages > 10"         \
	"   AND c.reltuples > 0 THEN greatest(0, 100 * (1 - (1 + ceil(c.reltuples"                 \
	"   / floor((b.bytes - 40) * 0.9 / (12 + ceil(w.width / 8.0) * 8)))) / c.relpages))"       \
	"   END::numeric AS bloat, x.indrelid"                                                     \
	" FROM pg_index AS x JOIN pg_class AS c ON c.oid = x.indexrelid"                           \
	" JOIN pg_class AS t ON t.oid = x.indrelid JOIN pg_namespace AS n ON n.oid = "             \
	"c.relnamespace"                                                                           \
	" JOIN pg_am AS a ON a.oid = c.relam"                                                      \
	" CROSS JOIN (SELECT current_setting('block_size')::bigint AS bytes) AS b"                 \
	" CROSS JOIN LATERAL (SELECT CASE WHEN bool_and(s.avg_width IS NOT NULL)"                  \
	"   THEN sum(s.avg_width) END AS width FROM unnest(x.indkey) WITH ORDINALITY AS k (at, n)" \
	"  LEFT JOIN pg_attribute AS ta ON ta.attrelid = x.indrelid AND ta.attnum = k.at"          \
	"  LEFT JOIN pg_attribute AS ia ON ia.attrelid = x.indexrelid AND ia.attnum = k.n"         \
	"  LEFT JOIN pg_stats AS s ON s.schemaname = n.nspname AND s.tablename ="                  \
	"   CASE k.at WHEN 0 THEN c.relname ELSE t.relname END AND s.attname ="                    \
	"   CASE k.at WHEN 0 THEN ia.attname ELSE ta.attname END) AS w"                            \
	" WHERE c.relkind = 'i' AND x.indisvalid AND NOT x.indisexclusion"                         \
	" AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'pg_toast')"             \
	" AND (pg_has_role(c.relowner, 'USAGE') OR (SELECT pg_has_role(datdba, 'USAGE')"           \
	"  FROM pg_database WHERE datname = current_database()))) AS l"                            \
	" WHERE CASE $1 WHEN 'list' THEN indexrelid = ANY (SELECT to_regclass(i) FROM"             \
	"   unnest($4::text[]) AS i) OR indrelid = ANY (SELECT to_regclass(t) FROM"                \
	"   unnest($5::text[]) AS t)"                                                              \
	"  WHEN 'bloat' THEN bloat >= $2::numeric AND size >= $3::numeric ELSE true END"           \
	" ORDER BY bloat DESC NULLS LAST, size DESC, indexrelid"

static int list_read(struct connection *c, PGresult **ret, struct fault *fault)
{
	const struct reindex_args *args = c->ctx->args;
	char bloat[32], size[24];
	CLEANUP_FREE char *indexes = query_array(&args->indexes);
	CLEANUP_FREE char *tables = query_array(&args->tables);
	int named = args->indexes.count + args->tables.count > 0;
	snprintf(bloat, sizeof bloat, "%.3f", args->min_bloat);
	snprintf(size, sizeof size, "%llu", (unsigned long long)args->min_size);
	int r = query_exist(c, "index", indexes, fault);
	if (r == 0)
		r = query_exist(c, "table", tables, fault);
	if (r < 0)
		return r;
	return query_run(c, "listing the indexes", ret, fault, LIST, named ? "list" : args->by,
		bloat, size, indexes, tables);
}

static void index_row(struct reindex *x, struct connection *c, const PGresult *list, int row,
	const char *size_after, int64_t lasted_ms, const char *done)
{
	char lasted[24];
	CLEANUP_FREE char *name =
		fault_format("%s.%s", query_text(list, row, SCHEMA), query_text(list, row, NAME));
	snprintf(lasted, sizeof lasted, "%lld", (long long)lasted_ms);
	const struct upkeep_cell cells[] = {
		{.name = "server", .value = x->ctx->instance, .type = UPKEEP_STRING},
		{.name = "database", .value = c->database, .type = UPKEEP_STRING},
		{.name = "index", .value = name, .type = UPKEEP_STRING},
		{.name = "table", .value = query_text(list, row, TABLE), .type = UPKEEP_STRING},
		{.name = "bloat", .value = query_text(list, row, BLOAT), .type = UPKEEP_PERCENT},
		{.name = "size", .value = query_text(list, row, SIZE), .type = UPKEEP_SIZE},
		{.name = "size_after", .value = size_after, .type = UPKEEP_SIZE},
		{.name = "lasted", .value = lasted, .type = UPKEEP_DURATION},
		{.name = "done", .value = done, .type = UPKEEP_STRING},
	};
	upkeep_row(x->ctx, "reindex", cells);
}

/* Others' leftovers are shown and not touched: they may be somebody's work in progress. */
static int invalid_report(struct reindex *x, struct connection *c, struct fault *fault)
{
	static const uint32_t types[] = {UPKEEP_STRING, UPKEEP_STRING, UPKEEP_STRING};
	CLEANUP_RESULT PGresult *result = NULL;
	int r = query_run(c, "looking for invalid indexes", &result, fault,
		"SELECT current_database() AS database, indexrelid::regclass::text AS index,"
		" indrelid::regclass::text AS \"table\" FROM pg_index JOIN pg_class AS c"
		" ON c.oid = indexrelid WHERE NOT indisvalid AND c.relkind = 'i' ORDER BY 2");
	if (r < 0)
		return r;
	query_rows(x->ctx, "invalid", result, types);
	for (int row = 0; row < PQntuples(result); row++)
		upkeep_warn(x->ctx, "%s in \"%s\" is invalid and not ours: drop or rebuild it",
			query_text(result, row, 1), c->database);
	x->invalid += PQntuples(result);
	return 0;
}

static int push_record(
	struct connection *c, const struct leftovers *l, uint64_t *ret_id, struct fault *fault)
{
	char payload[UPKEEP_PAYLOAD_MAX];
	size_t size;
	CLEANUP_FREE char *about = fault_format(
		"drop what an unfinished REINDEX of %s in \"%s\" leaves", l->name, l->database);
	int r = leftovers_write(l, payload, sizeof payload, &size);
	return r < 0 ? fault_set(fault, r, NULL, "cannot note the rebuilding of %s: %s", l->name,
			       strerror(-r))
		     : record_push(c, KIND, about, payload, sizeof payload, &size, ret_id, fault);
}

/* One try; what it leaves is noted in *ret_left under the record *ret_id. */
static int index_try(struct reindex *x, struct connection *c, const PGresult *list, int row,
	struct leftovers *ret_left, uint64_t *ret_id, struct fault *fault)
{
	const struct reindex_args *args = c->ctx->args;
	CLEANUP_FREE char *name = NULL;
	int r = query_path(
		c, query_text(list, row, SCHEMA), query_text(list, row, NAME), &name, fault);
	if (r == 0)
		r = leftovers_note(
			ret_left, c, query_text(list, row, OID), args->lock_timeout_ms, fault);
	if (r == 0)
		r = query_limits(c, args->lock_timeout_ms, x->end_ms, fault);
	if (r == 0)
		r = push_record(c, ret_left, ret_id, fault);
	if (r < 0)
		return r;
	CLEANUP_FREE char *sql = fault_format("REINDEX INDEX CONCURRENTLY %s", name);
	CLEANUP_FREE char *what = fault_format("REINDEX of %s", name);
	r = query_run(c, what, NULL, fault, sql);
	if (r == 0)
		x->ctx->host->undo_applied(x->ctx, *ret_id, NULL);
	return r;
}

/* What an earlier try left, if there was one. */
static int index_clean(struct reindex *x, struct connection *c, struct leftovers *left,
	uint64_t *id, struct fault *fault)
{
	int r = *id ? leftovers_drop(left, c, fault) : 0;
	if (r < 0)
		return r;
	if (*id)
		x->ctx->host->undo_done(x->ctx, *id);
	*id = 0;
	leftovers_free(left);
	return 0;
}

static int index_size(struct connection *c, const char *schema, const char *name, PGresult **ret,
	struct fault *fault)
{
	return query_run(c, "looking at the index afterwards", ret, fault,
		"SELECT c.relpages * current_setting('block_size')::bigint FROM pg_class AS c"
		" JOIN pg_namespace AS n ON n.oid = c.relnamespace"
		" WHERE n.nspname = $1 AND c.relname = $2",
		schema, name);
}

static int is_final(const struct reindex *x, const struct connection *c, int r, int64_t try)
{
	const struct reindex_args *args = c->ctx->args;
	return (r != -EBUSY && r != -EAGAIN) || try >= args->retries ||
		connect_now_ms() >= x->end_ms;
}

/* Where the action has to stop, or the connection is gone, the undo cleans. */
static int index_retry(
	struct reindex *x, struct connection *c, const PGresult *list, int row, struct fault *fault)
{
	struct connection sleeper = {.ctx = c->ctx};
	CLEANUP_LEFTOVERS struct leftovers left = {0};
	CLEANUP_FAULT struct fault second = {0};
	uint64_t id = 0;
	for (int64_t try = 0;; try++) {
		int r = index_clean(x, c, &left, &id, fault);
		if (r == 0)
			r = index_try(x, c, list, row, &left, &id, fault);
		if (r == 0 || r == -ECANCELED || PQstatus(c->pg) != CONNECTION_OK)
			return r;
		if (is_final(x, c, r, try)) {
			if (index_clean(x, c, &left, &id, &second) < 0)
				upkeep_warn(x->ctx, "%s", fault_what(&second));
			return r;
		}
		upkeep_info(x->ctx, "again: %s", fault_what(fault));
		if (connect_wait(&sleeper, 0, 500 << (try > 6 ? 6 : try)) == -ECANCELED)
			return fault_set(fault, -ECANCELED, NULL, "stopped between two tries");
	}
}

static int index_rebuild(
	struct reindex *x, struct connection *c, const PGresult *list, int row, struct fault *fault)
{
	CLEANUP_RESULT PGresult *after = NULL;
	CLEANUP_FAULT struct fault why = {0};
	int64_t start_ms = connect_now_ms();
	const char *done = "rebuilt";
	if (start_ms >= x->end_ms) {
		x->left++;
		return 0;
	}
	int r = index_retry(x, c, list, row, &why);
	if (r == -ECANCELED || PQstatus(c->pg) != CONNECTION_OK)
		return fault_set(fault, r, why.next, "%s", fault_what(&why));
	if (r == 0) {
		x->done++;
		r = index_size(c, query_text(list, row, SCHEMA), query_text(list, row, NAME),
			&after, fault);
		if (r < 0)
			return r;
	} else if (r == -EAGAIN && connect_now_ms() >= x->end_ms) {
		done = "stopped";
		x->left++;
	} else {
		done = "failed";
		if (x->failed++ == 0)
			snprintf(x->first, sizeof x->first, "%.500s", fault_what(&why));
	}
	index_row(x, c, list, row, after && PQntuples(after) > 0 ? query_text(after, 0, 0) : NULL,
		connect_now_ms() - start_ms, done);
	return 0;
}

static int database_reindex(struct connection *c, void *arg, struct fault *fault)
{
	struct reindex *x = arg;
	CLEANUP_RESULT PGresult *list = NULL;
	int r = c->version < 120000 ? fault_set(fault, -ENOTSUP, "upgrade it",
					      "REINDEX CONCURRENTLY is not known to %s", c->where)
				    : list_read(c, &list, fault);
	for (int row = 0; r == 0 && row < PQntuples(list); row++) {
		c->ctx->host->progress(c->ctx, (uint64_t)row, (uint64_t)PQntuples(list), "indexes");
		r = index_rebuild(x, c, list, row, fault);
	}
	return r < 0 ? r : invalid_report(x, c, fault);
}

static int database_plan(struct connection *c, void *arg, struct fault *fault)
{
	int64_t *count = arg;
	CLEANUP_RESULT PGresult *list = NULL;
	int r = list_read(c, &list, fault);
	for (int row = 0; r == 0 && row < PQntuples(list); row++) {
		upkeep_would(c->ctx, "an unfinished one is dropped, a finished one stays",
			"REINDEX INDEX CONCURRENTLY %s.%s in \"%s\": %s bytes, bloat %s%%",
			query_text(list, row, SCHEMA), query_text(list, row, NAME), c->database,
			query_text(list, row, SIZE),
			PQgetisnull(list, row, BLOAT) ? "unknown" : query_text(list, row, BLOAT));
		++*count;
	}
	return r;
}

int32_t reindex_plan(struct upkeep_ctx *ctx)
{
	const struct reindex_args *args = ctx->args;
	return databases_plan(ctx, &args->databases, database_plan);
}

int32_t reindex_run(struct upkeep_ctx *ctx)
{
	const struct reindex_args *args = ctx->args;
	CLEANUP_FAULT struct fault fault = {0};
	struct reindex x = {.ctx = ctx, .end_ms = connect_end_ms(args->max_duration_ms)};
	int r = databases_each(ctx, &args->databases, database_reindex, &x, &fault);
	upkeep_output_int(ctx, "rebuilt", x.done);
	upkeep_output_int(ctx, "left", x.left);
	upkeep_output_int(ctx, "invalid", x.invalid);
	if (r < 0)
		return fault_report(ctx, r, &fault);
	if (x.failed)
		return upkeep_fail(ctx, UPKEEP_FAILED,
			"see the table; postgres.locks says who locks", NULL,
			"%d indexes could not be rebuilt; the first: %s", x.failed, x.first);
	return x.done ? UPKEEP_CHANGED : UPKEEP_UNCHANGED;
}

static int32_t record_read(
	struct upkeep_ctx *ctx, const struct upkeep_undo *record, struct leftovers *ret)
{
	if (strcmp(record->kind, KIND) == 0 && record->version == 1 &&
		leftovers_read(ret, record->payload, record->payload_size) == 0)
		return 0;
	return upkeep_fail(ctx, UPKEEP_NEEDS_PERSON, "use the version of the plugin that wrote it",
		NULL, "cannot read a record of kind \"%s\", version %u", record->kind,
		record->version);
}

/* A database that is gone took them along; 1: it is. */
static int is_gone(struct upkeep_ctx *ctx, const char *database)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_CONNECTION struct connection c = {0};
	CLEANUP_RESULT PGresult *result = NULL;
	int r = connect_open(&c, ctx, NULL, &fault);
	if (r == 0)
		r = query_run(&c, "looking for the database", &result, &fault,
			"SELECT 1 FROM pg_database WHERE datname = $1", database);
	return r == 0 && PQntuples(result) == 0;
}

int32_t reindex_undo(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_LEFTOVERS struct leftovers l = {0};
	CLEANUP_CONNECTION struct connection c = {0};
	int32_t result = record_read(ctx, record, &l);
	if (result < 0)
		return result;
	int r = connect_open(&c, ctx, l.database, &fault);
	if (r == 0)
		r = record_settle(record, &c, &fault);
	if (r == 0)
		r = leftovers_drop(&l, &c, &fault);
	if (r == -ENOENT && is_gone(ctx, l.database))
		r = 0;
	if (r < 0)
		return fault_report(ctx, r, &fault);
	ctx->host->undo_done(ctx, record->id);
	return r > 0 ? UPKEEP_CHANGED : UPKEEP_UNCHANGED;
}

/* Of a record: what an unfinished rebuilding leaves is there or not; a finished one leaves
 * nothing that could be put back. */
int32_t reindex_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_LEFTOVERS struct leftovers l = {0};
	CLEANUP_CONNECTION struct connection c = {0};
	int32_t result;
	if (!record) {
		result = reindex_plan(ctx);
		return result < 0 ? result : result ? UPKEEP_NOT_DONE : UPKEEP_DONE;
	}
	result = record_read(ctx, record, &l);
	if (result < 0)
		return result;
	int r = connect_open(&c, ctx, l.database, &fault);
	if (r == 0)
		r = leftovers_count(&l, &c, &fault);
	if (r == -ENOENT && is_gone(ctx, l.database))
		r = 0;
	if (r < 0)
		return fault_report(ctx, r, &fault);
	return r > 0 ? UPKEEP_DONE : UPKEEP_NOT_DONE;
}
