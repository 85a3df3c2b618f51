/* SPDX-License-Identifier: MIT */
#include "run/children.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 10000

static int process_open(pid_t pid, const char *name)
{
	char path[40];

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

ssize_t process_read(pid_t pid, const char *name, char *text, size_t size)
{
	CLEANUP_FD int fd = process_open(pid, name);
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

void processes_each(void (*found)(void *data, pid_t pid), void *data)
{
	CLEANUP_DIR DIR *proc = opendir("/proc");
	struct dirent *entry;

	while (proc && (entry = readdir(proc))) {
		pid_t pid = atoi(entry->d_name);
		if (pid > 0)
			found(data, pid);
	}
}

struct child_call {
	pid_t parent;
	void (*found)(void *data, pid_t pid);
	void *data;
};

static void found_child(void *data, pid_t pid)
{
	const struct child_call *call = data;

	if (parent_of(pid) == call->parent)
		call->found(call->data, pid);
}

void children_each(pid_t parent, void (*found)(void *data, pid_t pid), void *data)
{
	processes_each(found_child, &(struct child_call){parent, found, data});
}

bool process_find_variable(pid_t pid, const char *prefix, char *text, size_t size)
{
	char all[16384];
	ssize_t n = process_read(pid, "environ", all, sizeof all);

	for (const char *at = all; at < all + n; at += strlen(at) + 1)
		if (strncmp(at, prefix, strlen(prefix)) == 0) {
			snprintf(text, size, "%s", at);
			return true;
		}
	return false;
}

bool child_has_variable(pid_t pid, const char *variable)
{
	char found[256];

	return process_find_variable(pid, variable, found, sizeof found) &&
		strcmp(found, variable) == 0;
}

bool process_is_between_programs(pid_t pid)
{
	enum { ENV_END = 51, STATE = 3 }; /* proc(5) */
	char text[1024], state = 0;

	CLEANUP_FD int fd = process_open(pid, "environ");
	if (fd < 0) /* nothing is shown to us: that says nothing */
		return false;
	process_read(pid, "stat", text, sizeof text);
	const char *rest = strrchr(text, ')');
	if (!rest || sscanf(rest + 1, " %c", &state) != 1 || state == 'Z' || state == 'X')
		return false;
	for (int field = STATE - 1; rest && field < ENV_END; field++)
		rest = strchr(rest + 1, ' ');
	return rest && strtoull(rest, NULL, 10) == 0;
}

const char *process_name(pid_t pid, char buffer[PROCESS_NAME_SIZE])
{
	char name[PROCESS_NAME_SIZE - 16];

	process_read(pid, "comm", name, sizeof name);
	name[strcspn(name, "\n")] = 0;
	snprintf(buffer, PROCESS_NAME_SIZE, "%d (%s)", (int)pid, name);
	return buffer;
}

int64_t process_patience_ms(void)
{
	const char *told = getenv("UPKEEP_PATIENCE_MS");

	return told && *told ? strtol(told, NULL, 10) : PATIENCE_MS;
}
