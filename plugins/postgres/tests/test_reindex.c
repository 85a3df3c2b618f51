/* SPDX-License-Identifier: MIT */
/* postgres.reindex: what is chosen, what is left when it fails, and that others' is not touched. */
#include "tests/unit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server.h"
#include "support/cleanup.h"
#include "support/fault.h"

static struct server server;
static PGconn *pg;
#define TABLE "public.\"odd \"\"table\""
#define INDEX "public.\"index; \"\"odd\"\"\""
#define SHOWN "public.index; \"odd\""
#define INVALID "SELECT count(*) FROM pg_index WHERE NOT indisvalid"

static int group_setup(void **state)
{
	(void)state;
	server_start(&server, NULL);
	pg = server_connect(&server, "postgres");
	server_do(pg, "CREATE DATABASE one");
	PQfinish(pg);
	pg = server_connect(&server, "one");
	server_do(pg, "CREATE EXTENSION btree_gist");
	server_do(pg, "CREATE TABLE " TABLE " (id integer, t text)");
	server_do(pg, "INSERT INTO " TABLE " SELECT n, n % 3 FROM generate_series(1, 20000) AS n");
	server_do(pg, "CREATE INDEX \"index; \"\"odd\"\"\" ON " TABLE " (id)");
	server_do(pg, "CREATE INDEX few ON " TABLE " (t)");
	server_do(
		pg, "CREATE TABLE public.booking (room integer, EXCLUDE USING gist (room WITH =))");
	server_do(pg, "DELETE FROM " TABLE " WHERE id % 20 <> 0");
	server_do(pg, "VACUUM ANALYZE " TABLE);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	PQfinish(pg);
	server_remove(&server);
	return 0;
}

static struct upkeep_test *reindex(const char *index)
{
	struct upkeep_test *t = server_test(&server);
	upkeep_test_add(t, "databases", "one");
	upkeep_test_set(t, "min_size", "64KiB");
	upkeep_test_set(t, "lock_timeout", "200ms");
	upkeep_test_set(t, "retries", "0");
	if (index)
		upkeep_test_add(t, "indexes", index);
	return t;
}

static void expect_invalid(const char *count)
{
	CLEANUP_FREE char *is = server_ask(pg, INVALID);
	assert_string_equal(is, count);
}

/* A transaction that wrote to the table, and goes on. */
static PGconn *writer(void)
{
	PGconn *other = server_connect(&server, "one");
	server_do(other, "BEGIN; INSERT INTO " TABLE " VALUES (1, 'held')");
	return other;
}

static void test_bloat(void **state)
{
	(void)state;
	struct upkeep_test *t = reindex(NULL);
	server_expect(t, upkeep_test_plan(t, "reindex"), UPKEEP_CHANGED);
	assert_int_equal(upkeep_test_woulds(t), 2);
	server_expect(t, upkeep_test_probe(t, "reindex"), UPKEEP_NOT_DONE);
	server_expect(t, upkeep_test_run(t, "reindex"), UPKEEP_CHANGED);
	assert_int_equal(upkeep_test_rows(t, "reindex"), 2);
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(upkeep_test_cell(t, "reindex", i, "done"), "rebuilt");
		assert_true(atoll(upkeep_test_cell(t, "reindex", i, "size_after")) <
			atoll(upkeep_test_cell(t, "reindex", i, "size")) / 4);
		assert_int_equal(upkeep_test_record_state(t, i), UPKEEP_TEST_APPLIED);
	}
	/* nothing is left to do, and nothing to put back */
	server_expect(t, upkeep_test_plan(t, "reindex"), UPKEEP_UNCHANGED);
	server_expect(t, upkeep_test_probe(t, "reindex"), UPKEEP_DONE);
	server_expect(t, upkeep_test_probe_record(t, "reindex", 0), UPKEEP_NOT_DONE);
	server_expect(t, upkeep_test_undo(t, "reindex"), UPKEEP_UNCHANGED);
	upkeep_test_free(t);
	expect_invalid("0");
}

