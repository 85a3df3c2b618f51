/* Loader: one plugin, by libltdl with a loader of our own; nothing is ever unloaded. */
#ifndef UPKEEP_WORKER_LOADER_H
#define UPKEEP_WORKER_LOADER_H

#include "base/error.h"

#include <upkeep/plugin.h>

/* Loads the file behind descriptor `fd` and finds its symbol.  `path` is for messages.
 * -EPROTO: why it cannot be loaded, in the words of the dynamic linker. */
int plugin_load(int fd, const char *path, const struct upkeep_plugin **ret, struct error *err);

#endif
