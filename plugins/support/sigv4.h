/*
 * AWS Signature Version 4 in request headers: pure functions, nothing is kept.
 *
 * Source: "Signature Version 4 signing process" and "Authenticating Requests: Using the
 * Authorization Header" of the S3 API reference.  Paths are encoded once and not
 * normalized, as S3 wants it.
 */
#ifndef SUPPORT_SIGV4_H
#define SUPPORT_SIGV4_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#define SIGV4_HASH_TEXT 65
#define SIGV4_STAMP_TEXT 17

/* A header, or a parameter of the query. */
struct sigv4_pair {
	const char *name, *value;
};

struct sigv4_request {
	const char *method;
	const char *path;  /* encoded, begins with a slash: sigv4_encode */
	const char *query; /* encoded and sorted, without the question mark: sigv4_query */
	/* All that are signed, in any order and case, with `host` and `x-amz-date` and, for S3,
	 * `x-amz-content-sha256`.  Of one name twice: values are joined in this order. */
	const struct sigv4_pair *headers;
	size_t header_count;
	const char *payload_hash; /* SHA-256 in hexadecimal, or UNSIGNED-PAYLOAD */
	const char *stamp;        /* as x-amz-date has it: sigv4_stamp */
	const char *region, *service;
};

/* Everything but A-Z a-z 0-9 - . _ ~ (and / with keep_slashes) as %XX; on the heap. */
char *sigv4_encode(const char *text, bool keep_slashes);
/* "a=1&b=" from pairs as they are meant: encoded and sorted; on the heap. */
char *sigv4_query(const struct sigv4_pair *pairs, size_t count);

/* "20150830T123600Z", UTC. */
void sigv4_stamp(time_t when, char ret[SIGV4_STAMP_TEXT]);

/* Hexadecimal SHA-256. */
void sigv4_hash(const void *bytes, size_t size, char ret[SIGV4_HASH_TEXT]);

/* The canonical request and the string to sign; on the heap. */
char *sigv4_canonical(const struct sigv4_request *request);
char *sigv4_to_sign(const struct sigv4_request *request);

/* The value of the Authorization header; on the heap. */
char *sigv4_authorization(
	const struct sigv4_request *request, const char *access_key, const char *secret_key);

#endif
