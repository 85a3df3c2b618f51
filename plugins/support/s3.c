/* SPDX-License-Identifier: MIT */
#include "support/s3.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/cleanup.h"
#include "support/s3-send.h"
#include "support/s3-xml.h"

#define ATTEMPTS 8

static int check_bucket(const char *bucket, struct fault *fault)
{
	size_t length = strlen(bucket ? bucket : "");
	bool good = length >= 3 && length <= 63 && isalnum((unsigned char)bucket[0]) &&
		strspn(bucket,
			"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._") ==
			length;
	return good ? 0
		    : fault_set(fault, -EINVAL, NULL,
			      "\"%s\" cannot be a bucket's name: 3 to 63 letters, digits, dots and "
			      "hyphens",
			      bucket ? bucket : "");
}

/* "https://host:port/path": its parts without slashes at the end, on the heap. */
static int split_endpoint(
	const char *endpoint, char **scheme, char **host, char **path, struct fault *fault)
{
	const char *colon = strstr(endpoint, "://");
	size_t length = colon ? strcspn(colon + 3, "/") : 0;
	if (!length || strcspn(endpoint, "?#@ ") != strlen(endpoint) ||
		(strncmp(endpoint, "https://", 8) != 0 && strncmp(endpoint, "http://", 7) != 0))
		return fault_set(fault, -EINVAL, NULL,
			"\"%s\" cannot be an endpoint: write https://host or https://host:port",
			endpoint);
	*scheme = fault_format("%.*s", (int)(colon - endpoint), endpoint);
	*host = fault_format("%.*s", (int)length, colon + 3);
	*path = fault_format("%s", colon + 3 + length);
	for (size_t n = strlen(*path); n && (*path)[n - 1] == '/'; n--)
		(*path)[n - 1] = 0;
	return 0;
}

/* AWS signs and serves by the bucket's host, except where a dot in its name breaks the
 * certificate. */
static int find_place(struct s3 *s3, const struct s3_settings *settings, struct fault *fault)
{
	CLEANUP_FREE char *scheme = NULL;
	CLEANUP_FREE char *host = NULL;
	CLEANUP_FREE char *path = NULL;
	bool aws = !settings->endpoint || !settings->endpoint[0];
	CLEANUP_FREE char *endpoint = aws ? fault_format("https://s3.%s.amazonaws.com", s3->region)
					  : fault_format("%s", settings->endpoint);
	int r = split_endpoint(endpoint, &scheme, &host, &path, fault);
	if (r < 0)
		return r;
	bool by_host = settings->virtual_host || (aws && !strchr(s3->bucket, '.'));
	s3->host = by_host ? fault_format("%s.%s", s3->bucket, host) : fault_format("%s", host);
	s3->root = by_host ? fault_format("%s", path) : fault_format("%s/%s", path, s3->bucket);
	s3->base = fault_format("%s://%s", scheme, s3->host);
	s3->place = fault_format("s3://%s on %s", s3->bucket, host);
	return 0;
}

int s3_open(struct s3 **ret, const struct s3_settings *settings, struct s3_credentials *credentials,
	struct fault *fault)
{
	int r = check_bucket(settings->bucket, fault);
	if (r < 0)
		return r;
	struct s3 *s3 = fault_alloc(sizeof *s3);
	s3->credentials = credentials;
	s3->bucket = fault_format("%s", settings->bucket);
	s3->cancel_fd = settings->cancel_fd;
	s3->checksum = settings->checksum;
	s3->attempts = settings->attempts ? settings->attempts : ATTEMPTS;
	s3->note = settings->note;
	s3->note_arg = settings->note_arg;
	s3->region = settings->region && settings->region[0] ? fault_format("%s", settings->region)
							     : s3_credentials_region(NULL);
	if (!s3->region)
		s3->region = fault_format("us-east-1");
	const struct http_settings http = {.ca_file = settings->ca_file,
		.cancel_fd = settings->cancel_fd,
		.connect_timeout_ms = settings->connect_timeout_ms,
		.stall_timeout_ms = settings->stall_timeout_ms};
	r = find_place(s3, settings, fault);
	if (r == 0)
		r = http_open(&s3->http, &http, fault);
	if (r < 0)
		s3_close(&s3);
	*ret = s3;
	return r;
}

