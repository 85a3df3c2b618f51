/*
 * A set: what postgres.dump writes and restore, verify and drill read.  It is a tar archive
 * (ustar), so that it can be taken apart by hand, with these members in this order:
 *
 *	about.json              the database, its server, roles; before the dump
 *	globals.sql             roles and tablespaces, as pg_dumpall writes them
 *	database.dump.000001    pg_dump's custom format, not compressed, cut into parts since
 *	database.dump.000002    tar wants to know the size of what comes
 *	...
 *	contents.json           what the dump holds: tables with their rows
 *	SHA256SUMS              of all of the above, for `sha256sum -c`
 *
 * SHA256SUMS is the end: without it a set is cut off, and nothing that it does not bear out
 * is believed.  It finds damage, not forgery: that is for the signature of what stores it.
 */
#ifndef POSTGRES_SET_H
#define POSTGRES_SET_H

#include "support/fault.h"

#define SET_ABOUT "about.json"
#define SET_GLOBALS "globals.sql"
#define SET_PART "database.dump." /* and a number of six digits or more, from 1 */
#define SET_CONTENTS "contents.json"
#define SET_SUMS "SHA256SUMS"
#define SET_GLOBALS_END "PostgreSQL database cluster dump complete" /* pg_dumpall's last words */
#define SET_PART_BYTES ((size_t)16 << 20)
#define SET_TEXT_MAX ((size_t)256 << 20) /* of any member but parts */

struct set_writer;
/* Onto the descriptor of stream_open_out. */
int set_writer_open(struct set_writer **ret, struct upkeep_ctx *ctx, int fd, struct fault *fault);
int set_put(struct set_writer *writer, const char *name, const void *bytes, size_t size,
	struct fault *fault);
/* The next part of the dump; up to SET_PART_BYTES. */
int set_put_part(struct set_writer *writer, const void *bytes, size_t size, struct fault *fault);
/* SHA256SUMS and the archive's end. */
int set_writer_finish(struct set_writer *writer, struct fault *fault);
void set_writer_close(struct set_writer **writer);
#define CLEANUP_SET_WRITER __attribute__((cleanup(set_writer_close)))

struct set_reader;
int set_reader_open(struct set_reader **ret, struct upkeep_ctx *ctx, int fd, struct fault *fault);
/* The next member must be `name`; its bytes, NUL-terminated, on the heap.  -EBADMSG: the set
 * is none, is cut off or damaged. */
int set_take(struct set_reader *reader, const char *name, char **ret, size_t *ret_size,
	struct fault *fault);
/* globals.sql, which must be whole. */
int set_take_globals(struct set_reader *reader, struct fault *fault);
/* Gets each piece of the dump; a failure of it ends the reading. */
typedef int set_piece(void *arg, const void *bytes, size_t size, struct fault *fault);
int set_take_dump(struct set_reader *reader, set_piece *piece, void *arg, uint64_t *ret_bytes,
	struct fault *fault);
/* After contents.json: all hashes are right, and nothing follows. */
int set_reader_finish(struct set_reader *reader, struct fault *fault);
void set_reader_close(struct set_reader **reader);
#define CLEANUP_SET_READER __attribute__((cleanup(set_reader_close)))

#endif
