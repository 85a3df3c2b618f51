/* SPDX-License-Identifier: MIT */
#include "actions.h"
#include "disks.h"
#include "figures.h"
#include "proc.h"
#include "processes.h"
#include "sample.h"

static int32_t read_fail(struct upkeep_ctx *ctx, const char *what, int code)
{
	const struct system_settings *settings = ctx->settings;
	return upkeep_fail(ctx, UPKEEP_FAILED, NULL, strerror(-code), "cannot read \"%s/%s\"",
		settings->proc, what);
}

static void percent_output(struct upkeep_ctx *ctx, const char *name, double value)
{
	char text[24];
	snprintf(text, sizeof text, "%.1f%%", value);
	upkeep_output_text(ctx, name, text);
}

static int32_t memory_judge(struct figures *figures, const char *proc)
{
	const struct health_args *args = figures->ctx->args;
	struct proc_memory m;
	int r = proc_memory(proc, &m);
	if (r < 0)
		return read_fail(figures->ctx, "meminfo", r);
	double used = 100 * (1 - (double)m.available_bytes / (double)m.total_bytes);
	figure_judge(figures, "memory used", used, "%", args->memory_warn, args->memory_crit);
	percent_output(figures->ctx, "memory", used);
	if (m.swap_total_bytes)
		figure_judge(figures, "swap used",
			100 * (1 - (double)m.swap_free_bytes / (double)m.swap_total_bytes), "%",
			args->swap_warn, args->swap_crit);
	return 0;
}

static int32_t load_judge(struct figures *figures, const char *proc, int cpu_count)
{
	const struct health_args *args = figures->ctx->args;
	double load[3];
	char text[24];
	int r = proc_load(proc, load);
	if (r < 0)
		return read_fail(figures->ctx, "loadavg", r);
	/* of five minutes: one is over before anybody has looked */
	figure_judge(figures, "load per processor", load[1] / (cpu_count > 0 ? cpu_count : 1), "",
		args->load_warn, args->load_crit);
	snprintf(text, sizeof text, "%.2f", load[0]);
	upkeep_output_text(figures->ctx, "load", text);
	return 0;
}

static void pressure_judge(struct figures *figures, const char *proc)
{
	const struct health_args *args = figures->ctx->args;
	static const struct {
		const char *resource, *kind, *what;
	} kinds[] = {
		{"cpu", "some", "pressure on processors"},
		{"memory", "full", "pressure on memory"},
		{"io", "full", "pressure on disks"},
	};
	double value;
	for (size_t i = 0; i < UPKEEP_COUNT(kinds); i++)
		if (proc_pressure(proc, kinds[i].resource, kinds[i].kind, &value) == 0)
			figure_judge(figures, kinds[i].what, value, "%", args->pressure_warn,
				args->pressure_crit);
}

static int32_t cpu_judge(struct figures *figures, int *ret_count)
{
	const struct health_args *args = figures->ctx->args;
	CLEANUP_SAMPLE struct sample sample;
	int32_t r = sample_take(figures->ctx, args->sample, &sample);
	if (r < 0)
		return r;
	*ret_count = sample.cpu_count;
	figure_judge(figures, "processors used", sample.cpu_percent, "%", args->cpu_warn,
		args->cpu_crit);
	percent_output(figures->ctx, "cpu", sample.cpu_percent);
	upkeep_output_int(figures->ctx, "processors", sample.cpu_count);
	processes_rows(figures->ctx, &sample.processes, "cpu", args->top);
	return 0;
}

static int32_t uptime_say(struct upkeep_ctx *ctx, const char *proc)
{
	int64_t uptime = 0;
	int r = proc_uptime(proc, &uptime);
	if (r < 0)
		return read_fail(ctx, "uptime", r);
	upkeep_output_int(ctx, "uptime", uptime);
	upkeep_info(ctx, "up for %lld days, %lld hours and %lld minutes",
		(long long)(uptime / 86400), (long long)(uptime / 3600 % 24),
		(long long)(uptime / 60 % 60));
	return 0;
}

int32_t health_run(struct upkeep_ctx *ctx)
{
	const struct health_args *args = ctx->args;
	const struct system_settings *settings = ctx->settings;
	const struct disks_limits limits = {args->disk_warn, args->disk_crit, args->inodes_warn,
		args->inodes_crit, args->mount_timeout};
	struct figures figures = {.ctx = ctx};
	int cpu_count = 1;
	int32_t r = cpu_judge(&figures, &cpu_count);
	if (r == 0)
		r = memory_judge(&figures, settings->proc);
	if (r == 0)
		r = load_judge(&figures, settings->proc, cpu_count);
	if (r == 0)
		r = disks_judge(&figures, &args->mounts, &limits);
	if (r == 0)
		r = uptime_say(ctx, settings->proc);
	if (r < 0)
		return r;
	pressure_judge(&figures, settings->proc);
	return figures_finish(&figures, "upkeep show RUN: the tables name mounts and processes");
}
