/* SPDX-License-Identifier: MIT */
#include "processes.h"

#include <ctype.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actions.h"
#include "proc.h"
#include "sample.h"
#include "support/cleanup.h"

/* "pid (name) state ppid ... utime(14) stime(15) ... starttime(22) vsize rss(24)";
 * the name may hold anything, also parentheses. */
static int stat_parse(const char *text, struct process *p)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	if (!open || !close || close < open || close[1] != ' ' || !close[2])
		return -EINVAL;
	p->pid = atoi(text);
	snprintf(p->name, sizeof p->name, "%.*s", (int)(close - open - 1), open + 1);
	p->state = close[2];
	char *at = (char *)(uintptr_t)close + 3;
	for (int field = 4; field <= 24; field++) {
		uint64_t value = strtoull(at, &at, 10);
		p->ticks += field == 14 || field == 15 ? value : 0;
		if (field == 22)
			p->start = value;
		if (field == 24)
			p->memory_bytes = value * (uint64_t)sysconf(_SC_PAGESIZE);
	}
	return 0;
}

static int process_read(const char *root, const char *pid, struct process *p)
{
	char name[300], text[4096], path[4400];
	struct stat st;
	*p = (struct process){0};
	snprintf(name, sizeof name, "%s/stat", pid);
	int r = proc_text(root, name, text, sizeof text);
	if (r < 0)
		return r;
	snprintf(path, sizeof path, "%s/%s", root, pid);
	p->uid = stat(path, &st) == 0 ? st.st_uid : 0;
	return stat_parse(text, p);
}

int processes_read(const char *root, struct processes *ret)
{
	*ret = (struct processes){0};
	size_t room = 0;
	CLEANUP_DIR DIR *dir = opendir(root);
	if (!dir)
		return -errno;
	for (struct dirent *entry; (entry = readdir(dir));) {
		struct process p;
		if (!isdigit((unsigned char)entry->d_name[0]) ||
			process_read(root, entry->d_name, &p) < 0)
			continue;
		if (ret->count == room) {
			room = room ? 2 * room : 256;
			struct process *more = reallocarray(ret->items, room, sizeof *more);
			if (!more)
				return -ENOMEM;
			ret->items = more;
		}
		ret->items[ret->count++] = p;
	}
	return 0;
}

void processes_free(struct processes *processes)
{
	free(processes->items);
	*processes = (struct processes){0};
}

static int by_pid(const void *a, const void *b)
{
	const struct process *x = a, *y = b;
	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static int by_cpu(const void *a, const void *b)
{
	const struct process *x = a, *y = b;
	if (x->cpu_percent != y->cpu_percent)
		return x->cpu_percent > y->cpu_percent ? -1 : 1;
	return x->ticks > y->ticks ? -1 : x->ticks < y->ticks;
}

static int by_memory(const void *a, const void *b)
{
	const struct process *x = a, *y = b;
	return x->memory_bytes > y->memory_bytes ? -1 : x->memory_bytes < y->memory_bytes;
}

void processes_measure(struct processes *now, const struct processes *before, double seconds)
{
	double hz = (double)sysconf(_SC_CLK_TCK);
	if (before->count)
		qsort(before->items, before->count, sizeof *before->items, by_pid);
	for (size_t i = 0; i < now->count && before->count && seconds > 0; i++) {
		struct process *p = &now->items[i];
		const struct process *was =
			bsearch(p, before->items, before->count, sizeof *before->items, by_pid);
		uint64_t used = was && was->start == p->start && p->ticks >= was->ticks
			? p->ticks - was->ticks
			: p->ticks;
		if (was)
			p->cpu_percent = 100 * (double)used / hz / seconds;
	}
}

static void process_row(struct upkeep_ctx *ctx, const struct process *p)
{
	char pid[16], cpu[24], memory[24], state[2] = {p->state, 0}, uid[24];
	const struct passwd *pw = getpwuid(p->uid);
	snprintf(pid, sizeof pid, "%d", p->pid);
	snprintf(cpu, sizeof cpu, "%.1f", p->cpu_percent);
	snprintf(memory, sizeof memory, "%llu", (unsigned long long)p->memory_bytes);
	snprintf(uid, sizeof uid, "%u", p->uid);
	const struct upkeep_cell cells[] = {
		{.name = "pid", .value = pid, .type = UPKEEP_INT},
		{.name = "user", .value = pw ? pw->pw_name : uid, .type = UPKEEP_STRING},
		{.name = "name", .value = p->name, .type = UPKEEP_STRING},
		{.name = "state", .value = state, .type = UPKEEP_STRING},
		{.name = "cpu", .value = cpu, .type = UPKEEP_FLOAT},
		{.name = "memory", .value = memory, .type = UPKEEP_SIZE},
	};
	upkeep_row(ctx, "processes", cells);
}

void processes_rows(
	struct upkeep_ctx *ctx, struct processes *processes, const char *by, int64_t top)
{
	if (processes->count)
		qsort(processes->items, processes->count, sizeof *processes->items,
			strcmp(by, "memory") == 0 ? by_memory : by_cpu);
	for (size_t i = 0; i < processes->count && (int64_t)i < top; i++)
		process_row(ctx, &processes->items[i]);
}

int32_t processes_run(struct upkeep_ctx *ctx)
{
	const struct processes_args *args = ctx->args;
	CLEANUP_SAMPLE struct sample sample;
	int32_t r = sample_take(ctx, args->sample, &sample);
	if (r < 0)
		return r;
	processes_rows(ctx, &sample.processes, args->by, args->top);
	upkeep_output_int(ctx, "processes", (int64_t)sample.processes.count);
	return UPKEEP_UNCHANGED;
}
