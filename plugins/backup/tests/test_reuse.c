/* SPDX-License-Identifier: MIT */
/* Backups that build upon earlier ones: what is unchanged is neither read nor stored again, and
 * whatever else happens to the earlier ones, it stays.  The linker puts our functions
 * before those of the C library (--wrap): what is read of the sources is counted, and one file can
 * lie about its times. */
#include "tests/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "look.h"
#include "site.h"
#include "support/fault.h"

static uint64_t bytes_read; /* of sources */
static const char *liar;    /* the name of the file that is, it says, as it was */
static struct stat lie;

ssize_t __real_pread(int fd, void *bytes, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *bytes, size_t size, off_t offset);
int __real_fstatat(int dir, const char *name, struct stat *st, int flags);
int __wrap_fstatat(int dir, const char *name, struct stat *st, int flags);

ssize_t __wrap_pread(int fd, void *bytes, size_t size, off_t offset)
{
	struct stat st;
	ssize_t n = __real_pread(fd, bytes, size, offset);
	/* what is in memory has no name */
	if (n > 0 && fstat(fd, &st) == 0 && st.st_nlink > 0)
		bytes_read += (uint64_t)n;
	return n;
}

int __wrap_fstatat(int dir, const char *name, struct stat *st, int flags)
{
	int r = __real_fstatat(dir, name, st, flags);
	if (r == 0 && liar && strcmp(name, liar) == 0)
		*st = lie;
	return r;
}

/* site_dir/NAME with `count` files "0", "1", ... of `size` bytes; the caller frees the path. */
static char *make_tree(const char *name, int count, size_t size)
{
	char *tree = site_below(name), *text = fault_alloc(size + 1), file[16];
	mkdir(tree, 0755);
	for (int i = 0; i < count; i++) {
		memset(text, 'a' + i % 26, size);
		snprintf(file, sizeof file, "%d", i);
		look_write(tree, file, text);
	}
	free(text);
	clock_advance(CLOCK_SETTLE_MS);
	return tree;
}

/* Objects in a group of the store whose names end so. */
static int count_objects(const char *id, const char *end)
{
	char *path = fault_format("%s/store/%s", site_dir, id);
	DIR *dir = opendir(path);
	int found = 0;
	for (struct dirent *e; dir && (e = readdir(dir));) {
		size_t size = strlen(e->d_name), tail = strlen(end);
		found += size >= tail && strcmp(e->d_name + size - tail, end) == 0;
	}
	if (dir)
		closedir(dir);
	free(path);
	return found;
}

static uint64_t output(struct upkeep_test *t, const char *name)
{
	return strtoull(upkeep_test_output(t, name), NULL, 10);
}

/* Backs up, and expects so many entries to be unchanged; the caller frees the id. */
static char *create_again(struct upkeep_test *t, const char *name, const char *tree, int unchanged)
{
	clock_advance(CLOCK_SETTLE_MS);
	bytes_read = 0;
	char *id = site_create(t, name, tree);
	if (unchanged >= 0)
		assert_int_equal(output(t, "unchanged"), unchanged);
	return id;
}

static void verify(struct upkeep_test *t, const char *id, int32_t wanted)
{
	upkeep_test_clear(t);
	upkeep_test_set(t, "backup", id);
	site_expect(t, upkeep_test_run(t, "verify"), wanted);
}

/* Verifies and restores; what comes back is what `tree` is now. */
static void expect_back(struct upkeep_test *t, const char *id, const char *tree)
{
	char *target = site_below("target"), *there = fault_format("%s%s", target, tree);
	verify(t, id, UPKEEP_UNCHANGED);
	upkeep_test_set(t, "target", target);
	site_expect(t, upkeep_test_run(t, "restore"), UPKEEP_CHANGED);
	char *before = look_at(tree), *after = look_at(there);
	site_expect_same(before, after);
	look_remove(target);
	char *texts[] = {target, there, before, after};
	for (size_t i = 0; i < UPKEEP_COUNT(texts); i++)
		free(texts[i]);
}

static void forget(const char *what)
{
	char *path = site_below(what);
	look_remove(path);
	free(path);
}

