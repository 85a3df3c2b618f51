/*
 * What belongs to a database, or to a role, beside what pg_dump restores: owner, rights,
 * settings, comment.
 */
#ifndef POSTGRES_PROPERTIES_H
#define POSTGRES_PROPERTIES_H

#include "postgres/about.h"

/* `text` as a string of SQL, on the heap; *ret NULL and -EINVAL: it is not valid text. */
int properties_literal(
	struct connection *connection, const char *text, char **ret, struct fault *fault);

/* ALTER ... SET of each "name=value" in `settings` for the role (NULL: all), in the database
 * (NULL: in all).  What the server does not take is a warning. */
int properties_settings(struct connection *connection, const char *role, const char *database,
	const json_t *settings, struct fault *fault);

/* COMMENT ON DATABASE; an empty one is none. */
int properties_comment(
	struct connection *connection, const char *database, const char *text, struct fault *fault);

/* Gives `database` what `about` says of the one that was dumped. */
int properties_restore(struct connection *connection, const char *database,
	const struct about *about, struct fault *fault);

#endif
