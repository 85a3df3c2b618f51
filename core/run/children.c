/* SPDX-License-Identifier: MIT */
#include "run/children.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <string.h>

ssize_t process_read(pid_t pid, const char *name, char *text, size_t size)
{
	char path[40];

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, size - 1);
	text[n > 0 ? n : 0] = 0;
	return n > 0 ? n : 0;
}

static pid_t parent_of(pid_t pid)
{
	char text[512];
	int parent = 0;

	process_read(pid, "stat", text, sizeof text);
	const char *rest = strrchr(text, ')');
	return rest && sscanf(rest + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

void children_each(pid_t parent, void (*found)(void *data, pid_t pid), void *data)
{
	CLEANUP_DIR DIR *proc = opendir("/proc");
	struct dirent *entry;

	while (proc && (entry = readdir(proc))) {
		pid_t pid = atoi(entry->d_name);
		if (pid > 0 && parent_of(pid) == parent)
			found(data, pid);
	}
}

bool child_has_variable(pid_t pid, const char *variable)
{
	char text[16384];
	ssize_t n = process_read(pid, "environ", text, sizeof text);

	for (const char *at = text; at < text + n; at += strlen(at) + 1)
		if (strcmp(at, variable) == 0)
			return true;
	return false;
}