static void test_what_is_unchanged_is_not_stored_again(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	char *tree = site_below("torture"), *again = NULL;
	look_torture(tree);
	clock_advance(CLOCK_SETTLE_MS);
	char *id = site_create(t, "torture", tree);
	assert_int_equal(output(t, "unchanged"), 0);
	again = create_again(t, "torture", tree, (int)output(t, "entries"));
	assert_int_equal(bytes_read, 0);
	assert_int_equal(count_objects(again, ".pack"), 0);
	expect_back(t, again, tree);
	/* one of many, and a directory whose entries lie in the earlier backup */
	look_write(tree, "new", "new\n");
	free(again);
	again = create_again(t, "torture", tree, -1);
	assert_int_equal(output(t, "unchanged"), output(t, "entries") - 2);
	assert_int_equal(bytes_read, 4);
	expect_back(t, again, tree);
	look_remove(tree);
	free(tree), free(id), free(again);
	upkeep_test_free(t);
}

/* Packs are read in another order than the tree's. */
static void test_a_changed_file_lies_in_a_directory_that_did_not_change(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	char *tree = make_tree("inside", 6, 100), *id = create_again(t, "inside", tree, 0);
	look_write(tree, "3", "other\n");
	free(id);
	id = create_again(t, "inside", tree, 6);
	expect_back(t, id, tree);
	free(tree), free(id);
	upkeep_test_free(t);
}

static void test_names_of_one_file_stay_together(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	char *tree = make_tree("linked", 6, 100), *own = site_below("linked/0");
	char *first = site_below("linked/a"), *second = site_below("linked/b");
	assert_int_equal(link(own, first), 0);
	char *id = create_again(t, "linked", tree, 0);
	free(id);
	id = create_again(t, "linked", tree, 8);
	expect_back(t, id, tree);
	/* a third name changes the file; the others are as they were */
	assert_int_equal(link(own, second), 0);
	free(id);
	id = create_again(t, "linked", tree, 5);
	expect_back(t, id, tree);
	free(tree), free(own), free(first), free(second), free(id);
	upkeep_test_free(t);
}

/* In what was changed a moment ago a later change may not show. */
static void test_what_has_just_changed_is_stored_again(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	char *tree = make_tree("fresh", 2, 100);
	char *file = site_below("fresh/0");
	struct stat st;
	assert_int_equal(lstat(file, &st), 0);
	struct timespec now = st.st_ctim;
	now.tv_nsec += now.tv_nsec < 980000000 ? 20000000 : 0;
	clock_stop(&now);
	free(site_create(t, "fresh", tree));
	clock_stop(NULL);
	char *id = create_again(t, "fresh", tree, 0);
	assert_int_equal(bytes_read, 200);
	free(id);
	id = create_again(t, "fresh", tree, 3);
	expect_back(t, id, tree);
	free(tree), free(id), free(file);
	upkeep_test_free(t);
}

/* The newest is built upon, though others were made in the same second. */
static void test_ids_are_in_the_order_of_time(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	char *tree = make_tree("order", 1, 100), *ids[5];
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	for (int i = 0; i < 5; i++) {
		now.tv_nsec = 240000000 * i;
		clock_stop(&now);
		ids[i] = site_create(t, "order", tree);
		assert_true(i == 0 || strcmp(ids[i - 1], ids[i]) < 0);
	}
	clock_stop(NULL);
	for (int i = 0; i < 5; i++)
		free(ids[i]);
	free(tree);
	upkeep_test_free(t);
}

static void test_content_is_compared_where_that_is_asked_for(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	char *tree = make_tree("lies", 2, 100), *file = site_below("lies/0");
	char *id = create_again(t, "lies", tree, 0);
	assert_int_equal(lstat(file, &lie), 0);
	char *text = fault_alloc(101);
	memset(text, 'z', 100);
	look_write(tree, "0", text);
	liar = "0";
	free(id);
	id = create_again(t, "lies", tree, 3); /* it is believed */
	upkeep_test_set(t, "compare", "content");
	site_expect(t, upkeep_test_run(t, "create"), UPKEEP_CHANGED);
	assert_int_equal(output(t, "unchanged"), 2);
	upkeep_test_set(t, "compare", "none");
	site_expect(t, upkeep_test_run(t, "create"), UPKEEP_CHANGED);
	assert_int_equal(output(t, "unchanged"), 0);
	liar = NULL;
	free(text), free(tree), free(file), free(id);
	upkeep_test_free(t);
}

