/* SPDX-License-Identifier: MIT */
/* Manifests line by line, and lists of what a backup needs: what they may say of other backups. */
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

#include "backup/needs.h"
#include "support/fault.h"

#define OWN "20261127T050000Z-etc-00000000"
#define OTHER "20261126T050000Z-etc-11111111"
#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEAD_WITH(format, more)                                                              \
	"{\"upkeep_backup\": " format ", \"id\": \"" OWN "\", \"name\": \"etc\", \"host\": " \
	"\"h\", \"created_s\": 1, \"paths\": [\"/etc\"]" more "}"
#define HEAD(format) HEAD_WITH(format, "")
#define PACK "{\"pack\": 0, \"sha256\": \"" HASH "\", \"size\": 10, \"plain\": 2048}"
#define BORROWED(number, of, name)                                                                 \
	"{\"borrowed\": " number ", \"of\": \"" of "\", \"number\": " name ", \"sha256\": \"" HASH \
	"\", \"size\": 10, \"plain\": 2048}"
#define FILE_AT(pack, more)                                                                 \
	"{\"path\": \"/etc/a\", \"type\": \"f\", \"mode\": 33188, \"uid\": 0, \"gid\": 0, " \
	"\"mtime\": [1, 2], \"size\": 3, \"sha256\": \"" HASH "\", \"at\": [[" pack         \
	", 0, 1024, 0, 3]]" more "}"
#define END(packs) "{\"end\": true, \"entries\": 1, \"packs\": " packs "}"

static int read_lines(struct manifest *manifest, const char *const *lines)
{
	int r = 0;
	for (; r == 0 && *lines; lines++)
		r = manifest_add_line(manifest, *lines, strlen(*lines), NULL);
	return r < 0 ? r : manifest_check(manifest, NULL);
}
#define EXPECT(good, ...)                                                       \
	do {                                                                    \
		CLEANUP_MANIFEST struct manifest m = {0};                       \
		const char *const lines[] = {__VA_ARGS__, NULL};                \
		assert_int_equal(read_lines(&m, lines), (good) ? 0 : -EBADMSG); \
	} while (0)

static void test_both_formats_are_read(void **state)
{
	(void)state;
	EXPECT(true, HEAD("1"), FILE_AT("0", ""), PACK, END("1"));
	EXPECT(true, HEAD("2"), BORROWED("0", OTHER, "7"),
		FILE_AT("-1", ", \"seen\": [-5, 6, 7, 8]"), END("0"));
	EXPECT(true, HEAD_WITH("2", ", \"exclude\": [\"*.tmp\"]"), FILE_AT("0", ""), PACK,
		END("1"));
	EXPECT(true, HEAD_WITH("2", ", \"of later\": 7"), FILE_AT("0", ""), PACK, END("1"));
	EXPECT(false, HEAD_WITH("2", ", \"exclude\": [7]"), FILE_AT("0", ""), PACK, END("1"));
	EXPECT(false, HEAD_WITH("2", ", \"exclude\": \"*.tmp\""), FILE_AT("0", ""), PACK, END("1"));
	EXPECT(false, HEAD("3"), FILE_AT("0", ""), PACK, END("1"));
	EXPECT(false, HEAD("0"), FILE_AT("0", ""), PACK, END("1"));
}

static void test_packs_are_borrowed_from_other_backups_of_the_name(void **state)
{
	(void)state;
	static const char *const ids[] = {OWN, "20261126T050000Z-var-11111111",
		"20261126T050000Z-et-c1111111", "../../etc", "20261126T050000Z-etc-1111/111", ".",
		"20261126T050000Z-etc-11111111/..", "etc", ""};
	for (size_t i = 0; i < UPKEEP_COUNT(ids); i++) {
		char *line =
			fault_format("{\"borrowed\": 0, \"of\": \"%s\", \"number\": 7, "
				     "\"sha256\": \"" HASH "\", \"size\": 10, \"plain\": 2048}",
				ids[i]);
		EXPECT(false, HEAD("2"), line, FILE_AT("-1", ""), END("0"));
		free(line);
	}
}

