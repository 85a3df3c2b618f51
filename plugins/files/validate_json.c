/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <jansson.h>
#include <unistd.h>

#include "actions.h"
#include "place.h"
#include "select.h"
#include "support/cleanup.h"
#include "support/copy.h"

struct tally {
	int64_t files, bad, records;
};

static void fault_row(struct upkeep_ctx *ctx, const char *path, const json_error_t *error)
{
	char line[16], column[16];
	snprintf(line, sizeof line, "%d", error->line);
	snprintf(column, sizeof column, "%d", error->column);
	const struct upkeep_cell cells[] = {
		{.name = "file", .value = path, .type = UPKEEP_PATH},
		{.name = "line", .value = line, .type = UPKEEP_INT},
		{.name = "column", .value = column, .type = UPKEEP_INT},
		{.name = "fault", .value = error->text, .type = UPKEEP_STRING},
	};
	upkeep_row(ctx, "faults", cells);
	upkeep_info(ctx, "%s:%d:%d: %s", path, error->line, error->column, error->text);
}

static int64_t records_count(const json_t *json)
{
	if (json_is_array(json))
		return (int64_t)json_array_size(json);
	return json_is_object(json) ? (int64_t)json_object_size(json) : 1;
}

static void file_parse(struct upkeep_ctx *ctx, int fd, const char *path, struct tally *tally)
{
	json_error_t error = {.line = 0};
	CLEANUP_FILE FILE *f = fdopen(fd, "r");
	if (!f) {
		close(fd);
		return;
	}
	json_t *json = json_loadf(f, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	tally->files++;
	if (json) {
		tally->records += records_count(json);
	} else {
		tally->bad++;
		fault_row(ctx, path, &error);
	}
	json_decref(json);
}

static void file_validate(struct upkeep_ctx *ctx, const struct walk_file *file, struct tally *tally)
{
	const struct json_args *args = ctx->args;
	char path[PATH_MAX + NAME_MAX + 2];
	struct stat st;
	CLEANUP_FD int dir_fd = walk_open_dir(file);
	int fd = dir_fd < 0 ? dir_fd : walk_open_file(dir_fd, file, O_RDONLY, &st);
	if (fd < 0) {
		select_skip(ctx, file, strerror(-fd));
		return;
	}
	if (args->max_size && (uint64_t)st.st_size > args->max_size) {
		select_skip(ctx, file, "it is larger than `max_size`");
		close(fd);
		return;
	}
	snprintf(path, sizeof path, "%s/%s", file->dir, file->name);
	file_parse(ctx, fd, path, tally);
}

int32_t json_run(struct upkeep_ctx *ctx)
{
	const struct json_args *args = ctx->args;
	CLEANUP_WALK struct walk_list list;
	struct tally tally = {0};
	int32_t r = select_files(ctx, &args->paths, WALK_READ, &list);
	for (size_t i = 0; i < list.count && r == 0; i++) {
		if (copy_cancelled(ctx->host->cancel_fd(ctx)))
			return UPKEEP_CANCELLED;
		file_validate(ctx, &list.files[i], &tally);
		ctx->host->progress(ctx, i + 1, list.count, "files");
	}
	upkeep_output_int(ctx, "files", tally.files);
	upkeep_output_int(ctx, "bad", tally.bad);
	upkeep_output_int(ctx, "records", tally.records);
	if (r == 0 && tally.bad)
		return upkeep_fail(ctx, UPKEEP_FAILED, "mend the lines in the table of faults",
			NULL, "%lld of %lld files are not JSON", (long long)tally.bad,
			(long long)tally.files);
	return r;
}
