/* Asking a plugin what it is, in a process without privileges and with little time. */
#ifndef UPKEEP_CATALOG_PROBE_H
#define UPKEEP_CATALOG_PROBE_H

#include "base/error.h"

#include <stdint.h>

/* What `program --describe-plugin` printed, on the heap.  -EPROTO: it crashed, hung, or said
 * too much. */
int probe_plugin(const char *program, int fd, const char *name, const char *path, int64_t limit_ms,
	char **ret_json, struct error *err);

#endif
