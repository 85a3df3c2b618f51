/* SPDX-License-Identifier: MIT */
/* postgres.amcheck: what was scribbled on is found, and nothing is changed by looking. */
#include "tests/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server.h"
#include "support/cleanup.h"
#include "support/fault.h"

static struct server server;
static PGconn *pg;

static int group_setup(void **state)
{
	(void)state;
	server_start(&server, NULL);
	server_fill(&server, "one", "100");
	pg = server_connect(&server, "one");
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	PQfinish(pg);
	server_remove(&server);
	return 0;
}

static struct upkeep_test *amcheck(void)
{
	struct upkeep_test *t = server_test(&server);
	upkeep_test_add(t, "databases", "one");
	return t;
}

static void test_whole(void **state)
{
	(void)state;
	struct upkeep_test *t = amcheck();
	server_expect(t, upkeep_test_run(t, "amcheck"), UPKEEP_UNCHANGED);
	assert_true(atoll(upkeep_test_output(t, "checked")) > 200);
	assert_string_equal(upkeep_test_output(t, "damaged"), "0");
	assert_int_equal(upkeep_test_rows(t, "damage"), 0);
	upkeep_test_free(t);
	CLEANUP_FREE char *there =
		server_ask(pg, "SELECT count(*) FROM pg_extension WHERE extname = 'amcheck'");
	assert_string_equal(there, "0");
	/* where it is installed, and somewhere odd */
	server_do(pg,
		"CREATE SCHEMA \"odd \"\"place\"; CREATE EXTENSION amcheck SCHEMA \"odd "
		"\"\"place\"");
	t = amcheck();
	upkeep_test_set(t, "full", "false");
	server_expect(t, upkeep_test_run(t, "amcheck"), UPKEEP_UNCHANGED);
	upkeep_test_free(t);
	server_do(pg, "DROP EXTENSION amcheck");
}

/* An index whose order is no longer that of its values. */
static void test_order(void **state)
{
	(void)state;
	server_do(pg,
		"CREATE FUNCTION public.key(integer) RETURNS integer LANGUAGE sql IMMUTABLE"
		" AS 'SELECT $1'");
	server_do(pg, "CREATE INDEX keyed ON public.bulk (public.key(id))");
	server_do(pg,
		"CREATE OR REPLACE FUNCTION public.key(integer) RETURNS integer LANGUAGE sql"
		" IMMUTABLE AS 'SELECT -$1'");
	struct upkeep_test *t = amcheck();
	upkeep_test_set(t, "full", "false");
	server_expect(t, upkeep_test_run(t, "amcheck"), UPKEEP_UNCHANGED);
	upkeep_test_free(t);
	t = amcheck();
	server_expect(t, upkeep_test_run(t, "amcheck"), UPKEEP_FAILED);
	assert_string_equal(upkeep_test_output(t, "damaged"), "1");
	assert_string_equal(upkeep_test_cell(t, "damage", 0, "relation"), "public.keyed");
	assert_non_null(strstr(upkeep_test_next(t), "REINDEX"));
	upkeep_test_free(t);
	server_do(pg, "DROP INDEX public.keyed");
}

static void test_locked(void **state)
{
	(void)state;
	PGconn *holder = server_connect(&server, "one");
	server_do(holder, "BEGIN; LOCK TABLE public.parent");
	struct upkeep_test *t = amcheck();
	upkeep_test_set(t, "lock_timeout", "20ms");
	server_expect(t, upkeep_test_run(t, "amcheck"), UPKEEP_UNCHANGED);
	assert_true(atoll(upkeep_test_output(t, "skipped")) >= 1);
	assert_true(upkeep_test_warnings(t) >= 1);
	upkeep_test_free(t);
	PQfinish(holder);
}

/* Overwrites part of the second page of a relation's file while the server is down. */
static void scribble(const char *relation)
{
	CLEANUP_FREE char *sql = fault_format("SELECT pg_relation_filepath('%s')", relation);
	CLEANUP_FREE char *file = server_ask(pg, sql);
	CLEANUP_FREE char *path = fault_format("%s/data/%s", server.dir, file);
	server_do(pg, "CHECKPOINT");
	PQfinish(pg);
	server_stop(&server);
	CLEANUP_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "scribbled", 9, 8192 + 8000), 9);
	server_again(&server);
	pg = server_connect(&server, "one");
}

static void test_scribbled(void **state)
{
	(void)state;
	static const char *const relations[] = {"public.parent_pkey", "public.measure_2025"};
	for (size_t i = 0; i < UPKEEP_COUNT(relations); i++) {
		scribble(relations[i]);
		struct upkeep_test *t = amcheck();
		server_expect(t, upkeep_test_run(t, "amcheck"), UPKEEP_FAILED);
		size_t found = 0;
		for (size_t k = 0; k < upkeep_test_rows(t, "damage"); k++)
			found += strcmp(upkeep_test_cell(t, "damage", k, "relation"),
					 relations[i]) == 0;
		assert_int_equal(found, 1);
		/* everything else was looked at all the same */
		assert_true(atoll(upkeep_test_output(t, "checked")) > 200);
		upkeep_test_free(t);
	}
	/* and so says the check: it counts what failed */
	struct upkeep_test *t = server_test(&server);
	upkeep_test_add(t, "databases", "one");
	server_expect(t, upkeep_test_run(t, "check"), UPKEEP_FAILED);
	size_t failed = 0;
	for (size_t i = 0; i < upkeep_test_rows(t, "checks"); i++)
		failed += strcmp(upkeep_test_cell(t, "checks", i, "check"), "checksum-failures") ==
				0 &&
			strcmp(upkeep_test_cell(t, "checks", i, "state"), "failed") == 0;
	assert_int_equal(failed, 1);
	upkeep_test_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_locked),
		cmocka_unit_test(test_scribbled),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
