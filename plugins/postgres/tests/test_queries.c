/* SPDX-License-Identifier: MIT */
/* postgres.queries and locks; and what of a statement is shown. */
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

#include "postgres/redact.h"
#include "server.h"
#include "support/cleanup.h"
#include "support/fault.h"

static struct server server;
static PGconn *pg;

static int group_setup(void **state)
{
	(void)state;
	server_start(&server, NULL);
	pg = server_connect(&server, "postgres");
	server_do(pg, "CREATE ROLE careful SUPERUSER");
	server_do(pg, "CREATE TABLE public.\"odd table\" (id integer)");
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	PQfinish(pg);
	server_remove(&server);
	return 0;
}

/* A session that runs a statement, and is there when this returns. */
static PGconn *runs(const char *application, const char *sql)
{
	PGconn *other = server_connect(&server, "postgres");
	char *set = fault_format("SET application_name = '%s'", application);
	char *is =
		fault_format("SELECT count(*) FROM pg_stat_activity WHERE application_name = '%s'"
			     " AND state = 'active' AND query NOT LIKE 'SET app%%'",
			application);
	server_do(other, set);
	assert_int_equal(PQsendQuery(other, sql), 1);
	server_await(pg, is, "1");
	free(set);
	free(is);
	return other;
}

/* SQLSTATE in which its statement ended, "" where it was well. */
static char *ended(PGconn *other)
{
	char *state = fault_format("%s", "");
	for (PGresult *result; (result = PQgetResult(other)); PQclear(result)) {
		const char *is = PQresultErrorField(result, PG_DIAG_SQLSTATE);
		if (is) {
			free(state);
			state = fault_format("%s", is);
		}
	}
	PQfinish(other);
	return state;
}

static void expect_ended(PGconn *other, const char *wanted)
{
	CLEANUP_FREE char *state = ended(other);
	assert_string_equal(state, wanted);
}

static struct upkeep_test *queries(const char *what)
{
	struct upkeep_test *t = server_test(&server);
	upkeep_test_set(t, "min_runtime", "1ms");
	upkeep_test_set(t, "min_idle", "1ms");
	upkeep_test_set(t, "do", what);
	return t;
}

/* What was done to the session of that application; NULL: not found. */
static const char *done(struct upkeep_test *t, const char *application)
{
	for (size_t i = 0; i < upkeep_test_rows(t, "queries"); i++)
		if (strcmp(upkeep_test_cell(t, "queries", i, "application"), application) == 0)
			return upkeep_test_cell(t, "queries", i, "done");
	return NULL;
}

static void test_report(void **state)
{
	(void)state;
	PGconn *one = runs("one", "SELECT pg_sleep(100), 'a secret'"),
	       *other = runs("other", "SELECT pg_sleep(100)"),
	       *ours = runs("upkeep", "SELECT pg_sleep(100)");
	struct upkeep_test *t = queries("report");
	server_expect(t, upkeep_test_run(t, "queries"), UPKEEP_UNCHANGED);
	assert_int_equal(upkeep_test_changes(t, "queries"), UPKEEP_CHANGES_RECORDED);
	assert_int_equal(upkeep_test_rows(t, "queries"), 2);
	assert_string_equal(upkeep_test_output(t, "found"), "2");
	assert_string_equal(done(t, "one"), "reported");
	assert_string_equal(
		upkeep_test_cell(t, "queries", 0, "statement"), "SELECT pg_sleep(?), ?");
	upkeep_test_free(t);
	t = queries("cancel");
	upkeep_test_add(t, "applications", "one");
	assert_int_equal(upkeep_test_changes(t, "queries"), UPKEEP_CHANGES_IRREVERSIBLE);
	server_expect(t, upkeep_test_plan(t, "queries"), UPKEEP_CHANGED);
	assert_int_equal(upkeep_test_woulds(t), 1);
	server_expect(t, upkeep_test_run(t, "queries"), UPKEEP_CHANGED);
	assert_string_equal(done(t, "one"), "cancelled");
	assert_null(done(t, "other"));
	upkeep_test_free(t);
	expect_ended(one, "57014");
	/* what was not asked for goes on; even where all is asked for, ours does */
	t = queries("cancel");
	server_expect(t, upkeep_test_run(t, "queries"), UPKEEP_CHANGED);
	assert_string_equal(done(t, "other"), "cancelled");
	assert_null(done(t, "upkeep"));
	upkeep_test_free(t);
	expect_ended(other, "57014");
	server_await(pg,
		"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'upkeep'"
		" AND state = 'active'",
		"1");
	PQrequestCancel(ours);
	expect_ended(ours, "57014");
}

static void test_protected(void **state)
{
	(void)state;
	PGconn *dump = runs("pg_dump", "SELECT pg_sleep(100)"),
	       *ours = runs("upkeep dump", "SELECT pg_sleep(100)"),
	       *fresh = runs("upkeep_new_0123456789ab", "SELECT pg_sleep(100)"),
	       *alike = runs("upkeeper", "SELECT pg_sleep(100)"),
	       *careful = runs("careful", "SET ROLE careful; SELECT pg_sleep(100)");
	struct upkeep_test *t = queries("terminate");
	upkeep_test_add(t, "protect_users", "admin");
	server_expect(t, upkeep_test_plan(t, "queries"), UPKEEP_UNCHANGED);
	server_expect(t, upkeep_test_run(t, "queries"), UPKEEP_UNCHANGED);
	assert_string_equal(done(t, "careful"), "protected");
	upkeep_test_free(t);
	t = queries("terminate");
	server_expect(t, upkeep_test_run(t, "queries"), UPKEEP_CHANGED);
	assert_string_equal(done(t, "pg_dump"), "protected");
	assert_string_equal(done(t, "careful"), "cancelled");
	assert_string_equal(done(t, "upkeeper"), "cancelled");
	assert_null(done(t, "upkeep dump"));
	assert_null(done(t, "upkeep_new_0123456789ab"));
	upkeep_test_free(t);
	expect_ended(careful, "57014");
	expect_ended(alike, "57014");
	PQrequestCancel(ours);
	expect_ended(ours, "57014");
	PQrequestCancel(fresh);
	expect_ended(fresh, "57014");
	PQrequestCancel(dump);
	expect_ended(dump, "57014");
}

