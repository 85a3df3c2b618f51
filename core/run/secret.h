/* Secrets: fetched by their names, kept in memory as long as the run needs them. */
#ifndef UPKEEP_RUN_SECRET_H
#define UPKEEP_RUN_SECRET_H

#include "base/error.h"
#include "base/map.h"
#include "base/vec.h"
#include "run/blank.h"

struct secret {
	char *name; /* "file:/etc/x.pw" */
	struct secret_text text;
	struct error failed; /* why there is none */
};
struct secrets {
	VEC(struct secret *) list;
};

#define SECRET_MIN_BYTES 8u
#define SECRET_MAX_BYTES 65536u
#define SECRET_COMMAND_MS 30000

/* True where the text has one of the four forms. */
bool secret_is_name(const char *text);
/* Fetches it now, for secrets_get, which then says of a failure what is said here. */
void secrets_prepare(struct secrets *secrets, const char *name);
/* Fetches it, or gives what was fetched before in this run. */
int secrets_get(
	struct secrets *secrets, const char *name, const struct secret **ret, struct error *err);
void secrets_free(struct secrets *secrets);

#endif
