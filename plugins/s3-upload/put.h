/* An object that is being put: what the files of s3-upload.put share. */
#ifndef S3_UPLOAD_PUT_H
#define S3_UPLOAD_PUT_H

#include <sys/stat.h>

#include "s3-upload/actions.h"
#include "s3-upload/parts.h"
#include "s3-upload/place.h"

#define PUT_ID_TEXT 33
#define PUT_HASH_TEXT 65

/* Metadata of every object that was put: a random name of the putting, the parts it was cut
 * into, and, of one in a single part, its hash. */
#define PUT_META_ID "x-amz-meta-upkeep-put"
#define PUT_META_PARTS "x-amz-meta-upkeep-parts"
#define PUT_META_HASH "x-amz-meta-upkeep-sha256"

struct put {
	struct upkeep_ctx *ctx;
	const struct put_args *args;
	struct place place;
	char *key; /* whole */
	char id[PUT_ID_TEXT];
	int stream, file; /* one of them; -1: not this */
	struct stat st;   /* of the file */
	bool condition;   /* only where there is no object */
	const char *lock; /* GOVERNANCE or COMPLIANCE; NULL: not locked */
	char lock_until[32];
	struct parts cut;
	char *upload;         /* NULL: not begun */
	bool sent;            /* the request that makes it visible: perhaps it is */
	unsigned sent_after;  /* how many requests had been sent again before that */
	struct s3_part *made; /* S3_PARTS_MAX; those with an ETag are stored */
	uint64_t object_record, upload_record; /* undo records; 0: not pushed */
	char *resume; /* name in resume_dir; NULL: the upload is not remembered */
	/* What became of it. */
	struct s3_object object;
	char hash[PUT_HASH_TEXT];
	uint64_t size; /* bytes */
	unsigned parts, retries;
};

/* ---- what goes with it (put-headers.c) ---- */

/* Fills `lock` and `lock_until`. */
void put_headers_lock(struct put *put);
/* Rules between the arguments: 0, or -EINVAL. */
int put_headers_check(const struct put_args *args, struct fault *fault);
/* The headers, NULL-terminated, each and the array on the heap.  `name`: one of PUT_META_PARTS,
 * PUT_META_HASH with its value. */
char **put_headers(const struct put *put, const char *name, const char *value);
void put_headers_free(char ***headers);
/* -EBADMSG where the server says of the object that it is not encrypted as `sse` asks: Ceph RGW 16
 * takes "s3" by https and ignores it. */
int put_headers_kept(const struct put *put, const struct s3_object *there, struct fault *fault);
/* After a failure with `r`: what to look at, where the server may have refused `storage_class`,
 * `sse`, `sse_key` or the checksum; some say no more than InvalidArgument. */
void put_headers_explain(const struct put *put, int r, struct fault *fault);

/* ---- where it comes from ---- */

/* Stores what the task reads by `from` (put-stream.c). */
int put_stream(struct put *put, struct fault *fault);
/* Stores the file (put-file.c). */
int put_file(struct put *put, struct fault *fault);

/* ---- making it visible (put-commit.c) ---- */

/* In one request; `hash` is of the body. */
int put_single(
	struct put *put, const struct http_body *body, const char *hash, struct fault *fault);
/* An upload, with its undo records; one that `upload` names goes on. */
int put_begin(struct put *put, struct fault *fault);
/* The first put->parts of `made` become the object. */
int put_complete(struct put *put, struct fault *fault);
/* After a failure: aborts the upload, unless it is kept to go on with later (-EAGAIN with
 * resume_dir). */
void put_give_up(struct put *put, int r);

/* ---- its undo records (put-record.c) ---- */

int put_record_object(struct put *put, struct fault *fault);
int put_record_upload(struct put *put, struct fault *fault);

/* ---- uploads of files that go on (put-resume.c) ---- */

/* Looks whether resume_dir remembers an upload of this very file to this very place, with the
 * same headers; then `id`, `upload` and `made` are from it (sizes are checked, bytes are
 * not: put_file does that).  0, also where there is none. */
int put_resume_find(struct put *put, struct fault *fault);
/* Remembers this one. */
int put_resume_save(struct put *put, struct fault *fault);
void put_resume_forget(struct put *put);
/* 1 where the file `name` of resume_dir remembers that upload, else 0. */
int put_resume_has(const struct settings *settings, const char *name, const char *upload);

#endif
