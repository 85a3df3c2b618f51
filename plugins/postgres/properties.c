/* SPDX-License-Identifier: MIT */
#include "postgres/properties.h"

#include "support/cleanup.h"

int properties_literal(
	struct connection *connection, const char *text, char **ret, struct fault *fault)
{
	char *quoted = PQescapeLiteral(connection->pg, text, strlen(text));
	*ret = quoted ? fault_format("%s", quoted) : NULL;
	PQfreemem(quoted);
	return quoted ? 0 : fault_set(fault, -EINVAL, NULL, "not a text: \"%s\"", text);
}

/* ---- settings ---- */

/* "ALTER ROLE x IN DATABASE y" and its like. */
static int alter_what(struct connection *connection, const char *role, const char *database,
	char **ret, struct fault *fault)
{
	CLEANUP_FREE char *role_name = NULL;
	CLEANUP_FREE char *database_name = NULL;
	int r = query_name(connection, role ? role : "", &role_name, fault);
	if (r == 0)
		r = query_name(connection, database ? database : "", &database_name, fault);
	if (r < 0)
		return r;
	*ret = !role       ? fault_format("ALTER DATABASE %s", database_name)
		: database ? fault_format("ALTER ROLE %s IN DATABASE %s", role_name, database_name)
			   : fault_format("ALTER ROLE %s", role_name);
	return 0;
}

/* Lists such as search_path are kept with their quotes: the server alone takes them apart
 * rightly, and its session has the value for this one statement. */
static int set_one(struct connection *connection, const char *alter, const char *name,
	const char *value, struct fault *fault)
{
	CLEANUP_FREE char *name_text = NULL;
	CLEANUP_FREE char *value_text = NULL;
	CLEANUP_FREE char *alter_text = NULL;
	CLEANUP_FREE char *body = NULL;
	CLEANUP_FREE char *whole = fault_format("%s SET %s FROM CURRENT", alter, name);
	int r = properties_literal(connection, name, &name_text, fault);
	if (r == 0)
		r = properties_literal(connection, value, &value_text, fault);
	if (r == 0)
		r = properties_literal(connection, whole, &alter_text, fault);
	if (r < 0)
		return r;
	CLEANUP_FREE char *code =
		fault_format("BEGIN PERFORM pg_catalog.set_config(%s, %s, true); EXECUTE %s; END",
			name_text, value_text, alter_text);
	r = properties_literal(connection, code, &body, fault);
	if (r < 0)
		return r;
	CLEANUP_FREE char *sql = fault_format("DO %s", body);
	return query_run(connection, "restoring a setting", NULL, fault, sql);
}

static bool is_setting(const char *name)
{
	return *name &&
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") ==
		strlen(name);
}

int properties_settings(struct connection *connection, const char *role, const char *database,
	const json_t *settings, struct fault *fault)
{
	CLEANUP_FREE char *alter = NULL;
	const json_t *item;
	size_t i;
	int r = alter_what(connection, role, database, &alter, fault);
	json_array_foreach(settings, i, item) {
		CLEANUP_FAULT struct fault why = {0};
		const char *text = json_string_value(item);
		const char *value = text ? strchr(text, '=') : NULL;
		if (r < 0 || !value)
			continue;
		CLEANUP_FREE char *name = fault_format("%.*s", (int)(value - text), text);
		int set = is_setting(name) ? set_one(connection, alter, name, value + 1, &why)
					   : fault_set(&why, -EINVAL, NULL, "not a setting's name");
		if (set == -ECANCELED)
			r = fault_set(fault, set, NULL, "%s", fault_what(&why));
		else if (set < 0)
			upkeep_warn(connection->ctx, "\"%s SET %s\" is left out: %s", alter, name,
				fault_what(&why));
	}
	return r;
}

/* ---- rights ---- */

static int grant_one(struct connection *connection, const char *database, const json_t *item,
	struct fault *fault)
{
	CLEANUP_FREE char *name = NULL;
	const char *grantee = about_text(item, "grantee"),
		   *privilege = about_text(item, "privilege");
	if (strcmp(privilege, "CREATE") != 0 && strcmp(privilege, "CONNECT") != 0 &&
		strcmp(privilege, "TEMPORARY") != 0)
		return 0;
	int r = *grantee ? query_name(connection, grantee, &name, fault) : 0;
	if (r < 0)
		return r;
	CLEANUP_FREE char *sql = fault_format("GRANT %s ON DATABASE %s TO %s%s", privilege,
		database, name ? name : "PUBLIC",
		json_is_true(json_object_get(item, "grantable")) ? " WITH GRANT OPTION" : "");
	return query_run(connection, "granting on the restored database", NULL, fault, sql);
}

static int restore_rights(
	struct connection *connection, const char *database, const json_t *acl, struct fault *fault)
{
	const json_t *item;
	size_t i;
	int r = 0;
	if (!json_is_array(acl)) { /* what a new database has by itself */
		CLEANUP_FREE char *sql =
			fault_format("GRANT CONNECT, TEMPORARY ON DATABASE %s TO PUBLIC", database);
		return query_run(connection, "granting on the restored database", NULL, fault, sql);
	}
	json_array_foreach(acl, i, item)
		if (r == 0)
			r = grant_one(connection, database, item, fault);
	return r;
}

/* ---- all ---- */

static int restore_owner(struct connection *connection, const char *database,
	const struct about *about, struct fault *fault)
{
	CLEANUP_FREE char *owner = NULL;
	int64_t limit = json_integer_value(json_object_get(about->json, "connection_limit"));
	int r = query_name(connection, about_text(about->json, "owner"), &owner, fault);
	if (r < 0)
		return r;
	CLEANUP_FREE char *own = fault_format("ALTER DATABASE %s OWNER TO %s", database, owner);
	CLEANUP_FREE char *bound =
		fault_format("ALTER DATABASE %s CONNECTION LIMIT %lld", database, (long long)limit);
	r = query_run(connection, "giving the restored database its owner", NULL, fault, own);
	return r < 0 ? r
		     : query_run(connection, "limiting the restored database", NULL, fault, bound);
}

int properties_comment(
	struct connection *connection, const char *database, const char *text, struct fault *fault)
{
	CLEANUP_FREE char *name = NULL;
	CLEANUP_FREE char *comment = NULL;
	int r = query_name(connection, database, &name, fault);
	if (r == 0)
		r = properties_literal(connection, text, &comment, fault);
	if (r < 0)
		return r;
	CLEANUP_FREE char *sql = fault_format("COMMENT ON DATABASE %s IS %s", name, comment);
	return query_run(connection, "describing a database", NULL, fault, sql);
}

int properties_restore(struct connection *connection, const char *database,
	const struct about *about, struct fault *fault)
{
	CLEANUP_FREE char *name = NULL;
	const json_t *all = json_object_get(about->json, "settings"), *item;
	size_t i;
	int r = query_name(connection, database, &name, fault);
	if (r == 0)
		r = restore_owner(connection, name, about, fault);
	json_array_foreach(all, i, item)
		if (r == 0)
			r = properties_settings(connection,
				json_string_value(json_object_get(item, "role")), database,
				json_object_get(item, "settings"), fault);
	if (r == 0)
		r = restore_rights(connection, name, json_object_get(about->json, "acl"), fault);
	return r < 0 ? r
		     : properties_comment(
			       connection, database, about_text(about->json, "comment"), fault);
}
