/* SPDX-License-Identifier: MIT */
#include "postgres/connect.h"

#include <limits.h>
#include <poll.h>
#include <time.h>

#include "postgres/container.h"
#include "postgres/query.h"
#include "postgres/settings.h"
#include "support/cleanup.h"

#define DEAF_MS 5000

int64_t connect_now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t connect_end_ms(int64_t max_duration_ms)
{
	return max_duration_ms ? connect_now_ms() + max_duration_ms : INT64_MAX;
}

int connect_wait(const struct connection *c, short events, int64_t limit_ms)
{
	int64_t end_ms = limit_ms == INT64_MAX ? INT64_MAX : connect_now_ms() + limit_ms;
	struct pollfd fds[] = {
		{.fd = c->pg ? PQsocket(c->pg) : -1, .events = events},
		{.fd = c->deaf ? -1 : c->ctx->host->cancel_fd(c->ctx), .events = POLLIN},
	};
	for (;;) {
		int64_t task_ms = c->deaf ? INT64_MAX : c->ctx->host->deadline(c->ctx);
		int64_t wait_ms = end_ms == INT64_MAX ? INT64_MAX : end_ms - connect_now_ms();
		if (task_ms <= 0)
			return -ECANCELED;
		if (wait_ms < 0)
			wait_ms = 0;
		if (wait_ms > task_ms)
			wait_ms = task_ms;
		int n = poll(fds, 2, wait_ms > INT_MAX ? INT_MAX : (int)wait_ms);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			return fds[1].revents ? -ECANCELED : 0;
		if (n == 0 && connect_now_ms() >= end_ms)
			return -ETIMEDOUT;
	}
}

int connect_host(struct upkeep_ctx *ctx, char **ret_host, struct fault *fault)
{
	const struct settings *settings = ctx->settings;
	if (settings->container[0])
		return container_address(ctx, ret_host, fault);
	*ret_host = fault_format("%s", settings->host);
	return 0;
}

int connect_password(struct upkeep_ctx *ctx, const char **ret, struct fault *fault)
{
	const struct settings *settings = ctx->settings;
	*ret = NULL;
	if (!settings->password)
		return 0;
	int64_t n = ctx->host->secret(ctx, settings->password, ret);
	if (n >= 0)
		return 0;
	return fault_set(fault, (int)n, "see that the file named by password is there and readable",
		"cannot fetch the password of \"%s\" (%s): %s", ctx->instance, settings->password,
		strerror((int)-n));
}

/* How a refusal can be told from another: before a session begins libpq gives only text. */
static const struct {
	const char *sign;
	int code;
	const char *next;
} refusals[] = {
	{"password authentication failed", -EACCES,
		"correct user and password in the settings of the plugin"},
	{"no password supplied", -EACCES, "set password in the settings of the plugin"},
	{"Peer authentication failed", -EACCES,
		"set run_as to the user of that name, or host and password for a connection by "
		"TCP"},
	{"no pg_hba.conf entry", -EACCES,
		"add a line for this user and address to the server's pg_hba.conf, then reload it"},
	{"does not exist", -ENOENT, "correct user or database; psql -l lists the databases"},
	{"certificate", -EACCES, "correct sslmode and sslrootcert in the settings"},
	{"does not support SSL", -EACCES, "switch ssl on at the server, or set sslmode"},
	{"could not translate host name", -EAGAIN, "correct host in the settings of the plugin"},
	{"too many", -EAGAIN,
		"end idle sessions (postgres.queries lists them), or raise max_connections"},
	{"starting up", -EAGAIN, "wait until it has started; its log says how far it is"},
	{"shutting down", -EAGAIN, "start it again"},
	{"not yet accepting connections", -EAGAIN, "wait until it has started"},
	{"Connection refused", -EAGAIN,
		"start the server, or correct host and port in the settings of the plugin"},
	{"No such file", -EAGAIN,
		"start the server, or correct host and port in the settings of the plugin"},
	{"permission denied for database", -EACCES, "grant CONNECT on the database to the user"},
};

/* Messages of libpq have several lines. */
static char *one_line(const char *text)
{
	size_t n = 0;
	char *line = fault_alloc(strlen(text) + 1);
	for (; *text; text++)
		if (*text != '\n' || text[1])
			line[n++] = *text == '\n' || *text == '\t' ? ' ' : *text;
	return line;
}

static int refused(const struct connection *c, struct fault *fault)
{
	CLEANUP_FREE char *why = one_line(c->pg ? PQerrorMessage(c->pg) : "out of memory");
	int code = -EAGAIN;
	const char *next = "see the server's log";
	for (size_t i = 0; i < UPKEEP_COUNT(refusals); i++)
		if (strstr(why, refusals[i].sign)) {
			code = refusals[i].code;
			next = refusals[i].next;
			break;
		}
	return fault_set(fault, code, next, "cannot connect to %s: %s", c->where, why);
}

