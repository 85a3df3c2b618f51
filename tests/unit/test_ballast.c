/* SPDX-License-Identifier: MIT */
/* The ballast, and a journal on a disk that fills up. */
#include "journal_words.h"

#include "base/text.h"
#include "journal/ballast.h"
#include "journal/space.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_dir(void)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static bool ballast_look(int fd, struct stat *st)
{
	return fstatat(fd, BALLAST_NAME, st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void test_it_holds_room(void **state)
{
	CLEANUP_FD int fd = open_dir();
	struct stat st, again;

	(void)state;
	assert_int_equal(ballast_keep(fd, NULL), 0);
	assert_true(ballast_look(fd, &st));
	assert_int_equal(st.st_size, BALLAST_BYTES);
	assert_true(st.st_blocks * 512 >= BALLAST_BYTES);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(ballast_keep(fd, NULL), 0);
	assert_true(ballast_look(fd, &again));
	assert_int_equal(again.st_ino, st.st_ino);
	assert_int_equal(again.st_ctim.tv_nsec, st.st_ctim.tv_nsec);
	assert_true(ballast_give(fd));
	assert_false(ballast_look(fd, &st));
	assert_false(ballast_give(fd));
}

static void test_a_short_one_is_made_whole(void **state)
{
	CLEANUP_FD int fd = open_dir();
	CLEANUP_FD int file = openat(fd, BALLAST_NAME, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct stat st;

	(void)state;
	assert_int_equal(ftruncate(file, BALLAST_BYTES - 1), 0);
	assert_int_equal(ballast_keep(fd, NULL), 0);
	assert_true(ballast_look(fd, &st));
	assert_int_equal(st.st_size, BALLAST_BYTES);
	assert_true(st.st_blocks * 512 >= BALLAST_BYTES);
}

static void test_half_of_one_is_not_left(void **state)
{
	CLEANUP_ERROR struct error err = {0};
	CLEANUP_FD int fd = open_dir();
	struct rlimit old, tight;
	struct stat st;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	tight = old;
	tight.rlim_cur = 1 << 20;
	setrlimit(RLIMIT_FSIZE, &tight);
	int r = ballast_keep(fd, &err);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(r, -EFBIG);
	assert_non_null(strstr(error_what(&err), "there is no ballast"));
	assert_non_null(strstr(err.next, "make room"));
	assert_false(ballast_look(fd, &st));
}

static void test_a_link_is_not_followed(void **state)
{
	CLEANUP_FD int fd = open_dir();
	struct stat st;

	(void)state;
	assert_int_equal(symlinkat("other", fd, BALLAST_NAME), 0);
	assert_int_equal(ballast_keep(fd, NULL), -ELOOP);
	assert_int_equal(fstatat(fd, "other", &st, 0), -1);
	assert_false(ballast_give(fd));
}

/* Until not a byte more goes in. */
static void fill(const char *name)
{
	static const char zeros[4096];
	char path[96];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	while (write(fd, zeros, sizeof zeros) > 0)
		;
	assert_int_equal(errno, ENOSPC);
}

static int warning_count(void *data, uint32_t task, const char *text)
{
	(void)task;
	(void)text;
	++*(unsigned *)data;
	return 0;
}

static void expect_warnings(struct journal *journal, unsigned expected)
{
	unsigned count = 0;

	assert_int_equal(journal_warnings(journal, ID1, warning_count, &count, NULL), 0);
	assert_int_equal(count, expected);
}

/* More than a page of the file system that it has already. */
static void add_warnings(struct journal *journal, unsigned count)
{
	char text[8192];

	memset(text, 'y', sizeof text);
	text[sizeof text - 1] = 0;
	for (unsigned i = 0; i < count; i++)
		journal_add_warning(journal, 0, text);
}

static int teardown_mount(void **state)
{
	umount2(dir, MNT_DETACH);
	return teardown(state);
}

static bool mount_small(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
		mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		mount("none", dir, "tmpfs", 0, "size=24m") == 0;
}

static void test_a_full_disk(void **state)
{
	CLEANUP_ERROR struct error err = {0};
	struct stat st;

	(void)state;
	if (!mount_small())
		skip();
	CLEANUP_FD int fd = open_dir();
	struct journal *journal = open_writer();
	assert_int_equal(journal_keep_ballast(journal, NULL), 0);
	add_run(journal, ID1, "g", 1);
	flush(journal, JOURNAL_SYNC);
	fill("fill");
	add_warnings(journal, 5);
	assert_false(journal_is_full(journal));
	flush(journal, JOURNAL_SYNC);
	assert_true(journal_is_full(journal));
	assert_false(ballast_look(fd, &st));
	expect_warnings(journal, 5);
	fill("more"); /* what the ballast was, too */
	add_warnings(journal, 5);
	assert_int_equal(journal_flush(journal, JOURNAL_SYNC, &err), -ENOSPC);
	assert_non_null(strstr(err.next, "make room"));
	assert_true(journal_has_queued(journal));
	expect_warnings(journal, 5);
	assert_int_equal(unlinkat(fd, "more", 0), 0);
	flush(journal, JOURNAL_SYNC);
	expect_warnings(journal, 10);
	assert_int_equal(unlinkat(fd, "fill", 0), 0);
	journal_close(journal);
	journal = open_writer();
	assert_false(journal_is_full(journal));
	assert_int_equal(journal_verify(journal, NULL), 0);
	journal_close(journal);
}

/* As after a power cut: it is not the flush that finds no room first. */
static void test_a_journal_opens_on_a_full_disk(void **state)
{
	CLEANUP_ERROR struct error err = {0};

	(void)state;
	if (!mount_small())
		skip();
	struct journal *journal = open_writer();
	assert_int_equal(journal_keep_ballast(journal, NULL), 0);
	add_run(journal, ID1, "g", 1);
	flush(journal, JOURNAL_SYNC);
	journal_close(journal);
	fill("fill");
	assert_false(space_is_left(dir));
	journal = open_writer();
	assert_true(journal_is_full(journal));
	assert_int_equal(journal_use_run(journal, ID1, NULL), 0);
	add_warnings(journal, 5);
	flush(journal, JOURNAL_SYNC);
	expect_warnings(journal, 5);
	journal_close(journal);
	/* Without a ballast it does not begin; what is there can be read. */
	fill("more");
	assert_int_equal(journal_open(dir, &journal, &err), -ENOSPC);
	assert_non_null(strstr(err.next, "make room"));
	assert_int_equal(journal_open_readonly(dir, &journal, NULL), 0);
	expect_warnings(journal, 5);
	journal_close(journal);
}

/* Another run has given it up a moment ago. */
static void test_room_that_another_made(void **state)
{
	(void)state;
	if (!mount_small())
		skip();
	CLEANUP_FD int fd = open_dir();
	struct journal *journal = open_writer();
	add_run(journal, ID1, "g", 1);
	flush(journal, JOURNAL_SYNC);
	fill("fill");
	add_warnings(journal, 5);
	assert_int_equal(journal_flush(journal, JOURNAL_SYNC, NULL), -ENOSPC);
	assert_true(journal_is_full(journal));
	assert_int_equal(unlinkat(fd, "fill", 0), 0);
	flush(journal, JOURNAL_SYNC);
	expect_warnings(journal, 5);
	journal_close(journal);
}

int main(void)
{
#define SMALL(test) cmocka_unit_test_setup_teardown(test, setup, teardown_mount)
	static const struct CMUnitTest tests[] = {
		ONE(test_it_holds_room),
		ONE(test_a_short_one_is_made_whole),
		ONE(test_half_of_one_is_not_left),
		ONE(test_a_link_is_not_followed),
		SMALL(test_a_full_disk),
		SMALL(test_a_journal_opens_on_a_full_disk),
		SMALL(test_room_that_another_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
