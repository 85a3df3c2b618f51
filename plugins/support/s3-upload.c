/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cleanup.h"
#include "support/s3-send.h"
#include "support/s3-xml.h"

#define MD5_BYTES 16
#define PARTS_LIMIT ((size_t)4 << 20)

int s3_upload_begin(struct s3 *s3, const char *key, const struct s3_put *put, char **ret_upload,
	struct fault *fault)
{
	CLEANUP_ANSWER struct http_answer answer = {0};
	const struct http_body body = {.bytes = "", .size = 0};
	size_t count = put ? put->header_count : 0;
	CLEANUP_FREE const char **headers = fault_alloc((count + 1) * sizeof *headers);
	for (size_t i = 0; i < count; i++)
		headers[i] = put->headers[i];
	if (s3->checksum)
		headers[count++] = "x-amz-checksum-algorithm: SHA256";
	const struct s3_call call = {.method = "POST",
		.key = key,
		.query = {{"uploads", ""}},
		.query_count = 1,
		.headers = headers,
		.header_count = count,
		.body = &body};
	int r = s3_send(s3, &call, &answer, fault);
	if (r < 0)
		return r;
	*ret_upload =
		s3_xml_find(answer.text, answer.size, "InitiateMultipartUploadResult/UploadId");
	return *ret_upload ? 0 : s3_odd_answer(s3, &call, fault);
}

int s3_upload_part(struct s3 *s3, const char *key, const char *upload, unsigned number,
	const struct http_body *body, const char *hash, struct s3_part *ret, struct fault *fault)
{
	CLEANUP_ANSWER struct http_answer answer = {0};
	CLEANUP_FREE char *sum = NULL;
	CLEANUP_FREE char *etag = NULL;
	char text[16], room[SIGV4_HASH_TEXT];
	struct s3_part part = {.number = number, .size = body->size};
	snprintf(text, sizeof text, "%u", number);
	int r = s3_sum_make(s3, body, &hash, room, &sum, fault);
	if (r < 0)
		return r;
	const struct s3_call call = {.method = "PUT",
		.key = key,
		.query = {{"partNumber", text}, {"uploadId", upload}},
		.query_count = 2,
		.headers = (const char *const[]){sum},
		.header_count = sum != NULL,
		.body = body,
		.hash = hash};
	r = s3_send(s3, &call, &answer, fault);
	if (r < 0)
		return r;
	etag = s3_etag(http_header(&answer, "etag"));
	if (!etag || !etag[0])
		return fault_set(fault, -EPROTO, NULL,
			"%s: the server took part %u of \"%s\" without an ETag, which it needs to "
			"be completed",
			s3->place, number, key);
	r = s3_sum_read(s3, key, &answer, sum, &part.sha256, fault);
	if (r < 0)
		return r;
	part.etag = TAKE_PTR(etag);
	*ret = part;
	return 0;
}

static char *complete_text(const struct s3_part *parts, size_t count, size_t *ret_size)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_size);
	if (!f)
		return NULL;
	fputs("<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">", f);
	for (size_t i = 0; i < count; i++) {
		CLEANUP_FREE char *etag = s3_xml_escape(parts[i].etag);
		fprintf(f, "<Part><PartNumber>%u</PartNumber><ETag>&quot;%s&quot;</ETag>",
			parts[i].number, etag);
		if (parts[i].sha256) { /* Swift knows no such element */
			CLEANUP_FREE char *sum = s3_xml_escape(parts[i].sha256);
			fprintf(f, "<ChecksumSHA256>%s</ChecksumSHA256>", sum);
		}
		fputs("</Part>", f);
	}
	fputs("</CompleteMultipartUpload>", f);
	return fclose(f) == 0 ? text : NULL;
}

/* What is to become of the parts. */
struct making {
	const char *key;
	char *etag; /* NULL: not to be foretold */
	uint64_t size;
};

