/*
 * A client for S3 and what speaks like it: Ceph RGW, OpenStack Swift and others.
 *
 * Each function is one request that blocks until it is answered, or until the cancel
 * descriptor says stop; for requests at the same time, open a client for each thread, on the
 * same credentials.  Every answer is checked: a 200 with an error in its body is an error.
 * Transient failures (500, 502, 503, 504, 429, cut connections, no progress) are tried
 * again with growing, random pauses; expired keys are renewed once.
 *
 * ERRORS are negative errno values, with S3's own code and words in the fault:
 *   -ENOENT     no such key, upload or bucket
 *   -EEXIST     if_none_match: there is an object; for others 409
 *   -ESTALE     if_match: it is another object now
 *   -EACCES     refused: keys, signature, permission, clock
 *   -EAGAIN     still transient after all attempts
 *   -ECANCELED  the cancel descriptor said stop
 *   -EBADMSG    a hash or size is not what it should be
 *   -EFBIG      more than the limit
 *   -EOPNOTSUPP the server does not know such a request
 *   -EPROTO     an answer that makes no sense, or another refusal
 *   those of http.h for a certificate (-EKEYREJECTED)
 */
#ifndef SUPPORT_S3_H
#define SUPPORT_S3_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "support/fault.h"
#include "support/http.h"
#include "support/s3-credentials.h"

#define S3_HASH_TEXT 65
/* Limits of the protocol: "Amazon S3 multipart upload limits". */
#define S3_PARTS_MAX 10000u
#define S3_PART_MIN ((uint64_t)5 << 20) /* bytes, of every part but the last */
#define S3_PART_MAX ((uint64_t)5 << 30) /* bytes; of one put as well */
#define S3_KEY_MAX 1024u                /* bytes */
#define S3_DELETE_MAX 1000u             /* keys in one request */
/* Of an object or a part, where the client sends it and the server keeps it. */
#define S3_SUM_HEADER "x-amz-checksum-sha256"

/* A client: one bucket, one thread at a time. */
struct s3;

struct s3_settings {
	const char *endpoint; /* "https://host:port"; NULL or "": AWS's, of the region */
	const char *region;   /* NULL or "": the credentials' idea of it, else us-east-1 */
	const char *bucket;
	/* Where the bucket's name goes: into the path, unless the endpoint is AWS's own or
	 * `virtual_host`. */
	bool virtual_host;
	/* Objects and parts go with S3_SUM_HEADER: a server that knows it compares it, keeps it,
	 * and answers it.  What it answers is compared too: -EBADMSG. */
	bool checksum;
	const char *ca_file;                          /* as in http.h */
	int cancel_fd;                                /* -1: none */
	int64_t connect_timeout_ms, stall_timeout_ms; /* as in http.h */
	unsigned attempts;                            /* of each request; 0: 6 */
	/* Told of every attempt that failed and is followed by another; may be NULL. */
	void (*note)(void *arg, const char *text);
	void *note_arg;
};

/* Sends nothing yet.  Texts are copied; `credentials` must outlive the client. */
int s3_open(struct s3 **ret, const struct s3_settings *settings, struct s3_credentials *credentials,
	struct fault *fault);
void s3_close(struct s3 **s3);
#define CLEANUP_S3 __attribute__((cleanup(s3_close)))

/* "s3://bucket on host", for messages. */
const char *s3_place(const struct s3 *s3);
/* Requests that were sent again since it was opened. */
unsigned s3_retries(const struct s3 *s3);

/* ---- objects ---------------------------------------------------------------- */

/* What a server says of an object.  Texts may be NULL where it did not say. */
struct s3_object {
	char *key;                 /* in listings */
	char *etag;                /* without quotes; "" where the server sent none */
	char *version;             /* NULL in a bucket without versions */
	uint64_t size;             /* bytes */
	int64_t modified_s;        /* 0: the server said no time that can be read */
	bool latest, marker;       /* in listings of versions */
	struct http_answer answer; /* its headers; of head, get and put */
};
void s3_object_free(struct s3_object *object);
#define CLEANUP_OBJECT __attribute__((cleanup(s3_object_free)))
/* "x-amz-meta-NAME", "x-amz-storage-class" ..., or NULL. */
const char *s3_object_header(const struct s3_object *object, const char *name);

struct s3_put {
	/* -EEXIST where there is an object.  A server that says that it does not know
	 * conditions (Swift) is asked by HEAD just before. */
	bool if_none_match;
	const char *const *headers; /* further "Name: value", signed too: x-amz-meta-... */
	size_t header_count;
};

