/* SPDX-License-Identifier: MIT */
#include "tree.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "support/copy.h"

char tree_root[4096];

int tree_make(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char base[4096];
	(void)state;
	if (!realpath(tmp && tmp[0] ? tmp : "/var/tmp", base))
		return -1;
	snprintf(tree_root, sizeof tree_root, "%.4000s/upkeep-files-XXXXXX", base);
	return mkdtemp(tree_root) ? 0 : -1;
}

static int entry_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

int tree_remove(void **state)
{
	(void)state;
	return nftw(tree_root, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
}

const char *tree_path(const char *name)
{
	static char ring[16][8192];
	static unsigned at;
	char *path = ring[at++ % 16];
	snprintf(path, sizeof ring[0], "%s/%s", tree_root, name);
	return path;
}

void tree_write(const char *name, const char *text)
{
	FILE *f = fopen(tree_path(name), "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

void tree_write_size(const char *name, size_t size)
{
	FILE *f = fopen(tree_path(name), "w");
	assert_non_null(f);
	for (size_t n = 0; n < size;)
		n += (size_t)fprintf(f, "%zu a line of a log that is about so long\n", n);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(truncate(tree_path(name), (off_t)size), 0);
}

void tree_dir(const char *name)
{
	assert_int_equal(mkdir(tree_path(name), 0755), 0);
}

void tree_age(const char *name, int days)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
		{.tv_sec = time(NULL) - (time_t)days * 86400, .tv_nsec = 123456789}};
	assert_int_equal(utimensat(AT_FDCWD, tree_path(name), times, AT_SYMLINK_NOFOLLOW), 0);
}

int tree_has(const char *name)
{
	struct stat st;
	return lstat(tree_path(name), &st) == 0;
}

char *tree_read(const char *name, size_t *ret_size)
{
	struct stat st;
	int fd = open(tree_path(name), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	char *bytes = calloc(1, (size_t)st.st_size + 1);
	assert_non_null(bytes);
	assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
	close(fd);
	*ret_size = (size_t)st.st_size;
	return bytes;
}

static char **lines;
static size_t line_count;

static int entry_describe(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	char hash[COPY_HASH_TEXT] = "-";
	int regular = S_ISREG(st->st_mode);
	(void)type, (void)ftw;
	if (regular) {
		int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0) {
			copy_hash(fd, 0, UINT64_MAX, hash);
			close(fd);
		}
	}
	char **grown = realloc(lines, (line_count + 1) * sizeof *lines);
	if (!grown)
		return -1;
	lines = grown;
	if (asprintf(&lines[line_count++], "%s %o %u:%u %lld.%09ld %lld %s\n",
		    path + strlen(tree_root), st->st_mode, st->st_uid, st->st_gid,
		    regular ? (long long)st->st_mtim.tv_sec : 0LL,
		    regular ? st->st_mtim.tv_nsec : 0L, regular ? (long long)st->st_size : 0LL,
		    hash) < 0)
		return -1;
	return 0;
}

static int line_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char *tree_describe(void)
{
	char *text = NULL;
	size_t size = 0;
	lines = NULL;
	line_count = 0;
	nftw(tree_root, entry_describe, 16, FTW_PHYS);
	qsort(lines, line_count, sizeof *lines, line_order);
	FILE *out = open_memstream(&text, &size);
	for (size_t i = 0; i < line_count; i++) {
		fputs(lines[i], out);
		free(lines[i]);
	}
	free(lines);
	fclose(out);
	return text;
}
