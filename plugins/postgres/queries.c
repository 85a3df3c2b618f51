/* SPDX-License-Identifier: MIT */
/* postgres.queries: what runs, or idles in a transaction, for too long; ends it if asked to. */
#include "postgres/actions.h"
#include "postgres/query.h"
#include "postgres/redact.h"
#include "support/cleanup.h"

/* Columns of the statement below. */
enum {
	PID,
	BACKEND_START,
	STATE_CHANGE,
	KIND,
	DATABASE,
	USER,
	APPLICATION,
	ADDRESS,
	LASTS,
	WAITS,
	TEXT
};

/* Never our own sessions ("upkeep", "upkeep dump", those of pg_restore, which have the name of its
 * database), nor what replicates, vacuums or writes: those are no client backends. */
#define LIST                                                                                       \
	"SELECT pid, backend_start, state_change,"                                                 \
	" CASE WHEN state = 'active' THEN 'running' ELSE 'idle in transaction' END AS kind,"       \
	" datname, usename, application_name, host(client_addr),"                                  \
	" (extract(epoch FROM clock_timestamp() - CASE WHEN state = 'active' THEN query_start"     \
	"  ELSE state_change END) * 1000)::bigint AS lasts,"                                       \
	" coalesce(wait_event_type || ' ' || wait_event, ''), coalesce(query, '')"                 \
	" FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()" \
	" AND application_name !~ '^upkeep($|[ _])'"                                               \
	" AND (state = 'active' AND clock_timestamp() - query_start >= $1 * interval '1 ms'"       \
	"  OR state LIKE 'idle in transaction%'"                                                   \
	"   AND clock_timestamp() - state_change >= $2 * interval '1 ms')"                         \
	" AND ($3::text[] = '{}' OR datname = ANY ($3::text[]))"                                   \
	" AND ($4::text[] = '{}' OR usename = ANY ($4::text[]))"                                   \
	" AND ($5::text[] = '{}' OR application_name = ANY ($5::text[]))"                          \
	" ORDER BY lasts DESC, pid"

/* The session is still the one that was listed, and in the state that it was in. */
#define SAME                                                                                 \
	" FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2 AND state_change = $3" \
	" AND application_name !~ '^upkeep($|[ _])'"

static int is_listed(const struct upkeep_strings *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->items[i], name) == 0)
			return 1;
	return 0;
}

static int is_protected(const struct queries_args *args, const PGresult *list, int row)
{
	return is_listed(&args->protect_users, query_text(list, row, USER)) ||
		is_listed(&args->protect_applications, query_text(list, row, APPLICATION));
}

static int is_idle(const PGresult *list, int row)
{
	return query_text(list, row, KIND)[0] == 'i';
}

static int list_read(struct connection *c, PGresult **ret, struct fault *fault)
{
	const struct queries_args *args = c->ctx->args;
	char runtime[24], idle[24];
	CLEANUP_FREE char *databases = query_array(&args->databases);
	CLEANUP_FREE char *users = query_array(&args->users);
	CLEANUP_FREE char *applications = query_array(&args->applications);
	snprintf(runtime, sizeof runtime, "%lld", (long long)args->min_runtime_ms);
	snprintf(idle, sizeof idle, "%lld", (long long)args->min_idle_ms);
	return query_run(c, "listing the sessions", ret, fault, LIST, runtime, idle, databases,
		users, applications);
}

/* 1: it was done; 0: there is nothing to do it to any more. */
static int session_end(
	struct connection *c, const PGresult *list, int row, int terminate, struct fault *fault)
{
	CLEANUP_RESULT PGresult *result = NULL;
	int r = query_run(c, terminate ? "terminating a session" : "cancelling a statement",
		&result, fault,
		terminate ? "SELECT pg_terminate_backend(pid)" SAME
			  : "SELECT pg_cancel_backend(pid)" SAME,
		query_text(list, row, PID), query_text(list, row, BACKEND_START),
		query_text(list, row, STATE_CHANGE));
	return r < 0 ? r : PQntuples(result) > 0 && query_bool(result, 0, 0);
}

/* 1 while it goes on as it was listed. */
static int session_is_same(struct connection *c, const PGresult *list, int row, struct fault *fault)
{
	CLEANUP_RESULT PGresult *result = NULL;
	int r = query_run(c, "looking at a session", &result, fault, "SELECT 1" SAME,
		query_text(list, row, PID), query_text(list, row, BACKEND_START),
		query_text(list, row, STATE_CHANGE));
	return r < 0 ? r : PQntuples(result) > 0;
}

/* Waits until it has gone on or `grace_ms` are over; 1: it is as it was. */
static int session_await(
	struct connection *c, const PGresult *list, int row, int64_t grace_ms, struct fault *fault)
{
	int64_t end_ms = connect_now_ms() + grace_ms;
	struct connection sleeper = {.ctx = c->ctx};
	for (;;) {
		int r = session_is_same(c, list, row, fault);
		if (r <= 0 || connect_now_ms() >= end_ms)
			return r;
		r = connect_wait(&sleeper, 0, 100);
		if (r == -ECANCELED)
			return fault_set(fault, r, NULL, "stopped while waiting for a session");
	}
}

