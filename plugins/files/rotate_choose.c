/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <unistd.h>

#include "collapse.h"
#include "rotate.h"
#include "support/cleanup.h"
#include "writers.h"

void rotate_reopen(const struct rotate_args *args, struct reopen *ret_reopen, char names[1024])
{
	size_t at = 0;
	names[0] = 0;
	for (size_t i = 0; i < args->processes.count && at < 1000; i++)
		at += (size_t)snprintf(
			names + at, 1024 - at, "%s%s", i ? "," : "", args->processes.items[i]);
	*ret_reopen = (struct reopen){args->signal, args->pid_file, names};
}

static int32_t choose_fail(
	struct upkeep_ctx *ctx, const struct walk_file *file, int pid, const char *name)
{
	const char *next = "give `signal` and `pid_file` or `processes`; or accept that lines are "
			   "lost: method = \"copy\"";
	if (pid == 0)
		return upkeep_fail(ctx, UPKEEP_FAILED, next,
			"a process that this user may not look into could write to it",
			"cannot rotate \"%s/%s\" without losing lines", file->dir, file->name);
	return upkeep_fail(ctx, UPKEEP_FAILED, next,
		"it writes to it without O_APPEND and nothing says how to tell it to reopen",
		"cannot rotate \"%s/%s\" without losing lines of process %d (%s)", file->dir,
		file->name, pid, name);
}

static int32_t rename_fail(struct upkeep_ctx *ctx, const struct walk_file *file)
{
	return upkeep_fail(ctx, UPKEEP_FAILED, "give `signal` and `pid_file` or `processes`",
		"a process has it open for writing and nothing says how to tell it to reopen",
		"cannot rotate \"%s/%s\" by renaming it", file->dir, file->name);
}

static int32_t cut_or_fail(struct upkeep_ctx *ctx, const struct walk_file *file)
{
	int pid;
	char name[20];
	if (collapse_all_append(file->dev, file->ino, &pid, name))
		return ROTATE_COLLAPSE;
	return choose_fail(ctx, file, pid, name);
}

int32_t rotate_choose(struct upkeep_ctx *ctx, int dir_fd, const struct walk_file *file,
	struct rotate_step *ret_step)
{
	const struct rotate_args *args = ctx->args;
	struct reopen reopen;
	struct stat st;
	char names[1024];
	int unsure = 0;
	rotate_reopen(args, &reopen, names);
	CLEANUP_FD int fd = walk_open_file(dir_fd, file, O_RDONLY, &st);
	if (fd < 0)
		return PLACE_SKIPPED;
	*ret_step = (struct rotate_step){.file = file, .method = ROTATE_RENAME};
	ret_step->written = writers_any(fd, &unsure);
	int32_t r = ROTATE_RENAME;
	if (strcmp(args->method, "copy") == 0)
		r = ROTATE_COPY;
	else if (strcmp(args->method, "collapse") == 0)
		r = cut_or_fail(ctx, file);
	else if (ret_step->written && !reopen_possible(&reopen))
		r = strcmp(args->method, "rename") == 0 ? rename_fail(ctx, file)
							: cut_or_fail(ctx, file);
	if (r < 0)
		return r;
	ret_step->method = (enum rotate_method)r;
	return 0;
}
