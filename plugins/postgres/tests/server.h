/* A server of its own for each test program, started by tests/services/postgres. */
#ifndef POSTGRES_TESTS_SERVER_H
#define POSTGRES_TESTS_SERVER_H

#include <libpq-fe.h>
#include <upkeep/testing.h>

struct server {
	char dir[64]; /* the server's, /tmp/upkeep-postgres-XXXXXX */
	char host[64], port[16], user[64], socket[128], bin[128];
	char password[64];
};

/* Starts one with further lines for postgresql.conf (up to a NULL); ends the program with
 * 77 where none is installed, with 99 where it does not start. */
void server_start(struct server *server, const char *const *lines);
void server_again(struct server *server);
void server_stop(const struct server *server);
void server_remove(const struct server *server);

/* The fixture postgres.sql, with a table of so many more rows, into a new database. */
void server_fill(const struct server *server, const char *database, const char *rows);

/* A host whose settings and password lead to the server by TCP. */
struct upkeep_test *server_test(const struct server *server);

/* A connection of the test's own, by the socket. */
PGconn *server_connect(const struct server *server, const char *database);
/* Runs statements; the test fails where they do. */
void server_do(PGconn *pg, const char *sql);
/* One cell as text, on the heap; NULL is "". */
char *server_ask(PGconn *pg, const char *sql);
/* Asks until the answer is `wanted`, for 20 s at most; then the test fails. */
void server_await(PGconn *pg, const char *sql, const char *wanted);

/* For a thread: cancels the test when a statement of upkeep waits for a lock. */
struct server_cancel {
	const struct server *server;
	struct upkeep_test *test;
};
void *server_cancel_waiting(void *cancel);

/* Lines of the server's log that have the text. */
size_t server_logged(const struct server *server, const char *text);

/* Shows what the last call said where its result is another one. */
void server_expect(struct upkeep_test *test, int32_t got, int32_t wanted);

#endif
