/* SPDX-License-Identifier: MIT */
#include "disks.h"

#include <limits.h>

#include "actions.h"
#include "support/cleanup.h"
#include "support/mounts.h"

static void mount_row(struct upkeep_ctx *ctx, const char *path, const struct mount *m,
	const struct mount_space *s)
{
	char total[24], used[24], available[24], percent[24], inodes[24];
	snprintf(total, sizeof total, "%llu", (unsigned long long)s->total_bytes);
	snprintf(used, sizeof used, "%llu", (unsigned long long)s->used_bytes);
	snprintf(available, sizeof available, "%llu", (unsigned long long)s->free_bytes);
	snprintf(percent, sizeof percent, "%.1f", s->used_percent);
	snprintf(inodes, sizeof inodes, "%.1f", s->inodes_percent);
	const struct upkeep_cell cells[] = {
		{.name = "mount", .value = path, .type = UPKEEP_PATH},
		{.name = "type", .value = m ? m->type : "", .type = UPKEEP_STRING},
		{.name = "size", .value = total, .type = UPKEEP_SIZE},
		{.name = "used", .value = used, .type = UPKEEP_SIZE},
		{.name = "free", .value = available, .type = UPKEEP_SIZE},
		{.name = "percent", .value = percent, .type = UPKEEP_PERCENT},
		{.name = "inodes", .value = inodes, .type = UPKEEP_PERCENT},
	};
	upkeep_row(ctx, "mounts", cells);
}

static void disk_judge(struct figures *figures, const char *path, const struct mount *m,
	const struct disks_limits *limits)
{
	struct mount_space space;
	char what[PATH_MAX + 32];
	int r = mount_space(path, limits->timeout_ms, &space);
	if (r < 0) {
		snprintf(what, sizeof what, "mount %s", path);
		figure_fault(figures, what, r == -ETIMEDOUT ? "does not answer" : strerror(-r));
		return;
	}
	if (space.total_bytes == 0)
		return;
	mount_row(figures->ctx, path, m, &space);
	snprintf(what, sizeof what, "disk used on %s", path);
	figure_judge(figures, what, space.used_percent, "%", limits->warn, limits->crit);
	snprintf(what, sizeof what, "inodes used on %s", path);
	if (limits->inodes_crit > 0 || limits->inodes_warn > 0)
		figure_judge(figures, what, space.inodes_percent, "%", limits->inodes_warn,
			limits->inodes_crit);
}

/* A file system that is mounted in several places is looked at once. */
static int is_first(const struct mounts *mounts, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (strcmp(mounts->items[i].number, mounts->items[at].number) == 0 &&
			mount_is_storage(&mounts->items[i]))
			return 0;
	return 1;
}

int32_t disks_judge(struct figures *figures, const struct upkeep_strings *paths,
	const struct disks_limits *limits)
{
	const struct system_settings *settings = figures->ctx->settings;
	CLEANUP_MOUNTS struct mounts mounts = {0};
	char path[PATH_MAX];
	for (size_t i = 0; i < paths->count; i++)
		disk_judge(figures, paths->items[i], NULL, limits);
	if (paths->count)
		return 0;
	snprintf(path, sizeof path, "%s/self/mountinfo", settings->proc);
	int r = mounts_read(path, &mounts);
	if (r < 0)
		return upkeep_fail(figures->ctx, UPKEEP_FAILED, NULL, strerror(-r),
			"cannot read \"%s\"", path);
	for (size_t i = 0; i < mounts.count; i++)
		if (mount_is_storage(&mounts.items[i]) && is_first(&mounts, i))
			disk_judge(figures, mounts.items[i].path, &mounts.items[i], limits);
	return 0;
}

int32_t mounts_run(struct upkeep_ctx *ctx)
{
	const struct mounts_args *args = ctx->args;
	struct figures figures = {.ctx = ctx};
	const struct disks_limits limits = {
		.warn = args->warn, .crit = args->crit, .timeout_ms = args->mount_timeout};
	int32_t r = disks_judge(&figures, &args->mounts, &limits);
	return r < 0 ? r
		     : figures_finish(
			       &figures, "du -xh PATH | sort -h | tail, or files.usage in a graph");
}
