/* What engine and keeper say to each other: descriptors of locks that the keeper
 * holds too, so that they outlive the engine. */
#ifndef UPKEEP_RUN_KEEP_H
#define UPKEEP_RUN_KEEP_H

#include <stdbool.h>
#include <stdint.h>

enum keep_kind { KEEP_HOLD = 1, KEEP_RELEASE = 2 };
struct keep_message {
	uint32_t kind;
	int32_t key; /* the engine's number of the descriptor */
};

/* To a keeper that has gone (or is not there: fd -1) nothing is said. */
void keep_hold(int socket, int fd);
void keep_release(int socket, int fd);
/* The keeper's side: 1 a message (with *ret_fd, or -1), 0 none, -errno: the end. */
int keep_receive(int socket, struct keep_message *ret, int *ret_fd);

#endif