/* What became of it, in a word. */
static int session_treat(struct connection *c, const PGresult *list, int row, const char **ret_done,
	struct fault *fault)
{
	const struct queries_args *args = c->ctx->args;
	int terminate = strcmp(args->do_, "terminate") == 0, idle = is_idle(list, row), r = 0;
	*ret_done = "reported";
	if (strcmp(args->do_, "report") == 0)
		return 0;
	if (is_protected(args, list, row)) {
		*ret_done = "protected";
		return 0;
	}
	if (idle && !terminate)
		return 0; /* a cancel does nothing to it */
	*ret_done = "gone already";
	if (!idle) {
		r = session_end(c, list, row, 0, fault);
		if (r > 0)
			*ret_done = "cancelled";
		if (r > 0 && terminate) {
			r = session_await(c, list, row, args->grace_ms, fault);
			if (r == 0)
				return 1;
		}
	}
	if (r < 0 || !terminate)
		return r;
	r = session_end(c, list, row, 1, fault);
	if (r > 0)
		*ret_done = "terminated";
	return r;
}

static void session_row(struct upkeep_ctx *ctx, const PGresult *list, int row, const char *done)
{
	CLEANUP_FREE char *text = redact_statement(query_text(list, row, TEXT));
	const struct upkeep_cell cells[] = {
		{.name = "server", .value = ctx->instance, .type = UPKEEP_STRING},
		{.name = "pid", .value = query_text(list, row, PID), .type = UPKEEP_INT},
		{.name = "kind", .value = query_text(list, row, KIND), .type = UPKEEP_STRING},
		{.name = "lasts", .value = query_text(list, row, LASTS), .type = UPKEEP_DURATION},
		{.name = "database",
			.value = query_text(list, row, DATABASE),
			.type = UPKEEP_STRING},
		{.name = "user", .value = query_text(list, row, USER), .type = UPKEEP_STRING},
		{.name = "application",
			.value = query_text(list, row, APPLICATION),
			.type = UPKEEP_STRING},
		{.name = "address", .value = query_text(list, row, ADDRESS), .type = UPKEEP_STRING},
		{.name = "waits", .value = query_text(list, row, WAITS), .type = UPKEEP_STRING},
		{.name = "done", .value = done, .type = UPKEEP_STRING},
		{.name = "statement", .value = text, .type = UPKEEP_STRING},
	};
	upkeep_row(ctx, "queries", cells);
}

int32_t queries_plan(struct upkeep_ctx *ctx)
{
	const struct queries_args *args = ctx->args;
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_CONNECTION struct connection c = {0};
	CLEANUP_RESULT PGresult *list = NULL;
	int32_t would = UPKEEP_UNCHANGED;
	int r = connect_open(&c, ctx, NULL, &fault);
	if (r == 0)
		r = list_read(&c, &list, &fault);
	if (r < 0)
		return fault_report(ctx, r, &fault);
	for (int row = 0; strcmp(args->do_, "report") != 0 && row < PQntuples(list); row++) {
		if (is_protected(args, list, row) ||
			(is_idle(list, row) && strcmp(args->do_, "cancel") == 0))
			continue;
		would = UPKEEP_CHANGED;
		upkeep_would(ctx, NULL, "%s pid %s of \"%s\" in \"%s\", %s for %lld s", args->do_,
			query_text(list, row, PID), query_text(list, row, USER),
			query_text(list, row, DATABASE), query_text(list, row, KIND),
			(long long)query_int(list, row, LASTS) / 1000);
	}
	return would;
}

int32_t queries_run(struct upkeep_ctx *ctx)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_CONNECTION struct connection c = {0};
	CLEANUP_RESULT PGresult *list = NULL;
	int64_t found = 0, ended = 0;
	int r = connect_open(&c, ctx, NULL, &fault);
	if (r == 0)
		r = list_read(&c, &list, &fault);
	for (int row = 0; r >= 0 && row < PQntuples(list); row++) {
		const char *done;
		r = session_treat(&c, list, row, &done, &fault);
		session_row(ctx, list, row, r < 0 ? "failed" : done);
		found++;
		ended += r > 0;
	}
	upkeep_output_int(ctx, "found", found);
	upkeep_output_int(ctx, "ended", ended);
	if (r < 0)
		return fault_report(ctx, r, &fault);
	return ended ? UPKEEP_CHANGED : UPKEEP_UNCHANGED;
}

/* It reports, or what it does cannot be undone: there are no records. */
int32_t queries_undo(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	return upkeep_fail(ctx, UPKEEP_NEEDS_PERSON, NULL, "this action writes none",
		"cannot undo a record of kind \"%s\"", record->kind);
}
