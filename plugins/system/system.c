/* SPDX-License-Identifier: MIT */
#include "actions.h"

static const struct upkeep_param settings[] = {
	UPKEEP_PARAM_PATH(
		struct system_settings, proc, "where the proc file system is", .preset = "/proc"),
	UPKEEP_PARAM_PATH(
		struct system_settings, sys, "where the sys file system is", .preset = "/sys"),
	UPKEEP_PARAM_PATH(
		struct system_settings, fstab, "table of file systems", .preset = "/etc/fstab"),
	UPKEEP_PARAM_PATH(struct system_settings, kernel_log, "messages of the kernel",
		.preset = "/dev/kmsg"),
};

#define LIMIT(member, text, value) \
	UPKEEP_PARAM_PERCENT(struct health_args, member, text, .preset = value)
#define MOUNTS_ABOUT "mount points to look at; none: all file systems that store files"
#define TIMEOUT_ABOUT "how long a file system may take to answer"
#define SAMPLE_ABOUT "how long the processors are watched"

static const struct upkeep_param health_params[] = {
	LIMIT(memory_warn, "warn when that much memory is not available", "80%"),
	LIMIT(memory_crit, "fail when that much memory is not available", "95%"),
	LIMIT(swap_warn, "warn when that much swap is used", "50%"),
	LIMIT(swap_crit, "fail when that much swap is used", "90%"),
	LIMIT(cpu_warn, "warn when the processors are that busy", "70%"),
	LIMIT(cpu_crit, "fail when the processors are that busy; 0 never", "0%"),
	LIMIT(disk_warn, "warn when a file system is that full", "85%"),
	LIMIT(disk_crit, "fail when a file system is that full", "95%"),
	LIMIT(inodes_warn, "warn when that many inodes are used", "85%"),
	LIMIT(inodes_crit, "fail when that many inodes are used", "95%"),
	LIMIT(pressure_warn, "warn when work waited that much of the last minute", "20%"),
	LIMIT(pressure_crit, "fail when work waited that much of the last minute; 0 never", "0%"),
	UPKEEP_PARAM_FLOAT(struct health_args, load_warn,
		"warn at that load of five minutes per processor", .preset = "2.0"),
	UPKEEP_PARAM_FLOAT(struct health_args, load_crit,
		"fail at that load of five minutes per processor", .preset = "8.0"),
	UPKEEP_PARAM_PATHS(struct health_args, mounts, MOUNTS_ABOUT),
	UPKEEP_PARAM_INT(struct health_args, top, "how many of the busiest processes to list",
		.min = 0, .max = 1000, .preset = "10"),
	UPKEEP_PARAM_DURATION(struct health_args, sample, SAMPLE_ABOUT, .min = 0, .max = 60000,
		.preset = "500ms"),
	UPKEEP_PARAM_DURATION(struct health_args, mount_timeout, TIMEOUT_ABOUT, .min = 1,
		.max = 600000, .preset = "5s"),
};

static const struct upkeep_output health_outputs[] = {
	UPKEEP_OUT("state", UPKEEP_STRING, "ok, warn or critical"),
	UPKEEP_OUT("warnings", UPKEEP_INT, "figures over their warning limit"),
	UPKEEP_OUT("critical", UPKEEP_INT, "figures over their critical limit"),
	UPKEEP_OUT("memory", UPKEEP_PERCENT, "memory that is not available"),
	UPKEEP_OUT("cpu", UPKEEP_PERCENT, "how busy the processors are"),
	UPKEEP_OUT("processors", UPKEEP_INT, "processors"),
	UPKEEP_OUT("load", UPKEEP_FLOAT, "load of one minute"),
	UPKEEP_OUT("uptime", UPKEEP_INT, "seconds since the boot"),
};

static const struct upkeep_param mounts_params[] = {
	UPKEEP_PARAM_PATHS(struct mounts_args, mounts, MOUNTS_ABOUT),
	UPKEEP_PARAM_PERCENT(
		struct mounts_args, warn, "warn when one is that full", .preset = "85%"),
	UPKEEP_PARAM_PERCENT(
		struct mounts_args, crit, "fail when one is that full", .preset = "95%"),
	UPKEEP_PARAM_DURATION(struct mounts_args, mount_timeout, TIMEOUT_ABOUT, .min = 1,
		.max = 600000, .preset = "5s"),
};

