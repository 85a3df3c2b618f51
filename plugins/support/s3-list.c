/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cleanup.h"
#include "support/s3-send.h"
#include "support/s3-xml.h"

#define PAGE_LIMIT ((size_t)16 << 20) /* bytes of one page: 1000 keys of 1 KiB, encoded */

/* A page as it is read: what it lists, and where the next one begins. */
struct page {
	const char *root; /* "ListBucketResult" */
	struct s3_object object;
	char *upload;
	s3_each each;
	s3_each_upload each_upload;
	void *arg;
	int stopped;
	bool more, encoded;
	/* The next page: a token, or the key and the version or upload of the last entry (what
	 * servers say of it, some encode and some do not). */
	char *next_key, *next_id;
	char *earlier; /* one of the places where a page began */
	uint64_t count;
};

/* The keys of a listing are encoded as in URLs, since XML cannot hold every byte; some servers
 * write a space as "+". */
static char *decoded(const struct page *page, const char *text)
{
	char *plain = fault_format("%s", text), *to = plain;
	for (const char *c = plain; page->encoded && *c; c++) {
		unsigned byte;
		int used = 0;
		if (*c == '%' && sscanf(c, "%%%2x%n", &byte, &used) == 1 && used == 3) {
			*to++ = (char)byte;
			c += 2;
		} else {
			*to++ = *c == '+' ? ' ' : *c;
		}
	}
	if (page->encoded)
		*to = 0;
	return plain;
}

static void put_text(char **place, char *text)
{
	free(*place);
	*place = text;
}

/* An entry is complete.  Prefixes come as objects without an ETag. */
static void entry_end(struct page *page)
{
	const struct s3_upload upload = {.key = page->object.key,
		.upload = page->upload,
		.begun_s = page->object.modified_s};
	if (page->stopped == 0 && page->object.key)
		page->stopped = page->each_upload ? page->each_upload(page->arg, &upload)
						  : page->each(page->arg, &page->object);
	if (page->object.version || page->upload) {
		put_text(&page->next_id,
			page->upload ? TAKE_PTR(page->upload) : TAKE_PTR(page->object.version));
		put_text(&page->next_key, TAKE_PTR(page->object.key));
	}
	s3_object_free(&page->object);
	put_text(&page->upload, NULL);
}

static void entry_field(struct page *page, const char *field, const char *text)
{
	struct s3_object *object = &page->object;
	if (strcmp(field, "Key") == 0 || strcmp(field, "Prefix") == 0)
		put_text(&object->key, decoded(page, text));
	else if (strcmp(field, "ETag") == 0)
		put_text(&object->etag, s3_etag(text));
	else if (strcmp(field, "Size") == 0)
		object->size = strtoull(text, NULL, 10);
	else if (strcmp(field, "LastModified") == 0 || strcmp(field, "Initiated") == 0)
		object->modified_s = s3_time(text);
	else if (strcmp(field, "VersionId") == 0)
		put_text(&object->version, fault_format("%s", text));
	else if (strcmp(field, "IsLatest") == 0)
		object->latest = strcmp(text, "true") == 0;
	else if (strcmp(field, "UploadId") == 0)
		put_text(&page->upload, fault_format("%s", text));
}

static void page_field(struct page *page, const char *field, const char *text)
{
	if (strcmp(field, "IsTruncated") == 0)
		page->more = strcmp(text, "true") == 0;
	else if (strcmp(field, "NextContinuationToken") == 0)
		put_text(&page->next_key, fault_format("%s", text));
}

static const char *const entries[] = {
	"Contents", "CommonPrefixes", "Version", "DeleteMarker", "Upload"};

static void page_end(void *arg, const char *path, const char *text)
{
	struct page *page = arg;
	size_t length = strlen(page->root);
	if (strncmp(path, page->root, length) != 0 || path[length] != '/')
		return;
	path += length + 1;
	const char *slash = strchr(path, '/');
	size_t first = slash ? (size_t)(slash - path) : strlen(path);
	for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
		if (strlen(entries[i]) != first || strncmp(path, entries[i], first) != 0)
			continue;
		page->object.marker = strcmp(entries[i], "DeleteMarker") == 0;
		if (slash)
			entry_field(page, slash + 1, text);
		else
			entry_end(page);
		return;
	}
	if (!slash)
		page_field(page, path, text);
}

