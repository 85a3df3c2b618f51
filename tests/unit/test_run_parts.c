/* SPDX-License-Identifier: MIT */
/* Parts of a run by themselves: blanking, logs, locks, secrets, cgroups of v2. */
#include "../unit.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "run/blank.h"
#include "run/cgroup.h"
#include "run/children.h"
#include "run/locks.h"
#include "run/log.h"
#include "run/secret.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- blanking ---- */

static char one[] = "hunter22", longer[] = "hunter22hunter22", other[] = "ter22ABC";

/* Fed in pieces of `step` bytes: what comes out must not depend on where it is cut. */
static void expect_blanked(const char *in, const char *expected)
{
	for (size_t step = 1; step <= strlen(in); step++) {
		struct blank blank = {0};
		CLEANUP_TEXT struct text out = {0};
		blank_add(&blank, one, strlen(one));
		blank_add(&blank, longer, strlen(longer));
		blank_add(&blank, other, strlen(other));
		for (size_t at = 0; at < strlen(in); at += step) {
			size_t left = strlen(in) - at;
			blank_feed(&blank, in + at, left < step ? left : step, false, &out);
		}
		blank_feed(&blank, "", 0, true, &out);
		assert_string_equal(text_string(&out), expected);
		blank_free(&blank);
	}
}

static void test_blanks_at_any_cut(void **state)
{
	(void)state;
	expect_blanked("a hunter22 b", "a *** b");
	expect_blanked("hunter2", "hunter2");
	expect_blanked("hunter2hunter22", "hunter2***");
	expect_blanked("hunter22hunter22.", "***.");       /* the longest */
	expect_blanked("hunter22hunter2x", "***hunter2x"); /* no longer one after all */
	expect_blanked("hunterABC hunter22ABC", "hunterABC ***ABC");
	expect_blanked("ter22ABChunter22", "******");
}

static void test_blank_finds(void **state)
{
	struct blank blank = {0};

	(void)state;
	blank_add(&blank, one, strlen(one));
	assert_true(blank_finds(&blank, "xhunter22", 9));
	assert_false(blank_finds(&blank, "xhunter22", 8));
	assert_null(blank_text(&blank, NULL));
	CLEANUP_FREE char *text = blank_text(&blank, "hunter22hunter");
	assert_string_equal(text, "***hunter");
	blank_free(&blank);
}

/* ---- logs ---- */

static char dir[32];

static int make_dir(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/upkeep-test-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return file_remove_tree(AT_FDCWD, dir, NULL);
}

/* Writes 26 letters so many at a time. */
static void expect_log(uint64_t max_bytes, size_t step, const char *expected, uint64_t dropped)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
	CLEANUP_FD int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP_TEXT struct text path = {0};
	CLEANUP_FREE char *bytes = NULL;
	struct log log;

	log_open(&log, fd, 1, 2, max_bytes);
	for (size_t at = 0; at < 26; at += step)
		log_write(&log, letters + at, 26 - at < step ? 26 - at : step);
	log_finish(&log);
	text_addf(&path, "%s/1.2.log", dir);
	assert_int_equal(file_load(text_string(&path), 1000, &bytes, NULL, NULL), 0);
	assert_string_equal(bytes, expected);
	assert_int_equal(log_dropped(&log), dropped);
	assert_int_equal(log_bytes(&log), 26);
	text_adds(&path, ".tail");
	assert_int_equal(access(text_string(&path), F_OK), -1);
}

static void test_log_keeps_head_and_tail(void **state)
{
	(void)state;
	for (size_t step = 1; step <= 26; step++) {
		expect_log(0, step, "abcdefghijklmnopqrstuvwxyz", 0);
		expect_log(26, step, "abcdefghijklmnopqrstuvwxyz", 0);
		expect_log(25, step, "abcdefghijklm\n[1 bytes dropped]\nopqrstuvwxyz", 1);
		expect_log(7, step, "abcd\n[19 bytes dropped]\nxyz", 19);
		expect_log(2, step, "a\n[24 bytes dropped]\nz", 24);
	}
}

/* ---- locks ---- */

static const struct lock_holder holder = {.run_id = "20260101-000000-abcdef",
	.graph = "g",
	.task = "t",
	.keeper = 42,
	.since_ms = 1000000};

static int count_lock(
	void *data, const char *kind, const char *name, const struct lock_holder *found)
{
	if (strcmp(name, "db") == 0) {
		assert_string_equal(kind, "lock");
		assert_string_equal(found->run_id, holder.run_id);
		assert_string_equal(found->graph, "g");
		assert_string_equal(found->task, "t");
		assert_int_equal(found->keeper, 42);
		assert_int_equal(found->since_ms, 1000000);
	}
	*(unsigned *)data += strcmp(name, "db") == 0 || strcmp(name, "io.1") == 0;
	return 0;
}

