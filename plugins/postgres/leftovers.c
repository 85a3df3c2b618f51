/* SPDX-License-Identifier: MIT */
#include "postgres/leftovers.h"

#include "postgres/query.h"
#include "support/cleanup.h"

/* $1 the table, $2 what was known, $3 the index itself. */
#define OURS                                                             \
	" FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid" \
	" JOIN pg_namespace AS n ON n.oid = c.relnamespace"              \
	" WHERE i.indrelid = $1::oid AND NOT i.indisvalid"               \
	" AND (c.oid <> ALL ($2::oid[]) AND c.relname ~ '_ccnew[0-9]*$'" \
	"  OR c.oid = $3::oid AND c.relname ~ '_ccold[0-9]*$')"

int leftovers_note(struct leftovers *ret, struct connection *c, const char *index,
	int64_t lock_timeout_ms, struct fault *fault)
{
	CLEANUP_RESULT PGresult *result = NULL;
	int r = query_run(c, "looking at the index", &result, fault,
		"SELECT i.indrelid, i.indexrelid, i.indexrelid::regclass,"
		" (SELECT array_agg(indexrelid) FROM pg_index AS o WHERE o.indrelid = i.indrelid)"
		" FROM pg_index AS i WHERE i.indexrelid = $1::oid",
		index);
	if (r < 0)
		return r;
	if (PQntuples(result) == 0)
		return fault_set(fault, -ENOENT, NULL, "the index is gone");
	*ret = (struct leftovers){.database = fault_format("%s", c->database),
		.table = fault_format("%s", query_text(result, 0, 0)),
		.index = fault_format("%s", query_text(result, 0, 1)),
		.name = fault_format("%s", query_text(result, 0, 2)),
		.known = fault_format("%s", query_text(result, 0, 3)),
		.lock_ms = fault_format("%lld", (long long)lock_timeout_ms)};
	return 0;
}

static int ours_read(
	const struct leftovers *l, struct connection *c, PGresult **ret, struct fault *fault)
{
	return query_run(c, "looking for leftovers", ret, fault, "SELECT n.nspname, c.relname" OURS,
		l->table, l->known, l->index);
}

int leftovers_count(const struct leftovers *l, struct connection *c, struct fault *fault)
{
	CLEANUP_RESULT PGresult *result = NULL;
	int r = ours_read(l, c, &result, fault);
	return r < 0 ? r : PQntuples(result);
}

static int one_drop(struct connection *c, const char *schema, const char *name, struct fault *fault)
{
	CLEANUP_FREE char *path = NULL;
	int r = query_path(c, schema, name, &path, fault);
	if (r < 0)
		return r;
	CLEANUP_FREE char *sql = fault_format("DROP INDEX CONCURRENTLY %s", path);
	CLEANUP_FREE char *what = fault_format("dropping the leftover %s", path);
	r = query_run(c, what, NULL, fault, sql);
	if (r == 0)
		upkeep_info(c->ctx, "dropped %s, which an unfinished REINDEX left", path);
	return r == -ENOENT ? 0 : r;
}

int leftovers_drop(const struct leftovers *l, struct connection *c, struct fault *fault)
{
	CLEANUP_RESULT PGresult *result = NULL;
	int r = query_run(c, "setting limits", NULL, fault,
		"SELECT set_config('lock_timeout', $1, false),"
		" set_config('statement_timeout', '0', false)",
		l->lock_ms);
	if (r == 0)
		r = ours_read(l, c, &result, fault);
	for (int row = 0; r == 0 && row < PQntuples(result); row++)
		r = one_drop(c, query_text(result, row, 0), query_text(result, row, 1), fault);
	return r < 0 ? r : PQntuples(result);
}

/* Keys of the payload, in the order of the members. */
static const char *const keys[] = {"database", "table", "index", "name", "known", "lock_ms"};

int leftovers_write(const struct leftovers *l, char *payload, size_t room, size_t *ret_size)
{
	const char *const values[] = {
		l->database, l->table, l->index, l->name, l->known, l->lock_ms};
	int r = 0;
	*ret_size = 0;
	for (size_t i = 0; i < UPKEEP_COUNT(keys) && r == 0; i++)
		r = upkeep_kv_put(payload, room, ret_size, keys[i], values[i]);
	return r;
}

int leftovers_read(struct leftovers *ret, const char *payload, size_t size)
{
	*ret = (struct leftovers){0};
	char **const members[] = {
		&ret->database, &ret->table, &ret->index, &ret->name, &ret->known, &ret->lock_ms};
	for (size_t i = 0; i < UPKEEP_COUNT(keys); i++) {
		*members[i] = fault_alloc(size + 1);
		if (upkeep_kv_get(payload, size, keys[i], *members[i], size + 1) < 0)
			return -EINVAL;
	}
	return 0;
}

void leftovers_free(struct leftovers *l)
{
	free(l->database);
	free(l->table);
	free(l->index);
	free(l->name);
	free(l->known);
	free(l->lock_ms);
	*l = (struct leftovers){0};
}
