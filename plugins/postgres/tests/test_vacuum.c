/* SPDX-License-Identifier: MIT */
/* postgres.vacuum: which tables, what is left out, what stops it. */
#include "tests/unit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "server.h"
#include "support/cleanup.h"
#include "support/fault.h"

static struct server server;
static PGconn *pg;
#define ODD "public.\"odd \"\"table\""
/* Needs a vacuum each time. */
#define SPOIL "DELETE FROM " ODD "; INSERT INTO " ODD " SELECT generate_series(1, 5000)"

static int group_setup(void **state)
{
	(void)state;
	server_start(&server, NULL);
	pg = server_connect(&server, "postgres");
	server_do(pg, "CREATE DATABASE one");
	PQfinish(pg);
	pg = server_connect(&server, "one");
	server_do(pg, "CREATE TABLE " ODD " (id integer PRIMARY KEY)");
	server_do(pg, "CREATE TABLE public.quiet AS SELECT generate_series(1, 100) AS n");
	server_do(pg, "INSERT INTO " ODD " SELECT generate_series(1, 5000)");
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	PQfinish(pg);
	server_remove(&server);
	return 0;
}

static void spoil(void)
{
	server_do(pg, SPOIL);
	/* what a session counted arrives when it is idle for a while, or when it is told to */
	server_do(pg, "SELECT pg_stat_force_next_flush()");
	server_await(pg,
		"SELECT n_dead_tup >= 5000 FROM pg_stat_user_tables"
		" WHERE relname LIKE 'odd%'",
		"t");
}

static struct upkeep_test *vacuum(void)
{
	struct upkeep_test *t = server_test(&server);
	upkeep_test_add(t, "databases", "one");
	return t;
}

static const char *cell_of(struct upkeep_test *t, const char *table, const char *column)
{
	for (size_t i = 0; i < upkeep_test_rows(t, "vacuum"); i++)
		if (strcmp(upkeep_test_cell(t, "vacuum", i, "table"), table) == 0)
			return upkeep_test_cell(t, "vacuum", i, column);
	return NULL;
}

static void test_dead(void **state)
{
	(void)state;
	spoil();
	struct upkeep_test *t = vacuum();
	server_expect(t, upkeep_test_plan(t, "vacuum"), UPKEEP_CHANGED);
	assert_int_equal(upkeep_test_woulds(t), 1);
	assert_null(upkeep_test_would_undo(t, 0));
	server_expect(t, upkeep_test_run(t, "vacuum"), UPKEEP_CHANGED);
	assert_int_equal(upkeep_test_rows(t, "vacuum"), 1);
	assert_string_equal(cell_of(t, "public.odd \"table", "done"), "vacuumed");
	assert_string_equal(cell_of(t, "public.odd \"table", "dead"), "5000");
	assert_string_equal(cell_of(t, "public.odd \"table", "dead_after"), "0");
	upkeep_test_free(t);
	/* nothing is left to do */
	t = vacuum();
	server_expect(t, upkeep_test_plan(t, "vacuum"), UPKEEP_UNCHANGED);
	server_expect(t, upkeep_test_run(t, "vacuum"), UPKEEP_UNCHANGED);
	upkeep_test_free(t);
	server_await(pg,
		"SELECT last_vacuum IS NOT NULL AND last_analyze IS NOT NULL"
		" FROM pg_stat_user_tables WHERE relname LIKE 'odd%'",
		"t");
}