static void test_locks(void **state)
{
	CLEANUP_ERROR struct error err = {0};
	unsigned count = 0;

	(void)state;
	int fd = lock_take(dir, LOCK_NAMED, "db", &holder, &err);
	assert_true(fd >= 0);
	assert_int_equal(lock_take(dir, LOCK_NAMED, "db", &holder, &err), -EWOULDBLOCK);
	assert_true(text_starts(error_what(&err),
		"the lock \"db\" is held by run 20260101-000000-abcdef (graph g, task t) since "));
	int place = lock_take_place(dir, "io", 2, &holder, &err);
	int second = lock_take_place(dir, "io", 2, &holder, &err);
	assert_true(place >= 0 && second >= 0);
	assert_int_equal(lock_take_place(dir, "io", 2, &holder, &err), -EWOULDBLOCK);
	assert_int_equal(locks_list(dir, count_lock, &count, &err), 0);
	assert_int_equal(count, 2);
	int shared = dup(fd); /* as the keeper has it: released for all */
	lock_release(fd);
	fd = lock_take(dir, LOCK_NAMED, "db", &holder, &err);
	assert_true(fd >= 0);
	close(shared);
	lock_release(fd);
	lock_release(place);
	lock_release(second);
	count = 0;
	assert_int_equal(locks_list(dir, count_lock, &count, &err), 0);
	assert_int_equal(count, 0);
}

/* ---- secrets ---- */

static void put_file(const char *name, const char *text, mode_t mode)
{
	CLEANUP_TEXT struct text path = {0};

	text_addf(&path, "%s/%s", dir, name);
	assert_int_equal(file_store(text_string(&path), text, strlen(text), mode, false, NULL), 0);
}

/* The secret, or the message with DIR for the directory; the caller frees it. */
static char *fetched(const char *kind, const char *name)
{
	CLEANUP_ERROR struct error err = {0};
	struct secrets secrets = {0};
	const struct secret *secret;
	struct text full = {0};
	bool below = strcmp(kind, "file:") == 0 || strcmp(kind, "command:") == 0;

	text_addf(&full, "%s%s%s%s", kind, below ? dir : "", below ? "/" : "", name);
	int r = secrets_get(&secrets, text_string(&full), &secret, &err);
	text_free(&full);
	text_adds(&full, r < 0 ? error_what(&err) : secret->text.bytes);
	secrets_free(&secrets);
	char *at = strstr(full.bytes, dir);
	while (at) {
		memmove(at, "DIR", 3);
		memmove(at + 3, at + strlen(dir), strlen(at + strlen(dir)) + 1);
		at = strstr(full.bytes, dir);
	}
	return text_take(&full);
}

#define expect_fetched(kind, name, expected)                  \
	do {                                                  \
		CLEANUP_FREE char *got = fetched(kind, name); \
		assert_string_equal(got, expected);           \
	} while (0)

static void test_secrets_of_four_kinds(void **state)
{
	(void)state;
	put_file("password", "from a file\n", 0600);
	put_file("teller", "#!/bin/sh\necho \"from a program $#\"\n", 0700);
	setenv("UPKEEP_TEST_SECRET", "from the environment", 1);
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	expect_fetched("file:", "password", "from a file");
	expect_fetched("credential:", "password", "from a file");
	expect_fetched("env:", "UPKEEP_TEST_SECRET", "from the environment");
	expect_fetched("command:", "teller", "from a program 0");
	assert_true(secret_is_name("env:X") && !secret_is_name("plain"));
}

static void test_secrets_that_are_none(void **state)
{
	(void)state;
	put_file("short", "1234567\n", 0600);
	put_file("fails", "#!/bin/sh\necho told all the same\nexit 3\n", 0700);
	put_file("killed", "#!/bin/sh\nkill -9 $$\n", 0700);
	put_file("endless", "#!/bin/sh\nexec yes\n", 0700);
	put_file("nul", "#!/bin/sh\nprintf 'abcdefgh\\0ijk'\n", 0700);
	unsetenv("UPKEEP_TEST_SECRET");
	unsetenv("CREDENTIALS_DIRECTORY");
	expect_fetched("file:", "short",
		"secret \"file:DIR/short\": it has less than 8 bytes: too "
		"short to be told from other text");
	expect_fetched("env:", "UPKEEP_TEST_SECRET",
		"secret \"env:UPKEEP_TEST_SECRET\": the environment has no UPKEEP_TEST_SECRET");
	expect_fetched("credential:", "x",
		"secret \"credential:x\": there are no credentials: "
		"CREDENTIALS_DIRECTORY is not set");
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	expect_fetched("credential:", "../x",
		"secret \"credential:../x\": a credential's name has no slash");
	expect_fetched("command:", "fails",
		"secret \"command:DIR/fails\": DIR/fails failed (exit code 3)");
	expect_fetched("command:", "killed",
		"secret \"command:DIR/killed\": DIR/killed failed (signal 9)");
	expect_fetched("command:", "endless",
		"secret \"command:DIR/endless\": DIR/endless printed more than 65536 bytes");
	expect_fetched("command:", "nul", "secret \"command:DIR/nul\": it holds a NUL byte");
	expect_fetched("", "plain", "secret \"plain\": that is not the name of a secret");
}