/* What the server has now under this key, where it is what the parts make. */
static int look_at_made(
	struct s3 *s3, const struct making *making, struct s3_object *ret, struct fault *fault)
{
	int r = s3_head(s3, making->key, NULL, ret, fault);
	if (r < 0)
		return r;
	if (ret->size == making->size && (!making->etag || strcmp(ret->etag, making->etag) == 0))
		return 0;
	return fault_set(fault, -EBADMSG, NULL,
		"%s: \"%s\" has %llu bytes and ETag %s after its upload; %llu and %s were sent",
		s3->place, making->key, (unsigned long long)ret->size, ret->etag,
		(unsigned long long)making->size, making->etag ? making->etag : "another");
}

/* Ceph RGW's answer has an empty ETag. */
static int read_completed(struct s3 *s3, const struct making *making, struct http_answer *answer,
	struct s3_object *ret, struct fault *fault)
{
	CLEANUP_FREE char *etag =
		s3_xml_find(answer->text, answer->size, "CompleteMultipartUploadResult/ETag");
	CLEANUP_OBJECT struct s3_object named = {0};
	if (!etag || !etag[0])
		return look_at_made(s3, making, ret, fault);
	s3_object_take(&named, answer);
	char *version = TAKE_PTR(named.version);
	*ret = (struct s3_object){.etag = s3_etag(etag), .version = version, .size = making->size};
	return 0;
}

static int send_complete(struct s3 *s3, const struct making *making, const char *upload,
	const struct http_body *body, bool if_none_match, struct s3_object *ret,
	struct fault *fault)
{
	CLEANUP_ANSWER struct http_answer answer = {0};
	const struct s3_call call = {.method = "POST",
		.key = making->key,
		.query = {{"uploadId", upload}},
		.query_count = 1,
		.headers = (const char *const[]){"if-none-match: *"},
		.header_count = if_none_match,
		.body = body,
		.precondition = -EEXIST};
	unsigned before = s3->retries;
	int r = s3_send(s3, &call, &answer, fault);
	if (r == 0)
		return read_completed(s3, making, &answer, ret, fault);
	/* An answer that was lost: the upload is gone since it was completed. */
	if (s3_is_missing(r, &answer) && s3->retries > before)
		return look_at_made(s3, making, ret, fault);
	return r;
}

int s3_upload_complete(struct s3 *s3, const char *key, const char *upload,
	const struct s3_part *parts, size_t count, const struct s3_put *put, struct s3_object *ret,
	struct fault *fault)
{
	CLEANUP_OBJECT struct s3_object object = {0};
	size_t length = 0;
	CLEANUP_FREE char *text = complete_text(parts, count, &length);
	CLEANUP_FREE char *etag = s3_parts_etag(parts, count);
	struct making making = {.key = key, .etag = etag};
	if (!text)
		return fault_set(fault, -ENOMEM, NULL, "out of memory");
	for (size_t i = 0; i < count; i++)
		making.size += parts[i].size;
	const struct http_body body = {.bytes = text, .size = length};
	bool condition = put && put->if_none_match;
	int r = send_complete(s3, &making, upload, &body, condition, &object, fault);
	if (r == -EOPNOTSUPP && condition) {
		r = s3_none_there(s3, key, fault);
		if (r == 0)
			r = send_complete(s3, &making, upload, &body, false, &object, fault);
	}
	if (r == 0 && ret) {
		*ret = object;
		object = (struct s3_object){0};
	}
	return r;
}

int s3_upload_abort(struct s3 *s3, const char *key, const char *upload, struct fault *fault)
{
	CLEANUP_ANSWER struct http_answer answer = {0};
	const struct s3_call call = {
		.method = "DELETE", .key = key, .query = {{"uploadId", upload}}, .query_count = 1};
	int r = s3_send(s3, &call, &answer, fault);
	return s3_is_missing(r, &answer) ? 0 : r;
}

/* ---- parts -------------------------------------------------------------------------- */

