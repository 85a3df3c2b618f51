/* SPDX-License-Identifier: MIT */
/* Streams: archive, encrypt, decrypt, read, with real keys and a real gpg. */
#include "tests/unit.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "look.h"
#include "site.h"
#include "support/fault.h"
#include "unpack.h"

#define PLAIN_BYTES 3000
/* What surrounds the signed bytes: packet headers with a date and a name that no signature of
 * OpenPGP covers, and the signature itself, of which a part is not signed. */
#define FRONT_BYTES 40
#define BACK_BYTES 260

static struct upkeep_test *flow_open(void)
{
	struct upkeep_test *t = site_open();
	upkeep_test_stream_out(t);
	return t;
}

/* The caller frees what was written. */
static char *take_written(struct upkeep_test *t, size_t *size)
{
	const void *bytes = upkeep_test_written(t, size);
	char *copy = fault_alloc(*size + 1);
	memcpy(copy, bytes, *size);
	return copy;
}

static char *seal(const void *plain, size_t size, size_t *ret_size)
{
	struct upkeep_test *t = flow_open();
	upkeep_test_stream_in(t, plain, size);
	site_expect(t, upkeep_test_run(t, "encrypt"), UPKEEP_UNCHANGED);
	char *sealed = take_written(t, ret_size);
	upkeep_test_free(t);
	return sealed;
}

/* Decrypts; the number of bytes that came out. */
static size_t open_sealed(const void *sealed, size_t size, int32_t *ret_code, char **ret_plain)
{
	struct upkeep_test *t = flow_open();
	size_t got;
	upkeep_test_stream_in(t, sealed, size);
	*ret_code = upkeep_test_run(t, "decrypt");
	char *plain = take_written(t, &got);
	if (ret_plain)
		*ret_plain = plain;
	else
		free(plain);
	upkeep_test_free(t);
	return got;
}

static void make_plain(char plain[PLAIN_BYTES])
{
	for (size_t i = 0; i < PLAIN_BYTES; i++)
		plain[i] = (char)(i * 7 + i / 256);
}

static void test_torture_tree_passes_through_an_archive(void **state)
{
	(void)state;
	struct upkeep_test *t = flow_open();
	char *tree = site_below("torture"), *target = site_below("unpacked");
	char *there = fault_format("%s%s", target, tree);
	size_t size;
	look_torture(tree);
	upkeep_test_add(t, "paths", tree);
	site_expect(t, upkeep_test_run(t, "archive"), UPKEEP_UNCHANGED);
	assert_int_equal(upkeep_test_warnings(t), 0);
	const void *bytes = upkeep_test_written(t, &size);
	unpack_archive(bytes, size, target);
	char *before = look_at(tree), *after = look_at(there);
	site_expect_same(before, after);
	char *texts[] = {tree, target, there, before, after};
	look_remove(tree);
	look_remove(target);
	for (size_t i = 0; i < UPKEEP_COUNT(texts); i++)
		free(texts[i]);
	upkeep_test_free(t);
}

static void test_sizes_pass_through_a_seal(void **state)
{
	(void)state;
	static const size_t sizes[] = {0, 1, 100, 65536, 5000000};
	char *plain = fault_alloc(5000000);
	for (size_t i = 0; i < 5000000; i++)
		plain[i] = (char)(i ^ i >> 8 ^ i >> 16);
	for (size_t i = 0; i < UPKEEP_COUNT(sizes); i++) {
		size_t size;
		int32_t code;
		char *opened, *sealed = seal(plain, sizes[i], &size);
		assert_int_equal(open_sealed(sealed, size, &code, &opened), sizes[i]);
		assert_int_equal(code, UPKEEP_UNCHANGED);
		assert_memory_equal(opened, plain, sizes[i]);
		free(opened);
		free(sealed);
	}
	free(plain);
}