/* Asked for before the run, told when it is needed; and asked once. */
static void test_secrets_prepared(void **state)
{
	CLEANUP_ERROR struct error err = {0};
	CLEANUP_TEXT struct text script = {0}, name = {0};
	struct secrets secrets = {0};
	const struct secret *secret;

	(void)state;
	text_addf(&script, "#!/bin/sh\necho x >>%s/asked\nexit 4\n", dir);
	put_file("counts", text_string(&script), 0700);
	text_addf(&name, "command:%s/counts", dir);
	secrets_prepare(&secrets, text_string(&name));
	secrets_prepare(&secrets, text_string(&name));
	assert_int_equal(secrets_get(&secrets, text_string(&name), &secret, &err), -EIO);
	assert_true(text_ends(error_what(&err), "counts failed (exit code 4)"));
	secrets_free(&secrets);
	CLEANUP_FREE char *asked = NULL;
	text_free(&script);
	text_addf(&script, "%s/asked", dir);
	assert_int_equal(file_load(text_string(&script), 100, &asked, NULL, NULL), 0);
	assert_string_equal(asked, "x\n");
}

/* ---- cgroups of v2: what is written where, in directories that look like them ---- */

static void make_below(const char *name)
{
	CLEANUP_TEXT struct text path = {0};

	text_addf(&path, "%s/%s", dir, name);
	assert_int_equal(file_make_dirs(text_string(&path), 0755, NULL), 0);
}

static void expect_file(const char *name, const char *expected)
{
	CLEANUP_TEXT struct text path = {0};
	CLEANUP_FREE char *bytes = NULL;

	text_addf(&path, "%s/%s", dir, name);
	assert_int_equal(file_load(text_string(&path), 1000, &bytes, NULL, NULL), 0);
	assert_string_equal(bytes, expected);
}

static void pretend_v2(void)
{
	static char mounts[128], own[128];
	CLEANUP_TEXT struct text line = {0};

	text_addf(&line, "30 1 0:26 / %s/mnt rw - cgroup2 cgroup2 rw\n", dir);
	put_file("mounts", text_string(&line), 0600);
	put_file("own", "0::/own\n", 0600);
	make_below("mnt/own");
	put_file("mnt/own/cgroup.subtree_control", "", 0600);
	snprintf(mounts, sizeof mounts, "%s/mounts", dir);
	snprintf(own, sizeof own, "%s/own", dir);
	cgroup_mounts_path = mounts;
	cgroup_own_path = own;
}

static int pretend_no_more(void **state)
{
	cgroup_mounts_path = "/proc/self/mountinfo";
	cgroup_own_path = "/proc/self/cgroup";
	return remove_dir(state);
}

static void test_v2_without_pids(void **state)
{
	CLEANUP_ERROR struct error err = {0};

	(void)state;
	pretend_v2();
	assert_true(cgroups_possible());
	assert_int_equal(cgroup_limit_check(true, &err), -ENOTSUP);
	assert_string_equal(error_what(&err),
		"limits.processes cannot be kept here: no writable "
		"cgroup with the controller \"pids\"");
	expect_file("mnt/own/cgroup.subtree_control", "+pids"); /* it was tried */
}

static void test_v2_limits(void **state)
{
	CLEANUP_ERROR struct error err = {0};
	char check[64], file[96];
	struct cgroup_limit limit;
	struct cgroups cgroups;
	struct cgroup slot;

	(void)state;
	pretend_v2();
	snprintf(check, sizeof check, "mnt/own/upkeep-check-%d", (int)getpid());
	make_below(check);
	snprintf(file, sizeof file, "%s/pids.max", check);
	put_file(file, "max\n", 0600);
	assert_int_equal(cgroup_limit_check(true, &err), 0);
	expect_file("mnt/own/cgroup.subtree_control", "+pids");
	make_below("mnt/own/upkeep-run/slot-0");
	put_file("mnt/own/upkeep-run/cgroup.kill", "", 0600);
	put_file("mnt/own/upkeep-run/cgroup.subtree_control", "", 0600);
	put_file("mnt/own/upkeep-run/slot-0/cgroup.procs", "", 0600);
	put_file("mnt/own/upkeep-run/slot-0/pids.max", "", 0600);
	cgroups_open(&cgroups, "run");
	assert_int_equal(cgroups.kind, CGROUP_V2);
	assert_int_equal(cgroup_open(&cgroups, "slot-0", &slot), 0);
	assert_int_equal(cgroup_limit_open(&cgroups, &slot, "t", 30, 0, &limit, &err), 0);
	expect_file("mnt/own/upkeep-run/cgroup.subtree_control", "+pids");
	expect_file("mnt/own/upkeep-run/slot-0/pids.max", "30");
	assert_true(slot.spoiled); /* the next task in it has no such limit */
	cgroup_limit_close(&limit);
	cgroup_close(&slot);
	cgroups_close(&cgroups);
}