static void test_named(void **state)
{
	(void)state;
	struct upkeep_test *t = reindex(INDEX);
	server_expect(t, upkeep_test_run(t, "reindex"), UPKEEP_CHANGED);
	assert_int_equal(upkeep_test_rows(t, "reindex"), 1);
	assert_string_equal(upkeep_test_cell(t, "reindex", 0, "index"), SHOWN);
	upkeep_test_free(t);
	t = reindex(NULL);
	upkeep_test_add(t, "tables", TABLE);
	upkeep_test_add(t, "tables", "public.booking");
	server_expect(t, upkeep_test_run(t, "reindex"), UPKEEP_CHANGED);
	assert_int_equal(upkeep_test_rows(t, "reindex"), 2);
	upkeep_test_free(t);
	t = reindex("public.nothing");
	server_expect(t, upkeep_test_run(t, "reindex"), UPKEEP_FAILED);
	assert_non_null(strstr(upkeep_test_what(t), "no index public.nothing"));
	upkeep_test_free(t);
}

/* It fails while a transaction goes on, and so does the cleaning; the undo does it then. */
static void test_fails(void **state)
{
	(void)state;
	PGconn *holder = writer();
	struct upkeep_test *t = reindex(INDEX);
	server_expect(t, upkeep_test_run(t, "reindex"), UPKEEP_FAILED);
	assert_string_equal(upkeep_test_cell(t, "reindex", 0, "done"), "failed");
	assert_non_null(strstr(upkeep_test_what(t), "55P03"));
	expect_invalid("1");
	assert_int_equal(upkeep_test_record_state(t, 0), UPKEEP_TEST_PUSHED);
	server_expect(t, upkeep_test_probe_record(t, "reindex", 0), UPKEEP_DONE);
	server_expect(t, upkeep_test_undo(t, "reindex"), UPKEEP_FAILED_FOR_NOW);
	PQfinish(holder);
	server_expect(t, upkeep_test_undo(t, "reindex"), UPKEEP_CHANGED);
	expect_invalid("0");
	server_expect(t, upkeep_test_undo_record(t, "reindex", 0), UPKEEP_UNCHANGED);
	server_expect(t, upkeep_test_probe_record(t, "reindex", 0), UPKEEP_NOT_DONE);
	upkeep_test_free(t);
	CLEANUP_FREE char *there =
		server_ask(pg, "SELECT count(*) FROM pg_class WHERE relname = 'index; \"odd\"'");
	assert_string_equal(there, "1");
}

#define TIMED_OUT "canceling statement due to lock timeout"

/* Ends the writer's session once somebody has waited for it in vain. */
static void *end_after_timeout(void *arg)
{
	PGconn *other = server_connect(&server, "postgres");
	const size_t *count = arg;
	while (server_logged(&server, TIMED_OUT) == *count)
		nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	server_do(other,
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
		" WHERE state = 'idle in transaction'");
	PQfinish(other);
	return NULL;
}

static void test_retries(void **state)
{
	(void)state;
	pthread_t thread;
	size_t count = server_logged(&server, TIMED_OUT);
	PGconn *holder = writer();
	struct upkeep_test *t = reindex(INDEX);
	upkeep_test_set(t, "retries", "9");
	pthread_create(&thread, NULL, end_after_timeout, &count);
	server_expect(t, upkeep_test_run(t, "reindex"), UPKEEP_CHANGED);
	pthread_join(thread, NULL);
	assert_string_equal(upkeep_test_cell(t, "reindex", 0, "done"), "rebuilt");
	expect_invalid("0");
	upkeep_test_free(t);
	PQfinish(holder);
}