static void prune(struct upkeep_test *t, const char *name, const char *space, int removed)
{
	upkeep_test_clear(t);
	upkeep_test_set(t, "name", name);
	upkeep_test_set(t, "keep_daily", "1");
	upkeep_test_set(t, "space", space);
	site_expect(t, upkeep_test_run(t, "prune"), removed ? UPKEEP_CHANGED : UPKEEP_UNCHANGED);
	assert_int_equal(output(t, "removed"), removed);
}

static void test_prune_leaves_what_others_need(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	char *tree = make_tree("needed", 3, 100), *ids[3];
	for (int i = 0; i < 3; i++) {
		ids[i] = create_again(t, "needed", tree, i ? 4 : 0);
		clock_advance(1000);
	}
	verify(t, ids[2], UPKEEP_UNCHANGED);
	prune(t, "needed", "later", 2);
	verify(t, ids[2], UPKEEP_UNCHANGED);
	/* both come back, in any order, as often as it is asked */
	size_t last = upkeep_test_records(t) - 1;
	for (size_t i = 0; i < 4; i++)
		site_expect(t, upkeep_test_undo_record(t, "prune", last - i % 2),
			i < 2 ? UPKEEP_CHANGED : UPKEEP_UNCHANGED);
	expect_back(t, ids[0], tree);
	prune(t, "needed", "now", 2);
	assert_int_equal(count_objects(ids[0], ""), 2 + 2); /* the pack and the mark; . and .. */
	assert_int_equal(count_objects(ids[0], "00000.pack"), 1);
	assert_int_equal(count_objects(ids[1], ""), 0);
	expect_back(t, ids[2], tree);
	assert_int_equal(upkeep_test_undo_record(t, "prune", last), UPKEEP_FAILED);
	assert_non_null(strstr(upkeep_test_what(t), "gone"));
	/* when nobody needs it, it goes too */
	upkeep_test_clear(t);
	upkeep_test_set(t, "compare", "none");
	upkeep_test_set(t, "name", "needed");
	upkeep_test_add(t, "paths", tree);
	site_expect(t, upkeep_test_run(t, "create"), UPKEEP_CHANGED);
	verify(t, upkeep_test_output(t, "id"), UPKEEP_UNCHANGED);
	prune(t, "needed", "now", 1);
	assert_int_equal(count_objects(ids[0], ""), 0);
	for (int i = 0; i < 3; i++)
		free(ids[i]);
	free(tree);
	upkeep_test_free(t);
}

/* What is brought back is whole, or it is not brought back. */
static void test_clearing_that_is_stopped_breaks_no_backup(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	char *tree = make_tree("stopped", 3, 100), *id = create_again(t, "stopped", tree, 0);
	clock_advance(1000);
	char *next = create_again(t, "stopped", tree, 4);
	char *stop = fault_format("%s/store/%s/stop", site_dir, id);
	clock_advance(1000);
	upkeep_test_clear(t);
	upkeep_test_set(t, "compare", "none");
	upkeep_test_set(t, "name", "stopped");
	upkeep_test_add(t, "paths", tree);
	site_expect(t, upkeep_test_run(t, "create"), UPKEEP_CHANGED);
	char *last = fault_format("%s", upkeep_test_output(t, "id"));
	verify(t, last, UPKEEP_UNCHANGED);
	upkeep_test_clear(t);
	upkeep_test_set(t, "name", "stopped");
	upkeep_test_set(t, "keep_daily", "1");
	upkeep_test_set(t, "undo_keep", "1s");
	site_expect(t, upkeep_test_run(t, "prune"), UPKEEP_CHANGED);
	size_t record = upkeep_test_records(t) - 1; /* of the newer one: the oldest goes first */
	assert_int_equal(count_objects(next, "manifest"), 1);
	assert_int_equal(mkdir(stop, 0700), 0); /* nothing of a store: it cannot be removed */
	clock_advance(2000);
	site_expect(t, upkeep_test_run(t, "prune"), UPKEEP_FAILED);
	assert_int_equal(upkeep_test_undo_record(t, "prune", record), UPKEEP_FAILED);
	assert_non_null(strstr(upkeep_test_what(t), "gone"));
	assert_int_equal(rmdir(stop), 0);
	site_expect(t, upkeep_test_run(t, "prune"), UPKEEP_UNCHANGED);
	assert_int_equal(count_objects(id, ""), 0);
	expect_back(t, last, tree);
	free(tree), free(id), free(next), free(last), free(stop);
	upkeep_test_free(t);
}