/* Not one byte comes out; of what no signature covers, all may as well. */
static void expect_refused(const char *sealed, size_t size, size_t at, const char *plain)
{
	int32_t code;
	char *opened;
	bool framing = at < FRONT_BYTES || at + BACK_BYTES > size;
	size_t got = open_sealed(sealed, size, &code, &opened);
	if (code == UPKEEP_UNCHANGED && framing)
		assert_true(got == PLAIN_BYTES && memcmp(opened, plain, got) == 0);
	else if (code != UPKEEP_FAILED || got != 0)
		fail_msg("byte %zu of %zu: %d, %zu bytes came out", at, size, code, got);
	free(opened);
}

static void test_every_change_is_refused(void **state)
{
	(void)state;
	char plain[PLAIN_BYTES];
	size_t size, step = getenv("UPKEEP_LONG") ? 1 : 131;
	make_plain(plain);
	char *sealed = seal(plain, sizeof plain, &size);
	for (size_t at = 0; at < size; at += at < FRONT_BYTES && step > 1 ? 9 : step) {
		sealed[at] ^= 0x20;
		expect_refused(sealed, size, at, plain);
		sealed[at] ^= 0x20;
	}
	free(sealed);
}

static void test_every_cut_is_refused(void **state)
{
	(void)state;
	char plain[PLAIN_BYTES];
	size_t size, step = getenv("UPKEEP_LONG") ? 1 : 277;
	int32_t code;
	make_plain(plain);
	char *sealed = seal(plain, sizeof plain, &size);
	for (size_t left = size - 1; left < size; left -= step) {
		assert_int_equal(open_sealed(sealed, left, &code, NULL), 0);
		assert_int_equal(code, UPKEEP_FAILED);
	}
	free(sealed);
}

static void test_who_sealed_it_is_told(void **state)
{
	(void)state;
	struct upkeep_test *t = flow_open();
	size_t size;
	char *sealed = seal("text", 4, &size);
	upkeep_test_stream_in(t, sealed, size);
	site_expect(t, upkeep_test_run(t, "decrypt"), UPKEEP_UNCHANGED);
	assert_string_equal(upkeep_test_output(t, "signer"), site_key);
	upkeep_test_free(t);
	free(sealed);
}

/* The manifest of a backup and its signature, put together as a signed message. */
static void test_another_site_is_refused(void **state)
{
	(void)state;
	struct upkeep_test *t = site_open();
	char *other = site_below("other");
	size_t size;
	upkeep_test_setting(t, "keyring", other);
	upkeep_test_set(t, "create_key", "true");
	site_expect(t, upkeep_test_run(t, "init"), UPKEEP_CHANGED);
	upkeep_test_clear(t);
	upkeep_test_stream_out(t);
	char *sealed = seal("text", 4, &size);
	upkeep_test_stream_in(t, sealed, size);
	assert_int_equal(upkeep_test_run(t, "decrypt"), UPKEEP_FAILED);
	assert_non_null(strstr(upkeep_test_what(t), "a key that is not trusted"));
	upkeep_test_written(t, &size);
	assert_int_equal(size, 0);
	upkeep_test_free(t);
	free(sealed);
	free(other);
}

static void test_recipients_without_a_key_are_refused(void **state)
{
	(void)state;
	struct upkeep_test *t = flow_open();
	size_t size;
	upkeep_test_setting_add(t, "recipients", "0123456789abcdef0123456789abcdef01234567");
	upkeep_test_stream_in(t, "text", 4);
	assert_int_equal(upkeep_test_run(t, "encrypt"), UPKEEP_FAILED);
	assert_non_null(strstr(upkeep_test_what(t), "gpg could not encrypt"));
	assert_non_null(strstr(upkeep_test_next(t), "a recipient's key is missing"));
	/* nothing that looks whole */
	char *written = take_written(t, &size);
	int32_t code;
	assert_int_equal(open_sealed(written, size, &code, NULL), 0);
	assert_int_equal(code, UPKEEP_FAILED);
	free(written);
	upkeep_test_free(t);
}

