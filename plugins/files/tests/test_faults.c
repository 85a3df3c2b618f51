/* SPDX-License-Identifier: MIT */
/*
 * Each action and each undo, failing at each of its changes, killed before and after each,
 * and with its files exchanged before each: what the records undo is what was there.
 */
#include "faults.h"
#include "tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST 200 /* changes of one action */

struct scenario {
	const char *name, *action;
	void (*make)(void);
	void (*set)(struct upkeep_test *t);
};

static char across[64]; /* a directory on another file system, or "" */
static int writer = -1; /* keeps the log open, appending */

/* ---- the scenarios ---- */

static void make_files(void)
{
	tree_dir("logs");
	tree_dir("archive");
	tree_dir("secret");
	tree_write_size("secret/x", 5000);
	tree_write_size("logs/a.log", 50000);
	tree_write_size("logs/b.log", 20000);
	tree_age("logs/a.log", 9);
	tree_age("logs/b.log", 9);
	tree_age("secret/x", 9);
}

static void make_chain(void)
{
	make_files();
	tree_write_size("logs/a.log.1", 3000);
	tree_write_size("logs/a.log.2", 4000);
	tree_age("logs/a.log.1", 9);
	tree_age("logs/a.log.2", 9);
}

static void make_written(void)
{
	make_files();
	writer = open(tree_path("logs/a.log"), O_WRONLY | O_APPEND | O_CLOEXEC);
}

/* By a process that would go on where it was, not at the end. */
static void make_written_at(void)
{
	make_files();
	writer = open(tree_path("logs/a.log"), O_WRONLY | O_CLOEXEC);
}

static void paths_set(struct upkeep_test *t)
{
	upkeep_test_add(t, "paths", tree_path("logs/*.log"));
}

static void expire_set(struct upkeep_test *t)
{
	paths_set(t);
	upkeep_test_set(t, "older_than", "7d");
}

static void archive_set(struct upkeep_test *t)
{
	paths_set(t);
	upkeep_test_set(t, "to", tree_path("archive"));
}

static void across_set(struct upkeep_test *t)
{
	paths_set(t);
	upkeep_test_set(t, "to", across);
}

static void rotate_set(struct upkeep_test *t)
{
	paths_set(t);
	upkeep_test_set(t, "keep", "2");
}

static void copy_set(struct upkeep_test *t)
{
	rotate_set(t);
	upkeep_test_set(t, "method", "copy");
	upkeep_test_set(t, "compress", "no");
}

static const struct scenario scenarios[] = {
	{"compress", "compress", make_files, paths_set},
	{"expire", "expire", make_files, expire_set},
	{"archive", "archive", make_files, archive_set},
	{"archive across", "archive", make_files, across_set},
	{"rotate by rename", "rotate", make_chain, rotate_set},
	{"rotate by collapse", "rotate", make_written, rotate_set},
	{"rotate by copy", "rotate", make_files, copy_set},
	{"rotate by copy under a writer", "rotate", make_written_at, copy_set},
};

static int is_possible(const struct scenario *s)
{
	return s->set != across_set || across[0];
}

static struct upkeep_test *begin(const struct scenario *s)
{
	assert_int_equal(tree_make(NULL), 0);
	s->make();
	struct upkeep_test *t = upkeep_test_new(&upkeep_plugin);
	assert_non_null(t);
	s->set(t);
	return t;
}

static void across_empty(void)
{
	DIR *dir = across[0] ? opendir(across) : NULL;
	for (struct dirent *e; dir && (e = readdir(dir));)
		unlinkat(dirfd(dir), e->d_name, 0);
	if (dir)
		closedir(dir);
}

static void end(struct upkeep_test *t)
{
	upkeep_test_free(t);
	if (writer >= 0)
		close(writer);
	writer = -1;
	assert_int_equal(tree_remove(NULL), 0);
	across_empty();
}

