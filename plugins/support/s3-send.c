/* SPDX-License-Identifier: MIT */
#include "support/s3-send.h"

#include <curl/curl.h>
#include <errno.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "support/cleanup.h"
#include "support/s3-xml.h"

#define PAUSE_MS 200
#define PAUSE_MAX_MS 20000
#define ROOT_WITHIN ((size_t)512) /* bytes of an answer that hold its first element */
#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static int descriptor_hash(const struct http_body *body, EVP_MD_CTX *md, struct fault *fault)
{
	const size_t room = (size_t)256 << 10;
	CLEANUP_FREE char *buffer = fault_alloc(room);
	for (uint64_t done = 0; done < body->size;) {
		size_t want = body->size - done < room ? (size_t)(body->size - done) : room;
		ssize_t n = pread(body->fd, buffer, want, (off_t)(body->offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return fault_set(fault, -EIO, NULL, "cannot read what is to be stored: %s",
				n < 0 ? strerror(errno) : "it has become shorter");
		EVP_DigestUpdate(md, buffer, (size_t)n);
		done += (uint64_t)n;
	}
	return 0;
}

int s3_body_hash(const struct http_body *body, char ret[SIGV4_HASH_TEXT], struct fault *fault)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	if (!body || body->size == 0)
		return snprintf(ret, SIGV4_HASH_TEXT, "%s", EMPTY_HASH) < 0 ? -EIO : 0;
	if (body->bytes) {
		sigv4_hash(body->bytes, body->size, ret);
		return 0;
	}
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	if (!md || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(md);
		return fault_set(fault, -ENOMEM, NULL, "out of memory");
	}
	int r = descriptor_hash(body, md, fault);
	EVP_DigestFinal_ex(md, hash, NULL);
	EVP_MD_CTX_free(md);
	for (size_t i = 0; i < SIGV4_HASH_TEXT / 2; i++)
		snprintf(ret + 2 * i, 3, "%02x", hash[i]);
	return r;
}

char *s3_md5_header(const char *text, size_t size)
{
	unsigned char hash[EVP_MAX_MD_SIZE] = {0};
	unsigned char coded[64] = {0};
	EVP_Digest(text, size, hash, NULL, EVP_md5(), NULL);
	EVP_EncodeBlock(coded, hash, 16);
	return fault_format("content-md5: %s", (const char *)coded);
}

/* ---- signing ------------------------------------------------------------------ */

/* The headers of one request: pairs to be signed, and lines to be sent. */
struct lines {
	struct sigv4_pair *pairs;
	char **texts; /* the pairs' names */
	char **sent;  /* "name: value" */
	size_t count;
};

static void lines_add(struct lines *lines, const char *name, const char *value)
{
	size_t i = lines->count++;
	lines->texts = fault_resize(lines->texts, lines->count, sizeof *lines->texts);
	lines->sent = fault_resize(lines->sent, lines->count + 1, sizeof *lines->sent);
	lines->pairs = fault_resize(lines->pairs, lines->count, sizeof *lines->pairs);
	lines->texts[i] = fault_format("%s", name);
	lines->sent[i] = *value ? fault_format("%s: %s", name, value) : fault_format("%s;", name);
	lines->pairs[i] = (struct sigv4_pair){
		lines->texts[i], *value ? lines->sent[i] + strlen(name) + 2 : ""};
}

static void lines_free(struct lines *lines)
{
	for (size_t i = 0; i < lines->count; i++) {
		free(lines->texts[i]);
		free(lines->sent[i]);
	}
	free(lines->texts);
	free(lines->sent);
	free(lines->pairs);
}

static void lines_make(struct lines *lines, const struct s3 *s3, const struct s3_call *call,
	const struct s3_key *key, const char *hash, const char *stamp)
{
	lines_add(lines, "host", s3->host);
	lines_add(lines, "x-amz-content-sha256", hash);
	lines_add(lines, "x-amz-date", stamp);
	if (key->token)
		lines_add(lines, "x-amz-security-token", key->token);
	for (size_t i = 0; i < call->header_count; i++) {
		const char *line = call->headers[i];
		size_t length = strcspn(line, ":");
		CLEANUP_FREE char *name = fault_format("%.*s", (int)length, line);
		const char *value = line + length + (line[length] == ':');
		lines_add(lines, name, value + strspn(value, " \t"));
	}
}

static char *path_of(const struct s3 *s3, const struct s3_call *call)
{
	CLEANUP_FREE char *key = call->key ? sigv4_encode(call->key, true) : NULL;
	if (!key && s3->root[0])
		return fault_format("%s", s3->root);
	return fault_format("%s/%s", s3->root, key ? key : "");
}

static int send_signed(struct s3 *s3, const struct s3_call *call, const struct s3_key *key,
	const char *hash, struct http_answer *answer, struct fault *fault)
{
	char stamp[SIGV4_STAMP_TEXT];
	struct lines lines = {0};
	CLEANUP_FREE char *path = path_of(s3, call);
	CLEANUP_FREE char *query = sigv4_query(call->query, call->query_count);
	CLEANUP_FREE char *url =
		fault_format("%s%s%s%s", s3->base, path, query[0] ? "?" : "", query);
	sigv4_stamp(time(NULL), stamp);
	lines_make(&lines, s3, call, key, hash, stamp);
	const struct sigv4_request request = {.method = call->method,
		.path = path,
		.query = query,
		.headers = lines.pairs,
		.header_count = lines.count,
		.payload_hash = hash,
		.stamp = stamp,
		.region = s3->region,
		.service = "s3"};
	CLEANUP_FREE char *value = sigv4_authorization(&request, key->access, key->secret);
	CLEANUP_FREE char *authorization = fault_format("authorization: %s", value);
	lines.sent[lines.count] = authorization;
	const struct http_request sent = {.method = call->method,
		.url = url,
		.headers = (const char *const *)lines.sent,
		.header_count = lines.count + 1,
		.body = call->body,
		.sink = call->sink,
		.sink_arg = call->sink_arg,
		.text_limit = call->text_limit};
	int r = http_send(s3->http, &sent, answer, fault);
	lines_free(&lines);
	return r;
}

/* ---- judging --------------------------------------------------------------------- */

static const char *const transient_codes[] = {"InternalError", "SlowDown", "ServiceUnavailable",
	"RequestTimeout", "OperationAborted", "ConditionalRequestConflict", "BadDigest",
	"XAmzContentSHA256Mismatch", "IncompleteBody", "Throttling", "ThrottlingException",
	"TooManyRequests", "RequestLimitExceeded"};

static bool is_transient(int status, const char *code)
{
	for (size_t i = 0; i < sizeof transient_codes / sizeof transient_codes[0]; i++)
		if (strcmp(code, transient_codes[i]) == 0)
			return true;
	return status == 500 || status == 502 || status == 503 || status == 504 || status == 429 ||
		status == 408;
}

static bool is_expired(const char *code)
{
	return strcmp(code, "ExpiredToken") == 0 || strcmp(code, "TokenRefreshRequired") == 0 ||
		strcmp(code, "ExpiredTokenException") == 0;
}

static int result_of(const struct s3_call *call, int status, const char *code)
{
	if (is_transient(status, code))
		return -EAGAIN;
	switch (status) {
	case 401:
	case 403:
		return -EACCES;
	case 404:
		return -ENOENT;
	case 405:
	case 501:
		return -EOPNOTSUPP;
	case 409:
		return -EEXIST;
	case 412:
		return call->precondition ? call->precondition : -EPROTO;
	case 416:
		return -ERANGE;
	default:
		return is_expired(code)                       ? -EACCES
			: strcmp(code, "NotImplemented") == 0 ? -EOPNOTSUPP
							      : -EPROTO;
	}
}

/* What to type next; on the heap, or NULL. */
static char *remedy(const struct s3 *s3, int status, const char *code, const char *region)
{
	if (region && strcmp(region, s3->region) != 0)
		return fault_format("set region = \"%s\"", region);
	if (status == 301 || status == 307 || status == 308)
		return fault_format("set endpoint and region to those of the bucket");
	if (strcmp(code, "RequestTimeTooSkewed") == 0)
		return fault_format("set the clock: timedatectl set-ntp true");
	if (strcmp(code, "InvalidAccessKeyId") == 0 || strcmp(code, "SignatureDoesNotMatch") == 0 ||
		strcmp(code, "InvalidToken") == 0 || is_expired(code))
		return fault_format("look at the keys, which come from %s",
			s3_credentials_provider(s3->credentials));
	if (strcmp(code, "NoSuchBucket") == 0)
		return fault_format("make the bucket \"%s\", or correct its name", s3->bucket);
	if (status == 403)
		return fault_format("look what the keys may do, which come from %s",
			s3_credentials_provider(s3->credentials));
	return NULL;
}

static char *skew_text(const struct s3 *s3, const char *code)
{
	int64_t ahead = s3->clock_ahead_s;
	if (strcmp(code, "RequestTimeTooSkewed") != 0 || ahead == 0)
		return fault_format("%s", "");
	return fault_format("; the clock of this machine is %lld s %s that of %s",
		(long long)(ahead < 0 ? -ahead : ahead), ahead < 0 ? "behind" : "ahead of",
		s3->host);
}

static char *error_text(const struct http_answer *answer, const char *name)
{
	CLEANUP_FREE char *path = fault_format("Error/%s", name);
	return s3_xml_find(answer->text, answer->size, path);
}

static char *call_text(const struct s3 *s3, const struct s3_call *call)
{
	return fault_format("%s s3://%s%s%s on %s", call->method, s3->bucket, call->key ? "/" : "",
		call->key ? call->key : "", s3->host);
}

static int refused(struct s3 *s3, const struct s3_call *call, const struct http_answer *answer,
	const char *code, struct fault *fault)
{
	CLEANUP_FREE char *words = error_text(answer, "Message");
	CLEANUP_FREE char *told = error_text(answer, "Region");
	const char *region = told ? told : http_header(answer, "x-amz-bucket-region");
	CLEANUP_FREE char *next = remedy(s3, answer->status, code, region);
	CLEANUP_FREE char *skew = skew_text(s3, code);
	CLEANUP_FREE char *what = call_text(s3, call);
	int r = result_of(call, answer->status, code);
	return fault_set(fault, r, next, "%s: %d%s%s%s%s%s", what, answer->status,
		code[0] ? " " : "", code, words && words[0] ? ": " : "", words ? words : "", skew);
}

int s3_odd_answer(const struct s3 *s3, const struct s3_call *call, struct fault *fault)
{
	CLEANUP_FREE char *what = call_text(s3, call);
	return fault_set(fault, -EPROTO, NULL, "%s: the answer makes no sense", what);
}

bool s3_is_missing(int r, const struct http_answer *answer)
{
	return r == -ENOENT && answer->status == 404 && answer->text &&
		!strstr(answer->text, "NoSuchBucket");
}

static void note_clock(struct s3 *s3, const struct http_answer *answer)
{
	const char *date = http_header(answer, "date");
	time_t theirs = date ? curl_getdate(date, NULL) : -1;
	if (theirs > 0)
		s3->clock_ahead_s = time(NULL) - theirs;
}

/* The code of an answer that is an error, whatever its status; "" of one without; NULL: none. */
static char *error_code(const struct http_answer *answer)
{
	const char *begin = answer->text + strspn(answer->text, " \r\n\t");
	size_t size = answer->size - (size_t)(begin - answer->text);
	bool looks = memmem(begin, size < ROOT_WITHIN ? size : ROOT_WITHIN, "<Error", 6) != NULL;
	char *code = looks ? error_text(answer, "Code") : NULL;
	if (code || answer->status / 100 == 2)
		return code;
	return fault_format("%s", "");
}

static bool is_cut(int r)
{
	return r == -ETIMEDOUT || r == -ECONNRESET || r == -ECONNREFUSED || r == -EHOSTUNREACH;
}

/* -EKEYEXPIRED: the keys have. */
static int send_once(struct s3 *s3, const struct s3_call *call, const struct s3_key *key,
	const char *hash, struct http_answer *answer, struct fault *fault)
{
	http_answer_free(answer);
	int r = send_signed(s3, call, key, hash, answer, fault);
	if (r < 0)
		return is_cut(r) ? -EAGAIN : r;
	note_clock(s3, answer);
	CLEANUP_FREE char *code = error_code(answer);
	if (!code)
		return 0;
	r = refused(s3, call, answer, code, fault);
	return is_expired(code) ? -EKEYEXPIRED : r;
}

int s3_try(
	struct s3 *s3, const struct s3_call *call, struct http_answer *answer, struct fault *fault)
{
	char computed[SIGV4_HASH_TEXT];
	const char *hash = call->hash;
	if (!hash) {
		int r = s3_body_hash(call->body, computed, fault);
		if (r < 0)
			return r;
		hash = computed;
	}
	CLEANUP_KEY struct s3_key key = {0};
	int r = s3_credentials_get(s3->credentials, false, &key, fault);
	if (r == 0)
		r = send_once(s3, call, &key, hash, answer, fault);
	if (r != -EKEYEXPIRED)
		return r;
	/* Expired, says the server; where there are no others, that is the answer. */
	CLEANUP_KEY struct s3_key fresh = {0};
	if (s3_credentials_get(s3->credentials, true, &fresh, NULL) == 0)
		r = send_once(s3, call, &fresh, hash, answer, fault);
	return r == -EKEYEXPIRED ? -EACCES : r;
}

/* ---- again ------------------------------------------------------------------------- */

/* Full jitter: anything from nothing to a limit that doubles. */
static int pause_ms(unsigned attempt)
{
	uint32_t random = 0;
	int64_t limit = (int64_t)PAUSE_MS << (attempt < 10 ? attempt : 10);
	if (limit > PAUSE_MAX_MS)
		limit = PAUSE_MAX_MS;
	if (getrandom(&random, sizeof random, 0) < 0)
		random = (uint32_t)time(NULL);
	return (int)(random % (uint64_t)limit);
}

int s3_wait_again(struct s3 *s3, unsigned attempt, int r, struct fault *fault)
{
	if (r != -EAGAIN || attempt >= s3->attempts)
		return 0;
	int pause = pause_ms(attempt);
	if (s3->note) {
		CLEANUP_FREE char *text = fault_format("%s; attempt %u of %u follows in %d ms",
			fault_what(fault), attempt + 1, s3->attempts, pause);
		s3->note(s3->note_arg, text);
	}
	s3->retries++;
	struct pollfd cancel = {.fd = s3->cancel_fd, .events = POLLIN};
	if (poll(&cancel, 1, pause) > 0)
		return fault_set(fault, -ECANCELED, NULL, "stopped");
	return 1;
}

int s3_send(
	struct s3 *s3, const struct s3_call *call, struct http_answer *answer, struct fault *fault)
{
	for (unsigned attempt = 1;; attempt++) {
		int r = s3_try(s3, call, answer, fault);
		int again = s3_wait_again(s3, attempt, r, fault);
		if (again <= 0)
			return again < 0 ? again : r;
	}
}
