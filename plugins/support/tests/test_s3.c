/* SPDX-License-Identifier: MIT */
/* The S3 client against a real server, which verifies every signature and hash. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "support/cleanup.h"
#include "support/s3.h"
#include "support/tests/server.h"
#include "tests/unit.h"

static struct s3_credentials *keys;
static struct s3 *client;
static time_t clock_moved_s;

/* The client's clock: linked with --wrap=time. */
time_t __real_time(time_t *ret);
time_t __wrap_time(time_t *ret);
time_t __wrap_time(time_t *ret)
{
	time_t now = __real_time(NULL) + clock_moved_s;
	if (ret)
		*ret = now;
	return now;
}

static struct s3_credentials *open_keys(const char *access, const char *secret)
{
	struct s3_credentials *credentials = NULL;
	const struct s3_credentials_settings settings = {
		.access_key = access, .secret_key = secret, .cancel_fd = -1};
	assert_int_equal(s3_credentials_open(&credentials, &settings, NULL), 0);
	return credentials;
}

static struct s3_settings settings_of(const char *bucket)
{
	return (struct s3_settings){
		.endpoint = getenv("S3_ENDPOINT"), .bucket = bucket, .cancel_fd = -1};
}

static struct s3 *open_bucket(const char *bucket)
{
	struct s3 *s3 = NULL;
	CLEANUP_FAULT struct fault fault = {0};
	const struct s3_settings settings = settings_of(bucket);
	assert_int_equal(s3_open(&s3, &settings, keys, &fault), 0);
	int r = s3_bucket_make(s3, false, &fault);
	if (r != 0 && r != -EEXIST)
		fail_msg("%s", fault_what(&fault));
	return s3;
}

static void good(int r, const struct fault *fault)
{
	if (r < 0)
		fail_msg("%d: %s", r, fault_what(fault));
}

static void put_text(struct s3 *s3, const char *key, const char *text)
{
	CLEANUP_FAULT struct fault fault = {0};
	const struct http_body body = {.bytes = text, .size = strlen(text)};
	good(s3_put(s3, key, &body, NULL, NULL, NULL, &fault), &fault);
}

static int append(void *arg, const void *bytes, size_t size)
{
	char *text = arg;
	size_t length = strlen(text);
	memcpy(text + length, bytes, size);
	text[length + size] = 0;
	return 0;
}

static void expect_text(struct s3 *s3, const char *key, const char *version, const char *text)
{
	char got[256] = "";
	CLEANUP_FAULT struct fault fault = {0};
	const struct s3_range range = {.version = version};
	good(s3_get(s3, key, &range, sizeof got - 1, append, got, NULL, &fault), &fault);
	assert_string_equal(got, text);
}

/* ---- keys ---- */

static const char *const odd_keys[] = {"plain", "a b", "a+b", "a%20b", "a/b//c/", "/begins",
	"../up/./x", "\xc3\xa9\xe1\x88\xb4", "<&>\"'", "a?b=c&d#e", "~!*'();:@$,[]", "tab\tline\n",
	"\x01", "x=1;y", "a\\b"};
#define ODD_COUNT (sizeof odd_keys / sizeof odd_keys[0])

static void test_odd_keys(void **state)
{
	CLEANUP_S3 struct s3 *s3 = open_bucket("odd-keys");
	(void)state;
	for (size_t i = 0; i < ODD_COUNT; i++)
		put_text(s3, odd_keys[i], odd_keys[i]);
	for (size_t i = 0; i < ODD_COUNT; i++)
		expect_text(s3, odd_keys[i], NULL, odd_keys[i]);
}

static int note_key(void *arg, const struct s3_object *object)
{
	bool *seen = arg;
	for (size_t i = 0; i < ODD_COUNT; i++)
		if (strcmp(odd_keys[i], object->key) == 0) {
			assert_int_equal(object->size, strlen(object->key));
			assert_int_equal(strlen(object->etag), 32);
			assert_true(object->modified_s > 1700000000);
			seen[i] = true;
			return 0;
		}
	fail_msg("listed: \"%s\"", object->key);
	return 0;
}

