/* SPDX-License-Identifier: MIT */
/* What is left: find, levels of verify, plans, patterns, caches, keys on a new machine, the
 * ledger, mount points, cancel. */
#include "tests/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "look.h"
#include "site.h"
#include "support/fault.h"

/* site_dir/NAME with the file "file" in it; the caller frees the path. */
static char *make_tree(const char *name)
{
	char *tree = site_below(name);
	assert_int_equal(mkdir(tree, 0755), 0);
	look_write(tree, "file", "bytes\n");
	return tree;
}

static void expect_found(struct upkeep_test *t, const char *pattern, const char *count)
{
	upkeep_test_clear(t);
	upkeep_test_set(t, "pattern", pattern);
	upkeep_test_set(t, "name", "left-out");
	site_expect(t, upkeep_test_run(t, "find"), UPKEEP_UNCHANGED);
	assert_string_equal(upkeep_test_output(t, "count"), count);
}

static void test_patterns_and_caches_are_left_out(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	char *tree = make_tree("left"), *cache = site_below("left/cache");
	char *whole = site_below("left/*.whole");
	mkdir(cache, 0755);
	look_write(cache, "CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n");
	look_write(cache, "cached", "x");
	look_write(tree, "a.tmp", "x");
	look_write(cache, "b.tmp", "x");
	look_write(tree, "c.whole", "x");
	upkeep_test_add(t, "exclude", "*.tmp");
	upkeep_test_add(t, "exclude", whole);
	upkeep_test_set(t, "name", "left-out");
	upkeep_test_add(t, "paths", tree);
	site_expect(t, upkeep_test_plan(t, "create"), UPKEEP_CHANGED);
	assert_int_equal(upkeep_test_woulds(t), 1);
	assert_non_null(strstr(upkeep_test_would(t, 0), "back up 4 entries"));
	site_expect(t, upkeep_test_run(t, "create"), UPKEEP_CHANGED);
	assert_string_equal(upkeep_test_output(t, "entries"), "4");
	expect_found(t, "*.tmp", "0");
	expect_found(t, "*.whole", "0");
	expect_found(t, "cached", "0");
	expect_found(t, "CACHEDIR.TAG", "1");
	expect_found(t, "left/file", "1");
	expect_found(t, "fil[e]", "1");
	upkeep_test_free(t);
	free(tree);
	free(cache);
	free(whole);
}

static void test_hash_and_all(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	char *tree = make_tree("levels"), *id = site_create(t, "levels", tree);
	upkeep_test_set(t, "compare", "none"); /* with packs of its own */
	site_expect(t, upkeep_test_run(t, "create"), UPKEEP_CHANGED);
	upkeep_test_clear(t);
	upkeep_test_set(t, "name", "levels");
	upkeep_test_set(t, "all", "true");
	upkeep_test_set(t, "level", "hash");
	site_expect(t, upkeep_test_run(t, "verify"), UPKEEP_UNCHANGED);
	assert_string_equal(upkeep_test_output(t, "verified"), "2");
	/* what was looked at a moment ago need not be, but for what is looked at closer */
	upkeep_test_set(t, "since", "1d");
	site_expect(t, upkeep_test_run(t, "verify"), UPKEEP_UNCHANGED);
	assert_string_equal(upkeep_test_output(t, "verified"), "0");
	upkeep_test_set(t, "level", "full");
	site_expect(t, upkeep_test_run(t, "verify"), UPKEEP_UNCHANGED);
	assert_string_equal(upkeep_test_output(t, "verified"), "2");
	upkeep_test_set(t, "since", NULL);
	upkeep_test_set(t, "level", "hash");
	char *pack = fault_format("%s/store/%s/00000.pack", site_dir, id);
	assert_int_equal(truncate(pack, 10), 0);
	assert_int_equal(upkeep_test_run(t, "verify"), UPKEEP_FAILED);
	assert_non_null(strstr(upkeep_test_what(t), id)); /* the other one was looked at */
	assert_int_equal(upkeep_test_rows(t, "verified"), 5);
	char *bad = fault_format("%s/store/%s", site_dir, id);
	look_remove(bad);
	free(bad);
	free(pack);
	free(id);
	free(tree);
	upkeep_test_free(t);
}

