/* SPDX-License-Identifier: MIT */
#include "undo/guard.h"

#include "base/boot.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#define MAGIC 0x756b67756172642eu /* "ukguard." */
#define NAME_SIZE 32
#define HANGS_MS 10000 /* after its deadline */

struct guard_page {
	uint64_t magic;
	_Atomic uint32_t state;
	int32_t pid;
	uint64_t pid_start; /* clock ticks since boot */
	int64_t deadline_ms;
	char boot[BOOT_ID_SIZE];
};

static void name_file(char name[static NAME_SIZE], uint32_t task)
{
	snprintf(name, NAME_SIZE, "guard.%u", task);
}

static int map(struct guard *guard)
{
	void *page =
		mmap(NULL, sizeof *guard->page, PROT_READ | PROT_WRITE, MAP_SHARED, guard->fd, 0);

	if (page == MAP_FAILED)
		return -errno;
	guard->page = page;
	return 0;
}

/* The space is there before the task starts: no later change can find the disk full. */
static int prepare(int run_dir, const char *name, struct guard_page *page, struct guard *ret)
{
	CLEANUP_FD int fd =
		openat(run_dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 || file_write(fd, page, sizeof *page) < 0 || fsync(fd) < 0 || fsync(run_dir) < 0)
		return -errno;
	ret->fd = TAKE_FD(fd);
	return map(ret);
}

int guard_make(int run_dir, uint32_t task, pid_t pid, int64_t deadline_ms, struct guard *ret,
	struct error *err)
{
	struct guard_page page = {.magic = MAGIC,
		.state = GUARD_ARMED,
		.pid = pid,
		.pid_start = process_start_ticks(pid),
		.deadline_ms = deadline_ms};
	char name[NAME_SIZE];

	name_file(name, task);
	boot_id(page.boot);
	*ret = (struct guard){.fd = -1};
	unlinkat(run_dir, name, 0); /* of an earlier attempt, whose guard has ended */
	int r = prepare(run_dir, name, &page, ret);
	if (r < 0) {
		guard_close(ret);
		errno = -r;
		return error_set(err, r, NULL, "cannot make the guard's file %s: %m", name);
	}
	return 0;
}

static bool is_sound(const struct guard *guard)
{
	enum guard_state state = guard_state(guard);

	return guard->page->magic == MAGIC && state >= GUARD_ARMED && state <= GUARD_WAITING;
}

int guard_open(int run_dir, uint32_t task, struct guard *ret)
{
	char name[NAME_SIZE];
	struct stat st;

	name_file(name, task);
	*ret = (struct guard){
		.fd = openat(run_dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
	if (ret->fd < 0)
		return errno == ELOOP ? -EBADMSG : -errno;
	bool fits = fstat(ret->fd, &st) == 0 && S_ISREG(st.st_mode) &&
		st.st_size == (off_t)sizeof *ret->page;
	int r = fits ? map(ret) : -EBADMSG;
	if (r == 0 && !is_sound(ret))
		r = -EBADMSG;
	if (r < 0)
		guard_close(ret);
	return r;
}

void guard_close(struct guard *guard)
{
	if (guard->page)
		munmap(guard->page, sizeof *guard->page);
	if (guard->fd >= 0)
		close(guard->fd);
	*guard = (struct guard){.fd = -1};
}

enum guard_state guard_state(const struct guard *guard)
{
	return (enum guard_state)atomic_load(&guard->page->state);
}

bool guard_is_open(const struct guard *guard)
{
	enum guard_state state = guard_state(guard);

	return state == GUARD_ARMED || state == GUARD_WAITING;
}

int64_t guard_deadline_ms(const struct guard *guard)
{
	return guard->page->deadline_ms;
}

static bool is_of_this_boot(const struct guard *guard)
{
	char boot[BOOT_ID_SIZE];

	boot_id(boot);
	return strncmp(boot, guard->page->boot, sizeof boot) == 0;
}

bool guard_is_late(const struct guard *guard)
{
	return !is_of_this_boot(guard) || clock_monotonic_ms() >= guard->page->deadline_ms;
}

bool guard_is_alive(const struct guard *guard)
{
	return is_of_this_boot(guard) &&
		process_start_ticks(guard->page->pid) == guard->page->pid_start &&
		guard->page->pid_start != 0;
}

bool guard_is_abandoned(const struct guard *guard)
{
	return !guard_is_alive(guard) ||
		(guard_is_open(guard) &&
			clock_monotonic_ms() >= guard->page->deadline_ms + HANGS_MS);
}

bool guard_change(struct guard *guard, enum guard_state from, enum guard_state to)
{
	uint32_t expected = from;

	if (!atomic_compare_exchange_strong(&guard->page->state, &expected, to))
		return false;
	if (msync(guard->page, sizeof *guard->page, MS_SYNC) < 0 || fdatasync(guard->fd) < 0)
		errno = 0; /* it counts all the same: the disk may be gone, the host lives */
	return true;
}

/* Between the two open states it only goes forward. */
bool guard_decide(struct guard *guard, enum guard_state to)
{
	return guard_change(guard, GUARD_ARMED, to) || guard_change(guard, GUARD_WAITING, to);
}