static void test_odd_keys_listed(void **state)
{
	CLEANUP_S3 struct s3 *s3 = open_bucket("odd-keys");
	CLEANUP_FAULT struct fault fault = {0};
	bool seen[ODD_COUNT] = {false};
	(void)state;
	good(s3_list(s3, "", NULL, note_key, seen, &fault), &fault);
	for (size_t i = 0; i < ODD_COUNT; i++)
		if (!seen[i])
			fail_msg("not listed: \"%s\"", odd_keys[i]);
}

static int count_one(void *arg, const struct s3_object *object)
{
	(void)object;
	++*(int *)arg;
	return 0;
}

static int count(struct s3 *s3, const char *prefix)
{
	int many = 0;
	CLEANUP_FAULT struct fault fault = {0};
	good(s3_list(s3, prefix, NULL, count_one, &many, &fault), &fault);
	return many;
}

static void test_delete_many(void **state)
{
	CLEANUP_S3 struct s3 *s3 = open_bucket("odd-keys");
	CLEANUP_FAULT struct fault fault = {0};
	struct s3_doomed doomed[ODD_COUNT + 1] = {{.key = "never there"}};
	(void)state;
	for (size_t i = 0; i < ODD_COUNT; i++)
		doomed[i + 1].key = odd_keys[i];
	good(s3_delete_many(s3, doomed, ODD_COUNT + 1, &fault), &fault);
	for (size_t i = 0; i <= ODD_COUNT; i++)
		if (doomed[i].result)
			fail_msg("\"%s\": %s", doomed[i].key, doomed[i].why);
	assert_int_equal(count(s3, ""), 0);
}

/* ---- objects ---- */

static void test_put_conditions(void **state)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_OBJECT struct s3_object object = {0}, head = {0};
	const char *const headers[] = {"x-amz-meta-who: me and  you", "content-type: text/x-test"};
	const struct s3_put put = {.if_none_match = true, .headers = headers, .header_count = 2};
	const struct http_body body = {.bytes = "one", .size = 3};
	(void)state;
	good(s3_put(client, "once", &body, NULL, &put, &object, &fault), &fault);
	assert_string_equal(object.etag, "f97c5d29941bfb1b2fdab0874906ab82");
	assert_int_equal(s3_put(client, "once", &body, NULL, &put, NULL, &fault), -EEXIST);
	good(s3_head(client, "once", NULL, &head, &fault), &fault);
	assert_int_equal(head.size, 3);
	assert_string_equal(head.etag, object.etag);
	assert_string_equal(s3_object_header(&head, "x-amz-meta-who"), "me and  you");
	assert_string_equal(s3_object_header(&head, "content-type"), "text/x-test");
	assert_null(head.version);
}

static void test_wrong_hash(void **state)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_S3 struct s3 *s3 = NULL;
	struct s3_settings settings = settings_of("objects");
	const struct http_body body = {.bytes = "two", .size = 3};
	(void)state;
	settings.attempts = 1;
	good(s3_open(&s3, &settings, keys, &fault), &fault);
	assert_int_equal(s3_put(s3, "hash", &body,
				 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
				 NULL, NULL, &fault),
		-EAGAIN);
	assert_non_null(strstr(
		fault_what(&fault), server_is_swift ? "BadDigest" : "XAmzContentSHA256Mismatch"));
	assert_int_equal(s3_head(s3, "hash", NULL, NULL, &fault), -ENOENT);
}

