/* SPDX-License-Identifier: MIT */
/* Objects in S3: put, fetched, verified.  The tables; the work is elsewhere. */
#include "s3-upload/actions.h"

static const struct upkeep_param settings_table[] = {
	UPKEEP_PARAM_STRING(struct settings, bucket, "the bucket's name",
		.flags = UPKEEP_REQUIRED | UPKEEP_NONEMPTY),
	UPKEEP_PARAM_STRING(struct settings, prefix,
		"what all keys begin with; a slash is put between", .preset = ""),
	UPKEEP_PARAM_URL(
		struct settings, endpoint, "the server; Amazon's of the region where not set"),
	UPKEEP_PARAM_STRING(struct settings, region,
		"the bucket's region; where empty, AWS_REGION, the profile's, or us-east-1",
		.preset = ""),
	UPKEEP_PARAM_BOOL(struct settings, virtual_host,
		"the bucket's name goes before the endpoint's, not into the path",
		.preset = "false"),
	UPKEEP_PARAM_STRING(struct settings, access_key,
		"the key's id; where empty, keys are looked for as AWS's own tools do",
		.preset = ""),
	UPKEEP_PARAM_SECRET(struct settings, secret_key, "the key's secret"),
	UPKEEP_PARAM_SECRET(struct settings, session_token, "the token of temporary keys"),
	UPKEEP_PARAM_STRING(
		struct settings, profile, "profile of ~/.aws/credentials", .preset = ""),
	UPKEEP_PARAM_PATH(
		struct settings, ca_file, "certificates to believe instead of the system's"),
	UPKEEP_PARAM_SIZE(struct settings, memory, "bytes of parts that an action holds at once",
		.preset = "128MiB", .min = 16 << 20, .max = (int64_t)1 << 40),
	UPKEEP_PARAM_INT(
		struct settings, jobs, "requests at a time", .preset = "4", .min = 1, .max = 64),
	{.name = "stall_timeout",
		.about = "longest time without a byte, before a request is tried again",
		.type = UPKEEP_DURATION,
		.offset = UPKEEP_MEMBER(struct settings, stall_ms, int64_t),
		.preset = "1m",
		.min = 1000,
		.max = 86400000},
	UPKEEP_PARAM_CHOICE(struct settings, checksum,
		"what put sends with the bytes so that the server keeps it; check says which are "
		"taken",
		.choices = "none|sha256", .preset = "none"),
	UPKEEP_PARAM_PATH(struct settings, resume_dir,
		"directory of the task's user that remembers uploads of files which were cut off, "
		"so that the next put goes on; where not set, they are aborted"),
};

#define KEY(s)                                                                             \
	UPKEEP_PARAM_STRING(s, key, "the object's name, after the prefix of the settings", \
		.flags = UPKEEP_REQUIRED | UPKEEP_NONEMPTY)
#define WHICH(s) \
	UPKEEP_PARAM_STRING(s, version, "id of its version; the latest where empty", .preset = "")

