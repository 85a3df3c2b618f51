/*
 * Threads that send requests, each by a client of its own, and the memory that they share.
 *
 * One thread, the callback's, gives them work.  The first failure stops everything: what has
 * not begun then is not begun, and every call answers that failure.
 */
#ifndef S3_UPLOAD_CREW_H
#define S3_UPLOAD_CREW_H

#include <stdbool.h>

#include "s3-upload/place.h"

struct crew;

/* What one of them does; `arg` is its own from crew_give on, whether it is called or not. */
struct crew_work {
	int (*run)(struct s3 *s3, void *arg, struct fault *fault);
	void (*drop)(void *arg); /* called in every case, after run; may be NULL */
	void *arg;
};

/* As many as the settings' `jobs`, with `memory` bytes. */
int crew_open(struct crew **ret, const struct place *place, uint64_t memory, struct fault *fault);
/* Waits for all that was given. */
int crew_finish(struct crew *crew, struct fault *fault);
/* Stops what runs at its next request, waits, and frees. */
void crew_close(struct crew **crew);
#define CLEANUP_CREW __attribute__((cleanup(crew_close)))

/* Gives them work; waits while all are busy. */
int crew_give(struct crew *crew, const struct crew_work *work, struct fault *fault);

/* Waits until `size` bytes of the memory are free, and takes them.  More than there is in all
 * is given when everything is free. */
int crew_reserve(struct crew *crew, uint64_t size, struct fault *fault);
void crew_release(struct crew *crew, uint64_t size); /* by any thread */

/* Sets *flag, under the crew's lock, for a crew_await. */
void crew_mark(struct crew *crew, bool *flag);
/* Waits until *flag is set. */
int crew_await(struct crew *crew, const bool *flag, struct fault *fault);

/* Requests that were sent again. */
unsigned crew_retries(const struct crew *crew);

#endif