/* Somebody else's invalid index, even of such a name, is shown and stays. */
static void test_others(void **state)
{
	(void)state;
	server_do(pg, "INSERT INTO " TABLE " VALUES (20, 'twice')");
	PQclear(PQexec(pg,
		"CREATE UNIQUE INDEX CONCURRENTLY \"index; \"\"odd\"\"_ccnew\" ON " TABLE " (id)"));
	expect_invalid("1");
	PGconn *holder = writer();
	struct upkeep_test *t = reindex(INDEX);
	server_expect(t, upkeep_test_run(t, "reindex"), UPKEEP_FAILED);
	expect_invalid("2");
	PQfinish(holder);
	server_expect(t, upkeep_test_undo(t, "reindex"), UPKEEP_CHANGED);
	expect_invalid("1");
	upkeep_test_free(t);
	t = reindex(INDEX);
	server_expect(t, upkeep_test_run(t, "reindex"), UPKEEP_CHANGED);
	assert_int_equal(upkeep_test_rows(t, "invalid"), 1);
	assert_string_equal(upkeep_test_output(t, "invalid"), "1");
	assert_int_equal(upkeep_test_warnings(t), 1);
	server_expect(t, upkeep_test_undo(t, "reindex"), UPKEEP_UNCHANGED);
	upkeep_test_free(t);
	expect_invalid("1");
	server_do(pg, "DROP INDEX public.\"index; \"\"odd\"\"_ccnew\"");
}

static void test_cancelled(void **state)
{
	(void)state;
	pthread_t thread;
	PGconn *holder = writer();
	struct upkeep_test *t = reindex(INDEX);
	upkeep_test_set(t, "lock_timeout", "0s");
	struct server_cancel cancel = {&server, t};
	pthread_create(&thread, NULL, server_cancel_waiting, &cancel);
	server_expect(t, upkeep_test_run(t, "reindex"), UPKEEP_CANCELLED);
	pthread_join(thread, NULL);
	assert_int_equal(server_logged(&server, "canceling statement due to user request"), 1);
	expect_invalid("1");
	/* undone with the database gone too, but not where it only cannot be reached */
	PQfinish(holder);
	struct upkeep_test *later = server_test(&server);
	size_t record = upkeep_test_forge(later, "reindex", 1, upkeep_test_record(t, 0)->payload);
	server_expect(later, upkeep_test_undo_record(later, "reindex", record), UPKEEP_CHANGED);
	expect_invalid("0");
	PQfinish(pg);
	pg = server_connect(&server, "postgres");
	server_do(pg, "ALTER DATABASE one RENAME TO two");
	server_expect(later, upkeep_test_undo_record(later, "reindex", record), UPKEEP_UNCHANGED);
	server_do(pg, "ALTER DATABASE two RENAME TO one");
	PQfinish(pg);
	pg = server_connect(&server, "one");
	record = upkeep_test_forge(later, "reindex", 2, upkeep_test_record(t, 0)->payload);
	server_expect(
		later, upkeep_test_undo_record(later, "reindex", record), UPKEEP_NEEDS_PERSON);
	upkeep_test_free(later);
	upkeep_test_free(t);
}

/* Where the record cannot be written, nothing is begun. */
static void test_no_record(void **state)
{
	(void)state;
	struct upkeep_test *t = reindex(INDEX);
	upkeep_test_fail_push(t, 1, -ENOSPC);
	CLEANUP_FREE char *before =
		server_ask(pg, "SELECT oid FROM pg_class WHERE relname LIKE 'index;%'");
	server_expect(t, upkeep_test_run(t, "reindex"), UPKEEP_FAILED);
	CLEANUP_FREE char *after =
		server_ask(pg, "SELECT oid FROM pg_class WHERE relname LIKE 'index;%'");
	assert_string_equal(before, after);
	upkeep_test_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bloat),
		cmocka_unit_test(test_named),
		cmocka_unit_test(test_fails),
		cmocka_unit_test(test_retries),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_cancelled),
		cmocka_unit_test(test_no_record),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
