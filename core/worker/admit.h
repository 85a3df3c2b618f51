/*
 * Admission: whether a plugin may be used (plugin-abi.md 4), and its tables copied
 * into structs of ours, whatever sizes its author had.
 */
#ifndef UPKEEP_WORKER_ADMIT_H
#define UPKEEP_WORKER_ADMIT_H

#include "base/arena.h"
#include "base/error.h"
#include "model/describe.h"

/* A plugin that may be used. */
struct admitted {
	struct upkeep_plugin plugin;   /* ours: what its author did not know is 0 */
	struct upkeep_action *actions; /* ours, with callbacks */
	struct plugin_description description;
};

/* `name` is what the file is called without ".so"; NULL: not compared.  -EPROTO: refused; the
 * message names what, both sides' figures and the remedy. */
int plugin_admit(const struct upkeep_plugin *plugin, const char *name, const char *path,
	struct arena *arena, struct admitted *ret, struct error *err);
/* The callbacks of an action, or NULL. */
const struct upkeep_action *admitted_action(const struct admitted *admitted, const char *name);

#endif
