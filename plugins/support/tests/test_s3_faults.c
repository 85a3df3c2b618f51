/* SPDX-License-Identifier: MIT */
/* The S3 client where a server answers what no real one does on demand. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "support/cleanup.h"
#include "support/s3.h"
#include "support/tests/script.h"
#include "support/tests/server.h"
#include "tests/unit.h"

#define XML "<?xml version=\"1.0\"?>"
#define ERROR(code) XML "<Error><Code>" code "</Code><Message>so it is</Message></Error>"

static char notes[4096];

static void note(void *arg, const char *text)
{
	size_t length = strlen(notes);
	(void)arg;
	snprintf(notes + length, sizeof notes - length, "%s\n", text);
}

/* A client of the script, with the keys of the chain where `access` is NULL. */
struct scene {
	struct s3_credentials *credentials;
	struct s3 *s3;
	struct fault fault;
};

static void scene_open(struct scene *scene, const char *access)
{
	const struct s3_credentials_settings keys = {.access_key = access,
		.secret_key = access ? "secret secret" : NULL,
		.cancel_fd = -1};
	int r = s3_credentials_open(&scene->credentials, &keys, &scene->fault);
	if (r < 0)
		fail_msg("%s", fault_what(&scene->fault));
	const struct s3_settings settings = {.endpoint = script_start(),
		.bucket = "bucket",
		.cancel_fd = -1,
		.stall_timeout_ms = 1000,
		.attempts = 4,
		.note = note};
	assert_int_equal(s3_open(&scene->s3, &settings, scene->credentials, NULL), 0);
}

/* What the server was asked. */
static const char *scene_close(struct scene *scene)
{
	s3_close(&scene->s3);
	s3_credentials_close(&scene->credentials);
	fault_clear(&scene->fault);
	const char *requests = script_stop();
	notes[0] = 0;
	return requests;
}

static const struct http_body one = {.bytes = "one", .size = 3};

static int put_one(struct scene *scene)
{
	return s3_put(scene->s3, "key", &one, NULL, NULL, NULL, &scene->fault);
}

/* ---- again and again -------------------------------------------------------------- */

static void test_busy(void **state)
{
	struct scene scene = {0};
	(void)state;
	script_answer("503 Slow Down", "", ERROR("SlowDown"));
	script_answer("500 Oh", "", "");
	script_raw("");
	script_answer("200 OK", "etag: \"e\"\r\n", "");
	scene_open(&scene, "KEY");
	assert_int_equal(put_one(&scene), 0);
	assert_int_equal(s3_retries(scene.s3), 3);
	assert_non_null(strstr(notes, "503 SlowDown: so it is; attempt 2 of 4"));
	assert_int_equal(script_occurs(scene_close(&scene), "PUT /bucket/key HTTP"), 4);
}

static void test_always_busy(void **state)
{
	struct scene scene = {0};
	(void)state;
	script_answer("503 Slow Down", "", ERROR("SlowDown"));
	scene_open(&scene, "KEY");
	assert_int_equal(put_one(&scene), -EAGAIN);
	assert_non_null(strstr(fault_what(&scene.fault), "SlowDown"));
	assert_int_equal(script_occurs(scene_close(&scene), "PUT /bucket/key HTTP"), 4);
}

static void test_final_at_once(void **state)
{
	struct scene scene = {0};
	(void)state;
	script_answer("403 Forbidden", "", ERROR("AccessDenied"));
	scene_open(&scene, "KEY");
	assert_int_equal(put_one(&scene), -EACCES);
	assert_int_equal(s3_retries(scene.s3), 0);
	scene_close(&scene);
}

static void test_region(void **state)
{
	struct scene scene = {0};
	(void)state;
	script_answer("400 Bad", "",
		XML "<Error><Code>AuthorizationHeaderMalformed</Code><Message>m</Message>"
		    "<Region>eu-west-1</Region></Error>");
	script_answer(
		"301 Moved", "location: http://127.0.0.1:1/\r\nx-amz-bucket-region: eu-x\r\n", "");
	scene_open(&scene, "KEY");
	assert_int_equal(put_one(&scene), -EPROTO);
	assert_string_equal(scene.fault.next, "set region = \"eu-west-1\"");
	assert_int_equal(put_one(&scene), -EPROTO);
	assert_string_equal(scene.fault.next, "set region = \"eu-x\"");
	scene_close(&scene);
}

/* ---- listings ----------------------------------------------------------------------------- */

static int hundred(void *arg, const struct s3_object *object)
{
	(void)object;
	return ++*(int *)arg == 100 ? 42 : 0;
}

