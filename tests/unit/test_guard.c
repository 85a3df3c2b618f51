/* SPDX-License-Identifier: MIT */
/* The guard's file: one state, one winner, and what is no such file. */
#include "../unit.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "undo/guard.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define TASK 7
#define FILE_NAME "guard.7"
/* Where the file has what, for those who damage it. */
enum { AT_MAGIC = 0, AT_STATE = 8, AT_START = 16, AT_BOOT = 32 };

struct context {
	char path[64];
	int dir;
	struct guard guard;
};

static int set_up_in(void **state, const char *where)
{
	struct context *c = calloc(1, sizeof *c);

	snprintf(c->path, sizeof c->path, "%s/upkeep-test-XXXXXX", where);
	if (!mkdtemp(c->path))
		return -1;
	c->dir = open(c->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	c->guard = (struct guard){.fd = -1};
	*state = c;
	return guard_make(c->dir, TASK, getpid(), clock_monotonic_ms() + 60000, &c->guard, NULL);
}

static int set_up(void **state)
{
	return set_up_in(state, "/tmp");
}

/* The race is about memory, not about how fast a disk syncs. */
static int set_up_in_memory(void **state)
{
	return set_up_in(state, access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
}

static int tear_down(void **state)
{
	struct context *c = *state;

	guard_close(&c->guard);
	close(c->dir);
	file_remove_tree(AT_FDCWD, c->path, NULL);
	free(c);
	return 0;
}

static void damage(struct context *c, off_t at, const void *bytes, size_t size)
{
	assert_int_equal(pwrite(c->guard.fd, bytes, size, at), size);
}

static int open_again(struct context *c)
{
	struct guard guard;
	int r = guard_open(c->dir, TASK, &guard);

	if (r == 0)
		guard_close(&guard);
	return r;
}

static void test_made(void **state)
{
	struct context *c = *state;
	struct guard other;
	struct stat st;

	assert_int_equal(guard_open(c->dir, TASK, &other), 0);
	assert_int_equal(guard_state(&other), GUARD_ARMED);
	assert_true(guard_is_open(&other));
	assert_true(guard_is_alive(&other));
	assert_false(guard_is_late(&other));
	assert_false(guard_is_abandoned(&other));
	assert_int_equal(guard_deadline_ms(&other), guard_deadline_ms(&c->guard));
	fstat(other.fd, &st);
	assert_int_equal(st.st_mode & 07777, 0600);
	guard_close(&other);
	assert_int_equal(guard_open(c->dir, TASK + 1, &other), -ENOENT);
}

static void test_made_again(void **state)
{
	struct context *c = *state;
	struct guard next = {.fd = -1};

	assert_true(guard_decide(&c->guard, GUARD_DISARMED));
	assert_int_equal(guard_make(c->dir, TASK, getpid(), 1, &next, NULL), 0);
	assert_int_equal(guard_state(&next), GUARD_ARMED);
	assert_int_equal(guard_state(&c->guard), GUARD_DISARMED);
	guard_close(&next);
}

static void test_cannot_be_made(void **state)
{
	struct context *c = *state;
	struct guard guard;
	CLEANUP_ERROR struct error err = {0};
	int nowhere = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)c;
	assert_true(guard_make(nowhere, TASK, getpid(), 1, &guard, &err) < 0);
	assert_non_null(strstr(error_what(&err), "cannot make the guard's file guard.7: "));
	assert_int_equal(guard.fd, -1);
	close(nowhere);
}

static void test_changes(void **state)
{
	struct context *c = *state;
	struct guard other;

	assert_int_equal(guard_open(c->dir, TASK, &other), 0);
	assert_false(guard_change(&other, GUARD_WAITING, GUARD_CONFIRMED));
	assert_true(guard_change(&c->guard, GUARD_ARMED, GUARD_WAITING));
	assert_false(guard_change(&c->guard, GUARD_ARMED, GUARD_WAITING));
	assert_true(guard_is_open(&other));
	assert_true(guard_change(&other, GUARD_WAITING, GUARD_CONFIRMED));
	assert_int_equal(guard_state(&c->guard), GUARD_CONFIRMED);
	assert_false(guard_is_open(&c->guard));
	assert_false(guard_decide(&c->guard, GUARD_EXPIRED));
	assert_int_equal(guard_state(&other), GUARD_CONFIRMED);
	guard_close(&other);
}

static void test_decides(void **state)
{
	struct context *c = *state;

	assert_true(guard_decide(&c->guard, GUARD_EXPIRED));
	assert_false(guard_decide(&c->guard, GUARD_DISARMED));
	assert_true(guard_change(&c->guard, GUARD_EXPIRED, GUARD_UNDONE));
	assert_int_equal(guard_state(&c->guard), GUARD_UNDONE);
}

/* What another process changed is seen by all, and is in the file. */
static void test_shared(void **state)
{
	struct context *c = *state;
	uint32_t in_file = 0;

	pid_t pid = fork();
	if (pid == 0)
		_exit(guard_decide(&c->guard, GUARD_EXPIRED) ? 0 : 1);
	int status = 1;
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(guard_state(&c->guard), GUARD_EXPIRED);
	assert_int_equal(pread(c->guard.fd, &in_file, sizeof in_file, AT_STATE), sizeof in_file);
	assert_int_equal(in_file, GUARD_EXPIRED);
}

static void test_damaged(void **state)
{
	struct context *c = *state;
	const uint32_t states[] = {0, GUARD_WAITING + 1, UINT32_MAX}, armed = GUARD_ARMED;
	const uint64_t magic = 1;
	struct stat st;

	for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
		damage(c, AT_STATE, &states[i], sizeof states[i]);
		assert_int_equal(open_again(c), -EBADMSG);
	}
	damage(c, AT_STATE, &armed, sizeof armed);
	assert_int_equal(open_again(c), 0);
	fstat(c->guard.fd, &st);
	assert_int_equal(ftruncate(c->guard.fd, st.st_size + 1), 0);
	assert_int_equal(open_again(c), -EBADMSG);
	assert_int_equal(ftruncate(c->guard.fd, st.st_size - 1), 0);
	assert_int_equal(open_again(c), -EBADMSG);
	assert_int_equal(ftruncate(c->guard.fd, st.st_size), 0);
	damage(c, AT_MAGIC, &magic, sizeof magic);
	assert_int_equal(open_again(c), -EBADMSG);
	assert_int_equal(ftruncate(c->guard.fd, 0), 0);
	assert_int_equal(open_again(c), -EBADMSG);
}

