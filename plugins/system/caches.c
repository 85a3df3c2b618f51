/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "actions.h"
#include "proc.h"
#include "support/cleanup.h"

static const char *what_number(const char *what)
{
	return strcmp(what, "pages") == 0 ? "1\n" : strcmp(what, "slab") == 0 ? "2\n" : "3\n";
}

int32_t caches_plan(struct upkeep_ctx *ctx)
{
	const struct caches_args *args = ctx->args;
	upkeep_would(ctx, NULL, "write what is unwritten, then drop the kernel's caches (%s)",
		args->what);
	return UPKEEP_CHANGED;
}

int32_t caches_run(struct upkeep_ctx *ctx)
{
	const struct caches_args *args = ctx->args;
	const struct system_settings *settings = ctx->settings;
	struct proc_memory before = {0}, after = {0};
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/sys/vm/drop_caches", settings->proc);
	proc_memory(settings->proc, &before);
	sync();
	CLEANUP_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, what_number(args->what), 2) != 2)
		return upkeep_fail(ctx, UPKEEP_FAILED, "run the task as root", strerror(errno),
			"cannot drop the kernel's caches by \"%s\"", path);
	proc_memory(settings->proc, &after);
	upkeep_output_int(ctx, "freed",
		before.cached_bytes > after.cached_bytes
			? (int64_t)(before.cached_bytes - after.cached_bytes)
			: 0);
	return UPKEEP_CHANGED;
}
