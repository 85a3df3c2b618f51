/* SPDX-License-Identifier: MIT */
/* s3-upload against a real server with a host in memory: how objects are cut, and undo records
 * tried twice, on nothing, and against what has changed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "s3-upload/parts.h"
#include "support/cleanup.h"
#include "support/s3.h"
#include "support/tests/script.h"
#include "support/tests/server.h"
#include "tests/unit.h"
#include <upkeep/testing.h>

#define MIB ((uint64_t)1 << 20)

/* ---- parts ---- */

static void test_stream_parts(void **state)
{
	struct parts parts = parts_of_stream(128 * MIB);
	(void)state;
	assert_int_equal(parts_size(&parts, 1), 8 * MIB);
	assert_int_equal(parts_size(&parts, 1000), 8 * MIB);
	assert_int_equal(parts_size(&parts, 1001), 16 * MIB);
	assert_int_equal(parts_size(&parts, 3001), 64 * MIB);
	assert_int_equal(parts_size(&parts, S3_PARTS_MAX), 64 * MIB);
	assert_int_equal(parts_offset(&parts, 1), 0);
	assert_int_equal(parts_offset(&parts, 1002), 8000 * MIB + 16 * MIB);
	assert_int_equal(
		parts_limit(&parts), 8000 * MIB + 16000 * MIB + 32000 * MIB + 7000 * 64 * MIB);
	assert_true(parts_limit(&parts) > 3900 * 128 * MIB);
	struct parts small = parts_of_stream(16 * MIB);
	assert_int_equal(parts_size(&small, 1), S3_PART_MIN);
	assert_int_equal(parts_size(&small, S3_PARTS_MAX), 8 * MIB);
	struct parts huge = parts_of_stream((uint64_t)1 << 40);
	assert_int_equal(parts_size(&huge, S3_PARTS_MAX), S3_PART_MAX);
}

static void test_file_parts(void **state)
{
	static const uint64_t sizes[] = {0, 1, 16 * MIB, 16 * MIB + 1, 160000 * MIB,
		160000 * MIB + 1, (uint64_t)5 << 40, ((uint64_t)5 << 40) + 1};
	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct parts parts = parts_of_file(sizes[i]);
		unsigned count = parts_count(&parts, sizes[i]);
		assert_in_range(count, 1, S3_PARTS_MAX);
		assert_true(parts_limit(&parts) >= sizes[i]);
		assert_true(parts_offset(&parts, count) <= sizes[i]);
		assert_true(parts_offset(&parts, count + 1) >= sizes[i]);
	}
	struct parts parts = parts_of_file(16 * MIB);
	assert_int_equal(parts_count(&parts, 16 * MIB), 1);
	assert_int_equal(parts_count(&parts, 16 * MIB + 1), 2);
}

static void test_parts_text(void **state)
{
	static const char *const bad[] = {
		NULL, "", "1", "1-", "2-1", "0-1", "1-2x", "1-99999999999"};
	struct parts parts = parts_of_stream(128 * MIB), back;
	char text[PARTS_TEXT];
	(void)state;
	parts_write(&parts, text);
	assert_int_equal(parts_read(&back, text), 0);
	assert_int_equal(back.first, parts.first);
	assert_int_equal(back.largest, parts.largest);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(parts_read(&back, bad[i]), -EINVAL);
}

/* ---- undo ---- */

static struct s3_credentials *keys;
static struct s3 *client;
static char dir[] = "/tmp/upkeep-s3-upload.XXXXXX";

static struct upkeep_test *open_host(const char *bucket)
{
	struct upkeep_test *t = upkeep_test_new(&upkeep_plugin);
	assert_non_null(t);
	upkeep_test_setting(t, "bucket", bucket);
	upkeep_test_setting(t, "endpoint", getenv("S3_ENDPOINT"));
	upkeep_test_setting(t, "access_key", getenv("S3_ACCESS_KEY"));
	upkeep_test_setting(t, "secret_key", "env:SECRET");
	upkeep_test_setting(t, "memory", "16MiB");
	upkeep_test_secret(t, "env:SECRET", getenv("S3_SECRET_KEY"));
	return t;
}

static void expect(struct upkeep_test *t, int32_t got, int32_t wanted)
{
	if (got != wanted)
		fail_msg("%d: %s (%s)\n%s", got, upkeep_test_what(t), upkeep_test_why(t),
			upkeep_test_log(t));
}

static int none(void *arg, const struct s3_upload *upload)
{
	(void)arg;
	fail_msg("an open upload of %s", upload->key);
	return 0;
}

static bool is_there(const char *key)
{
	CLEANUP_FAULT struct fault fault = {0};
	int r = s3_head(client, key, NULL, NULL, &fault);
	if (r < 0 && r != -ENOENT)
		fail_msg("%s", fault_what(&fault));
	return r == 0;
}

static void put_stream(struct upkeep_test *t, const char *key, size_t size, int32_t wanted)
{
	CLEANUP_FREE char *bytes = fault_alloc(size);
	upkeep_test_clear(t);
	upkeep_test_set(t, "key", key);
	upkeep_test_stream_in(t, bytes, size);
	expect(t, upkeep_test_run(t, "put"), wanted);
}