static void test_no_file(void **state)
{
	struct context *c = *state;

	assert_int_equal(renameat(c->dir, FILE_NAME, c->dir, "other"), 0);
	assert_int_equal(symlinkat("other", c->dir, FILE_NAME), 0);
	assert_int_equal(open_again(c), -EBADMSG);
	unlinkat(c->dir, FILE_NAME, 0);
	assert_int_equal(mkfifoat(c->dir, FILE_NAME, 0600), 0);
	assert_int_equal(open_again(c), -EBADMSG);
	unlinkat(c->dir, FILE_NAME, 0);
	assert_int_equal(mkdirat(c->dir, FILE_NAME, 0700), 0);
	assert_true(open_again(c) < 0);
}

/* A reboot ends the time of a guard, however far its deadline was. */
static void test_other_boot(void **state)
{
	struct context *c = *state;

	damage(c, AT_BOOT, "00000000-0000", 13);
	assert_false(guard_is_alive(&c->guard));
	assert_true(guard_is_late(&c->guard));
	assert_true(guard_is_abandoned(&c->guard));
	assert_true(guard_is_open(&c->guard));
}

static void test_dead_process(void **state)
{
	struct context *c = *state;
	struct guard guard = {.fd = -1};
	siginfo_t info;

	pid_t pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	assert_int_equal(
		guard_make(c->dir, TASK, pid, clock_monotonic_ms() + 60000, &guard, NULL), 0);
	assert_true(guard_is_alive(&guard));
	kill(pid, SIGKILL);
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	assert_false(guard_is_alive(&guard)); /* nobody has reaped it yet */
	waitpid(pid, NULL, 0);
	assert_false(guard_is_alive(&guard));
	assert_true(guard_is_abandoned(&guard));
	assert_false(guard_is_late(&guard));
	guard_close(&guard);
}

