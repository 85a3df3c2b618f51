/* An object in its order, fetched by several requests at a time. */
#ifndef S3_UPLOAD_READER_H
#define S3_UPLOAD_READER_H

#include "s3-upload/place.h"

/* Which object, and what it was when it was looked at: another one is not read (-ESTALE). */
struct reader_source {
	const char *key, *version; /* version NULL: the latest */
	const char *etag;
	uint64_t size; /* bytes */
};

/* How much is asked for at a time. */
uint64_t reader_chunk(const struct settings *settings);

/* Gives every byte to `write`, on the caller's thread; holds at most the settings' memory. */
int reader_read(const struct place *place, const struct reader_source *source, http_sink write,
	void *arg, struct fault *fault);

/* Looks at the object: its headers are in *ret_object, which owns what *ret points to. */
int reader_find(const struct place *place, const char *key, const char *version,
	struct s3_object *ret_object, struct reader_source *ret, struct fault *fault);

#endif
