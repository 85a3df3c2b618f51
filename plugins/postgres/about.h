/*
 * about.json of a set: what has to be known of a database, its server and the roles before
 * its dump can be restored.  The server itself makes it; it is read here.
 */
#ifndef POSTGRES_ABOUT_H
#define POSTGRES_ABOUT_H

#include <jansson.h>

#include "postgres/query.h"

/* Of the connection's database, as text.  `passwords`: with the roles' password hashes, which
 * only a superuser may read.  `client` is pg_dump's version. */
int about_make(
	struct connection *connection, bool passwords, int client, char **ret, struct fault *fault);

/* The server's roles alone, as about.json has them, without passwords. */
int about_roles(struct connection *connection, json_t **ret, struct fault *fault);

struct about {
	json_t *json;
	const char *database;
	int server, client; /* versions, as 150020 */
};

/* -EBADMSG: not one of ours, or of a newer form. */
int about_parse(struct about *ret, const char *text, size_t size, struct fault *fault);
static inline void about_free(struct about *about)
{
	json_decref(about->json);
	*about = (struct about){0};
}
#define CLEANUP_ABOUT __attribute__((cleanup(about_free)))

/* A member's text, or "" where it is none. */
const char *about_text(const json_t *object, const char *name);

#endif