/* One that idles, and one that does not end when it is cancelled. */
static void test_terminate(void **state)
{
	(void)state;
	PGconn *idle = server_connect(&server, "postgres");
	server_do(idle, "SET application_name = 'idle'; BEGIN; LOCK TABLE public.\"odd table\"");
	struct upkeep_test *t = queries("cancel");
	server_expect(t, upkeep_test_run(t, "queries"), UPKEEP_UNCHANGED);
	assert_string_equal(done(t, "idle"), "reported");
	assert_string_equal(upkeep_test_cell(t, "queries", 0, "kind"), "idle in transaction");
	upkeep_test_free(t);
	PGconn *deaf = runs("deaf",
		"DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(100);"
		" EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$");
	t = queries("terminate");
	upkeep_test_set(t, "grace", "200ms");
	server_expect(t, upkeep_test_run(t, "queries"), UPKEEP_CHANGED);
	assert_string_equal(done(t, "idle"), "terminated");
	assert_string_equal(done(t, "deaf"), "terminated");
	assert_string_equal(upkeep_test_output(t, "ended"), "2");
	upkeep_test_free(t);
	expect_ended(deaf, "57P01");
	PGresult *result = PQexec(idle, "SELECT 1");
	assert_int_not_equal(PQresultStatus(result), PGRES_TUPLES_OK);
	PQclear(result);
	PQfinish(idle);
}

static void test_locks(void **state)
{
	(void)state;
	PGconn *holder = server_connect(&server, "postgres");
	server_do(holder, "SET application_name = 'holder'; BEGIN");
	server_do(holder, "LOCK TABLE public.\"odd table\"");
	PGconn *waiter = runs("waiter", "SELECT * FROM public.\"odd table\" WHERE id = 17");
	server_await(pg, "SELECT count(*) FROM pg_locks WHERE NOT granted", "1");
	struct upkeep_test *t = server_test(&server);
	server_expect(t, upkeep_test_run(t, "locks"), UPKEEP_UNCHANGED);
	assert_int_equal(upkeep_test_rows(t, "locks"), 1);
	assert_string_equal(upkeep_test_output(t, "blocked"), "1");
	assert_string_equal(upkeep_test_cell(t, "locks", 0, "on"), "public.\"odd table\"");
	assert_string_equal(upkeep_test_cell(t, "locks", 0, "blocker_application"), "holder");
	assert_string_equal(
		upkeep_test_cell(t, "locks", 0, "blocker_state"), "idle in transaction");
	assert_string_equal(upkeep_test_cell(t, "locks", 0, "statement"),
		"SELECT * FROM public.\"odd table\" WHERE id = ?");
	upkeep_test_free(t);
	/* the lock keeps nobody from looking at tables */
	t = server_test(&server);
	server_expect(t, upkeep_test_run(t, "tables"), UPKEEP_UNCHANGED);
	assert_int_equal(upkeep_test_rows(t, "tables"), 1);
	upkeep_test_free(t);
	PQfinish(holder);
	expect_ended(waiter, "");
}

static void test_redact(void **state)
{
	(void)state;
	static const struct {
		const char *sql, *shown;
	} cases[] = {
		{"SELECT 1", "SELECT ?"},
		{"ALTER ROLE x PASSWORD 'it''s me'", "ALTER ROLE x PASSWORD ?"},
		{"SELECT E'a\\'b', b'01', U&'\\0041' FROM t1", "SELECT ?, ?, ? FROM t1"},
		{"SELECT $$a 'b' c$$, $x$ $$ $x$, $1", "SELECT ?, ?, $1"},
		{"SELECT 'cut off", "SELECT ?"},
		{"SELECT $tag$cut off", "SELECT ?"},
		{"SELECT a -- 'secret\n, b /* /* 'secret' */ */ FROM \"odd 1 'x'\"",
			"SELECT a , b FROM \"odd 1 'x'\""},
		{"SELECT 1.5e-3+2, x2, 0xff", "SELECT ?+?, x2, ?"},
		{"", ""},
		{"\n  SELECT\t\n ü", "SELECT ü"},
		{"\"unfinished", "\"unfinished"},
	};
	for (size_t i = 0; i < UPKEEP_COUNT(cases); i++) {
		CLEANUP_FREE char *shown = redact_statement(cases[i].sql);
		assert_string_equal(shown + strspn(shown, " "), cases[i].shown);
	}
	char longer[2 * REDACT_BYTES + 1];
	for (size_t i = 0; i + 1 < sizeof longer; i += 2)
		memcpy(longer + i, "ü", 3);
	CLEANUP_FREE char *shown = redact_statement(longer);
	assert_int_equal(strlen(shown), REDACT_BYTES + 3);
	assert_string_equal(shown + REDACT_BYTES - 2, "ü...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_redact),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_protected),
		cmocka_unit_test(test_terminate),
		cmocka_unit_test(test_locks),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
