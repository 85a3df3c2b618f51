/* SPDX-License-Identifier: MIT */
#include "rotate.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "collapse.h"
#include "select.h"
#include "support/beneath.h"
#include "support/cleanup.h"
#include "support/copy.h"
#include "undo.h"

static const char *const method_words[] = {"rename", "collapse", "copy"};

static int mode_parse(const char *text, mode_t *ret)
{
	char *end;
	unsigned long mode = strtoul(text, &end, 8);
	*ret = (mode_t)mode;
	return *text && !*end && mode <= 0777 ? 0 : -EINVAL;
}

int32_t rotate_check(struct upkeep_ctx *ctx)
{
	const struct rotate_args *args = ctx->args;
	mode_t mode;
	if (args->create.mode && mode_parse(args->create.mode, &mode) < 0)
		return upkeep_fail(ctx, UPKEEP_FAILED, "write it like mode = \"0640\"", NULL,
			"\"%s\" is no mode", args->create.mode);
	if (args->create.owner && !getpwnam(args->create.owner))
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, "there is no such user",
			"cannot use owner = \"%s\"", args->create.owner);
	if (args->create.group && !getgrnam(args->create.group))
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, "there is no such group",
			"cannot use group = \"%s\"", args->create.group);
	return UPKEEP_UNCHANGED;
}

static int64_t birth_s(int dir_fd, const char *name)
{
	struct statx st;
	if (statx(dir_fd, name, AT_SYMLINK_NOFOLLOW, STATX_BTIME, &st) < 0 ||
		!(st.stx_mask & STATX_BTIME))
		return 0;
	return st.stx_btime.tv_sec;
}

/* The log was rotated last when it was made, or when its first successor was. */
static int64_t rotation_age_ms(const struct walk_file *file)
{
	char name[NAME_MAX + 1];
	CLEANUP_FD int dir_fd = walk_open_dir(file);
	int64_t last = dir_fd < 0 ? 0 : birth_s(dir_fd, file->name);
	static const char *const suffixes[] = {"", ".zst", ".gz"};
	for (size_t i = 0; dir_fd >= 0 && i < UPKEEP_COUNT(suffixes); i++) {
		if (rotate_name(name, file->name, 1, suffixes[i]) < 0)
			continue;
		int64_t birth = birth_s(dir_fd, name);
		last = birth > last ? birth : last;
	}
	return select_age_ms(last * 1000000000);
}

static int wanted(const struct walk_file *file, const void *arg)
{
	const struct rotate_args *args = arg;
	if (rotate_is_rotated(file->name) || file->size_bytes == 0 ||
		file->size_bytes < args->min_size)
		return 0;
	if (!args->size && !args->age)
		return 1;
	return (args->size && file->size_bytes >= args->size) ||
		(args->age && rotation_age_ms(file) >= args->age);
}

static int32_t rotate_select(struct upkeep_ctx *ctx, struct walk_list *ret_list)
{
	const struct rotate_args *args = ctx->args;
	int32_t r = select_files(ctx, &args->paths, 0, ret_list);
	if (r == 0)
		select_filter(ret_list, wanted, args);
	return r;
}

static void step_say(struct upkeep_ctx *ctx, const struct rotate_step *step)
{
	const struct walk_file *f = step->file;
	char size[24], undoing[UPKEEP_TEXT_MAX];
	select_size(f->size_bytes, size);
	if (step->method == ROTATE_RENAME)
		snprintf(undoing, sizeof undoing, "rename %s/%s.1 back%s", f->dir, f->name,
			step->written ? ", tell the writers again and append what came since" : "");
	else
		snprintf(undoing, sizeof undoing, "put %s/%s.1 back at the head of it", f->dir,
			f->name);
	upkeep_would(ctx, undoing, "rotate %s/%s (%s) by %s%s", f->dir, f->name, size,
		method_words[step->method],
		step->method == ROTATE_COPY ? ", losing what is written meanwhile" : "");
}

int32_t rotate_plan(struct upkeep_ctx *ctx)
{
	CLEANUP_WALK struct walk_list list;
	struct rotate_step step;
	int planned = 0;
	int32_t r = rotate_select(ctx, &list);
	for (size_t i = 0; i < list.count && r >= 0; i++) {
		CLEANUP_FD int dir_fd = walk_open_dir(&list.files[i]);
		r = dir_fd < 0 ? PLACE_SKIPPED : rotate_choose(ctx, dir_fd, &list.files[i], &step);
		if (r == 0) {
			step_say(ctx, &step);
			planned++;
		}
	}
	if (r < 0)
		return r;
	return planned ? UPKEEP_CHANGED : UPKEEP_UNCHANGED;
}

int32_t rotate_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	if (record)
		return undo_probe(ctx, record);
	CLEANUP_WALK struct walk_list list;
	int32_t r = rotate_select(ctx, &list);
	return r < 0 ? r : list.count ? UPKEEP_NOT_DONE : UPKEEP_DONE;
}

/* The new log: of the old one's owner and mode unless said; the writer may have
 * been quicker, then it is its own. */
