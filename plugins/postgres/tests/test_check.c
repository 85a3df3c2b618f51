/* SPDX-License-Identifier: MIT */
/* postgres.check, lag and wraparound: what is wrong is found, and what is right is not. */
#include "tests/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server.h"
#include "support/cleanup.h"
#include "support/fault.h"

static struct server server;
static PGconn *pg;

static int group_setup(void **state)
{
	(void)state;
	/* as a careful administrator would have it */
	static const char *const lines[] = {"fsync = on", "archive_mode = on",
		"archive_command = '/bin/true'", "wal_level = logical", NULL};
	server_start(&server, lines);
	pg = server_connect(&server, "postgres");
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	PQfinish(pg);
	server_remove(&server);
	return 0;
}

/* The row of a check; in any database. */
static const char *cell_of(struct upkeep_test *t, const char *name, const char *column)
{
	for (size_t i = 0; i < upkeep_test_rows(t, "checks"); i++)
		if (strcmp(upkeep_test_cell(t, "checks", i, "check"), name) == 0)
			return upkeep_test_cell(t, "checks", i, column);
	return NULL;
}

static struct upkeep_test *check(void)
{
	struct upkeep_test *t = server_test(&server);
	upkeep_test_add(t, "databases", "postgres");
	return t;
}

/* One check says `state` with `value` in its value, all others say ok. */
static void expect_alone(
	struct upkeep_test *t, const char *name, const char *state, const char *value)
{
	int failed = strcmp(state, "failed") == 0;
	server_expect(t, upkeep_test_run(t, "check"), failed ? UPKEEP_FAILED : UPKEEP_UNCHANGED);
	for (size_t i = 0; i < upkeep_test_rows(t, "checks"); i++) {
		const char *each = upkeep_test_cell(t, "checks", i, "check"),
			   *is = upkeep_test_cell(t, "checks", i, "state");
		if (strcmp(each, name) != 0 && strcmp(is, "ok") != 0)
			fail_msg("%s is %s: %s", each, is,
				upkeep_test_cell(t, "checks", i, "value"));
	}
	if (!cell_of(t, name, "state"))
		fail_msg("no check %s", name);
	assert_string_equal(cell_of(t, name, "state"), state);
	if (!strstr(cell_of(t, name, "value"), value))
		fail_msg("%s: no \"%s\" in \"%s\"", name, value, cell_of(t, name, "value"));
	assert_string_equal(upkeep_test_output(t, "state"), state);
	if (strcmp(state, "ok") != 0)
		assert_non_null(cell_of(t, name, "hint"));
	if (failed) {
		assert_non_null(strstr(upkeep_test_what(t), name));
		assert_string_equal(upkeep_test_next(t), cell_of(t, name, "hint"));
	}
	upkeep_test_free(t);
}

static void test_fine(void **state)
{
	(void)state;
	expect_alone(check(), "connection", "ok", "on \"127.0.0.1\"");
	struct upkeep_test *t = check();
	server_expect(t, upkeep_test_run(t, "check"), UPKEEP_UNCHANGED);
	assert_true(upkeep_test_rows(t, "checks") > 25);
	upkeep_test_free(t);
}

static void test_leftovers(void **state)
{
	(void)state;
	server_do(pg, "CREATE TABLE public.twice AS SELECT 1 AS n UNION ALL SELECT 1");
	PQclear(PQexec(pg, "CREATE UNIQUE INDEX CONCURRENTLY \"odd index\" ON public.twice (n)"));
	expect_alone(check(), "indexes-invalid", "warning", "public.\"odd index\"");
	struct upkeep_test *t = check();
	upkeep_test_add(t, "skip", "indexes-invalid");
	expect_alone(t, "connection", "ok", "");
	server_do(pg, "DROP INDEX public.\"odd index\"");
	server_do(pg, "ALTER TABLE public.twice ADD CHECK (n > 0) NOT VALID");
	expect_alone(check(), "constraints", "warning", "twice_n_check");
	server_do(pg, "DROP TABLE public.twice");
	server_do(pg, "CREATE TABLE public.off () WITH (autovacuum_enabled = off)");
	expect_alone(check(), "autovacuum-tables", "warning", "public.off");
	server_do(pg, "DROP TABLE public.off");
	server_do(pg, "CREATE SEQUENCE public.small AS smallint START 32000");
	server_do(pg, "SELECT nextval('public.small')");
	expect_alone(check(), "sequences", "failed", "public.small 97.7%");
	server_do(pg, "DROP SEQUENCE public.small");
}

