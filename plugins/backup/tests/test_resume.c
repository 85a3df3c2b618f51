/* SPDX-License-Identifier: MIT */
/* Backups that are killed and made again: what was stored whole is used.  The linker puts our
 * functions before those of the C library (--wrap): renames are counted, at the k-th it dies, and
 * what is read of the sources is counted. */
#include "tests/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "look.h"
#include "site.h"
#include "support/fault.h"

#define FILES 3
#define FILE_BYTES (17u << 20) /* two do not fit a pack */

static char *tree;
static uint64_t bytes_read;
static int packs_put;
static long renames, deadly; /* it dies before (odd) or after the rename; 0: never */

ssize_t __real_pread(int fd, void *bytes, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *bytes, size_t size, off_t offset);
int __real_renameat2(int from, const char *name, int to, const char *as, unsigned flags);
int __wrap_renameat2(int from, const char *name, int to, const char *as, unsigned flags);

ssize_t __wrap_pread(int fd, void *bytes, size_t size, off_t offset)
{
	struct stat st;
	ssize_t n = __real_pread(fd, bytes, size, offset);
	/* what is in memory has no name */
	if (n > 0 && fstat(fd, &st) == 0 && st.st_nlink > 0)
		bytes_read += (uint64_t)n;
	return n;
}

static void die_at(long k)
{
	if (k == deadly)
		kill(getpid(), SIGKILL);
}

int __wrap_renameat2(int from, const char *name, int to, const char *as, unsigned flags)
{
	renames++;
	die_at(2 * renames - 1);
	int r = __real_renameat2(from, name, to, as, flags);
	die_at(2 * renames);
	size_t size = strlen(as);
	packs_put += size > 5 && strcmp(as + size - 5, ".pack") == 0;
	return r;
}

