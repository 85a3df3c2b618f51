/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <stdlib.h>
#include <unistd.h>

#include "actions.h"
#include "proc.h"
#include "support/cleanup.h"
#include "support/mounts.h"

#define KERNEL_BYTES 8192

/* What the action has found. */
struct check {
	struct upkeep_ctx *ctx;
	int64_t faults, kernel_errors;
	char first[512];
};

static void fault_row(struct check *c, const char *where, const char *fault)
{
	const struct upkeep_cell cells[] = {
		{.name = "where", .value = where, .type = UPKEEP_STRING},
		{.name = "fault", .value = fault, .type = UPKEEP_STRING},
	};
	upkeep_row(c->ctx, "faults", cells);
	if (c->faults++ == 0)
		snprintf(c->first, sizeof c->first, "%.200s: %.300s", where, fault);
}

/* The last mount on a path is the one that is seen. */
static const struct mount *mount_at(const struct mounts *mounts, const char *path)
{
	for (size_t i = mounts->count; i > 0; i--)
		if (strcmp(mounts->items[i - 1].path, path) == 0)
			return &mounts->items[i - 1];
	return NULL;
}

/* The mount that holds the path: the longest above it. */
static const struct mount *mount_of(const struct mounts *mounts, const char *path)
{
	const struct mount *best = NULL;
	size_t best_length = 0;
	for (size_t i = 0; i < mounts->count; i++) {
		size_t n = strlen(mounts->items[i].path);
		const char *at = mounts->items[i].path;
		int above = n == 1 || (strncmp(at, path, n) == 0 && (!path[n] || path[n] == '/'));
		if (above && n >= best_length) {
			best = &mounts->items[i];
			best_length = n;
		}
	}
	return best;
}

static int is_readonly(const struct mount *m)
{
	return mount_has(m->options, "ro") || mount_has(m->super_options, "ro");
}

/* A mount that is rw on a file system that is ro: that is how the kernel leaves it
 * after an error. */
static void remounted_check(struct check *c, const struct mounts *mounts)
{
	for (size_t i = 0; i < mounts->count; i++) {
		const struct mount *m = &mounts->items[i];
		if (mount_is_storage(m) && mount_has(m->options, "rw") &&
			mount_has(m->super_options, "ro"))
			fault_row(c, m->path,
				"the kernel made it read-only, as it does after an error");
	}
}

static void fstab_check(struct check *c, const struct mounts *mounts, const char *fstab)
{
	struct mntent entry;
	char line[4096];
	FILE *f = setmntent(fstab, "re");
	if (!f)
		return;
	while (getmntent_r(f, &entry, line, sizeof line)) {
		const struct mount *m = mount_at(mounts, entry.mnt_dir);
		if (m && mount_is_storage(m) && !hasmntopt(&entry, "ro") &&
			mount_has(m->options, "ro"))
			fault_row(c, m->path, "it is mounted read-only, fstab wants it writable");
	}
	endmntent(f);
}

static void writable_check(struct check *c, const struct mounts *mounts)
{
	const struct readonly_args *args = c->ctx->args;
	for (size_t i = 0; i < args->writable.count; i++) {
		const struct mount *m = mount_of(mounts, args->writable.items[i]);
		if (!m || is_readonly(m))
			fault_row(c, args->writable.items[i], "it lies on a read-only file system");
	}
}

/* ext4 counts the errors that it has met, also those of earlier boots. */
static void counters_check(struct check *c, const char *sys)
{
	char path[PATH_MAX], name[300], text[64], fault[128];
	snprintf(path, sizeof path, "%s/fs/ext4", sys);
	CLEANUP_DIR DIR *dir = opendir(path);
	for (struct dirent *e; dir && (e = readdir(dir));) {
		snprintf(name, sizeof name, "%s/errors_count", e->d_name);
		if (e->d_name[0] == '.' || proc_text(path, name, text, sizeof text) < 0 ||
			atoll(text) == 0)
			continue;
		snprintf(fault, sizeof fault, "ext4 has met %lld errors on it", atoll(text));
		fault_row(c, e->d_name, fault);
	}
}

