/* SPDX-License-Identifier: MIT */
/* Each changing action: run, undo, undo twice, undo of what never happened. */
#include "tree.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static struct upkeep_test *test_new(const char *pattern)
{
	struct upkeep_test *t = upkeep_test_new(&upkeep_plugin);
	assert_non_null(t);
	upkeep_test_add(t, "paths", tree_path(pattern));
	return t;
}

/* Plans, runs, undoes twice and compares. */
static void there_and_back(struct upkeep_test *t, const char *action, size_t changes)
{
	char *before = tree_describe();
	assert_int_equal(upkeep_test_plan(t, action), UPKEEP_CHANGED);
	assert_int_equal(upkeep_test_woulds(t), changes);
	char *planned = tree_describe();
	assert_string_equal(planned, before);
	assert_int_equal(upkeep_test_probe(t, action), UPKEEP_NOT_DONE);
	int32_t r = upkeep_test_run(t, action);
	if (r < 0)
		print_message("%s: %s\n", upkeep_test_what(t), upkeep_test_why(t));
	assert_int_equal(r, UPKEEP_CHANGED);
	char *after = tree_describe();
	assert_string_not_equal(after, before);
	size_t records = upkeep_test_records(t);
	for (size_t i = 0; i < records; i++)
		assert_int_equal(upkeep_test_probe_record(t, action, i), UPKEEP_DONE);
	r = upkeep_test_undo(t, action);
	if (r < 0)
		print_message("%s: %s\n", upkeep_test_what(t), upkeep_test_why(t));
	assert_int_equal(r, UPKEEP_CHANGED);
	char *undone = tree_describe();
	assert_string_equal(undone, before);
	for (size_t i = records; i > 0; i--)
		assert_true(upkeep_test_undo_record(t, action, i - 1) >= 0);
	char *twice = tree_describe();
	assert_string_equal(twice, before);
	free(before), free(planned), free(after), free(undone), free(twice);
}

static void test_compress(void **state)
{
	(void)state;
	tree_dir("log");
	tree_write_size("log/a.log", 300000);
	tree_write_size("log/b.log", 100);
	tree_write_size("log/c.log.gz", 300000);
	tree_age("log/a.log", 3);
	chmod(tree_path("log/a.log"), 0640);
	setxattr(tree_path("log/a.log"), "user.note", "kept", 4, 0);
	struct upkeep_test *t = test_new("log/*");
	upkeep_test_set(t, "min_size", "1KiB");
	there_and_back(t, "compress", 1);
	char value[8] = "";
	assert_int_equal(getxattr(tree_path("log/a.log"), "user.note", value, 8), 4);
	upkeep_test_set(t, "format", "gzip");
	assert_int_equal(upkeep_test_run(t, "compress"), UPKEEP_CHANGED);
	assert_true(tree_has("log/a.log.gz"));
	assert_false(tree_has("log/a.log"));
	assert_string_equal(upkeep_test_output(t, "files"), "1");
	assert_int_equal(upkeep_test_run(t, "compress"), UPKEEP_UNCHANGED);
	upkeep_test_free(t);
}

/* A file that somebody has open for writing is left alone. */
static void test_compress_written(void **state)
{
	(void)state;
	tree_write_size("a.log", 100000);
	FILE *writer = fopen(tree_path("a.log"), "a");
	struct upkeep_test *t = test_new("a.log");
	assert_int_equal(upkeep_test_run(t, "compress"), UPKEEP_UNCHANGED);
	assert_true(tree_has("a.log"));
	assert_false(tree_has("a.log.zst"));
	assert_int_equal(upkeep_test_warnings(t), 1);
	fclose(writer);
	assert_int_equal(upkeep_test_run(t, "compress"), UPKEEP_CHANGED);
	upkeep_test_free(t);
}