static void test_undo_twice(void **state)
{
	struct upkeep_test *t = open_host("bucket");
	(void)state;
	put_stream(t, "twice", 6 * MIB, UPKEEP_CHANGED);
	assert_int_equal(upkeep_test_records(t), 2);
	assert_int_equal(upkeep_test_record_state(t, 0), UPKEEP_TEST_APPLIED);
	assert_int_equal(upkeep_test_record_state(t, 1), UPKEEP_TEST_DROPPED);
	assert_true(is_there("twice"));
	expect(t, upkeep_test_probe_record(t, "put", 0), UPKEEP_DONE);
	expect(t, upkeep_test_probe_record(t, "put", 1), UPKEEP_NOT_DONE);
	expect(t, upkeep_test_undo_record(t, "put", 1), UPKEEP_CHANGED);
	assert_true(is_there("twice"));
	expect(t, upkeep_test_undo_record(t, "put", 0), UPKEEP_CHANGED);
	assert_false(is_there("twice"));
	expect(t, upkeep_test_probe_record(t, "put", 0), UPKEEP_NOT_DONE);
	expect(t, upkeep_test_undo_record(t, "put", 0), UPKEEP_UNCHANGED);
	upkeep_test_free(t);
}

/* What somebody else has put there since is not ours to remove. */
static void test_undo_of_another(void **state)
{
	CLEANUP_FAULT struct fault fault = {0};
	struct upkeep_test *t = open_host("bucket");
	const struct http_body body = {.bytes = "another", .size = 7};
	(void)state;
	put_stream(t, "another", 10, UPKEEP_CHANGED);
	assert_int_equal(s3_put(client, "another", &body, NULL, NULL, NULL, &fault), 0);
	expect(t, upkeep_test_probe_record(t, "put", 0), UPKEEP_NOT_DONE);
	expect(t, upkeep_test_undo_record(t, "put", 0), UPKEEP_UNCHANGED);
	assert_true(is_there("another"));
	upkeep_test_free(t);
}

/* Settings that have changed since lead elsewhere: nothing is touched there. */
static void test_undo_elsewhere(void **state)
{
	struct upkeep_test *t = open_host("elsewhere");
	(void)state;
	upkeep_test_forge(
		t, "object", 1, "place=s3://bucket on somewhere\nkey=k\nid=0123\nresume=\n");
	upkeep_test_forge(t, "object", 2, "place=s3://bucket\nkey=k\nid=0123\nresume=\n");
	upkeep_test_forge(t, "object", 1, "key=k\n");
	expect(t, upkeep_test_undo_record(t, "put", 0), UPKEEP_NEEDS_PERSON);
	assert_non_null(strstr(upkeep_test_next(t), "without --settings current"));
	expect(t, upkeep_test_undo_record(t, "put", 1), UPKEEP_NEEDS_PERSON);
	expect(t, upkeep_test_undo_record(t, "put", 2), UPKEEP_NEEDS_PERSON);
	upkeep_test_free(t);
}

static void test_not_whole(void **state)
{
	struct upkeep_test *t = open_host("bucket");
	(void)state;
	upkeep_test_whole(t, 0);
	put_stream(t, "torn", 6 * MIB, UPKEEP_FAILED);
	assert_false(is_there("torn"));
	assert_int_equal(upkeep_test_record_state(t, 0), UPKEEP_TEST_DROPPED);
	assert_int_equal(upkeep_test_record_state(t, 1), UPKEEP_TEST_UNDONE);
	put_stream(t, "torn", 10, UPKEEP_FAILED);
	assert_false(is_there("torn"));
	assert_int_equal(s3_uploads(client, "", none, NULL, NULL), 0);
	upkeep_test_free(t);
}

/* Where a record cannot be written, the change that it is about is not made. */
static void test_no_record(void **state)
{
	(void)state;
	for (size_t n = 1; n <= 2; n++) {
		struct upkeep_test *t = open_host("bucket");
		upkeep_test_fail_push(t, n, -ENOSPC);
		put_stream(t, "unrecorded", 6 * MIB, UPKEEP_FAILED_FOR_NOW);
		assert_false(is_there("unrecorded"));
		assert_int_equal(s3_uploads(client, "", none, NULL, NULL), 0);
		upkeep_test_free(t);
	}
}

static void test_cancelled(void **state)
{
	(void)state;
	for (size_t calls = 1; calls < 16; calls += 3) {
		struct upkeep_test *t = open_host("bucket");
		CLEANUP_FREE char *bytes = fault_alloc(12 * MIB);
		upkeep_test_set(t, "key", "cancelled");
		upkeep_test_stream_in(t, bytes, 12 * MIB);
		upkeep_test_cancel_after(t, calls);
		int32_t r = upkeep_test_run(t, "put");
		if (r != UPKEEP_CHANGED)
			expect(t, r, UPKEEP_CANCELLED);
		r = upkeep_test_undo(t, "put");
		assert_true(r >= 0);
		assert_false(is_there("cancelled"));
		assert_int_equal(s3_uploads(client, "", none, NULL, NULL), 0);
		upkeep_test_free(t);
	}
}