/* A backup in a process that dies at that point; false: it ended before. */
static bool create_until(const char *name, long point)
{
	int status = 0;
	pid_t pid = fork();
	if (pid == 0) {
		setenv("TMPDIR", site_dir, 1); /* what is left there goes with the site */
		deadly = point;
		renames = 0;
		struct upkeep_test *t = site_open();
		free(site_create(t, name, tree));
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	site_end_orphans();
	if (!WIFSIGNALED(status))
		assert_int_equal(status, 0);
	return WIFSIGNALED(status);
}

/* Whole parts that are remembered of backups of that name. */
static int count_parts(const char *name)
{
	char *path = site_below("keyring/memory/local"), *middle = fault_format("-%s-", name);
	DIR *dir = opendir(path);
	int found = 0;
	for (struct dirent *e; dir && (e = readdir(dir));)
		found += strstr(e->d_name, middle) && strstr(e->d_name, "~part~") &&
			!strstr(e->d_name, ".partial");
	if (dir)
		closedir(dir);
	free(path);
	free(middle);
	return found;
}

static int count_visible(struct upkeep_test *t, const char *name)
{
	upkeep_test_clear(t);
	upkeep_test_set(t, "name", name);
	site_expect(t, upkeep_test_run(t, "list"), UPKEEP_UNCHANGED);
	return atoi(upkeep_test_output(t, "count"));
}

/* Makes it again; what the parts say is not read again.  The caller frees the id. */
static char *create_again(struct upkeep_test *t, const char *name, int parts)
{
	bytes_read = 0;
	packs_put = 0;
	char *id = site_create(t, name, tree);
	if (parts >= 0) {
		assert_int_equal(bytes_read, (uint64_t)(FILES - parts) * FILE_BYTES);
		assert_int_equal(packs_put, FILES - parts);
	}
	upkeep_test_clear(t);
	upkeep_test_set(t, "backup", id);
	site_expect(t, upkeep_test_run(t, "verify"), UPKEEP_UNCHANGED);
	return id;
}

static int setup(void **state)
{
	char name[8], *text = fault_alloc(FILE_BYTES + 1);
	if (site_setup(state) < 0)
		return -1;
	tree = site_below("tree");
	mkdir(tree, 0755);
	for (int i = 0; i < FILES; i++) {
		memset(text, 'a' + i, FILE_BYTES);
		snprintf(name, sizeof name, "%d", i);
		look_write(tree, name, text);
	}
	free(text);
	clock_advance(CLOCK_SETTLE_MS);
	return 0;
}

static int teardown(void **state)
{
	free(tree);
	return site_teardown(state);
}

static void test_it_goes_on_wherever_it_was_killed(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	int resumed = 0;
	bool killed = true;
	for (long point = 1; killed; point += getenv("UPKEEP_LONG") ? 1 : 3) {
		char name[16];
		snprintf(name, sizeof name, "at%ld", point);
		killed = create_until(name, point);
		int parts = count_parts(name), visible = count_visible(t, name);
		if (killed && visible == 0)
			assert_in_range(parts, 0, FILES);
		resumed += visible == 0 && parts > 0;
		free(create_again(t, name, visible ? FILES : parts));
		assert_int_equal(count_parts(name), 0);
		assert_int_equal(count_visible(t, name), visible + 1);
	}
	assert_true(resumed >= FILES);
	upkeep_test_free(t);
}

/* Its run was rolled back; another one goes on, and prune comes between and after. */
static void test_what_was_undone_is_used_too(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	assert_true(create_until("undone", 7));
	int parts = count_parts("undone");
	assert_in_range(parts, 1, FILES - 1);
	/* the one that it was about, as its record names it */
	char *path = site_below("keyring/memory/local"), id[128] = "";
	DIR *dir = opendir(path);
	for (struct dirent *e; (e = readdir(dir));)
		if (strstr(e->d_name, "-undone-"))
			snprintf(id, sizeof id, "%.*s", (int)strcspn(e->d_name, "~"), e->d_name);
	closedir(dir);
	char *payload = fault_format("store=local\nid=%s\n", id);
	size_t record = upkeep_test_forge(t, "create", 1, payload);
	site_expect(t, upkeep_test_undo_record(t, "create", record), UPKEEP_CHANGED);
	site_expect(t, upkeep_test_undo_record(t, "create", record), UPKEEP_UNCHANGED);
	upkeep_test_clear(t);
	upkeep_test_set(t, "name", "undone");
	upkeep_test_set(t, "keep_daily", "1");
	site_expect(t, upkeep_test_run(t, "prune"), UPKEEP_UNCHANGED);
	char *made = create_again(t, "undone", parts);
	site_expect(t, upkeep_test_undo_record(t, "create", record), UPKEEP_UNCHANGED);
	upkeep_test_clear(t);
	upkeep_test_set(t, "name", "undone");
	upkeep_test_set(t, "keep_daily", "1");
	site_expect(t, upkeep_test_run(t, "prune"), UPKEEP_UNCHANGED);
	upkeep_test_clear(t);
	upkeep_test_set(t, "backup", made);
	site_expect(t, upkeep_test_run(t, "verify"), UPKEEP_UNCHANGED);
	free(path), free(payload), free(made);
	upkeep_test_free(t);
}

/* Without what is remembered, or without the packs, it is all made again. */
static void test_what_is_gone_is_made_again(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	assert_true(create_until("gone", 7));
	upkeep_test_set(t, "name", "gone");
	upkeep_test_set(t, "keep_daily", "1");
	site_expect(t, upkeep_test_run(t, "prune"), UPKEEP_UNCHANGED); /* takes the half away */
	free(create_again(t, "gone", 0));
	assert_true(create_until("lost", 7));
	char *memory = site_below("keyring/memory");
	look_remove(memory);
	free(create_again(t, "lost", 0));
	free(memory);
	upkeep_test_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_goes_on_wherever_it_was_killed),
		cmocka_unit_test(test_what_was_undone_is_used_too),
		cmocka_unit_test(test_what_is_gone_is_made_again),
	};
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return 99;
	return !!cmocka_run_group_tests(tests, setup, teardown);
}
