/* Going through the databases of a server, a connection to each. */
#ifndef POSTGRES_DATABASES_H
#define POSTGRES_DATABASES_H

#include "postgres/connect.h"

/* What is called for each; below 0 it ends. */
typedef int databases_visit(struct connection *connection, void *arg, struct fault *fault);

/* Calls `visit` for each of the databases named; for every one that is connectable and no
 * template where none is named.  In the order of the list, or of their names.  Stops at the
 * first that fails.  What a visit answers below 0 is the answer, with the fault that it set. */
int databases_each(struct upkeep_ctx *ctx, const struct upkeep_strings *names,
	databases_visit *visit, void *arg, struct fault *fault);

/* The whole of an action whose visits add to the int64_t that `arg` points to: how much there is
 * to do (of a plan), or was shown (then also the output of that name). */
int32_t databases_plan(
	struct upkeep_ctx *ctx, const struct upkeep_strings *names, databases_visit *visit);
int32_t databases_report(struct upkeep_ctx *ctx, const struct upkeep_strings *names,
	databases_visit *visit, const char *output);

#endif