static void test_get_parts(void **state)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_OBJECT struct s3_object object = {0};
	char got[16] = "";
	(void)state;
	put_text(client, "digits", "0123456789");
	const struct s3_range middle = {.offset = 3, .size = 4};
	good(s3_get(client, "digits", &middle, 4, append, got, &object, &fault), &fault);
	assert_string_equal(got, "3456");
	assert_int_equal(object.size, 4);
	const struct s3_range tail = {.offset = 8, .if_match = object.etag};
	got[0] = 0;
	good(s3_get(client, "digits", &tail, 9, append, got, NULL, &fault), &fault);
	assert_string_equal(got, "89");
	assert_int_equal(s3_get(client, "digits", NULL, 9, append, got, NULL, &fault), -EFBIG);
	put_text(client, "digits", "9876543210");
	assert_int_equal(s3_get(client, "digits", &tail, 9, append, got, NULL, &fault), -ESTALE);
	assert_int_equal(s3_get(client, "none", NULL, 9, append, got, NULL, &fault), -ENOENT);
	assert_non_null(strstr(fault_what(&fault), "NoSuchKey"));
}

static void test_empty(void **state)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_OBJECT struct s3_object head = {0};
	(void)state;
	put_text(client, "empty", "");
	expect_text(client, "empty", NULL, "");
	good(s3_head(client, "empty", NULL, &head, &fault), &fault);
	assert_int_equal(head.size, 0);
}

static void test_descriptors(void **state)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_FD int from = memfd_create("from", MFD_CLOEXEC);
	CLEANUP_FD int to = memfd_create("to", MFD_CLOEXEC);
	size_t size = 3 << 20;
	CLEANUP_FREE char *bytes = fault_alloc(size), *back = fault_alloc(size);
	(void)state;
	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)(i * 7 + i / 251);
	assert_int_equal(write(from, bytes, size), size);
	const struct http_body body = {.fd = from, .offset = 1000, .size = size - 1000};
	good(s3_put(client, "fd", &body, NULL, NULL, NULL, &fault), &fault);
	good(s3_get_fd(client, "fd", NULL, size, to, NULL, &fault), &fault);
	assert_int_equal(pread(to, back, size, 0), size - 1000);
	assert_memory_equal(back, bytes + 1000, size - 1000);
}

static void test_copy(void **state)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_OBJECT struct s3_object object = {0};
	(void)state;
	put_text(client, "from a+b", "copied");
	good(s3_copy(client, "from a+b", NULL, "to", &object, &fault), &fault);
	assert_string_equal(object.etag, "ac9f7584d3fd6d49faa7bcf5e1ebec1f");
	expect_text(client, "to", NULL, "copied");
	good(s3_delete(client, "to", NULL, &fault), &fault);
	good(s3_delete(client, "to", NULL, &fault), &fault);
	assert_int_equal(s3_head(client, "to", NULL, NULL, &fault), -ENOENT);
}

/* ---- listings ---- */

static int join_keys(void *arg, const struct s3_object *object)
{
	append(arg, object->key, strlen(object->key));
	append(arg, object->etag ? " " : "! ", object->etag ? 1 : 2);
	return 0;
}

static int stop_at_once(void *arg, const struct s3_object *object)
{
	(void)arg, (void)object;
	return 42;
}

static void test_list(void **state)
{
	char keys_text[256] = "";
	CLEANUP_S3 struct s3 *s3 = open_bucket("listing");
	CLEANUP_FAULT struct fault fault = {0};
	(void)state;
	put_text(s3, "d/1", "");
	put_text(s3, "d/e/2", "");
	put_text(s3, "d/e/3", "");
	put_text(s3, "f", "");
	good(s3_list(s3, "d/", "/", join_keys, keys_text, &fault), &fault);
	if (strcmp(keys_text, "d/e/! d/1 ") != 0)
		assert_string_equal(keys_text, "d/1 d/e/! ");
	keys_text[0] = 0;
	good(s3_list(s3, "d/", NULL, join_keys, keys_text, &fault), &fault);
	assert_string_equal(keys_text, "d/1 d/e/2 d/e/3 ");
	assert_int_equal(s3_list(s3, "d/", NULL, stop_at_once, NULL, &fault), 42);
}

#define MANY 1003
#define WRITERS 4
static char many_names[MANY][16];

