/* SPDX-License-Identifier: MIT */
/* The actions, with real keys, real gpg and real files. */
#include "tests/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <upkeep/testing.h>

#include "clock.h"
#include "look.h"
#include "site.h"
#include "support/fault.h"
#include "support/store.h"

static void test_torture_comes_back_identical(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	char *tree = site_below("torture"), *target = site_below("target");
	char *there = fault_format("%s%s", target, tree);
	look_torture(tree);
	char *id = site_create(t, "torture", tree);
	assert_int_equal(upkeep_test_warnings(t), 0);
	upkeep_test_clear(t);
	site_expect(t, upkeep_test_run(t, "verify"), UPKEEP_UNCHANGED);
	upkeep_test_set(t, "backup", id);
	upkeep_test_set(t, "target", target);
	site_expect(t, upkeep_test_run(t, "restore"), UPKEEP_CHANGED);
	assert_int_equal(upkeep_test_warnings(t), 0);
	char *before = look_at(tree), *after = look_at(there);
	site_expect_same(before, after);
	struct stat st;
	char *sparse = fault_format("%s/sparse", there);
	assert_int_equal(stat(sparse, &st), 0);
	assert_true(st.st_blocks < 1024);
	look_remove(tree);
	char *texts[] = {tree, target, there, id, before, after, sparse};
	for (size_t i = 0; i < UPKEEP_COUNT(texts); i++)
		free(texts[i]);
	upkeep_test_free(t);
}

static void test_one_file_is_exchanged_and_put_back(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	char *tree = site_below("small"), *file = site_below("small/two");
	mkdir(tree, 0755);
	look_write(tree, "one", "first\n");
	char *one = site_below("small/one");
	assert_int_equal(link(one, file), 0);
	free(site_create(t, "small", tree));
	look_write(tree, "one", "second\n");
	char *changed = look_at(tree);
	upkeep_test_clear(t);
	upkeep_test_set(t, "name", "small");
	upkeep_test_add(t, "paths", file);
	site_expect(t, upkeep_test_run(t, "restore"), UPKEEP_CHANGED);
	char text[16] = {0};
	FILE *f = fopen(file, "r");
	assert_non_null(fgets(text, sizeof text, f));
	fclose(f);
	assert_string_equal(text, "first\n");
	/* the record of create came first */
	size_t record = upkeep_test_records(t) - 1;
	assert_int_equal(upkeep_test_probe_record(t, "restore", record), UPKEEP_DONE);
	site_expect(t, upkeep_test_undo_record(t, "restore", record), UPKEEP_CHANGED);
	site_expect(t, upkeep_test_undo_record(t, "restore", record), UPKEEP_UNCHANGED);
	f = fopen(file, "r");
	assert_non_null(fgets(text, sizeof text, f));
	fclose(f);
	assert_string_equal(text, "second\n");
	upkeep_test_set(t, "paths", NULL);
	upkeep_test_add(t, "paths", "/not/there");
	assert_int_equal(upkeep_test_run(t, "restore"), UPKEEP_FAILED);
	char *texts[] = {tree, file, one, changed};
	for (size_t i = 0; i < UPKEEP_COUNT(texts); i++)
		free(texts[i]);
	upkeep_test_free(t);
}

