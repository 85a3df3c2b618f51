/* Descriptions as JSON: what a worker prints and the catalog keeps in its cache. */
#ifndef UPKEEP_MODEL_DESCRIBE_JSON_H
#define UPKEEP_MODEL_DESCRIBE_JSON_H

#include "base/arena.h"
#include "base/error.h"
#include "model/describe.h"

/* One line of JSON on the heap; never NULL. */
char *description_to_json(const struct plugin_description *plugin);
/* The same for a refusal. */
char *refusal_to_json(const struct error *err);
/* Reads either, believing nothing; a description has passed description_check.
 * -EBADMSG: not a description; -EPROTO: a refusal (err is its message), or one that
 * breaks the rules. */
int description_from_json(const char *json, size_t size, struct arena *arena,
	struct plugin_description *ret, struct error *err);

#endif