static void expect_cancelled(const char *action, const void *in, size_t size)
{
	for (size_t calls = 0; calls < 12; calls += 3) {
		struct upkeep_test *t = flow_open();
		upkeep_test_stream_in(t, in, size);
		if (strcmp(action, "archive") == 0)
			upkeep_test_add(t, "paths", "/usr/include");
		if (calls)
			upkeep_test_cancel_after(t, calls);
		else
			upkeep_test_cancel(t);
		int32_t code = upkeep_test_run(t, action);
		if (code != UPKEEP_CANCELLED && (!calls || code != UPKEEP_UNCHANGED))
			fail_msg("%s, cancelled at call %zu: %d %s", action, calls, code,
				upkeep_test_what(t));
		upkeep_test_free(t);
	}
}

static void test_cancel_ends_them(void **state)
{
	(void)state;
	size_t size;
	char *large = fault_alloc(8 << 20), *sealed = seal(large, 8 << 20, &size);
	expect_cancelled("archive", "", 0);
	expect_cancelled("encrypt", large, 8 << 20);
	expect_cancelled("decrypt", sealed, size);
	free(sealed);
	free(large);
}

static void expect_fails(struct upkeep_test *t, const char *action, const char *what)
{
	assert_int_equal(upkeep_test_run(t, action), UPKEEP_FAILED);
	if (!strstr(upkeep_test_what(t), what))
		fail_msg("%s: %s", action, upkeep_test_what(t));
	upkeep_test_free(t);
}

static void test_streams_that_fail(void **state)
{
	(void)state;
	static const char *const actions[] = {"encrypt", "decrypt"};
	struct upkeep_test *t;
	for (size_t i = 0; i < UPKEEP_COUNT(actions); i++) {
		t = site_open();
		upkeep_test_stream_in(t, "text", 4);
		expect_fails(t, actions[i], "nobody reads what it writes");
	}
	t = site_open();
	upkeep_test_add(t, "paths", "/etc");
	expect_fails(t, "archive", "nobody reads what it writes");
	t = site_open();
	upkeep_test_add(t, "paths", "/etc");
	upkeep_test_close_streams(t);
	expect_fails(t, "archive", "cannot write");
	t = flow_open();
	upkeep_test_stream_in(t, "text", 4);
	upkeep_test_set(t, "spool", "/not/there");
	expect_fails(t, "decrypt", "cannot make a file in \"/not/there\"");
}

static void test_read_brings_one_file(void **state)
{
	(void)state;
	char *tree = site_below("torture"), *large = site_below("torture/large");
	look_torture(tree);
	struct upkeep_test *t = site_open();
	char *id = site_create(t, "torture", tree), *bytes = fault_alloc(40 << 20);
	size_t size;
	upkeep_test_clear(t);
	upkeep_test_stream_out(t);
	upkeep_test_set(t, "backup", id);
	upkeep_test_set(t, "path", large);
	site_expect(t, upkeep_test_run(t, "read"), UPKEEP_UNCHANGED);
	const void *written = upkeep_test_written(t, &size);
	FILE *f = fopen(large, "r");
	assert_int_equal(fread(bytes, 1, 40 << 20, f), 40 << 20);
	fclose(f);
	assert_int_equal(size, 40 << 20);
	assert_memory_equal(written, bytes, size);
	look_remove(tree);
	upkeep_test_free(t);
	char *texts[] = {tree, large, id, bytes};
	for (size_t i = 0; i < UPKEEP_COUNT(texts); i++)
		free(texts[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_torture_tree_passes_through_an_archive),
		cmocka_unit_test(test_sizes_pass_through_a_seal),
		cmocka_unit_test(test_every_change_is_refused),
		cmocka_unit_test(test_every_cut_is_refused),
		cmocka_unit_test(test_who_sealed_it_is_told),
		cmocka_unit_test(test_another_site_is_refused),
		cmocka_unit_test(test_recipients_without_a_key_are_refused),
		cmocka_unit_test(test_cancel_ends_them),
		cmocka_unit_test(test_streams_that_fail),
		cmocka_unit_test(test_read_brings_one_file),
	};
	return cmocka_run_group_tests(tests, site_setup, site_teardown);
}
