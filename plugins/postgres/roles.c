/* SPDX-License-Identifier: MIT */
#include "postgres/roles.h"

#include "postgres/properties.h"
#include "postgres/record.h"
#include "support/cleanup.h"

#define NAME_ROOM 512

static const struct {
	const char *member, *word;
} attributes[] = {{"superuser", "SUPERUSER"}, {"inherit", "INHERIT"}, {"createrole", "CREATEROLE"},
	{"createdb", "CREATEDB"}, {"login", "LOGIN"}, {"replication", "REPLICATION"},
	{"bypassrls", "BYPASSRLS"}};

static const json_t *find(const json_t *roles, const char *name)
{
	const json_t *role;
	size_t i;
	json_array_foreach(roles, i, role)
		if (strcmp(about_text(role, "name"), name) == 0)
			return role;
	return NULL;
}

static const json_t *wanted(const struct about *about)
{
	return json_object_get(about->json, "roles");
}

static inline void json_free(json_t **json)
{
	json_decref(*json);
}
#define CLEANUP_JSON __attribute__((cleanup(json_free)))

int roles_missing(
	struct connection *connection, const struct about *about, size_t *ret, struct fault *fault)
{
	CLEANUP_JSON json_t *have = NULL;
	const json_t *role;
	size_t i;
	int r = about_roles(connection, &have, fault);
	*ret = 0;
	json_array_foreach(wanted(about), i, role)
		*ret += r == 0 && !find(have, about_text(role, "name"));
	return r;
}

static void tell(struct connection *connection, const char *role, const char *what)
{
	struct upkeep_cell cells[] = {
		{"role", role, UPKEEP_STRING, 0}, {"what", what, UPKEEP_STRING, 0}};
	upkeep_row(connection->ctx, "roles", cells);
}

/* ---- those that are there ---- */

static void tell_differences(struct connection *connection, const json_t *role, const json_t *is)
{
	static const char *const others[] = {
		"connection_limit", "valid_until", "settings", "member_of"};
	for (size_t i = 0; i < UPKEEP_COUNT(attributes) + UPKEEP_COUNT(others); i++) {
		const char *name = i < UPKEEP_COUNT(attributes)
			? attributes[i].member
			: others[i - UPKEEP_COUNT(attributes)];
		if (json_equal(json_object_get(role, name), json_object_get(is, name)))
			continue;
		CLEANUP_FREE char *text = fault_format("kept: its %s differs from the set's", name);
		tell(connection, about_text(role, "name"), text);
	}
}

/* ---- those that are made ---- */

static int push_record(
	struct connection *connection, const char *name, uint64_t *ret, struct fault *fault)
{
	char payload[2 * NAME_ROOM];
	size_t size = 0;
	CLEANUP_FREE char *about = fault_format("drop the role \"%s\"", name);
	int r = upkeep_kv_put(payload, NAME_ROOM, &size, "name", name);
	return r < 0
		? fault_set(fault, r, NULL, "cannot note the role \"%s\": %s", name, strerror(-r))
		: record_push(
			  connection, "role", about, payload, sizeof payload, &size, ret, fault);
}

static int add_literal(struct connection *connection, char **sql, const char *word,
	const char *text, struct fault *fault)
{
	CLEANUP_FREE char *literal = NULL;
	if (!*text)
		return 0;
	int r = properties_literal(connection, text, &literal, fault);
	if (r < 0)
		return r;
	CLEANUP_FREE char *before = *sql;
	*sql = fault_format("%s %s %s", before, word, literal);
	return 0;
}

static int create_sql(struct connection *connection, const json_t *role, const char *name,
	char **ret, struct fault *fault)
{
	*ret = fault_format("CREATE ROLE %s WITH CONNECTION LIMIT %lld", name,
		(long long)json_integer_value(json_object_get(role, "connection_limit")));
	for (size_t i = 0; i < UPKEEP_COUNT(attributes); i++) {
		bool set = json_is_true(json_object_get(role, attributes[i].member));
		CLEANUP_FREE char *before = *ret;
		*ret = fault_format("%s %s%s", before, set ? "" : "NO", attributes[i].word);
	}
	int r = add_literal(connection, ret, "VALID UNTIL", about_text(role, "valid_until"), fault);
	return r < 0
		? r
		: add_literal(connection, ret, "PASSWORD", about_text(role, "password"), fault);
}

