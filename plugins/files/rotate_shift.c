/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <fcntl.h>
#include <unistd.h>

#include "compress.h"
#include "rotate.h"
#include "support/beneath.h"

/* How far above `keep` leftovers of an earlier, larger `keep` are looked for. */
#define BEYOND 100

static const char *const suffixes[] = {"", ".zst", ".gz"};

int rotate_name(char room[NAME_MAX + 1], const char *name, int64_t number, const char *suffix)
{
	int n = snprintf(room, NAME_MAX + 1, "%s.%lld%s", name, (long long)number, suffix);
	return n > NAME_MAX ? -ENAMETOOLONG : 0;
}

int rotate_is_rotated(const char *name)
{
	size_t n = strlen(name);
	for (size_t i = 1; i < UPKEEP_COUNT(suffixes); i++) {
		size_t k = strlen(suffixes[i]);
		if (n > k && strcmp(name + n - k, suffixes[i]) == 0) {
			n -= k;
			break;
		}
	}
	size_t digits = 0;
	while (digits < n && isdigit((unsigned char)name[n - 1 - digits]))
		digits++;
	return digits > 0 && digits < n && name[n - 1 - digits] == '.';
}

static int32_t name_fail(struct upkeep_ctx *ctx, struct place log, int code)
{
	return upkeep_fail(ctx, UPKEEP_FAILED, NULL, strerror(-code), "cannot rotate \"%s/%s\"",
		log.dir, log.name);
}

static int32_t shift_one(
	struct upkeep_ctx *ctx, struct place log, int64_t number, const char *suffix, int64_t keep)
{
	char name[NAME_MAX + 1], next[NAME_MAX + 1];
	struct stat st;
	if (rotate_name(name, log.name, number, suffix) < 0 ||
		rotate_name(next, log.name, number + 1, suffix) < 0)
		return name_fail(ctx, log, -ENAMETOOLONG);
	struct place from = {log.dir_fd, log.dir, name}, to = {log.dir_fd, log.dir, next};
	if (fstatat(log.dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : name_fail(ctx, log, -errno);
	if (!S_ISREG(st.st_mode))
		return upkeep_fail(ctx, UPKEEP_FAILED, "look at it, then remove it",
			"it is not a regular file", "cannot move \"%s/%s\" on", log.dir, name);
	int32_t r = number >= keep ? place_trash(ctx, from, &st, 0)
				   : place_move(ctx, from, to, &st, NULL);
	return r == PLACE_SKIPPED ? name_fail(ctx, log, -EBUSY) : r;
}

int32_t rotate_shift(struct upkeep_ctx *ctx, struct place log, int64_t keep)
{
	for (int64_t number = keep + BEYOND; number >= 1; number--) {
		for (size_t i = 0; i < UPKEEP_COUNT(suffixes); i++) {
			int32_t r = shift_one(ctx, log, number, suffixes[i], keep);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

int32_t rotate_compress(struct upkeep_ctx *ctx, struct place log, int64_t number)
{
	const struct rotate_args *args = ctx->args;
	char name[NAME_MAX + 1];
	struct stat st;
	int64_t saved;
	if (rotate_name(name, log.name, number, "") < 0 ||
		fstatat(log.dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return 0;
	struct place place = {log.dir_fd, log.dir, name};
	return compress_file(ctx, place, &st, args->format, (int)args->level, &saved);
}