/* The record is there, the change is not: as after a crash in between. */
static void test_push_refused(void **state)
{
	(void)state;
	tree_dir("to");
	tree_write_size("a.log", 100000);
	tree_age("a.log", 9);
	char *before = tree_describe();
	struct upkeep_test *t = test_new("a.log");
	upkeep_test_fail_push(t, 1, -ENOSPC);
	assert_int_equal(upkeep_test_run(t, "compress"), UPKEEP_FAILED);
	upkeep_test_set(t, "older_than", "1d");
	upkeep_test_fail_push(t, 1, -ENOSPC);
	assert_int_equal(upkeep_test_run(t, "expire"), UPKEEP_FAILED);
	char *after = tree_describe();
	assert_string_equal(after, before);
	free(before), free(after);
	upkeep_test_free(t);
}

static void test_expire(void **state)
{
	(void)state;
	tree_dir("tmp");
	tree_dir("tmp/deep");
	tree_write("tmp/old", "old");
	tree_write("tmp/deep/old", "old too");
	tree_write("tmp/new", "new");
	tree_write("tmp/precious", "p");
	tree_age("tmp/old", 9);
	tree_age("tmp/deep/old", 9);
	tree_age("tmp/precious", 9);
	struct upkeep_test *t = test_new("tmp/**");
	assert_int_equal(upkeep_test_check(t, "expire"), UPKEEP_FAILED);
	upkeep_test_set(t, "older_than", "7d");
	upkeep_test_add(t, "protect", "prec*");
	there_and_back(t, "expire", 2);
	assert_int_equal(upkeep_test_changes(t, "expire"), UPKEEP_CHANGES_RECORDED);
	size_t records = upkeep_test_records(t);
	upkeep_test_set(t, "space", "now");
	assert_int_equal(upkeep_test_changes(t, "expire"), UPKEEP_CHANGES_IRREVERSIBLE);
	assert_int_equal(upkeep_test_plan(t, "expire"), UPKEEP_CHANGED);
	assert_null(upkeep_test_would_undo(t, 0));
	assert_int_equal(upkeep_test_run(t, "expire"), UPKEEP_CHANGED);
	assert_false(tree_has("tmp/old"));
	assert_false(tree_has("tmp/.upkeep-trash"));
	assert_true(tree_has("tmp/new") && tree_has("tmp/precious"));
	assert_int_equal(upkeep_test_records(t), records);
	upkeep_test_free(t);
}

static void test_expire_total(void **state)
{
	(void)state;
	tree_write_size("1", 40960);
	tree_write_size("2", 40960);
	tree_write_size("3", 40960);
	tree_age("1", 1);
	tree_age("2", 2);
	tree_age("3", 3);
	struct upkeep_test *t = test_new("*");
	upkeep_test_set(t, "max_total", "90KiB");
	there_and_back(t, "expire", 1);
	upkeep_test_set(t, "max_total", "1KiB");
	upkeep_test_set(t, "keep", "2");
	assert_int_equal(upkeep_test_run(t, "expire"), UPKEEP_CHANGED);
	assert_true(tree_has("1") && tree_has("2"));
	assert_false(tree_has("3"));
	upkeep_test_free(t);
}

static void test_trash_purged(void **state)
{
	(void)state;
	tree_write("x", "x");
	tree_age("x", 9);
	struct upkeep_test *t = upkeep_test_new(&upkeep_plugin);
	upkeep_test_setting(t, "trash_keep", "1s");
	upkeep_test_add(t, "paths", tree_path("*"));
	upkeep_test_set(t, "older_than", "7d");
	assert_int_equal(upkeep_test_run(t, "expire"), UPKEEP_CHANGED);
	assert_true(tree_has(".upkeep-trash"));
	assert_int_equal(upkeep_test_run(t, "expire"), UPKEEP_UNCHANGED);
	sleep(3);
	assert_int_equal(upkeep_test_plan(t, "expire"), UPKEEP_CHANGED);
	assert_int_equal(upkeep_test_run(t, "expire"), UPKEEP_CHANGED);
	assert_false(tree_has(".upkeep-trash"));
	upkeep_test_free(t);
}

