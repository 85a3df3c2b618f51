/* SPDX-License-Identifier: MIT */
#include "tests/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "server.h"
#include "support/cleanup.h"
#include "support/fault.h"

extern char **environ;

static char *script(void)
{
	return fault_format("%s/tests/services/postgres", getenv("top_srcdir"));
}

static int program_run(const char *const *argv, int stdout_fd)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int status = 0;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, stdout_fd, 1);
	int r = posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (r != 0)
		return 99;
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static void take(const char *line, const char *name, char *room, size_t size)
{
	size_t n = strlen(name);
	if (strncmp(line, name, n) == 0 && line[n] == '=')
		snprintf(room, size, "%.*s", (int)strcspn(line + n + 1, "\n"), line + n + 1);
}

static void assignments_read(struct server *s, FILE *from)
{
	char line[256], pid[16] = "";
	while (fgets(line, sizeof line, from)) {
		take(line, "postgres_host", s->host, sizeof s->host);
		take(line, "postgres_port", s->port, sizeof s->port);
		take(line, "postgres_user", s->user, sizeof s->user);
		take(line, "postgres_socket", s->socket, sizeof s->socket);
		take(line, "postgres_bin", s->bin, sizeof s->bin);
		take(line, "postgres_pid", pid, sizeof pid);
	}
	s->pid = atoi(pid);
}

static void password_read(struct server *s)
{
	CLEANUP_FREE char *path = fault_format("%s/password", s->dir);
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, s->password, sizeof s->password - 1);
	if (n <= 0)
		exit(99);
	s->password[strcspn(s->password, "\n")] = 0;
}

static void launch(struct server *s, const char *word, const char *const *lines)
{
	CLEANUP_FREE char *program = script();
	const char *argv[16] = {program, word, s->dir};
	for (size_t i = 0; lines && lines[i] && i < 12; i++)
		argv[3 + i] = lines[i];
	CLEANUP_FILE FILE *said = tmpfile();
	int code = program_run(argv, fileno(said));
	if (code != 0)
		exit(code == 77 ? 77 : 99);
	rewind(said);
	assignments_read(s, said);
	password_read(s);
}

/* A test that hangs, or is ended, leaves no server. */
static struct server *started[4];

static void end_hanging(int signal_number)
{
	(void)signal_number;
	for (size_t i = 0; i < UPKEEP_COUNT(started); i++)
		if (started[i])
			server_remove(started[i]);
	_exit(99);
}

void server_start(struct server *s, const char *const *lines)
{
	signal(SIGALRM, end_hanging);
	signal(SIGTERM, end_hanging);
	alarm(300);
	for (size_t i = 0; i < UPKEEP_COUNT(started); i++)
		if (!started[i] || started[i] == s) {
			started[i] = s;
			break;
		}
	*s = (struct server){.dir = "/tmp/upkeep-postgres-XXXXXX"};
	if (!mkdtemp(s->dir))
		exit(99);
	chmod(s->dir, 0711);
	launch(s, "start", lines);
}

void server_again(struct server *s)
{
	launch(s, "again", NULL);
}

void server_stop(const struct server *s)
{
	CLEANUP_FREE char *program = script();
	const char *argv[] = {program, "stop", s->dir, NULL};
	program_run(argv, 2);
}

void server_remove(const struct server *s)
{
	const char *argv[] = {"/bin/rm", "-rf", "--one-file-system", "--", s->dir, NULL};
	server_stop(s);
	program_run(argv, 2);
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
	int code = program_run(argv, 2);
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
	CLEANUP_FREE char *log = fault_format("%s/log", s->dir);
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