/* ---- what is in a cgroup ---- */

static int file_of(const char *text)
{
	int fd = memfd_create("cgroup", MFD_CLOEXEC);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

/* The kernel is asked only after something was started in it, until it is empty again. */
static void test_cgroup_is_asked_when_used(void **state)
{
	CLEANUP_FD int full = file_of("populated 1\nfrozen 0\n");
	CLEANUP_FD int empty = file_of("populated 0\nfrozen 0\n");
	struct cgroups cgroups = {.kind = CGROUP_V2, .dir = full};
	struct cgroup cgroup = {.dir = full, .procs = -1, .events = full};
	struct process_spec spec = {0};

	(void)state;
	assert_false(cgroup_is_populated(&cgroup));
	for (int again = 0; again < 2; again++) {
		cgroup_join(&cgroups, &cgroup, &spec);
		cgroup.events = full;
		assert_true(cgroup_is_populated(&cgroup));
		assert_true(cgroup_is_populated(&cgroup));
		cgroup.events = empty;
		assert_false(cgroup_is_populated(&cgroup));
		cgroup.events = full;
		assert_false(cgroup_is_populated(&cgroup));
	}
}

static void add_pid(void *data, pid_t pid)
{
	*(long *)data += pid;
}

/* Of every length, also where a number lies across two pieces. */
static void test_cgroup_of_many_processes(void **state)
{
	CLEANUP_TEXT struct text list = {0};
	long expected = 0;

	(void)state;
	for (int count = 1; count <= 3000; count++) {
		text_addf(&list, "%d\n", 100000 + count);
		expected += 100000 + count;
		if (count % 97 != 0)
			continue;
		CLEANUP_FD int procs = file_of(text_string(&list));
		struct cgroup cgroup = {.dir = -1, .procs = procs, .events = -1};
		long found = 0;
		cgroup_each(&cgroup, add_pid, &found);
		assert_int_equal(found, expected);
	}
}

/* ---- processes ---- */

static pid_t start_sleep(void)
{
	char *const none[] = {NULL};
	pid_t child = fork();

	if (child == 0) {
		execle("/bin/sleep", "sleep", "100", (char *)NULL, none);
		_exit(127);
	}
	return child;
}

/* Was it seen between two programs, on its way to the second? */
static bool seen_between(pid_t child)
{
	char name[16];
	bool seen = false;

	/* It has its new name during the exec already. */
	do {
		seen |= process_is_between_programs(child);
		process_read(child, "comm", name, sizeof name);
	} while (strcmp(name, "sleep\n") != 0 || process_is_between_programs(child));
	return seen;
}

static void test_between_programs(void **state)
{
	bool seen = false;
	siginfo_t ended;

	(void)state;
	for (int i = 0; i < 2000 && !seen; i++) {
		pid_t child = start_sleep();
		seen = seen_between(child);
		assert_false(process_is_between_programs(child)); /* an empty environment is one */
		kill(child, SIGKILL);
		waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT);
		assert_false(process_is_between_programs(child)); /* a zombie */
		waitpid(child, NULL, 0);
		assert_false(process_is_between_programs(child));
	}
	assert_true(seen);
	assert_false(process_is_between_programs(getpid()));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blanks_at_any_cut),
		cmocka_unit_test(test_blank_finds),
		cmocka_unit_test_setup_teardown(test_log_keeps_head_and_tail, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_locks, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_secrets_of_four_kinds, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_secrets_that_are_none, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_secrets_prepared, make_dir, remove_dir),
		cmocka_unit_test(test_cgroup_is_asked_when_used),
		cmocka_unit_test(test_cgroup_of_many_processes),
		cmocka_unit_test(test_between_programs),
		cmocka_unit_test_setup_teardown(test_v2_without_pids, make_dir, pretend_no_more),
		cmocka_unit_test_setup_teardown(test_v2_limits, make_dir, pretend_no_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
