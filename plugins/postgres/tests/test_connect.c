/* SPDX-License-Identifier: MIT */
/* Connections and statements, by the smallest action: refused, cut, cancelled. */
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "server.h"
#include "support/cleanup.h"
#include "support/fault.h"

static struct server server, other;
#define ODD "we\"ird; DROP 'ñ' =db"

static int group_setup(void **state)
{
	(void)state;
	server_start(&server, NULL);
	server_fill(&server, ODD, "100");
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	server_remove(&server);
	return 0;
}

static void expect_refusal(
	struct upkeep_test *t, int32_t result, const char *what, const char *next)
{
	server_expect(t, upkeep_test_run(t, "tables"), result);
	if (!strstr(upkeep_test_what(t), what))
		fail_msg("no \"%s\": %s", what, upkeep_test_what(t));
	if (!strstr(upkeep_test_next(t), next))
		fail_msg("no \"%s\": %s", next, upkeep_test_next(t));
	assert_null(strstr(upkeep_test_what(t), server.password));
	assert_null(strstr(upkeep_test_log(t), server.password));
	upkeep_test_free(t);
}

static void test_tables(void **state)
{
	(void)state;
	struct upkeep_test *t = server_test(&server);
	upkeep_test_set(t, "by", "size");
	server_expect(t, upkeep_test_run(t, "tables"), UPKEEP_UNCHANGED);
	assert_int_equal(upkeep_test_rows(t, "tables"), 10);
	assert_string_equal(upkeep_test_cell(t, "tables", 0, "database"), ODD);
	upkeep_test_free(t);
	t = server_test(&server);
	upkeep_test_set(t, "top", "1000");
	server_expect(t, upkeep_test_run(t, "tables"), UPKEEP_UNCHANGED);
	size_t found = 0;
	for (size_t i = 0; i < upkeep_test_rows(t, "tables"); i++)
		found += strcmp(upkeep_test_cell(t, "tables", i, "table"),
				 "table; DROP TABLE x; --") == 0;
	assert_int_equal(found, 1);
	upkeep_test_free(t);
}

static void test_who(void **state)
{
	(void)state;
	struct upkeep_test *t = server_test(&server);
	upkeep_test_setting(t, "password", "file:/other");
	upkeep_test_secret(t, "file:/other", "not the password");
	expect_refusal(t, UPKEEP_FAILED, "as \"admin\": ", "correct user and password");
	t = server_test(&server);
	upkeep_test_setting(t, "user", "nobody at all");
	expect_refusal(t, UPKEEP_FAILED, "as \"nobody at all\"", "correct user and password");
	t = server_test(&server);
	upkeep_test_setting(t, "database", "host=/tmp dbname=postgres");
	expect_refusal(t, UPKEEP_FAILED, "database \"host=/tmp dbname=postgres\"",
		"correct user or database");
	t = server_test(&server);
	upkeep_test_setting(t, "sslmode", "require");
	expect_refusal(t, UPKEEP_FAILED, "SSL", "switch ssl on");
}

static void test_where(void **state)
{
	(void)state;
	struct upkeep_test *t = server_test(&server);
	upkeep_test_setting(t, "port", "1");
	expect_refusal(t, UPKEEP_FAILED_FOR_NOW, "on \"127.0.0.1\" port 1", "start the server");
	t = server_test(&server);
	upkeep_test_setting(t, "host", "/nowhere");
	expect_refusal(t, UPKEEP_FAILED_FOR_NOW, "\"/nowhere\"", "start the server");
	/* an address that answers to nobody */
	t = server_test(&server);
	upkeep_test_setting(t, "host", "192.0.2.1");
	upkeep_test_setting(t, "connect_timeout", "50ms");
	assert_true(upkeep_test_run(t, "tables") < 0);
	upkeep_test_free(t);
}

