/* The arguments and callbacks of each action; their tables are in system.c. */
#ifndef SYSTEM_ACTIONS_H
#define SYSTEM_ACTIONS_H

#include <upkeep/plugin.h>

/* Where the kernel's files are: elsewhere in tests. */
struct system_settings {
	const char *proc, *sys, *fstab, *kernel_log;
};

struct health_args {
	double memory_warn, memory_crit, swap_warn, swap_crit, cpu_warn, cpu_crit;
	double disk_warn, disk_crit, inodes_warn, inodes_crit, pressure_warn, pressure_crit;
	double load_warn, load_crit;
	struct upkeep_strings mounts;
	int64_t top;
	int64_t sample, mount_timeout;
};

struct mounts_args {
	struct upkeep_strings mounts;
	double warn, crit;
	int64_t mount_timeout;
};

struct processes_args {
	int64_t top;
	const char *by;
	int64_t sample;
};

struct readonly_args {
	struct upkeep_strings writable, devices;
	int32_t kernel_log;
};

struct caches_args {
	const char *what;
};

int32_t health_run(struct upkeep_ctx *ctx);
int32_t mounts_run(struct upkeep_ctx *ctx);
int32_t processes_run(struct upkeep_ctx *ctx);
int32_t readonly_run(struct upkeep_ctx *ctx);
int32_t caches_plan(struct upkeep_ctx *ctx);
int32_t caches_run(struct upkeep_ctx *ctx);

#endif
