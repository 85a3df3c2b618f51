/* SPDX-License-Identifier: MIT */
/* What programs write to standard error: all of little, and the two ends of much. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/cleanup.h"
#include "support/messages.h"
#include "support/write.h"
#include "tests/unit.h"

#define MUCH (64ull << 20)

/* `count` bytes: the digits, again and again. */
static void write_digits(int fd, uint64_t count)
{
	static char digits[100000];
	for (size_t i = 0; i < sizeof digits; i++)
		digits[i] = (char)('0' + i % 10);
	for (uint64_t done = 0; done < count;) {
		uint64_t n = count - done < sizeof digits ? count - done : sizeof digits;
		assert_int_equal(write_all(fd, digits, n), 0);
		done += n;
	}
}

/* What is kept of so many; the caller frees it. */
static char *kept(uint64_t count)
{
	struct messages *messages;
	int to;
	assert_int_equal(messages_begin(&messages, &to, NULL), 0);
	write_digits(to, count);
	close(to);
	char *text = messages_end(&messages);
	assert_null(messages);
	return text;
}

static void assert_digits(const char *text, uint64_t first, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (text[i] != (char)('0' + (first + i) % 10))
			fail_msg("byte %zu is %d", i, text[i]);
}

static void test_all(void **state)
{
	static const uint64_t counts[] = {0, 1, MESSAGES_PART - 1, MESSAGES_PART, MESSAGES_PART + 1,
		2 * MESSAGES_PART - 1, 2 * MESSAGES_PART};
	(void)state;
	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		CLEANUP_FREE char *text = kept(counts[i]);
		assert_int_equal(strlen(text), counts[i]);
		assert_digits(text, 0, counts[i]);
	}
	assert_null(messages_end(&(struct messages *){NULL}));
}

static void test_two_ends(void **state)
{
	static const uint64_t counts[] = {2 * MESSAGES_PART + 1, 3 * MESSAGES_PART, MUCH, MUCH + 7};
	(void)state;
	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		CLEANUP_FREE char *text = kept(counts[i]);
		CLEANUP_FREE char *line = fault_format("\n(%llu bytes are left out here)\n",
			(unsigned long long)counts[i] - 2 * MESSAGES_PART);
		size_t length = strlen(line);
		assert_int_equal(strlen(text), 2 * MESSAGES_PART + length);
		assert_digits(text, 0, MESSAGES_PART);
		assert_memory_equal(text + MESSAGES_PART, line, length);
		assert_digits(
			text + MESSAGES_PART + length, counts[i] - MESSAGES_PART, MESSAGES_PART);
	}
}

/* Somebody else has the descriptor still, as a child that the program left. */
static void test_no_end(void **state)
{
	struct messages *messages;
	(void)state;
	int to;
	assert_int_equal(messages_begin(&messages, &to, NULL), 0);
	assert_int_equal(write_all(to, "a\0b\n", 4), 0);
	CLEANUP_FREE char *text = messages_end(&messages);
	assert_string_equal(text, "a b\n");
	close(to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_two_ends),
		cmocka_unit_test(test_no_end),
	};
	return !!cmocka_run_group_tests(tests, NULL, NULL);
}
