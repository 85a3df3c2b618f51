/* SPDX-License-Identifier: MIT */
#include "support/sigv4.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "support/cleanup.h"
#include "support/fault.h"

#define HASH_BYTES 32

static void hexadecimal(const unsigned char *bytes, char ret[SIGV4_HASH_TEXT])
{
	for (size_t i = 0; i < HASH_BYTES; i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
}

void sigv4_hash(const void *bytes, size_t size, char ret[SIGV4_HASH_TEXT])
{
	unsigned char hash[HASH_BYTES] = {0};
	EVP_Digest(bytes, size, hash, NULL, EVP_sha256(), NULL);
	hexadecimal(hash, ret);
}

char *sigv4_encode(const char *text, bool keep_slashes)
{
	char *encoded = fault_alloc(3 * strlen(text) + 1), *to = encoded;
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if ((*c < 0x80 && isalnum(*c)) || strchr("-._~", *c) || (*c == '/' && keep_slashes))
			*to++ = (char)*c;
		else
			to += snprintf(to, 4, "%%%02X", *c);
	}
	return encoded;
}

void sigv4_stamp(time_t when, char ret[SIGV4_STAMP_TEXT])
{
	struct tm tm;
	gmtime_r(&when, &tm);
	strftime(ret, SIGV4_STAMP_TEXT, "%Y%m%dT%H%M%SZ", &tm);
}

/* ---- lists of texts, sorted -------------------------------------------------- */

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *join(char **items, size_t count, const char *between)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	for (size_t i = 0; f && i < count; i++) {
		fprintf(f, "%s%s", i ? between : "", items[i]);
		free(items[i]);
	}
	free(items);
	if (f)
		fclose(f);
	return text ? text : fault_alloc(1);
}

/* By name, then by value: "=" would sort after what may follow in a longer name. */
static int by_pair(const void *a, const void *b)
{
	const struct sigv4_pair *x = a, *y = b;
	int order = strcmp(x->name, y->name);
	return order ? order : strcmp(x->value, y->value);
}

char *sigv4_query(const struct sigv4_pair *pairs, size_t count)
{
	struct encoded {
		struct sigv4_pair pair; /* first: by_pair */
		char *name, *value;
	} *items = fault_alloc((count + 1) * sizeof *items);
	for (size_t i = 0; i < count; i++) {
		items[i].name = sigv4_encode(pairs[i].name, false);
		items[i].value = sigv4_encode(pairs[i].value ? pairs[i].value : "", false);
		items[i].pair = (struct sigv4_pair){items[i].name, items[i].value};
	}
	qsort(items, count, sizeof *items, by_pair);
	char **texts = fault_alloc((count + 1) * sizeof *texts);
	for (size_t i = 0; i < count; i++) {
		texts[i] = fault_format("%s=%s", items[i].name, items[i].value);
		free(items[i].name);
		free(items[i].value);
	}
	free(items);
	return join(texts, count, "&");
}

/* Blanks at the ends are left out, runs of them are one. */
static char *trimmed(const char *value)
{
	char *text = fault_alloc(strlen(value) + 1), *to = text;
	for (; *value; value++)
		if (*value != ' ' && *value != '\t')
			*to++ = *value;
		else if (to > text && to[-1] != ' ')
			*to++ = ' ';
	if (to > text && to[-1] == ' ')
		to[-1] = 0;
	return text;
}

static bool seen_before(const struct sigv4_request *request, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (strcasecmp(request->headers[i].name, request->headers[index].name) == 0)
			return true;
	return false;
}

/* "name:value,value", or the name alone. */
static char *header_line(const struct sigv4_request *request, size_t index, bool name_only)
{
	const char *name = request->headers[index].name;
	char *line = fault_format("%s%s", name, name_only ? "" : ":");
	for (char *c = line; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	for (size_t i = index, found = 0; !name_only && i < request->header_count; i++) {
		if (strcasecmp(request->headers[i].name, name) != 0)
			continue;
		CLEANUP_FREE char *value = trimmed(request->headers[i].value);
		char *longer = fault_format("%s%s%s", line, found++ ? "," : "", value);
		free(line);
		line = longer;
	}
	return line;
}

/* Sorted by name: a colon would sort after a hyphen of a longer one. */
static char *header_lines(const struct sigv4_request *request, bool names_only)
{
	char **names = fault_alloc((request->header_count + 1) * sizeof *names);
	size_t count = 0;
	for (size_t i = 0; i < request->header_count; i++)
		if (!seen_before(request, i))
			names[count++] = header_line(request, i, true);
	qsort(names, count, sizeof *names, by_bytes);
	for (size_t k = 0; !names_only && k < count; k++)
		for (size_t i = 0; i < request->header_count; i++) {
			if (strcasecmp(request->headers[i].name, names[k]) != 0)
				continue;
			free(names[k]);
			names[k] = header_line(request, i, false);
			break;
		}
	return join(names, count, names_only ? ";" : "\n");
}

/* ---- signing ------------------------------------------------------------------ */

char *sigv4_canonical(const struct sigv4_request *request)
{
	CLEANUP_FREE char *lines = header_lines(request, false);
	CLEANUP_FREE char *names = header_lines(request, true);
	return fault_format("%s\n%s\n%s\n%s\n\n%s\n%s", request->method, request->path,
		request->query ? request->query : "", lines, names, request->payload_hash);
}

static char *scope(const struct sigv4_request *request)
{
	return fault_format(
		"%.8s/%s/%s/aws4_request", request->stamp, request->region, request->service);
}

char *sigv4_to_sign(const struct sigv4_request *request)
{
	CLEANUP_FREE char *canonical = sigv4_canonical(request);
	CLEANUP_FREE char *where = scope(request);
	char hash[SIGV4_HASH_TEXT];
	sigv4_hash(canonical, strlen(canonical), hash);
	return fault_format("AWS4-HMAC-SHA256\n%s\n%s\n%s", request->stamp, where, hash);
}

static void hmac(unsigned char key[HASH_BYTES], const char *text, size_t size)
{
	unsigned char result[HASH_BYTES] = {0};
	HMAC(EVP_sha256(), key, HASH_BYTES, (const unsigned char *)text, size, result, NULL);
	memcpy(key, result, HASH_BYTES);
}

static void sign(
	const struct sigv4_request *request, const char *secret_key, char ret[SIGV4_HASH_TEXT])
{
	unsigned char key[HASH_BYTES] = {0};
	CLEANUP_FREE char *to_sign = sigv4_to_sign(request);
	char *secret = fault_format("AWS4%s", secret_key);
	HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)request->stamp, 8,
		key, NULL);
	OPENSSL_cleanse(secret, strlen(secret));
	free(secret);
	hmac(key, request->region, strlen(request->region));
	hmac(key, request->service, strlen(request->service));
	hmac(key, "aws4_request", strlen("aws4_request"));
	hmac(key, to_sign, strlen(to_sign));
	hexadecimal(key, ret);
}

char *sigv4_authorization(
	const struct sigv4_request *request, const char *access_key, const char *secret_key)
{
	char signature[SIGV4_HASH_TEXT];
	CLEANUP_FREE char *where = scope(request);
	CLEANUP_FREE char *names = header_lines(request, true);
	sign(request, secret_key, signature);
	return fault_format("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s",
		access_key, where, names, signature);
}