static int log_create(const struct rotate_args *args, struct place log, const struct stat *old)
{
	uid_t uid = old->st_uid;
	gid_t gid = old->st_gid;
	mode_t mode = old->st_mode & 0777;
	if (args->create.owner) {
		const struct passwd *pw = getpwnam(args->create.owner);
		uid = pw ? pw->pw_uid : uid;
	}
	if (args->create.group) {
		const struct group *gr = getgrnam(args->create.group);
		gid = gr ? gr->gr_gid : gid;
	}
	if (args->create.mode)
		mode_parse(args->create.mode, &mode);
	CLEANUP_FD int fd = openat(
		log.dir_fd, log.name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == EEXIST ? 0 : -errno;
	if (((geteuid() == 0 || uid != geteuid() || gid != getegid()) &&
		    fchown(fd, uid, gid) < 0) ||
		fchmod(fd, mode) < 0)
		return -errno;
	return 0;
}

static int32_t by_rename(struct upkeep_ctx *ctx, const struct rotate_step *step, struct place log,
	struct place to, const struct stat *st)
{
	const struct rotate_args *args = ctx->args;
	struct reopen reopen;
	char names[1024];
	struct stat opened;
	rotate_reopen(args, &reopen, names);
	CLEANUP_FD int fd = walk_open_file(log.dir_fd, step->file, O_RDONLY, &opened);
	int32_t r = fd < 0 ? PLACE_SKIPPED : place_move(ctx, log, to, st, &reopen);
	if (r != 0)
		return r;
	int code = args->recreate ? log_create(args, log, st) : 0;
	if (code < 0)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, strerror(-code),
			"cannot create the new \"%s/%s\"", log.dir, log.name);
	if (!step->written)
		return 0;
	r = reopen_tell(ctx, &reopen);
	return r < 0 ? r : reopen_wait(ctx, fd, log.name, args->wait);
}

static int32_t by_method(struct upkeep_ctx *ctx, const struct rotate_step *step, struct place log,
	const struct stat *st)
{
	char name[NAME_MAX + 1];
	int64_t bytes;
	if (rotate_name(name, log.name, 1, "") < 0)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, strerror(ENAMETOOLONG),
			"cannot rotate \"%s/%s\"", log.dir, log.name);
	struct place to = {log.dir_fd, log.dir, name};
	switch (step->method) {
	case ROTATE_RENAME:
		return by_rename(ctx, step, log, to, st);
	case ROTATE_COLLAPSE:
		return collapse_file(ctx, log, st, name, &bytes);
	case ROTATE_COPY:
		return truncate_file(ctx, log, st, name, &bytes);
	}
	return UPKEEP_FAILED;
}

static int32_t compress_after(struct upkeep_ctx *ctx, struct place log)
{
	const struct rotate_args *args = ctx->args;
	if (strcmp(args->compress, "no") == 0)
		return 0;
	int32_t r = strcmp(args->compress, "now") == 0 ? rotate_compress(ctx, log, 1) : 0;
	return r < 0 ? r : rotate_compress(ctx, log, 2);
}

static void rotated_row(struct upkeep_ctx *ctx, const struct rotate_step *step)
{
	char path[PATH_MAX + NAME_MAX + 2], size[24];
	snprintf(path, sizeof path, "%s/%s", step->file->dir, step->file->name);
	snprintf(size, sizeof size, "%llu", (unsigned long long)step->file->size_bytes);
	const struct upkeep_cell cells[] = {
		{.name = "log", .value = path, .type = UPKEEP_PATH},
		{.name = "size", .value = size, .type = UPKEEP_SIZE},
		{.name = "method", .value = method_words[step->method], .type = UPKEEP_STRING},
	};
	upkeep_row(ctx, "rotated", cells);
}

static int32_t rotate_one(struct upkeep_ctx *ctx, const struct walk_file *file)
{
	const struct rotate_args *args = ctx->args;
	struct rotate_step step;
	struct place log;
	struct stat st;
	int32_t r = select_place(ctx, file, &log, &st);
	CLEANUP_FD int dir_fd = log.dir_fd;
	if (r == 0)
		r = rotate_choose(ctx, dir_fd, file, &step);
	if (r == 0 && step.method == ROTATE_COLLAPSE && (st.st_size - 1) / 4096 == 0) {
		upkeep_info(ctx, "%s/%s is shorter than a block: nothing to take away", file->dir,
			file->name);
		return PLACE_SKIPPED;
	}
	if (r == 0)
		r = rotate_shift(ctx, log, args->keep);
	if (r == 0)
		r = by_method(ctx, &step, log, &st);
	if (r == 0) {
		rotated_row(ctx, &step);
		r = compress_after(ctx, log) < 0 ? UPKEEP_FAILED : 0;
	}
	return r;
}

int32_t rotate_run(struct upkeep_ctx *ctx)
{
	CLEANUP_WALK struct walk_list list;
	const struct files_settings *settings = ctx->settings;
	int64_t rotated = 0;
	int32_t r = rotate_select(ctx, &list);
	for (size_t i = 0; i < list.count && r >= 0; i++) {
		r = copy_cancelled(ctx->host->cancel_fd(ctx)) ? UPKEEP_CANCELLED
							      : rotate_one(ctx, &list.files[i]);
		rotated += r == 0;
		ctx->host->progress(ctx, i + 1, list.count, "files");
	}
	for (size_t i = 0; i < list.trash_count && r >= 0; i++)
		place_trash_purge(ctx, list.trash_dirs[i], settings->trash_keep, 0);
	upkeep_output_int(ctx, "rotated", rotated);
	if (r < 0)
		return r;
	return rotated ? UPKEEP_CHANGED : UPKEEP_UNCHANGED;
}