static const struct upkeep_output mounts_outputs[] = {
	UPKEEP_OUT("state", UPKEEP_STRING, "ok, warn or critical"),
	UPKEEP_OUT("warnings", UPKEEP_INT, "file systems over their warning limit"),
	UPKEEP_OUT("critical", UPKEEP_INT, "file systems over their critical limit"),
};

static const struct upkeep_param processes_params[] = {
	UPKEEP_PARAM_INT(struct processes_args, top, "how many to list", .min = 0, .max = 100000,
		.preset = "20"),
	UPKEEP_PARAM_CHOICE(struct processes_args, by, "what they are ordered by", .preset = "cpu",
		.choices = "cpu|memory"),
	UPKEEP_PARAM_DURATION(struct processes_args, sample, SAMPLE_ABOUT, .min = 0, .max = 60000,
		.preset = "1s"),
};

static const struct upkeep_output processes_outputs[] = {
	UPKEEP_OUT("processes", UPKEEP_INT, "processes on the machine"),
};

static const struct upkeep_param readonly_params[] = {
	UPKEEP_PARAM_PATHS(
		struct readonly_args, writable, "paths that must lie on a writable file system"),
	UPKEEP_PARAM_PATHS(struct readonly_args, devices,
		"devices, not mounted for writing, to check by fsck without changing them"),
	UPKEEP_PARAM_BOOL(struct readonly_args, kernel_log,
		"look for errors of file systems in the kernel's messages", .preset = "true"),
};

static const struct upkeep_output readonly_outputs[] = {
	UPKEEP_OUT("faults", UPKEEP_INT, "faults that were found"),
};

static const struct upkeep_param caches_params[] = {
	UPKEEP_PARAM_CHOICE(struct caches_args, what, "which caches", .preset = "all",
		.choices = "pages|slab|all"),
};

static const struct upkeep_output caches_outputs[] = {
	UPKEEP_OUT("freed", UPKEEP_SIZE, "what the caches took less afterwards"),
};

static const struct upkeep_action actions[] = {
	{
		.name = "health",
		.about =
			"Memory, swap, processors, load, pressure, disks and uptime against limits",
		.changes = UPKEEP_CHANGES_NONE,
		UPKEEP_PARAMS(struct health_args, health_params),
		UPKEEP_OUTPUTS(health_outputs),
		.run = health_run,
	},
	{
		.name = "mounts",
		.about = "How full the file systems are",
		.changes = UPKEEP_CHANGES_NONE,
		UPKEEP_PARAMS(struct mounts_args, mounts_params),
		UPKEEP_OUTPUTS(mounts_outputs),
		.run = mounts_run,
	},
	{
		.name = "processes",
		.about = "The processes that use most",
		.changes = UPKEEP_CHANGES_NONE,
		UPKEEP_PARAMS(struct processes_args, processes_params),
		UPKEEP_OUTPUTS(processes_outputs),
		.run = processes_run,
	},
	{
		.name = "readonly-check",
		.about = "Check file systems without changing them: read-only by error, kernel "
			 "errors",
		.changes = UPKEEP_CHANGES_NONE,
		UPKEEP_PARAMS(struct readonly_args, readonly_params),
		UPKEEP_OUTPUTS(readonly_outputs),
		.run = readonly_run,
	},
	{
		.name = "drop-caches",
		.about = "Write what is unwritten and drop the kernel's caches",
		.changes = UPKEEP_CHANGES_IRREVERSIBLE,
		UPKEEP_PARAMS(struct caches_args, caches_params),
		UPKEEP_OUTPUTS(caches_outputs),
		.plan = caches_plan,
		.run = caches_run,
	},
};

UPKEEP_PLUGIN(.name = "system", .version = "1.0",
	.about = "Health figures of the machine, its file systems and processes",
	UPKEEP_SETTINGS(struct system_settings, settings), UPKEEP_ACTIONS(actions));