/* What a DROP DATABASE leaves that was interrupted: told, and no reason to stop there. */
static void test_databases(void **state)
{
	(void)state;
	server_do(pg, "CREATE DATABASE half");
	server_do(pg, "UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'half'");
	struct upkeep_test *t = server_test(&server);
	expect_alone(t, "databases", "failed", "half");
	server_do(pg, "DROP DATABASE half");
}

static void test_connection(void **state)
{
	(void)state;
	struct upkeep_test *t = check();
	upkeep_test_setting(t, "port", "1");
	server_expect(t, upkeep_test_run(t, "check"), UPKEEP_FAILED_FOR_NOW);
	assert_int_equal(upkeep_test_rows(t, "checks"), 1);
	assert_string_equal(cell_of(t, "connection", "state"), "failed");
	assert_string_equal(cell_of(t, "connection", "hint"), upkeep_test_next(t));
	upkeep_test_free(t);
}

static void test_sessions(void **state)
{
	(void)state;
	PGconn *other = server_connect(&server, "postgres");
	server_do(other, "BEGIN");
	struct upkeep_test *t = check();
	upkeep_test_set(t, "idle_crit", "1ms");
	expect_alone(t, "idle", "failed", "of admin");
	t = check();
	upkeep_test_set(t, "transaction_warn", "1ms");
	expect_alone(t, "transactions", "warning", "of admin");
	server_do(other, "PREPARE TRANSACTION 'left behind'");
	t = check();
	upkeep_test_set(t, "prepared_crit", "1ms");
	expect_alone(t, "prepared", "failed", "1 prepared");
	server_do(other, "ROLLBACK PREPARED 'left behind'");
	PQfinish(other);
	t = check();
	upkeep_test_set(t, "connections_warn", "1%");
	expect_alone(t, "connections", "warning", " of 100");
}

static void test_slots(void **state)
{
	(void)state;
	server_do(pg, "SELECT pg_create_physical_replication_slot('left', true)");
	expect_alone(check(), "slots-inactive", "failed", "left");
	server_do(pg, "SELECT pg_drop_replication_slot('left')");
}

static void test_settings(void **state)
{
	(void)state;
	server_do(pg, "ALTER SYSTEM SET max_connections = 50");
	server_do(pg, "SELECT pg_reload_conf()");
	server_await(pg, "SELECT count(*) FROM pg_settings WHERE pending_restart", "1");
	expect_alone(check(), "settings-pending", "warning", "max_connections");
	server_do(pg, "ALTER SYSTEM RESET max_connections");
	server_do(pg, "SELECT pg_reload_conf()");
	server_await(pg, "SELECT count(*) FROM pg_settings WHERE pending_restart", "0");
	char *path = fault_format("%s/data/postgresql.auto.conf", server.dir);
	CLEANUP_FILE FILE *f = fopen(path, "ae");
	free(path);
	fprintf(f, "no_such_setting = 1\n");
	fflush(f);
	expect_alone(check(), "settings-files", "failed", "auto.conf:");
	server_do(pg, "ALTER SYSTEM RESET ALL");
	server_do(pg, "ALTER SYSTEM SET autovacuum = off");
	server_do(pg, "SELECT pg_reload_conf()");
	server_await(pg, "SHOW autovacuum", "off");
	expect_alone(check(), "autovacuum", "failed", "autovacuum = off");
	server_do(pg, "ALTER SYSTEM RESET autovacuum");
	server_do(pg, "SELECT pg_reload_conf()");
	server_await(pg, "SHOW autovacuum", "on");
}

static void test_archive(void **state)
{
	(void)state;
	server_do(pg, "ALTER SYSTEM SET archive_command = '/bin/false'");
	server_do(pg, "SELECT pg_reload_conf()");
	server_await(pg, "SHOW archive_command", "/bin/false");
	server_do(pg, "SELECT pg_switch_wal()");
	server_await(pg,
		"SELECT coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'),"
		" false) FROM pg_stat_archiver",
		"t");
	struct upkeep_test *t = check();
	upkeep_test_set(t, "archiving", "true");
	expect_alone(t, "archive-failing", "failed", "failures, last of 0000");
	t = check();
	upkeep_test_add(t, "skip", "archive-failing");
	upkeep_test_set(t, "archive_backlog_crit", "1");
	expect_alone(t, "archive-backlog", "failed", "segments wait");
	server_do(pg, "ALTER SYSTEM SET archive_command = ''");
	server_do(pg, "SELECT pg_reload_conf()");
	server_await(pg, "SHOW archive_command", "");
	t = check();
	upkeep_test_add(t, "skip", "archive-failing");
	expect_alone(t, "archive-command", "failed", "none");
	server_do(pg, "ALTER SYSTEM RESET archive_command");
	server_do(pg, "SELECT pg_reload_conf()");
	server_await(pg, "SHOW archive_command", "/bin/true");
	server_await(pg, "SELECT last_failed_time > last_archived_time FROM pg_stat_archiver", "f");
}

