/* SPDX-License-Identifier: MIT */
#include "postgres/query.h"

#include <poll.h>

#include "postgres/redact.h"
#include "support/cleanup.h"

/* How long the end of a cancelled statement is waited for. */
#define CANCEL_MS 5000

/* Sends what libpq has not yet sent. */
static int flush(struct connection *c)
{
	for (;;) {
		int left = PQflush(c->pg);
		if (left <= 0)
			return left < 0 ? -EIO : 0;
		int r = connect_wait(c, POLLIN | POLLOUT, INT64_MAX);
		if (r < 0)
			return r;
		if (!PQconsumeInput(c->pg))
			return -EIO;
	}
}

/* The next result is there, or all are (libpq answers at once then). */
static int result_await(struct connection *c, int64_t end_ms)
{
	while (PQisBusy(c->pg)) {
		int64_t left_ms = end_ms == INT64_MAX ? INT64_MAX : end_ms - connect_now_ms();
		int r = connect_wait(c, POLLIN, left_ms > 0 ? left_ms : 0);
		if (r < 0)
			return r;
		if (!PQconsumeInput(c->pg))
			return -EIO;
	}
	return 0;
}

/* Takes all results; the last one that is not of success, else the last, is *ret. */
static int results_take(struct connection *c, int64_t end_ms, PGresult **ret)
{
	for (;;) {
		int r = result_await(c, end_ms);
		if (r < 0)
			return r;
		PGresult *result = PQgetResult(c->pg);
		if (!result)
			return 0;
		if (*ret && PQresultStatus(*ret) == PGRES_FATAL_ERROR)
			PQclear(result);
		else {
			PQclear(*ret);
			*ret = result;
		}
	}
}

static void cancel_send(const struct connection *c)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_CONNECTION struct connection second = {0};
	char pid[24];
	snprintf(pid, sizeof pid, "%d", PQbackendPID(c->pg));
	int r = connect_again(&second, c, true, &fault);
	if (r == 0)
		r = query_run(&second, "cancelling the statement", NULL, &fault,
			"SELECT pg_catalog.pg_cancel_backend($1)", pid);
	if (r < 0)
		upkeep_info(c->ctx, "the statement goes on at the server until it notices: %s",
			fault_what(&fault));
}

/* The statement ends on the server too, before the action does. */
static void statement_cancel(struct connection *c)
{
	CLEANUP_RESULT PGresult *rest = NULL;
	if (c->deaf)
		return;
#ifdef LIBPQ_HAS_ASYNC_CANCEL
	/* encrypted as the connection itself is, and no third session is needed */
	PGcancelConn *cancel = PQcancelCreate(c->pg);
	int sent = cancel && PQcancelBlocking(cancel);
	PQcancelFinish(cancel);
	if (!sent)
		cancel_send(c);
#else
	cancel_send(c);
#endif
	c->deaf = true;
	results_take(c, connect_now_ms() + CANCEL_MS, &rest);
	c->deaf = false;
}

/* From the documentation's table of SQLSTATEs (appendix A). */
static const struct {
	const char *state; /* or its beginning */
	int code;
} states[] = {
	{"55P03", -EBUSY},  /* lock_not_available */
	{"55006", -EBUSY},  /* object_in_use */
	{"53100", -ENOSPC}, /* disk_full */
	{"53", -EAGAIN},    /* insufficient resources */
	{"40", -EAGAIN},    /* deadlock, serialization */
	{"57014", -EAGAIN}, /* query_canceled, by somebody else or a time limit */
	{"57P", -EAGAIN},   /* shutdown */
	{"08", -EAGAIN},    /* connection */
	{"42501", -EACCES}, /* insufficient_privilege */
	{"42P01", -ENOENT}, /* undefined_table */
	{"42704", -ENOENT}, /* undefined_object */
	{"42883", -ENOENT}, /* undefined_function */
	{"3D000", -ENOENT}, /* invalid_catalog_name */
	{"3F000", -ENOENT}, /* invalid_schema_name */
	{"42P04", -EEXIST}, /* duplicate_database */
	{"42P07", -EEXIST}, /* duplicate_table */
};

static int state_code(const char *state)
{
	for (size_t i = 0; i < UPKEEP_COUNT(states); i++)
		if (strncmp(state, states[i].state, strlen(states[i].state)) == 0)
			return states[i].code;
	return -EIO;
}

static const char *code_next(int code)
{
	switch (code) {
	case -EBUSY:
		return "see who holds it by the action postgres.locks; try again";
	case -EACCES:
		return "grant it to the user of the settings";
	case -EAGAIN:
		return "try again; the server's log has the reason";
	case -ENOSPC:
		return "make room on the server's disk";
	default:
		return "see the server's log";
	}
}

static int lost(struct connection *c, const char *what, struct fault *fault)
{
	const char *why = PQerrorMessage(c->pg);
	return fault_set(fault, -EAGAIN, "see the server's log", "%s failed in %s: %.*s", what,
		c->where, (int)strcspn(why, "\n"), why[0] ? why : "the connection is gone");
}

static int result_judge(
	struct connection *c, const char *what, const PGresult *result, struct fault *fault)
{
	ExecStatusType status = result ? PQresultStatus(result) : PGRES_FATAL_ERROR;
	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY)
		return 0;
	const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	const char *text = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	const char *detail = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL) : NULL;
	if (!state || !text)
		return lost(c, what, fault);
	snprintf(c->sqlstate, sizeof c->sqlstate, "%s", state);
	int code = state_code(state);
	return fault_set(fault, code, code_next(code), "%s failed in %s: %s%s%s (SQLSTATE %s)",
		what, c->where, text, detail ? "; " : "", detail ? detail : "", state);
}

