/* SPDX-License-Identifier: MIT */
#include "support/store-lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/cleanup.h"
#include "support/fault.h"

#define LOCK_NAME ".lock"
#define NOTES_MAX 16384

/* Whether the process holds a lock of the inode, by the kernel's own list. */
static bool is_holding(long pid, uint64_t inode)
{
	char line[256];
	FILE *locks = fopen("/proc/locks", "re");
	bool found = false;
	while (locks && !found && fgets(line, sizeof line, locks)) {
		long owner;
		unsigned long long number;
		found = sscanf(line, "%*d: FLOCK %*s %*s %ld %*x:%*x:%llu", &owner, &number) == 2 &&
			owner == pid && number == inode;
	}
	if (locks)
		fclose(locks);
	return found;
}

/* Each holder has added a line "PID what it is". */
static char *find_holder(int fd)
{
	char notes[NOTES_MAX + 1], *save = NULL;
	struct stat st;
	ssize_t size = pread(fd, notes, NOTES_MAX, 0);
	notes[size > 0 ? size : 0] = 0;
	if (fstat(fd, &st) == 0)
		for (char *line = strtok_r(notes, "\n", &save); line;
			line = strtok_r(NULL, "\n", &save)) {
			char *who;
			long pid = strtol(line, &who, 10);
			if (*who == ' ' && is_holding(pid, st.st_ino))
				return fault_format("%s (process %ld)", who + 1, pid);
		}
	return fault_format("another program");
}

/* Only for people: the lock holds without it. */
static void add_note(int fd, bool alone, const char *who)
{
	CLEANUP_FREE char *line = fault_format("%ld %s\n", (long)getpid(), who);
	struct stat st;
	if (fstat(fd, &st) < 0)
		return;
	if ((alone && st.st_size > 0) || st.st_size + (off_t)strlen(line) > NOTES_MAX)
		(void)!ftruncate(fd, 0);
	(void)!write(fd, line, strlen(line));
}

int store_lock(int dir, int *fd, bool alone, const char *who, char **ret_holder)
{
	if (*fd < 0)
		*fd = openat(
			dir, LOCK_NAME, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (*fd < 0)
		return errno == EROFS && !alone ? 0 : -errno; /* nobody can write it */
	if (flock(*fd, (alone ? LOCK_EX : LOCK_SH) | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return -errno;
		*ret_holder = find_holder(*fd);
		return -EBUSY;
	}
	add_note(*fd, alone, who);
	return 0;
}
