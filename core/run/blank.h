/* Blanking: the exact bytes of secrets in a stream of output become "***",
 * across write boundaries. */
#ifndef UPKEEP_RUN_BLANK_H
#define UPKEEP_RUN_BLANK_H

#include "base/text.h"
#include "base/vec.h"

struct secret_text {
	char *bytes; /* the owner's */
	size_t size;
};
struct blank {
	VEC(struct secret_text) secrets;
	struct text held; /* a beginning of a secret, perhaps */
};

/* The bytes must outlive `blank`. */
void blank_add(struct blank *blank, char *bytes, size_t size);
/* Appends to `out` what is now known to be harmless.  With `last` nothing is held back. */
void blank_feed(struct blank *blank, const char *bytes, size_t size, bool last, struct text *out);
/* A whole text at once; the caller frees it.  NULL stays NULL. */
char *blank_text(const struct blank *blank, const char *text);
/* Does the text hold a secret? */
bool blank_finds(const struct blank *blank, const char *bytes, size_t size);
void blank_free(struct blank *blank);

#endif