static void page_answer(const char *token)
{
	CLEANUP_FREE char *body =
		fault_format(XML "<ListBucketResult><IsTruncated>true</IsTruncated>"
				 "<NextContinuationToken>%s</NextContinuationToken>"
				 "<Contents><Key>k</Key></Contents></ListBucketResult>",
			token);
	script_answer("200 OK", "", body);
}

/* The last page comes again and again. */
static void test_endless(void **state)
{
	struct scene scene = {0};
	int keys = 0;
	(void)state;
	for (const char *token = "abcdef"; *token; token++)
		page_answer(token);
	scene_open(&scene, "KEY");
	assert_int_equal(s3_list(scene.s3, "", NULL, hundred, &keys, &scene.fault), -EPROTO);
	assert_non_null(strstr(fault_what(&scene.fault), "the server's listing repeats itself"));
	scene_close(&scene);
}

/* A circle of three, five times; then it ends. */
static void test_circle(void **state)
{
	struct scene scene = {0};
	int keys = 0;
	(void)state;
	for (int i = 0; i < 15; i++)
		page_answer(&"a\0b\0c"[i % 3 * 2]);
	script_answer("200 OK", "", XML "<ListBucketResult/>");
	scene_open(&scene, "KEY");
	assert_int_equal(s3_list(scene.s3, "", NULL, hundred, &keys, &scene.fault), -EPROTO);
	scene_close(&scene);
}

/* ---- bodies ---------------------------------------------------------------------------- */

static int append(void *arg, const void *bytes, size_t size)
{
	strncat(arg, bytes, size);
	return 0;
}

static void test_get_cut(void **state)
{
	struct scene scene = {0};
	char got[32] = "";
	(void)state;
	script_raw("cut:HTTP/1.1 200 OK\r\netag: \"e\"\r\ncontent-length: 10\r\n\r\n0123456");
	script_raw("HTTP/1.1 206 Part\r\netag: \"e\"\r\n"
		   "content-length: 3\r\nconnection: close\r\n\r\n7");
	script_raw("HTTP/1.1 206 Part\r\netag: \"e\"\r\n"
		   "content-length: 2\r\nconnection: close\r\n\r\n89");
	scene_open(&scene, "KEY");
	assert_int_equal(s3_get(scene.s3, "key", NULL, 99, append, got, NULL, &scene.fault), 0);
	assert_string_equal(got, "0123456789");
	const char *requests = scene_close(&scene);
	assert_int_equal(script_occurs(requests, "range: bytes=7-\r\n"), 1);
	assert_int_equal(script_occurs(requests, "range: bytes=8-\r\n"), 1);
	assert_int_equal(script_occurs(requests, "if-match: \"e\"\r\n"), 2);
}

static void test_get_changed(void **state)
{
	struct scene scene = {0};
	char got[32] = "";
	(void)state;
	script_raw("cut:HTTP/1.1 200 OK\r\netag: \"e\"\r\ncontent-length: 10\r\n\r\n0123456");
	script_answer("412 No", "", ERROR("PreconditionFailed"));
	scene_open(&scene, "KEY");
	assert_int_equal(
		s3_get(scene.s3, "key", NULL, 99, append, got, NULL, &scene.fault), -ESTALE);
	scene_close(&scene);
}

static void test_get_whole_for_part(void **state)
{
	struct scene scene = {0};
	const struct s3_range range = {.offset = 2, .size = 2};
	char got[32] = "";
	(void)state;
	script_answer("200 OK", "etag: \"e\"\r\n", "0123456789");
	scene_open(&scene, "KEY");
	assert_int_equal(
		s3_get(scene.s3, "key", &range, 99, append, got, NULL, &scene.fault), -EPROTO);
	scene_close(&scene);
}

static void test_get_limit(void **state)
{
	struct scene scene = {0};
	char got[32] = "";
	(void)state;
	script_answer("200 OK", "etag: \"e\"\r\n", "0");
	scene_open(&scene, "KEY");
	assert_int_equal(s3_get(scene.s3, "key", NULL, 0, append, got, NULL, &scene.fault), -EFBIG);
	assert_string_equal(got, "");
	scene_close(&scene);
}

/* ---- no answer at all ------------------------------------------------------------------ */

static void test_nobody_there(void **state)
{
	struct scene scene = {0};
	(void)state;
	scene_open(&scene, "KEY");
	script_stop();
	assert_int_equal(put_one(&scene), -EAGAIN);
	assert_int_equal(s3_retries(scene.s3), 3);
	script_start();
	scene_close(&scene);
}

