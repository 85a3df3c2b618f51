/* SPDX-License-Identifier: MIT */
/* Checksums that go with what is put, and which of them a server compares. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/cleanup.h"
#include "support/s3.h"
#include "support/tests/script.h"
#include "support/tests/server.h"
#include "tests/unit.h"

#define XML "<?xml version=\"1.0\"?>"
#define ERROR(code) XML "<Error><Code>" code "</Code></Error>"
#define BEGUN                                                          \
	XML "<InitiateMultipartUploadResult><UploadId>id</UploadId></" \
	    "InitiateMultipartUploadResult>"
#define ETAG "etag: \"93b885adfe0da089cdf634904fd59f71\"\r\n"
/* SHA-256 of "one", and one that is none. */
#define ONE "dpLDrTVAu4A8Ags67mbNiIcSMjTqDG5xQ8Ct1z/0Me0="
#define OTHER "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static struct s3_credentials *keys;
static struct s3 *client, *tidier;
static struct fault fault;
static int stop[2];

/* An attempt failed: now it is cancelled. */
static void cancel(void *arg, const char *text)
{
	(void)arg;
	(void)text;
	assert_int_equal(write(stop[1], "", 1), 1);
}

static void begin(bool checksum, void (*note)(void *, const char *))
{
	struct s3_settings settings = {.endpoint = script_start(),
		.bucket = "bucket",
		.checksum = checksum,
		.cancel_fd = -1};
	assert_int_equal(pipe(stop), 0);
	assert_int_equal(s3_open(&tidier, &settings, keys, NULL), 0);
	settings.cancel_fd = stop[0];
	settings.note = note;
	assert_int_equal(s3_open(&client, &settings, keys, NULL), 0);
}

/* What the server was asked. */
static const char *end(void)
{
	s3_close(&client);
	s3_close(&tidier);
	close(stop[0]);
	close(stop[1]);
	fault_clear(&fault);
	return script_stop();
}

static const struct http_body one = {.bytes = "one", .size = 3};

/* ---- what is kept ---- */

static const char *put_one(const char *answered, int wanted)
{
	script_answer("200 OK", answered, "");
	begin(true, NULL);
	assert_int_equal(s3_put(client, "key", &one, NULL, NULL, NULL, &fault), wanted);
	return end();
}

static void test_put(void **state)
{
	(void)state;
	const char *requests = put_one(ETAG S3_SUM_HEADER ": " ONE "\r\n", 0);
	assert_int_equal(script_occurs(requests, "\n" S3_SUM_HEADER ": " ONE "\r\n"), 1);
	assert_int_equal(script_occurs(requests, ";" S3_SUM_HEADER), 1); /* signed */
	put_one(ETAG, 0);
	put_one(ETAG S3_SUM_HEADER ": " OTHER "\r\n", -EBADMSG);
}

static int part_one(const char *answered, struct s3_part *ret)
{
	script_answer("200 OK", answered, "");
	begin(true, NULL);
	int r = s3_upload_part(client, "key", "id", 1, &one, NULL, ret, &fault);
	end();
	return r;
}

static void test_part(void **state)
{
	struct s3_part part = {0};
	(void)state;
	assert_int_equal(part_one(ETAG S3_SUM_HEADER ": " OTHER "\r\n", &part), -EBADMSG);
	assert_null(part.etag);
	assert_int_equal(part_one(ETAG, &part), 0);
	assert_null(part.sha256);
	s3_part_clear(&part);
	assert_int_equal(part_one(ETAG S3_SUM_HEADER ": " ONE "\r\n", &part), 0);
	assert_string_equal(part.sha256, ONE);
	s3_part_clear(&part);
}

static void test_upload(void **state)
{
	struct s3_part *parts = NULL;
	size_t count = 0;
	CLEANUP_FREE char *id = NULL;
	(void)state;
	script_answer("200 OK", "", BEGUN);
	script_answer("200 OK", "",
		XML "<ListPartsResult><Part><PartNumber>1</PartNumber><Size>3</Size><ETag>e</ETag>"
		    "<ChecksumSHA256>" ONE
		    "</ChecksumSHA256></Part><Part><PartNumber>2</PartNumber>"
		    "<Size>3</Size><ETag>f</ETag></Part></ListPartsResult>");
	script_answer("200 OK", "",
		XML
		"<CompleteMultipartUploadResult><ETag>g</ETag></CompleteMultipartUploadResult>");
	begin(true, NULL);
	assert_int_equal(s3_upload_begin(client, "key", NULL, &id, &fault), 0);
	assert_int_equal(s3_upload_parts(client, "key", id, &parts, &count, &fault), 0);
	assert_int_equal(count, 2);
	assert_string_equal(parts[0].sha256, ONE);
	assert_null(parts[1].sha256);
	assert_int_equal(
		s3_upload_complete(client, "key", id, parts, count, NULL, NULL, &fault), 0);
	const char *requests = end();
	assert_int_equal(script_occurs(requests, "\nx-amz-checksum-algorithm: SHA256\r\n"), 1);
	assert_int_equal(
		script_occurs(requests, "</ETag><ChecksumSHA256>" ONE "</ChecksumSHA256></Part>"),
		1);
	assert_int_equal(script_occurs(requests, "<ChecksumSHA256>"), 1);
	s3_parts_free(parts, count);
}

