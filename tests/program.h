/* SPDX-License-Identifier: MIT */
/* The built upkeep, for tests that start it as another user. */
#ifndef UPKEEP_TESTS_PROGRAM_H
#define UPKEEP_TESTS_PROGRAM_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

static char program_path[] = "/tmp/upkeep-program-XXXXXX";
static pid_t program_owner;

static inline void program_remove(void)
{
	if (getpid() == program_owner)
		unlink(program_path);
}

/* A copy of it, made at the first call and gone at exit: the directories above the built one may
 * be closed to other users, as root's home is. */
static inline const char *program_copy(const char *built)
{
	struct stat st;

	if (program_owner)
		return program_path;
	int from = open(built, O_RDONLY | O_CLOEXEC), to = mkstemp(program_path);
	if (from < 0 || to < 0 || fstat(from, &st) < 0 || fchmod(to, 0755) < 0 ||
		sendfile(to, from, NULL, (size_t)st.st_size) != st.st_size) {
		perror(built);
		exit(99);
	}
	close(from);
	close(to);
	program_owner = getpid();
	atexit(program_remove);
	return program_path;
}

#endif
