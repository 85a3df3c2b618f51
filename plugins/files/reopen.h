/* Telling the writers of a log to open it anew. */
#ifndef FILES_REOPEN_H
#define FILES_REOPEN_H

#include <stdint.h>

#include <upkeep/plugin.h>

struct reopen {
	const char *signal;    /* "HUP", ...; NULL or "": nobody is told */
	const char *pid_file;  /* or NULL */
	const char *processes; /* names separated by commas, or NULL */
};

/* True where there is somebody to tell. */
int reopen_possible(const struct reopen *reopen);

/* Sends the signal.  A process is never signalled on the word of a file that
 * another user could have written. */
int32_t reopen_tell(struct upkeep_ctx *ctx, const struct reopen *reopen);

/* Waits until nobody has the file behind fd (read-only) open for writing. */
int32_t reopen_wait(struct upkeep_ctx *ctx, int fd, const char *path, int64_t wait_ms);

#endif
