/* SPDX-License-Identifier: MIT */
#include "backup/policy.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* a clock that is a little ahead elsewhere is no reason to worry */
#define FUTURE_S 300

__attribute__((format(printf, 2, 3))) static void keep(
	struct policy_choice *choice, const char *format, ...)
{
	va_list ap;
	if (choice->keep)
		return;
	va_start(ap, format);
	vsnprintf(choice->reason, sizeof choice->reason, format, ap);
	va_end(ap);
	choice->keep = true;
}

/* A number that is the same for all times of one day, ISO week or month. */
static long period_of(int64_t s, char kind)
{
	char text[16] = "0";
	time_t time = (time_t)s;
	struct tm tm;
	gmtime_r(&time, &tm);
	if (kind == 'd')
		strftime(text, sizeof text, "%Y%j", &tm);
	else if (kind == 'w')
		strftime(text, sizeof text, "%G%V", &tm);
	else
		strftime(text, sizeof text, "%Y%m", &tm);
	return strtol(text, NULL, 10);
}

static bool same_name(const struct vault_item *a, const struct vault_item *b)
{
	return a->name && b->name && strcmp(a->name, b->name) == 0;
}

static bool is_future(const struct policy *policy, const struct vault_item *item)
{
	return item->created_s > policy->now_s + FUTURE_S;
}

/* Takes part in the rules of its name. */
static bool counts(const struct policy *policy, const struct vault_item *item)
{
	return !item->why && !is_future(policy, item);
}

/* The newest of each of the last `most` periods that have one. */
static void keep_periods(const struct policy *policy, const struct vault_items *items, size_t first,
	char kind, int64_t most, struct policy_choice *choices)
{
	static const char *const words[] = {"daily", "weekly", "monthly"};
	const char *word = words[kind == 'd' ? 0 : kind == 'w' ? 1 : 2];
	long last = -1;
	int64_t kept = 0;
	for (size_t i = first; i < items->count && kept < most; i++) {
		const struct vault_item *item = &items->items[i];
		if (!counts(policy, item) || !same_name(item, &items->items[first]))
			continue;
		long period = period_of(item->created_s, kind);
		if (period == last)
			continue;
		last = period;
		kept++;
		keep(&choices[i], "%s %lld of %lld", word, (long long)kept, (long long)most);
	}
}

/* Only verified ones count; and while none that is newer is known to be good, an older
 * one stays. */
static void keep_verified(const struct policy *policy, const struct vault_items *items,
	size_t first, struct policy_choice *choices)
{
	int64_t good = 0;
	for (size_t i = first; i < items->count; i++) {
		const struct vault_item *item = &items->items[i];
		if (!counts(policy, item) || !same_name(item, &items->items[first]))
			continue;
		bool verified = ledger_good(&item->mark);
		if (verified && good < policy->min_keep)
			keep(&choices[i], "verified %lld of %lld (min_keep)", (long long)good + 1,
				(long long)policy->min_keep);
		if (good == 0)
			keep(&choices[i],
				verified ? "the newest verified one"
					 : "no newer one has been verified");
		good += verified;
		if (good < policy->min_keep)
			keep(&choices[i], "only %lld verified so far (min_keep %lld)",
				(long long)good, (long long)policy->min_keep);
	}
}

static bool is_first(const struct policy *policy, const struct vault_items *items, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (counts(policy, &items->items[i]) &&
			same_name(&items->items[i], &items->items[index]))
			return false;
	return counts(policy, &items->items[index]);
}

static void decide_alone(
	const struct policy *policy, const struct vault_item *item, struct policy_choice *choice)
{
	if (item->why)
		keep(choice, "its signature is not good: left alone");
	else if (is_future(policy, item))
		keep(choice, "dated in the future");
	else if (item->pinned)
		keep(choice, "pinned");
	else if (policy->keep_within_s > 0 &&
		item->created_s > policy->now_s - policy->keep_within_s)
		keep(choice, "within %lld hours", (long long)policy->keep_within_s / 3600);
}

void policy_decide(
	const struct policy *policy, const struct vault_items *items, struct policy_choice *choices)
{
	memset(choices, 0, items->count * sizeof *choices);
	for (size_t i = 0; i < items->count; i++)
		decide_alone(policy, &items->items[i], &choices[i]);
	for (size_t i = 0; i < items->count; i++) {
		if (!is_first(policy, items, i))
			continue;
		keep_periods(policy, items, i, 'd', policy->keep_daily, choices);
		keep_periods(policy, items, i, 'w', policy->keep_weekly, choices);
		keep_periods(policy, items, i, 'm', policy->keep_monthly, choices);
		keep_verified(policy, items, i, choices);
	}
	for (size_t i = 0; i < items->count; i++)
		if (!choices[i].keep)
			snprintf(choices[i].reason, sizeof choices[i].reason, "no rule keeps it");
}
