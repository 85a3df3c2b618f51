/* SPDX-License-Identifier: MIT */
/*
 * What every store promises: test_store path DIR | url s3://BUCKET/PREFIX (S3_ENDPOINT,
 * S3_ACCESS_KEY and S3_SECRET_KEY in the environment).  The place is empty at first.
 * With "refused" behind it the server refuses parts of uploads.
 */
#include "tests/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/cleanup.h"
#include "support/store-s3.h"

#define LARGE ((uint64_t)70 << 20)

static const char *place;
static bool in_bucket;
/* What is added to the server's time, as the store sees it. */
static int64_t later_s;

int64_t __real_s3_clock_ahead_s(const struct s3 *s3);
int64_t __wrap_s3_clock_ahead_s(const struct s3 *s3);
int64_t __wrap_s3_clock_ahead_s(const struct s3 *s3)
{
	return __real_s3_clock_ahead_s(s3) - later_s;
}

static struct store *store_open(void)
{
	CLEANUP_FAULT struct fault fault = {0};
	struct store *store = NULL;
	const struct store_s3_settings s3 = {.url = place,
		.endpoint = getenv("S3_ENDPOINT"),
		.access_key = getenv("S3_ACCESS_KEY"),
		.secret_key = getenv("S3_SECRET_KEY"),
		.attempts = 2,
		.cancel_fd = -1};
	int r = in_bucket ? store_open_s3(&store, "tested", &s3, &fault)
			  : store_open_local(&store, "tested", place, true, &fault);
	if (r < 0)
		fail_msg("%s", fault_what(&fault));
	return store;
}

