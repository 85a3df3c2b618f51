/* SPDX-License-Identifier: MIT */
#include "tests/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "server.h"
#include "support/cleanup.h"
#include "support/fault.h"
#include "support/tests/service.h"

static void password_read(struct server *s)
{
	CLEANUP_FREE char *path = fault_format("%s/password", s->dir);
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, s->password, sizeof s->password - 1);
	if (n <= 0)
		exit(99);
	s->password[strcspn(s->password, "\n")] = 0;
}

static void take(const char *name, char *room, size_t size)
{
	const char *value = getenv(name);
	snprintf(room, size, "%s", value ? value : "");
}

static void launched(struct server *s, int code)
{
	if (code != 0) {
		server_remove(s);
		exit(code == 77 ? 77 : 99);
	}
	take("postgres_host", s->host, sizeof s->host);
	take("postgres_port", s->port, sizeof s->port);
	take("postgres_user", s->user, sizeof s->user);
	take("postgres_socket", s->socket, sizeof s->socket);
	take("postgres_bin", s->bin, sizeof s->bin);
	password_read(s);
}

void server_start(struct server *s, const char *const *lines)
{
	alarm(300);
	*s = (struct server){.dir = "/tmp/upkeep-postgres-XXXXXX"};
	if (!mkdtemp(s->dir))
		exit(99);
	launched(s, service_start("postgres", s->dir, lines));
}

void server_again(struct server *s)
{
	const char *const arguments[] = {"again", s->dir, NULL};
	launched(s, service_call("postgres", arguments));
}

void server_stop(const struct server *s)
{
	const char *const arguments[] = {"stop", s->dir, NULL};
	service_call("postgres", arguments);
}

void server_remove(const struct server *s)
{
	const char *argv[] = {"/bin/rm", "-rf", "--one-file-system", "--", s->dir, NULL};
	server_stop(s);
	service_program(argv, 2);
}

/* As an argument a name with "=" would be taken for a whole connection string. */
static char *connection_string(const char *database)
{
	char *text = fault_format("dbname='"), *longer;
	for (; *database; database++) {
		longer = fault_format("%s%s%c", text,
			*database == '\'' || *database == '\\' ? "\\" : "", *database);
		free(text);
		text = longer;
	}
	longer = fault_format("%s'", text);
	free(text);
	return longer;
}

void server_fill(const struct server *s, const char *database, const char *rows)
{
	CLEANUP_FREE char *psql = fault_format("%s/psql", s->bin);
	CLEANUP_FREE char *place = connection_string(database);
	CLEANUP_FREE char *count = fault_format("rows=%s", rows);
	CLEANUP_FREE char *file =
		fault_format("%s/tests/services/postgres.sql", getenv("top_srcdir"));
	const char *argv[] = {psql, "-X", "-q", "-h", s->socket, "-p", s->port, "-U", s->user, "-d",
		database, "-d", place, "-v", count, "-f", file, NULL};
	PGconn *pg = server_connect(s, "postgres");
	char *name = PQescapeIdentifier(pg, database, strlen(database));
	char *sql = fault_format("CREATE DATABASE %s", name);
	server_do(pg, sql);
	PQfreemem(name);
	free(sql);
	PQfinish(pg);
	int code = service_program(argv, 2);
	assert_int_equal(code, 0);
}

struct upkeep_test *server_test(const struct server *s)
{
	struct upkeep_test *t = upkeep_test_new(&upkeep_plugin);
	assert_non_null(t);
	upkeep_test_setting(t, "host", s->host);
	upkeep_test_setting(t, "port", s->port);
	upkeep_test_setting(t, "user", s->user);
	upkeep_test_setting(t, "password", "file:/password");
	upkeep_test_setting(t, "programs", s->bin);
	upkeep_test_secret(t, "file:/password", s->password);
	return t;
}

PGconn *server_connect(const struct server *s, const char *database)
{
	const char *const names[] = {
		"host", "port", "user", "dbname", "application_name", "client_encoding", NULL};
	const char *const values[] = {s->socket, s->port, s->user, database, "test", "UTF8", NULL};
	PGconn *pg = PQconnectdbParams(names, values, 0);
	if (PQstatus(pg) != CONNECTION_OK)
		fail_msg("%s", PQerrorMessage(pg));
	return pg;
}

void server_do(PGconn *pg, const char *sql)
{
	PGresult *result = PQexec(pg, sql);
	ExecStatusType status = PQresultStatus(result);
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(pg));
	PQclear(result);
}

char *server_ask(PGconn *pg, const char *sql)
{
	PGresult *result = PQexec(pg, sql);
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(pg));
	char *text = fault_format("%s", PQntuples(result) ? PQgetvalue(result, 0, 0) : "");
	PQclear(result);
	return text;
}

void server_await(PGconn *pg, const char *sql, const char *wanted)
{
	CLEANUP_FREE char *got = NULL;
	for (int i = 0; i < 400; i++) {
		free(got);
		got = server_ask(pg, sql);
		if (strcmp(got, wanted) == 0)
			return;
		nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	}
	fail_msg("%s: \"%s\", not \"%s\"", sql, got, wanted);
}

void *server_cancel_waiting(void *arg)
{
	const struct server_cancel *cancel = arg;
	PGconn *other = server_connect(cancel->server, "postgres");
	server_await(other,
		"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'upkeep'"
		" AND wait_event_type = 'Lock'",
		"1");
	upkeep_test_cancel(cancel->test);
	PQfinish(other);
	return NULL;
}

size_t server_logged(const struct server *s, const char *text)
{
	CLEANUP_FREE char *log = fault_format("%s/log/postgres", s->dir);
	CLEANUP_FILE FILE *f = fopen(log, "re");
	char line[1024];
	size_t count = 0;
	while (f && fgets(line, sizeof line, f))
		count += strstr(line, text) != NULL;
	return count;
}

void server_expect(struct upkeep_test *t, int32_t got, int32_t wanted)
{
	if (got != wanted)
		fprintf(stderr, "got %d: %s (%s)\n%s", got, upkeep_test_what(t), upkeep_test_why(t),
			upkeep_test_log(t));
	assert_int_equal(got, wanted);
}
