/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cleanup.h"
#include "support/s3-send.h"
#include "support/write.h"

/* What a get has had so far, over all its attempts. */
struct getting {
	struct s3 *s3;
	const char *key;
	struct s3_range range;
	uint64_t limit, got;
	http_sink write;
	void *arg;
	char *etag; /* of the first attempt's answer */
	int sunk;   /* what `write` said */
};

static int take(void *arg, const void *bytes, size_t size)
{
	struct getting *getting = arg;
	if (size > getting->limit - getting->got)
		return getting->sunk = -EFBIG;
	getting->sunk = getting->write(getting->arg, bytes, size);
	if (getting->sunk == 0)
		getting->got += size;
	return getting->sunk;
}

/* How many bytes there must be after all of this answer; -1: it does not say. */
static int64_t expected(const struct http_answer *answer, uint64_t from)
{
	const char *length = http_header(answer, "content-length");
	return length ? (int64_t)(from + strtoull(length, NULL, 10)) : -1;
}

static char *range_header(const struct getting *getting)
{
	uint64_t first = getting->range.offset + getting->got;
	if (getting->range.size)
		return fault_format("range: bytes=%llu-%llu", (unsigned long long)first,
			(unsigned long long)(getting->range.offset + getting->range.size - 1));
	return first ? fault_format("range: bytes=%llu-", (unsigned long long)first) : NULL;
}

/* One attempt, from the first byte that is missing. */
static int attempt(struct getting *getting, struct http_answer *answer, struct fault *fault)
{
	uint64_t from = getting->got;
	const char *headers[2];
	CLEANUP_FREE char *range = range_header(getting);
	const char *etag = getting->etag ? getting->etag : getting->range.if_match;
	CLEANUP_FREE char *match = etag ? fault_format("if-match: \"%s\"", etag) : NULL;
	struct s3_call call = {.method = "GET",
		.key = getting->key,
		.headers = headers,
		.sink = take,
		.sink_arg = getting,
		.precondition = -ESTALE};
	if (range)
		headers[call.header_count++] = range;
	if (match)
		headers[call.header_count++] = match;
	if (getting->range.version)
		call.query[call.query_count++] =
			(struct sigv4_pair){"versionId", getting->range.version};
	int r = s3_try(getting->s3, &call, answer, fault);
	if (!getting->etag && http_header(answer, "etag") && answer->status / 100 == 2)
		getting->etag = s3_etag(http_header(answer, "etag"));
	if (r == 0 && range && answer->status != 206)
		return fault_set(fault, -EPROTO, NULL,
			"%s: the server answers with the whole object \"%s\" instead of a part of "
			"it",
			getting->s3->place, getting->key);
	if (r == 0 && expected(answer, from) >= 0 &&
		(uint64_t)expected(answer, from) != getting->got)
		return fault_set(fault, -EAGAIN, NULL, "%s: \"%s\" was cut off after %llu bytes",
			getting->s3->place, getting->key, (unsigned long long)getting->got);
	return r;
}

static int get_all(struct getting *getting, struct http_answer *answer, struct fault *fault)
{
	for (unsigned number = 1;; number++) {
		uint64_t before = getting->got;
		int r = attempt(getting, answer, fault);
		if (getting->sunk == -EFBIG)
			return fault_set(fault, -EFBIG, NULL, "%s: \"%s\" has more than %llu bytes",
				getting->s3->place, getting->key,
				(unsigned long long)getting->limit);
		if (getting->sunk < 0)
			return fault_set(fault, getting->sunk, NULL,
				"cannot write what comes from %s: %s", getting->s3->place,
				strerror(-getting->sunk));
		/* All bytes are here, and the connection broke after them. */
		if (r == -EAGAIN && getting->range.size && getting->got == getting->range.size)
			return 0;
		if (getting->got > before)
			number = 1;
		int again = s3_wait_again(getting->s3, number, r, fault);
		if (again <= 0)
			return again < 0 ? again : r;
	}
}

int s3_get(struct s3 *s3, const char *key, const struct s3_range *range, uint64_t limit,
	http_sink write, void *arg, struct s3_object *ret, struct fault *fault)
{
	CLEANUP_ANSWER struct http_answer answer = {0};
	struct getting getting = {.s3 = s3, .key = key, .limit = limit, .write = write, .arg = arg};
	if (range)
		getting.range = *range;
	int r = get_all(&getting, &answer, fault);
	if (r == 0 && ret) {
		s3_object_take(ret, &answer);
		ret->size = getting.got;
	}
	free(getting.etag);
	return r;
}

static int write_fd(void *arg, const void *bytes, size_t size)
{
	return write_all(*(int *)arg, bytes, size);
}

int s3_get_fd(struct s3 *s3, const char *key, const struct s3_range *range, uint64_t limit, int fd,
	struct s3_object *ret, struct fault *fault)
{
	return s3_get(s3, key, range, limit, write_fd, &fd, ret, fault);
}
