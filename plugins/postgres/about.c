/* SPDX-License-Identifier: MIT */
#include "postgres/about.h"

#include "support/cleanup.h"

/* Catalogs differ between versions: a column that may be missing is taken out of the row as
 * JSON.  %s is the catalog of roles: pg_authid has their password hashes, pg_roles stars. */
static const char roles[] =
	"SELECT coalesce(json_agg(json_build_object('name', r.rolname, 'superuser', r.rolsuper,"
	"  'inherit', r.rolinherit, 'createrole', r.rolcreaterole, 'createdb', r.rolcreatedb,"
	"  'login', r.rolcanlogin, 'replication', r.rolreplication, 'bypassrls', r.rolbypassrls,"
	"  'connection_limit', r.rolconnlimit, 'valid_until', r.rolvaliduntil::text,"
	"  'password', %s, 'comment', shobj_description(r.oid, 'pg_authid'),"
	"  'settings', (SELECT s.setconfig FROM pg_db_role_setting s"
	"    WHERE s.setdatabase = 0 AND s.setrole = r.oid),"
	"  'member_of', (SELECT json_agg(json_build_object('role', g.rolname,"
	"    'admin', m.admin_option, 'inherit', to_jsonb(m) -> 'inherit_option',"
	"    'set', to_jsonb(m) -> 'set_option') ORDER BY g.rolname)"
	"    FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid)"
	" ) ORDER BY r.rolname), '[]') FROM %s r WHERE r.rolname !~ '^pg_'";

static const char about[] =
	"SELECT json_build_object('format', 1, 'database', d.datname::text, 'server', $1::int,"
	" 'client', $2::int, 'time', extract(epoch FROM now())::bigint,"
	" 'owner', pg_get_userbyid(d.datdba)::text, 'encoding', pg_encoding_to_char(d.encoding),"
	" 'collate', d.datcollate::text, 'ctype', d.datctype::text,"
	" 'provider', coalesce(to_jsonb(d) ->> 'datlocprovider', 'c'),"
	" 'locale', coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'),"
	" 'connection_limit', d.datconnlimit, 'size', pg_database_size(d.oid),"
	" 'comment', shobj_description(d.oid, 'pg_database'),"
	" 'acl', (SELECT json_agg(json_build_object('privilege', a.privilege_type,"
	"   'grantee', CASE a.grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(a.grantee)::text END,"
	"   'grantable', a.is_grantable)) FROM aclexplode(d.datacl) a),"
	" 'settings', (SELECT json_agg(json_build_object('role', r.rolname, 'settings', "
	"s.setconfig))"
	"   FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole"
	"   WHERE s.setdatabase = d.oid),"
	" 'extensions', (SELECT json_agg(json_build_object('name', e.extname,"
	"   'version', e.extversion) ORDER BY e.extname) FROM pg_extension e),"
	" 'tablespaces', (SELECT json_agg(DISTINCT t.spcname::text) FROM pg_class c"
	"   JOIN pg_tablespace t ON t.oid = c.reltablespace WHERE t.spcname !~ '^pg_'),"
	" 'subscriptions', (SELECT count(*) FROM pg_subscription s WHERE s.subdbid = d.oid),"
	" 'roles', $3::json)::text FROM pg_database d WHERE d.datname = current_database()";

static int roles_make(
	struct connection *connection, bool passwords, PGresult **ret, struct fault *fault)
{
	CLEANUP_FREE char *sql = fault_format(roles, passwords ? "r.rolpassword" : "NULL",
		passwords ? "pg_catalog.pg_authid" : "pg_catalog.pg_roles");
	int r = query_run(connection, "reading the roles", ret, fault, sql);
	if (r == -EACCES) {
		free(fault->next);
		fault->next = fault_format("dump as a superuser, or set role_passwords = false");
	}
	return r;
}

int about_roles(struct connection *connection, json_t **ret, struct fault *fault)
{
	CLEANUP_RESULT PGresult *result = NULL;
	int r = roles_make(connection, false, &result, fault);
	*ret = r == 0 ? json_loads(query_text(result, 0, 0), 0, NULL) : NULL;
	return r == 0 && !*ret ? fault_set(fault, -EIO, NULL, "the server's JSON is not readable")
			       : r;
}

int about_make(
	struct connection *connection, bool passwords, int client, char **ret, struct fault *fault)
{
	CLEANUP_RESULT PGresult *all_roles = NULL;
	CLEANUP_RESULT PGresult *result = NULL;
	CLEANUP_FREE char *server = fault_format("%d", connection->version);
	CLEANUP_FREE char *client_text = fault_format("%d", client);
	int r = roles_make(connection, passwords, &all_roles, fault);
	if (r == 0)
		r = query_run(connection, "reading the database's properties", &result, fault,
			about, server, client_text, query_text(all_roles, 0, 0));
	if (r < 0)
		return r;
	/* laid out for people */
	json_t *json = json_loads(query_text(result, 0, 0), 0, NULL);
	*ret = json ? json_dumps(json, JSON_INDENT(1)) : NULL;
	json_decref(json);
	return *ret ? 0 : fault_set(fault, -EIO, NULL, "the server's JSON is not readable");
}

const char *about_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text ? text : "";
}

int about_parse(struct about *ret, const char *text, size_t size, struct fault *fault)
{
	json_error_t error;
	*ret = (struct about){.json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error)};
	if (!ret->json)
		return fault_set(fault, -EBADMSG, NULL, "about.json of the set is not readable: %s",
			error.text);
	int64_t format = json_integer_value(json_object_get(ret->json, "format"));
	if (format > 1)
		return fault_set(fault, -EBADMSG, "use the upkeep that wrote it, or a newer one",
			"the set has form %lld, this upkeep knows form 1", (long long)format);
	ret->database = about_text(ret->json, "database");
	ret->server = (int)json_integer_value(json_object_get(ret->json, "server"));
	ret->client = (int)json_integer_value(json_object_get(ret->json, "client"));
	if (format == 1 && ret->database[0] && ret->server > 0 && ret->client > 0)
		return 0;
	return fault_set(fault, -EBADMSG, NULL, "about.json of the set lacks what it needs");
}