/* Whatever the database's owner has set does not reach our session. */
static void test_session(void **state)
{
	(void)state;
	PGconn *pg = server_connect(&server, "postgres");
	server_do(pg, "CREATE DATABASE hostile");
	server_do(pg, "ALTER DATABASE hostile SET search_path = evil, pg_catalog");
	server_do(pg, "ALTER DATABASE hostile SET statement_timeout = '1ms'");
	PGconn *inside = server_connect(&server, "hostile");
	server_do(inside, "SET statement_timeout = 0");
	server_do(inside, "CREATE SCHEMA evil");
	server_do(inside,
		"CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE plpgsql AS"
		" $$ BEGIN RAISE EXCEPTION 'evil was called'; END $$");
	server_do(inside,
		"CREATE FUNCTION evil.current_database() RETURNS name LANGUAGE plpgsql AS"
		" $$ BEGIN RAISE EXCEPTION 'evil was called'; END $$");
	server_do(inside, "CREATE TABLE public.one (id integer)");
	struct upkeep_test *t = server_test(&server);
	upkeep_test_add(t, "databases", "hostile");
	server_expect(t, upkeep_test_run(t, "tables"), UPKEEP_UNCHANGED);
	assert_int_equal(upkeep_test_rows(t, "tables"), 1);
	upkeep_test_free(t);
	PQfinish(inside);
	server_do(pg, "DROP DATABASE hostile");
	PQfinish(pg);
}

static void test_cancelled(void **state)
{
	(void)state;
	struct upkeep_test *t = server_test(&server);
	upkeep_test_cancel(t);
	server_expect(t, upkeep_test_run(t, "tables"), UPKEEP_CANCELLED);
	upkeep_test_free(t);
	t = server_test(&server);
	upkeep_test_deadline(t, 0);
	server_expect(t, upkeep_test_run(t, "tables"), UPKEEP_CANCELLED);
	upkeep_test_free(t);
}

/* A session that somebody ends in the middle. */
static void test_cut(void **state)
{
	(void)state;
	PGconn *pg = server_connect(&server, "postgres");
	server_do(pg, "CREATE DATABASE cut");
	PGconn *inside = server_connect(&server, "cut");
	server_do(inside, "CREATE TABLE public.one (id integer)");
	server_do(inside, "BEGIN; LOCK TABLE public.one");
	/* our session waits for the lock, and is ended from within the server */
	server_do(pg, "CREATE EXTENSION IF NOT EXISTS dblink");
	char *sql = fault_format("SELECT dblink_connect('killer', 'host=%s port=%s user=%s"
				 " dbname=postgres application_name=killer')",
		server.socket, server.port, server.user);
	server_do(pg, sql);
	free(sql);
	server_do(pg,
		"SELECT dblink_send_query('killer', $$ DO $x$ BEGIN FOR i IN 1..400 LOOP"
		" PERFORM pg_sleep(0.05); PERFORM pg_stat_clear_snapshot();"
		" PERFORM pg_terminate_backend(pid) FROM pg_stat_activity"
		" WHERE application_name = 'upkeep' AND wait_event_type = 'Lock'; EXIT WHEN FOUND;"
		" END LOOP; END $x$ $$)");
	struct upkeep_test *t = server_test(&server);
	upkeep_test_add(t, "databases", "cut");
	upkeep_test_add(t, "tables", "public.one");
	upkeep_test_set(t, "lock_timeout", "0s");
	server_expect(t, upkeep_test_run(t, "vacuum"), UPKEEP_FAILED_FOR_NOW);
	assert_non_null(strstr(upkeep_test_what(t), "57P01"));
	upkeep_test_free(t);
	PQfinish(inside);
	server_do(pg, "SELECT dblink_disconnect('killer')");
	server_do(pg, "DROP DATABASE cut");
	PQfinish(pg);
}

