/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cleanup.h"
#include "support/s3-send.h"

#define HASH_BYTES 32

/* ---- which a server compares ------------------------------------------------------- */

/* Of these bytes every definition of a CRC names the sum. */
static const struct http_body nine = {.bytes = "123456789", .size = 9};

static const struct {
	const char *name;
	const char *header;    /* NULL: the signature's own */
	const char *algorithm; /* that an upload is begun for; NULL: any */
	/* Hexadecimal in the signature, else base64; none begins as the wrong one, with an "a". */
	const char *right;
} sums[S3_SUMS] = {
	[S3_SUM_SIGNATURE] = {"signature's SHA-256", NULL, NULL,
		"15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"},
	[S3_SUM_MD5] = {"Content-MD5", "content-md5", NULL, "JfnnlDI7RTiF9RgfG2JNCw=="},
	[S3_SUM_SHA256] = {"SHA256", S3_SUM_HEADER, "SHA256",
		"FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="},
	[S3_SUM_CRC32] = {"CRC32", "x-amz-checksum-crc32", "CRC32", "y/Q5Jg=="},
	[S3_SUM_CRC32C] = {"CRC32C", "x-amz-checksum-crc32c", "CRC32C", "4waSgw=="},
	[S3_SUM_CRC64NVME] = {"CRC64NVME", "x-amz-checksum-crc64nvme", "CRC64NVME", "rosUhgp5mIg="},
};

const char *s3_sum_name(enum s3_sum sum)
{
	return sums[sum].name;
}

static bool refuses(int status)
{
	return status == 501 ||
		(status / 100 == 4 && status != 404 && status != 408 && status != 429);
}

/* 1: it is refused, for good; so is a wrong one, which others send again. */
static int send_sum(struct s3 *s3, const char *key, const char *upload, enum s3_sum sum,
	const char *value, struct fault *fault)
{
	CLEANUP_ANSWER struct http_answer answer = {0};
	const char *name = sums[sum].header;
	CLEANUP_FREE char *header = name ? fault_format("%s: %s", name, value) : NULL;
	const struct s3_call call = {.method = "PUT",
		.key = key,
		.query = {{"partNumber", "1"}, {"uploadId", upload}},
		.query_count = 2,
		.headers = (const char *const[]){header},
		.header_count = name != NULL,
		.body = &nine,
		.hash = name ? NULL : value};
	for (unsigned attempt = 1;; attempt++) {
		int r = s3_try(s3, &call, &answer, fault);
		if (r < 0 && refuses(answer.status)) {
			fault_clear(fault);
			return 1;
		}
		int again = s3_wait_again(s3, attempt, r, fault);
		if (again <= 0)
			return again < 0 ? again : r;
	}
}

static int send_both(struct s3 *s3, const char *key, const char *upload, enum s3_sum sum,
	enum s3_sum_use *ret, struct fault *fault)
{
	CLEANUP_FREE char *wrong = fault_format("a%s", sums[sum].right + 1);
	int r = send_sum(s3, key, upload, sum, wrong, fault);
	*ret = S3_SUM_IGNORED;
	if (r <= 0)
		return r;
	r = send_sum(s3, key, upload, sum, sums[sum].right, fault);
	*ret = r == 0 ? S3_SUM_COMPARED : S3_SUM_REFUSED;
	return r < 0 ? r : 0;
}

static int begin_for(
	struct s3 *s3, const char *key, enum s3_sum sum, char **ret_upload, struct fault *fault)
{
	const char *algorithm = sums[sum].algorithm;
	CLEANUP_FREE char *header =
		fault_format("x-amz-checksum-algorithm: %s", algorithm ? algorithm : "");
	const struct s3_put put = {
		.headers = (const char *const[]){header}, .header_count = algorithm != NULL};
	bool checksum = s3->checksum; /* of its own */
	s3->checksum = false;
	int r = s3_upload_begin(s3, key, &put, ret_upload, fault);
	s3->checksum = checksum;
	return r;
}

int s3_sum_try(struct s3 *s3, struct s3 *tidier, const char *key, enum s3_sum sum,
	enum s3_sum_use *ret, struct fault *fault)
{
	CLEANUP_FREE char *upload = NULL;
	int r = begin_for(s3, key, sum, &upload, fault);
	if (sums[sum].algorithm && (r == -EPROTO || r == -EOPNOTSUPP)) {
		*ret = S3_SUM_REFUSED;
		fault_clear(fault);
		return 0;
	}
	if (r < 0)
		return r;
	r = send_both(s3, key, upload, sum, ret, fault);
	int aborted = s3_upload_abort(tidier, key, upload, r == 0 ? fault : NULL);
	return r < 0 ? r : aborted;
}

/* ---- the one that is kept ------------------------------------------------------------ */

static char *base64_of(const char *hash)
{
	unsigned char bytes[HASH_BYTES] = {0}, coded[64] = {0};
	for (size_t i = 0; i < HASH_BYTES; i++)
		sscanf(hash + 2 * i, "%2hhx", &bytes[i]);
	EVP_EncodeBlock(coded, bytes, HASH_BYTES);
	return fault_format("%s", (const char *)coded);
}

int s3_sum_make(const struct s3 *s3, const struct http_body *body, const char **hash,
	char room[SIGV4_HASH_TEXT], char **ret_header, struct fault *fault)
{
	if (!s3->checksum)
		return 0;
	if (!*hash) {
		int r = s3_body_hash(body, room, fault);
		if (r < 0)
			return r;
		*hash = room;
	}
	CLEANUP_FREE char *sum = base64_of(*hash);
	*ret_header = fault_format(S3_SUM_HEADER ": %s", sum);
	return 0;
}

int s3_sum_read(const struct s3 *s3, const char *key, const struct http_answer *answer,
	const char *header, char **ret, struct fault *fault)
{
	const char *is = header ? http_header(answer, S3_SUM_HEADER) : NULL;
	const char *wanted = header ? header + sizeof S3_SUM_HEADER ": " - 1 : NULL;
	if (is && strcmp(is, wanted) != 0)
		return fault_set(fault, -EBADMSG, NULL,
			"%s: what the server has of \"%s\" has the SHA-256 %s, sent was %s",
			s3->place, key, is, wanted);
	if (ret)
		*ret = is ? fault_format("%s", is) : NULL;
	return 0;
}
