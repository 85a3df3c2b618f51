/* Faults: what a person must read, made once where the knowledge is; for plugins. */
#ifndef SUPPORT_FAULT_H
#define SUPPORT_FAULT_H

#include <stddef.h>

#include <upkeep/plugin.h>

/* What failed, on what and why; and what to type next (may be NULL).  Both are on
 * the heap.  Start with CLEANUP_FAULT and `= {0}`. */
struct fault {
	char *what;
	char *next;
};

/* Stores the message (an earlier one is freed; `fault` may be NULL) and returns `code`,
 * a negative errno value.  %m is errno at the time of the call. */
int fault_set(struct fault *fault, int code, const char *next, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Puts "prefix: " before the message. */
void fault_prefix(struct fault *fault, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Hands the message to the host as the failure of the action.  The result follows
 * from `code`: -ECANCELED cancelled; -EAGAIN, -EBUSY, -ENOSPC and -ENOMEM for now;
 * anything else for good. */
int32_t fault_report(struct upkeep_ctx *ctx, int code, const struct fault *fault);

/* The message, never NULL. */
const char *fault_what(const struct fault *fault);

void fault_clear(struct fault *fault);
#define CLEANUP_FAULT __attribute__((cleanup(fault_clear)))

/* printf into new memory; ends the process where there is none. */
char *fault_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Zeroed memory, and an array made longer; they end the process where there is none. */
void *fault_alloc(size_t size);
void *fault_resize(void *array, size_t count, size_t size);

#endif