static int oid_of(struct connection *connection, const char *name, char **ret, struct fault *fault)
{
	CLEANUP_RESULT PGresult *result = NULL;
	int r = query_run(connection, "looking for a role", &result, fault,
		"SELECT oid FROM pg_roles WHERE rolname = $1", name);
	*ret = fault_format("%s", r == 0 && PQntuples(result) ? query_text(result, 0, 0) : "");
	return r;
}

/* The statement has a password's hash, which a superuser can keep out of the server's log. */
static int begin_quietly(struct connection *connection, struct fault *fault)
{
	int r = query_run(connection, "beginning to make a role", NULL, fault, "BEGIN");
	return r < 0 ? r
		     : query_run(connection, "beginning to make a role", NULL, fault,
			       "SELECT set_config('log_statement', 'none', true),"
			       " set_config('log_min_error_statement', 'panic', true),"
			       " set_config('log_min_duration_statement', '-1', true)"
			       " FROM pg_roles WHERE rolname = current_user AND rolsuper");
}

/* Its OID is noted before it is there for good: a role with no OID noted, or another, is never
 * the one that this record made. */
static int create(struct connection *connection, const char *name, const char *sql, uint64_t record,
	struct fault *fault)
{
	CLEANUP_FREE char *oid = NULL;
	int r = begin_quietly(connection, fault);
	if (r == 0)
		r = query_run(connection, "making a role", NULL, fault, sql);
	if (r == 0)
		r = oid_of(connection, name, &oid, fault);
	if (r == 0) {
		connection->ctx->host->undo_applied(connection->ctx, record, oid);
		r = query_run(connection, "keeping a role", NULL, fault, "COMMIT");
	}
	if (r < 0)
		query_run(connection, "giving a role up", NULL, NULL, "ROLLBACK");
	return r;
}

static int make(struct connection *connection, const json_t *role, struct fault *fault)
{
	CLEANUP_FREE char *name = NULL;
	CLEANUP_FREE char *sql = NULL;
	CLEANUP_FREE char *comment = NULL;
	uint64_t record = 0;
	int r = query_name(connection, about_text(role, "name"), &name, fault);
	if (r == 0)
		r = create_sql(connection, role, name, &sql, fault);
	if (r == 0)
		r = properties_literal(connection, about_text(role, "comment"), &comment, fault);
	if (r == 0)
		r = push_record(connection, about_text(role, "name"), &record, fault);
	if (r == 0)
		r = create(connection, about_text(role, "name"), sql, record, fault);
	if (r < 0)
		return r;
	tell(connection, about_text(role, "name"),
		about_text(role, "password")[0] ? "made, with its password" : "made");
	CLEANUP_FREE char *say = fault_format("COMMENT ON ROLE %s IS %s", name, comment);
	r = query_run(connection, "describing a role", NULL, fault, say);
	return r < 0 ? r
		     : properties_settings(connection, about_text(role, "name"), NULL,
			       json_object_get(role, "settings"), fault);
}

/* From 16 on a membership says more than ADMIN; without it members would get rights that they
 * had not. */
static char *membership_options(const struct connection *connection, const json_t *membership)
{
	const json_t *inherit = json_object_get(membership, "inherit"),
		     *set = json_object_get(membership, "set");
	bool admin = json_is_true(json_object_get(membership, "admin"));
	if (connection->version < 160000 || !json_is_boolean(inherit) || !json_is_boolean(set))
		return fault_format("%s", admin ? " WITH ADMIN OPTION" : "");
	return fault_format(" WITH ADMIN %s, INHERIT %s, SET %s", admin ? "TRUE" : "FALSE",
		json_is_true(inherit) ? "TRUE" : "FALSE", json_is_true(set) ? "TRUE" : "FALSE");
}

