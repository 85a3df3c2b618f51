/* SPDX-License-Identifier: MIT */
/* Actions on one store at the same time: readers share, whoever removes waits. */
#include "tests/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "look.h"
#include "site.h"
#include "support/fault.h"
#include "support/store.h"

/* A process that holds the store for a while; it holds it when this returns. */
static pid_t hold_for(bool alone, useconds_t us)
{
	int ready[2];
	char byte = 0;
	CLEANUP_FAULT struct fault fault = {0};
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct store *store = NULL;
		char *path = site_below("store");
		int r = store_open_local(&store, "local", path, false, &fault);
		if (r == 0)
			r = store->ops->hold(store, alone, "task \"other\" of run 7", &fault);
		(void)!write(ready[1], r == 0 ? "y" : "n", 1);
		usleep(us);
		_exit(r < 0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void expect_end(pid_t pid)
{
	int status = -1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void expect_waited(struct upkeep_test *t, bool waited)
{
	const char *note = strstr(upkeep_test_log(t), "waiting: ");
	assert_int_equal(note != NULL, waited);
	if (waited)
		assert_non_null(strstr(note, "held by task \"other\" of run 7 (process "));
}

static char *make_one(void)
{
	struct upkeep_test *t = site_open();
	char *tree = site_below("tree");
	mkdir(tree, 0755);
	look_write(tree, "file", "bytes\n");
	char *id = site_create(t, "share", tree);
	upkeep_test_free(t);
	free(tree);
	return id;
}

static void test_readers_share(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	free(make_one());
	pid_t other = hold_for(false, 800000);
	site_expect(t, upkeep_test_run(t, "verify"), UPKEEP_UNCHANGED);
	expect_waited(t, false);
	expect_end(other);
	upkeep_test_free(t);
}

static void test_readers_wait_for_whoever_removes(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	pid_t other = hold_for(true, 400000);
	site_expect(t, upkeep_test_run(t, "verify"), UPKEEP_UNCHANGED);
	expect_waited(t, true);
	expect_end(other);
	upkeep_test_free(t);
}

static void test_prune_waits_for_readers(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	pid_t other = hold_for(false, 400000);
	upkeep_test_set(t, "keep_daily", "1");
	site_expect(t, upkeep_test_run(t, "prune"), UPKEEP_UNCHANGED);
	expect_waited(t, true);
	expect_end(other);
	upkeep_test_free(t);
}

static void test_the_wait_ends_with_the_deadline_or_cancel(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	pid_t other = hold_for(false, 1000000);
	upkeep_test_set(t, "keep_daily", "1");
	upkeep_test_deadline(t, 400);
	site_expect(t, upkeep_test_run(t, "prune"), UPKEEP_FAILED_FOR_NOW);
	assert_non_null(strstr(upkeep_test_what(t), "is held by task \"other\" of run 7"));
	upkeep_test_cancel(t);
	site_expect(t, upkeep_test_run(t, "prune"), UPKEEP_CANCELLED);
	expect_end(other);
	upkeep_test_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_readers_share),
		cmocka_unit_test(test_readers_wait_for_whoever_removes),
		cmocka_unit_test(test_prune_waits_for_readers),
		cmocka_unit_test(test_the_wait_ends_with_the_deadline_or_cancel),
	};
	return !!cmocka_run_group_tests(tests, site_setup, site_teardown);
}
