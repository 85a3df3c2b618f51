/* Time, read nowhere else. */
#ifndef UPKEEP_BASE_CLOCK_H
#define UPKEEP_BASE_CLOCK_H

#include <stdint.h>

int64_t clock_wall_ms(void);      /* milliseconds since the epoch */
int64_t clock_monotonic_ms(void); /* CLOCK_BOOTTIME: goes on during suspend */
int64_t clock_monotonic_ns(void);

#endif
