/* Descriptions as bytes (tree.h): what a worker prints and the catalog keeps in its cache. */
#ifndef UPKEEP_MODEL_DESCRIBE_BYTES_H
#define UPKEEP_MODEL_DESCRIBE_BYTES_H

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"
#include "model/describe.h"

void description_write(const struct plugin_description *plugin, struct text *bytes);
/* The same for a refusal. */
void refusal_write(const struct error *refusal, struct text *bytes);
/* Reads either, believing nothing; a description has passed description_check.
 * -EBADMSG: not a description; -EPROTO: a refusal (err is its message), or one that
 * breaks the rules. */
int description_read(const char *bytes, size_t size, struct arena *arena,
	struct plugin_description *ret, struct error *err);

#endif
