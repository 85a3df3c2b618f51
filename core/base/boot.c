/* SPDX-License-Identifier: MIT */
#include "base/boot.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

static void load(const char *path, char *text, size_t size)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : file_read(fd, text, size - 1);

	text[n > 0 ? n : 0] = 0;
}

void boot_id(char id[BOOT_ID_SIZE])
{
	load("/proc/sys/kernel/random/boot_id", id, BOOT_ID_SIZE);
	id[strcspn(id, "\n")] = 0;
}

uint64_t process_start_ticks(pid_t pid)
{
	char path[32], text[1024];
	uint64_t start = 0;
	char state;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	load(path, text, sizeof text);
	const char *rest = strrchr(text, ')');
	if (!rest ||
		sscanf(rest + 1,
			" %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
			"%*d %" SCNu64,
			&state, &start) != 2)
		return 0;
	return state == 'Z' || state == 'X' ? 0 : start;
}
