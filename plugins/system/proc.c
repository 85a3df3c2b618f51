/* SPDX-License-Identifier: MIT */
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/cleanup.h"

#define TEXT_BYTES 65536

int proc_text(const char *root, const char *name, char *text, size_t room)
{
	char path[PATH_MAX];
	size_t size = 0;
	snprintf(path, sizeof path, "%s/%s", root, name);
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (size + 1 < room) {
		ssize_t n = read(fd, text + size, room - 1 - size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		size += (size_t)n;
	}
	text[size] = 0;
	return size + 1 < room ? 0 : -ENOSPC;
}

/* A number with a point, whatever the locale. */
static double number(const char *text, char **end)
{
	char *dot;
	double value = (double)strtoll(text, &dot, 10), unit = 0.1;
	if (*dot == '.')
		for (dot++; *dot >= '0' && *dot <= '9'; dot++, unit /= 10)
			value += (*dot - '0') * unit;
	*end = dot;
	return value;
}

static uint64_t kib_after(const char *text, const char *label)
{
	const char *at = text;
	size_t n = strlen(label);
	while (at && strncmp(at, label, n) != 0)
		at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL;
	return at ? strtoull(at + n, NULL, 10) * 1024 : 0;
}

int proc_memory(const char *root, struct proc_memory *ret)
{
	char text[TEXT_BYTES];
	int r = proc_text(root, "meminfo", text, sizeof text);
	if (r < 0)
		return r;
	*ret = (struct proc_memory){
		.total_bytes = kib_after(text, "MemTotal:"),
		.available_bytes = kib_after(text, "MemAvailable:"),
		.swap_total_bytes = kib_after(text, "SwapTotal:"),
		.swap_free_bytes = kib_after(text, "SwapFree:"),
		.cached_bytes = kib_after(text, "Cached:") + kib_after(text, "Buffers:") +
			kib_after(text, "SReclaimable:"),
	};
	return ret->total_bytes ? 0 : -EINVAL;
}

int proc_load(const char *root, double ret_load[3])
{
	char text[256], *at = text;
	int r = proc_text(root, "loadavg", text, sizeof text);
	for (int i = 0; i < 3 && r == 0; i++) {
		char *end;
		ret_load[i] = number(at, &end);
		r = end == at ? -EINVAL : 0;
		at = end + (*end == ' ');
	}
	return r;
}

int proc_uptime(const char *root, int64_t *ret_s)
{
	char text[256];
	int r = proc_text(root, "uptime", text, sizeof text);
	if (r == 0)
		*ret_s = strtoll(text, NULL, 10);
	return r;
}

static int processors_count(const char *text)
{
	int count = 0;
	for (const char *at = text; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
		count += strncmp(at, "cpu", 3) == 0 && at[3] >= '0' && at[3] <= '9';
	return count;
}

int proc_cpu(const char *root, struct proc_cpu *ret)
{
	size_t room = 4 * 1024 * 1024; /* a line for each interrupt on a large machine */
	CLEANUP_FREE char *text = malloc(room);
	int r = text ? proc_text(root, "stat", text, room) : -ENOMEM;
	if (r < 0)
		return r;
	if (strncmp(text, "cpu ", 4) != 0)
		return -EINVAL;
	*ret = (struct proc_cpu){.count = processors_count(text)};
	char *at = text + 4;
	/* user nice system idle iowait irq softirq steal; what guests used is in user */
	for (int i = 0; i < 8; i++) {
		uint64_t ticks = strtoull(at, &at, 10);
		ret->total += ticks;
		ret->busy += i == 3 || i == 4 ? 0 : ticks;
	}
	return ret->count > 0 ? 0 : -EINVAL;
}

int proc_pressure(const char *root, const char *resource, const char *kind, double *ret)
{
	char name[64], text[512], *end;
	snprintf(name, sizeof name, "pressure/%s", resource);
	int r = proc_text(root, name, text, sizeof text);
	/* a kernel with psi=0 has the files and answers EOPNOTSUPP */
	if (r < 0)
		return -ENOENT;
	const char *line = strstr(text, kind);
	const char *at = line ? strstr(line, "avg60=") : NULL;
	if (!at)
		return -ENOENT;
	*ret = number(at + 6, &end);
	return 0;
}