static const struct upkeep_param put_params[] = {
	KEY(struct put_args),
	UPKEEP_PARAM_PATH(struct put_args, file, "what to put; left out where the task has from"),
	UPKEEP_PARAM_BOOL(struct put_args, if_none_match,
		"fail where there is an object of that name", .preset = "true"),
	UPKEEP_PARAM_BOOL(struct put_args, lose_replaced,
		"replace an object for good where the bucket keeps no versions",
		.flags = UPKEEP_NO_UNDO, .preset = "false"),
	UPKEEP_PARAM_CHOICE(struct put_args, verify,
		"head: compare size and ETag afterwards; get: read all of it back",
		.choices = "head|get|none", .preset = "head"),
	UPKEEP_PARAM_STRING(struct put_args, content_type, "its media type", .preset = ""),
	UPKEEP_PARAM_STRING(struct put_args, storage_class,
		"STANDARD_IA, GLACIER_IR ...; the bucket's default where empty", .preset = ""),
	UPKEEP_PARAM_CHOICE(struct put_args, sse,
		"encryption by the server: s3 with its own keys, kms with those of its key service",
		.choices = "none|s3|kms", .preset = "none"),
	UPKEEP_PARAM_STRING(struct put_args, sse_key, "the key's id, for kms", .preset = ""),
	UPKEEP_PARAM_CHOICE(struct put_args, object_lock,
		"nobody, or nobody without a special permission, can remove it until then",
		.flags = UPKEEP_NO_UNDO, .choices = "none|governance|compliance", .preset = "none"),
	UPKEEP_PARAM_TIME(struct put_args, retain_until, "until when it is locked"),
	UPKEEP_PARAM_INT(struct put_args, retain_days, "for how many days it is locked",
		.preset = "0", .max = 36500),
	UPKEEP_PARAM_STRINGS(struct put_args, tags, "up to ten, each name=value"),
	UPKEEP_PARAM_STRINGS(struct put_args, metadata, "headers kept with it, each name=value"),
};
static const struct upkeep_output put_outputs[] = {
	UPKEEP_OUT("url", UPKEEP_STRING, "s3://bucket/key"),
	UPKEEP_OUT("key", UPKEEP_STRING, "the key, as verify and get take it"),
	UPKEEP_OUT("etag", UPKEEP_STRING, "the server's name of these bytes"),
	UPKEEP_OUT("version", UPKEEP_STRING, "id of its version; empty where there are none"),
	UPKEEP_OUT("size", UPKEEP_SIZE, "bytes"),
	UPKEEP_OUT("sha256", UPKEEP_STRING, "SHA-256 of all bytes, as they were read"),
	UPKEEP_OUT("parts", UPKEEP_INT, "how many it was sent in"),
	UPKEEP_OUT("retries", UPKEEP_INT, "requests that were sent again"),
};

static const struct upkeep_param get_params[] = {
	KEY(struct get_args),
	WHICH(struct get_args),
	UPKEEP_PARAM_PATH(struct get_args, file,
		"what it becomes; left out where another task reads it by from"),
	UPKEEP_PARAM_BOOL(struct get_args, replace,
		"take the place of a file that is there; that one is kept beside it",
		.preset = "false"),
	UPKEEP_PARAM_BOOL(struct get_args, resume,
		"keep what was fetched when it is cut off, and go on with it next time",
		.preset = "false"),
	UPKEEP_PARAM_STRING(struct get_args, sha256,
		"what its SHA-256 must be; where empty, what put wrote down, if it did",
		.preset = ""),
};
static const struct upkeep_output get_outputs[] = {
	UPKEEP_OUT("size", UPKEEP_SIZE, "bytes"),
	UPKEEP_OUT("etag", UPKEEP_STRING, "the server's name of these bytes"),
	UPKEEP_OUT("version", UPKEEP_STRING, "id of its version; empty where there are none"),
	UPKEEP_OUT("sha256", UPKEEP_STRING, "SHA-256 of all bytes"),
	UPKEEP_OUT("old", UPKEEP_STRING, "where the file is now that was replaced"),
	UPKEEP_OUT("retries", UPKEEP_INT, "requests that were sent again"),
};

static const struct upkeep_param verify_params[] = {
	KEY(struct verify_args),
	WHICH(struct verify_args),
	UPKEEP_PARAM_CHOICE(struct verify_args, level,
		"get: read all of it; head: ask for size and ETag alone", .choices = "get|head",
		.preset = "get"),
	UPKEEP_PARAM_SIZE(struct verify_args, size, "how many bytes it must have"),
	UPKEEP_PARAM_STRING(struct verify_args, etag, "what its ETag must be", .preset = ""),
	UPKEEP_PARAM_STRING(struct verify_args, sha256,
		"what its SHA-256 must be; where empty, what put wrote down, else the ETag, is "
		"compared",
		.preset = ""),
};
static const struct upkeep_output verify_outputs[] = {
	UPKEEP_OUT("size", UPKEEP_SIZE, "bytes"),
	UPKEEP_OUT("etag", UPKEEP_STRING, "the server's name of these bytes"),
	UPKEEP_OUT("version", UPKEEP_STRING, "id of its version; empty where there are none"),
	UPKEEP_OUT("sha256", UPKEEP_STRING, "its SHA-256, where that was compared"),
};

static const struct upkeep_param list_params[] = {
	UPKEEP_PARAM_STRING(struct list_args, below,
		"only keys that begin with this, after the prefix of the settings", .preset = ""),
};
static const struct upkeep_output list_outputs[] = {
	UPKEEP_OUT("count", UPKEEP_INT, "how many objects there are"),
	UPKEEP_OUT("bytes", UPKEEP_SIZE, "bytes of all of them"),
};

