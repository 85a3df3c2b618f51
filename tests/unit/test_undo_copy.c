/* SPDX-License-Identifier: MIT */
/* Text copies of undo records: what is in them, their checksum, what they are called. */
#include "../unit.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "undo/copy.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static char dir[64];
static int run_dir = -1;

static int setup(void **state)
{
	char path[96];

	(void)state;
	snprintf(dir, sizeof dir, "/tmp/test-undo-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof path, "%s/runs/x", dir);
	if (file_make_dirs(path, 0700, NULL) < 0)
		return -1;
	run_dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return run_dir < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	close(run_dir);
	return file_remove_tree(AT_FDCWD, dir, NULL);
}

static char *copy_read(const char *name)
{
	char path[128], *text = NULL;
	CLEANUP_ERROR struct error err = {0};

	snprintf(path, sizeof path, "%s/runs/x/undo/%s", dir, name);
	if (file_load(path, 1 << 20, &text, NULL, &err) < 0)
		fail_msg("%s", error_what(&err));
	return text;
}

static void copy_make(uint64_t id, const char *about, const char *payload, const char *files)
{
	struct journal_undo undo = {.task = 4,
		.attempt = 2,
		.version = 3,
		.kind = "file",
		.about = about,
		.payload = payload,
		.files = files};
	struct undo_copy copy = {
		.run_id = "x", .task = "write", .action = "files.write", .id = id, .undo = &undo};

	assert_int_equal(undo_copy_write(run_dir, &copy), 0);
}

/* As a person would: all lines but the last through cksum. */
static bool is_whole(char *text)
{
	char expected[64], *last = strstr(text, "\nchecksum ");

	if (!last)
		return false;
	for (char *next; (next = strstr(last + 1, "\nchecksum ")); last = next)
		;
	size_t size = (size_t)(++last - text);
	snprintf(expected, sizeof expected, "checksum %u %zu\n", undo_checksum(text, size), size);
	return strcmp(last, expected) == 0;
}

static void test_the_checksum_is_that_of_posix(void **state)
{
	char zeros[70000] = {0};

	(void)state;
	assert_int_equal(undo_checksum("", 0), 4294967295u);
	assert_int_equal(undo_checksum("123456789", 9), 930766865u);
	assert_int_equal(undo_checksum(zeros, 256), 4215202376u);
	assert_int_equal(undo_checksum(zeros, sizeof zeros), 1774371287u);
}

static void test_a_copy_is_whole(void **state)
{
	(void)state;
	copy_make(7, "restore /etc/x", "path=/etc/x\nmode=0644\n", "copy\npayload");
	CLEANUP_FREE char *text = copy_read("7.txt");
	char *checksum = strstr(text, "checksum ");
	assert_true(is_whole(text));
	text[strlen(text) / 2] ^= 1;
	assert_false(is_whole(text));
	text[strlen(text) / 2] ^= 1;
	*checksum = 0;
	assert_string_equal(text,
		"upkeep undo record, format 1\nrun x\nrecord 7\ntask write\nattempt 2\n"
		"action files.write\nkind file\nversion 3\nabout restore /etc/x\n"
		"file undo/4.2/copy\nfile undo/4.2/payload\n"
		"payload 22 bytes\npath=/etc/x\nmode=0644\n\n");
}

static void test_a_payload_is_taken_as_it_is(void **state)
{
	(void)state;
	copy_make(1, NULL, "no end of line", NULL);
	CLEANUP_FREE char *plain = copy_read("1.txt");
	assert_true(is_whole(plain));
	assert_non_null(strstr(plain, "\nabout \npayload 14 bytes\nno end of line\nchecksum "));
	copy_make(2, "two\nlines", "a\nchecksum 1 2\n", NULL);
	CLEANUP_FREE char *odd = copy_read("2.txt");
	assert_true(is_whole(odd));
	assert_non_null(strstr(odd, "\nabout two\\x0alines\n"));
	copy_make(3, "", "", "");
	CLEANUP_FREE char *empty = copy_read("3.txt");
	assert_true(is_whole(empty));
	assert_non_null(strstr(empty, "\nabout \npayload 0 bytes\n\nchecksum "));
}

static void test_what_is_settled_is_called_done(void **state)
{
	(void)state;
	copy_make(1, "a", "p", NULL);
	copy_make(2, "a", "p", NULL);
	undo_copy_close(run_dir, 1);
	undo_copy_close(run_dir, 1);
	undo_copy_close(run_dir, 9);
	assert_int_equal(faccessat(run_dir, "undo/1.txt", F_OK, 0), -1);
	assert_int_equal(faccessat(run_dir, "undo/2.txt", F_OK, 0), 0);
	CLEANUP_FREE char *text = copy_read("1.done.txt");
	assert_true(is_whole(text));
}

static void test_what_cannot_be_written_is_said(void **state)
{
	struct journal_undo undo = {.kind = "k", .payload = ""};
	struct undo_copy copy = {.run_id = "x", .task = "t", .action = "a", .id = 1, .undo = &undo};

	(void)state;
	CLEANUP_FD int file = openat(run_dir, "undo", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(file >= 0);
	assert_int_equal(undo_copy_write(run_dir, &copy), -ENOTDIR);
	assert_int_equal(unlinkat(run_dir, "undo", 0), 0);
	assert_int_equal(undo_copy_write(-1, &copy), -EBADF);
}

int main(void)
{
#define ONE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	static const struct CMUnitTest tests[] = {
		ONE(test_the_checksum_is_that_of_posix),
		ONE(test_a_copy_is_whole),
		ONE(test_a_payload_is_taken_as_it_is),
		ONE(test_what_is_settled_is_called_done),
		ONE(test_what_cannot_be_written_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