/* Another process has its number now. */
static void test_number_again(void **state)
{
	struct context *c = *state;
	const uint64_t start = 1;

	damage(c, AT_START, &start, sizeof start);
	assert_false(guard_is_alive(&c->guard));
}

static void test_hangs(void **state)
{
	struct context *c = *state;
	struct guard guard = {.fd = -1};

	guard_make(c->dir, TASK, getpid(), clock_monotonic_ms() - 1000, &guard, NULL);
	assert_true(guard_is_late(&guard));
	assert_false(guard_is_abandoned(&guard));
	guard_close(&guard);
	guard_make(c->dir, TASK, getpid(), clock_monotonic_ms() - 10001, &guard, NULL);
	assert_true(guard_is_alive(&guard));
	assert_true(guard_is_abandoned(&guard));
	guard_decide(&guard, GUARD_EXPIRED); /* it undoes, as long as it takes */
	assert_false(guard_is_abandoned(&guard));
	guard_close(&guard);
}

/* ---- the race ---- */

struct course {
	_Atomic uint32_t round; /* the second runner goes when it changes */
	_Atomic uint32_t done;
	_Atomic int second; /* has won */
};

static void wait_until(_Atomic uint32_t *counter, uint32_t value)
{
	for (uint32_t n = 1; atomic_load(counter) != value; n++)
		if (n % 1024 == 0)
			sched_yield();
}

static void run_second(struct course *course, struct guard *guard, uint32_t rounds)
{
	for (uint32_t i = 1; i <= rounds; i++) {
		wait_until(&course->round, i);
		atomic_store(&course->second, guard_decide(guard, GUARD_EXPIRED));
		atomic_store(&course->done, i);
	}
	_exit(0);
}

/* Now one, now the other is a little late, so that both win at times. */
static void dally(uint32_t i)
{
	for (volatile uint32_t n = i % 97 * 10; n; n--)
		;
}

/* A person's yes in the last moment: one of the two counts, and the file says which. */
static void test_race(void **state)
{
	struct context *c = *state;
	uint32_t rounds = getenv("UPKEEP_LONG") ? 100000 : 3000, confirmed = 0, expired = 0;
	struct course *course = mmap(
		NULL, sizeof *course, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, c->guard.fd, 0);
	_Atomic uint32_t *raw = (_Atomic uint32_t *)(page + AT_STATE);

	pid_t pid = fork();
	if (pid == 0)
		run_second(course, &c->guard, rounds);
	for (uint32_t i = 1; i <= rounds; i++) {
		atomic_store(raw, i % 2 ? GUARD_WAITING : GUARD_ARMED);
		atomic_store(&course->round, i);
		dally(i);
		bool first = i % 2 ? guard_change(&c->guard, GUARD_WAITING, GUARD_CONFIRMED)
				   : guard_decide(&c->guard, GUARD_DISARMED);
		wait_until(&course->done, i);
		bool second = atomic_load(&course->second);
		if (first == second)
			fail_msg("round %u: %s", i, first ? "both have won" : "nobody has won");
		enum guard_state wanted = second ? GUARD_EXPIRED
			: i % 2                  ? GUARD_CONFIRMED
						 : GUARD_DISARMED;
		assert_int_equal(guard_state(&c->guard), wanted);
		confirmed += first;
		expired += second;
	}
	waitpid(pid, NULL, 0);
	print_message("confirmed %u, expired %u\n", confirmed, expired);
	munmap(page, 4096);
	munmap(course, sizeof *course);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_made),
		TEST(test_made_again),
		TEST(test_cannot_be_made),
		TEST(test_changes),
		TEST(test_decides),
		TEST(test_shared),
		TEST(test_damaged),
		TEST(test_no_file),
		TEST(test_other_boot),
		TEST(test_dead_process),
		TEST(test_number_again),
		TEST(test_hangs),
		cmocka_unit_test_setup_teardown(test_race, set_up_in_memory, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
