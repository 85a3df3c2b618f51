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

#include "look.h"
#include "support/fault.h"
#include "support/store.h"

static char base[64];
static char *fingerprint;

static struct upkeep_test *open_test(void)
{
	struct upkeep_test *t = upkeep_test_new(&upkeep_plugin);
	assert_non_null(t);
	char *store = fault_format("%s/store", base), *keyring = fault_format("%s/keyring", base);
	upkeep_test_setting(t, "stores[0].name", "local");
	upkeep_test_setting(t, "stores[0].path", store);
	upkeep_test_setting(t, "keyring", keyring);
	free(store);
	free(keyring);
	return t;
}

static void expect(struct upkeep_test *t, int32_t got, int32_t wanted)
{
	if (got != wanted)
		fprintf(stderr, "got %d: %s (%s)\n%s", got, upkeep_test_what(t), upkeep_test_why(t),
			upkeep_test_log(t));
	assert_int_equal(got, wanted);
}

static char *below(const char *name)
{
	return fault_format("%s/%s", base, name);
}

static char *create(struct upkeep_test *t, const char *name, const char *path)
{
	upkeep_test_clear(t);
	upkeep_test_set(t, "name", name);
	upkeep_test_add(t, "paths", path);
	expect(t, upkeep_test_run(t, "create"), UPKEEP_CHANGED);
	return fault_format("%s", upkeep_test_output(t, "id"));
}

static int setup(void **state)
{
	(void)state;
	snprintf(base, sizeof base, "/tmp/upkeep-backup-XXXXXX");
	if (!mkdtemp(base))
		return -1;
	struct upkeep_test *t = open_test();
	upkeep_test_set(t, "create_key", "true");
	expect(t, upkeep_test_run(t, "init"), UPKEEP_CHANGED);
	fingerprint = fault_format("%s", upkeep_test_output(t, "fingerprint"));
	expect(t, upkeep_test_run(t, "init"), UPKEEP_UNCHANGED);
	upkeep_test_free(t);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	look_remove(base);
	free(fingerprint);
	return 0;
}

/* The first line in which they differ, so that a failure can be read. */
static void expect_same(const char *before, const char *after)
{
	size_t line = 0;
	for (size_t i = 0; before[i] && before[i] == after[i]; i++)
		if (before[i] == '\n')
			line = i + 1;
	if (strcmp(before, after) != 0)
		fail_msg("before: %.*s\nafter:  %.*s", (int)strcspn(before + line, "\n"),
			before + line, (int)strcspn(after + line, "\n"), after + line);
}

static void test_torture_comes_back_identical(void **state)
{
	(void)state;
	struct upkeep_test *t = open_test();
	char *tree = below("torture"), *target = below("target");
	char *there = fault_format("%s%s", target, tree);
	look_torture(tree);
	char *id = create(t, "torture", tree);
	assert_int_equal(upkeep_test_warnings(t), 0);
	upkeep_test_clear(t);
	expect(t, upkeep_test_run(t, "verify"), UPKEEP_UNCHANGED);
	upkeep_test_set(t, "backup", id);
	upkeep_test_set(t, "target", target);
	expect(t, upkeep_test_run(t, "restore"), UPKEEP_CHANGED);
	assert_int_equal(upkeep_test_warnings(t), 0);
	char *before = look_at(tree), *after = look_at(there);
	expect_same(before, after);
	struct stat st;
	char *sparse = fault_format("%s/sparse", there);
	assert_int_equal(stat(sparse, &st), 0);
	assert_true(st.st_blocks < 1024);
	look_remove(tree);
	char *texts[] = { tree, target, there, id, before, after, sparse };
	for (size_t i = 0; i < UPKEEP_COUNT(texts); i++)
		free(texts[i]);
	upkeep_test_free(t);
}

static void test_one_file_is_exchanged_and_put_back(void **state)
{
	(void)state;
	struct upkeep_test *t = open_test();
	char *tree = below("small"), *file = below("small/two");
	mkdir(tree, 0755);
	look_write(tree, "one", "first\n");
	char *one = below("small/one");
	assert_int_equal(link(one, file), 0);
	free(create(t, "small", tree));
	look_write(tree, "one", "second\n");
	char *changed = look_at(tree);
	upkeep_test_clear(t);
	upkeep_test_set(t, "name", "small");
	upkeep_test_add(t, "paths", file);
	expect(t, upkeep_test_run(t, "restore"), UPKEEP_CHANGED);
	char text[16] = { 0 };
	FILE *f = fopen(file, "r");
	assert_non_null(fgets(text, sizeof text, f));
	fclose(f);
	assert_string_equal(text, "first\n");
	/* the record of create came first */
	size_t record = upkeep_test_records(t) - 1;
	assert_int_equal(upkeep_test_probe_record(t, "restore", record), UPKEEP_DONE);
	expect(t, upkeep_test_undo_record(t, "restore", record), UPKEEP_CHANGED);
	expect(t, upkeep_test_undo_record(t, "restore", record), UPKEEP_UNCHANGED);
	f = fopen(file, "r");
	assert_non_null(fgets(text, sizeof text, f));
	fclose(f);
	assert_string_equal(text, "second\n");
	upkeep_test_set(t, "paths", NULL);
	upkeep_test_add(t, "paths", "/not/there");
	assert_int_equal(upkeep_test_run(t, "restore"), UPKEEP_FAILED);
	char *texts[] = { tree, file, one, changed };
	for (size_t i = 0; i < UPKEEP_COUNT(texts); i++)
		free(texts[i]);
	upkeep_test_free(t);
}

