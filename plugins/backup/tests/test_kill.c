/* SPDX-License-Identifier: MIT */
/* kill -9 before and after changes that create and prune make to files.  The linker puts our
 * functions before those of the C library (--wrap); they count and, at the k-th, die. */
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

#define CALLS_MAX 4096

/* What the process does that is killed; shared with it. */
struct calls {
	long count;
	char kinds[CALLS_MAX + 1]; /* of the n-th: a letter; a capital behind the change */
};

static long points = 5; /* to be killed at, of each action, besides one of each kind; 0: all */
static struct calls *calls;
static long deadly;  /* its last call; 0: none */
static pid_t victim; /* not the programs that it starts */

int __real_fsync(int fd);
int __real_mkdirat(int dir, const char *name, mode_t mode);
int __real_unlinkat(int dir, const char *name, int flags);
int __real_renameat2(int from, const char *name, int to, const char *as, unsigned flags);
ssize_t __real_write(int fd, const void *bytes, size_t size);
int __wrap_fsync(int fd);
int __wrap_mkdirat(int dir, const char *name, mode_t mode);
int __wrap_unlinkat(int dir, const char *name, int flags);
int __wrap_renameat2(int from, const char *name, int to, const char *as, unsigned flags);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);

/* errno is that of the call before it. */
static void count(char kind)
{
	if (getpid() != victim)
		return;
	if (++calls->count <= CALLS_MAX)
		calls->kinds[calls->count] = kind;
	if (calls->count == deadly)
		kill(getpid(), SIGKILL);
}

int __wrap_fsync(int fd)
{
	count('f');
	int r = __real_fsync(fd);
	count('F');
	return r;
}

int __wrap_mkdirat(int dir, const char *name, mode_t mode)
{
	count('m');
	int r = __real_mkdirat(dir, name, mode);
	count('M');
	return r;
}

int __wrap_unlinkat(int dir, const char *name, int flags)
{
	count('u');
	int r = __real_unlinkat(dir, name, flags);
	count('U');
	return r;
}

int __wrap_renameat2(int from, const char *name, int to, const char *as, unsigned flags)
{
	count('r');
	int r = __real_renameat2(from, name, to, as, flags);
	count('R');
	return r;
}

/* Half of it is written. */
ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
	if (getpid() == victim && calls->count + 1 == deadly)
		(void)!__real_write(fd, bytes, size / 2);
	count('w');
	ssize_t n = __real_write(fd, bytes, size);
	count('W');
	return n;
}

