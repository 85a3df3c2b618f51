/* Stores in a bucket of an S3 server: each object of a store is one of the bucket. */
#ifndef SUPPORT_STORE_S3_H
#define SUPPORT_STORE_S3_H

#include "support/s3.h"
#include "support/store.h"

struct store_s3_settings {
	const char *url;      /* "s3://BUCKET" or "s3://BUCKET/PREFIX" */
	const char *endpoint; /* these as in s3.h and s3-credentials.h; NULL or "" */
	const char *region, *profile, *ca_file;
	const char *access_key, *secret_key, *session_token;
	unsigned attempts; /* of each request; 0: as in s3.h */
	int cancel_fd;     /* readable: stop what is under way; -1: none */
	/* Told of requests that are sent again; may be NULL. */
	void (*note)(void *arg, const char *text);
	void *note_arg;
};

/* Opens it; texts are copied.  The bucket is not made.  -EINVAL: no such URL; -ENOENT: no keys. */
int store_open_s3(struct store **ret, const char *name, const struct store_s3_settings *settings,
	struct fault *fault);

#endif
