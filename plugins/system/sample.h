/* What the processors did between two looks. */
#ifndef SYSTEM_SAMPLE_H
#define SYSTEM_SAMPLE_H

#include "proc.h"
#include "processes.h"

struct sample {
	struct processes processes; /* at the second look, with cpu_percent */
	double cpu_percent;         /* of all processors */
	int cpu_count;
};

/* Looks twice, sample_ms apart; UPKEEP_CANCELLED in between. */
int32_t sample_take(struct upkeep_ctx *ctx, int64_t sample_ms, struct sample *ret);

void sample_free(struct sample *sample);
#define CLEANUP_SAMPLE __attribute__((cleanup(sample_free)))

#endif