static void test_cancelled(void **state)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_CREDENTIALS struct s3_credentials *credentials = NULL;
	CLEANUP_S3 struct s3 *s3 = NULL;
	const struct s3_credentials_settings keys = {
		.access_key = "KEY", .secret_key = "secret secret", .cancel_fd = -1};
	int pipes[2];
	(void)state;
	assert_int_equal(pipe(pipes), 0);
	close(pipes[1]); /* readable from now on */
	const struct s3_settings settings = {
		.endpoint = script_start(), .bucket = "bucket", .cancel_fd = pipes[0]};
	assert_int_equal(s3_credentials_open(&credentials, &keys, &fault), 0);
	assert_int_equal(s3_open(&s3, &settings, credentials, &fault), 0);
	assert_int_equal(s3_bucket_head(s3, NULL, &fault), -ECANCELED);
	script_stop();
	close(pipes[0]);
}

static void test_settings_refused(void **state)
{
	static const struct s3_settings bad[] = {{.bucket = "ab"}, {.bucket = "a/b/c"},
		{.bucket = "abc", .endpoint = "ftp://x"}, {.bucket = "abc", .endpoint = "https://"},
		{.bucket = "abc", .endpoint = "https://u:p@host"},
		{.bucket = "abc", .endpoint = "host:9000"}};
	struct s3 *s3 = NULL;
	CLEANUP_FAULT struct fault fault = {0};
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(s3_open(&s3, &bad[i], NULL, &fault), -EINVAL);
		assert_null(s3);
	}
}

/* ---- multipart -------------------------------------------------------------------------- */

static int complete(struct scene *scene, struct s3_object *ret)
{
	struct s3_part parts[] = {{1, 5, (char[]){"5f363e0e58a95f06cbe9bbc662c5dfb6"}, NULL},
		{2, 1, (char[]){"93b885adfe0da089cdf634904fd59f71"}, NULL}};
	return s3_upload_complete(scene->s3, "key", "id", parts, 2, NULL, ret, &scene->fault);
}
#define DONE(etag) \
	XML "<CompleteMultipartUploadResult><ETag>" etag "</ETag></CompleteMultipartUploadResult>"
#define WANTED "92f3a08aa3b1d7eb318ab9c2fc4a6ec3-2"

static void test_error_in_200(void **state)
{
	struct scene scene = {0};
	CLEANUP_OBJECT struct s3_object object = {0};
	(void)state;
	script_answer("200 OK", "", "   \n" ERROR("InternalError"));
	script_answer("200 OK", "x-amz-version-id: v1\r\n", "  " DONE("&quot;e-2&quot;"));
	scene_open(&scene, "KEY");
	assert_int_equal(complete(&scene, &object), 0);
	assert_int_equal(s3_retries(scene.s3), 1);
	assert_string_equal(object.etag, "e-2");
	assert_string_equal(object.version, "v1");
	assert_int_equal(object.size, 6);
	scene_close(&scene);
}

static void test_denied_in_200(void **state)
{
	struct scene scene = {0};
	(void)state;
	script_answer("200 OK", "", ERROR("AccessDenied"));
	scene_open(&scene, "KEY");
	assert_true(complete(&scene, NULL) < 0);
	assert_non_null(strstr(fault_what(&scene.fault), "AccessDenied"));
	scene_close(&scene);
}

static void test_empty_etag(void **state)
{
	struct scene scene = {0};
	CLEANUP_OBJECT struct s3_object object = {0};
	(void)state;
	script_answer("200 OK", "", DONE(""));
	script_answer("200 OK", "etag: \"" WANTED "\"\r\n", "123456");
	scene_open(&scene, "KEY");
	assert_int_equal(complete(&scene, &object), 0);
	assert_string_equal(object.etag, WANTED);
	scene_close(&scene);
}

/* The connection breaks after the server has completed the upload: its id is gone then. */
static void test_lost_answer(void **state)
{
	struct scene scene = {0};
	CLEANUP_OBJECT struct s3_object object = {0};
	(void)state;
	script_raw("");
	script_answer("404 No", "", ERROR("NoSuchUpload"));
	script_answer("200 OK", "etag: \"" WANTED "\"\r\n", "123456");
	scene_open(&scene, "KEY");
	assert_int_equal(complete(&scene, &object), 0);
	assert_string_equal(object.etag, WANTED);
	scene_close(&scene);
}

static void test_lost_upload(void **state)
{
	struct scene scene = {0};
	(void)state;
	script_raw("");
	script_answer("404 No", "", ERROR("NoSuchUpload"));
	script_answer("200 OK", "etag: \"another\"\r\n", "123456");
	scene_open(&scene, "KEY");
	assert_int_equal(complete(&scene, NULL), -EBADMSG);
	scene_close(&scene);
}