/* A client for each thread, on the same keys. */
static void *put_some(void *arg)
{
	CLEANUP_S3 struct s3 *s3 = open_bucket("pages");
	const struct http_body body = {.bytes = "", .size = 0};
	for (int i = *(int *)arg; i < MANY; i += WRITERS)
		if (s3_put(s3, many_names[i], &body, NULL, NULL, NULL, NULL) < 0)
			return arg;
	return NULL;
}

static void test_list_pages(void **state)
{
	CLEANUP_S3 struct s3 *s3 = NULL; /* skip does not come back to clean up */
	CLEANUP_FAULT struct fault fault = {0};
	struct s3_doomed doomed[MANY] = {{0}};
	pthread_t writers[WRITERS];
	int numbers[WRITERS];
	void *failed;
	(void)state;
	if (server_is_swift && !getenv("UPKEEP_LONG"))
		skip(); /* 50 ms for each object */
	s3 = open_bucket("pages");
	for (int i = 0; i < MANY; i++) {
		snprintf(many_names[i], sizeof many_names[i], "p %d", i);
		doomed[i].key = many_names[i];
	}
	for (int i = 0; i < WRITERS; i++) {
		numbers[i] = i;
		assert_int_equal(pthread_create(&writers[i], NULL, put_some, &numbers[i]), 0);
	}
	for (int i = 0; i < WRITERS; i++) {
		pthread_join(writers[i], &failed);
		assert_null(failed);
	}
	assert_int_equal(count(s3, ""), MANY);
	assert_int_equal(count(s3, "p 10"), 14);
	good(s3_delete_many(s3, doomed, MANY, &fault), &fault);
	assert_int_equal(count(s3, ""), 0);
}

static int join_versions(void *arg, const struct s3_object *object)
{
	const char *text = object->marker ? "m" : object->latest ? "L" : "v";
	assert_non_null(object->version);
	return append(arg, text, 1);
}

static void test_versions(void **state)
{
	char text[16] = "";
	enum s3_versioning versioning;
	CLEANUP_S3 struct s3 *s3 = NULL;
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_OBJECT struct s3_object first = {0}, second = {0};
	(void)state;
	if (server_is_swift)
		skip(); /* it has none by this interface */
	s3 = open_bucket("versions");
	good(s3_bucket_versioning(s3, &versioning, &fault), &fault);
	assert_int_equal(versioning, S3_VERSIONS_NONE);
	good(s3_bucket_keep_versions(s3, &fault), &fault);
	good(s3_bucket_versioning(s3, &versioning, &fault), &fault);
	assert_int_equal(versioning, S3_VERSIONS_ENABLED);
	const struct http_body one = {.bytes = "one", .size = 3}, two = {.bytes = "two", .size = 3};
	good(s3_put(s3, "k", &one, NULL, NULL, &first, &fault), &fault);
	good(s3_put(s3, "k", &two, NULL, NULL, &second, &fault), &fault);
	assert_non_null(first.version);
	assert_non_null(second.version);
	expect_text(s3, "k", first.version, "one");
	good(s3_delete(s3, "k", NULL, &fault), &fault);
	assert_int_equal(s3_head(s3, "k", NULL, NULL, &fault), -ENOENT);
	good(s3_list_versions(s3, "k", join_versions, text, &fault), &fault);
	assert_string_equal(text, "mvv");
	good(s3_delete(s3, "k", second.version, &fault), &fault);
	assert_int_equal(s3_head(s3, "k", second.version, NULL, &fault), -ENOENT);
	expect_text(s3, "k", first.version, "one");
}

/* ---- multipart ---- */

static int note_upload(void *arg, const struct s3_upload *upload)
{
	const char **want = arg;
	assert_string_equal(upload->key, "big a+b");
	assert_string_equal(upload->upload, *want);
	assert_true(upload->begun_s > 1700000000);
	*want = NULL;
	return 0;
}

static int no_upload(void *arg, const struct s3_upload *upload)
{
	(void)arg;
	fail_msg("an open upload of \"%s\"", upload->key);
	return 0;
}

