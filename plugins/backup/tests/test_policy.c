/* SPDX-License-Identifier: MIT */
/* Retention as a table: what is there, which rules, what stays and why. */
#include "tests/unit.h"

#include <string.h>

#include "backup/policy.h"

#define DAY 86400
#define NOW (20000ll * DAY + 12 * 3600) /* 2024-10-04 noon, a Friday */
#define ITEMS_MAX 12

struct one {
	int64_t age_s;
	const char *marks;  /* v verified, p pinned, b bad signature, x failed the check */
	const char *reason; /* NULL: it goes */
	const char *name;   /* NULL: "a" */
};

static void expect_choices(struct policy policy, const struct one *ones, size_t count)
{
	struct vault_item list[ITEMS_MAX] = {0};
	struct policy_choice choices[ITEMS_MAX];
	struct vault_items items = {list, count};
	policy.now_s = NOW;
	for (size_t i = 0; i < count; i++) {
		list[i].name = (char *)(uintptr_t)(ones[i].name ? ones[i].name : "a");
		list[i].created_s = NOW - ones[i].age_s;
		list[i].pinned = strchr(ones[i].marks, 'p') != NULL;
		list[i].why = strchr(ones[i].marks, 'b') ? (char *)(uintptr_t) "bad" : NULL;
		if (strchr(ones[i].marks, 'v'))
			list[i].mark = (struct ledger_mark){.when_s = NOW, .result = "full"};
		if (strchr(ones[i].marks, 'x'))
			list[i].mark = (struct ledger_mark){.when_s = NOW, .result = "failed"};
	}
	policy_decide(&policy, &items, choices);
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(
			choices[i].reason, ones[i].reason ? ones[i].reason : "no rule keeps it");
		assert_int_equal(choices[i].keep, ones[i].reason != NULL);
	}
}
#define EXPECT(ones, ...) \
	expect_choices((struct policy){__VA_ARGS__}, ones, sizeof(ones) / sizeof((ones)[0]))

static void test_daily_keeps_the_newest_of_a_day(void **state)
{
	(void)state;
	const struct one ones[] = {
		{3600, "v", "daily 1 of 2", NULL},
		{7200, "v", NULL, NULL},
		{5 * DAY, "v", "daily 2 of 2", NULL}, /* days without one do not count */
		{6 * DAY, "v", NULL, NULL},
	};
	EXPECT(ones, .min_keep = 1, .keep_daily = 2);
}

static void test_weeks_and_months(void **state)
{
	(void)state;
	const struct one ones[] = {
		{0, "v", "weekly 1 of 2", NULL},
		{4 * DAY, "v", "monthly 2 of 3", NULL}, /* Monday of the same week; September */
		{5 * DAY, "v", "weekly 2 of 2", NULL},  /* the Sunday before */
		{12 * DAY, "v", NULL, NULL}, {40 * DAY, "v", "monthly 3 of 3", NULL}, /* August */
	};
	EXPECT(ones, .min_keep = 1, .keep_weekly = 2, .keep_monthly = 3);
}

static void test_within(void **state)
{
	(void)state;
	const struct one ones[] = {
		{3600, "v", "within 2 hours", NULL},
		{7000, "v", "within 2 hours", NULL},
		{7200, "v", NULL, NULL},
	};
	EXPECT(ones, .min_keep = 1, .keep_within_s = 7200);
}

static void test_pinned_future_and_untrusted_ones_stay(void **state)
{
	(void)state;
	const struct one ones[] = {
		{-DAY, "v", "dated in the future", NULL}, /* and takes nobody's place */
		{-200, "v", "daily 1 of 1", NULL},
		{DAY, "p", "pinned", NULL},
		{2 * DAY, "b", "its signature is not good: left alone", NULL},
		{3 * DAY, "v", NULL, NULL},
	};
	EXPECT(ones, .min_keep = 1, .keep_daily = 1);
}

static void test_only_verified_ones_count_for_min_keep(void **state)
{
	(void)state;
	const struct one ones[] = {
		{0, "", "daily 1 of 1", NULL},
		{DAY, "x", "no newer one has been verified", NULL},
		{2 * DAY, "v", "verified 1 of 2 (min_keep)", NULL},
		{3 * DAY, "", "only 1 verified so far (min_keep 2)", NULL},
		{4 * DAY, "v", "verified 2 of 2 (min_keep)", NULL},
		{5 * DAY, "v", NULL, NULL},
	};
	EXPECT(ones, .keep_daily = 1, .min_keep = 2);
}

static void test_nothing_goes_while_nothing_newer_is_verified(void **state)
{
	(void)state;
	const struct one ones[] = {
		{0, "", "daily 1 of 1", NULL},
		{DAY, "", "no newer one has been verified", NULL},
		{2 * DAY, "x", "no newer one has been verified", NULL},
	};
	EXPECT(ones, .min_keep = 1, .keep_daily = 1);
}

static void test_each_name_by_itself(void **state)
{
	(void)state;
	const struct one ones[] = {
		{0, "v", "daily 1 of 1", "a"},
		{1, "v", "daily 1 of 1", "b"},
		{DAY, "v", NULL, "a"},
		{DAY + 1, "v", NULL, "b"},
		{2 * DAY, "", "daily 1 of 1", "c"},
		{3 * DAY, "", "no newer one has been verified", "c"},
	};
	EXPECT(ones, .min_keep = 1, .keep_daily = 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_daily_keeps_the_newest_of_a_day),
		cmocka_unit_test(test_weeks_and_months),
		cmocka_unit_test(test_within),
		cmocka_unit_test(test_pinned_future_and_untrusted_ones_stay),
		cmocka_unit_test(test_only_verified_ones_count_for_min_keep),
		cmocka_unit_test(test_nothing_goes_while_nothing_newer_is_verified),
		cmocka_unit_test(test_each_name_by_itself),
	};
	return !!cmocka_run_group_tests(tests, NULL, NULL);
}