static void test_part_without_etag(void **state)
{
	struct scene scene = {0};
	struct s3_part part = {0};
	(void)state;
	script_answer("200 OK", "", "");
	scene_open(&scene, "KEY");
	assert_int_equal(
		s3_upload_part(scene.s3, "key", "id", 1, &one, NULL, &part, &scene.fault), -EPROTO);
	assert_non_null(strstr(fault_what(&scene.fault), "without an ETag"));
	scene_close(&scene);
}

static void test_no_sense(void **state)
{
	struct scene scene = {0};
	char *upload = NULL;
	(void)state;
	script_answer("200 OK", "", "<html>");
	scene_open(&scene, "KEY");
	assert_int_equal(s3_upload_begin(scene.s3, "key", NULL, &upload, &scene.fault), -EPROTO);
	assert_null(upload);
	scene_close(&scene);
}

static void test_delete_results(void **state)
{
	struct scene scene = {0};
	struct s3_doomed doomed[] = {{.key = "a"}, {.key = "b"}, {.key = "c"}};
	(void)state;
	script_answer("200 OK", "",
		XML "<DeleteResult><Deleted><Key>a</Key></Deleted><Error><Key>b</Key>"
		    "<Code>AccessDenied</Code><Message>locked</Message></Error></DeleteResult>");
	scene_open(&scene, "KEY");
	assert_int_equal(s3_delete_many(scene.s3, doomed, 3, &scene.fault), 0);
	assert_int_equal(doomed[0].result, 0);
	assert_int_equal(doomed[1].result, -EACCES);
	assert_string_equal(doomed[1].why, "AccessDenied: locked");
	assert_int_equal(doomed[2].result, -EPROTO); /* nothing was said of it */
	free(doomed[1].why);
	scene_close(&scene);
}

/* ---- keys from elsewhere ------------------------------------------------------------------ */

/* A server calls them expired: they are fetched anew, once. */
static void test_expired(void **state)
{
	struct scene scene = {0};
	char source[64];
	(void)state;
	script_keys("FIRST", 3600);
	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", script_start(), 1);
	const struct s3_credentials_settings keys = {.cancel_fd = -1};
	assert_int_equal(s3_credentials_open(&scene.credentials, &keys, &scene.fault), 0);
	script_stop();
	script_answer("400 Bad", "", ERROR("ExpiredToken"));
	script_keys("SECOND", 3600);
	script_answer("200 OK", "etag: \"e\"\r\n", "");
	script_answer("400 Bad", "", ERROR("ExpiredToken"));
	script_keys("THIRD", 3600);
	script_answer("400 Bad", "", ERROR("ExpiredToken"));
	const char *here = script_start();
	snprintf(source, sizeof source, "%s/keys", here);
	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", source, 1);
	const struct s3_settings settings = {
		.endpoint = here, .bucket = "bucket", .cancel_fd = -1, .attempts = 4};
	assert_int_equal(s3_open(&scene.s3, &settings, scene.credentials, NULL), 0);
	assert_int_equal(put_one(&scene), 0);
	assert_int_equal(put_one(&scene), -EACCES);
	assert_non_null(strstr(scene.fault.next, "the container's credentials service"));
	const char *requests = scene_close(&scene);
	assert_int_equal(script_occurs(requests, "Credential=FIRST/"), 1);
	assert_int_equal(script_occurs(requests, "Credential=SECOND/"), 2);
	assert_int_equal(script_occurs(requests, "Credential=THIRD/"), 1);
	assert_int_equal(script_occurs(requests, "x-amz-security-token: t0ken\r\n"), 4);
	unsetenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_always_busy),
		cmocka_unit_test(test_final_at_once),
		cmocka_unit_test(test_region),
		cmocka_unit_test(test_endless),
		cmocka_unit_test(test_circle),
		cmocka_unit_test(test_get_cut),
		cmocka_unit_test(test_get_changed),
		cmocka_unit_test(test_get_whole_for_part),
		cmocka_unit_test(test_get_limit),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_cancelled),
		cmocka_unit_test(test_settings_refused),
		cmocka_unit_test(test_error_in_200),
		cmocka_unit_test(test_denied_in_200),
		cmocka_unit_test(test_empty_etag),
		cmocka_unit_test(test_lost_answer),
		cmocka_unit_test(test_lost_upload),
		cmocka_unit_test(test_part_without_etag),
		cmocka_unit_test(test_no_sense),
		cmocka_unit_test(test_delete_results),
		cmocka_unit_test(test_expired),
	};
	return !!cmocka_run_group_tests(tests, server_without, NULL);
}