static void test_upload(void **state)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_FREE char *upload = NULL, *bytes = fault_alloc(S3_PART_MIN);
	CLEANUP_OBJECT struct s3_object object = {0}, head = {0};
	struct s3_part parts[2] = {{0}}, *found = NULL;
	size_t count_found = 0;
	const char *const headers[] = {"x-amz-meta-id: 7"};
	const struct s3_put put = {.headers = headers, .header_count = 1};
	(void)state;
	good(s3_upload_begin(client, "big a+b", &put, &upload, &fault), &fault);
	const char *seen = upload;
	good(s3_uploads(client, "big", note_upload, &seen, &fault), &fault);
	assert_null(seen);
	const struct http_body first = {.bytes = bytes, .size = S3_PART_MIN};
	const struct http_body last = {.bytes = bytes, .size = 1};
	good(s3_upload_part(client, "big a+b", upload, 2, &last, NULL, &parts[1], &fault), &fault);
	good(s3_upload_part(client, "big a+b", upload, 1, &first, NULL, &parts[0], &fault), &fault);
	good(s3_upload_parts(client, "big a+b", upload, &found, &count_found, &fault), &fault);
	assert_int_equal(count_found, 2);
	assert_int_equal(found[0].size, S3_PART_MIN);
	assert_string_equal(found[1].etag, parts[1].etag);
	assert_int_equal(s3_head(client, "big a+b", NULL, NULL, &fault), -ENOENT);
	good(s3_upload_complete(client, "big a+b", upload, parts, 2, NULL, &object, &fault),
		&fault);
	assert_string_equal(object.etag, "92f3a08aa3b1d7eb318ab9c2fc4a6ec3-2");
	assert_int_equal(object.size, S3_PART_MIN + 1);
	good(s3_head(client, "big a+b", NULL, &head, &fault), &fault);
	assert_int_equal(head.size, S3_PART_MIN + 1);
	assert_string_equal(head.etag, object.etag);
	assert_string_equal(s3_object_header(&head, "x-amz-meta-id"), "7");
	good(s3_uploads(client, "big", no_upload, NULL, &fault), &fault);
	s3_parts_free(found, count_found);
	s3_part_clear(&parts[0]);
	s3_part_clear(&parts[1]);
}

static void test_abort(void **state)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_FREE char *upload = NULL;
	struct s3_part *found = NULL;
	size_t found_count = 0;
	(void)state;
	good(s3_upload_begin(client, "gone", NULL, &upload, &fault), &fault);
	good(s3_upload_abort(client, "gone", upload, &fault), &fault);
	good(s3_upload_abort(client, "gone", upload, &fault), &fault);
	good(s3_uploads(client, "gone", no_upload, NULL, &fault), &fault);
	assert_int_equal(
		s3_upload_parts(client, "gone", upload, &found, &found_count, &fault), -ENOENT);
	assert_int_equal(s3_upload_complete(client, "gone", upload, NULL, 0, NULL, NULL, &fault),
		server_is_swift ? -ENOENT : -EPROTO);
}

/* ---- the bucket ---- */

static void test_locked_bucket(void **state)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_S3 struct s3 *locked = NULL;
	struct s3_lock lock;
	(void)state;
	if (server_is_swift)
		skip();
	const struct s3_settings other = settings_of("locked");
	good(s3_open(&locked, &other, keys, &fault), &fault);
	good(s3_bucket_make(locked, true, &fault), &fault);
	good(s3_bucket_lock(locked, &lock, &fault), &fault);
	assert_true(lock.enabled);
}

