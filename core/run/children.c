/* SPDX-License-Identifier: MIT */
#include "run/children.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <string.h>

static pid_t parent_of(const char *pid)
{
	char path[300], text[512];
	int parent = 0;

	snprintf(path, sizeof path, "/proc/%s/stat", pid);
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
	if (n <= 0)
		return 0;
	text[n] = 0;
	const char *rest = strrchr(text, ')');
	return rest && sscanf(rest + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

void children_each(pid_t parent, void (*found)(void *data, pid_t pid), void *data)
{
	CLEANUP_DIR DIR *proc = opendir("/proc");
	struct dirent *entry;

	while (proc && (entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
			parent_of(entry->d_name) == parent)
			found(data, atoi(entry->d_name));
}

bool child_has_variable(pid_t pid, const char *variable)
{
	char path[40], text[16384];

	snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
	if (n <= 0)
		return false;
	text[n] = 0;
	for (const char *at = text; at < text + n; at += strlen(at) + 1)
		if (strcmp(at, variable) == 0)
			return true;
	return false;
}
