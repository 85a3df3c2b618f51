/* Numbers for people. */
#ifndef UPKEEP_REPORT_HUMAN_H
#define UPKEEP_REPORT_HUMAN_H

#include <stddef.h>
#include <stdint.h>

#define HUMAN_SIZE 32
/* All write into buffer[HUMAN_SIZE] and return it. */
const char *human_bytes(char *buffer, uint64_t bytes);         /* "1.2 GiB" */
const char *human_duration(char *buffer, int64_t duration_ms); /* "0.3 s", "2m05s" */
const char *human_time(char *buffer, int64_t wall_ms);         /* "2026-11-23 04:00:00" */

#endif
