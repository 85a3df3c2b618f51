/* SPDX-License-Identifier: MIT */
#include "s3-upload/put.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "s3-upload/reader.h"
#include "support/cleanup.h"
#include "support/store.h"
#include "support/stream.h"

int32_t put_check(struct upkeep_ctx *ctx)
{
	CLEANUP_FAULT struct fault fault = {0};
	int r = put_headers_check(ctx->args, &fault);
	return r < 0 ? fault_report(ctx, r, &fault) : UPKEEP_UNCHANGED;
}

static int open_file(struct put *put, struct fault *fault)
{
	const char *path = put->args->file;
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &put->st) < 0)
		return fault_set(fault, -errno, NULL, "cannot open \"%s\": %m", path);
	if (!S_ISREG(put->st.st_mode))
		return fault_set(fault, -EINVAL, NULL, "\"%s\" is no regular file", path);
	put->file = TAKE_FD(fd);
	return 0;
}

/* What is to be stored; a plan has no streams. */
static int open_source(struct put *put, bool planning, struct fault *fault)
{
	bool file = put->args->file != NULL;
	put->stream = planning ? -1 : stream_open(put->ctx);
	if (file && put->stream >= 0)
		return fault_set(fault, -EINVAL, "leave one of them out",
			"file is set, and the task reads a stream as well");
	if (file)
		return open_file(put, fault);
	return put->stream >= 0 || planning
		? 0
		: fault_set(fault, -EINVAL, "set file, or from to the task that it is to read",
			  "there is nothing to put");
}

static bool keeps_versions(struct put *put)
{
	enum s3_versioning versioning = S3_VERSIONS_NONE;
	CLEANUP_FAULT struct fault fault = {0};
	return s3_bucket_versioning(put->place.s3, &versioning, &fault) == 0 &&
		versioning == S3_VERSIONS_ENABLED;
}

/* Whatever is replaced can be brought back, or nothing is. */
static int look_at_target(struct put *put, struct fault *fault)
{
	int r = s3_head(put->place.s3, put->key, NULL, NULL, fault);
	CLEANUP_FREE char *url = place_url(&put->place, put->key);
	/* Keys that may only write: the condition of the request itself decides. */
	bool blind = r == -EACCES && put->args->if_none_match;
	if (r < 0 && r != -ENOENT && !blind)
		return r;
	bool there = r == 0;
	fault_clear(fault);
	if (put->args->if_none_match && there)
		return fault_set(fault, -EEXIST, "choose another key, or set if_none_match = false",
			"there is an object %s", url);
	if (put->args->if_none_match)
		return 0;
	put->condition = !put->args->lose_replaced && !keeps_versions(put);
	if (!there || !put->condition)
		return 0;
	return fault_set(fault, -EEXIST,
		"choose another key, switch versioning on, or set lose_replaced = true",
		"%s would be lost: the bucket keeps no versions", url);
}

static int put_open(struct put *put, struct upkeep_ctx *ctx, bool planning, struct fault *fault)
{
	unsigned char random[(PUT_ID_TEXT - 1) / 2];
	*put = (struct put){
		.ctx = ctx, .args = ctx->args, .stream = -1, .file = -1, .condition = true};
	int r = place_open(&put->place, ctx, fault);
	if (r < 0)
		return r;
	put->key = place_key(&put->place, put->args->key);
	if (getrandom(random, sizeof random, 0) != sizeof random)
		return fault_set(fault, -EIO, NULL, "cannot get random bytes: %m");
	for (size_t i = 0; i < sizeof random; i++)
		snprintf(put->id + 2 * i, 3, "%02x", random[i]);
	put_headers_lock(put);
	r = open_source(put, planning, fault);
	return r == 0 ? look_at_target(put, fault) : r;
}

static void put_close(struct put *put)
{
	s3_parts_free(put->made, S3_PARTS_MAX);
	free(put->upload);
	free(put->resume);
	free(put->key);
	s3_object_free(&put->object);
	if (put->file >= 0)
		close(put->file);
	place_close(&put->place);
}
#define CLEANUP_PUT __attribute__((cleanup(put_close)))

/* The ETag is what the parts' sums foretell, where they are sums: not with a key of KMS. */
static int verify_head(struct put *put, struct fault *fault)
{
	CLEANUP_OBJECT struct s3_object there = {0};
	CLEANUP_FREE char *etag = put->made && strcmp(put->args->sse, "kms") != 0
		? s3_parts_etag(put->made, put->parts)
		: NULL;
	int r = s3_head(put->place.s3, put->key, put->object.version, &there, fault);
	if (r < 0)
		return r;
	const char *id = s3_object_header(&there, PUT_META_ID);
	if (there.size != put->size || !id || strcmp(id, put->id) != 0 ||
		(etag && strcmp(etag, there.etag) != 0))
		return fault_set(fault, -EBADMSG, NULL,
			"the server has %llu bytes with ETag %s, put were %llu with %s",
			(unsigned long long)there.size, there.etag, (unsigned long long)put->size,
			etag ? etag : "another name");
	free(put->object.etag);
	put->object.etag = TAKE_PTR(there.etag);
	return put_headers_kept(put, &there, fault);
}

