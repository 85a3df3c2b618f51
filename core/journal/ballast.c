/* SPDX-License-Identifier: MIT */
#include "journal/ballast.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <fcntl.h>
#include <string.h>

/* Room is only held by what is written: a file with holes holds none. */
static int zeros_write(int fd)
{
	static const char zeros[1 << 16];
	int r = 0;

	for (off_t at = 0; at < BALLAST_BYTES && r == 0; at += (off_t)sizeof zeros)
		r = file_write(fd, zeros, sizeof zeros);
	if (r == 0 && fdatasync(fd) < 0)
		r = -errno;
	return r;
}

static int room_take(int fd)
{
	if (fallocate(fd, 0, 0, BALLAST_BYTES) == 0)
		return 0;
	return errno == EOPNOTSUPP || errno == ENOSYS ? zeros_write(fd) : -errno;
}

int ballast_keep(int dir_fd, struct error *err)
{
	struct stat st = {0};
	CLEANUP_FD int fd =
		openat(dir_fd, BALLAST_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r = fd < 0 || fstat(fd, &st) < 0 ? -errno : 0;

	if (r == 0 && st.st_size >= BALLAST_BYTES)
		return 0;
	if (r == 0)
		r = room_take(fd);
	if (r == 0)
		return 0;
	if (fd >= 0)
		unlinkat(dir_fd, BALLAST_NAME, 0);
	return error_set(err, r, "make room on the file system of the state directory",
		"there is no ballast for a full disk: cannot keep %d MiB in the state directory: "
		"%s",
		BALLAST_BYTES >> 20, strerror(-r));
}

bool ballast_give(int dir_fd)
{
	CLEANUP_FD int fd = openat(dir_fd, BALLAST_NAME, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return false;
	/* Truncated too: whoever else has it open would keep the room. */
	bool given = ftruncate(fd, 0) == 0;
	return unlinkat(dir_fd, BALLAST_NAME, 0) == 0 || given;
}
