/* The cache of descriptions: a file a plugin, valid for one state of the plugin's file. */
#ifndef UPKEEP_CATALOG_CACHE_H
#define UPKEEP_CATALOG_CACHE_H

#include "base/arena.h"
#include "base/text.h"
#include "model/describe.h"

#include <sys/stat.h>

/* 0, or -ENOENT where there is none that is current and the caller's own (or root's). */
int cache_read(const char *dir, const char *name, const struct stat *plugin, struct arena *arena,
	struct plugin_description *ret);
/* Failing to write is no failure: the next one describes anew. */
void cache_write(const char *dir, const char *name, const struct stat *plugin,
	const struct text *description);

#endif
