/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <fcntl.h>
#include <string.h>

static char base[] = "/tmp/upkeep-file-XXXXXX";

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(base) && chdir(base) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return chdir("/") == 0 && file_remove_tree(AT_FDCWD, base, NULL) == 0 ? 0 : -1;
}

static void test_store_and_load(void **state)
{
	(void)state;
	CLEANUP_ERROR struct error err = {0};
	CLEANUP_FREE char *bytes = NULL;
	size_t size = 0;
	struct stat st;

	assert_int_equal(file_make_dirs("a/b/c", 0700, &err), 0);
	assert_int_equal(file_make_dirs("a/b/c", 0700, &err), 0);
	assert_int_equal(file_store("a/b/c/f", "one", 3, 0640, true, &err), 0);
	assert_int_equal(file_store("a/b/c/f", "second", 6, 0600, false, &err), 0);
	assert_int_equal(file_load("a/b/c/f", 6, &bytes, &size, &err), 0);
	assert_string_equal(bytes, "second");
	assert_int_equal(size, 6);
	assert_int_equal(stat("a/b/c/f", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	char *more = NULL;
	assert_int_equal(file_load("a/b/c/f", 5, &more, NULL, &err), -EFBIG);
	assert_string_equal(error_what(&err), "a/b/c/f is larger than 5 bytes");
	assert_int_equal(file_load("a/none", 5, &more, NULL, &err), -ENOENT);
	/* No temporary file is left, whether it went well or not. */
	assert_int_equal(mkdir("a/b/dir", 0700), 0);
	assert_true(file_store("a/b/dir", "x", 1, 0600, false, &err) < 0);
	assert_int_equal(rmdir("a/b/dir"), 0);
	assert_int_equal(unlink("a/b/c/f") | rmdir("a/b/c") | rmdir("a/b"), 0);
	assert_int_equal(file_store("no/dir/f", "x", 1, 0600, false, &err), -ENOENT);
}

static void test_beneath(void **state)
{
	(void)state;
	assert_int_equal(mkdir("in", 0700), 0);
	assert_int_equal(symlink("/etc", "in/out"), 0);
	assert_int_equal(symlink("self", "in/self"), 0);
	CLEANUP_FD int dir = open("in", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(file_open_beneath(dir, "out/passwd", O_RDONLY, 0), -ELOOP);
	assert_int_equal(file_open_beneath(dir, "../in", O_RDONLY, 0), -EXDEV);
	assert_int_equal(file_open_beneath(dir, "/etc/passwd", O_RDONLY, 0), -EXDEV);
	int fd = file_open_beneath(dir, "new", O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
}

static void test_remove_does_not_follow(void **state)
{
	(void)state;
	CLEANUP_ERROR struct error err = {0};

	assert_int_equal(file_make_dirs("keep", 0700, &err), 0);
	assert_int_equal(file_store("keep/f", "x", 1, 0600, false, &err), 0);
	assert_int_equal(file_make_dirs("gone/deep/er", 0700, &err), 0);
	assert_int_equal(symlink("../keep", "gone/link"), 0);
	assert_int_equal(file_remove_tree(AT_FDCWD, "gone", &err), 0);
	assert_int_equal(access("gone", F_OK), -1);
	assert_int_equal(access("keep/f", F_OK), 0);
	assert_int_equal(file_remove_tree(AT_FDCWD, "gone", &err), 0);
}

static void test_safe_dirs(void **state)
{
	(void)state;
	CLEANUP_ERROR struct error err = {0};

	assert_int_equal(mkdir("safe", 0700), 0);
	assert_true(file_is_safe_dir("safe", &err));
	assert_int_equal(mkdir("safe/open", 0700) | chmod("safe/open", 0777), 0);
	assert_false(file_is_safe_dir("safe/open", &err));
	assert_non_null(strstr(error_what(&err), "can be changed by others"));
	assert_int_equal(mkdir("safe/open/below", 0700), 0);
	assert_false(file_is_safe_dir("safe/open/below", &err));
	assert_true(file_is_local("/tmp"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_store_and_load),
		cmocka_unit_test(test_beneath),
		cmocka_unit_test(test_remove_does_not_follow),
		cmocka_unit_test(test_safe_dirs),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