static void test_all_and_list(void **state)
{
	(void)state;
	struct upkeep_test *t = vacuum();
	upkeep_test_set(t, "by", "all");
	upkeep_test_set(t, "parallel", "0");
	server_expect(t, upkeep_test_run(t, "vacuum"), UPKEEP_CHANGED);
	assert_non_null(cell_of(t, "public.quiet", "done"));
	assert_non_null(cell_of(t, "pg_catalog.pg_class", "done"));
	upkeep_test_free(t);
	t = vacuum();
	upkeep_test_add(t, "tables", ODD);
	server_expect(t, upkeep_test_run(t, "vacuum"), UPKEEP_CHANGED);
	assert_int_equal(upkeep_test_rows(t, "vacuum"), 1);
	upkeep_test_free(t);
	t = vacuum();
	upkeep_test_add(t, "tables", "public.nothing; DROP TABLE public.quiet");
	server_expect(t, upkeep_test_run(t, "vacuum"), UPKEEP_FAILED);
	upkeep_test_free(t);
	t = vacuum();
	upkeep_test_add(t, "tables", "public.nothing");
	server_expect(t, upkeep_test_run(t, "vacuum"), UPKEEP_FAILED);
	assert_non_null(strstr(upkeep_test_what(t), "there is no table public.nothing"));
	upkeep_test_free(t);
	CLEANUP_FREE char *oldest =
		server_ask(pg, "SELECT relfrozenxid FROM pg_class WHERE relname = 'quiet'");
	t = vacuum();
	upkeep_test_set(t, "by", "age");
	upkeep_test_set(t, "min_age", "0");
	server_expect(t, upkeep_test_run(t, "vacuum"), UPKEEP_CHANGED);
	upkeep_test_free(t);
	CLEANUP_FREE char *now =
		server_ask(pg, "SELECT relfrozenxid FROM pg_class WHERE relname = 'quiet'");
	assert_string_not_equal(oldest, now);
}

static void test_locked(void **state)
{
	(void)state;
	spoil();
	PGconn *holder = server_connect(&server, "one");
	server_do(holder, "BEGIN; LOCK TABLE " ODD);
	struct upkeep_test *t = vacuum();
	upkeep_test_set(t, "lock_timeout", "50ms");
	server_expect(t, upkeep_test_run(t, "vacuum"), UPKEEP_UNCHANGED);
	assert_string_equal(cell_of(t, "public.odd \"table", "done"), "locked");
	assert_string_equal(upkeep_test_output(t, "skipped"), "1");
	assert_int_equal(upkeep_test_warnings(t), 1);
	upkeep_test_free(t);
	/* the end of its time comes while it waits */
	t = vacuum();
	upkeep_test_set(t, "lock_timeout", "0s");
	upkeep_test_set(t, "max_duration", "300ms");
	server_expect(t, upkeep_test_run(t, "vacuum"), UPKEEP_UNCHANGED);
	assert_string_equal(upkeep_test_output(t, "left"), "1");
	upkeep_test_free(t);
	PQfinish(holder);
}

/* Another vacuum that works on the table: left alone. */
static void test_busy(void **state)
{
	(void)state;
	spoil();
	PGconn *other = server_connect(&server, "one");
	server_do(other, "SET vacuum_cost_delay = '100ms'; SET vacuum_cost_limit = 1");
	PQsendQuery(other, "VACUUM " ODD);
	server_await(pg, "SELECT count(*) FROM pg_stat_progress_vacuum", "1");
	struct upkeep_test *t = vacuum();
	server_expect(t, upkeep_test_run(t, "vacuum"), UPKEEP_UNCHANGED);
	assert_string_equal(cell_of(t, "public.odd \"table", "done"), "another vacuum works on it");
	upkeep_test_free(t);
	server_do(pg, "SELECT pg_terminate_backend(pid) FROM pg_stat_progress_vacuum");
	PQfinish(other);
}

static void test_cancelled(void **state)
{
	(void)state;
	pthread_t thread;
	spoil();
	PGconn *holder = server_connect(&server, "one");
	server_do(holder, "BEGIN; LOCK TABLE " ODD);
	struct upkeep_test *t = vacuum();
	upkeep_test_set(t, "lock_timeout", "0s");
	struct server_cancel cancel = {&server, t};
	pthread_create(&thread, NULL, server_cancel_waiting, &cancel);
	server_expect(t, upkeep_test_run(t, "vacuum"), UPKEEP_CANCELLED);
	pthread_join(thread, NULL);
	/* not left to find out by itself that nobody is there */
	assert_int_equal(server_logged(&server, "canceling statement due to user request"), 1);
	server_await(pg,
		"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'upkeep'"
		" AND state = 'active'",
		"0");
	upkeep_test_free(t);
	PQfinish(holder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dead),
		cmocka_unit_test(test_all_and_list),
		cmocka_unit_test(test_locked),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_cancelled),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
