/* Errors: what a person must read, made once where the knowledge is. */
#ifndef UPKEEP_BASE_ERROR_H
#define UPKEEP_BASE_ERROR_H

/* What failed, on what and why (`what`), and what to do or type next (`next`,
 * may be NULL).  Both are on the heap.  Start with `= {0}` or CLEANUP_ERROR. */
struct error {
	char *what;
	char *next;
};

/* Stores the message (freeing an earlier one; err may be NULL) and returns
 * `code`, a negative errno value, so that callers write
 *	return error_set(err, -errno, "run upkeep check", "cannot open %s: %m", path);
 * `next` is copied and may be NULL.  %m is errno at the time of the call. */
int error_set(struct error *err, int code, const char *next, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Puts "prefix: " before the message. */
void error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Frees the message; err is empty afterwards. */
void error_clear(struct error *err);

/* The message or "unknown error"; never NULL. */
const char *error_what(const struct error *err);

#define CLEANUP_ERROR __attribute__((cleanup(error_clear)))

#endif