static void test_undo_of_create_leaves_what_others_need(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	char *tree = make_tree("undone", 2, 100);
	char *id = create_again(t, "undone", tree, 0), *next = create_again(t, "undone", tree, 3);
	for (int i = 0; i < 2; i++)
		site_expect(t, upkeep_test_undo_record(t, "create", 0),
			i ? UPKEEP_UNCHANGED : UPKEEP_CHANGED);
	expect_back(t, next, tree);
	/* nor is it a loss when the one that was built upon was undone */
	site_expect(t, upkeep_test_undo_record(t, "create", 1), UPKEEP_CHANGED);
	free(next);
	next = create_again(t, "undone", tree, 3);
	expect_back(t, next, tree);
	prune(t, "undone", "now", 0);
	expect_back(t, next, tree);
	free(tree), free(id), free(next);
	upkeep_test_free(t);
}

/* Whoever cannot say what it needs might need everything. */
static void test_nothing_is_cleared_while_needs_are_not_known(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	char *tree = make_tree("unknown", 2, 100), *id = create_again(t, "unknown", tree, 0);
	clock_advance(1000);
	char *next = create_again(t, "unknown", tree, 3);
	char *needs = fault_format("%s/store/%s/needs", site_dir, next);
	verify(t, next, UPKEEP_UNCHANGED);
	assert_int_equal(truncate(needs, 5), 0);
	prune(t, "unknown", "now", 1);
	assert_int_equal(upkeep_test_warnings(t), 1);
	assert_int_equal(count_objects(id, "00000.pack"), 1);
	assert_int_equal(count_objects(id, "manifest"), 1);
	verify(t, next, UPKEEP_FAILED);
	free(tree), free(id), free(next), free(needs);
	upkeep_test_free(t);
}

static void test_borrowed_packs_are_not_trusted_blindly(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	char *tree = make_tree("damaged", 2, 100), *id = create_again(t, "damaged", tree, 0);
	char *next = create_again(t, "damaged", tree, 3);
	char *pack = fault_format("%s/store/%s/00000.pack", site_dir, id), byte;
	int fd = open(pack, O_RDWR | O_CLOEXEC);
	assert_int_equal(pread(fd, &byte, 1, 50), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, 50), 1);
	verify(t, next, UPKEEP_FAILED);
	assert_non_null(strstr(upkeep_test_what(t), "pack 0 of backup"));
	assert_non_null(strstr(upkeep_test_what(t), id));
	/* what was found damaged is not built upon, whether or not it is remembered */
	for (int i = 0; i < 2; i++) {
		char *whole = create_again(t, "damaged", tree, 0);
		assert_non_null(strstr(upkeep_test_log(t), "its verification failed"));
		site_expect(t, upkeep_test_undo_record(t, "create", upkeep_test_records(t) - 1),
			UPKEEP_CHANGED);
		forget("keyring/memory");
		free(whole);
	}
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, 50), 1);
	verify(t, next, UPKEEP_UNCHANGED);
	free(create_again(t, "damaged", tree, -1));
	/* of another size, or gone: stored again */
	assert_int_equal(ftruncate(fd, 60), 0);
	close(fd);
	free(next);
	next = create_again(t, "damaged", tree, 0);
	expect_back(t, next, tree);
	free(pack);
	pack = fault_format("%s/store/%s/00000.pack", site_dir, next);
	assert_int_equal(unlink(pack), 0);
	free(next);
	next = create_again(t, "damaged", tree, 0);
	expect_back(t, next, tree);
	free(tree), free(id), free(next), free(pack);
	upkeep_test_free(t);
	forget("store");
}

