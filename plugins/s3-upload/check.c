/* SPDX-License-Identifier: MIT */
/* Is the bucket fit for what is done with it: a line for each question, OK, FAILED with what to
 * type, or unknown where the keys may not ask. */
#include "s3-upload/actions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "s3-upload/place.h"
#include "support/cleanup.h"

/* S3 refuses requests of more than 15 minutes away. */
#define CLOCK_MAX_S 300

struct checks {
	struct place place;
	int64_t failed;
};

static void show(struct checks *checks, const char *name, const char *result, const char *detail,
	const char *hint)
{
	struct upkeep_cell cells[] = {{"check", name, UPKEEP_STRING, 0},
		{"result", result, UPKEEP_STRING, 0}, {"detail", detail, UPKEEP_STRING, 0},
		{"hint", hint, UPKEEP_STRING, 0}};
	upkeep_row(checks->place.ctx, "checks", cells);
	checks->failed += strcmp(result, "FAILED") == 0;
}

/* What a request came to: `r` and its fault, or what was learnt.  True where it was answered. */
static bool judge(struct checks *checks, const char *name, int r, const struct fault *fault)
{
	bool refused = r == -EACCES || r == -EOPNOTSUPP;
	if (r < 0)
		show(checks, name, refused ? "unknown" : "FAILED", fault_what(fault),
			fault->next ? fault->next : "");
	return r == 0;
}

static void check_region(struct checks *checks)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_FREE char *region = NULL;
	const char *wanted = checks->place.settings->region;
	if (!judge(checks, "region", s3_bucket_location(checks->place.s3, &region, &fault), &fault))
		return;
	bool other = *wanted && strcmp(wanted, region) != 0;
	CLEANUP_FREE char *hint = fault_format(
		"%s%s%s", other ? "set region = \"" : "", other ? region : "", other ? "\"" : "");
	/* servers other than AWS's call themselves anything, and take any region */
	bool matters = !checks->place.settings->endpoint || !*checks->place.settings->endpoint;
	show(checks, "region", other && matters ? "FAILED" : "OK", region, hint);
}

static void check_clock(struct checks *checks)
{
	int64_t ahead_s = s3_clock_ahead_s(checks->place.s3);
	bool good = llabs(ahead_s) <= CLOCK_MAX_S;
	CLEANUP_FREE char *detail = fault_format(
		"%lld s %s the server's", llabs(ahead_s), ahead_s < 0 ? "behind" : "ahead of");
	show(checks, "clock", good ? "OK" : "FAILED", detail,
		good ? "" : "timedatectl set-ntp true");
}

static void check_versions(struct checks *checks)
{
	static const char *const words[] = {"none", "kept", "no longer kept"};
	CLEANUP_FAULT struct fault fault = {0};
	enum s3_versioning versioning;
	int r = s3_bucket_versioning(checks->place.s3, &versioning, &fault);
	if (judge(checks, "versions", r, &fault))
		show(checks, "versions", "OK", words[versioning],
			versioning == S3_VERSIONS_ENABLED
				? ""
				: "what is replaced or removed is gone for good");
}

static void check_lifecycle(struct checks *checks)
{
	CLEANUP_FAULT struct fault fault = {0};
	struct s3_lifecycle lifecycle = {0};
	int r = s3_bucket_lifecycle(checks->place.s3, &lifecycle, &fault);
	if (!judge(checks, "lifecycle", r, &fault))
		return;
	CLEANUP_FREE char *detail = fault_format(
		"%u rules, %u of them expire objects; open uploads are aborted after %u days%s",
		lifecycle.rules, lifecycle.expiring, lifecycle.abort_days,
		lifecycle.abort_days ? "" : " (never)");
	show(checks, "lifecycle", "OK", detail,
		lifecycle.abort_days ? ""
				     : "add a rule AbortIncompleteMultipartUpload, or run janitor");
}

static void check_lock(struct checks *checks)
{
	CLEANUP_FAULT struct fault fault = {0};
	struct s3_lock lock = {0};
	int r = s3_bucket_lock(checks->place.s3, &lock, &fault);
	if (!judge(checks, "object lock", r, &fault))
		return;
	CLEANUP_FREE char *detail = !lock.enabled ? fault_format("off")
		: !lock.mode[0]                   ? fault_format("on, without a default")
				: fault_format("%s for %u years and %u days unless told", lock.mode,
					  lock.years, lock.days);
	show(checks, "object lock", "OK", detail, "");
}

static int stop(void *arg, const struct s3_object *object)
{
	(void)arg;
	(void)object;
	return 1;
}

