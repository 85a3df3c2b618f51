/* One request of the S3 client: signed, sent, judged, sent again.  For s3-*.c alone. */
#ifndef SUPPORT_S3_SEND_H
#define SUPPORT_S3_SEND_H

#include "support/s3.h"
#include "support/sigv4.h"

#define S3_QUERY_MAX 8

struct s3 {
	struct http *http;
	struct s3_credentials *credentials;
	char *base; /* scheme and host, as they begin every URL */
	char *host; /* as the Host header has it */
	char *root; /* encoded path of the bucket, "" where the host names it */
	char *region, *bucket, *place;
	int cancel_fd;
	unsigned attempts, retries;
	bool checksum;
	int64_t clock_ahead_s;
	void (*note)(void *arg, const char *text);
	void *note_arg;
};

/* A request as it is meant. */
struct s3_call {
	const char *method;
	const char *key; /* NULL: the bucket itself */
	struct sigv4_pair query[S3_QUERY_MAX];
	size_t query_count;
	const char *const *headers; /* "Name: value" */
	size_t header_count;
	const struct http_body *body;
	const char *hash; /* of the body; NULL: computed */
	http_sink sink;   /* as in http.h */
	void *sink_arg;
	size_t text_limit;
	int precondition; /* what a 412 means: -EEXIST or -ESTALE; 0: -EPROTO */
};

/* Sends it once (twice where keys had expired).  -EAGAIN: worth another attempt. */
int s3_try(
	struct s3 *s3, const struct s3_call *call, struct http_answer *answer, struct fault *fault);

/* After attempt number `attempt` (from 1) with result `r`: waits and answers 1 where another is
 * worth it, else 0; -ECANCELED. */
int s3_wait_again(struct s3 *s3, unsigned attempt, int r, struct fault *fault);

/* Both, until it is answered for good.  *answer, zeroed before, is the caller's to free. */
int s3_send(
	struct s3 *s3, const struct s3_call *call, struct http_answer *answer, struct fault *fault);

/* The fault of an answer that is XML but not what it should be, or no XML. */
int s3_odd_answer(const struct s3 *s3, const struct s3_call *call, struct fault *fault);

/* True where `r` is a 404 of what was asked for, not of the whole bucket. */
bool s3_is_missing(int r, const struct http_answer *answer);

/* 0 where there is no object of this key, -EEXIST where there is one. */
int s3_none_there(struct s3 *s3, const char *key, struct fault *fault);

/* SHA-256 of a body. */
int s3_body_hash(const struct http_body *body, char ret[SIGV4_HASH_TEXT], struct fault *fault);

/* Where the client sends checksums, *ret_header becomes S3_SUM_HEADER with that of the body, on the
 * heap; *hash, where it is NULL, is computed into `room`.  Else both stay. */
int s3_sum_make(const struct s3 *s3, const struct http_body *body, const char **hash,
	char room[SIGV4_HASH_TEXT], char **ret_header, struct fault *fault);
/* What is answered to that header (may be NULL): -EBADMSG where it is another sum.  *ret (may be
 * NULL) is the sum on the heap, or NULL where the server says none. */
int s3_sum_read(const struct s3 *s3, const char *key, const struct http_answer *answer,
	const char *header, char **ret, struct fault *fault);

/* "content-md5: ...", on the heap: some requests want it beside the signature. */
char *s3_md5_header(const char *text, size_t size);

/* Without the quotes (or NULL); on the heap. */
char *s3_etag(const char *text);
/* "2026-11-23T04:00:00.000Z" in seconds since the epoch; 0: not one. */
int64_t s3_time(const char *text);
/* Fills the object from the headers of an answer, whose ownership it takes. */
void s3_object_take(struct s3_object *object, struct http_answer *answer);

#endif
