/* SPDX-License-Identifier: MIT */
/* Files that do not keep still.  The linker puts our openat and pread before those of the
 * C library (--wrap), so that each file changes at the worst moment, every time. */
#include "tests/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "look.h"
#include "site.h"
#include "support/fault.h"
#include "unpack.h"

#define FILE_BYTES 300000 /* more than one read */

static char *tree; /* where the moving files are; NULL: all is still */

int __real_openat(int dir, const char *name, int flags, ...);
int __real___openat_2(int dir, const char *name, int flags);
ssize_t __real_pread(int fd, void *bytes, size_t size, off_t offset);
int __wrap_openat(int dir, const char *name, int flags, ...);
int __wrap___openat_2(int dir, const char *name, int flags);
ssize_t __wrap_pread(int fd, void *bytes, size_t size, off_t offset);

static void move_away(const char *name)
{
	char *path = tree ? fault_format("%s/%s", tree, name) : NULL;
	if (tree && strcmp(name, "vanishes") == 0)
		unlink(path);
	if (tree && strcmp(name, "becomes-fifo") == 0 && unlink(path) == 0)
		mkfifo(path, 0600);
	if (tree && strcmp(name, "becomes-link") == 0 && unlink(path) == 0)
		(void)!symlink("/etc/passwd", path);
	if (tree && strcmp(name, "becomes-dir") == 0 && unlink(path) == 0)
		mkdir(path, 0700);
	free(path);
}

int __wrap_openat(int dir, const char *name, int flags, ...)
{
	va_list ap;
	va_start(ap, flags);
	int mode = flags & O_CREAT ? va_arg(ap, int) : 0;
	va_end(ap);
	move_away(name);
	return __real_openat(dir, name, flags, mode);
}

int __wrap___openat_2(int dir, const char *name, int flags)
{
	move_away(name);
	return __real___openat_2(dir, name, flags);
}

/* The name of the file behind a descriptor. */
static const char *name_of(int fd, char room[4096])
{
	char link[40];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t size = readlink(link, room, 4095);
	room[size > 0 ? size : 0] = 0;
	char *slash = strrchr(room, '/');
	return slash ? slash + 1 : room;
}

ssize_t __wrap_pread(int fd, void *bytes, size_t size, off_t offset)
{
	char room[4096];
	const char *name = tree && offset == 0 ? name_of(fd, room) : "";
	if (strcmp(name, "grows") == 0 || strcmp(name, "is-written") == 0) {
		int to = open(room, O_WRONLY | O_CLOEXEC | (*name == 'g' ? O_APPEND : 0));
		(void)!write(to, "more", 4);
		close(to);
	}
	if (strcmp(name, "shrinks") == 0)
		(void)!truncate(room, 1000);
	return __real_pread(fd, bytes, size, offset);
}

static void make_file(const char *dir, const char *name)
{
	char *text = fault_alloc(FILE_BYTES + 1);
	memset(text, 'x', FILE_BYTES);
	look_write(dir, name, text);
	free(text);
}

/* Bytes of the restored file: their number, and how many are not zero. */
static void expect_bytes(const char *dir, const char *name, size_t size, size_t full)
{
	char *path = fault_format("%s/%s", dir, name), *text = fault_alloc(2 * FILE_BYTES);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	size_t got = fread(text, 1, 2 * FILE_BYTES, f), there = 0;
	fclose(f);
	for (size_t i = 0; i < got; i++)
		there += text[i] != 0;
	assert_int_equal(got, size);
	assert_int_equal(there, full);
	free(path);
	free(text);
}

static void expect_problem(struct upkeep_test *t, const char *kind, const char *name)
{
	for (size_t i = 0; i < upkeep_test_rows(t, "problems"); i++) {
		const char *path = upkeep_test_cell(t, "problems", i, "path");
		if (strcmp(strrchr(path, '/') + 1, name) == 0) {
			assert_string_equal(upkeep_test_cell(t, "problems", i, "problem"), kind);
			return;
		}
	}
	fail_msg("nothing was said of \"%s\"", name);
}

static char *restore_all(struct upkeep_test *t, const char *id, const char *dir)
{
	char *target = site_below("target");
	upkeep_test_clear(t);
	upkeep_test_set(t, "backup", id);
	site_expect(t, upkeep_test_run(t, "verify"), UPKEEP_UNCHANGED);
	upkeep_test_set(t, "target", target);
	site_expect(t, upkeep_test_run(t, "restore"), UPKEEP_CHANGED);
	char *there = fault_format("%s%s", target, dir);
	free(target);
	return there;
}

static void find_all(const char *pattern, struct upkeep_test **ret)
{
	*ret = site_open();
	upkeep_test_set(*ret, "pattern", pattern);
	site_expect(*ret, upkeep_test_run(*ret, "find"), UPKEEP_UNCHANGED);
}

