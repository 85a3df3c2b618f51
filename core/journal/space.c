/* SPDX-License-Identifier: MIT */
#include "journal/space.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define OPEN_BYTES (1u << 20)
#define INDEX_BYTES (256 << 10) /* of 32768 pages in the WAL */

bool space_is_left(const char *path)
{
	struct statvfs fs;

	if (statvfs(path, &fs) < 0 || !fs.f_blocks)
		return true;
	return (geteuid() == 0 ? fs.f_bfree : fs.f_bavail) * fs.f_frsize >= OPEN_BYTES;
}

/* Another descriptor of it would not do: closing that would drop SQLite's locks. */
void space_reserve(const char *path)
{
	CLEANUP_DIR DIR *fds = opendir("/proc/self/fd");
	struct dirent *entry;
	struct stat want, st;

	if (!fds || stat(path, &want) < 0)
		return;
	while ((entry = readdir(fds))) {
		char *end;
		int fd = (int)strtol(entry->d_name, &end, 10);

		if (end == entry->d_name || fstat(fd, &st) < 0 || st.st_ino != want.st_ino ||
			st.st_dev != want.st_dev)
			continue;
		fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, INDEX_BYTES);
		return;
	}
}
