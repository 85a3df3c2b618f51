/*
 * Putting something in the place of something else, at once, and back.  What was and
 * what will be are known by their inodes, so that every step can be tried twice.
 */
#ifndef SUPPORT_SWAP_H
#define SUPPORT_SWAP_H

#include <stdbool.h>
#include <stdint.h>

#include "support/fault.h"

/* `name` in the directory `live` against `name` in the directory `stage`, on one file
 * system.  An inode of 0: there is nothing of that name. */
struct swap {
	char *live, *stage, *name;
	uint64_t live_ino, stage_ino;
};

/* Notes what lies on both sides. */
int swap_look(struct swap *swap, struct fault *fault);
/* Exchanges, or moves where one side has nothing; durable.  0 also where it was done. */
int swap_do(const struct swap *swap, struct fault *fault);
/* The opposite. -ESTALE: the place holds neither what was nor what was put there. */
int swap_undo(const struct swap *swap, struct fault *fault);
/* 1 done, 0 not done, -ESTALE something else. */
int swap_state(const struct swap *swap);

int swap_write(const struct swap *swap, char *payload, size_t room, size_t *ret_size);
int swap_read(struct swap *swap, const char *payload, size_t size);
void swap_free(struct swap *swap);
#define CLEANUP_SWAP __attribute__((cleanup(swap_free)))

#endif
