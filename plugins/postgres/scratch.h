/*
 * Databases of our own.  Their names are a reserved beginning and 12 random hexadecimal
 * digits: never anything that a person or a set has said.  Nothing here removes a database
 * with any other name.
 */
#ifndef POSTGRES_SCRATCH_H
#define POSTGRES_SCRATCH_H

#include "postgres/about.h"
#include "postgres/query.h"

#define SCRATCH_DRILL "upkeep_drill_"   /* a dump is tried out in it */
#define SCRATCH_NEW "upkeep_new_"       /* restored, not yet in its place */
#define SCRATCH_OLD "upkeep_old_"       /* what a restored one has replaced */
#define SCRATCH_UNDONE "upkeep_undone_" /* restored, written to, and taken back */
#define SCRATCH_ROOM 32

/* A new name. */
void scratch_name(char ret[SCRATCH_ROOM], const char *prefix);
/* `name` is that beginning and 12 digits, nothing else. */
bool scratch_is(const char *name, const char *prefix);
/* ... with one of the beginnings above. */
bool scratch_is_ours(const char *name);

/* Writes an undo record of kind "database", then makes the database with the encoding and
 * locale of `about`; nobody but superusers and us may connect to it.  `connection` is to
 * another database. */
int scratch_create(struct connection *connection, const char *name, const struct about *about,
	uint64_t *ret_record, struct fault *fault);
/* Removes it with all sessions in it; 0 also where it is not there. -EINVAL: the name is none
 * of ours. */
int scratch_drop(struct connection *connection, const char *name, struct fault *fault);
/* Undo of the record. */
int32_t scratch_undo(struct upkeep_ctx *ctx, const struct upkeep_undo *record);
int32_t scratch_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record);

/* A drill holds this for as long as it lives: the server lets go when its connection ends. */
int scratch_hold(struct connection *connection, const char *name, struct fault *fault);
/* Removes what killed drills have left: those that nobody holds and nobody is connected to. */
int scratch_reap_drills(struct connection *connection, struct fault *fault);
/* Removes those of SCRATCH_OLD and SCRATCH_UNDONE whose time has come. */
int scratch_reap_old(struct connection *connection, struct fault *fault);
/* The comment of a database that is to stay until then. */
char *scratch_comment(const struct upkeep_ctx *ctx, const char *what, int64_t until_s);

#endif
