/* SPDX-License-Identifier: MIT */
#include "keeper/alive.h"

#include "base/boot.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "journal/journal.h"
#include "run/children.h"
#include "run/run.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <time.h>

#define LOOKS 50
#define ORPHAN_LOOKS 100
#define ORPHAN_PAUSE_NS 10000000 /* so for a second */

/* A reader that asks whether we live holds it for a moment. */
static int flock_exclusive(int fd)
{
	int r;

	for (int i = 0; (r = flock(fd, LOCK_EX | LOCK_NB)) < 0 && errno == EWOULDBLOCK && i < LOOKS;
		i++)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	return r;
}

/* Who holds it, and in which boot the journal is to be believed that nothing more has begun. */
static int write_lock(int fd, const char *boot, struct error *err)
{
	char text[128];
	int n = snprintf(text, sizeof text, "%d %" PRIu64 " %s\n", (int)getpid(),
		process_start_ticks(getpid()), boot);

	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) < 0)
		return error_set(err, -errno, NULL, "cannot write the run's lock: %m");
	return 0;
}

/* False where it does not say: it is new, or did not get to the disk. */
static bool read_boot(int fd, char boot[static BOOT_ID_SIZE])
{
	char text[128], *word;
	ssize_t n = pread(fd, text, sizeof text - 1, 0);

	text[n < 0 ? 0 : n] = 0;
	word = strrchr(text, ' ');
	if (word)
		snprintf(boot, BOOT_ID_SIZE, "%.*s", (int)strcspn(word + 1, "\n"), word + 1);
	return word;
}

int alive_lock(int run_dir, bool *ret_rebooted, struct error *err)
{
	char boot[BOOT_ID_SIZE], now[BOOT_ID_SIZE];
	CLEANUP_FD int fd = openat(run_dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || flock_exclusive(fd) < 0)
		return error_set(err, -errno, NULL, "cannot take the run's lock: %m");
	boot_id(now);
	bool says = read_boot(fd, boot);
	*ret_rebooted = !says || strcmp(boot, now) != 0;
	int r = write_lock(fd, says ? boot : now, err);
	return r < 0 ? r : TAKE_FD(fd);
}

void alive_believe(int lock)
{
	char boot[BOOT_ID_SIZE];

	boot_id(boot);
	write_lock(lock, boot, NULL);
}

static int not_alive(const char *id, struct error *err)
{
	return error_set(err, -ESRCH, "upkeep history", "run %s is not running", id);
}

/* Who took the lock, as it says; false where it does not. */
static bool read_keeper(int fd, int *ret_pid, uint64_t *ret_start)
{
	char text[128];
	ssize_t n = pread(fd, text, sizeof text - 1, 0);

	text[n < 0 ? 0 : n] = 0;
	return sscanf(text, "%d %" SCNu64, ret_pid, ret_start) == 2;
}

static bool keeper_has_ended(int fd)
{
	char stat[512];
	uint64_t start;
	int pid;

	if (!read_keeper(fd, &pid, &start))
		return false;
	ssize_t n = process_read(pid, "stat", stat, sizeof stat);
	const char *state = n > 0 ? strrchr(stat, ')') : NULL;
	return process_start_ticks(pid) != start || (state && strncmp(state, ") Z", 3) == 0);
}

/* 0: nobody holds it.  An engine without its keeper holds it while it is being killed, or while it
 * undoes: which of the two shows soon. */
static int await_free(int fd)
{
	int r;

	for (int i = 0; (r = flock(fd, LOCK_SH | LOCK_NB)) < 0 && errno == EWOULDBLOCK &&
		i < ORPHAN_LOOKS && keeper_has_ended(fd);
		i++)
		nanosleep(&(struct timespec){.tv_nsec = ORPHAN_PAUSE_NS}, NULL);
	return r < 0 && errno == EWOULDBLOCK ? -EWOULDBLOCK : 0;
}

/* The lock's file, held by somebody; -ESRCH: by nobody. */
static int lock_look(const char *state_dir, const char *id, struct text *path)
{
	char dir[JOURNAL_PATH_SIZE];

	journal_run_dir(dir, id);
	text_addf(path, "%s/%s/lock", state_dir, dir);
	CLEANUP_FD int fd = open(text_string(path), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	if (await_free(fd) == 0)
		return -ESRCH;
	return TAKE_FD(fd);
}

bool run_lives(const char *state_dir, const char *id)
{
	CLEANUP_TEXT struct text path = {0};
	CLEANUP_FD int fd = lock_look(state_dir, id, &path);

	return fd != -ESRCH;
}

int run_cancel(const char *state_dir, const char *id, struct error *err)
{
	CLEANUP_TEXT struct text path = {0};
	uint64_t start;
	int pid;

	CLEANUP_FD int fd = lock_look(state_dir, id, &path);
	if (fd == -ESRCH)
		return not_alive(id, err);
	if (fd < 0)
		return error_set(
			err, fd, NULL, "cannot open %s: %s", text_string(&path), strerror(-fd));
	if (!read_keeper(fd, &pid, &start))
		return not_alive(id, err);
	/* By descriptor: between the look and the signal the number could change hands. */
	CLEANUP_FD int process = (int)syscall(SYS_pidfd_open, pid, 0);
	if (process < 0 || process_start_ticks(pid) != start)
		return not_alive(id, err);
	if (syscall(SYS_pidfd_send_signal, process, SIGTERM, NULL, 0) < 0)
		return error_set(err, -errno, NULL, "cannot signal the keeper of run %s: %m", id);
	return 0;
}