static void test_files_that_move_are_archived_and_flagged(void **state)
{
	(void)state;
	static const char *const names[] = {"grows", "shrinks", "is-written", "vanishes",
		"becomes-fifo", "becomes-link", "becomes-dir", "still"};
	struct upkeep_test *t = site_open(), *found;
	char *dir = site_below("moving");
	mkdir(dir, 0755);
	for (size_t i = 0; i < UPKEEP_COUNT(names); i++)
		make_file(dir, names[i]);
	tree = dir;
	char *id = site_create(t, "moving", dir);
	tree = NULL;
	assert_string_equal(upkeep_test_output(t, "changed"), "3");
	assert_string_equal(upkeep_test_output(t, "problems"), "7");
	assert_int_equal(upkeep_test_warnings(t), 7);
	char *there = restore_all(t, id, dir);
	expect_bytes(there, "still", FILE_BYTES, FILE_BYTES);
	expect_bytes(there, "grows", FILE_BYTES, FILE_BYTES);
	expect_bytes(there, "is-written", FILE_BYTES, FILE_BYTES);
	expect_bytes(there, "shrinks", FILE_BYTES, 1000);
	find_all("*", &found);
	for (size_t i = 0; i < 3; i++)
		expect_problem(found, "changed", names[i]);
	for (size_t i = 3; i < 7; i++) {
		char *path = fault_format("%s/%s", there, names[i]);
		assert_int_not_equal(access(path, F_OK), 0);
		free(path);
		expect_problem(found, "vanished", names[i]);
	}
	assert_int_equal(upkeep_test_rows(found, "problems"), 7);
	upkeep_test_free(found);
	upkeep_test_free(t);
	free(there);
	free(id);
	free(dir);
}

static void test_a_stream_of_files_that_move(void **state)
{
	(void)state;
	static const char *const names[] = {"grows", "shrinks", "is-written", "vanishes",
		"becomes-fifo", "becomes-link", "becomes-dir", "still"};
	struct upkeep_test *t = site_open();
	char *dir = site_below("streamed"), *target = site_below("unpacked");
	char *there = fault_format("%s%s", target, dir);
	size_t size;
	mkdir(dir, 0755);
	for (size_t i = 0; i < UPKEEP_COUNT(names); i++)
		make_file(dir, names[i]);
	upkeep_test_add(t, "paths", dir);
	upkeep_test_stream_out(t);
	tree = dir;
	site_expect(t, upkeep_test_run(t, "archive"), UPKEEP_UNCHANGED);
	tree = NULL;
	assert_string_equal(upkeep_test_output(t, "changed"), "3");
	assert_string_equal(upkeep_test_output(t, "problems"), "7");
	assert_int_equal(upkeep_test_warnings(t), 7);
	const void *bytes = upkeep_test_written(t, &size);
	unpack_archive(bytes, size, target);
	expect_bytes(there, "still", FILE_BYTES, FILE_BYTES);
	expect_bytes(there, "grows", FILE_BYTES, FILE_BYTES);
	expect_bytes(there, "is-written", FILE_BYTES, FILE_BYTES);
	expect_bytes(there, "shrinks", FILE_BYTES, 1000);
	upkeep_test_free(t);
	free(there);
	free(target);
	free(dir);
}

static void backup_unreadable(void)
{
	struct upkeep_test *t = site_open(), *found;
	char *dir = site_below("closed"), *inner = site_below("closed/inner");
	char *file = site_below("closed/secret");
	mkdir(dir, 0755);
	mkdir(inner, 0755);
	make_file(dir, "secret");
	make_file(dir, "open");
	make_file(inner, "lost");
	assert_int_equal(chmod(file, 0) + chmod(inner, 0), 0);
	char *id = site_create(t, "closed", dir);
	assert_string_equal(upkeep_test_output(t, "problems"), "2");
	assert_int_equal(upkeep_test_warnings(t), 2);
	find_all("closed/*", &found);
	expect_problem(found, "unreadable", "secret");
	expect_problem(found, "unreadable", "inner");
	char *there = restore_all(t, id, dir);
	expect_bytes(there, "open", FILE_BYTES, FILE_BYTES);
	assert_int_equal(chmod(inner, 0700), 0);
	upkeep_test_free(found);
	upkeep_test_free(t);
	free(there);
	free(id);
	free(dir);
	free(inner);
	free(file);
}

/* As a user who may not read everything, with a site of that user. */
static void test_unreadable_files_are_flagged(void **state)
{
	if (geteuid() != 0) {
		backup_unreadable();
		return;
	}
	int status = -1;
	pid_t pid = fork();
	if (pid == 0) {
		if (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0 ||
			site_setup(state) < 0)
			_exit(2);
		backup_unreadable();
		site_teardown(state);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	/* the last one forks: what fails there ends its process with a failure */
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files_that_move_are_archived_and_flagged),
		cmocka_unit_test(test_a_stream_of_files_that_move),
		cmocka_unit_test(test_unreadable_files_are_flagged),
	};
	return !!cmocka_run_group_tests(tests, site_setup, site_teardown);
}
