/*
 * What a database holds: its tables, views and sequences, and how many rows each table has.
 * Noted when it is dumped, and compared with what a restore made of it.
 */
#ifndef POSTGRES_RELATIONS_H
#define POSTGRES_RELATIONS_H

#include "postgres/query.h"

struct relation {
	char *schema, *name;
	char kind;    /* of pg_class: r table, p partitioned, v view, m, f, S */
	int64_t rows; /* -1: not counted */
};

struct relations {
	struct relation *items;
	size_t count;
	int64_t large_objects; /* -1: not counted */
	int64_t rows;          /* of all that were counted */
	size_t tables;         /* r and p */
};

/* All but the system's own and what extensions brought, in order of schema and name. */
int relations_list(struct relations *ret, struct connection *connection, struct fault *fault);
/* One of the patterns ("schema.name", with wildcards) is of that relation. */
bool relation_fits(const struct relation *relation, struct upkeep_strings patterns);
/* Leaves those out. */
void relations_drop(struct relations *relations, struct upkeep_strings patterns);
/* Keeps the tables as they are until the transaction ends: -EBUSY after lock_timeout. */
int relations_lock(
	const struct relations *relations, struct connection *connection, struct fault *fault);
/* Counts all at once. */
int relations_count(
	struct relations *relations, struct connection *connection, struct fault *fault);

/* Counting beside other work: call `turn` first and whenever the connection's socket is
 * readable, until *done. */
struct counting {
	struct relations *relations;
	struct connection *connection;
	size_t at;
	bool sent, done;
};
int counting_turn(struct counting *counting, struct fault *fault);

/* contents.json, and back.  Free the text; NULL: a name is not UTF-8. */
char *relations_write(const struct relations *relations);
int relations_parse(struct relations *ret, const char *text, size_t size, struct fault *fault);
/* -EBADMSG: what is there differs from what was; the message says in what first, the rows of
 * table "differences" say all. */
int relations_compare(struct upkeep_ctx *ctx, const struct relations *was,
	const struct relations *is, struct fault *fault);
void relations_free(struct relations *relations);
#define CLEANUP_RELATIONS __attribute__((cleanup(relations_free)))

#endif
