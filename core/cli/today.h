/* Is the graph of an earlier run what the site says today? */
#ifndef UPKEEP_CLI_TODAY_H
#define UPKEEP_CLI_TODAY_H

#include "cli/load.h"
#include "model/plan.h"

/* EXIT_OK where it is, or where today's site cannot be read; else EXIT_UNRESOLVED and a message
 * that says what differs.  `was` is the restored plan of the run; its parameters hold for both,
 * and so does what --only and --skip left out.  Settings are no part of a graph. */
enum exit_code today_compare(const struct loaded *today, const struct plan *was, struct error *err);

#endif