static int join(struct connection *connection, const json_t *role, struct fault *fault)
{
	CLEANUP_FREE char *name = NULL;
	const json_t *membership;
	size_t i;
	int r = query_name(connection, about_text(role, "name"), &name, fault);
	json_array_foreach(json_object_get(role, "member_of"), i, membership) {
		CLEANUP_FREE char *group = NULL;
		CLEANUP_FREE char *options = membership_options(connection, membership);
		if (r == 0)
			r = query_name(connection, about_text(membership, "role"), &group, fault);
		CLEANUP_FREE char *sql =
			fault_format("GRANT %s TO %s%s", group ? group : "", name, options);
		if (r == 0)
			r = query_run(connection, "making a role a member", NULL, fault, sql);
	}
	return r;
}

int roles_restore(struct connection *connection, const struct about *about, size_t *ret_made,
	struct fault *fault)
{
	CLEANUP_JSON json_t *have = NULL;
	const json_t *role, *is;
	size_t i;
	int r = about_roles(connection, &have, fault);
	*ret_made = 0;
	json_array_foreach(wanted(about), i, role) {
		is = r == 0 ? find(have, about_text(role, "name")) : NULL;
		if (is)
			tell_differences(connection, role, is);
		else if (r == 0) {
			r = make(connection, role, fault);
			++*ret_made;
		}
	}
	json_array_foreach(wanted(about), i, role)
		if (r == 0 && !find(have, about_text(role, "name")))
			r = join(connection, role, fault);
	return r;
}

/* ---- undo ---- */

struct found {
	char name[NAME_ROOM];
	struct connection connection;
	char *oid; /* "": there is none */
	bool ours; /* it is the one that undo_applied noted */
};

static void found_free(struct found *found)
{
	connect_close(&found->connection);
	free(found->oid);
}
#define CLEANUP_FOUND __attribute__((cleanup(found_free)))

static int look(struct upkeep_ctx *ctx, const struct upkeep_undo *record, struct found *found,
	struct fault *fault)
{
	if (upkeep_kv_get(record->payload, record->payload_size, "name", found->name, NAME_ROOM) <=
		0)
		return fault_set(fault, -EINVAL, NULL, "the undo record is not readable");
	int r = connect_open(&found->connection, ctx, NULL, fault);
	if (r == 0)
		r = record_settle(record, &found->connection, fault);
	if (r == 0)
		r = oid_of(&found->connection, found->name, &found->oid, fault);
	if (r == 0)
		found->ours = found->oid[0] && record->fingerprint &&
			strcmp(record->fingerprint, found->oid) == 0;
	return r;
}

int32_t roles_undo(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_FOUND struct found found = {0};
	CLEANUP_FREE char *name = NULL;
	int r = look(ctx, record, &found, &fault);
	if (r == 0)
		r = query_name(&found.connection, found.name, &name, &fault);
	CLEANUP_FREE char *sql = fault_format("DROP ROLE IF EXISTS %s", name ? name : "\"\"");
	if (r == 0 && found.ours)
		r = query_run(&found.connection, "dropping a role", NULL, &fault, sql);
	/* 2BP01: by now it owns something or has rights; that it stays does no harm */
	if (r < 0 && strcmp(found.connection.sqlstate, "2BP01") == 0)
		upkeep_warn(ctx, "the role \"%s\" stays: %s", found.name, fault_what(&fault));
	else if (r < 0)
		return fault_report(ctx, r, &fault);
	ctx->host->undo_done(ctx, record->id);
	return found.ours && r == 0 ? UPKEEP_CHANGED : UPKEEP_UNCHANGED;
}

int32_t roles_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_FOUND struct found found = {0};
	int r = look(ctx, record, &found, &fault);
	if (r < 0)
		return fault_report(ctx, r, &fault);
	return found.ours                   ? UPKEEP_DONE
		: found.oid && found.oid[0] ? UPKEEP_PARTLY
					    : UPKEEP_NOT_DONE;
}
