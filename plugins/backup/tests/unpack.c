/* SPDX-License-Identifier: MIT */
#include "unpack.h"

#include <archive.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup/extract.h"
#include "support/fault.h"

static void expect(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "unpack: %s\n", what);
	abort();
}

static void unpack_bytes(struct archive *tar, struct extract *extract)
{
	const void *bytes;
	size_t size;
	la_int64_t offset;
	int r;
	while ((r = archive_read_data_block(tar, &bytes, &size, &offset)) == ARCHIVE_OK)
		expect(extract_bytes(extract, bytes, size, (uint64_t)offset, NULL) == 0, "bytes");
	expect(r == ARCHIVE_EOF, archive_error_string(tar));
}

/* What lies above the first source is not in the archive. */
static void make_above(int root, const char *path)
{
	char *copy = fault_format("%s", path);
	for (char *slash = copy; (slash = strchr(slash, '/')); slash++) {
		if (!slash[1])
			break;
		*slash = 0;
		mkdirat(root, copy, 0700);
		*slash = '/';
	}
	free(copy);
}

static void unpack_entry(struct archive *tar, struct archive_entry *entry, struct extract *extract)
{
	char *path = fault_format("%s", archive_entry_pathname(entry));
	const char *link = archive_entry_hardlink(entry);
	size_t size = strlen(path);
	if (path[size - 1] == '/')
		path[size - 1] = 0;
	expect(extract_begin(extract, path, link, entry, NULL) == 0, path);
	if (!link && archive_entry_filetype(entry) == AE_IFREG) {
		unpack_bytes(tar, extract);
		expect(extract_end(extract, (uint64_t)archive_entry_size(entry), NULL) == 0, path);
	}
	free(path);
}

void unpack_archive(const void *bytes, size_t size, const char *dir)
{
	struct archive *tar = archive_read_new();
	struct archive_entry *entry;
	struct extract *extract;
	expect(mkdir(dir, 0700) == 0, dir);
	int root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;
	extract_open(&extract, root, 100000, 1ull << 40);
	archive_read_support_format_tar(tar);
	archive_read_support_filter_zstd(tar);
	expect(archive_read_open_memory(tar, bytes, size) == ARCHIVE_OK, "open");
	bool first = true;
	while ((r = archive_read_next_header(tar, &entry)) == ARCHIVE_OK) {
		if (first)
			make_above(root, archive_entry_pathname(entry));
		first = false;
		unpack_entry(tar, entry, extract);
	}
	expect(r == ARCHIVE_EOF, archive_error_string(tar));
	expect(extract_finish(extract, NULL) == 0, "finish");
	extract_close(&extract);
	archive_read_free(tar);
	close(root);
}
