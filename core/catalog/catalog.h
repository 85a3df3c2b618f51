/*
 * Catalog: which plugins there are and what they offer, without running their
 * code here.  A description is printed once by a worker without privileges and
 * cached by the file's device, inode, size, mtime and ctime.
 *
 * UPKEEP_PLUGIN_DIR in the environment (directories with ":" between them) takes the
 * place of the built-in directory, for tests and for use from the build tree, where
 * plugins lie in plugins/.libs.  Ignored where the program runs setuid.
 */
#ifndef UPKEEP_CATALOG_CATALOG_H
#define UPKEEP_CATALOG_CATALOG_H

#include "base/error.h"
#include "model/describe.h"

struct catalog;

struct catalog_options {
	const char *const *dirs; /* beside the built-in directory, which comes first */
	size_t dir_count;
	const char *cache_dir; /* of the descriptions; made (0700) where missing; NULL: none */
	const char *program;   /* upkeep itself, to be spawned as a worker; NULL: process_self() */
	int64_t describe_ms;   /* how long a plugin may take to be described; 0: 10 s */
};

int catalog_new(const struct catalog_options *options, struct catalog **ret, struct error *err);
void catalog_free(struct catalog *catalog);
/* Adds directories that the site file names.  Refused (-EPERM) where one, or what is
 * above it, can be written by others. */
int catalog_add_dir(struct catalog *catalog, const char *dir, struct error *err);

/* The plugin of that name.  -ENOENT: no such file (the message lists where it
 * was looked for and the nearest name); -EPROTO: refused, with the reason, both
 * figures and the remedy.  Description and path live as long as the catalog. */
int catalog_find(struct catalog *catalog, const char *name, const char **ret_path,
	const struct plugin_description **ret, struct error *err);
/* Names of all files that look like plugins, sorted; NULL-terminated; the catalog's. */
const char *const *catalog_names(struct catalog *catalog);

#endif