/* Stores `body` as the object.  The SHA-256 goes with it (the server refuses a body that is
 * another one): `hash` where the caller knows it, else NULL and it is computed, which
 * reads a descriptor twice.  `put` and `ret` may be NULL.
 * After a connection that was cut, if_none_match can meet the object that the lost
 * answer was about: -EEXIST then. */
int s3_put(struct s3 *s3, const char *key, const struct http_body *body, const char *hash,
	const struct s3_put *put, struct s3_object *ret, struct fault *fault);

struct s3_range {
	uint64_t offset;
	uint64_t size;        /* bytes; 0: to the end */
	const char *if_match; /* ETag that it must have; NULL: any */
	const char *version;  /* NULL: the latest */
};

/* Where bytes go that arrive: by `write` from the begin of the range.  Where an attempt was
 * cut, the next one goes on with the byte that is missing, of the same object (ETag).
 * `range` NULL: all of it.  More than `limit` bytes: -EFBIG, before any is written where
 * the server says so.  Fewer than it says: tried again. */
int s3_get(struct s3 *s3, const char *key, const struct s3_range *range, uint64_t limit,
	http_sink write, void *arg, struct s3_object *ret, struct fault *fault);
/* The same to the descriptor's position, by write. */
int s3_get_fd(struct s3 *s3, const char *key, const struct s3_range *range, uint64_t limit, int fd,
	struct s3_object *ret, struct fault *fault);

/* -ENOENT: none.  `version` NULL: the latest. */
int s3_head(struct s3 *s3, const char *key, const char *version, struct s3_object *ret,
	struct fault *fault);

/* Removes the object, or one version of it; 0 also where there is none.  In a bucket with
 * versions, without `version`, it only hides it. */
int s3_delete(struct s3 *s3, const char *key, const char *version, struct fault *fault);

/* One of many to be deleted, and what became of it. */
struct s3_doomed {
	const char *key;
	const char *version; /* NULL: as in s3_delete */
	int result;          /* 0, or a negative errno: -EACCES ... */
	char *why;           /* S3's code and words where it failed; the caller frees it */
};
/* Deletes up to any number, S3_DELETE_MAX a request.  0 where every request was answered:
 * look at each result. */
int s3_delete_many(struct s3 *s3, struct s3_doomed *doomed, size_t count, struct fault *fault);

/* Locks a version of an object: `mode` GOVERNANCE or COMPLIANCE, `until` as
 * "2026-12-31T00:00:00Z".  `version` NULL: the latest. */
int s3_retain(struct s3 *s3, const char *key, const char *version, const char *mode,
	const char *until, struct fault *fault);

/* Copies inside the bucket, on the server, up to S3_PART_MAX bytes; `version` of the source
 * may be NULL. */
int s3_copy(struct s3 *s3, const char *from, const char *version, const char *to,
	struct s3_object *ret, struct fault *fault);

/* Called for each entry, in the order of keys; another result than 0 ends the listing. */
typedef int (*s3_each)(void *arg, const struct s3_object *object);

/* Objects whose keys begin with `prefix`, page by page (so that memory stays flat).  With a
 * delimiter ("/"; NULL: none) what has one after the prefix is named once, as a
 * key that ends with it, without ETag; those come before or after a page's objects. */
int s3_list(struct s3 *s3, const char *prefix, const char *delimiter, s3_each each, void *arg,
	struct fault *fault);
/* Every version and delete marker of the keys that begin with `prefix`, newest first. */
int s3_list_versions(
	struct s3 *s3, const char *prefix, s3_each each, void *arg, struct fault *fault);

/* ---- multipart uploads ------------------------------------------------------- */

struct s3_part {
	unsigned number; /* from 1 */
	uint64_t size;   /* bytes */
	char *etag;      /* without quotes */
	char *sha256;    /* base64; NULL where the server keeps none */
};

/* Begins an upload; nothing of it is visible until it is completed.  The id is on the heap. */
int s3_upload_begin(struct s3 *s3, const char *key, const struct s3_put *put, char **ret_upload,
	struct fault *fault);
/* Stores one part; `hash` as in s3_put.  The texts of *ret are the caller's. */
int s3_upload_part(struct s3 *s3, const char *key, const char *upload, unsigned number,
	const struct http_body *body, const char *hash, struct s3_part *ret, struct fault *fault);
/* Makes an object of the parts (ascending numbers).  A server that sends no ETag, or
 * whose answer was lost, is asked by HEAD; *ret has size and ETag then as before.  Of `put` only
 * if_none_match counts. */
