/* SPDX-License-Identifier: MIT */
#include "backup/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/cleanup.h"

/* File systems without O_TMPFILE: a name that is gone at once. */
static int make_named(const char *dir)
{
	CLEANUP_FREE char *path = fault_format("%s/.upkeep-spool-XXXXXX", dir);
	int fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

int spool_open(struct upkeep_ctx *ctx, const char *dir, struct fault *fault)
{
	const char *place = dir;
	int r = dir ? 0 : ctx->host->temp_dir(ctx, &place);
	if (r < 0)
		return fault_set(
			fault, r, NULL, "the task has no temporary directory: %s", strerror(-r));
	int fd = open(place, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR))
		fd = make_named(place);
	return fd < 0 ? fault_set(fault, -errno, "correct `spool`, or make that directory",
				"cannot make a file in \"%s\": %m", place)
		      : fd;
}