static void test_archive(void **state)
{
	(void)state;
	tree_dir("results");
	tree_dir("results/sub");
	tree_dir("archive");
	tree_write("results/a", "a");
	tree_write("results/sub/b", "b");
	tree_write("results/new", "new");
	tree_age("results/a", 99);
	tree_age("results/sub/b", 99);
	struct upkeep_test *t = test_new("results/**");
	upkeep_test_set(t, "to", tree_path("archive"));
	upkeep_test_set(t, "older_than", "90d");
	there_and_back(t, "archive", 2);
	assert_int_equal(upkeep_test_run(t, "archive"), UPKEEP_CHANGED);
	assert_true(tree_has("archive/sub/b") && tree_has("archive/a"));
	assert_false(tree_has("results/a"));
	upkeep_test_free(t);
}

/* /dev/shm is another file system than the tree's. */
static void test_archive_across(void **state)
{
	struct stat here, there;
	char dir[] = "/dev/shm/upkeep-files-XXXXXX", path[64];
	(void)state;
	if (stat("/dev/shm", &there) < 0 || stat(tree_root, &here) < 0 ||
		here.st_dev == there.st_dev || !mkdtemp(dir))
		skip();
	tree_write_size("a", 500000);
	tree_age("a", 99);
	chmod(tree_path("a"), 0604);
	struct upkeep_test *t = test_new("*");
	upkeep_test_set(t, "to", dir);
	upkeep_test_set(t, "older_than", "90d");
	there_and_back(t, "archive", 1);
	assert_int_equal(upkeep_test_run(t, "archive"), UPKEEP_CHANGED);
	snprintf(path, sizeof path, "%s/a", dir);
	assert_int_equal(stat(path, &there), 0);
	assert_int_equal(there.st_mode & 07777, 0604);
	/* a damaged copy is not put back as if it were the file */
	FILE *f = fopen(path, "r+");
	fputc('X', f);
	fclose(f);
	assert_int_equal(upkeep_test_undo(t, "archive"), UPKEEP_NEEDS_PERSON);
	unlink(path);
	rmdir(dir);
	upkeep_test_free(t);
}

/* An undo never overwrites what has the name by now. */
static void test_undo_in_the_way(void **state)
{
	(void)state;
	tree_write_size("a.log", 100000);
	tree_age("a.log", 9);
	struct upkeep_test *t = test_new("a.log");
	assert_int_equal(upkeep_test_run(t, "compress"), UPKEEP_CHANGED);
	tree_write("a.log", "new");
	assert_int_equal(upkeep_test_undo(t, "compress"), UPKEEP_NEEDS_PERSON);
	assert_true(tree_has("a.log.zst"));
	unlink(tree_path("a.log"));
	assert_int_equal(upkeep_test_undo(t, "compress"), UPKEEP_CHANGED);
	assert_false(tree_has("a.log.zst"));
	upkeep_test_free(t);
}

static void test_json(void **state)
{
	(void)state;
	tree_write("good.json", "[1, 2, {\"a\": null}]");
	tree_write("bad.json", "{\n  \"a\": 1,\n  oops\n}");
	struct upkeep_test *t = test_new("*.json");
	assert_int_equal(upkeep_test_run(t, "validate-json"), UPKEEP_FAILED);
	assert_int_equal(upkeep_test_rows(t, "faults"), 1);
	assert_string_equal(upkeep_test_cell(t, "faults", 0, "file"), tree_path("bad.json"));
	assert_string_equal(upkeep_test_cell(t, "faults", 0, "line"), "3");
	assert_string_equal(upkeep_test_output(t, "records"), "3");
	unlink(tree_path("bad.json"));
	assert_int_equal(upkeep_test_run(t, "validate-json"), UPKEEP_UNCHANGED);
	upkeep_test_free(t);
}