static void check_list(struct checks *checks)
{
	CLEANUP_FAULT struct fault fault = {0};
	int r = s3_list(checks->place.s3, checks->place.prefix, "/", stop, NULL, &fault);
	if (judge(checks, "list", r < 0 ? r : 0, &fault))
		show(checks, "list", "OK", r ? "there are objects" : "there are no objects", "");
}

/* An upload is begun and aborted: nobody sees anything of it. */
static void check_write(struct checks *checks)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_FREE char *id = NULL;
	CLEANUP_FREE char *key = place_key(&checks->place, "upkeep-check");
	int r = s3_upload_begin(checks->place.s3, key, NULL, &id, &fault);
	if (r == 0)
		r = s3_upload_abort(checks->place.s3, key, id, &fault);
	if (r < 0)
		show(checks, "write", "FAILED", fault_what(&fault), fault.next ? fault.next : "");
	else
		show(checks, "write", "OK", "an upload was begun and aborted", "");
}

/* What to do about checksums, the worst first. */
static const char *advice(const struct checks *checks, const enum s3_sum_use uses[S3_SUMS])
{
	bool sent = place_sums(&checks->place);
	if (sent && uses[S3_SUM_SHA256] == S3_SUM_REFUSED)
		return "set checksum = \"none\"";
	if (uses[S3_SUM_SIGNATURE] != S3_SUM_COMPARED)
		return "use https, and verify = \"get\" of put: the server would take other bytes";
	if (sent && uses[S3_SUM_SHA256] == S3_SUM_IGNORED)
		return "checksum = \"sha256\" does nothing here";
	if (!sent && uses[S3_SUM_SHA256] == S3_SUM_COMPARED)
		return "checksum = \"sha256\" lets the server keep it with what is put";
	return "";
}

static char *sums_text(const enum s3_sum_use uses[S3_SUMS])
{
	static const char *const words[S3_SUM_USES] = {[S3_SUM_COMPARED] = "verified",
		[S3_SUM_IGNORED] = "ignored",
		[S3_SUM_REFUSED] = "refused"};
	char *text = fault_format("%s", "");
	for (int use = 0; use < S3_SUM_USES; use++)
		for (int sum = 0, count = 0; sum < S3_SUMS; sum++) {
			if ((int)uses[sum] != use)
				continue;
			CLEANUP_FREE char *before = text;
			const char *name = s3_sum_name((enum s3_sum)sum);
			text = count++ ? fault_format("%s, %s", before, name)
				       : fault_format("%s%s%s: %s", before, before[0] ? "; " : "",
						 words[use], name);
		}
	return text;
}

static void check_sums(struct checks *checks)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_S3 struct s3 *tidier = NULL;
	CLEANUP_FREE char *key = place_key(&checks->place, "upkeep-check");
	enum s3_sum_use uses[S3_SUMS];
	int r = place_tidier(&checks->place, &tidier, &fault);
	for (int sum = 0; r == 0 && sum < S3_SUMS; sum++)
		r = s3_sum_try(checks->place.s3, tidier, key, (enum s3_sum)sum, &uses[sum], &fault);
	if (!judge(checks, "checksums", r, &fault))
		return;
	CLEANUP_FREE char *text = sums_text(uses);
	bool good = !place_sums(&checks->place) || uses[S3_SUM_SHA256] != S3_SUM_REFUSED;
	show(checks, "checksums", good ? "OK" : "FAILED", text, advice(checks, uses));
}

int32_t check_run(struct upkeep_ctx *ctx)
{
	CLEANUP_FAULT struct fault fault = {0};
	struct checks checks = {0};
	int r = place_open(&checks.place, ctx, &fault);
	if (r == 0)
		r = s3_bucket_head(checks.place.s3, NULL, &fault);
	if (r == -ENOENT)
		r = fault_set(&fault, r, "make the bucket, or correct its name",
			"there is no bucket \"%s\"", checks.place.settings->bucket);
	if (r == 0 || r == -EACCES) {
		check_clock(&checks);
		check_region(&checks);
		check_versions(&checks);
		check_lifecycle(&checks);
		check_lock(&checks);
		check_list(&checks);
		check_write(&checks);
		check_sums(&checks);
		r = 0;
	}
	CLEANUP_FREE char *place = fault_format("%s", r == 0 ? s3_place(checks.place.s3) : "");
	place_close(&checks.place);
	if (r < 0)
		return fault_report(ctx, r, &fault);
	upkeep_output_int(ctx, "failed", checks.failed);
	if (checks.failed == 0)
		return UPKEEP_UNCHANGED;
	return upkeep_fail(ctx, UPKEEP_FAILED, "look at the hints in the table", NULL,
		"%s: %lld checks failed", place, (long long)checks.failed);
}
