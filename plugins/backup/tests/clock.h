/* The wall clock as plugin and test see it, for programs linked with $(backup_clock_wrap): nobody
 * waits for it.  Times of files and those that gpg writes down are the real ones. */
#ifndef BACKUP_TESTS_CLOCK_H
#define BACKUP_TESTS_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Where a later change of a file is sure to have another time. */
#define CLOCK_SETTLE_MS 80

void clock_advance(int64_t ms);
/* Stands still there, until it is NULL. */
void clock_stop(const struct timespec *at);

#endif
