/* SPDX-License-Identifier: MIT */
#include "sample.h"

#include <poll.h>
#include <time.h>

#include "actions.h"

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void sample_free(struct sample *sample)
{
	processes_free(&sample->processes);
}

static int32_t look(struct upkeep_ctx *ctx, struct proc_cpu *cpu, struct processes *processes)
{
	const struct system_settings *settings = ctx->settings;
	int r = proc_cpu(settings->proc, cpu);
	if (r == 0)
		r = processes_read(settings->proc, processes);
	if (r < 0)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, strerror(-r),
			"cannot read the processes in \"%s\"", settings->proc);
	return 0;
}

int32_t sample_take(struct upkeep_ctx *ctx, int64_t sample_ms, struct sample *ret)
{
	struct proc_cpu first, second;
	CLEANUP_PROCESSES struct processes before = {0};
	struct pollfd cancel = {.fd = ctx->host->cancel_fd(ctx), .events = POLLIN};
	double start = now_s();
	*ret = (struct sample){0};
	int32_t r = look(ctx, &first, &before);
	if (r < 0)
		return r;
	if (poll(&cancel, 1, (int)sample_ms) > 0)
		return UPKEEP_CANCELLED;
	r = look(ctx, &second, &ret->processes);
	if (r < 0)
		return r;
	processes_measure(&ret->processes, &before, now_s() - start);
	ret->cpu_count = second.count;
	if (second.total > first.total)
		ret->cpu_percent = 100 * (double)(second.busy - first.busy) /
			(double)(second.total - first.total);
	return 0;
}