static void test_garbage_does_not_add_up(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	char *tree = make_tree("garbage", 10, 5000), name[16];
	char *id = create_again(t, "garbage", tree, 0);
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof name, "%d", i);
		look_write(tree, name, "other\n");
	}
	char *next = create_again(t, "garbage", tree, 10 - 4 + 1);
	verify(t, next, UPKEEP_UNCHANGED);
	look_write(tree, "4", "other\n");
	look_write(tree, "5", "other\n");
	free(next);
	next = create_again(t, "garbage", tree, 4); /* the rest of the first pack is stored again */
	expect_back(t, next, tree);
	assert_int_equal(count_objects(next, "00000.pack"), 1);
	free(tree), free(id), free(next);
	upkeep_test_free(t);
}

/* Each backup adds a pack; one day they are gathered. */
static void test_small_packs_are_gathered(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	char *tree = make_tree("small", 1, 10), name[16], *id = NULL;
	uint64_t most = 0, gathered = 0;
	for (int i = 0; i < 25 && !gathered; i++) {
		snprintf(name, sizeof name, "%d", i + 1);
		look_write(tree, name, "one more\n");
		free(id);
		id = create_again(t, "small", tree, -1);
		if (output(t, "unchanged") == 0 && i > 0)
			gathered = output(t, "entries");
		else
			most = output(t, "unchanged");
	}
	assert_in_range(most, 15, 20);
	assert_in_range(gathered, 15, 22);
	expect_back(t, id, tree);
	free(tree), free(id);
	upkeep_test_free(t);
}

/* A host that can read needs no memory; what is remembered wrongly is not believed. */
static void test_the_store_is_asked_where_nothing_is_remembered(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	char *tree = make_tree("memory", 2, 100), *id = create_again(t, "memory", tree, 0);
	forget("keyring/memory");
	char *next = create_again(t, "memory", tree, 3);
	char *whole = fault_format("%s/keyring/memory/local/%s~whole", site_dir, next);
	int fd = open(whole, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
	free(next);
	next = create_again(t, "memory", tree, 3);
	assert_non_null(strstr(upkeep_test_log(t), "is not what its manifest says"));
	expect_back(t, next, tree);
	free(tree), free(id), free(next), free(whole);
	upkeep_test_free(t);
}

/* A backup of the keyring has not the lists of all others in it. */
static void test_what_is_remembered_is_not_backed_up(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	char *keyring = site_below("keyring");
	for (int i = 0; i < 2; i++)
		free(create_again(t, "keyring", keyring, -1));
	upkeep_test_clear(t);
	upkeep_test_set(t, "name", "keyring");
	upkeep_test_set(t, "pattern", "*~whole");
	site_expect(t, upkeep_test_run(t, "find"), UPKEEP_UNCHANGED);
	assert_int_equal(output(t, "count"), 0);
	upkeep_test_set(t, "pattern", "private-keys-v1.d");
	site_expect(t, upkeep_test_run(t, "find"), UPKEEP_UNCHANGED);
	assert_int_equal(output(t, "count"), 2);
	free(keyring);
	upkeep_test_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_unchanged_is_not_stored_again),
		cmocka_unit_test(test_a_changed_file_lies_in_a_directory_that_did_not_change),
		cmocka_unit_test(test_names_of_one_file_stay_together),
		cmocka_unit_test(test_what_has_just_changed_is_stored_again),
		cmocka_unit_test(test_ids_are_in_the_order_of_time),
		cmocka_unit_test(test_content_is_compared_where_that_is_asked_for),
		cmocka_unit_test(test_prune_leaves_what_others_need),
		cmocka_unit_test(test_clearing_that_is_stopped_breaks_no_backup),
		cmocka_unit_test(test_undo_of_create_leaves_what_others_need),
		cmocka_unit_test(test_nothing_is_cleared_while_needs_are_not_known),
		cmocka_unit_test(test_borrowed_packs_are_not_trusted_blindly),
		cmocka_unit_test(test_garbage_does_not_add_up),
		cmocka_unit_test(test_the_store_is_asked_where_nothing_is_remembered),
		cmocka_unit_test(test_small_packs_are_gathered),
		cmocka_unit_test(test_what_is_remembered_is_not_backed_up),
	};
	return !!cmocka_run_group_tests(tests, site_setup, site_teardown);
}
