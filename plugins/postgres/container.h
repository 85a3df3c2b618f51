/* A server that runs in a container without a published port. */
#ifndef POSTGRES_CONTAINER_H
#define POSTGRES_CONTAINER_H

#include "support/fault.h"

/* The container's own address, asked of the engine named in the settings; free *ret.
 * -ENOENT: no such container, or it does not run. */
int container_address(struct upkeep_ctx *ctx, char **ret, struct fault *fault);

#endif
