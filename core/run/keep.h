/* What engine and keeper say to each other: descriptors of locks that the keeper
 * holds too, so that they outlive the engine, and tasks that left something running
 * on purpose. */
#ifndef UPKEEP_RUN_KEEP_H
#define UPKEEP_RUN_KEEP_H

#include <stdbool.h>
#include <stdint.h>

enum keep_kind { KEEP_HOLD = 1, KEEP_RELEASE = 2, KEEP_SPARE = 3, KEEP_GUARD = 4 };
struct keep_message {
	uint32_t kind;
	int32_t key; /* the engine's number of the descriptor; SPARE, GUARD: of the task */
};

/* To a keeper that has gone (or is not there: fd -1) nothing is said. */
int keep_hold(int socket, int fd); /* a negative errno where it was not sent */
void keep_release(int socket, int fd);
/* Starts the guard of a task, which gets this end of a socket pair. */
void keep_guard(int socket, uint32_t task, int fd);
/* What carries the mark of this task is not killed at the end. */
void keep_spare(int socket, uint32_t task);
/* The mark of a task's processes, in their environment. */
#define KEEP_MARK_SIZE 64u
void keep_mark(char mark[static KEEP_MARK_SIZE], const char *run_id, uint32_t task);
/* The same of what its guard starts to undo it. */
void keep_guard_mark(char mark[static KEEP_MARK_SIZE], const char *run_id, uint32_t task);
/* Kills what a guard that has died left of its undo. */
void keep_kill_guarded(const char *run_id, uint32_t task);
/* The keeper's side: 1 a message (with *ret_fd, or -1), 0 none, -errno: the end. */
int keep_receive(int socket, struct keep_message *ret, int *ret_fd);

#endif
