/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cleanup.h"
#include "support/s3-send.h"
#include "support/s3-xml.h"

/* Asks for one of the bucket's documents and goes through it.  -ENODATA: it has none. */
static int ask(struct s3 *s3, const char *what, const char *root, s3_xml_end end, void *arg,
	struct fault *fault)
{
	CLEANUP_ANSWER struct http_answer answer = {0};
	const struct s3_call call = {.method = "GET", .query = {{what, ""}}, .query_count = 1};
	int r = s3_send(s3, &call, &answer, fault);
	if (r < 0)
		return s3_is_missing(r, &answer) ? -ENODATA : r;
	CLEANUP_FREE char *found = s3_xml_find(answer.text, answer.size, root);
	CLEANUP_FREE char *listing = s3_xml_find(answer.text, answer.size, "ListBucketResult");
	if (listing) /* Swift lists the bucket where it does not know what is asked for */
		return -ENODATA;
	if (!found || s3_xml_read(answer.text, answer.size, end, arg) < 0)
		return s3_odd_answer(s3, &call, fault);
	return 0;
}

static int tell(struct s3 *s3, const char *what, const char *text, const char *const *headers,
	size_t header_count, struct fault *fault)
{
	CLEANUP_ANSWER struct http_answer answer = {0};
	const struct http_body body = {.bytes = text, .size = strlen(text)};
	const struct s3_call call = {.method = "PUT",
		.query = {{what, ""}},
		.query_count = what != NULL,
		.headers = headers,
		.header_count = header_count,
		.body = &body};
	return s3_send(s3, &call, &answer, fault);
}

int s3_bucket_head(struct s3 *s3, char **ret_region, struct fault *fault)
{
	CLEANUP_ANSWER struct http_answer answer = {0};
	const struct s3_call call = {.method = "HEAD"};
	int r = s3_send(s3, &call, &answer, fault);
	const char *region = http_header(&answer, "x-amz-bucket-region");
	if (ret_region)
		*ret_region = region ? fault_format("%s", region) : NULL;
	return r;
}

static void read_location(void *arg, const char *path, const char *text)
{
	char **region = arg;
	if (strcmp(path, "LocationConstraint") == 0 && !*region)
		*region = fault_format("%s", text[0] ? text : "us-east-1");
}

int s3_bucket_location(struct s3 *s3, char **ret, struct fault *fault)
{
	*ret = NULL;
	return ask(s3, "location", "LocationConstraint", read_location, ret, fault);
}

static void read_versioning(void *arg, const char *path, const char *text)
{
	enum s3_versioning *versioning = arg;
	if (strcmp(path, "VersioningConfiguration/Status") == 0)
		*versioning =
			strcmp(text, "Enabled") == 0 ? S3_VERSIONS_ENABLED : S3_VERSIONS_SUSPENDED;
}

int s3_bucket_versioning(struct s3 *s3, enum s3_versioning *ret, struct fault *fault)
{
	*ret = S3_VERSIONS_NONE;
	return ask(s3, "versioning", "VersioningConfiguration", read_versioning, ret, fault);
}

int s3_bucket_keep_versions(struct s3 *s3, struct fault *fault)
{
	return tell(s3, "versioning",
		"<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
		"<Status>Enabled</Status></VersioningConfiguration>",
		NULL, 0, fault);
}

/* One rule as it is read. */
struct rules {
	struct s3_lifecycle *lifecycle;
	bool enabled, expires, narrow;
	unsigned abort_days;
};

static void read_rule(void *arg, const char *path, const char *text)
{
	static const char root[] = "LifecycleConfiguration/Rule";
	struct rules *rules = arg;
	if (strncmp(path, root, strlen(root)) != 0)
		return;
	path += strlen(root);
	if (strcmp(path, "/Status") == 0)
		rules->enabled = strcmp(text, "Enabled") == 0;
	else if (strcmp(path, "/Expiration") == 0)
		rules->expires = true;
	else if (strstr(path, "/Prefix") || strstr(path, "/Tag"))
		rules->narrow = rules->narrow || text[0];
	else if (strcmp(path, "/AbortIncompleteMultipartUpload/DaysAfterInitiation") == 0)
		rules->abort_days = (unsigned)strtoul(text, NULL, 10);
	if (path[0])
		return;
	struct s3_lifecycle *lifecycle = rules->lifecycle;
	lifecycle->rules += rules->enabled;
	lifecycle->expiring += rules->enabled && rules->expires;
	if (rules->enabled && !rules->narrow && rules->abort_days &&
		(!lifecycle->abort_days || rules->abort_days < lifecycle->abort_days))
		lifecycle->abort_days = rules->abort_days;
	*rules = (struct rules){.lifecycle = lifecycle};
}

int s3_bucket_lifecycle(struct s3 *s3, struct s3_lifecycle *ret, struct fault *fault)
{
	*ret = (struct s3_lifecycle){0};
	struct rules rules = {.lifecycle = ret};
	int r = ask(s3, "lifecycle", "LifecycleConfiguration", read_rule, &rules, fault);
	return r == -ENODATA ? 0 : r;
}

static void read_lock(void *arg, const char *path, const char *text)
{
	static const char root[] = "ObjectLockConfiguration/";
	struct s3_lock *lock = arg;
	if (strncmp(path, root, strlen(root)) != 0)
		return;
	path += strlen(root);
	if (strcmp(path, "ObjectLockEnabled") == 0)
		lock->enabled = strcmp(text, "Enabled") == 0;
	else if (strcmp(path, "Rule/DefaultRetention/Mode") == 0)
		snprintf(lock->mode, sizeof lock->mode, "%s", text);
	else if (strcmp(path, "Rule/DefaultRetention/Days") == 0)
		lock->days = (unsigned)strtoul(text, NULL, 10);
	else if (strcmp(path, "Rule/DefaultRetention/Years") == 0)
		lock->years = (unsigned)strtoul(text, NULL, 10);
}

int s3_bucket_lock(struct s3 *s3, struct s3_lock *ret, struct fault *fault)
{
	*ret = (struct s3_lock){0};
	int r = ask(s3, "object-lock", "ObjectLockConfiguration", read_lock, ret, fault);
	return r == -ENODATA ? 0 : r;
}

int s3_bucket_make(struct s3 *s3, bool locked, struct fault *fault)
{
	static const char *const lock[] = {"x-amz-bucket-object-lock-enabled: true"};
	CLEANUP_FREE char *where = strcmp(s3->region, "us-east-1") == 0
		? fault_format("%s", "")
		: fault_format("<CreateBucketConfiguration "
			       "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
			       "<LocationConstraint>%s</LocationConstraint>"
			       "</CreateBucketConfiguration>",
			  s3->region);
	return tell(s3, NULL, where, lock, locked, fault);
}