static void test_bucket(void **state)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_FREE char *region = NULL;
	CLEANUP_S3 struct s3 *none = NULL;
	struct s3_lifecycle lifecycle;
	struct s3_lock lock;
	(void)state;
	good(s3_bucket_head(client, NULL, &fault), &fault);
	good(s3_bucket_location(client, &region, &fault), &fault);
	assert_true(region[0]);
	good(s3_bucket_lifecycle(client, &lifecycle, &fault), &fault);
	assert_int_equal(lifecycle.rules, 0);
	good(s3_bucket_lock(client, &lock, &fault), &fault);
	assert_false(lock.enabled);
	const struct s3_settings missing = settings_of("not-there");
	good(s3_open(&none, &missing, keys, &fault), &fault);
	assert_int_equal(s3_bucket_head(none, NULL, &fault), -ENOENT);
	assert_int_equal(s3_list(none, "", NULL, stop_at_once, NULL, &fault), -ENOENT);
	assert_non_null(strstr(fault.next, "not-there"));
	assert_int_equal(s3_delete(none, "x", NULL, &fault), -ENOENT);
}

/* ---- refusals
 * ------------------------------------------------------------------------------------- */

static void refused_by(struct s3_credentials *credentials, const char *code, const char *next)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_S3 struct s3 *s3 = NULL;
	const struct s3_settings settings = settings_of("objects");
	const struct http_body body = {.bytes = "x", .size = 1};
	good(s3_open(&s3, &settings, credentials, &fault), &fault);
	assert_int_equal(s3_put(s3, "refused", &body, NULL, NULL, NULL, &fault), -EACCES);
	if (!strstr(fault_what(&fault), code) || !strstr(fault.next, next))
		fail_msg("%s; %s", fault_what(&fault), fault.next);
	assert_int_equal(s3_retries(s3), 0);
}

static void test_wrong_keys(void **state)
{
	CLEANUP_CREDENTIALS struct s3_credentials *bad = NULL, *unknown = NULL;
	(void)state;
	bad = open_keys(getenv("S3_ACCESS_KEY"), "not the secret of it at all");
	refused_by(bad, "SignatureDoesNotMatch", "which come from the settings");
	unknown = open_keys("NOSUCHACCESSKEY", "not the secret of it at all");
	refused_by(unknown, server_is_swift ? "SignatureDoesNotMatch" : "InvalidAccessKeyId",
		"which come from the settings");
}

static void test_skewed_clock(void **state)
{
	(void)state;
	clock_moved_s = 3650;
	refused_by(keys, "the clock of this machine is 36", "timedatectl");
	clock_moved_s = -3550;
	refused_by(keys, "the clock of this machine is 35", "timedatectl");
	clock_moved_s = 0;
}

static void test_certificate(void **state)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_S3 struct s3 *right = NULL, *wrong = NULL;
	struct s3_settings settings = settings_of("objects");
	(void)state;
	settings.endpoint = getenv("S3_TLS_ENDPOINT");
	if (!settings.endpoint)
		skip();
	good(s3_open(&wrong, &settings, keys, &fault), &fault);
	assert_int_equal(s3_bucket_head(wrong, NULL, &fault), -EKEYREJECTED);
	assert_non_null(strstr(fault.next, "set ca_file"));
	settings.ca_file = getenv("S3_CA_FILE");
	good(s3_open(&right, &settings, keys, &fault), &fault);
	good(s3_bucket_head(right, NULL, &fault), &fault);
	put_text(right, "tls", "sealed");
	expect_text(right, "tls", NULL, "sealed");
}

static int start(void **state)
{
	int r = server_start(state);
	if (r)
		return r;
	keys = open_keys(getenv("S3_ACCESS_KEY"), getenv("S3_SECRET_KEY"));
	client = open_bucket("objects");
	return 0;
}

static int stop(void **state)
{
	s3_close(&client);
	s3_credentials_close(&keys);
	return server_stop(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_odd_keys),
		cmocka_unit_test(test_odd_keys_listed),
		cmocka_unit_test(test_delete_many),
		cmocka_unit_test(test_put_conditions),
		cmocka_unit_test(test_wrong_hash),
		cmocka_unit_test(test_get_parts),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_list_pages),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_upload),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_bucket),
		cmocka_unit_test(test_locked_bucket),
		cmocka_unit_test(test_wrong_keys),
		cmocka_unit_test(test_skewed_clock),
		cmocka_unit_test(test_certificate),
	};
	return !!cmocka_run_group_tests(tests, start, stop);
}
