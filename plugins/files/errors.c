/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "actions.h"
#include "place.h"
#include "select.h"
#include "support/cleanup.h"
#include "support/copy.h"

#define TAIL_BYTES (1u << 20) /* of a log, at most */
#define LINE_BYTES 500        /* of a line in the table */

struct findings {
	struct upkeep_ctx *ctx;
	const char *path;
	int64_t files, errors;
	char first[LINE_BYTES + PATH_MAX];
};

/* "error" is in "an Error:" and "errors", not in "terror". */
static int has_word(const char *line, size_t size, const char *word)
{
	size_t n = strlen(word);
	for (size_t i = 0; n && i + n <= size; i++)
		if (strncasecmp(line + i, word, n) == 0 &&
			(i == 0 || !isalnum((unsigned char)line[i - 1])))
			return 1;
	return 0;
}

static int has_any(const char *line, size_t size, const struct upkeep_strings *words)
{
	for (size_t i = 0; i < words->count; i++)
		if (has_word(line, size, words->items[i]))
			return 1;
	return 0;
}

/* What a terminal or JSON could choke on becomes a question mark. */
static void line_clean(char room[LINE_BYTES + 1], const char *line, size_t size)
{
	size_t n = size < LINE_BYTES ? size : LINE_BYTES;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)line[i];
		room[i] = (char)(c == '\t' ? ' ' : c < 0x20 || c >= 0x7f ? '?' : c);
	}
	room[n] = 0;
}

static void line_judge(struct findings *f, const char *line, size_t size)
{
	const struct errors_args *args = f->ctx->args;
	char text[LINE_BYTES + 1];
	if (!has_any(line, size, &args->words) || has_any(line, size, &args->ignore))
		return;
	line_clean(text, line, size);
	const struct upkeep_cell cells[] = {
		{.name = "file", .value = f->path, .type = UPKEEP_PATH},
		{.name = "line", .value = text, .type = UPKEEP_STRING},
	};
	upkeep_row(f->ctx, "errors", cells);
	if (f->errors++ == 0)
		snprintf(f->first, sizeof f->first, "%s: %s", f->path, text);
}

/* Where the last `count` lines begin; a line without an end counts too. */
static size_t tail_start(const char *bytes, size_t size, int64_t count)
{
	size_t at = size;
	if (at > 0 && bytes[at - 1] == '\n')
		at--;
	for (; at > 0; at--)
		if (bytes[at - 1] == '\n' && --count == 0)
			return at;
	return 0;
}

static void tail_judge(struct findings *f, const char *bytes, size_t size)
{
	const struct errors_args *args = f->ctx->args;
	size_t at = tail_start(bytes, size, args->lines);
	while (at < size) {
		const char *end = memchr(bytes + at, '\n', size - at);
		size_t n = end ? (size_t)(end - bytes) - at : size - at;
		line_judge(f, bytes + at, n);
		at += n + 1;
	}
}

static int file_judge(struct findings *f, const struct walk_file *file)
{
	char path[PATH_MAX + NAME_MAX + 2];
	struct stat st;
	CLEANUP_FD int dir_fd = walk_open_dir(file);
	CLEANUP_FD int fd = dir_fd < 0 ? dir_fd : walk_open_file(dir_fd, file, O_RDONLY, &st);
	if (fd < 0)
		return fd;
	size_t want = st.st_size < (off_t)TAIL_BYTES ? (size_t)st.st_size : TAIL_BYTES, size = 0;
	CLEANUP_FREE char *bytes = malloc(want + 1);
	if (!bytes)
		return -ENOMEM;
	while (size < want) {
		ssize_t n = pread(
			fd, bytes + size, want - size, st.st_size - (off_t)want + (off_t)size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break; /* it was truncated meanwhile */
		size += (size_t)n;
	}
	snprintf(path, sizeof path, "%s/%s", file->dir, file->name);
	f->path = path;
	f->files++;
	tail_judge(f, bytes, size);
	f->path = NULL;
	return 0;
}

static int32_t errors_finish(const struct findings *f)
{
	const struct errors_args *args = f->ctx->args;
	upkeep_output_int(f->ctx, "files", f->files);
	upkeep_output_int(f->ctx, "errors", f->errors);
	if (args->crit > 0 && f->errors >= args->crit)
		return upkeep_fail(f->ctx, UPKEEP_FAILED, "see the table of errors", f->first,
			"%lld lines of logs tell of errors, the limit is %lld",
			(long long)f->errors, (long long)args->crit);
	if (args->warn > 0 && f->errors >= args->warn)
		upkeep_warn(f->ctx, "%lld lines of logs tell of errors, the first is %s",
			(long long)f->errors, f->first);
	return UPKEEP_UNCHANGED;
}

int32_t errors_run(struct upkeep_ctx *ctx)
{
	const struct errors_args *args = ctx->args;
	struct findings f = {.ctx = ctx};
	CLEANUP_WALK struct walk_list list;
	int32_t r = select_files(ctx, &args->paths, WALK_READ, &list);
	for (size_t i = 0; i < list.count && r == 0; i++) {
		if (copy_cancelled(ctx->host->cancel_fd(ctx)))
			return UPKEEP_CANCELLED;
		int code = file_judge(&f, &list.files[i]);
		if (code < 0)
			select_skip(ctx, &list.files[i], strerror(-code));
	}
	return r < 0 ? r : errors_finish(&f);
}