struct part_page {
	struct s3_part *parts;
	size_t count;
	struct s3_part part;
	bool more, answered;
	char *next;
};

static void read_part(void *arg, const char *path, const char *text)
{
	struct part_page *page = arg;
	if (strcmp(path, "ListPartsResult") == 0) {
		page->answered = true;
	} else if (strcmp(path, "ListPartsResult/IsTruncated") == 0) {
		page->more = strcmp(text, "true") == 0;
	} else if (strcmp(path, "ListPartsResult/NextPartNumberMarker") == 0) {
		free(page->next);
		page->next = fault_format("%s", text);
	} else if (strcmp(path, "ListPartsResult/Part/PartNumber") == 0) {
		page->part.number = (unsigned)strtoul(text, NULL, 10);
	} else if (strcmp(path, "ListPartsResult/Part/Size") == 0) {
		page->part.size = strtoull(text, NULL, 10);
	} else if (strcmp(path, "ListPartsResult/Part/ETag") == 0) {
		free(page->part.etag);
		page->part.etag = s3_etag(text);
	} else if (strcmp(path, "ListPartsResult/Part/ChecksumSHA256") == 0) {
		free(page->part.sha256);
		page->part.sha256 = fault_format("%s", text);
	} else if (strcmp(path, "ListPartsResult/Part") == 0) {
		page->parts = fault_resize(page->parts, page->count + 1, sizeof *page->parts);
		page->parts[page->count++] = page->part;
		page->part = (struct s3_part){0};
	}
}

int s3_upload_parts(struct s3 *s3, const char *key, const char *upload, struct s3_part **ret,
	size_t *ret_count, struct fault *fault)
{
	struct part_page page = {0};
	int r = 0;
	do {
		CLEANUP_ANSWER struct http_answer answer = {0};
		struct s3_call call = {.method = "GET",
			.key = key,
			.query = {{"uploadId", upload}, {"part-number-marker", page.next}},
			.query_count = page.next ? 2 : 1,
			.text_limit = PARTS_LIMIT};
		r = s3_send(s3, &call, &answer, fault);
		page.more = page.answered = false;
		if (r == 0 &&
			(s3_xml_read(answer.text, answer.size, read_part, &page) < 0 ||
				!page.answered || (page.more && !page.next)))
			r = s3_odd_answer(s3, &call, fault);
	} while (r == 0 && page.more);
	free(page.next);
	s3_part_clear(&page.part);
	if (r < 0) {
		s3_parts_free(page.parts, page.count);
		return r;
	}
	*ret = page.parts;
	*ret_count = page.count;
	return 0;
}

void s3_part_clear(struct s3_part *part)
{
	free(TAKE_PTR(part->etag));
	free(TAKE_PTR(part->sha256));
}

void s3_parts_free(struct s3_part *parts, size_t count)
{
	for (size_t i = 0; parts && i < count; i++)
		s3_part_clear(&parts[i]);
	free(parts);
}

char *s3_parts_etag(const struct s3_part *parts, size_t count)
{
	unsigned char *sums = fault_alloc(count * MD5_BYTES + 1), hash[EVP_MAX_MD_SIZE] = {0};
	char text[2 * MD5_BYTES + 1];
	bool good = count > 0;
	for (size_t i = 0; good && i < count; i++) {
		const char *etag = parts[i].etag;
		good = strlen(etag) == 2 * MD5_BYTES &&
			strspn(etag, "0123456789abcdef") == 2 * MD5_BYTES;
		for (size_t k = 0; good && k < MD5_BYTES; k++) {
			unsigned byte = 0;
			sscanf(etag + 2 * k, "%2x", &byte);
			sums[i * MD5_BYTES + k] = (unsigned char)byte;
		}
	}
	EVP_Digest(sums, count * MD5_BYTES, hash, NULL, EVP_md5(), NULL);
	free(sums);
	for (size_t i = 0; i < MD5_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", hash[i]);
	return good ? fault_format("%s-%zu", text, count) : NULL;
}