/* What is there, without times; our own unfinished things do not count where `loose`. */
static char *state(int loose)
{
	char *all = tree_describe(), *save;
	size_t at = 0, room = strlen(all) + 1;
	char *out = calloc(1, room);
	assert_non_null(out);
	for (char *line = strtok_r(all, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (*line == ' ')
			continue; /* the root */
		char path[4096], mode[16], owner[32], mtime[64], size[32], hash[80];
		assert_int_equal(sscanf(line, "%4095s %15s %31s %63s %31s %79s", path, mode, owner,
					 mtime, size, hash),
			6);
		if (!loose || !strstr(path, "/.upkeep-"))
			at += (size_t)snprintf(out + at, room - at, "%s %s %s\n", path, mode, hash);
	}
	free(all);
	return out;
}

static void state_is(const char *want, int loose, const char *what, const char *when, int n)
{
	char *is = state(loose);
	if (strcmp(is, want) != 0)
		fail_msg("%s, %s %d: is\n%sand was\n%s", what, when, n, is, want);
	free(is);
}

static void undo_all(struct upkeep_test *t, const struct scenario *s, const char *when, int n)
{
	int32_t r = upkeep_test_undo(t, s->action);
	if (r < 0)
		fail_msg("%s, %s %d: the undo says %d: %s: %s", s->name, when, n, r,
			upkeep_test_what(t), upkeep_test_why(t));
}

/* ---- failures ---- */

static void fail_run(const struct scenario *s)
{
	int calls = 0, n = 1;
	for (int more = 1; more && n < MOST; n++) {
		struct upkeep_test *t = begin(s);
		char *want = state(0);
		fault_on(FAULT_FAIL, n, NULL);
		upkeep_test_run(t, s->action);
		calls = fault_off();
		more = calls >= n;
		undo_all(t, s, "run failing at change", n);
		/* a partial file whose removal failed has no record, and the next run takes it */
		state_is(want, 1, s->name, "run failing at change", n);
		assert_true(upkeep_test_run(t, s->action) >= 0);
		undo_all(t, s, "run after failing at change", n);
		state_is(want, 0, s->name, "run after failing at change", n);
		free(want);
		end(t);
	}
	print_message("%s: a failure at each of %d changes\n", s->name, calls);
	assert_in_range(calls, 2, MOST - 2);
}

static void fail_undo(const struct scenario *s)
{
	int calls = 0;
	for (int n = 1, more = 1; more && n < MOST; n++) {
		struct upkeep_test *t = begin(s);
		char *want = state(0);
		assert_int_equal(upkeep_test_run(t, s->action), UPKEEP_CHANGED);
		fault_on(FAULT_FAIL, n, NULL);
		upkeep_test_undo(t, s->action);
		calls = fault_off();
		more = calls >= n;
		undo_all(t, s, "undo failing at change", n);
		/* an empty trash may stay, and the next undo takes it */
		state_is(want, 1, s->name, "undo failing at change", n);
		assert_int_equal(upkeep_test_run(t, s->action), UPKEEP_CHANGED);
		undo_all(t, s, "undo after failing at change", n);
		state_is(want, 0, s->name, "undo after failing at change", n);
		free(want);
		end(t);
	}
	print_message("%s, undone: a failure at each of %d changes\n", s->name, calls);
	assert_in_range(calls, 1, MOST - 2);
}

static void test_failures(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < UPKEEP_COUNT(scenarios); i++)
		if (is_possible(&scenarios[i])) {
			fail_run(&scenarios[i]);
			fail_undo(&scenarios[i]);
		}
}

/* ---- kills ---- */

/* The journal: what had been written down when the process died. */
struct journal {
	size_t count;
	struct {
		char kind[64], payload[6000];
		uint32_t version, state;
	} records[32];
};
static struct journal *journal;
static struct upkeep_test *dying;

static void journal_write(void)
{
	journal->count = upkeep_test_records(dying);
	assert_true(journal->count <= UPKEEP_COUNT(journal->records));
	for (size_t i = 0; i < journal->count; i++) {
		const struct upkeep_undo *undo = upkeep_test_record(dying, i);
		snprintf(journal->records[i].kind, 64, "%s", undo->kind);
		assert_true(undo->payload_size < sizeof journal->records[i].payload);
		memcpy(journal->records[i].payload, undo->payload, undo->payload_size);
		journal->records[i].payload[undo->payload_size] = 0;
		journal->records[i].version = undo->version;
		journal->records[i].state = upkeep_test_record_state(dying, i);
	}
}

