/* SPDX-License-Identifier: MIT */
#include "postgres/relations.h"

#include <fnmatch.h>
#include <jansson.h>

#include "postgres/about.h"
#include "support/cleanup.h"

#define LOCKS_AT_ONCE 200

/* What belongs to an extension comes with it and is none of ours; the sequence of an identity
 * column comes with its table. */
static const char list[] =
	"SELECT n.nspname, c.relname, c.relkind FROM pg_class c"
	" JOIN pg_namespace n ON n.oid = c.relnamespace"
	" WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't'"
	" AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'"
	" AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass"
	"  AND d.objid = c.oid AND (d.deptype = 'e' OR c.relkind = 'S' AND d.deptype = 'i'))"
	" ORDER BY n.nspname::text COLLATE \"C\", c.relname::text COLLATE \"C\"";

int relations_list(struct relations *ret, struct connection *connection, struct fault *fault)
{
	CLEANUP_RESULT PGresult *result = NULL;
	*ret = (struct relations){.large_objects = -1};
	int r = query_run(connection, "listing the tables", &result, fault, list);
	if (r < 0)
		return r;
	size_t count = (size_t)PQntuples(result);
	ret->items = fault_alloc(count * sizeof *ret->items);
	for (size_t i = 0; i < count; i++) {
		char kind = query_text(result, (int)i, 2)[0];
		ret->items[ret->count++] = (struct relation){
			.schema = fault_format("%s", query_text(result, (int)i, 0)),
			.name = fault_format("%s", query_text(result, (int)i, 1)),
			.kind = kind,
			.rows = -1};
		ret->tables += kind == 'r' || kind == 'p';
	}
	return 0;
}

static void relation_free(struct relation *relation)
{
	free(relation->schema);
	free(relation->name);
}

bool relation_fits(const struct relation *relation, struct upkeep_strings patterns)
{
	CLEANUP_FREE char *path = fault_format("%s.%s", relation->schema, relation->name);
	for (size_t i = 0; i < patterns.count; i++)
		if (fnmatch(patterns.items[i], path, 0) == 0)
			return true;
	return false;
}

void relations_drop(struct relations *relations, struct upkeep_strings patterns)
{
	size_t kept = 0;
	for (size_t i = 0; i < relations->count; i++) {
		struct relation *relation = &relations->items[i];
		if (relation_fits(relation, patterns)) {
			relations->tables -= relation->kind == 'r' || relation->kind == 'p';
			relation_free(relation);
		} else
			relations->items[kept++] = *relation;
	}
	relations->count = kept;
}

static int lock_some(const struct relations *relations, size_t *at, struct connection *connection,
	struct fault *fault)
{
	CLEANUP_FREE char *names = fault_format("%s", "");
	for (size_t n = 0; *at < relations->count && n < LOCKS_AT_ONCE; ++*at) {
		const struct relation *relation = &relations->items[*at];
		CLEANUP_FREE char *path = NULL;
		if (relation->kind != 'r' && relation->kind != 'p')
			continue;
		int r = query_path(connection, relation->schema, relation->name, &path, fault);
		if (r < 0)
			return r;
		CLEANUP_FREE char *before = names;
		names = fault_format("%s%sONLY %s", before, n++ ? ", " : "", path);
	}
	CLEANUP_FREE char *sql = fault_format("LOCK TABLE %s IN ACCESS SHARE MODE", names);
	return names[0] ? query_run(connection, "locking the tables", NULL, fault, sql) : 0;
}

int relations_lock(
	const struct relations *relations, struct connection *connection, struct fault *fault)
{
	int r = 0;
	for (size_t at = 0; r == 0 && at < relations->count;)
		r = lock_some(relations, &at, connection, fault);
	return r;
}

/* ---- counting ---- */

static const char large_objects[] = "SELECT count(*) FROM pg_catalog.pg_largeobject_metadata";

