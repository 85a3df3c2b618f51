/* The bucket of an instance, opened for an action. */
#ifndef S3_UPLOAD_PLACE_H
#define S3_UPLOAD_PLACE_H

#include "s3-upload/settings.h"
#include "support/s3.h"

struct place {
	struct upkeep_ctx *ctx;
	const struct settings *settings;
	struct s3_credentials *credentials;
	struct s3 *s3; /* for the callback's own thread */
	char *prefix;  /* "" or ends with a slash */
};

/* Finds the keys and opens a client.  `place` starts as {0}. */
int place_open(struct place *place, struct upkeep_ctx *ctx, struct fault *fault);
void place_close(struct place *place);
#define CLEANUP_PLACE __attribute__((cleanup(place_close)))

/* A further client, for a thread of its own. */
int place_client(const struct place *place, struct s3 **ret, struct fault *fault);

/* One that does not hear the cancel descriptor and gives up soon: for tidying up after a
 * failure. */
int place_tidier(const struct place *place, struct s3 **ret, struct fault *fault);

/* Whether what is put goes with its checksum. */
bool place_sums(const struct place *place);

/* The whole key of what an argument names; on the heap. */
char *place_key(const struct place *place, const char *name);
/* "s3://bucket/key", on the heap. */
char *place_url(const struct place *place, const char *key);

#endif
