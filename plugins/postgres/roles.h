/* Roles of a set: those that a server lacks are made, those that it has stay as they are. */
#ifndef POSTGRES_ROLES_H
#define POSTGRES_ROLES_H

#include "postgres/about.h"

/* How many roles of the set the server has not. */
int roles_missing(
	struct connection *connection, const struct about *about, size_t *ret, struct fault *fault);
/* Makes those, each after an undo record of kind "role", with their passwords, settings and
 * memberships; rows of table "roles" say which, and in what others differ. */
int roles_restore(struct connection *connection, const struct about *about, size_t *ret_made,
	struct fault *fault);
int32_t roles_undo(struct upkeep_ctx *ctx, const struct upkeep_undo *record);
int32_t roles_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record);

#endif