/* Flips a byte at each of some places of an object; verify must refuse each time. */
static void check_flips(struct upkeep_test *t, const char *id, const char *object)
{
	char *path = fault_format("%s/store/%s/%s", site_dir, id, object);
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	for (int i = 0; i < 8; i++) {
		off_t at = i * (st.st_size - 1) / 7;
		char byte;
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte ^= 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		assert_int_equal(upkeep_test_run(t, "verify"), UPKEEP_FAILED);
		/* gpg never saw it */
		assert_null(strstr(upkeep_test_what(t), "decrypt"));
		byte ^= 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	char last;
	assert_int_equal(pread(fd, &last, 1, st.st_size - 1), 1);
	assert_int_equal(ftruncate(fd, st.st_size - 1), 0);
	assert_int_equal(upkeep_test_run(t, "verify"), UPKEEP_FAILED);
	assert_int_equal(pwrite(fd, &last, 1, st.st_size - 1), 1);
	close(fd);
	site_expect(t, upkeep_test_run(t, "verify"), UPKEEP_UNCHANGED);
	free(path);
}

static void test_damage_is_refused(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	char *tree = site_below("damage");
	mkdir(tree, 0755);
	look_write(tree, "file", "some bytes\n");
	char *id = site_create(t, "damage", tree);
	upkeep_test_clear(t);
	upkeep_test_set(t, "backup", id);
	check_flips(t, id, "00000.pack");
	check_flips(t, id, "manifest");
	/* a signature has bytes that are not signed: only a cut one must be refused */
	char *signature = fault_format("%s/store/%s/manifest.sig", site_dir, id);
	assert_int_equal(truncate(signature, 20), 0);
	assert_int_equal(upkeep_test_run(t, "verify"), UPKEEP_FAILED);
	free(signature);
	/* the other tests count what is there */
	char *bad = fault_format("%s/store/%s", site_dir, id);
	look_remove(bad);
	free(bad);
	free(tree);
	free(id);
	upkeep_test_free(t);
}

static void test_foreign_signature_is_refused(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	char *tree = site_below("foreign");
	mkdir(tree, 0755);
	look_write(tree, "file", "some bytes\n");
	char *id = site_create(t, "foreign", tree);
	upkeep_test_free(t);
	t = site_open();
	char *other = site_below("other");
	upkeep_test_setting(t, "keyring", other);
	upkeep_test_set(t, "create_key", "true");
	site_expect(t, upkeep_test_run(t, "init"), UPKEEP_CHANGED);
	upkeep_test_clear(t);
	upkeep_test_set(t, "backup", id);
	assert_int_equal(upkeep_test_run(t, "verify"), UPKEEP_FAILED);
	assert_non_null(strstr(upkeep_test_what(t), "signature"));
	assert_null(strstr(upkeep_test_what(t), "decrypt"));
	upkeep_test_free(t);
	free(id);
	free(tree);
	free(other);
}

static size_t list_count(struct upkeep_test *t)
{
	upkeep_test_clear(t);
	upkeep_test_set(t, "name", "often");
	site_expect(t, upkeep_test_run(t, "list"), UPKEEP_UNCHANGED);
	return (size_t)atoi(upkeep_test_output(t, "count"));
}

static void prune(struct upkeep_test *t, const char *space, int32_t wanted)
{
	upkeep_test_clear(t);
	upkeep_test_set(t, "name", "often");
	upkeep_test_set(t, "keep_daily", "1");
	upkeep_test_set(t, "space", space);
	site_expect(t, upkeep_test_run(t, "prune"), wanted);
}

static void test_prune_keeps_what_is_verified(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	char *tree = site_below("often");
	mkdir(tree, 0755);
	look_write(tree, "file", "some bytes\n");
	char *ids[3];
	for (int i = 0; i < 3; i++) {
		ids[i] = site_create(t, "often", tree);
		if (i < 2)
			clock_advance(1000);
	}
	prune(t, "later", UPKEEP_UNCHANGED); /* nothing is verified */
	assert_int_equal(list_count(t), 3);
	upkeep_test_clear(t);
	upkeep_test_set(t, "backup", ids[1]);
	site_expect(t, upkeep_test_run(t, "verify"), UPKEEP_UNCHANGED);
	upkeep_test_set(t, "backup", ids[0]);
	site_expect(t, upkeep_test_run(t, "pin"), UPKEEP_CHANGED);
	prune(t, "later", UPKEEP_UNCHANGED); /* a pinned one, the verified one, the newest */
	upkeep_test_clear(t);
	upkeep_test_set(t, "backup", ids[0]);
	site_expect(t, upkeep_test_run(t, "unpin"), UPKEEP_CHANGED);
	prune(t, "later", UPKEEP_CHANGED);
	assert_int_equal(list_count(t), 2);
	size_t record = upkeep_test_records(t) - 1;
	site_expect(t, upkeep_test_undo_record(t, "prune", record), UPKEEP_CHANGED);
	site_expect(t, upkeep_test_undo_record(t, "prune", record), UPKEEP_UNCHANGED);
	assert_int_equal(list_count(t), 3);
	prune(t, "now", UPKEEP_CHANGED);
	assert_int_equal(list_count(t), 2);
	char *gone = fault_format("%s/store/%s/manifest", site_dir, ids[0]);
	assert_int_equal(access(gone, F_OK), -1);
	free(gone);
	for (int i = 0; i < 3; i++)
		free(ids[i]);
	free(tree);
	upkeep_test_free(t);
}

static void test_undo_of_create_buries(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	char *tree = site_below("undone");
	mkdir(tree, 0755);
	free(site_create(t, "undone", tree));
	site_expect(t, upkeep_test_undo_record(t, "create", 0), UPKEEP_CHANGED);
	site_expect(t, upkeep_test_undo_record(t, "create", 0), UPKEEP_UNCHANGED);
	upkeep_test_clear(t);
	upkeep_test_set(t, "name", "undone");
	site_expect(t, upkeep_test_run(t, "list"), UPKEEP_UNCHANGED);
	assert_string_equal(upkeep_test_output(t, "count"), "0");
	free(tree);
	upkeep_test_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_torture_comes_back_identical),
		cmocka_unit_test(test_one_file_is_exchanged_and_put_back),
		cmocka_unit_test(test_damage_is_refused),
		cmocka_unit_test(test_foreign_signature_is_refused),
		cmocka_unit_test(test_prune_keeps_what_is_verified),
		cmocka_unit_test(test_undo_of_create_buries),
	};
	return !!cmocka_run_group_tests(tests, site_setup, site_teardown);
}