static void test_references_lead_somewhere(void **state)
{
	(void)state;
	EXPECT(false, HEAD("2"), FILE_AT("-1", ""), END("0"));
	EXPECT(false, HEAD("2"), BORROWED("0", OTHER, "7"), FILE_AT("-2", ""), END("0"));
	EXPECT(false, HEAD("2"), BORROWED("1", OTHER, "7"), FILE_AT("-2", ""), END("0"));
	EXPECT(false, HEAD("2"), BORROWED("0", OTHER, "10000000"), FILE_AT("-1", ""), END("0"));
	EXPECT(false, HEAD("2"), BORROWED("0", OTHER, "-1"), FILE_AT("-1", ""), END("0"));
	EXPECT(false, HEAD("2"), BORROWED("0", OTHER, "7"), FILE_AT("-10000001", ""), END("0"));
	EXPECT(false, HEAD("2"), BORROWED("0", OTHER, "7"), FILE_AT("-9223372036854775808", ""),
		END("0"));
	EXPECT(false, HEAD("2"), FILE_AT("0", ""), BORROWED("0", OTHER, "7"), END("0"));
	EXPECT(false, BORROWED("0", OTHER, "7"), HEAD("2"), FILE_AT("-1", ""), END("0"));
	EXPECT(false, HEAD("2"), FILE_AT("0", ", \"seen\": [1, 2, 3]"), PACK, END("1"));
	EXPECT(false, HEAD("2"), FILE_AT("0", ", \"seen\": [1, 1000000000, 3, 4]"), PACK, END("1"));
	EXPECT(false, HEAD("2"), FILE_AT("0", ", \"seen\": [1, 2, -3, 4]"), PACK, END("1"));
}

static void expect_needs(const char *text, bool good)
{
	CLEANUP_NEEDS struct needs needs = {0};
	assert_int_equal(needs_add(&needs, text, OWN, "etc", NULL), good ? 0 : -EBADMSG);
}

static void test_needs_are_written_and_read(void **state)
{
	(void)state;
	char other[] = OTHER, third[] = "20261125T050000Z-etc-22222222";
	struct manifest_pack packs[] = {{.of = other, .number = 3}, {.of = other, .number = 4},
		{.of = other, .number = 6}, {.of = third, .number = 7}};
	CLEANUP_NEEDS struct needs needs = {0};
	char *text = needs_text(packs, UPKEEP_COUNT(packs));
	assert_string_equal(text, OTHER " 3 4\n" OTHER " 6 6\n20261125T050000Z-etc-22222222 7 7\n");
	assert_int_equal(needs_add(&needs, text, OWN, "etc", NULL), 0);
	for (size_t i = 0; i < UPKEEP_COUNT(packs); i++)
		assert_true(needs_pack(&needs, packs[i].of, packs[i].number));
	assert_false(needs_pack(&needs, OTHER, 5));
	assert_false(needs_pack(&needs, OTHER, 7));
	assert_false(needs_pack(&needs, OWN, 3));
	free(text);
	expect_needs("", true);
	expect_needs(OTHER " 3 4", false);
	expect_needs(OTHER " 4 3\n", false);
	expect_needs(OTHER " 3 10000000\n", false);
	expect_needs(OTHER " -3 4\n", false);
	expect_needs(OTHER " 3\n", false);
	expect_needs(OWN " 3 4\n", false);
	expect_needs("../other 3 4\n", false);
	expect_needs("20261126T050000Z-var-11111111 3 4\n", false);
	expect_needs("\n", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_formats_are_read),
		cmocka_unit_test(test_packs_are_borrowed_from_other_backups_of_the_name),
		cmocka_unit_test(test_references_lead_somewhere),
		cmocka_unit_test(test_needs_are_written_and_read),
	};
	return !!cmocka_run_group_tests(tests, NULL, NULL);
}