/* Only the site itself says that a backup is good. */
static void test_notes_in_the_store_count_for_nothing(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	char *tree = make_tree("ledger"), *group = site_below("store/ledger");
	char *id = site_create(t, "ledger", tree);
	char *note = fault_format("%s~%lld~full", id, (long long)time(NULL));
	mkdir(group, 0700);
	look_write(group, note, "{}");
	upkeep_test_clear(t);
	upkeep_test_set(t, "name", "ledger");
	site_expect(t, upkeep_test_run(t, "list"), UPKEEP_UNCHANGED);
	assert_string_equal(upkeep_test_cell(t, "backups", 0, "level"), "");
	site_expect(t, upkeep_test_run(t, "verify"), UPKEEP_UNCHANGED);
	site_expect(t, upkeep_test_run(t, "list"), UPKEEP_UNCHANGED);
	assert_string_equal(upkeep_test_cell(t, "backups", 1, "level"), "full");
	/* a note is about one manifest: another backup under the same id has none */
	char *own = fault_format("%s/store/%s/manifest", site_dir, id);
	int fd = open(own, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
	site_expect(t, upkeep_test_run(t, "list"), UPKEEP_UNCHANGED);
	assert_string_equal(upkeep_test_cell(t, "backups", 2, "level"), "not trusted");
	assert_string_equal(upkeep_test_cell(t, "backups", 2, "verified"), "");
	look_remove(group);
	char *bad = fault_format("%s/store/%s", site_dir, id);
	look_remove(bad);
	char *texts[] = {tree, group, id, note, own, bad};
	for (size_t i = 0; i < UPKEEP_COUNT(texts); i++)
		free(texts[i]);
	upkeep_test_free(t);
}

/* A machine without keyring that has the public key in a file sees whose backups they are. */
static void test_public_key_file_on_a_new_machine(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	char *tree = make_tree("public"), *file = site_below("site.asc");
	char *home = site_below("keyring"), *none = site_below("no-keyring");
	free(site_create(t, "public", tree));
	upkeep_test_free(t);
	pid_t pid = fork();
	if (pid == 0) {
		execl("/usr/bin/gpg", "gpg", "--homedir", home, "--batch", "-q", "--no-autostart",
			"--export", "--armor", "-o", file, site_key, (char *)NULL);
		_exit(127);
	}
	int status = -1;
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	t = site_open();
	upkeep_test_setting(t, "keyring", none);
	upkeep_test_setting_add(t, "trusted", site_key);
	upkeep_test_setting_add(t, "public_keys", file);
	upkeep_test_set(t, "name", "public");
	site_expect(t, upkeep_test_run(t, "list"), UPKEEP_UNCHANGED);
	assert_string_equal(upkeep_test_output(t, "count"), "1");
	assert_int_equal(upkeep_test_warnings(t), 0);
	upkeep_test_free(t);
	free(tree);
	free(file);
	free(home);
	free(none);
}

static void test_mount_points_get_their_entries_exchanged(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	char *tree = site_below("mounted"), *inner = site_below("mounted/inner");
	mkdir(tree, 0755);
	if (geteuid() != 0 || mount("upkeep", tree, "tmpfs", 0, "size=1m") < 0)
		skip();
	mkdir(inner, 0755);
	look_write(inner, "one", "first\n");
	look_write(tree, "two", "first\n");
	char *before = look_at(inner);
	free(site_create(t, "mounted", tree));
	upkeep_test_free(t);
	t = site_open(); /* without the record of create */
	look_write(inner, "one", "second\n");
	look_write(tree, "new", "second\n");
	upkeep_test_set(t, "name", "mounted");
	site_expect(t, upkeep_test_plan(t, "restore"), UPKEEP_CHANGED);
	site_expect(t, upkeep_test_run(t, "restore"), UPKEEP_CHANGED);
	char *after = look_at(inner), *added = site_below("mounted/new");
	int there = access(added, F_OK);
	int undone = upkeep_test_undo(t, "restore");
	int back = access(added, F_OK);
	assert_int_equal(umount(tree), 0);
	site_expect_same(before, after);
	assert_int_equal(there, -1);
	site_expect(t, undone, UPKEEP_CHANGED);
	assert_int_equal(back, 0);
	upkeep_test_free(t);
	char *texts[] = {tree, inner, before, after, added};
	for (size_t i = 0; i < UPKEEP_COUNT(texts); i++)
		free(texts[i]);
}

/* As large as a pack's input, to the byte; the same from a writer that fails is no backup. */
static void test_a_stream_is_stored_when_it_is_whole(void **state)
{
	(void)state;
	const size_t size = 32u << 20;
	struct upkeep_test *t = site_open();
	char *tree = make_tree("streamed"), *bytes = calloc(1, size);
	assert_non_null(bytes);
	upkeep_test_set(t, "name", "streamed");
	upkeep_test_add(t, "paths", tree);
	upkeep_test_stream_in(t, bytes, size);
	upkeep_test_whole(t, 0);
	assert_true(upkeep_test_run(t, "create") < 0);
	assert_non_null(strstr(upkeep_test_what(t), "nothing is kept"));
	upkeep_test_whole(t, 1);
	upkeep_test_stream_in(t, bytes, size);
	site_expect(t, upkeep_test_run(t, "create"), UPKEEP_CHANGED);
	assert_string_equal(upkeep_test_output(t, "bytes"), "33554438"); /* and a file of 6 */
	upkeep_test_clear(t);
	upkeep_test_set(t, "name", "streamed");
	site_expect(t, upkeep_test_run(t, "list"), UPKEEP_UNCHANGED);
	assert_string_equal(upkeep_test_output(t, "count"), "1");
	site_expect(t, upkeep_test_run(t, "verify"), UPKEEP_UNCHANGED);
	free(tree), free(bytes);
	upkeep_test_free(t);
}

static void test_cancel_leaves_nothing_to_be_seen(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	char *tree = make_tree("cancelled");
	upkeep_test_set(t, "name", "cancelled");
	upkeep_test_add(t, "paths", tree);
	upkeep_test_cancel(t);
	site_expect(t, upkeep_test_run(t, "create"), UPKEEP_CANCELLED);
	upkeep_test_free(t);
	t = site_open();
	upkeep_test_set(t, "name", "cancelled");
	site_expect(t, upkeep_test_run(t, "list"), UPKEEP_UNCHANGED);
	assert_string_equal(upkeep_test_output(t, "count"), "0");
	upkeep_test_free(t);
	free(tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patterns_and_caches_are_left_out),
		cmocka_unit_test(test_a_stream_is_stored_when_it_is_whole),
		cmocka_unit_test(test_hash_and_all),
		cmocka_unit_test(test_notes_in_the_store_count_for_nothing),
		cmocka_unit_test(test_public_key_file_on_a_new_machine),
		cmocka_unit_test(test_mount_points_get_their_entries_exchanged),
		cmocka_unit_test(test_cancel_leaves_nothing_to_be_seen),
	};
	return !!cmocka_run_group_tests(tests, site_setup, site_teardown);
}
