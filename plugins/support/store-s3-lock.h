/*
 * The lock of a store in a bucket: an object below ".locks/" for each holder, "shared~RANDOM" or
 * "alone~RANDOM", that says who it is.  Whoever wants the lock looks for others, writes its own,
 * and looks again: of two at the same time at least one sees the other and steps back.
 *
 * A lock whose process has ended on this machine is taken away by the next who looks.  One of
 * another machine counts until it is removed, or was not refreshed for six hours (by the server's
 * clock); its holder refreshes it every five minutes of work.
 *
 * Who may write a lock and not remove it writes over it, in the end, that it has ended; the next
 * who looks takes it away.
 *
 * Who may not list locks, or not write them, and wants the store shared, goes on without: a host
 * that can only write puts its lock where others see it; one that can only read harms nobody.
 */
#ifndef SUPPORT_STORE_S3_LOCK_H
#define SUPPORT_STORE_S3_LOCK_H

#include <stdbool.h>

#include "support/s3.h"

/* Begin with zeroes and `prefix`. */
struct store_s3_lock {
	const char *prefix; /* of the store's keys: "" or "a/b/" */
	char *key;          /* NULL: not held */
	char *text;         /* what it says */
	int64_t refreshed_s;
};

/* Without waiting.  -EBUSY: others hold it, and the fault says who and what to type.  After any
 * failure release it: it may be there. */
int store_s3_lock_take(struct store_s3_lock *lock, struct s3 *s3, bool alone, const char *who,
	const char *store, struct fault *fault);
/* To be called before any request: refreshes the lock when it is time.  -ESTALE: it was held to be
 * dead and is gone. */
int store_s3_lock_keep(struct store_s3_lock *lock, struct s3 *s3, struct fault *fault);
/* -ESTALE where it is gone, however new it was; 0 also where we may not look. */
int store_s3_lock_check(const struct store_s3_lock *lock, struct s3 *s3, struct fault *fault);
/* By a client that is not stopped when the task is. */
void store_s3_lock_release(struct store_s3_lock *lock, struct s3 *s3);

#endif
