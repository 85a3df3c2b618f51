/*
 * plan_restore: the plan of an earlier run, made again from the journal.  The one way back
 * through the house, for resume, rollback and recovery.
 */
#ifndef UPKEEP_PLAN_RESTORE_H
#define UPKEEP_PLAN_RESTORE_H

#include "plan/build.h"

/* `text` is what plan_text made.  Plugins are looked for in `catalog` by their names and
 * described anew; NULL: no plugin is.  Where one is missing, or has an action no more, its
 * instance has no description and its tasks no action (NULL; its name is detail.missing_action,
 * that of a rollback stands in its group); what is wrong with it can be asked of the catalog.
 * Where `current` is not NULL, instances get the settings that they have there; those that it
 * does not know, or knows as another plugin, keep theirs.
 * The site, the graphs and everything else of the plan belong to the plan; the caller frees it
 * by plan_free.  -EBADMSG: this is not the text of a plan, or one of a newer upkeep. */
int plan_restore(const char *text, size_t size, struct catalog *catalog, const struct site *current,
	struct plan **ret, struct error *err);

#endif
