/*
 * A set into a new database of a reserved name, and the proof that it holds what was dumped:
 * what drill and restore have in common.  The dump goes straight into pg_restore; none of it
 * is written to a disk of this machine.
 */
#ifndef POSTGRES_LOAD_H
#define POSTGRES_LOAD_H

#include "postgres/about.h"
#include "postgres/programs.h"
#include "postgres/relations.h"
#include "postgres/scratch.h"
#include "postgres/set.h"

struct load {
	struct upkeep_ctx *ctx;
	struct connection *admin; /* to another database of the server */
	char name[SCRATCH_ROOM];  /* of the new database */
	struct about about;
	struct relations was, is; /* when it was dumped, and now */
	uint64_t bytes;           /* of the dump */
	uint64_t record;          /* of the new database */
	struct set_reader *set;
};

/* Reads up to the dump: afterwards `about` is there, and nothing has been changed. */
int load_begin(struct load *load, struct fault *fault);
/* Makes the database and restores into it; `options` (NULL at the end) go to pg_restore. */
int load_restore(struct load *load, const char *const *options, struct fault *fault);
/* Reads the set to its end and compares what `restored`, a connection to the new database,
 * sees with what was noted.  -EBADMSG: another. */
int load_compare(struct load *load, struct connection *restored, struct fault *fault);
/* The dump's way into the standard input of a program; `to` is -1 once the program has read what
 * it wants: whether that was right is said by how it ended, and the set is read on. */
struct load_feed {
	struct upkeep_ctx *ctx;
	int to;
};
int load_feed_open(
	struct load_feed *feed, struct upkeep_ctx *ctx, int *ret_from, struct fault *fault);
int load_feed_piece(void *feed, const void *bytes, size_t size, struct fault *fault);
void load_feed_close(struct load_feed *feed);
#define CLEANUP_FEED __attribute__((cleanup(load_feed_close)))

void load_free(struct load *load);
#define CLEANUP_LOAD __attribute__((cleanup(load_free)))

#endif