/* No programs, and programs that are too old. */
static void test_programs(void **state)
{
	(void)state;
	CLEANUP_FREE char *dir = fault_format("%s/programs", server.dir);
	CLEANUP_FREE char *dump = fault_format("%s/pg_dump", dir);
	mkdir(dir, 0755);
	struct upkeep_test *t = check();
	upkeep_test_setting(t, "programs", dir);
	expect_alone(t, "programs", "failed", "no pg_dump in");
	int fd = open(dump, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	assert_int_equal(write(fd, "#!/bin/sh\necho pg_dump 11.5\n", 29), 29);
	close(fd);
	t = check();
	upkeep_test_setting(t, "programs", dir);
	expect_alone(t, "programs", "failed", "11.5");
}

static void test_limits(void **state)
{
	(void)state;
	static const struct {
		const char *parameter, *value, *check, *state;
	} cases[] = {
		{"oldest_version", "99", "version", "failed"},
		{"standbys", "1", "standbys", "failed"},
		{"size_warn", "1MiB", "size", "warning"},
		{"size_crit", "1MiB", "size", "failed"},
		{"last_backup", "2026-01-01", "backup", "failed"},
		{"wraparound_warn", "0.00000001%", "wraparound", "warning"},
	};
	for (size_t i = 0; i < UPKEEP_COUNT(cases); i++) {
		struct upkeep_test *t = check();
		upkeep_test_set(t, cases[i].parameter, cases[i].value);
		if (strcmp(cases[i].check, "wraparound") == 0)
			upkeep_test_add(t, "skip", "wraparound-multixact");
		expect_alone(t, cases[i].check, cases[i].state, "");
	}
}

/* A role that may see little: it is told, and what it cannot see is not called fine. */
static void test_small_role(void **state)
{
	(void)state;
	server_do(pg, "CREATE ROLE small LOGIN PASSWORD 'a long password'");
	struct upkeep_test *t = check();
	upkeep_test_setting(t, "user", "small");
	upkeep_test_setting(t, "password", "file:/small");
	upkeep_test_secret(t, "file:/small", "a long password");
	server_expect(t, upkeep_test_run(t, "check"), UPKEEP_UNCHANGED);
	assert_string_equal(cell_of(t, "privileges", "state"), "warning");
	assert_string_equal(cell_of(t, "settings-files", "state"), "unknown");
	assert_string_equal(cell_of(t, "archive-backlog", "state"), "unknown");
	assert_string_equal(cell_of(t, "checksums", "state"), "ok");
	upkeep_test_free(t);
	server_do(pg, "GRANT pg_monitor TO small");
	t = check();
	upkeep_test_setting(t, "user", "small");
	upkeep_test_setting(t, "password", "file:/small");
	upkeep_test_secret(t, "file:/small", "a long password");
	server_expect(t, upkeep_test_run(t, "check"), UPKEEP_UNCHANGED);
	assert_string_equal(cell_of(t, "privileges", "state"), "ok");
	assert_string_equal(cell_of(t, "archive-backlog", "state"), "ok");
	upkeep_test_free(t);
	server_do(pg, "DROP ROLE small");
}

static void test_wraparound(void **state)
{
	(void)state;
	PGconn *other = server_connect(&server, "postgres");
	server_do(other, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
	server_do(pg, "SELECT pg_create_logical_replication_slot('holds', 'test_decoding')");
	struct upkeep_test *t = server_test(&server);
	server_expect(t, upkeep_test_run(t, "wraparound"), UPKEEP_UNCHANGED);
	int seen[3] = {0};
	for (size_t i = 0; i < upkeep_test_rows(t, "wraparound"); i++) {
		const char *kind = upkeep_test_cell(t, "wraparound", i, "kind");
		seen[0] += strcmp(kind, "database") == 0;
		seen[1] += strcmp(kind, "session") == 0;
		seen[2] += strcmp(kind, "slot") == 0;
	}
	assert_int_equal(seen[0], 3);
	assert_int_equal(seen[1], 1);
	assert_int_equal(seen[2], 1);
	upkeep_test_free(t);
	server_do(pg, "SELECT pg_drop_replication_slot('holds')");
	PQfinish(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fine),
		cmocka_unit_test(test_leftovers),
		cmocka_unit_test(test_databases),
		cmocka_unit_test(test_connection),
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_archive),
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_small_role),
		cmocka_unit_test(test_wraparound),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