/* A new host, on another day, with the records that were not settled. */
static struct upkeep_test *recover(const struct scenario *s)
{
	struct upkeep_test *t = upkeep_test_new(&upkeep_plugin);
	assert_non_null(t);
	s->set(t);
	for (size_t i = 0; i < journal->count; i++)
		if (journal->records[i].state < UPKEEP_TEST_DROPPED)
			upkeep_test_forge(t, journal->records[i].kind, journal->records[i].version,
				journal->records[i].payload);
	return t;
}

/* False where it came to its end: there were fewer changes. */
static int killed(
	struct upkeep_test *t, const struct scenario *s, int undo, enum fault fault, int n)
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		dying = t;
		fault_last_words = journal_write;
		fault_on(fault, n, NULL);
		if (undo)
			upkeep_test_undo(t, s->action);
		else
			upkeep_test_run(t, s->action);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
	return WIFSIGNALED(status);
}

/* Undone after a kill, it is as before; and the next run finds no trace of this one. */
static int kill_once(const struct scenario *s, int undo, enum fault fault, int n)
{
	const char *when = undo ? "undo killed at change" : "run killed at change";
	struct upkeep_test *t = begin(s);
	char *want = state(0);
	if (undo)
		assert_int_equal(upkeep_test_run(t, s->action), UPKEEP_CHANGED);
	int died = killed(t, s, undo, fault, n);
	if (died) {
		struct upkeep_test *other = recover(s);
		undo_all(other, s, when, n);
		state_is(want, !undo, s->name, when, n);
		if (upkeep_test_run(other, s->action) < 0)
			fail_msg("%s, %s %d: the next run says: %s: %s", s->name, when, n,
				upkeep_test_what(other), upkeep_test_why(other));
		undo_all(other, s, when, n);
		state_is(want, 0, s->name, when, n);
		upkeep_test_free(other);
	}
	free(want);
	end(t);
	return died;
}

static void test_kills(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < UPKEEP_COUNT(scenarios); i++)
		for (int undo = 0; undo < 2 && is_possible(&scenarios[i]); undo++) {
			int n = 1;
			while (n < MOST && kill_once(&scenarios[i], undo, FAULT_BEFORE, n) &&
				kill_once(&scenarios[i], undo, FAULT_AFTER, n))
				n++;
			print_message("%s%s: killed at each of %d changes\n", scenarios[i].name,
				undo ? ", undone" : "", n - 1);
			assert_in_range(n, 2, MOST - 1);
		}
}

/* Killed after a change; then the first undo fails at each of its own.  False: there were fewer. */
static int kill_then_fail(const struct scenario *s, int n)
{
	const char *when = "undo failing after a kill at change";
	int died = 1;
	for (int m = 1, more = 1; died && more && m < MOST; m++) {
		struct upkeep_test *t = begin(s);
		char *want = state(0);
		died = killed(t, s, 0, FAULT_AFTER, n);
		if (died) {
			struct upkeep_test *other = recover(s);
			fault_on(FAULT_FAIL, m, NULL);
			upkeep_test_undo(other, s->action);
			more = fault_off() >= m;
			undo_all(other, s, when, n);
			assert_true(upkeep_test_run(other, s->action) >= 0);
			undo_all(other, s, when, n);
			state_is(want, 0, s->name, when, n);
			upkeep_test_free(other);
		}
		free(want);
		end(t);
	}
	return died;
}

static void test_failing_undo_after_a_kill(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < UPKEEP_COUNT(scenarios); i++) {
		int n = 1;
		while (is_possible(&scenarios[i]) && n < MOST && kill_then_fail(&scenarios[i], n))
			n++;
		assert_in_range(n, 1, MOST - 1);
	}
}

/* ---- swaps ---- */

#define THEIRS "somebody else's\n"

/* Names, and the actions that use them. */
static const struct {
	const char *name, *action;
} targets[] = {{"logs/a.log", ""}, {"logs/a.log.1", "rotate"}, {"logs/a.log.zst", "compress"},
	{"archive/a.log", "archive"}};
static const char *target;

/* The file goes elsewhere; another takes its name. */
static void put_other(void)
{
	rename(tree_path(target), tree_path("stolen"));
	tree_write(target, THEIRS);
}

