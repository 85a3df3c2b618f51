/* What a program writes to standard error, read while it runs: however much it is, the first and
 * the last 32 KiB are kept. */
#ifndef SUPPORT_MESSAGES_H
#define SUPPORT_MESSAGES_H

#include "support/fault.h"

#define MESSAGES_PART 32768 /* bytes */

struct messages;

/* *ret_to is for the program, and the caller's to close once it has started. */
int messages_begin(struct messages **ret, int *ret_to, struct fault *fault);
/* When the program has ended, or none was started: what it wrote, on the heap; where something is
 * left out, a line between the two parts says how much.  Does not wait for others that have the
 * descriptor still.  NULL where *messages is. */
char *messages_end(struct messages **messages);

#endif