static int memory(const void *bytes, size_t size)
{
	int fd = memfd_create("object", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	return fd;
}

static int put(struct store *store, const char *group, const char *name, const char *text)
{
	char hash[STORE_HASH_TEXT];
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_FD int fd = memory(text, strlen(text));
	int r = store->ops->put(store, group, name, fd, strlen(text), hash, &fault);
	if (r < 0)
		assert_non_null(fault.what);
	if (r == 0)
		assert_int_equal(store->ops->sync(store, group, NULL), 0);
	return r;
}

/* Its text, in a buffer that the next call uses again; NULL: -ENOENT. */
static const char *get(struct store *store, const char *group, const char *name)
{
	static char text[256];
	char hash[STORE_HASH_TEXT];
	uint64_t size = 0;
	CLEANUP_FD int fd = memory("", 0);
	int r = store->ops->get(store, group, name, fd, sizeof text - 1, &size, hash, NULL);
	if (r == -ENOENT)
		return NULL;
	assert_int_equal(r, 0);
	assert_int_equal(pread(fd, text, sizeof text, 0), size);
	text[size] = 0;
	return text;
}

static void expect_names(struct store *store, const char *group, bool groups, const char *wanted)
{
	CLEANUP_NAMES struct store_names names = {0};
	CLEANUP_FREE char *text = fault_format("%s", "");
	assert_int_equal(store->ops->list(store, group, groups, &names, NULL), 0);
	for (size_t i = 0; i < names.count; i++) {
		char *longer = groups ? fault_format("%s%s ", text, names.items[i])
				      : fault_format("%s%s=%llu ", text, names.items[i],
						(unsigned long long)names.sizes[i]);
		free(text);
		text = longer;
	}
	assert_string_equal(text, wanted);
}

static void test_objects_come_back(void **state)
{
	(void)state;
	CLEANUP_STORE struct store *store = store_open();
	assert_int_equal(put(store, "one", "a", "first"), 0);
	assert_int_equal(put(store, "one", "empty", ""), 0);
	assert_string_equal(get(store, "one", "a"), "first");
	assert_string_equal(get(store, "one", "empty"), "");
	assert_null(get(store, "one", "b"));
	assert_null(get(store, "two", "a"));
	assert_int_equal(store->ops->has(store, "one", "a", NULL), 1);
	assert_int_equal(store->ops->has(store, "one", "b", NULL), 0);
	assert_int_equal(store->ops->has(store, "two", "a", NULL), 0);
}

static void test_objects_never_change(void **state)
{
	(void)state;
	CLEANUP_STORE struct store *store = store_open();
	assert_int_equal(put(store, "same", "a", "first"), 0);
	assert_int_equal(put(store, "same", "a", "other"), -EEXIST);
	assert_int_equal(put(store, "same", "a", "first"), -EEXIST);
	assert_string_equal(get(store, "same", "a"), "first");
}

static void test_hashes_and_limits(void **state)
{
	(void)state;
	CLEANUP_STORE struct store *store = store_open();
	char hash[STORE_HASH_TEXT], got[STORE_HASH_TEXT];
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_FD int fd = memory("abc", 3);
	CLEANUP_FD int to = memory("", 0);
	assert_int_equal(store->ops->put(store, "hash", "abc", fd, 3, hash, NULL), 0);
	assert_string_equal(
		hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(store->ops->get(store, "hash", "abc", to, 3, NULL, got, NULL), 0);
	assert_string_equal(got, hash);
	assert_int_equal(store->ops->get(store, "hash", "abc", to, 2, NULL, got, &fault), -EFBIG);
	assert_non_null(fault.what);
}

static void test_what_fails_leaves_nothing(void **state)
{
	(void)state;
	CLEANUP_STORE struct store *store = store_open();
	char hash[STORE_HASH_TEXT];
	CLEANUP_FD int fd = memory("abc", 3);
	CLEANUP_FD int unreadable = open("/dev/null", O_WRONLY | O_CLOEXEC);
	assert_true(store->ops->put(store, "fail", "a", fd, 4, hash, NULL) < 0);
	assert_true(store->ops->put(store, "fail", "a", fd, 2, hash, NULL) < 0);
	assert_true(store->ops->put(store, "fail", "a", unreadable, 3, hash, NULL) < 0);
	assert_int_equal(store->ops->has(store, "fail", "a", NULL), 0);
	expect_names(store, "fail", false, "");
	assert_int_equal(put(store, "fail", "a", "abc"), 0);
}

static void test_listings(void **state)
{
	(void)state;
	CLEANUP_STORE struct store *store = store_open();
	static const char *const groups[] = {"l", "l-2", "l.1", "l~", "l0"};
	for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
		assert_int_equal(put(store, groups[i], "x", groups[i]), 0);
	assert_int_equal(put(store, "l", "manifest", "12345"), 0);
	assert_int_equal(put(store, "l", "manifest.sig", "123"), 0);
	expect_names(store, "l", false, "manifest=5 manifest.sig=3 x=1 ");
	expect_names(store, "nothing", false, "");
	CLEANUP_NAMES struct store_names names = {0};
	assert_int_equal(store->ops->list(store, "", true, &names, NULL), 0);
	size_t found = 0;
	for (size_t i = 0; i < names.count; i++) {
		assert_true(i == 0 || strcmp(names.items[i - 1], names.items[i]) < 0);
		assert_true(names.items[i][0] != '.');
		for (size_t k = 0; k < sizeof groups / sizeof groups[0]; k++)
			found += strcmp(groups[k], names.items[i]) == 0;
	}
	assert_int_equal(found, sizeof groups / sizeof groups[0]);
}

static void test_removing(void **state)
{
	(void)state;
	CLEANUP_STORE struct store *store = store_open();
	assert_int_equal(put(store, "gone", "a", "1"), 0);
	assert_int_equal(put(store, "gone", "b", "2"), 0);
	assert_int_equal(put(store, "gone-not", "a", "3"), 0);
	assert_int_equal(store->ops->remove_object(store, "gone", "a", NULL), 0);
	assert_int_equal(store->ops->remove_object(store, "gone", "a", NULL), 0);
	assert_int_equal(store->ops->remove_object(store, "never", "a", NULL), 0);
	expect_names(store, "gone", false, "b=1 ");
	assert_int_equal(put(store, "gone", "a", "again"), 0);
	assert_int_equal(store->ops->remove(store, "gone", NULL), 0);
	assert_int_equal(store->ops->remove(store, "gone", NULL), 0);
	expect_names(store, "gone", false, "");
	assert_string_equal(get(store, "gone-not", "a"), "3");
	CLEANUP_NAMES struct store_names names = {0};
	assert_int_equal(store->ops->list(store, "", true, &names, NULL), 0);
	for (size_t i = 0; i < names.count; i++)
		assert_string_not_equal(names.items[i], "gone");
}

static void test_large(void **state)
{
	(void)state;
	CLEANUP_STORE struct store *store = store_open();
	char hash[STORE_HASH_TEXT], got[STORE_HASH_TEXT];
	uint64_t size = 0;
	CLEANUP_FD int fd = memory("begin", 5);
	CLEANUP_FD int to = memory("", 0);
	assert_int_equal(ftruncate(fd, LARGE), 0);
	assert_int_equal(pwrite(fd, "end", 3, LARGE - 3), 3);
	assert_int_equal(store->ops->put(store, "large", "a", fd, LARGE, hash, NULL), 0);
	assert_int_equal(store->ops->get(store, "large", "a", to, LARGE, &size, got, NULL), 0);
	assert_int_equal(size, LARGE);
	assert_string_equal(got, hash);
	assert_int_equal(store->ops->put(store, "large", "a", fd, LARGE, hash, NULL), -EEXIST);
	assert_int_equal(store->ops->remove(store, "large", NULL), 0);
}

static void test_refused_upload(void **state)
{
	(void)state;
	CLEANUP_STORE struct store *store = store_open();
	CLEANUP_FAULT struct fault fault = {0};
	char hash[STORE_HASH_TEXT];
	CLEANUP_FD int fd = memory("", 0);
	assert_int_equal(ftruncate(fd, LARGE), 0);
	assert_true(store->ops->put(store, "large", "a", fd, LARGE, hash, &fault) < 0);
	assert_non_null(fault.what);
	assert_int_equal(store->ops->has(store, "large", "a", NULL), 0);
	expect_names(store, "large", false, "");
}

static void test_holders(void **state)
{
	(void)state;
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_STORE struct store *first = store_open();
	CLEANUP_STORE struct store *second = store_open();
	CLEANUP_STORE struct store *third = store_open();
	assert_int_equal(first->ops->hold(first, false, "the first", NULL), 0);
	assert_int_equal(second->ops->hold(second, false, "the second", NULL), 0);
	assert_int_equal(third->ops->hold(third, true, "the third", &fault), -EBUSY);
	assert_non_null(strstr(fault_what(&fault), "the first")
			?: strstr(fault_what(&fault), "the second"));
	assert_non_null(fault.next);
	store_close(&first);
	assert_int_equal(third->ops->hold(third, true, "the third", NULL), -EBUSY);
	store_close(&second);
	assert_int_equal(third->ops->hold(third, true, "the third", NULL), 0);
	first = store_open();
	assert_int_equal(first->ops->hold(first, false, "the first", &fault), -EBUSY);
	assert_non_null(strstr(fault_what(&fault), "the third"));
	assert_int_equal(first->ops->hold(first, true, "the first", NULL), -EBUSY);
	store_close(&third);
	assert_int_equal(first->ops->hold(first, true, "the first", NULL), 0);
}

/* Whoever was killed holds nothing. */
static void test_dead_holder(void **state)
{
	(void)state;
	int status = 0;
	pid_t pid = fork();
	if (pid == 0) {
		struct store *dying = store_open();
		_exit(dying->ops->hold(dying, true, "the dead one", NULL) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	CLEANUP_STORE struct store *store = store_open();
	assert_int_equal(store->ops->hold(store, true, "the living one", NULL), 0);
}

static void put_foreign_lock(struct store *store)
{
	/* names of the store's own begin with a dot: no user of a store can make them */
	assert_int_equal(
		put(store, ".locks", "shared~0123456789abcdef",
			"{\"who\": \"task \\\"x\\\" of run 7\", \"host\": \"far.example\", "
			"\"machine\": \"1\", \"boot\": \"2\", \"pid\": 1, \"started\": 1}"),
		0);
}

/* Behind the words stands a moment that is `after_s` from now, give or take a test. */
static void assert_until(const char *text, const char *words, int64_t after_s)
{
	struct tm tm = {0};
	const char *at = strstr(text, words);
	assert_non_null(at);
	assert_non_null(strptime(at + strlen(words), "%Y-%m-%dT%H:%M:%SZ", &tm));
	int64_t off_s = (int64_t)timegm(&tm) - time(NULL) - after_s;
	if (off_s < -600 || off_s > 600)
		fail_msg("%s: off by %lld s", text, (long long)off_s);
}

/* In a bucket the lock of another machine counts, until it has been silent for hours. */
static void test_holder_elsewhere(void **state)
{
	(void)state;
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_STORE struct store *store = NULL; /* skip does not come back to clean up */
	if (!in_bucket)
		skip();
	store = store_open();
	put_foreign_lock(store);
	assert_int_equal(store->ops->hold(store, true, "we", &fault), -EBUSY);
	assert_non_null(strstr(fault_what(&fault), "task \"x\" of run 7 on far.example"));
	assert_non_null(strstr(fault.next, "remove the object s3://"));
	assert_non_null(strstr(fault.next, ".locks/shared~0123456789abcdef on "));
	assert_until(fault_what(&fault), "last sign of life ", 0);
	assert_until(fault_what(&fault), "counts until ", 6 * 3600);
	assert_until(fault.next, "counts until ", 6 * 3600);
	later_s = 5 * 3600;
	assert_int_equal(store->ops->hold(store, true, "we", NULL), -EBUSY);
	later_s = 7 * 3600;
	assert_int_equal(store->ops->hold(store, true, "we", NULL), 0);
	later_s = 0;
	assert_int_equal(store->ops->has(store, ".locks", "shared~0123456789abcdef", NULL), 0);
}

/* One who may not remove its lock has written that it holds it no longer. */
static void test_holder_has_ended(void **state)
{
	(void)state;
	CLEANUP_STORE struct store *store = NULL; /* skip does not come back to clean up */
	if (!in_bucket)
		skip();
	store = store_open();
	assert_int_equal(put(store, ".locks", "shared~fedcba9876543210", "{\"ended\": true}"), 0);
	assert_int_equal(store->ops->hold(store, true, "we", NULL), 0);
	assert_int_equal(store->ops->has(store, ".locks", "shared~fedcba9876543210", NULL), 0);
}

/* A task whose lock was taken away sees it before it publishes, however soon. */
static void test_lock_taken_away(void **state)
{
	(void)state;
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_STORE struct store *store = NULL; /* skip does not come back to clean up */
	CLEANUP_NAMES struct store_names names = {0};
	if (!in_bucket)
		skip();
	store = store_open();
	assert_int_equal(store->ops->hold(store, false, "we", NULL), 0);
	assert_int_equal(store->ops->sync(store, "one", NULL), 0);
	assert_int_equal(store->ops->list(store, ".locks", false, &names, NULL), 0);
	assert_int_equal(names.count, 1);
	assert_int_equal(store->ops->remove_object(store, ".locks", names.items[0], NULL), 0);
	assert_int_equal(store->ops->sync(store, "one", &fault), -ESTALE);
	assert_non_null(strstr(fault_what(&fault), "taken away"));
}

static int add_key(void *arg, const struct s3_upload *upload)
{
	char **keys = arg;
	char *longer = fault_format("%s%s ", *keys, upload->key);
	free(*keys);
	*keys = longer;
	return 0;
}

/* Who holds a store alone aborts uploads of backups, and no others of the bucket. */
static void test_uploads_of_others(void **state)
{
	(void)state;
	static const char *const names[] = {
		"20261123T000000Z-a-00000000/manifest", "logs/app.gz", "x/20261123T000000Z-a-1/m"};
	char *keys[3], *ids[3];
	struct s3_credentials *credentials = NULL;
	struct s3 *s3 = NULL;
	const struct s3_credentials_settings who = {.access_key = getenv("S3_ACCESS_KEY"),
		.secret_key = getenv("S3_SECRET_KEY"),
		.cancel_fd = -1};
	const struct s3_settings settings = {
		.endpoint = getenv("S3_ENDPOINT"), .bucket = "bucket", .cancel_fd = -1};
	if (!in_bucket)
		skip();
	const char *prefix = place + strlen("s3://bucket/");
	CLEANUP_FREE char *left = fault_format("%s", "");
	assert_int_equal(s3_credentials_open(&credentials, &who, NULL), 0);
	assert_int_equal(s3_open(&s3, &settings, credentials, NULL), 0);
	for (size_t i = 0; i < 3; i++) {
		keys[i] = fault_format("%s/%s", prefix, names[i]);
		assert_int_equal(s3_upload_begin(s3, keys[i], NULL, &ids[i], NULL), 0);
	}
	CLEANUP_STORE struct store *store = store_open();
	assert_int_equal(store->ops->hold(store, true, "we", NULL), 0);
	assert_int_equal(s3_uploads(s3, prefix, add_key, &left, NULL), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(strstr(left, keys[i]) != NULL, i > 0);
		s3_upload_abort(s3, keys[i], ids[i], NULL);
		free(keys[i]);
		free(ids[i]);
	}
	s3_close(&s3);
	s3_credentials_close(&credentials);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_objects_come_back),
		cmocka_unit_test(test_objects_never_change),
		cmocka_unit_test(test_hashes_and_limits),
		cmocka_unit_test(test_what_fails_leaves_nothing),
		cmocka_unit_test(test_listings),
		cmocka_unit_test(test_removing),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_holders),
		cmocka_unit_test(test_dead_holder),
		cmocka_unit_test(test_holder_elsewhere),
		cmocka_unit_test(test_holder_has_ended),
		cmocka_unit_test(test_lock_taken_away),
		cmocka_unit_test(test_uploads_of_others),
	};
	const struct CMUnitTest refused[] = {cmocka_unit_test(test_refused_upload)};
	if (argc < 3)
		return 64;
	in_bucket = strcmp(argv[1], "url") == 0;
	place = argv[2];
	if (argc > 3)
		return !!cmocka_run_group_tests(refused, NULL, NULL);
	return !!cmocka_run_group_tests(tests, NULL, NULL);
}
