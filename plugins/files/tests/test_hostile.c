/* SPDX-License-Identifier: MIT */
/* Links, pipes and devices in the way change nothing; neither do swaps meanwhile. */
#include "tree.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static const char *const actions[] = {"compress", "expire", "archive", "rotate"};

static struct upkeep_test *hostile_new(const char *action, const char *pattern)
{
	struct upkeep_test *t = upkeep_test_new(&upkeep_plugin);
	assert_non_null(t);
	upkeep_test_add(t, "paths", tree_path(pattern));
	if (strcmp(action, "archive") == 0)
		upkeep_test_set(t, "to", tree_path("archive"));
	if (strcmp(action, "expire") == 0 || strcmp(action, "archive") == 0)
		upkeep_test_set(t, "older_than", "1d");
	return t;
}

static void secret_make(void)
{
	tree_dir("archive");
	tree_dir("logs");
	tree_dir("secret");
	tree_write_size("secret/x.log", 50000);
	tree_age("secret/x.log", 9);
}

static void test_links(void **state)
{
	(void)state;
	secret_make();
	assert_int_equal(symlink(tree_path("secret/x.log"), tree_path("logs/a.log")), 0);
	assert_int_equal(symlink(tree_path("secret"), tree_path("logs/dir")), 0);
	assert_int_equal(mkfifo(tree_path("logs/b.log"), 0644), 0);
	if (geteuid() == 0)
		assert_int_equal(mknod(tree_path("logs/c.log"), S_IFCHR | 0666, makedev(1, 3)), 0);
	static const char *const patterns[] = {
		"logs/*.log", "logs/**", "logs/*/x.log", "logs/dir/x.log"};
	char *before = tree_describe();
	for (size_t i = 0; i < UPKEEP_COUNT(actions); i++)
		for (size_t k = 0; k < UPKEEP_COUNT(patterns); k++) {
			struct upkeep_test *t = hostile_new(actions[i], patterns[k]);
			assert_int_equal(upkeep_test_run(t, actions[i]), UPKEEP_UNCHANGED);
			assert_int_equal(upkeep_test_records(t), 0);
			upkeep_test_free(t);
		}
	char *after = tree_describe();
	assert_string_equal(after, before);
	free(before), free(after);
}

static void test_hard_links(void **state)
{
	(void)state;
	secret_make();
	assert_int_equal(link(tree_path("secret/x.log"), tree_path("logs/a.log")), 0);
	char *before = tree_describe();
	for (size_t i = 0; i < UPKEEP_COUNT(actions); i++) {
		struct upkeep_test *t = hostile_new(actions[i], "logs/*.log");
		if (strcmp(actions[i], "expire") != 0) {
			assert_int_equal(upkeep_test_run(t, actions[i]), UPKEEP_UNCHANGED);
			assert_int_equal(upkeep_test_warnings(t), 1);
		}
		upkeep_test_free(t);
	}
	char *after = tree_describe();
	assert_string_equal(after, before);
	free(before), free(after);
}

static atomic_int swapping;

/* logs/d is now a directory, now a link to the secret one. */
static void *swap(void *arg)
{
	(void)arg;
	char dir[8192], link_path[8192], aside[8192];
	snprintf(dir, sizeof dir, "%s", tree_path("logs/d"));
	snprintf(link_path, sizeof link_path, "%s", tree_path("link"));
	snprintf(aside, sizeof aside, "%s", tree_path("aside"));
	while (atomic_load(&swapping)) {
		rename(dir, aside);
		rename(link_path, dir);
		rename(dir, link_path);
		rename(aside, dir);
	}
	return NULL;
}

static void test_swaps(void **state)
{
	pthread_t thread;
	(void)state;
	secret_make();
	tree_dir("logs/d");
	assert_int_equal(symlink(tree_path("secret"), tree_path("link")), 0);
	char *want;
	size_t size, now;
	want = tree_read("secret/x.log", &size);
	atomic_store(&swapping, 1);
	assert_int_equal(pthread_create(&thread, NULL, swap, NULL), 0);
	for (int i = 0; i < 200; i++) {
		struct upkeep_test *t = hostile_new("expire", "logs/d/*.log");
		upkeep_test_run(t, "expire");
		upkeep_test_free(t);
		t = hostile_new("compress", "logs/*/x.log");
		upkeep_test_run(t, "compress");
		upkeep_test_free(t);
	}
	atomic_store(&swapping, 0);
	pthread_join(thread, NULL);
	assert_true(tree_has("secret/x.log"));
	char *bytes = tree_read("secret/x.log", &now);
	assert_int_equal(now, size);
	assert_memory_equal(bytes, want, size);
	free(bytes), free(want);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tree_make, tree_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_links), TEST(test_hard_links), TEST(test_swaps)};
	return !!cmocka_run_group_tests(tests, NULL, NULL);
}
