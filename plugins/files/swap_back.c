/* SPDX-License-Identifier: MIT */
#include "swap_back.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reopen.h"
#include "support/beneath.h"
#include "support/cleanup.h"
#include "support/write.h"
#include "writers.h"

#define WAIT_MS 30000
#define BUFFER_BYTES 65536

static int aside_name(char aside[NAME_MAX + 1], const struct record *r)
{
	int n = snprintf(aside, NAME_MAX + 1, ".upkeep-aside-%s", r->from_name);
	return n > NAME_MAX ? -ENAMETOOLONG : 0;
}

static int32_t swap_fail(struct upkeep_ctx *ctx, const struct record *r, int code)
{
	return upkeep_fail(ctx, UPKEEP_FAILED, "upkeep show RUN", strerror(-code),
		"cannot put \"%s/%s\" back in the place of the file that follows it", r->from_dir,
		r->from_name);
}

static int append(int new_fd, int old_fd)
{
	CLEANUP_FREE char *buffer = malloc(BUFFER_BYTES);
	if (!buffer)
		return -ENOMEM;
	for (;;) {
		ssize_t n = read(new_fd, buffer, BUFFER_BYTES);
		if (n <= 0)
			return n < 0 ? -errno : fsync(old_fd) < 0 ? -errno : 0;
		int r = write_all(old_fd, buffer, (size_t)n);
		if (r < 0)
			return r;
	}
}

static int32_t writers_leave(struct upkeep_ctx *ctx, const struct record *r, int new_fd)
{
	struct reopen reopen = {r->signal, r->pid_file, r->processes};
	int unsure;
	if (!writers_any(new_fd, &unsure))
		return 0;
	int32_t result = reopen_possible(&reopen) ? reopen_tell(ctx, &reopen) : 0;
	return result < 0 ? result : reopen_wait(ctx, new_fd, r->from_dir, WAIT_MS);
}

int32_t swap_back_finish(struct upkeep_ctx *ctx, const struct record *r, int from_dir)
{
	char aside[NAME_MAX + 1];
	struct stat st;
	if (strcmp(r->format, "log") != 0 || aside_name(aside, r) < 0)
		return 0;
	CLEANUP_FD int new_fd = beneath_open_file(from_dir, aside, O_RDONLY, &st);
	if (new_fd == -ENOENT)
		return 0;
	if (new_fd < 0)
		return swap_fail(ctx, r, new_fd);
	int32_t result = writers_leave(ctx, r, new_fd);
	if (result < 0)
		return result;
	CLEANUP_FD int old_fd = beneath_open_file(from_dir, r->from_name, O_WRONLY | O_APPEND, &st);
	int code = old_fd < 0 ? old_fd : append(new_fd, old_fd);
	if (code == 0 && unlinkat(from_dir, aside, 0) < 0)
		code = -errno;
	return code < 0 ? swap_fail(ctx, r, code) : 0;
}

int32_t swap_back(struct upkeep_ctx *ctx, const struct record *r, int from_dir, int to_dir)
{
	char aside[NAME_MAX + 1];
	int code = aside_name(aside, r);
	if (code == 0 && renameat2(from_dir, r->from_name, from_dir, aside, RENAME_NOREPLACE) < 0)
		code = -errno;
	if (code == 0 &&
		renameat2(to_dir, r->to_name, from_dir, r->from_name, RENAME_NOREPLACE) < 0) {
		code = -errno;
		renameat2(from_dir, aside, from_dir, r->from_name, RENAME_NOREPLACE);
	}
	return code < 0 ? swap_fail(ctx, r, code) : swap_back_finish(ctx, r, from_dir);
}