static const struct upkeep_param janitor_params[] = {
	{.name = "older_than",
		.about = "uploads below the prefix that were begun longer ago are aborted",
		.type = UPKEEP_DURATION,
		.offset = UPKEEP_MEMBER(struct janitor_args, older_than_ms, int64_t),
		.preset = "7d"},
};
static const struct upkeep_output janitor_outputs[] = {
	UPKEEP_OUT("aborted", UPKEEP_INT, "uploads that were aborted"),
	UPKEEP_OUT("kept", UPKEEP_INT, "open uploads that are younger"),
};

static const struct upkeep_param prune_params[] = {
	UPKEEP_PARAM_STRING(struct prune_args, below,
		"only keys that begin so, below the prefix; all of them where empty", .preset = ""),
	{.name = "older_than",
		.about = "objects that were written longer ago are deleted",
		.type = UPKEEP_DURATION,
		.offset = UPKEEP_MEMBER(struct prune_args, older_than_ms, int64_t),
		.flags = UPKEEP_REQUIRED},
	UPKEEP_PARAM_INT(struct prune_args, keep, "so many of the newest stay, however old",
		.min = 1, .max = 1000000, .preset = "1"),
};
static const struct upkeep_output prune_outputs[] = {
	UPKEEP_OUT("removed", UPKEEP_INT, "objects deleted"),
	UPKEEP_OUT("kept", UPKEEP_INT, "objects that stay"),
	UPKEEP_OUT("freed", UPKEEP_SIZE, "bytes of those deleted"),
};

static const struct upkeep_output check_outputs[] = {
	UPKEEP_OUT("failed", UPKEEP_INT, "checks that failed"),
};

static const struct upkeep_action actions[] = {
	{.name = "put",
		.about = "Store a file or a stream as an object",
		.changes = UPKEEP_CHANGES_RECORDED,
		.flags = UPKEEP_STREAM_IN,
		UPKEEP_PARAMS(struct put_args, put_params),
		UPKEEP_OUTPUTS(put_outputs),
		.check = put_check,
		.plan = put_plan,
		.probe = put_probe,
		.run = put_run,
		.undo = put_undo},
	{.name = "get",
		.about = "Fetch an object as a file or a stream",
		.changes = UPKEEP_CHANGES_RECORDED,
		.flags = UPKEEP_STREAM_OUT,
		UPKEEP_PARAMS(struct get_args, get_params),
		UPKEEP_OUTPUTS(get_outputs),
		.check = get_check,
		.plan = get_plan,
		.probe = get_probe,
		.run = get_run,
		.undo = get_undo},
	{.name = "verify",
		.about = "Compare an object with what it should be",
		.changes = UPKEEP_CHANGES_NONE,
		UPKEEP_PARAMS(struct verify_args, verify_params),
		UPKEEP_OUTPUTS(verify_outputs),
		.check = verify_check,
		.run = verify_run},
	{.name = "list",
		.about = "List objects",
		.changes = UPKEEP_CHANGES_NONE,
		UPKEEP_PARAMS(struct list_args, list_params),
		UPKEEP_OUTPUTS(list_outputs),
		.run = list_run},
	{.name = "janitor",
		.about = "Abort uploads that nobody goes on with",
		.changes = UPKEEP_CHANGES_IRREVERSIBLE,
		UPKEEP_PARAMS(struct janitor_args, janitor_params),
		UPKEEP_OUTPUTS(janitor_outputs),
		.plan = janitor_plan,
		.run = janitor_run},
	{.name = "prune",
		.about = "Delete objects that are older than told",
		.changes = UPKEEP_CHANGES_IRREVERSIBLE,
		UPKEEP_PARAMS(struct prune_args, prune_params),
		UPKEEP_OUTPUTS(prune_outputs),
		.plan = prune_plan,
		.run = prune_run},
	{.name = "check",
		.about = "Ask whether the bucket is fit for use: clock, region, rules, permissions",
		.changes = UPKEEP_CHANGES_NONE,
		UPKEEP_OUTPUTS(check_outputs),
		.run = check_run},
};

UPKEEP_PLUGIN(.name = "s3-upload", .version = "1.0",
	.about = "Objects in S3 and what speaks like it: put, fetched, verified",
	UPKEEP_SETTINGS(struct settings, settings_table), UPKEEP_ACTIONS(actions));