static int add_hash(void *arg, const void *bytes, size_t size)
{
	store_hash_add(arg, bytes, size);
	return 0;
}

static int verify_get(struct put *put, struct fault *fault)
{
	char hash[STORE_HASH_TEXT];
	struct store_hash *hashing = store_hash_begin();
	const struct reader_source source = {.key = put->key,
		.version = put->object.version,
		.etag = put->object.etag[0] ? put->object.etag : NULL,
		.size = put->size};
	int r = reader_read(&put->place, &source, add_hash, hashing, fault);
	store_hash_end(&hashing, hash);
	if (r == 0 && strcmp(hash, put->hash) != 0)
		r = fault_set(fault, -EBADMSG, NULL,
			"what comes back has the SHA-256 %s, put was %s", hash, put->hash);
	return r;
}

/* Ceph RGW forgets the lock of what was sent in parts. */
static int lock(struct put *put, struct fault *fault)
{
	CLEANUP_OBJECT struct s3_object there = {0};
	if (!put->lock)
		return 0;
	int r = s3_head(put->place.s3, put->key, put->object.version, &there, fault);
	if (r == 0 && !s3_object_header(&there, "x-amz-object-lock-mode"))
		r = s3_retain(put->place.s3, put->key, put->object.version, put->lock,
			put->lock_until, fault);
	return r;
}

static int verify(struct put *put, struct fault *fault)
{
	const char *how = put->args->verify;
	int r = strcmp(how, "none") == 0 ? 0 : verify_head(put, fault);
	return r == 0 && strcmp(how, "get") == 0 ? verify_get(put, fault) : r;
}

static void report(struct put *put)
{
	char size[24], parts[24];
	CLEANUP_FREE char *url = place_url(&put->place, put->key);
	const char *version = put->object.version ? put->object.version : "";
	snprintf(size, sizeof size, "%llu", (unsigned long long)put->size);
	snprintf(parts, sizeof parts, "%u", put->parts);
	upkeep_output_text(put->ctx, "url", url);
	upkeep_output_text(put->ctx, "key", put->args->key);
	upkeep_output_text(put->ctx, "etag", put->object.etag);
	upkeep_output_text(put->ctx, "version", version);
	upkeep_output_text(put->ctx, "size", size);
	upkeep_output_text(put->ctx, "sha256", put->hash);
	upkeep_output_text(put->ctx, "parts", parts);
	upkeep_output_int(put->ctx, "retries", (int64_t)put->retries + s3_retries(put->place.s3));
	struct upkeep_cell cells[] = {{"object", url, UPKEEP_STRING, 0},
		{"bytes", size, UPKEEP_SIZE, 0}, {"parts", parts, UPKEEP_INT, 0},
		{"sha256", put->hash, UPKEEP_STRING, 0}};
	upkeep_row(put->ctx, "put", cells);
}

int32_t put_run(struct upkeep_ctx *ctx)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_PUT struct put put;
	int r = put_open(&put, ctx, false, &fault);
	if (r == 0)
		r = put.stream >= 0 ? put_stream(&put, &fault) : put_file(&put, &fault);
	if (r < 0) {
		put_give_up(&put, r);
		put_headers_explain(&put, r, &fault);
	}
	if (r == 0)
		r = verify(&put, &fault);
	if (r == 0)
		r = lock(&put, &fault);
	if (r < 0)
		return fault_report(ctx, r, &fault);
	report(&put);
	return UPKEEP_CHANGED;
}

int32_t put_plan(struct upkeep_ctx *ctx)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_PUT struct put put;
	int r = put_open(&put, ctx, true, &fault);
	if (r < 0)
		return fault_report(ctx, r, &fault);
	CLEANUP_FREE char *url = place_url(&put.place, put.key);
	const char *undoing = put.lock || put.args->lose_replaced ? NULL : "remove it";
	if (put.file < 0)
		upkeep_would(ctx, undoing, "put what the task reads to %s, with keys from %s", url,
			s3_credentials_provider(put.place.credentials));
	else
		upkeep_would(ctx, undoing, "put \"%s\" (%llu bytes) to %s, with keys from %s",
			put.args->file, (unsigned long long)put.st.st_size, url,
			s3_credentials_provider(put.place.credentials));
	return UPKEEP_CHANGED;
}
