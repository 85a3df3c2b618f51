/*
 * Logs of tasks: files below the state directory, made when the first byte
 * arrives.  Of more than max_bytes the first and the last half are kept.
 */
#ifndef UPKEEP_RUN_LOG_H
#define UPKEEP_RUN_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log {
	int dir;                         /* the run's directory; the owner's */
	uint32_t task, attempt;          /* its name in it is "TASK.ATTEMPT.log" */
	bool undo;                       /* "TASK.undo.ATTEMPT.log" */
	uint64_t max_bytes;              /* 0: no limit */
	int fd, tail_fd;                 /* -1: not yet */
	uint64_t head_bytes, tail_bytes; /* written to each so far; the tail is a ring */
	uint64_t lost_bytes;             /* by write errors */
};

void log_open(struct log *log, int dir, uint32_t task, uint32_t attempt, uint64_t max_bytes);
void log_write(struct log *log, const char *bytes, size_t size);
/* Puts the tail behind the head, with a line between them that counts what was
 * dropped.  Afterwards log_bytes and log_dropped say what there is. */
void log_finish(struct log *log);
uint64_t log_bytes(const struct log *log);
uint64_t log_dropped(const struct log *log);

#endif