void s3_close(struct s3 **s3)
{
	if (!*s3)
		return;
	http_close(&(*s3)->http);
	free((*s3)->base);
	free((*s3)->host);
	free((*s3)->root);
	free((*s3)->region);
	free((*s3)->bucket);
	free((*s3)->place);
	free(*s3);
	*s3 = NULL;
}

const char *s3_place(const struct s3 *s3)
{
	return s3->place;
}

unsigned s3_retries(const struct s3 *s3)
{
	return s3->retries;
}

int64_t s3_clock_ahead_s(const struct s3 *s3)
{
	return s3->clock_ahead_s;
}

/* ---- what is said of objects ------------------------------------------------------ */

char *s3_etag(const char *text)
{
	if (!text)
		return NULL;
	size_t length = strlen(text);
	bool quoted = length >= 2 && text[0] == '"' && text[length - 1] == '"';
	return quoted ? fault_format("%.*s", (int)length - 2, text + 1) : fault_format("%s", text);
}

int64_t s3_time(const char *text)
{
	struct tm tm = {0};
	const char *end = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	return end ? (int64_t)timegm(&tm) : 0;
}

void s3_object_take(struct s3_object *object, struct http_answer *answer)
{
	const char *size = http_header(answer, "content-length");
	const char *modified = http_header(answer, "last-modified");
	const char *version = http_header(answer, "x-amz-version-id");
	time_t when = modified ? curl_getdate(modified, NULL) : -1;
	object->etag = s3_etag(http_header(answer, "etag"));
	if (!object->etag)
		object->etag = fault_format("%s", "");
	if (version && strcmp(version, "null") != 0)
		object->version = fault_format("%s", version);
	object->size = size ? strtoull(size, NULL, 10) : 0;
	object->modified_s = when > 0 ? when : 0;
	object->answer = *answer;
	*answer = (struct http_answer){0};
}

const char *s3_object_header(const struct s3_object *object, const char *name)
{
	return http_header(&object->answer, name);
}

void s3_object_free(struct s3_object *object)
{
	free(object->key);
	free(object->etag);
	free(object->version);
	http_answer_free(&object->answer);
	*object = (struct s3_object){0};
}

/* ---- requests ------------------------------------------------------------------------ */

static int check_key(const char *key, struct fault *fault)
{
	size_t length = strlen(key);
	return length > 0 && length <= S3_KEY_MAX
		? 0
		: fault_set(fault, -EINVAL, NULL, "\"%s\" cannot be a key: 1 to %u bytes", key,
			  S3_KEY_MAX);
}

static int send_put(struct s3 *s3, const char *key, const struct http_body *body, const char *hash,
	const struct s3_put *put, bool if_none_match, struct http_answer *answer,
	struct fault *fault)
{
	char room[SIGV4_HASH_TEXT];
	CLEANUP_FREE char *sum = NULL;
	int r = s3_sum_make(s3, body, &hash, room, &sum, fault);
	if (r < 0)
		return r;
	size_t count = put ? put->header_count : 0;
	CLEANUP_FREE const char **headers = fault_alloc((count + 2) * sizeof *headers);
	for (size_t i = 0; i < count; i++)
		headers[i] = put->headers[i];
	if (if_none_match)
		headers[count++] = "if-none-match: *";
	if (sum)
		headers[count++] = sum;
	const struct s3_call call = {.method = "PUT",
		.key = key,
		.headers = headers,
		.header_count = count,
		.body = body,
		.hash = hash,
		.precondition = -EEXIST};
	r = s3_send(s3, &call, answer, fault);
	return r < 0 ? r : s3_sum_read(s3, key, answer, sum, NULL, fault);
}

int s3_none_there(struct s3 *s3, const char *key, struct fault *fault)
{
	int r = s3_head(s3, key, NULL, NULL, fault);
	if (r == 0)
		return fault_set(
			fault, -EEXIST, NULL, "%s: there is an object \"%s\"", s3->place, key);
	return r == -ENOENT ? 0 : r;
}