static int counting_sql(const struct counting *counting, char **ret, struct fault *fault)
{
	CLEANUP_FREE char *path = NULL;
	const struct relation *relation = &counting->relations->items[counting->at];
	if (counting->at == counting->relations->count) {
		*ret = fault_format("%s", large_objects);
		return 0;
	}
	int r = query_path(counting->connection, relation->schema, relation->name, &path, fault);
	*ret = r < 0 ? NULL : fault_format("SELECT count(*) FROM ONLY %s", path);
	return r;
}

/* Goes on to the next table; past the last come the large objects. */
static void counting_skip(struct counting *counting)
{
	while (counting->at < counting->relations->count &&
		counting->relations->items[counting->at].kind != 'r')
		counting->at++;
}

static void counting_store(struct counting *counting, int64_t rows)
{
	struct relations *relations = counting->relations;
	if (counting->at < relations->count) {
		relations->items[counting->at].rows = rows;
		relations->rows += rows;
	} else {
		relations->large_objects = rows;
		counting->done = true;
	}
	counting->at++;
	counting_skip(counting);
}

int relations_count(struct relations *relations, struct connection *connection, struct fault *fault)
{
	struct counting counting = {.relations = relations, .connection = connection};
	int r = 0;
	for (counting_skip(&counting); r == 0 && !counting.done;) {
		CLEANUP_FREE char *sql = NULL;
		CLEANUP_RESULT PGresult *result = NULL;
		r = counting_sql(&counting, &sql, fault);
		if (r == 0)
			r = query_run(connection, "counting the rows", &result, fault, sql);
		if (r == 0)
			counting_store(&counting, query_int(result, 0, 0));
	}
	return r;
}

static int counting_failed(const struct counting *counting, struct fault *fault)
{
	const char *why = PQerrorMessage(counting->connection->pg);
	return fault_set(fault, -EAGAIN, "see the server's log",
		"counting the rows failed in %s: %.*s", counting->connection->where,
		(int)strcspn(why, "\n"), why[0] ? why : "the connection is gone");
}

int counting_turn(struct counting *counting, struct fault *fault)
{
	PGconn *pg = counting->connection->pg;
	if (counting->sent) {
		if (!PQconsumeInput(pg))
			return counting_failed(counting, fault);
		while (!PQisBusy(pg)) {
			CLEANUP_RESULT PGresult *result = PQgetResult(pg);
			if (!result) {
				counting->sent = false;
				break;
			}
			if (PQresultStatus(result) != PGRES_TUPLES_OK)
				return counting_failed(counting, fault);
			counting_store(counting, query_int(result, 0, 0));
		}
		if (counting->sent)
			return 0;
	} else
		counting_skip(counting);
	if (counting->done)
		return 0;
	CLEANUP_FREE char *sql = NULL;
	int r = counting_sql(counting, &sql, fault);
	if (r == 0 && (!PQsendQuery(pg, sql) || PQflush(pg) < 0))
		r = counting_failed(counting, fault);
	counting->sent = r == 0;
	return r;
}

/* ---- contents.json ---- */

static json_t *relation_json(const struct relation *relation)
{
	const char kind[] = {relation->kind, 0};
	return json_pack("{s:s, s:s, s:s, s:o}", "schema", relation->schema, "name", relation->name,
		"kind", kind, "rows",
		relation->rows < 0 ? json_null() : json_integer(relation->rows));
}

char *relations_write(const struct relations *relations)
{
	json_t *array = json_array();
	bool whole = true;
	for (size_t i = 0; i < relations->count; i++)
		whole = json_array_append_new(array, relation_json(&relations->items[i])) == 0 &&
			whole;
	json_t *json = json_pack("{s:o, s:o}", "relations", array, "large_objects",
		relations->large_objects < 0 ? json_null()
					     : json_integer(relations->large_objects));
	char *text = whole ? json_dumps(json, JSON_INDENT(1)) : NULL;
	json_decref(json);
	return text;
}

static int64_t number_or_none(const json_t *value)
{
	return json_is_integer(value) ? json_integer_value(value) : -1;
}