static void test_none(void **state)
{
	CLEANUP_FREE char *id = NULL;
	(void)state;
	script_answer("200 OK", ETAG S3_SUM_HEADER ": " OTHER "\r\n", BEGUN);
	begin(false, NULL);
	assert_int_equal(s3_put(client, "key", &one, NULL, NULL, NULL, &fault), 0);
	assert_int_equal(s3_upload_begin(client, "key", NULL, &id, &fault), 0);
	assert_int_equal(script_occurs(end(), "x-amz-checksum"), 0);
}

/* ---- which are compared ---- */

#define NO "400 Bad Request"
#define NO_BODY ERROR("BadDigest")
#define YES "200 OK"

/* A probe whose parts are answered so; the script's last answer is that to the abort. */
static int probe(enum s3_sum sum, const char *const *statuses, enum s3_sum_use *ret)
{
	script_answer(YES, "", BEGUN);
	for (; *statuses; statuses++)
		script_answer(*statuses, "", strcmp(*statuses, NO) == 0 ? NO_BODY : "");
	script_answer("204 No Content", "", "");
	begin(true, NULL);
	return s3_sum_try(client, tidier, "key", sum, ret, &fault);
}

static void test_compared(void **state)
{
	static const char *const headers[S3_SUMS] = {
		"x-amz-content-sha256: ", "content-md5: ", S3_SUM_HEADER ": ",
		"x-amz-checksum-crc32: ", "x-amz-checksum-crc32c: ", "x-amz-checksum-crc64nvme: "};
	(void)state;
	for (int sum = 0; sum < S3_SUMS; sum++) {
		enum s3_sum_use use = S3_SUM_USES;
		const char *const statuses[] = {NO, YES, NULL};
		assert_int_equal(probe((enum s3_sum)sum, statuses, &use), 0);
		assert_int_equal(use, S3_SUM_COMPARED);
		assert_int_equal(s3_retries(client), 0);
		const char *requests = end();
		assert_int_equal(script_occurs(requests, "PUT /bucket/key?partNumber=1"), 2);
		assert_int_equal(script_occurs(requests, headers[sum]), sum ? 2 : 4);
		assert_int_equal(script_occurs(requests, "x-amz-checksum-algorithm"),
			sum < S3_SUM_SHA256 ? 0 : 2);
		assert_int_equal(script_occurs(requests, "DELETE /bucket/key?uploadId=id"), 1);
	}
}

static void test_uses(void **state)
{
	static const struct {
		const char *statuses[5];
		int r;
		enum s3_sum_use use;
	} cases[] = {{{YES}, 0, S3_SUM_IGNORED}, {{NO, NO}, 0, S3_SUM_REFUSED},
		{{"501 Not Implemented", "501 Not Implemented"}, 0, S3_SUM_REFUSED},
		{{"403 Forbidden", YES}, 0, S3_SUM_COMPARED},
		{{"503 Slow Down", NO, "503 Slow Down", YES}, 0, S3_SUM_COMPARED},
		{{"404 Not Found"}, -ENOENT, S3_SUM_USES},
		{{NO, "404 Not Found"}, -ENOENT, S3_SUM_USES}};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		enum s3_sum_use use = S3_SUM_USES;
		assert_int_equal(probe(S3_SUM_SHA256, cases[i].statuses, &use), cases[i].r);
		if (cases[i].r == 0)
			assert_int_equal(use, cases[i].use);
		assert_int_equal(script_occurs(end(), "DELETE /bucket/key?uploadId=id"), 1);
	}
}

/* A server that does not begin an upload for an algorithm takes none of its sums. */
static void test_refused_at_once(void **state)
{
	enum s3_sum_use use = S3_SUM_USES;
	(void)state;
	script_answer("400 Bad Request", "", ERROR("InvalidRequest"));
	begin(false, NULL);
	assert_int_equal(s3_sum_try(client, tidier, "key", S3_SUM_CRC32C, &use, &fault), 0);
	assert_int_equal(use, S3_SUM_REFUSED);
	assert_int_equal(s3_sum_try(client, tidier, "key", S3_SUM_MD5, &use, &fault), -EPROTO);
	end();
}

static void test_may_not(void **state)
{
	enum s3_sum_use use = S3_SUM_USES;
	(void)state;
	script_answer("403 Forbidden", "", ERROR("AccessDenied"));
	begin(false, NULL);
	assert_int_equal(s3_sum_try(client, tidier, "key", S3_SUM_SHA256, &use, &fault), -EACCES);
	end();
}

static void test_cancelled(void **state)
{
	enum s3_sum_use use = S3_SUM_USES;
	(void)state;
	script_answer("200 OK", "", BEGUN);
	script_answer("503 Slow Down", "", ERROR("SlowDown"));
	script_answer("204 No Content", "", "");
	begin(false, cancel);
	assert_int_equal(s3_sum_try(client, tidier, "key", S3_SUM_MD5, &use, &fault), -ECANCELED);
	assert_int_equal(script_occurs(end(), "DELETE /bucket/key?uploadId=id"), 1);
}

static int start(void **state)
{
	const struct s3_credentials_settings settings = {
		.access_key = "KEY", .secret_key = "secret", .cancel_fd = -1};
	return server_without(state) || s3_credentials_open(&keys, &settings, NULL) < 0 ? -1 : 0;
}

static int finish(void **state)
{
	(void)state;
	s3_credentials_close(&keys);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put),
		cmocka_unit_test(test_part),
		cmocka_unit_test(test_upload),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_compared),
		cmocka_unit_test(test_uses),
		cmocka_unit_test(test_refused_at_once),
		cmocka_unit_test(test_may_not),
		cmocka_unit_test(test_cancelled),
	};
	return !!cmocka_run_group_tests(tests, start, finish);
}