static void test_usage(void **state)
{
	(void)state;
	tree_dir("d");
	tree_write_size("d/big", 81920);
	tree_write_size("d/.small", 4096);
	struct upkeep_test *t = test_new("d");
	upkeep_test_set(t, "top", "1");
	assert_int_equal(upkeep_test_run(t, "usage"), UPKEEP_UNCHANGED);
	assert_int_equal(upkeep_test_rows(t, "largest"), 1);
	assert_string_equal(upkeep_test_cell(t, "largest", 0, "file"), tree_path("d/big"));
	assert_string_equal(upkeep_test_cell(t, "usage", 0, "used"), "86016");
	upkeep_test_set(t, "max_used", "0.001%");
	assert_int_equal(upkeep_test_run(t, "usage"), UPKEEP_FAILED);
	upkeep_test_free(t);
}

/* The last lines alone, words at their beginning, in any case; what is ignored. */
static void test_errors(void **state)
{
	(void)state;
	tree_write("a.log",
		"an error long ago\n1\n2\nTerrors of the deep\nAll is well\n"
		"\tERRORs: \x01\n failed: error_count=0\nno end, Fatal");
	tree_write("b.log", "");
	tree_write("c.log", "fine\n");
	assert_int_equal(symlink(tree_path("a.log"), tree_path("d.log")), 0);
	struct upkeep_test *t = test_new("*.log");
	upkeep_test_set(t, "lines", "7");
	upkeep_test_add(t, "ignore", "error_count=0");
	assert_int_equal(upkeep_test_run(t, "errors"), UPKEEP_UNCHANGED);
	assert_string_equal(upkeep_test_output(t, "files"), "3");
	assert_string_equal(upkeep_test_output(t, "errors"), "2");
	assert_string_equal(upkeep_test_cell(t, "errors", 0, "file"), tree_path("a.log"));
	assert_string_equal(upkeep_test_cell(t, "errors", 0, "line"), " ERRORs: ?");
	assert_string_equal(upkeep_test_cell(t, "errors", 1, "line"), "no end, Fatal");
	assert_int_equal(upkeep_test_warnings(t), 2); /* of the link, and of the errors */
	upkeep_test_set(t, "lines", "8");
	upkeep_test_set(t, "crit", "3");
	assert_int_equal(upkeep_test_run(t, "errors"), UPKEEP_FAILED);
	assert_string_equal(upkeep_test_what(t), "3 lines of logs tell of errors, the limit is 3");
	assert_non_null(strstr(upkeep_test_why(t), "/a.log: an error long ago"));
	upkeep_test_set(t, "crit", "4");
	upkeep_test_set(t, "warn", "0");
	size_t warnings = upkeep_test_warnings(t);
	assert_int_equal(upkeep_test_run(t, "errors"), UPKEEP_UNCHANGED);
	assert_int_equal(upkeep_test_warnings(t), warnings + 1);
	upkeep_test_free(t);
}

/* More than is read at most: the end of it. */
static void test_errors_of_large_log(void **state)
{
	(void)state;
	tree_write_size("big.log", 3 << 20);
	FILE *log = fopen(tree_path("big.log"), "a");
	fputs("\nexception at the end\n", log);
	fclose(log);
	struct upkeep_test *t = test_new("big.log");
	upkeep_test_set(t, "lines", "100000");
	assert_int_equal(upkeep_test_run(t, "errors"), UPKEEP_UNCHANGED);
	assert_string_equal(upkeep_test_output(t, "errors"), "1");
	upkeep_test_cancel(t);
	assert_int_equal(upkeep_test_run(t, "errors"), UPKEEP_CANCELLED);
	upkeep_test_free(t);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tree_make, tree_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_compress),
		TEST(test_compress_written),
		TEST(test_push_refused),
		TEST(test_expire),
		TEST(test_expire_total),
		TEST(test_trash_purged),
		TEST(test_archive),
		TEST(test_archive_across),
		TEST(test_undo_in_the_way),
		TEST(test_json),
		TEST(test_usage),
		TEST(test_errors),
		TEST(test_errors_of_large_log),
	};
	return !!cmocka_run_group_tests(tests, NULL, NULL);
}