int s3_put(struct s3 *s3, const char *key, const struct http_body *body, const char *hash,
	const struct s3_put *put, struct s3_object *ret, struct fault *fault)
{
	CLEANUP_ANSWER struct http_answer answer = {0};
	bool condition = put && put->if_none_match;
	int r = check_key(key, fault);
	if (r == 0)
		r = send_put(s3, key, body, hash, put, condition, &answer, fault);
	if (r == -EOPNOTSUPP && condition) { /* Swift */
		r = s3_none_there(s3, key, fault);
		if (r == 0)
			r = send_put(s3, key, body, hash, put, false, &answer, fault);
	}
	if (r == 0 && ret) {
		s3_object_take(ret, &answer);
		ret->size = body->size;
	}
	return r;
}

/* The answer to a HEAD has no body and so no reason; that to a GET has. */
static int ask_why(struct s3 *s3, const struct s3_call *head, struct fault *fault)
{
	CLEANUP_ANSWER struct http_answer answer = {0};
	CLEANUP_FAULT struct fault why = {0};
	struct s3_call call = *head;
	call.method = "GET";
	call.headers = (const char *const[]){"range: bytes=0-0"};
	call.header_count = 1;
	int r = s3_try(s3, &call, &answer, &why);
	if (r != -EACCES && r != -EPROTO)
		return -EACCES;
	fault_clear(fault);
	*fault = why;
	why = (struct fault){0};
	return r;
}

int s3_head(struct s3 *s3, const char *key, const char *version, struct s3_object *ret,
	struct fault *fault)
{
	CLEANUP_ANSWER struct http_answer answer = {0};
	struct s3_call call = {.method = "HEAD", .key = key};
	if (version)
		call.query[call.query_count++] = (struct sigv4_pair){"versionId", version};
	int r = check_key(key, fault);
	if (r == 0)
		r = s3_send(s3, &call, &answer, fault);
	if (r == 0 && ret)
		s3_object_take(ret, &answer);
	return r == -EACCES && fault ? ask_why(s3, &call, fault) : r;
}

int s3_delete(struct s3 *s3, const char *key, const char *version, struct fault *fault)
{
	CLEANUP_ANSWER struct http_answer answer = {0};
	struct s3_call call = {.method = "DELETE", .key = key};
	if (version)
		call.query[call.query_count++] = (struct sigv4_pair){"versionId", version};
	int r = check_key(key, fault);
	if (r == 0)
		r = s3_send(s3, &call, &answer, fault);
	return s3_is_missing(r, &answer) ? 0 : r;
}

int s3_retain(struct s3 *s3, const char *key, const char *version, const char *mode,
	const char *until, struct fault *fault)
{
	CLEANUP_ANSWER struct http_answer answer = {0};
	CLEANUP_FREE char *text = fault_format(
		"<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>%s</Mode>"
		"<RetainUntilDate>%s</RetainUntilDate></Retention>",
		mode, until);
	CLEANUP_FREE char *md5 = s3_md5_header(text, strlen(text));
	const struct http_body body = {.bytes = text, .size = strlen(text)};
	struct s3_call call = {.method = "PUT",
		.key = key,
		.query = {{"retention", ""}},
		.query_count = 1,
		.headers = (const char *const[]){md5},
		.header_count = 1,
		.body = &body};
	if (version)
		call.query[call.query_count++] = (struct sigv4_pair){"versionId", version};
	return s3_send(s3, &call, &answer, fault);
}

int s3_copy(struct s3 *s3, const char *from, const char *version, const char *to,
	struct s3_object *ret, struct fault *fault)
{
	CLEANUP_ANSWER struct http_answer answer = {0};
	CLEANUP_FREE char *path = sigv4_encode(from, true);
	CLEANUP_FREE char *source = fault_format("x-amz-copy-source: /%s/%s%s%s", s3->bucket, path,
		version ? "?versionId=" : "", version ? version : "");
	const struct http_body body = {.bytes = "", .size = 0};
	const struct s3_call call = {.method = "PUT",
		.key = to,
		.headers = (const char *const[]){source},
		.header_count = 1,
		.body = &body};
	int r = check_key(to, fault);
	if (r == 0)
		r = s3_send(s3, &call, &answer, fault);
	if (r < 0)
		return r;
	CLEANUP_FREE char *etag = s3_xml_find(answer.text, answer.size, "CopyObjectResult/ETag");
	if (!etag)
		return s3_odd_answer(s3, &call, fault);
	if (ret) {
		s3_object_take(ret, &answer);
		free(ret->etag);
		ret->etag = s3_etag(etag);
		ret->size = 0;
	}
	return 0;
}