/* Flips a byte at each of some places of an object; verify must refuse each time. */
static void check_flips(struct upkeep_test *t, const char *id, const char *object)
{
	char *path = fault_format("%s/store/%s/%s", base, id, object);
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
	expect(t, upkeep_test_run(t, "verify"), UPKEEP_UNCHANGED);
	free(path);
}

static void test_damage_is_refused(void **state)
{
	(void)state;
	struct upkeep_test *t = open_test();
	char *tree = below("damage");
	mkdir(tree, 0755);
	look_write(tree, "file", "some bytes\n");
	char *id = create(t, "damage", tree);
	upkeep_test_clear(t);
	upkeep_test_set(t, "backup", id);
	check_flips(t, id, "00000.pack");
	check_flips(t, id, "manifest");
	/* a signature has bytes that are not signed: only a cut one must be refused */
	char *signature = fault_format("%s/store/%s/manifest.sig", base, id);
	assert_int_equal(truncate(signature, 20), 0);
	assert_int_equal(upkeep_test_run(t, "verify"), UPKEEP_FAILED);
	free(signature);
	/* the other tests count what is there */
	char *bad = fault_format("%s/store/%s", base, id);
	look_remove(bad);
	free(bad);
	free(tree);
	free(id);
	upkeep_test_free(t);
}

static void test_foreign_signature_is_refused(void **state)
{
	(void)state;
	struct upkeep_test *t = open_test();
	char *tree = below("foreign");
	mkdir(tree, 0755);
	look_write(tree, "file", "some bytes\n");
	char *id = create(t, "foreign", tree);
	upkeep_test_free(t);
	t = open_test();
	char *other = below("other");
	upkeep_test_setting(t, "keyring", other);
	upkeep_test_set(t, "create_key", "true");
	expect(t, upkeep_test_run(t, "init"), UPKEEP_CHANGED);
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
	expect(t, upkeep_test_run(t, "list"), UPKEEP_UNCHANGED);
	return (size_t)atoi(upkeep_test_output(t, "count"));
}

static void prune(struct upkeep_test *t, const char *space, int32_t wanted)
{
	upkeep_test_clear(t);
	upkeep_test_set(t, "name", "often");
	upkeep_test_set(t, "keep_daily", "1");
	upkeep_test_set(t, "space", space);
	expect(t, upkeep_test_run(t, "prune"), wanted);
}

static void test_prune_keeps_what_is_verified(void **state)
{
	(void)state;
	struct upkeep_test *t = open_test();
	char *tree = below("often");
	mkdir(tree, 0755);
	look_write(tree, "file", "some bytes\n");
	char *ids[3];
	for (int i = 0; i < 3; i++) {
		ids[i] = create(t, "often", tree);
		if (i < 2)
			sleep(1);
	}
	prune(t, "later", UPKEEP_UNCHANGED); /* nothing is verified */
	assert_int_equal(list_count(t), 3);
	upkeep_test_clear(t);
	upkeep_test_set(t, "backup", ids[1]);
	expect(t, upkeep_test_run(t, "verify"), UPKEEP_UNCHANGED);
	upkeep_test_set(t, "backup", ids[0]);
	expect(t, upkeep_test_run(t, "pin"), UPKEEP_CHANGED);
	prune(t, "later", UPKEEP_UNCHANGED); /* a pinned one, the verified one, the newest */
	upkeep_test_clear(t);
	upkeep_test_set(t, "backup", ids[0]);
	expect(t, upkeep_test_run(t, "unpin"), UPKEEP_CHANGED);
	prune(t, "later", UPKEEP_CHANGED);
	assert_int_equal(list_count(t), 2);
	size_t record = upkeep_test_records(t) - 1;
	expect(t, upkeep_test_undo_record(t, "prune", record), UPKEEP_CHANGED);
	expect(t, upkeep_test_undo_record(t, "prune", record), UPKEEP_UNCHANGED);
	assert_int_equal(list_count(t), 3);
	prune(t, "now", UPKEEP_CHANGED);
	assert_int_equal(list_count(t), 2);
	char *grave = below("store/tombstones");
	assert_int_equal(rmdir(grave), 0); /* nothing is left in it */
	free(grave);
	for (int i = 0; i < 3; i++)
		free(ids[i]);
	free(tree);
	upkeep_test_free(t);
}

static void test_undo_of_create_buries(void **state)
{
	(void)state;
	struct upkeep_test *t = open_test();
	char *tree = below("undone");
	mkdir(tree, 0755);
	free(create(t, "undone", tree));
	expect(t, upkeep_test_undo_record(t, "create", 0), UPKEEP_CHANGED);
	expect(t, upkeep_test_undo_record(t, "create", 0), UPKEEP_UNCHANGED);
	upkeep_test_clear(t);
	upkeep_test_set(t, "name", "undone");
	expect(t, upkeep_test_run(t, "list"), UPKEEP_UNCHANGED);
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
	return !!cmocka_run_group_tests(tests, setup, teardown);
}
