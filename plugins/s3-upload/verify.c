/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "s3-upload/put.h"
#include "s3-upload/reader.h"
#include "support/cleanup.h"
#include "support/store.h"

#define MD5_TEXT 33

/* All bytes of an object, on their way past: the SHA-256 of all, or the MD5 of each part. */
struct sums {
	struct store_hash *sha256; /* NULL: MD5 */
	EVP_MD_CTX *md5;
	struct parts cut;
	struct s3_part *parts;
	size_t count;
	uint64_t left; /* bytes until the part's end */
};

int32_t verify_check(struct upkeep_ctx *ctx)
{
	const struct verify_args *args = ctx->args;
	if (args->sha256[0] && strcmp(args->level, "head") == 0)
		return upkeep_fail(ctx, UPKEEP_FAILED, "set level = \"get\"", NULL,
			"sha256 cannot be compared without reading the object");
	if (args->sha256[0] && strlen(args->sha256) != STORE_HASH_TEXT - 1)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL,
			"sha256: \"%s\" is not 64 hexadecimal digits", args->sha256);
	return UPKEEP_UNCHANGED;
}

static void part_begin(struct sums *sums)
{
	EVP_DigestInit_ex(sums->md5, EVP_md5(), NULL);
	sums->left = parts_size(&sums->cut, (unsigned)sums->count + 1);
}

static void part_end(struct sums *sums)
{
	unsigned char sum[EVP_MAX_MD_SIZE] = {0};
	char *text = fault_alloc(MD5_TEXT);
	EVP_DigestFinal_ex(sums->md5, sum, NULL);
	for (size_t i = 0; i < (MD5_TEXT - 1) / 2; i++)
		snprintf(text + 2 * i, 3, "%02x", sum[i]);
	sums->parts = fault_resize(sums->parts, sums->count + 1, sizeof *sums->parts);
	sums->parts[sums->count] =
		(struct s3_part){.number = (unsigned)sums->count + 1, .etag = text};
	sums->count++;
	part_begin(sums);
}

static int sums_add(void *arg, const void *bytes, size_t size)
{
	struct sums *sums = arg;
	if (sums->sha256) {
		store_hash_add(sums->sha256, bytes, size);
		return 0;
	}
	for (const char *at = bytes; size;) {
		size_t some = size < sums->left ? size : (size_t)sums->left;
		EVP_DigestUpdate(sums->md5, at, some);
		at += some;
		size -= some;
		sums->left -= some;
		if (!sums->left)
			part_end(sums);
	}
	return 0;
}

/* Whether the ETag is a sum of the bytes that can be computed: then how they were cut. */
static bool is_sum(const struct s3_object *object, struct parts *ret)
{
	const char *etag = object->etag;
	const char *sealed = s3_object_header(object, "x-amz-server-side-encryption");
	size_t digits = strspn(etag, "0123456789abcdef");
	if (digits != MD5_TEXT - 1 || (sealed && strncmp(sealed, "aws:kms", 7) == 0) ||
		s3_object_header(object, "x-amz-server-side-encryption-customer-algorithm"))
		return false;
	if (!etag[digits]) {
		*ret = (struct parts){UINT64_MAX, UINT64_MAX};
		return true;
	}
	return etag[digits] == '-' &&
		parts_read(ret, s3_object_header(object, PUT_META_PARTS)) == 0 &&
		parts_count(ret, object->size) == strtoul(etag + digits + 1, NULL, 10);
}

static int compare_etag(
	struct sums *sums, const struct s3_object *object, uint64_t size, struct fault *fault)
{
	if (sums->left != parts_size(&sums->cut, (unsigned)sums->count + 1) || size == 0)
		part_end(sums);
	CLEANUP_FREE char *etag = strchr(object->etag, '-')
		? s3_parts_etag(sums->parts, sums->count)
		: fault_format("%s", sums->parts[0].etag);
	return etag && strcmp(etag, object->etag) == 0
		? 0
		: fault_set(fault, -EBADMSG, NULL,
			  "its bytes make the ETag %s, and the server says %s", etag ? etag : "",
			  object->etag);
}

static int read_sums(const struct place *place, const struct reader_source *source,
	const struct s3_object *object, const char *wanted, char hash[STORE_HASH_TEXT],
	struct fault *fault)
{
	struct sums sums = {0};
	hash[0] = 0;
	if (wanted)
		sums.sha256 = store_hash_begin();
	else if (!is_sum(object, &sums.cut))
		return fault_set(fault, -EINVAL, "set sha256 to what it should be",
			"nothing is known that its bytes could be compared with");
	sums.md5 = EVP_MD_CTX_new();
	if (!wanted)
		part_begin(&sums);
	int r = reader_read(place, source, sums_add, &sums, fault);
	if (wanted)
		store_hash_end(&sums.sha256, hash);
	if (r == 0 && wanted && strcmp(hash, wanted) != 0)
		r = fault_set(fault, -EBADMSG, NULL,
			"its bytes have the SHA-256 %s, and should have %s", hash, wanted);
	else if (r == 0 && !wanted)
		r = compare_etag(&sums, object, source->size, fault);
	EVP_MD_CTX_free(sums.md5);
	s3_parts_free(sums.parts, sums.count);
	return r;
}

static int compare_head(struct upkeep_ctx *ctx, const struct s3_object *object,
	const struct reader_source *source, struct fault *fault)
{
	const struct verify_args *args = ctx->args;
	if (UPKEEP_GIVEN(ctx, struct verify_args, size) && args->size != source->size)
		return fault_set(fault, -EBADMSG, NULL, "it has %llu bytes, and should have %llu",
			(unsigned long long)source->size, (unsigned long long)args->size);
	if (args->etag[0] && strcmp(args->etag, object->etag) != 0)
		return fault_set(fault, -EBADMSG, NULL, "it has the ETag %s, and should have %s",
			object->etag, args->etag);
	return 0;
}

static int verify_all(
	struct upkeep_ctx *ctx, const struct place *place, const char *key, struct fault *fault)
{
	const struct verify_args *args = ctx->args;
	CLEANUP_OBJECT struct s3_object object = {0};
	struct reader_source source;
	char hash[STORE_HASH_TEXT] = "", size[24];
	int r = reader_find(place, key, args->version, &object, &source, fault);
	if (r == 0)
		r = compare_head(ctx, &object, &source, fault);
	const char *wanted = args->sha256[0] ? args->sha256
		: r == 0                     ? s3_object_header(&object, PUT_META_HASH)
					     : NULL;
	if (r == 0 && strcmp(args->level, "get") == 0)
		r = read_sums(place, &source, &object, wanted, hash, fault);
	if (r < 0)
		return r;
	snprintf(size, sizeof size, "%llu", (unsigned long long)source.size);
	upkeep_output_text(ctx, "size", size);
	upkeep_output_text(ctx, "etag", object.etag);
	upkeep_output_text(ctx, "version", source.version ? source.version : "");
	upkeep_output_text(ctx, "sha256", hash);
	return 0;
}

int32_t verify_run(struct upkeep_ctx *ctx)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_PLACE struct place place = {0};
	const struct verify_args *args = ctx->args;
	int r = place_open(&place, ctx, &fault);
	if (r < 0)
		return fault_report(ctx, r, &fault);
	CLEANUP_FREE char *key = place_key(&place, args->key);
	r = verify_all(ctx, &place, key, &fault);
	if (r == -EBADMSG) {
		CLEANUP_FREE char *url = place_url(&place, key);
		fault_prefix(&fault, "%s is not what it should be", url);
	}
	return r < 0 ? fault_report(ctx, r, &fault) : UPKEEP_UNCHANGED;
}