int relations_parse(struct relations *ret, const char *text, size_t size, struct fault *fault)
{
	json_error_t error;
	json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	const json_t *array = json_object_get(json, "relations"), *item;
	size_t i;
	*ret = (struct relations){
		.large_objects = number_or_none(json_object_get(json, "large_objects")),
		.items = fault_alloc((json_array_size(array) + 1) * sizeof *ret->items)};
	json_array_foreach(array, i, item) {
		struct relation *relation = &ret->items[ret->count++];
		*relation =
			(struct relation){.schema = fault_format("%s", about_text(item, "schema")),
				.name = fault_format("%s", about_text(item, "name")),
				.kind = about_text(item, "kind")[0],
				.rows = number_or_none(json_object_get(item, "rows"))};
		ret->rows += relation->rows > 0 ? relation->rows : 0;
		ret->tables += relation->kind == 'r' || relation->kind == 'p';
	}
	bool readable = json_is_array(array);
	json_decref(json);
	return readable
		? 0
		: fault_set(fault, -EBADMSG, NULL, "contents.json of the set is not readable");
}

/* ---- comparing ---- */

struct comparing {
	struct upkeep_ctx *ctx;
	size_t differences;
	char *first;
};

__attribute__((format(printf, 4, 5))) static void differ(
	struct comparing *comparing, const char *schema, const char *name, const char *format, ...)
{
	char text[256];
	va_list ap;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	struct upkeep_cell cells[] = {{"schema", schema, UPKEEP_STRING, 0},
		{"name", name, UPKEEP_STRING, 0}, {"difference", text, UPKEEP_STRING, 0}};
	upkeep_row(comparing->ctx, "differences", cells);
	if (!comparing->differences++)
		comparing->first = fault_format("\"%s.%s\" %s", schema, name, text);
}

static int relation_order(const struct relation *a, const struct relation *b)
{
	int r = strcmp(a->schema, b->schema);
	return r ? r : strcmp(a->name, b->name);
}

static void compare_one(
	struct comparing *comparing, const struct relation *was, const struct relation *is)
{
	if (was->kind != is->kind)
		differ(comparing, was->schema, was->name, "is of kind %c and was of kind %c",
			is->kind, was->kind);
	else if (was->rows >= 0 && was->rows != is->rows)
		differ(comparing, was->schema, was->name, "has %lld rows and had %lld",
			(long long)is->rows, (long long)was->rows);
}

/* Both are in the same order. */
static void compare_all(
	struct comparing *comparing, const struct relations *was, const struct relations *is)
{
	size_t i = 0, k = 0;
	while (i < was->count || k < is->count) {
		const struct relation *a = &was->items[i], *b = &is->items[k];
		int order = i == was->count ? 1 : k == is->count ? -1 : relation_order(a, b);
		if (order < 0)
			differ(comparing, a->schema, a->name, "is missing");
		else if (order > 0)
			differ(comparing, b->schema, b->name, "is there and was not");
		else
			compare_one(comparing, a, b);
		i += order <= 0;
		k += order >= 0;
	}
}

int relations_compare(struct upkeep_ctx *ctx, const struct relations *was,
	const struct relations *is, struct fault *fault)
{
	struct comparing comparing = {.ctx = ctx};
	compare_all(&comparing, was, is);
	if (was->large_objects >= 0 && was->large_objects != is->large_objects)
		differ(&comparing, "pg_catalog", "pg_largeobject", "are %lld and were %lld",
			(long long)is->large_objects, (long long)was->large_objects);
	CLEANUP_FREE char *first = comparing.first;
	return comparing.differences
		? fault_set(fault, -EBADMSG, "see the table of differences: upkeep show last",
			  "what was restored is not what was dumped: %s%s", first,
			  comparing.differences > 1 ? ", and more" : "")
		: 0;
}

void relations_free(struct relations *relations)
{
	for (size_t i = 0; i < relations->count; i++)
		relation_free(&relations->items[i]);
	free(relations->items);
	*relations = (struct relations){0};
}
