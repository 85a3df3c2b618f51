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
	const char *path;      /* --site, else $UPKEEP_SITE, else the built-in one */
	const char *state_dir; /* --state-dir or $UPKEEP_STATE_DIR; NULL: the file's */
};

/* What lies in a graph file but in no graph has this as its diagnostic.graph: it does
 * not keep the other graphs from running. */
#define DIAGNOSTIC_NO_GRAPH ""

/* Reads the site file and every graph file.  0 where the files could be read,
 * even where there are errors: those are in `diagnostics` and in the `faulty`
 * flags; -errno where not even the site file could be.  `catalog` NULL: no
 * plugins, only the core's actions.  Every lock and pool that a task names must
 * be declared in the site file, also locks that hold on the whole host (`host-...`).
 * The caller frees *ret_site (site_free) and the diagnostics. */
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
void diagnostics_print(
	const struct diagnostics *diagnostics, const struct site *site, struct text *out);
/* The same for a run of `graph`: errors that do not concern it (nor the settings, nor the
 * graphs that it uses) are printed as warnings. */
void diagnostics_print_for(const struct diagnostics *diagnostics, const struct site *site,
	const char *graph, struct text *out);
/* How many errors concern `graph` (and the settings), or all (graph NULL). */
unsigned diagnostics_errors(const struct diagnostics *diagnostics, const char *graph);
/* EXIT_PLUGIN where every error is a missing or refused plugin, EXIT_CONFIGURATION where
 * there is another, EXIT_OK without errors; for `graph`, and the graphs that it uses where they
 * are faulty, or all (graph NULL). */
int diagnostics_exit_code(
	const struct diagnostics *diagnostics, const struct site *site, const char *graph);
void diagnostics_free(struct diagnostics *diagnostics);

#endif