/* Runs the action in a process that dies at the k-th call; true where it died. */
static bool run_until(void (*action)(void), long k)
{
	int status = 0;
	calls->count = 0;
	pid_t pid = fork();
	if (pid == 0) {
		deadly = k;
		victim = getpid();
		setenv("TMPDIR", site_dir, 1); /* what is left there goes with the site */
		action();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	site_end_orphans();
	if (WIFSIGNALED(status))
		assert_int_equal(WTERMSIG(status), SIGKILL);
	else
		assert_int_equal(status, 0);
	return WIFSIGNALED(status);
}

static void run_create(void)
{
	struct upkeep_test *t = site_open();
	char *tree = site_below("tree");
	free(site_create(t, "killed", tree));
	free(tree);
	upkeep_test_free(t);
}

static void run_prune_with(const char *space)
{
	struct upkeep_test *t = site_open();
	upkeep_test_set(t, "keep_daily", "1");
	upkeep_test_set(t, "space", space);
	if (upkeep_test_run(t, "prune") < 0)
		site_expect(t, -1, UPKEEP_CHANGED);
	upkeep_test_free(t);
}

static void prune_now(void)
{
	run_prune_with("now");
}

static void prune_later(void)
{
	run_prune_with("later");
}

/* Whatever is to be seen is whole; returns how many there are. */
static int expect_whole(void)
{
	struct upkeep_test *t = site_open();
	upkeep_test_set(t, "all", "true");
	site_expect(t, upkeep_test_run(t, "verify"), UPKEEP_UNCHANGED);
	int verified = atoi(upkeep_test_output(t, "verified"));
	upkeep_test_clear(t);
	site_expect(t, upkeep_test_run(t, "list"), UPKEEP_UNCHANGED);
	assert_int_equal(upkeep_test_warnings(t), 0);
	assert_int_equal(atoi(upkeep_test_output(t, "count")), verified);
	upkeep_test_free(t);
	return verified;
}

static bool has_object(int store, const char *id, const char *object)
{
	char room[512];
	snprintf(room, sizeof room, "%s/%s", id, object);
	return faccessat(store, room, F_OK, 0) == 0;
}

/* Directories of the store that look like backups; or those that are. */
static int count_groups(bool whole)
{
	char *path = site_below("store");
	DIR *dir = opendir(path);
	int found = 0;
	for (struct dirent *e; (e = readdir(dir));)
		found += e->d_name[0] == '2' &&
			(!whole ||
				(has_object(dirfd(dir), e->d_name, "manifest") &&
					!has_object(dirfd(dir), e->d_name, "removed")));
	closedir(dir);
	free(path);
	return found;
}

/* Where to kill: the first and the last, some between, each kind where it comes first. */
struct places {
	bool at[CALLS_MAX + 1];
	long total;
	int count;
};

static void add_place(struct places *places, long at)
{
	places->count += !places->at[at];
	places->at[at] = true;
}

static void find_places(struct places *places, void (*action)(void))
{
	assert_false(run_until(action, 0));
	*places = (struct places){.total = calls->count};
	assert_in_range(places->total, 2, CALLS_MAX);
	long some = points && points < places->total ? points : places->total;
	for (long i = 0; i < some; i++)
		add_place(places, 1 + i * (places->total - 1) / (some - 1));
	calls->kinds[0] = 0;
	for (long i = 1; i <= places->total; i++)
		if (!memchr(calls->kinds, calls->kinds[i], (size_t)i))
			add_place(places, i);
}

static int setup(void **state)
{
	if (site_setup(state) < 0)
		return -1;
	char *tree = site_below("tree");
	mkdir(tree, 0755);
	look_write(tree, "file", "bytes\n");
	free(tree);
	return 0;
}

static void test_create_is_killed(void **state)
{
	(void)state;
	struct places places;
	run_create(); /* the next ones build upon it */
	find_places(&places, run_create);
	int whole = 2, halves = 0;
	assert_true(places.total >= 30);
	for (long i = 1; i <= places.total; i++) {
		if (!places.at[i])
			continue;
		/* what is left of halves may save a call */
		for (long k = i; !run_until(run_create, k); k--)
			whole++;
		int now = expect_whole();
		assert_in_range(now, whole, whole + 1);
		halves += now == whole;
		whole = now;
	}
	assert_true(halves > places.count / 4);
	assert_true(count_groups(false) > whole);
	/* what was stored of the halves may be used: only then it stays */
	run_create();
	expect_whole();
	prune_now();
	assert_int_equal(expect_whole(), 1);
	assert_in_range(count_groups(false), 1, 2);
	char *tree = site_below("tree");
	look_write(tree, "file", "other bytes\n");
	free(tree);
	run_create();
	expect_whole();
	prune_now();
	assert_int_equal(expect_whole(), 1);
	assert_int_equal(count_groups(false), 1);
	printf("create: %d of %ld points, %d left nothing to be seen\n", places.count, places.total,
		halves);
}

/* Files of a store never change: a copy of it is made of further names. */
static void copy_store(const char *from, const char *to)
{
	DIR *dir = opendir(from);
	assert_non_null(dir);
	assert_int_equal(mkdir(to, 0700), 0);
	for (struct dirent *e; (e = readdir(dir));) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		char *own = fault_format("%s/%s", from, e->d_name);
		char *copy = fault_format("%s/%s", to, e->d_name);
		if (e->d_type == DT_DIR)
			copy_store(own, copy);
		else
			assert_int_equal(link(own, copy), 0);
		free(own);
		free(copy);
	}
	closedir(dir);
}

/* The store and what the ledger knew of it. */
static void put_back(const char *saved, const char *store)
{
	char *ledger = site_below("keyring/ledger"), *notes = site_below("notes");
	look_remove(store);
	copy_store(saved, store);
	look_remove(ledger);
	copy_store(notes, ledger);
	free(ledger);
	free(notes);
}

static void kill_prune(void (*action)(void), const char *what)
{
	char *store = site_below("store"), *saved = site_below("saved");
	put_back(saved, store);
	struct places places;
	find_places(&places, action);
	for (long i = 1; i <= places.total; i++) {
		if (!places.at[i])
			continue;
		put_back(saved, store);
		for (long k = i; !run_until(action, k); k--)
			put_back(saved, store);
		assert_true(expect_whole() >= 1);
		action();
		assert_int_equal(count_groups(true), 1);
	}
	assert_int_equal(expect_whole(), 1);
	if (action == prune_now)
		assert_int_equal(count_groups(false), 2); /* and what it needs */
	printf("prune %s: %d of %ld points\n", what, places.count, places.total);
	free(store);
	free(saved);
}

static void test_prune_is_killed(void **state)
{
	(void)state;
	char *store = site_below("store"), *saved = site_below("saved");
	run_create();
	run_create();
	clock_advance(1000);
	run_create();
	expect_whole();
	prune_now();
	for (int i = 0; i < 2; i++) {
		clock_advance(1000);
		run_create();
	}
	expect_whole();
	copy_store(store, saved);
	char *ledger = site_below("keyring/ledger"), *notes = site_below("notes");
	copy_store(ledger, notes);
	free(ledger);
	free(notes);
	kill_prune(prune_later, "later");
	kill_prune(prune_now, "now");
	free(store);
	free(saved);
}

int main(void)
{
	const char *instrumented = getenv("INSTRUMENTED");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create_is_killed),
		cmocka_unit_test(test_prune_is_killed),
	};
	calls = mmap(
		NULL, sizeof *calls, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (calls == MAP_FAILED || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return 99;
	if (instrumented && *instrumented)
		points = 2; /* they take several times as long */
	if (getenv("UPKEEP_LONG"))
		points = 0;
	return !!cmocka_run_group_tests(tests, setup, site_teardown);
}