int query_values(struct connection *c, const char *what, const char *sql, const char *const *values,
	int count, PGresult **ret, struct fault *fault)
{
	CLEANUP_RESULT PGresult *result = NULL;
	c->sqlstate[0] = 0;
	PQsetnonblocking(c->pg, 1);
	if (!PQsendQueryParams(c->pg, sql, count, NULL, values, NULL, NULL, 0))
		return lost(c, what, fault);
	int r = flush(c);
	if (r == 0)
		r = results_take(c, c->deaf ? connect_now_ms() + CANCEL_MS : INT64_MAX, &result);
	if (r == -ECANCELED) {
		statement_cancel(c);
		return fault_set(fault, r, NULL, "stopped: %s in %s", what, c->where);
	}
	if (r < 0 && !result)
		return lost(c, what, fault);
	r = result_judge(c, what, result, fault);
	if (r == 0 && ret)
		*ret = TAKE_PTR(result);
	return r;
}

const char *query_text(const PGresult *result, int row, int column)
{
	return PQgetvalue(result, row, column);
}

int64_t query_int(const PGresult *result, int row, int column)
{
	return strtoll(PQgetvalue(result, row, column), NULL, 10);
}

bool query_bool(const PGresult *result, int row, int column)
{
	return PQgetvalue(result, row, column)[0] == 't';
}

int query_name(struct connection *c, const char *name, char **ret, struct fault *fault)
{
	char *quoted = PQescapeIdentifier(c->pg, name, strlen(name));
	if (!quoted)
		return fault_set(fault, -EINVAL, NULL, "not a name: \"%s\"", name);
	*ret = fault_format("%s", quoted);
	PQfreemem(quoted);
	return 0;
}

int query_path(
	struct connection *c, const char *schema, const char *name, char **ret, struct fault *fault)
{
	CLEANUP_FREE char *first = NULL;
	CLEANUP_FREE char *second = NULL;
	int r = query_name(c, schema, &first, fault);
	if (r == 0)
		r = query_name(c, name, &second, fault);
	if (r == 0)
		*ret = fault_format("%s.%s", first, second);
	return r;
}

char *query_array(const struct upkeep_strings *strings)
{
	size_t n = 3, at = 0;
	for (size_t i = 0; i < strings->count; i++)
		n += 3 + 2 * strlen(strings->items[i]);
	char *text = fault_alloc(n);
	text[at++] = '{';
	for (size_t i = 0; i < strings->count; i++) {
		if (i > 0)
			text[at++] = ',';
		text[at++] = '"';
		for (const char *s = strings->items[i]; *s; s++) {
			if (*s == '"' || *s == '\\')
				text[at++] = '\\';
			text[at++] = *s;
		}
		text[at++] = '"';
	}
	text[at] = '}';
	return text;
}

int query_limits(struct connection *c, int64_t lock_timeout_ms, int64_t end_ms, struct fault *fault)
{
	int64_t left_ms = end_ms == INT64_MAX ? 0 : end_ms - connect_now_ms();
	char lock[24], statement[24];
	snprintf(lock, sizeof lock, "%lld", (long long)lock_timeout_ms);
	snprintf(statement, sizeof statement, "%lld",
		(long long)(end_ms != INT64_MAX && left_ms < 1 ? 1 : left_ms));
	return query_run(c, "setting limits", NULL, fault,
		"SELECT set_config('lock_timeout', $1, false),"
		" set_config('statement_timeout', $2, false)",
		lock, statement);
}

int query_exist(struct connection *c, const char *what, const char *names, struct fault *fault)
{
	CLEANUP_RESULT PGresult *result = NULL;
	int r = query_run(c, "looking for what is named", &result, fault,
		"SELECT t FROM unnest($1::text[]) AS t WHERE to_regclass(t) IS NULL LIMIT 1",
		names);
	if (r < 0 || PQntuples(result) == 0)
		return r;
	return fault_set(fault, -ENOENT,
		"write it with its schema, as in SQL: \"public.orders\", \"public.\\\"Odd "
		"name\\\"\"",
		"there is no %s %s in database \"%s\"", what, query_text(result, 0, 0),
		c->database);
}

static void cell_fill(
	struct upkeep_cell *cell, const PGresult *result, int row, int column, uint32_t type)
{
	*cell = (struct upkeep_cell){.name = PQfname(result, column), .type = type};
	if (PQgetisnull(result, row, column))
		return;
	cell->value = PQgetvalue(result, row, column);
	if (type != QUERY_STATEMENT)
		return;
	cell->type = UPKEEP_STRING;
	cell->value = redact_statement(cell->value);
}

void query_rows(
	struct upkeep_ctx *ctx, const char *table, const PGresult *result, const uint32_t *types)
{
	struct upkeep_cell cells[QUERY_COLUMNS + 1] = {
		{.name = "server", .value = ctx->instance, .type = UPKEEP_STRING}};
	int count = PQnfields(result) < QUERY_COLUMNS ? PQnfields(result) : QUERY_COLUMNS;
	for (int row = 0; row < PQntuples(result); row++) {
		for (int i = 0; i < count; i++)
			cell_fill(&cells[i + 1], result, row, i, types[i]);
		ctx->host->row(ctx, table, cells, (size_t)count + 1, sizeof cells[0]);
		for (int i = 0; i < count; i++)
			if (types[i] == QUERY_STATEMENT)
				free((char *)cells[i + 1].value);
	}
}
