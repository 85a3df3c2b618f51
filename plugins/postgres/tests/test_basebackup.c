/* SPDX-License-Identifier: MIT */
/* postgres.basebackup: whole under its name or not there, taken back, only what is ours. */
#include "tests/unit.h"

#include <pthread.h>
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
static char *place; /* a directory of the test's own */

static int group_setup(void **state)
{
	(void)state;
	server_start(&server, NULL);
	pg = server_connect(&server, "postgres");
	place = fault_format("%s/backups", server.dir);
	return mkdir(place, 0700);
}

static int group_teardown(void **state)
{
	(void)state;
	PQfinish(pg);
	server_remove(&server);
	free(place);
	return 0;
}

static int entries(void)
{
	CLEANUP_DIR DIR *dir = opendir(place);
	int count = 0;
	while (dir && readdir(dir))
		count++;
	return count - 2;
}

static struct upkeep_test *backup(char **ret_target)
{
	struct upkeep_test *t = server_test(&server);
	*ret_target = fault_format("%s/one copy", place);
	upkeep_test_set(t, "target", *ret_target);
	return t;
}

static void test_directory(void **state)
{
	(void)state;
	CLEANUP_FREE char *target = NULL;
	struct upkeep_test *t = backup(&target);
	server_expect(t, upkeep_test_plan(t, "basebackup"), UPKEEP_CHANGED);
	assert_string_equal(upkeep_test_would_undo(t, 0), "remove it");
	assert_int_equal(entries(), 0);
	server_expect(t, upkeep_test_run(t, "basebackup"), UPKEEP_CHANGED);
	assert_string_equal(upkeep_test_output(t, "path"), target);
	assert_int_equal(entries(), 1);
	CLEANUP_FREE char *manifest = fault_format("%s/backup_manifest", target);
	struct stat st;
	assert_int_equal(stat(manifest, &st), 0);
	assert_int_equal(stat(target, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	server_expect(t, upkeep_test_probe_record(t, "basebackup", 0), UPKEEP_DONE);
	/* a second one does not take its place */
	struct upkeep_test *again = server_test(&server);
	upkeep_test_set(again, "target", target);
	server_expect(again, upkeep_test_run(again, "basebackup"), UPKEEP_FAILED);
	assert_non_null(strstr(upkeep_test_what(again), "there is something at"));
	assert_int_equal(upkeep_test_records(again), 0);
	upkeep_test_free(again);
	server_expect(t, upkeep_test_undo(t, "basebackup"), UPKEEP_CHANGED);
	assert_int_equal(entries(), 0);
	server_expect(t, upkeep_test_undo_record(t, "basebackup", 0), UPKEEP_UNCHANGED);
	server_expect(t, upkeep_test_probe_record(t, "basebackup", 0), UPKEEP_NOT_DONE);
	upkeep_test_free(t);
}

/* What lies there in the end is somebody else's. */
static void test_foreign(void **state)
{
	(void)state;
	CLEANUP_FREE char *target = NULL;
	struct upkeep_test *t = backup(&target);
	CLEANUP_FREE char *moved = fault_format("%s/moved", place);
	server_expect(t, upkeep_test_run(t, "basebackup"), UPKEEP_CHANGED);
	assert_int_equal(rename(target, moved), 0);
	assert_int_equal(mkdir(target, 0700), 0);
	server_expect(t, upkeep_test_probe_record(t, "basebackup", 0), UPKEEP_PARTLY);
	server_expect(t, upkeep_test_undo(t, "basebackup"), UPKEEP_UNCHANGED);
	assert_int_equal(rmdir(target), 0);
	assert_int_equal(rename(moved, target), 0);
	server_expect(t, upkeep_test_undo_record(t, "basebackup", 0), UPKEEP_CHANGED);
	assert_int_equal(entries(), 0);
	upkeep_test_free(t);
}

static void test_stream(void **state)
{
	(void)state;
	struct upkeep_test *t = server_test(&server);
	size_t size = 0;
	upkeep_test_stream_out(t);
	server_expect(t, upkeep_test_run(t, "basebackup"), UPKEEP_CHANGED);
	const char *tar = upkeep_test_written(t, &size);
	assert_true(size > 10 << 20);
	assert_string_equal(tar, "backup_label");
	assert_non_null(memmem(tar, size, "backup_manifest", 15));
	assert_int_equal(upkeep_test_records(t), 0);
	upkeep_test_free(t);
	t = server_test(&server);
	server_expect(t, upkeep_test_run(t, "basebackup"), UPKEEP_FAILED);
	assert_non_null(strstr(upkeep_test_what(t), "neither a target nor a reader"));
	upkeep_test_free(t);
}

static void test_refused(void **state)
{
	(void)state;
	CLEANUP_FREE char *target = NULL;
	struct upkeep_test *t = backup(&target);
	upkeep_test_set(t, "target", "/no/such/place");
	server_expect(t, upkeep_test_run(t, "basebackup"), UPKEEP_FAILED);
	upkeep_test_free(t);
	server_do(pg, "CREATE ROLE small LOGIN PASSWORD 'a long password'");
	CLEANUP_FREE char *second = NULL;
	t = backup(&second);
	upkeep_test_setting(t, "user", "small");
	upkeep_test_setting(t, "password", "file:/small");
	upkeep_test_secret(t, "file:/small", "a long password");
	server_expect(t, upkeep_test_run(t, "basebackup"), UPKEEP_FAILED);
	assert_non_null(strstr(upkeep_test_next(t), "REPLICATION"));
	upkeep_test_free(t);
	server_do(pg, "DROP ROLE small");
	server_do(pg, "SET allow_in_place_tablespaces = on");
	server_do(pg, "CREATE TABLESPACE beside LOCATION ''");
	CLEANUP_FREE char *third = NULL;
	t = backup(&third);
	server_expect(t, upkeep_test_run(t, "basebackup"), UPKEEP_FAILED);
	assert_non_null(strstr(upkeep_test_what(t), "has tablespaces"));
	upkeep_test_free(t);
	server_do(pg, "DROP TABLESPACE beside");
	/* where the record cannot be written, nothing is made */
	CLEANUP_FREE char *fourth = NULL;
	t = backup(&fourth);
	upkeep_test_fail_push(t, 1, -ENOSPC);
	assert_true(upkeep_test_run(t, "basebackup") < 0);
	assert_non_null(strstr(upkeep_test_what(t), "cannot write down"));
	upkeep_test_free(t);
	assert_int_equal(entries(), 0);
}

/* A program that says that the copy is bad: it never gets its name. */
static void test_bad_copy(void **state)
{
	(void)state;
	CLEANUP_FREE char *target = NULL;
	CLEANUP_FREE char *programs = fault_format("%s/programs", server.dir);
	mkdir(programs, 0755);
	static const char *const names[] = {"pg_dump", "pg_basebackup", "pg_verifybackup"};
	for (size_t i = 0; i < UPKEEP_COUNT(names); i++) {
		CLEANUP_FREE char *from = fault_format("%s/%s", server.bin, names[i]);
		CLEANUP_FREE char *to = fault_format("%s/%s", programs, names[i]);
		assert_int_equal(symlink(i == 2 ? "/bin/false" : from, to), 0);
	}
	struct upkeep_test *t = backup(&target);
	upkeep_test_setting(t, "programs", programs);
	server_expect(t, upkeep_test_run(t, "basebackup"), UPKEEP_FAILED_FOR_NOW);
	assert_non_null(strstr(upkeep_test_what(t), "pg_verifybackup"));
	assert_int_equal(access(target, F_OK), -1);
	assert_int_equal(entries(), 1);
	server_expect(t, upkeep_test_probe_record(t, "basebackup", 0), UPKEEP_PARTLY);
	server_expect(t, upkeep_test_undo(t, "basebackup"), UPKEEP_CHANGED);
	assert_int_equal(entries(), 0);
	upkeep_test_free(t);
}

#define SENDERS "SELECT count(*) FROM pg_stat_progress_basebackup"

static void *cancel_when_it_sends(void *arg)
{
	PGconn *other = server_connect(&server, "postgres");
	server_await(other, SENDERS " WHERE backup_streamed > 0", "1");
	upkeep_test_cancel(arg);
	PQfinish(other);
	return NULL;
}

static void test_cancelled(void **state)
{
	(void)state;
	CLEANUP_FREE char *target = NULL;
	pthread_t thread;
	struct upkeep_test *t = backup(&target);
	upkeep_test_set(t, "max_rate", "64KiB");
	pthread_create(&thread, NULL, cancel_when_it_sends, t);
	server_expect(t, upkeep_test_run(t, "basebackup"), UPKEEP_CANCELLED);
	pthread_join(thread, NULL);
	server_await(pg, SENDERS, "0");
	assert_int_equal(entries(), 1);
	server_expect(t, upkeep_test_undo(t, "basebackup"), UPKEEP_CHANGED);
	assert_int_equal(entries(), 0);
	upkeep_test_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_directory),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_bad_copy),
		cmocka_unit_test(test_cancelled),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