/* ... or a link to what must not be touched. */
static void put_link(void)
{
	rename(tree_path(target), tree_path("stolen"));
	assert_int_equal(symlink(tree_path("secret/x"), tree_path(target)), 0);
}

/* ... or its directory becomes a link to another. */
static void put_dir_link(void)
{
	rename(tree_path("logs"), tree_path("stolen"));
	assert_int_equal(symlink(tree_path("secret"), tree_path("logs")), 0);
}

static int theirs_found;

static int entry_look(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	char *bytes;
	size_t size;
	(void)ftw;
	if (type != FTW_F || !S_ISREG(st->st_mode))
		return 0;
	bytes = tree_read(path + strlen(tree_root) + 1, &size);
	theirs_found += strstr(bytes, THEIRS) != NULL;
	free(bytes);
	return 0;
}

/* Nothing of ours has overwritten or removed it, though it may have been moved on, or been
 * appended, as the log that it claims to be. */
static int is_somewhere(void)
{
	theirs_found = 0;
	nftw(tree_root, entry_look, 16, FTW_PHYS);
	return theirs_found > 0;
}

static void swap_once(const struct scenario *s, void (*deed)(void), int undo, int n, int *ret_more)
{
	struct upkeep_test *t = begin(s);
	size_t size, now_size;
	struct stat secret, now;
	char *bytes = tree_read("secret/x", &size);
	assert_int_equal(stat(tree_path("secret/x"), &secret), 0);
	if (undo)
		assert_int_equal(upkeep_test_run(t, s->action), UPKEEP_CHANGED);
	fault_on(FAULT_DEED, n, deed);
	if (undo)
		upkeep_test_undo(t, s->action);
	else
		upkeep_test_run(t, s->action);
	*ret_more = fault_off() >= n;
	upkeep_test_undo(t, s->action);
	char *after = tree_read("secret/x", &now_size);
	assert_int_equal(stat(tree_path("secret/x"), &now), 0);
	if (now_size != size || memcmp(bytes, after, size) != 0 || now.st_mode != secret.st_mode ||
		now.st_ino != secret.st_ino)
		fail_msg("%s, swap at %d: what a link points to was changed", s->name, n);
	if (*ret_more && deed == put_other && !is_somewhere())
		fail_msg("%s%s, swap of %s at %d: another's file is gone", s->name,
			undo ? ", undone" : "", target, n);
	free(bytes), free(after);
	end(t);
}

static void test_swaps(void **unused)
{
	static void (*const deeds[])(void) = {put_other, put_link, put_dir_link};
	int count = 0;
	(void)unused;
	for (size_t i = 0; i < UPKEEP_COUNT(scenarios); i++)
		for (size_t k = 0; k < UPKEEP_COUNT(targets); k++)
			for (size_t d = 0; d < UPKEEP_COUNT(deeds); d++)
				for (int undo = 0; undo < 2; undo++) {
					target = targets[k].name;
					int more = is_possible(&scenarios[i]) &&
						(k == 0 ||
							(d != 2 &&
								strcmp(targets[k].action,
									scenarios[i].action) == 0));
					for (int n = 1; more && n < MOST; n++, count++)
						swap_once(&scenarios[i], deeds[d], undo, n, &more);
				}
	print_message("%d swaps\n", count);
}

/* ---- */

/* /dev/shm is another file system than the tree's. */
static int across_make(void **unused)
{
	struct stat here, there;
	char dir[] = "/dev/shm/upkeep-files-XXXXXX";
	(void)unused;
	journal = mmap(
		NULL, sizeof *journal, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (journal == MAP_FAILED || stat("/var/tmp", &here) < 0)
		return -1;
	if (stat("/dev/shm", &there) == 0 && here.st_dev != there.st_dev && mkdtemp(dir))
		snprintf(across, sizeof across, "%s", dir);
	return 0;
}

static int across_remove(void **unused)
{
	(void)unused;
	if (across[0])
		rmdir(across);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_failures),
		cmocka_unit_test(test_kills), cmocka_unit_test(test_failing_undo_after_a_kill),
		cmocka_unit_test(test_swaps)};
	return !!cmocka_run_group_tests(tests, across_make, across_remove);
}