/* What goes with an object, as Amazon's servers would see it. */
static void test_headers(void **state)
{
	static const char *const sent[] = {"\nx-amz-server-side-encryption: AES256\r\n",
		"\nx-amz-storage-class: GLACIER_IR\r\n"};
	struct upkeep_test *t = open_host("bucket");
	(void)state;
	script_answer("404 Not Found", "", "");
	script_answer("200 OK", "ETag: \"0123\"\r\n", "");
	upkeep_test_setting(t, "endpoint", script_start());
	upkeep_test_set(t, "key", "headers");
	upkeep_test_set(t, "sse", "s3");
	upkeep_test_set(t, "storage_class", "GLACIER_IR");
	upkeep_test_set(t, "verify", "none");
	upkeep_test_stream_in(t, "small", 5);
	expect(t, upkeep_test_run(t, "put"), UPKEEP_CHANGED);
	const char *requests = script_stop();
	for (size_t i = 0; i < sizeof sent / sizeof sent[0]; i++)
		assert_int_equal(script_occurs(requests, sent[i]), 1);
	upkeep_test_free(t);
}

/* Amazon's servers take what is locked with a checksum alone. */
static void test_checksum_wanted(void **state)
{
	struct upkeep_test *t = open_host("bucket");
	(void)state;
	script_answer("404 Not Found", "", "");
	script_answer("400 Bad Request", "",
		"<Error><Code>InvalidRequest</Code><Message>Content-MD5 OR x-amz-checksum- HTTP "
		"header is required for Put Object requests with Object Lock parameters</Message>"
		"</Error>");
	upkeep_test_setting(t, "endpoint", script_start());
	upkeep_test_set(t, "key", "locked");
	upkeep_test_set(t, "object_lock", "governance");
	upkeep_test_set(t, "retain_days", "1");
	upkeep_test_stream_in(t, "small", 5);
	expect(t, upkeep_test_run(t, "put"), UPKEEP_FAILED);
	assert_string_equal(upkeep_test_next(t), "set checksum = \"sha256\"");
	script_stop();
	upkeep_test_free(t);
}

static void test_get_undo(void **state)
{
	CLEANUP_FREE char *path = fault_format("%s/file", dir);
	struct upkeep_test *t = open_host("bucket");
	(void)state;
	put_stream(t, "got", 10, UPKEEP_CHANGED);
	upkeep_test_free(t);
	t = open_host("bucket");
	upkeep_test_set(t, "key", "got");
	upkeep_test_set(t, "file", path);
	expect(t, upkeep_test_run(t, "get"), UPKEEP_CHANGED);
	assert_int_equal(upkeep_test_records(t), 2);
	expect(t, upkeep_test_probe_record(t, "get", 1), UPKEEP_DONE);
	expect(t, upkeep_test_undo_record(t, "get", 1), UPKEEP_CHANGED);
	assert_int_equal(access(path, F_OK), -1);
	expect(t, upkeep_test_undo_record(t, "get", 1), UPKEEP_UNCHANGED);
	expect(t, upkeep_test_undo_record(t, "get", 0), UPKEEP_UNCHANGED);
	assert_int_equal(rmdir(dir), 0); /* nothing is left in it */
	upkeep_test_free(t);
}

static void make_bucket(const char *bucket)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_S3 struct s3 *s3 = NULL;
	const struct s3_settings settings = {
		.endpoint = getenv("S3_ENDPOINT"), .bucket = bucket, .cancel_fd = -1};
	assert_int_equal(s3_open(&s3, &settings, keys, &fault), 0);
	s3_bucket_make(s3, false, &fault);
}

static int start(void **state)
{
	int r = server_start(state);
	const struct s3_credentials_settings settings = {.access_key = getenv("S3_ACCESS_KEY"),
		.secret_key = getenv("S3_SECRET_KEY"),
		.cancel_fd = -1};
	if (r || !mkdtemp(dir) || s3_credentials_open(&keys, &settings, NULL) < 0)
		return -1;
	make_bucket("bucket");
	make_bucket("elsewhere");
	const struct s3_settings of_bucket = {
		.endpoint = getenv("S3_ENDPOINT"), .bucket = "bucket", .cancel_fd = -1};
	return s3_open(&client, &of_bucket, keys, NULL);
}

static int stop(void **state)
{
	s3_close(&client);
	s3_credentials_close(&keys);
	rmdir(dir);
	return server_stop(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stream_parts),
		cmocka_unit_test(test_file_parts),
		cmocka_unit_test(test_parts_text),
		cmocka_unit_test(test_undo_twice),
		cmocka_unit_test(test_undo_of_another),
		cmocka_unit_test(test_undo_elsewhere),
		cmocka_unit_test(test_not_whole),
		cmocka_unit_test(test_no_record),
		cmocka_unit_test(test_cancelled),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_checksum_wanted),
		cmocka_unit_test(test_get_undo),
	};
	return !!cmocka_run_group_tests(tests, start, stop);
}
