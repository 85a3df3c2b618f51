/*
 * Connections to the server of an instance, without one call that cannot be cancelled.
 *
 * While it waits, a connection watches the host's cancel_fd and the task's time limit.
 * (One wait is the resolver's: a host given as a name is looked up by libpq, which blocks.)
 * A session is always the same, whatever the role's or the database's own settings are:
 * empty search_path (every name in a statement has its schema), no time limits of
 * statements and locks, UTF-8, application_name "upkeep".  A server from 14 on notices
 * within a second that the client of a running statement has gone.
 */
#ifndef POSTGRES_CONNECT_H
#define POSTGRES_CONNECT_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "support/fault.h"

struct connection {
	struct upkeep_ctx *ctx;
	PGconn *pg;
	char *database;
	char *where;      /* 'database "x" on "db1" port 5432 as "u"', for messages */
	int version;      /* of the server, as 150020 */
	char sqlstate[6]; /* of the last statement that failed, or "" */
	bool deaf;        /* cancel_fd is not looked at: what is done because of it */
};

/* Connects to `database` (NULL: the one of the settings).  *ret is closed with
 * connect_close, also after a failure.  The fault names server, port, user, database and
 * what to do next, and never the password.  -ECANCELED; -ETIMEDOUT after connect_timeout;
 * -EAGAIN: not now (refused, starting, too many clients); -EACCES: who one is; -ENOENT: no
 * such database. */
int connect_open(
	struct connection *ret, struct upkeep_ctx *ctx, const char *database, struct fault *fault);

/* The same place once more: for what has to be done beside a statement that runs.  With
 * `deaf` also for an action that has been cancelled; it takes 5 s at most then. */
int connect_again(
	struct connection *ret, const struct connection *first, bool deaf, struct fault *fault);

void connect_close(struct connection *connection);
#define CLEANUP_CONNECTION __attribute__((cleanup(connect_close)))

/* Waits until the socket has `events` (POLLIN, POLLOUT), for `limit_ms` at most (INT64_MAX:
 * any time).  0, -ECANCELED (also past the task's time limit), -ETIMEDOUT or another negative
 * errno.  `connection` may be one without a socket: then it only sleeps (-ETIMEDOUT). */
int connect_wait(const struct connection *connection, short events, int64_t limit_ms);

/* What the settings give libpq beside database and password; the address of the container
 * where there is one.  Free *ret_host. */
int connect_host(struct upkeep_ctx *ctx, char **ret_host, struct fault *fault);

/* The text of the secret `password`, or NULL where none is set; it is the host's. */
int connect_password(struct upkeep_ctx *ctx, const char **ret, struct fault *fault);

/* Milliseconds of a clock that never jumps. */
int64_t connect_now_ms(void);
/* When on that clock an action is over that may last so long; 0: never, INT64_MAX. */
int64_t connect_end_ms(int64_t max_duration_ms);

#endif