static int is_file_system_error(const char *text)
{
	static const char *const signs[] = {"EXT4-fs error", "XFS (", "BTRFS error", "I/O error",
		"Remounting filesystem read-only", "Medium Error", "critical medium"};
	for (size_t i = 0; i < UPKEEP_COUNT(signs); i++)
		if (strstr(text, signs[i]))
			return 1;
	return 0;
}

/* "priority,sequence,microseconds,flags;text" */
static void kernel_line(struct check *c, char *line)
{
	char *text = strchr(line, ';');
	if (!text || (strtol(line, NULL, 10) & 7) > 3 || !is_file_system_error(text))
		return;
	if (c->kernel_errors++ < 20)
		fault_row(c, "kernel", text + 1);
}

/* Each read of the device gives one record; a file in its place gives many. */
static void kernel_check(struct check *c, const char *path)
{
	char text[KERNEL_BYTES], *save;
	CLEANUP_FD int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		upkeep_warn(c->ctx, "cannot read the kernel's messages in %s: %s", path,
			strerror(errno));
		return;
	}
	for (;;) {
		ssize_t n = read(fd, text, sizeof text - 1);
		if (n < 0 && (errno == EPIPE || errno == EINTR))
			continue;
		if (n <= 0)
			return;
		text[n] = 0;
		for (char *line = strtok_r(text, "\n", &save); line;
			line = strtok_r(NULL, "\n", &save))
			if (line[0] != ' ')
				kernel_line(c, line);
	}
}

/* fsck on what is mounted for writing would report what is merely unfinished. */
static int32_t device_check(struct check *c, const struct mounts *mounts, const char *device)
{
	const char *const argv[] = {"fsck", "-n", device, NULL};
	struct upkeep_spawn spawn = {
		.argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
	int32_t exit_fd;
	for (size_t i = 0; i < mounts->count; i++)
		if (strcmp(mounts->items[i].device, device) == 0 &&
			!is_readonly(&mounts->items[i])) {
			upkeep_warn(c->ctx, "%s is mounted for writing: fsck is left out", device);
			return 0;
		}
	int64_t child = upkeep_spawn_start(c->ctx, &spawn, &exit_fd);
	if (child < 0)
		return upkeep_fail(c->ctx, UPKEEP_FAILED, NULL, strerror((int)-child),
			"cannot start fsck on \"%s\"", device);
	int32_t code = c->ctx->host->spawn_wait(c->ctx, child);
	if (code != 0)
		fault_row(c, device, code & 4 ? "fsck found errors" : "fsck could not check it");
	return 0;
}

static int32_t check_finish(const struct check *c)
{
	upkeep_output_int(c->ctx, "faults", c->faults);
	if (c->faults == 0)
		return UPKEEP_UNCHANGED;
	return upkeep_fail(c->ctx, UPKEEP_FAILED,
		"see the table of faults; back up, then: fsck on the unmounted device", c->first,
		"%lld faults of file systems", (long long)c->faults);
}

int32_t readonly_run(struct upkeep_ctx *ctx)
{
	const struct readonly_args *args = ctx->args;
	const struct system_settings *settings = ctx->settings;
	struct check c = {.ctx = ctx};
	char path[PATH_MAX];
	CLEANUP_MOUNTS struct mounts mounts = {0};
	snprintf(path, sizeof path, "%s/self/mountinfo", settings->proc);
	int r = mounts_read(path, &mounts);
	if (r < 0)
		return upkeep_fail(
			ctx, UPKEEP_FAILED, NULL, strerror(-r), "cannot read \"%s\"", path);
	remounted_check(&c, &mounts);
	fstab_check(&c, &mounts, settings->fstab);
	writable_check(&c, &mounts);
	counters_check(&c, settings->sys);
	if (args->kernel_log)
		kernel_check(&c, settings->kernel_log);
	for (size_t i = 0; i < args->devices.count; i++) {
		int32_t result = device_check(&c, &mounts, args->devices.items[i]);
		if (result < 0)
			return result;
	}
	return check_finish(&c);
}
