/* What each process uses. */
#ifndef SYSTEM_PROCESSES_H
#define SYSTEM_PROCESSES_H

#include <stddef.h>
#include <stdint.h>

#include <upkeep/plugin.h>

struct process {
	int pid;
	uint32_t uid;
	char name[32];
	char state;
	uint64_t start; /* ticks after the boot: with the pid, its identity */
	uint64_t ticks; /* of processor time since it began */
	uint64_t memory_bytes;
	double cpu_percent; /* of one processor, after processes_measure */
};

struct processes {
	struct process *items;
	size_t count;
};

int processes_read(const char *root, struct processes *ret);
void processes_free(struct processes *processes);
#define CLEANUP_PROCESSES __attribute__((cleanup(processes_free)))

/* Fills cpu_percent of `now` from what was used since `before`, in so many seconds. */
void processes_measure(struct processes *now, const struct processes *before, double seconds);

/* Rows of the `top` first by "cpu" or "memory". */
void processes_rows(
	struct upkeep_ctx *ctx, struct processes *processes, const char *by, int64_t top);

#endif