/* Whether keys are encoded stands behind them in some answers. */
static int page_read(struct page *page, const struct http_answer *answer)
{
	CLEANUP_FREE char *path = fault_format("%s/EncodingType", page->root);
	CLEANUP_FREE char *encoding = s3_xml_find(answer->text, answer->size, path);
	page->encoded = encoding && strcmp(encoding, "url") == 0;
	page->more = false;
	put_text(&page->next_key, NULL);
	put_text(&page->next_id, NULL);
	return s3_xml_read(answer->text, answer->size, page_end, page);
}

static void ask(struct s3_call *call, const char *name, const char *value)
{
	if (value)
		call->query[call->query_count++] = (struct sigv4_pair){name, value};
}

/* Whether the next page was there before.  Each power of two of pages its place is kept, and those
 * after it are compared with that: a circle of any length is found. */
static bool is_circle(struct page *page)
{
	CLEANUP_FREE char *next =
		fault_format("%s\n%s", page->next_key, page->next_id ? page->next_id : "");
	if (page->earlier && strcmp(page->earlier, next) == 0)
		return true;
	page->count++;
	if ((page->count & (page->count - 1)) == 0)
		put_text(&page->earlier, TAKE_PTR(next));
	return false;
}

/* The names of the markers of the next page: by key and by id (NULL: one token). */
static int list_pages(struct s3 *s3, struct s3_call *first, struct page *page, const char *key_name,
	const char *id_name, struct fault *fault)
{
	int r = 0;
	do {
		CLEANUP_ANSWER struct http_answer answer = {0};
		struct s3_call call = *first;
		ask(&call, key_name, page->next_key);
		ask(&call, id_name, id_name ? page->next_id : NULL);
		r = s3_send(s3, &call, &answer, fault);
		if (r == 0 && (page_read(page, &answer) < 0 || (page->more && !page->next_key)))
			r = s3_odd_answer(s3, &call, fault);
		if (r == 0 && page->stopped == 0 && page->more && is_circle(page))
			r = fault_set(fault, -EPROTO, "ask who runs the server",
				"%s: the server's listing repeats itself", s3_place(s3));
	} while (r == 0 && page->stopped == 0 && page->more);
	s3_object_free(&page->object);
	free(page->upload);
	free(page->next_key);
	free(page->next_id);
	free(page->earlier);
	return r < 0 ? r : page->stopped;
}

int s3_list(struct s3 *s3, const char *prefix, const char *delimiter, s3_each each, void *arg,
	struct fault *fault)
{
	struct page page = {.root = "ListBucketResult", .each = each, .arg = arg};
	struct s3_call call = {.method = "GET", .text_limit = PAGE_LIMIT};
	ask(&call, "list-type", "2");
	ask(&call, "encoding-type", "url");
	ask(&call, "prefix", prefix);
	ask(&call, "delimiter", delimiter);
	return list_pages(s3, &call, &page, "continuation-token", NULL, fault);
}

int s3_list_versions(
	struct s3 *s3, const char *prefix, s3_each each, void *arg, struct fault *fault)
{
	struct page page = {.root = "ListVersionsResult", .each = each, .arg = arg};
	struct s3_call call = {.method = "GET", .text_limit = PAGE_LIMIT};
	ask(&call, "versions", "");
	ask(&call, "encoding-type", "url");
	ask(&call, "prefix", prefix);
	return list_pages(s3, &call, &page, "key-marker", "version-id-marker", fault);
}

int s3_uploads(
	struct s3 *s3, const char *prefix, s3_each_upload each, void *arg, struct fault *fault)
{
	struct page page = {.root = "ListMultipartUploadsResult", .each_upload = each, .arg = arg};
	struct s3_call call = {.method = "GET", .text_limit = PAGE_LIMIT};
	/* Without encoding-type: Ceph RGW would encode the keys and not say so. */
	ask(&call, "uploads", "");
	ask(&call, "prefix", prefix);
	return list_pages(s3, &call, &page, "key-marker", "upload-id-marker", fault);
}
