/* SPDX-License-Identifier: MIT */
/* Sets, without a server: what was changed in any byte, or cut anywhere, is seen. */
#include "tests/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "postgres/programs.h"
#include "postgres/set.h"
#include "support/fault.h"

static int never; /* a pipe that says nothing */

static int32_t cancel_fd(struct upkeep_ctx *ctx)
{
	(void)ctx;
	return never;
}

static void progress(struct upkeep_ctx *ctx, uint64_t done, uint64_t total, const char *unit)
{
	(void)ctx, (void)done, (void)total, (void)unit;
}

static const struct upkeep_host host = {
	.struct_size = sizeof host, .cancel_fd = cancel_fd, .progress = progress};
static struct upkeep_ctx ctx = {.struct_size = sizeof ctx, .host = &host};

static const char about[] = "{\"format\": 1}", contents[] = "{\"relations\": []}";
static const char globals[] = "CREATE ROLE a;\n-- " SET_GLOBALS_END "\n";
static const char *const parts[] = {"PGDMP and so on", "the rest"};

/* A pipe cannot be looked at twice: a file in memory. */
static char *write_set(size_t *ret_size, bool finish)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_SET_WRITER struct set_writer *writer = NULL;
	int fd = memfd_create("set", MFD_CLOEXEC);
	assert_int_equal(set_writer_open(&writer, &ctx, fd, &fault), 0);
	assert_int_equal(set_put(writer, SET_ABOUT, about, strlen(about), &fault), 0);
	assert_int_equal(set_put(writer, SET_GLOBALS, globals, strlen(globals), &fault), 0);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(set_put_part(writer, parts[i], strlen(parts[i]), &fault), 0);
	assert_int_equal(set_put(writer, SET_CONTENTS, contents, strlen(contents), &fault), 0);
	if (finish)
		assert_int_equal(set_writer_finish(writer, &fault), 0);
	set_writer_close(&writer);
	off_t size = lseek(fd, 0, SEEK_END);
	char *bytes = fault_alloc((size_t)size + 1);
	assert_int_equal(pread(fd, bytes, (size_t)size, 0), size);
	close(fd);
	*ret_size = (size_t)size;
	return bytes;
}

struct collected {
	char text[256];
	size_t size;
};

static int collect(void *arg, const void *bytes, size_t size, struct fault *fault)
{
	struct collected *collected = arg;
	(void)fault;
	assert_true(size < sizeof collected->text - collected->size);
	memcpy(collected->text + collected->size, bytes, size);
	collected->size += size;
	return 0;
}

static int read_members(struct set_reader *reader, struct fault *fault)
{
	struct collected dump = {.size = 0};
	char *text = NULL;
	uint64_t bytes;
	int r = set_take(reader, SET_ABOUT, &text, NULL, fault);
	if (r == 0 && strcmp(text, about) != 0)
		r = 1; /* not to be believed before the end */
	free(text);
	int next = r < 0 ? r : set_take_globals(reader, fault);
	if (next == 0)
		next = set_take_dump(reader, collect, &dump, &bytes, fault);
	text = NULL;
	if (next == 0)
		next = set_take(reader, SET_CONTENTS, &text, NULL, fault);
	bool same = next == 0 && r == 0 && strcmp(text, contents) == 0 &&
		strcmp(dump.text, "PGDMP and so onthe rest") == 0;
	free(text);
	if (next == 0)
		next = set_reader_finish(reader, fault);
	/* whoever got another text must have been told */
	assert_true(next < 0 || same);
	return next;
}

static int read_set(const char *bytes, size_t size)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_SET_READER struct set_reader *reader = NULL;
	int fd = memfd_create("set", MFD_CLOEXEC);
	assert_int_equal(write(fd, bytes, size), size);
	lseek(fd, 0, SEEK_SET);
	int r = set_reader_open(&reader, &ctx, fd, &fault);
	if (r == 0)
		r = read_members(reader, &fault);
	close(fd);
	assert_true(r == 0 || fault.what);
	return r;
}

static void test_whole(void **state)
{
	size_t size;
	char *bytes = write_set(&size, true);
	(void)state;
	assert_int_equal(read_set(bytes, size), 0);
	free(bytes);
	bytes = write_set(&size, false);
	assert_true(read_set(bytes, size) < 0);
	free(bytes);
}

/* read_members looks: no change passes as the truth. */
static void test_flipped(void **state)
{
	size_t size, seen = 0;
	char *bytes = write_set(&size, true);
	(void)state;
	for (size_t i = 0; i < size; i++) {
		bytes[i] ^= (char)(1 << i % 8);
		seen += read_set(bytes, size) < 0;
		bytes[i] ^= (char)(1 << i % 8);
	}
	/* the rest is padding */
	assert_true(seen > 6 * 300);
	free(bytes);
}

static void test_cut(void **state)
{
	size_t size;
	char *bytes = write_set(&size, true);
	char *sums = memmem(bytes, size, SET_SUMS, strlen(SET_SUMS));
	size_t end = (size_t)(sums - bytes) + 512 + strlen(sums + 512);
	(void)state;
	for (size_t i = 0; i < end; i++)
		assert_true(read_set(bytes, i) < 0);
	free(bytes);
}

/* A member twice, or moved, or one more. */
static void test_order(void **state)
{
	size_t size;
	char *bytes = write_set(&size, true), *other = fault_alloc(2 * size);
	(void)state;
	memcpy(other, bytes, 1024);
	memcpy(other + 1024, bytes, size);
	assert_true(read_set(other, size + 1024) < 0);
	memcpy(other, bytes, size);
	memcpy(other + 2048, bytes + 3072, 1024);
	memcpy(other + 3072, bytes + 2048, 1024);
	assert_true(read_set(other, size) < 0);
	char *end = memmem(bytes, size, SET_SUMS, strlen(SET_SUMS));
	size_t at = (size_t)(end - bytes) + 1024;
	memcpy(other, bytes, at);
	memcpy(other + at, bytes, size);
	assert_true(read_set(other, at + size) < 0);
	free(bytes);
	free(other);
}

static void test_versions(void **state)
{
	(void)state;
	assert_int_equal(
		programs_parse_version("pg_dump (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)\n"),
		150020);
	assert_int_equal(programs_parse_version("pg_dump (PostgreSQL) 17beta1"), 170000);
	assert_int_equal(programs_parse_version("pg_dump (PostgreSQL) 9.6.24"), 90006);
	assert_int_equal(programs_parse_version("no such thing"), 0);
	char *name = programs_dbname("it's \\ odd");
	assert_string_equal(name, "dbname='it\\'s \\\\ odd'");
	free(name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_whole),
		cmocka_unit_test(test_flipped), cmocka_unit_test(test_cut),
		cmocka_unit_test(test_order), cmocka_unit_test(test_versions)};
	int ends[2];
	if (pipe(ends) < 0)
		return 99;
	never = ends[0];
	return !!cmocka_run_group_tests(tests, NULL, NULL);
}