int s3_upload_complete(struct s3 *s3, const char *key, const char *upload,
	const struct s3_part *parts, size_t count, const struct s3_put *put, struct s3_object *ret,
	struct fault *fault);
/* 0 also where there is no such upload. */
int s3_upload_abort(struct s3 *s3, const char *key, const char *upload, struct fault *fault);
/* The parts that the server has; the caller frees them with s3_parts_free. */
int s3_upload_parts(struct s3 *s3, const char *key, const char *upload, struct s3_part **ret,
	size_t *ret_count, struct fault *fault);
void s3_parts_free(struct s3_part *parts, size_t count);
/* Frees the texts of one, and forgets them. */
void s3_part_clear(struct s3_part *part);

/* An upload that is neither completed nor aborted. */
struct s3_upload {
	const char *key, *upload;
	int64_t begun_s; /* 0: the server said no time that can be read */
};
typedef int (*s3_each_upload)(void *arg, const struct s3_upload *upload);
int s3_uploads(
	struct s3 *s3, const char *prefix, s3_each_upload each, void *arg, struct fault *fault);

/* The ETag that an object of these parts has where ETags are MD5 sums (so with AWS but for
 * SSE-KMS and SSE-C, Ceph RGW and Swift): "MD5 of the MD5s-COUNT", on the heap; NULL where a
 * part's is none. */
char *s3_parts_etag(const struct s3_part *parts, size_t count);

/* ---- checksums ----------------------------------------------------------------- */

/* What can go with bytes so that a server may refuse others. */
enum s3_sum {
	S3_SUM_SIGNATURE, /* x-amz-content-sha256, which every request has */
	S3_SUM_MD5,       /* Content-MD5 */
	S3_SUM_SHA256,    /* from here on x-amz-checksum-NAME */
	S3_SUM_CRC32,
	S3_SUM_CRC32C,
	S3_SUM_CRC64NVME,
	S3_SUMS
};
/* As messages call it. */
const char *s3_sum_name(enum s3_sum sum);

enum s3_sum_use {
	S3_SUM_COMPARED, /* a wrong one is refused, a right one is taken */
	S3_SUM_IGNORED,  /* a wrong one is taken */
	S3_SUM_REFUSED,  /* a right one is refused */
	S3_SUM_USES
};
/* Tries it with an upload under `key` that is begun, given nine bytes, and aborted by `tidier`,
 * a client that no cancel descriptor stops: nothing becomes visible. */
int s3_sum_try(struct s3 *s3, struct s3 *tidier, const char *key, enum s3_sum sum,
	enum s3_sum_use *ret, struct fault *fault);

/* ---- the bucket --------------------------------------------------------------- */

/* -ENOENT: there is none of that name; -EACCES: not ours.  *ret_region (may be NULL) is what
 * the server says of its region, on the heap, or NULL. */
int s3_bucket_head(struct s3 *s3, char **ret_region, struct fault *fault);
/* The region; "us-east-1" where the answer is empty; on the heap. */
int s3_bucket_location(struct s3 *s3, char **ret, struct fault *fault);
enum s3_versioning { S3_VERSIONS_NONE, S3_VERSIONS_ENABLED, S3_VERSIONS_SUSPENDED };
int s3_bucket_versioning(struct s3 *s3, enum s3_versioning *ret, struct fault *fault);

/* What matters of the life cycle: the day after which uploads that nobody completed are
 * removed from the whole bucket (0: no such rule), and how many rules expire objects. */
struct s3_lifecycle {
	unsigned abort_days, rules, expiring;
};
int s3_bucket_lifecycle(struct s3 *s3, struct s3_lifecycle *ret, struct fault *fault);

struct s3_lock {
	bool enabled;
	char mode[16]; /* of the default retention: "GOVERNANCE", "COMPLIANCE" or "" */
	unsigned days, years;
};
int s3_bucket_lock(struct s3 *s3, struct s3_lock *ret, struct fault *fault);

/* Makes the bucket, with object lock where `locked`; -EEXIST: there is one. */
int s3_bucket_make(struct s3 *s3, bool locked, struct fault *fault);
/* Switches versioning on. */
int s3_bucket_keep_versions(struct s3 *s3, struct fault *fault);

/* Seconds by which the clock of this machine is ahead of the server's, by the last answer's
 * Date; 0 before any. */
int64_t s3_clock_ahead_s(const struct s3 *s3);

#endif
