/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "s3-upload/put.h"
#include "support/cleanup.h"
#include "support/moment.h"
#include "support/sigv4.h"

#define DAY_S 86400
#define SSE_HEADER "x-amz-server-side-encryption"

static bool is_none(const char *text)
{
	return !text || !text[0] || strcmp(text, "none") == 0;
}

/* "name=value" with a name of letters, digits and hyphens, and a value without line ends. */
static bool pair_valid(const char *pair, bool header)
{
	const char *equals = strchr(pair, '=');
	if (!equals || equals == pair)
		return false;
	for (const char *c = pair; header && c < equals; c++)
		if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_')
			return false;
	for (const char *c = pair; *c; c++)
		if ((unsigned char)*c < ' ' || (header && (unsigned char)*c > '~'))
			return false;
	return strncasecmp(pair, "upkeep-", 7) != 0 || !header;
}

static int check_pairs(
	const struct upkeep_strings *pairs, const char *what, bool header, struct fault *fault)
{
	for (size_t i = 0; i < pairs->count; i++)
		if (!pair_valid(pairs->items[i], header))
			return fault_set(fault, -EINVAL, NULL, "%s: \"%s\" is not name=value%s",
				what, pairs->items[i],
				header ? " in plain letters (names of upkeep- are its own)" : "");
	return 0;
}

int put_headers_check(const struct put_args *args, struct fault *fault)
{
	bool locked = !is_none(args->object_lock);
	int r = check_pairs(&args->metadata, "metadata", true, fault);
	if (r == 0)
		r = check_pairs(&args->tags, "tags", false, fault);
	if (r < 0)
		return r;
	if (args->tags.count > 10)
		return fault_set(fault, -EINVAL, NULL, "tags: S3 has room for 10, not for %zu",
			args->tags.count);
	if (strpbrk(args->content_type, "\r\n") || strpbrk(args->storage_class, "\r\n"))
		return fault_set(fault, -EINVAL, NULL, "a line end in a header");
	if (args->sse_key[0] && strcmp(args->sse, "kms") != 0)
		return fault_set(fault, -EINVAL, NULL, "sse_key is for sse = \"kms\" alone");
	if (locked && (args->retain_days != 0) == (args->retain_until != 0))
		return fault_set(fault, -EINVAL, NULL,
			"object_lock needs one of retain_days and retain_until");
	if (!locked && (args->retain_days || args->retain_until))
		return fault_set(fault, -EINVAL, NULL,
			"retain_days and retain_until are for object_lock alone");
	return 0;
}

static void add(char ***headers, size_t *count, char *line)
{
	*headers = fault_resize(*headers, *count + 2, sizeof **headers);
	(*headers)[(*count)++] = line;
	(*headers)[*count] = NULL;
}

void put_headers_lock(struct put *put)
{
	const struct put_args *args = put->args;
	if (is_none(args->object_lock))
		return;
	put->lock = strcmp(args->object_lock, "governance") == 0 ? "GOVERNANCE" : "COMPLIANCE";
	moment_format(
		args->retain_until ? args->retain_until : time(NULL) + args->retain_days * DAY_S,
		put->lock_until);
}

static char *tagging(const struct upkeep_strings *tags)
{
	struct sigv4_pair pairs[16] = {{0}};
	char *texts[16];
	size_t count = tags->count < 16 ? tags->count : 16;
	for (size_t i = 0; i < count; i++) {
		texts[i] = fault_format("%s", tags->items[i]);
		char *equals = strchr(texts[i], '=');
		*equals = 0;
		pairs[i] = (struct sigv4_pair){texts[i], equals + 1};
	}
	CLEANUP_FREE char *query = sigv4_query(pairs, count);
	for (size_t i = 0; i < count; i++)
		free(texts[i]);
	return fault_format("x-amz-tagging: %s", query);
}

/* As headers have it; NULL: none. */
static const char *sse_of(const struct put_args *args)
{
	if (is_none(args->sse))
		return NULL;
	return strcmp(args->sse, "kms") == 0 ? "aws:kms" : "AES256";
}

char **put_headers(const struct put *put, const char *name, const char *value)
{
	const struct put_args *args = put->args;
	char **headers = NULL;
	size_t count = 0;
	add(&headers, &count, fault_format("%s: %s", PUT_META_ID, put->id));
	add(&headers, &count, fault_format("%s: %s", name, value));
	if (args->content_type[0])
		add(&headers, &count, fault_format("content-type: %s", args->content_type));
	if (args->storage_class[0])
		add(&headers, &count, fault_format("x-amz-storage-class: %s", args->storage_class));
	if (sse_of(args))
		add(&headers, &count, fault_format(SSE_HEADER ": %s", sse_of(args)));
	if (args->sse_key[0])
		add(&headers, &count,
			fault_format(
				"x-amz-server-side-encryption-aws-kms-key-id: %s", args->sse_key));
	if (put->lock) {
		add(&headers, &count, fault_format("x-amz-object-lock-mode: %s", put->lock));
		add(&headers, &count,
			fault_format("x-amz-object-lock-retain-until-date: %s", put->lock_until));
	}
	if (args->tags.count)
		add(&headers, &count, tagging(&args->tags));
	for (size_t i = 0; i < args->metadata.count; i++) {
		const char *pair = args->metadata.items[i], *equals = strchr(pair, '=');
		add(&headers, &count,
			fault_format(
				"x-amz-meta-%.*s: %s", (int)(equals - pair), pair, equals + 1));
	}
	return headers;
}

void put_headers_free(char ***headers)
{
	for (char **line = *headers; line && *line; line++)
		free(*line);
	free(*headers);
	*headers = NULL;
}

int put_headers_kept(const struct put *put, const struct s3_object *there, struct fault *fault)
{
	const char *wanted = sse_of(put->args), *is = s3_object_header(there, SSE_HEADER);
	if (!wanted || (is && strcmp(is, wanted) == 0))
		return 0;
	return fault_set(fault, -EBADMSG, "leave sse out, or choose one that the server knows",
		"sse is \"%s\", but the server %s%s", put->args->sse,
		is ? "encrypted by " : "took the object and did not encrypt it", is ? is : "");
}

/* What the server may not do, or want; on the heap, or NULL. */
static char *doubts(const struct put *put, const char *what)
{
	const char *class = put->args->storage_class, *sse = sse_of(put->args);
	bool sums = place_sums(&put->place);
	if (!sums && strstr(what, "x-amz-checksum-")) /* Amazon's, of what is locked */
		return fault_format("set checksum = \"sha256\"");
	if (!class[0] && !sse && !sums)
		return NULL;
	return fault_format("look whether the server %s%s%s%s%s%s",
		sums ? "takes checksum = \"sha256\" (the action check says so)" : "",
		sums && (class[0] || sse) ? " and " : "", class[0] ? "has the storage class " : "",
		class, class[0] && sse ? " and " : "",
		sse ? "encrypts: some do by https alone" : "");
}

void put_headers_explain(const struct put *put, int r, struct fault *fault)
{
	const char *what = fault_what(fault);
	bool key = put->args->sse_key[0] && strcasestr(what, "kms");
	bool refused = r == -EOPNOTSUPP || (r == -EPROTO && strstr(what, "Invalid"));
	if (!key && (!refused || fault->next))
		return;
	CLEANUP_FREE char *next = key
		? fault_format("look whether the server has the key \"%s\", and who may use it",
			  put->args->sse_key)
		: doubts(put, what);
	if (next)
		fault_set(fault, r, next, "%s", what);
}