/* What the server says beside results goes into the task's log. */
static void notice_log(void *arg, const PGresult *result)
{
	struct upkeep_ctx *ctx = arg;
	const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	if (text)
		upkeep_info(ctx, "the server says: %s", text);
}

static int poll_until_connected(struct connection *c, int64_t limit_ms, struct fault *fault)
{
	int64_t end_ms = connect_now_ms() + limit_ms;
	short events = POLLOUT;
	for (;;) {
		int64_t left_ms = end_ms - connect_now_ms();
		int r = connect_wait(c, events, left_ms > 0 ? left_ms : 0);
		if (r == -ECANCELED)
			return fault_set(
				fault, r, NULL, "stopped while connecting to %s", c->where);
		if (r == -ETIMEDOUT)
			return fault_set(fault, r,
				"see that the server runs and nothing filters the port",
				"cannot connect to %s: no answer in %lld ms", c->where,
				(long long)limit_ms);
		if (r < 0)
			return fault_set(
				fault, r, NULL, "cannot wait for %s: %s", c->where, strerror(-r));
		switch (PQconnectPoll(c->pg)) {
		case PGRES_POLLING_OK:
			return 0;
		case PGRES_POLLING_READING:
			events = POLLIN;
			break;
		case PGRES_POLLING_WRITING:
			events = POLLOUT;
			break;
		default:
			return refused(c, fault);
		}
	}
}

/* What every server knows comes with the first message, before anything that the database's
 * owner has set can act.  The rest as far as this server has it. */
#define OPTIONS                                                    \
	"-c search_path= -c statement_timeout=0 -c lock_timeout=0" \
	" -c idle_in_transaction_session_timeout=0 -c datestyle=ISO"

static int session_set(struct connection *c, struct fault *fault)
{
	return query_run(c, "preparing the session", NULL, fault,
		"SELECT set_config(name, '1s', false) FROM pg_settings"
		" WHERE name = 'client_connection_check_interval'");
}

static int start(struct connection *c, const char *host, const char *password,
	const struct settings *settings)
{
	char port[24];
	const char *const names[] = {"host", "port", "user", "password", "dbname", "sslmode",
		"sslrootcert", "application_name", "client_encoding", "options", NULL};
	const char *const values[] = {host, port, settings->user[0] ? settings->user : NULL,
		password, c->database, settings->sslmode, settings->sslrootcert, "upkeep", "UTF8",
		OPTIONS, NULL};
	snprintf(port, sizeof port, "%lld", (long long)settings->port);
	/* expand_dbname is 0: a database's name is a name, never a connection string */
	c->pg = PQconnectStartParams(names, values, 0);
	return c->pg && PQstatus(c->pg) != CONNECTION_BAD ? 0 : -EIO;
}

static int open_within(struct connection *c, int64_t limit_ms, struct fault *fault)
{
	const struct settings *settings = c->ctx->settings;
	CLEANUP_FREE char *host = NULL;
	const char *password = NULL;
	int r = connect_host(c->ctx, &host, fault);
	if (r == 0)
		r = connect_password(c->ctx, &password, fault);
	if (r < 0)
		return r;
	c->where = fault_format("database \"%s\" on \"%s\" port %lld as \"%s\"", c->database, host,
		(long long)settings->port,
		settings->user[0] ? settings->user : "(the task's user)");
	if (start(c, host, password, settings) < 0)
		return refused(c, fault);
	PQsetNoticeReceiver(c->pg, notice_log, c->ctx);
	r = poll_until_connected(c, limit_ms, fault);
	if (r < 0)
		return r;
	c->version = PQserverVersion(c->pg);
	return session_set(c, fault);
}

int connect_open(
	struct connection *ret, struct upkeep_ctx *ctx, const char *database, struct fault *fault)
{
	const struct settings *settings = ctx->settings;
	*ret = (struct connection){.ctx = ctx};
	ret->database = fault_format("%s", database ? database : settings->database);
	return open_within(ret, settings->connect_timeout_ms, fault);
}

int connect_again(
	struct connection *ret, const struct connection *first, bool deaf, struct fault *fault)
{
	const struct settings *settings = first->ctx->settings;
	int64_t limit_ms = settings->connect_timeout_ms;
	*ret = (struct connection){.ctx = first->ctx, .deaf = deaf};
	ret->database = fault_format("%s", first->database);
	return open_within(ret, deaf && limit_ms > DEAF_MS ? DEAF_MS : limit_ms, fault);
}

void connect_close(struct connection *c)
{
	if (c->pg)
		PQfinish(c->pg);
	free(c->database);
	free(c->where);
	*c = (struct connection){0};
}
