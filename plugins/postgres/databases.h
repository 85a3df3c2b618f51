/* Going through the databases of a server, a connection to each. */
#ifndef POSTGRES_DATABASES_H
#define POSTGRES_DATABASES_H

#include "postgres/connect.h"

/* Calls `visit` for each of the databases named; for every one that is connectable and no
 * template where none is named.  In the order of the list, or of their names.  Stops at the
 * first that fails.  What a visit answers below 0 is the answer, with the fault that it set. */
int databases_each(struct upkeep_ctx *ctx, const struct upkeep_strings *names,
	int (*visit)(struct connection *connection, void *arg, struct fault *fault), void *arg,
	struct fault *fault);

#endif
