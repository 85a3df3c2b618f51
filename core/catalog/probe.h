/* Asking a plugin what it is, in a process without privileges and with little time. */
#ifndef UPKEEP_CATALOG_PROBE_H
#define UPKEEP_CATALOG_PROBE_H

#include "base/error.h"
#include "base/text.h"

#include <stdint.h>

/* What `program --describe-plugin` printed is added to `answer`.  -EPROTO: it crashed, hung, or
 * said too much. */
int probe_plugin(const char *program, int fd, const char *name, const char *path, int64_t limit_ms,
	struct text *answer, struct error *err);

#endif
