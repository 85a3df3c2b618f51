/* Rotating logs: which, by which method, under which names. */
#ifndef FILES_ROTATE_H
#define FILES_ROTATE_H

#include "actions.h"
#include "place.h"
#include "support/walk.h"

enum rotate_method { ROTATE_RENAME, ROTATE_COLLAPSE, ROTATE_COPY };

/* What is to be done with one log. */
struct rotate_step {
	const struct walk_file *file;
	enum rotate_method method;
	int written; /* a process has it open for writing */
};

/* Chooses the method for a log that is open in dir_fd: auto never loses a line,
 * and fails where no such way exists. */
int32_t rotate_choose(struct upkeep_ctx *ctx, int dir_fd, const struct walk_file *file,
	struct rotate_step *ret_step);

/* "NAME.3", "NAME.3.zst", ...; -ENAMETOOLONG. */
int rotate_name(char room[NAME_MAX + 1], const char *name, int64_t number, const char *suffix);

/* True for a name that rotation has made. */
int rotate_is_rotated(const char *name);

/* Makes room at NAME.1: each moves one up, what passes `keep` goes to the trash. */
int32_t rotate_shift(struct upkeep_ctx *ctx, struct place log, int64_t keep);

/* Compresses NAME.number if it is there and not compressed. */
int32_t rotate_compress(struct upkeep_ctx *ctx, struct place log, int64_t number);

/* How the writers are told, from the arguments; names joins the processes. */
void rotate_reopen(const struct rotate_args *args, struct reopen *ret_reopen, char names[1024]);

#endif