/* A server in a container, as an engine would tell: the address, none, no such container. */
static void test_container(void **state)
{
	(void)state;
	static const struct {
		const char *name, *what;
		int32_t result;
	} cases[] = {
		{"db", "", UPKEEP_UNCHANGED},
		{"stopped", "has no address", UPKEEP_FAILED},
		{"gone", "there is no container \"gone\"", UPKEEP_FAILED},
	};
	CLEANUP_FREE char *engine = fault_format("%s/engine", server.dir);
	CLEANUP_FILE FILE *f = fopen(engine, "we");
	fprintf(f,
		"#!/bin/sh\n[ \"$1 $2 $3 $5\" = 'container inspect --format --' ] || exit 9\n"
		"case $6 in db) printf '\\n127.0.0.1\\n' ;; stopped) echo ;; *) exit 1 ;; esac\n");
	fchmod(fileno(f), 0755);
	fflush(f);
	fclose(TAKE_PTR(f));
	for (size_t i = 0; i < UPKEEP_COUNT(cases); i++) {
		struct upkeep_test *t = server_test(&server);
		upkeep_test_setting(t, "host", "192.0.2.1");
		upkeep_test_setting(t, "container", cases[i].name);
		upkeep_test_setting(t, "engine", engine);
		server_expect(t, upkeep_test_run(t, "tables"), cases[i].result);
		assert_non_null(strstr(upkeep_test_what(t), cases[i].what));
		upkeep_test_free(t);
	}
	struct upkeep_test *t = server_test(&server);
	upkeep_test_setting(t, "container", "db");
	upkeep_test_setting(t, "engine", "/no/such/engine");
	server_expect(t, upkeep_test_run(t, "tables"), UPKEEP_FAILED);
	assert_non_null(strstr(upkeep_test_next(t), "set engine"));
	upkeep_test_free(t);
}

/* Two servers, each by an instance of its own. */
static void test_two(void **state)
{
	(void)state;
	server_start(&other, NULL);
	PGconn *pg = server_connect(&other, "postgres");
	server_do(pg, "CREATE TABLE public.only_here (id integer)");
	struct upkeep_test *first = server_test(&server), *second = server_test(&other);
	upkeep_test_add(first, "databases", "postgres");
	server_expect(first, upkeep_test_run(first, "tables"), UPKEEP_UNCHANGED);
	server_expect(second, upkeep_test_run(second, "tables"), UPKEEP_UNCHANGED);
	assert_int_equal(upkeep_test_rows(first, "tables"), 0);
	assert_string_equal(upkeep_test_cell(second, "tables", 0, "table"), "only_here");
	upkeep_test_free(first);
	upkeep_test_free(second);
	PQfinish(pg);
	server_remove(&other);
}

/* A killed client's statement goes on: it is ended before it is asked what there is. */
static void test_undo_of_what_still_runs(void **state)
{
	(void)state;
	struct upkeep_test *t = server_test(&server);
	PGconn *pg = server_connect(&server, "postgres");
	PGconn *maker = server_connect(&server, "postgres");
	PGconn *watcher =
		server_connect(&server, "postgres"); /* a transaction sees sessions once */
	CLEANUP_FREE char *session = server_ask(maker,
		"SELECT format(E'pid=%s\nstarted=%s\n', pid, backend_start) FROM pg_stat_activity"
		" WHERE pid = pg_backend_pid()");
	CLEANUP_FREE char *payload = fault_format("name=upkeep_new_0123456789ab\n%s", session);
	server_do(pg, "BEGIN; LOCK TABLE pg_database IN SHARE MODE");
	assert_true(
		PQsendQuery(maker, "CREATE DATABASE upkeep_new_0123456789ab TEMPLATE template0"));
	server_await(watcher,
		"SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE%'"
		" AND wait_event_type = 'Lock'",
		"1");
	size_t record = upkeep_test_forge(t, "database", 1, payload);
	server_expect(t, upkeep_test_undo_record(t, "restore", record), UPKEEP_UNCHANGED);
	server_do(pg, "ROLLBACK");
	PGresult *result = PQgetResult(maker);
	assert_int_equal(PQresultStatus(result), PGRES_FATAL_ERROR);
	PQclear(result);
	CLEANUP_FREE char *count =
		server_ask(pg, "SELECT count(*) FROM pg_database WHERE datname LIKE 'upkeep%'");
	assert_string_equal(count, "0");
	PQfinish(watcher);
	PQfinish(maker);
	PQfinish(pg);
	upkeep_test_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_who),
		cmocka_unit_test(test_where),
		cmocka_unit_test(test_session),
		cmocka_unit_test(test_cancelled),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_undo_of_what_still_runs),
		cmocka_unit_test(test_container),
		cmocka_unit_test(test_two),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
