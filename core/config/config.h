/*
 * Configuration: libconfig files → struct site, with every error at once, each
 * at its file, line and column.  Nothing is run and no plugin is loaded but to
 * describe itself (core/catalog).
 */
#ifndef UPKEEP_CONFIG_CONFIG_H
#define UPKEEP_CONFIG_CONFIG_H

#include "base/text.h"
#include "base/vec.h"
#include "catalog/catalog.h"
#include "model/site.h"

struct diagnostics {
	VEC(struct diagnostic) list;
};

struct config_options {
	const char *path;           /* --site, else $UPKEEP_SITE, else the built-in one */
	const char *state_dir;      /* --state-dir or $UPKEEP_STATE_DIR; NULL: the file's */
};

/* Reads the site file and every graph file.  0 where the files could be read,
 * even where there are errors: those are in `diagnostics` and in the `faulty`
 * flags; -errno where not even the site file could be.  The caller frees
 * *ret_site (site_free) and the diagnostics. */
int config_load(const struct config_options *options, struct catalog *catalog,
	struct site **ret_site, struct diagnostics *diagnostics, struct error *err);

/* Adds one; texts by format; sorted and printed later. */
void diagnostics_add(struct diagnostics *diagnostics, struct location at, const char *graph,
	bool warning, const char *next, const char *format, ...)
	__attribute__((format(printf, 6, 7)));
/* All that concern `graph` (and the settings), or all (graph NULL), in order of place:
 *	FILE:LINE:COLUMN: error: WHAT; NEXT
 *	   14 |     jobs = 500;
 *	      |            ^~~
 * and "2 errors, 1 warning" as the last line. */
void diagnostics_print(const struct diagnostics *diagnostics, const struct site *site,
	struct text *out);
unsigned diagnostics_errors(const struct diagnostics *diagnostics, const char *graph);
void diagnostics_free(struct diagnostics *diagnostics);

#endif
