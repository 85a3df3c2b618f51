/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "s3-upload/crew.h"
#include "s3-upload/put.h"
#include "support/cleanup.h"
#include "support/copy.h"
#include "support/store.h"

#define BUFFER ((size_t)256 << 10)
#define MD5_TEXT 33

/* A part that stays in the file until it is sent. */
struct slice {
	struct put *put;
	unsigned number;
	uint64_t offset, size;
};

static int slice_run(struct s3 *s3, void *arg, struct fault *fault)
{
	const struct slice *slice = arg;
	const struct http_body body = {
		.fd = slice->put->file, .offset = slice->offset, .size = slice->size};
	return s3_upload_part(s3, slice->put->key, slice->put->upload, slice->number, &body, NULL,
		&slice->put->made[slice->number - 1], fault);
}

static struct slice slice_of(struct put *put, unsigned number)
{
	uint64_t offset = parts_offset(&put->cut, number), size = parts_size(&put->cut, number);
	uint64_t whole = (uint64_t)put->st.st_size;
	return (struct slice){.put = put,
		.number = number,
		.offset = offset,
		.size = size < whole - offset ? size : whole - offset};
}

/* Goes over the bytes once: they become part of the whole hash, and, with `md5`, a sum. */
static int slice_hash(
	const struct slice *slice, struct store_hash *hash, EVP_MD_CTX *md5, struct fault *fault)
{
	CLEANUP_FREE char *buffer = fault_alloc(BUFFER);
	for (uint64_t done = 0; done < slice->size;) {
		size_t want = slice->size - done < BUFFER ? (size_t)(slice->size - done) : BUFFER;
		ssize_t n = pread(slice->put->file, buffer, want, (off_t)(slice->offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return fault_set(fault, -EIO, NULL, "cannot read \"%s\": %s",
				slice->put->args->file,
				n < 0 ? strerror(errno) : "it has become shorter");
		store_hash_add(hash, buffer, (size_t)n);
		if (md5)
			EVP_DigestUpdate(md5, buffer, (size_t)n);
		done += (uint64_t)n;
	}
	return 0;
}

/* A part that an earlier attempt stored counts where the server's sum is that of the file's
 * bytes now. */
static int slice_check(const struct slice *slice, struct store_hash *hash, struct fault *fault)
{
	struct s3_part *made = &slice->put->made[slice->number - 1];
	unsigned char sum[EVP_MAX_MD_SIZE] = {0};
	char text[MD5_TEXT];
	if (!made->etag)
		return slice_hash(slice, hash, NULL, fault);
	EVP_MD_CTX *md5 = EVP_MD_CTX_new();
	if (!md5 || EVP_DigestInit_ex(md5, EVP_md5(), NULL) != 1) {
		EVP_MD_CTX_free(md5);
		return fault_set(fault, -ENOMEM, NULL, "out of memory");
	}
	int r = slice_hash(slice, hash, md5, fault);
	EVP_DigestFinal_ex(md5, sum, NULL);
	EVP_MD_CTX_free(md5);
	for (size_t i = 0; i < (MD5_TEXT - 1) / 2; i++)
		snprintf(text + 2 * i, 3, "%02x", sum[i]);
	if (made->size != slice->size || strcmp(made->etag, text) != 0)
		s3_part_clear(made);
	return r;
}

static int store_slices(
	struct put *put, struct crew *crew, struct store_hash *hash, struct fault *fault)
{
	uint64_t whole = (uint64_t)put->st.st_size;
	unsigned kept = 0;
	int r = 0;
	for (unsigned number = 1; r == 0 && number <= put->parts; number++) {
		struct slice *slice = fault_alloc(sizeof *slice);
		*slice = slice_of(put, number);
		r = slice_check(slice, hash, fault);
		put->size += slice->size;
		put->ctx->host->progress(put->ctx, put->size, whole, "bytes");
		const struct crew_work work = {slice_run, free, slice};
		if (r == 0 && !put->made[number - 1].etag) {
			r = crew_give(crew, &work, fault);
			continue;
		}
		kept += r == 0;
		free(slice);
	}
	if (kept)
		upkeep_info(put->ctx, "%u of %u parts were stored by an earlier attempt", kept,
			put->parts);
	return r == 0 ? crew_finish(crew, fault) : r;
}

/* What was read is one state of the file, and no other. */
static int check_unchanged(struct put *put, struct fault *fault)
{
	struct stat now;
	if (fstat(put->file, &now) < 0)
		return fault_set(fault, -errno, NULL, "cannot look at \"%s\": %m", put->args->file);
	if (now.st_size == put->st.st_size && now.st_mtim.tv_sec == put->st.st_mtim.tv_sec &&
		now.st_mtim.tv_nsec == put->st.st_mtim.tv_nsec)
		return 0;
	return fault_set(
		fault, -EBUSY, NULL, "\"%s\" was changed while it was read", put->args->file);
}

static int put_parts(struct put *put, struct fault *fault)
{
	CLEANUP_CREW struct crew *crew = NULL;
	put->made = fault_alloc(S3_PARTS_MAX * sizeof *put->made);
	put->parts = parts_count(&put->cut, (uint64_t)put->st.st_size);
	int r = put_resume_find(put, fault);
	if (r == 0)
		r = put_begin(put, fault);
	if (r == 0)
		r = put_resume_save(put, fault);
	if (r == 0)
		r = crew_open(&crew, &put->place, 0, fault);
	if (r < 0)
		return r;
	struct store_hash *hash = store_hash_begin();
	r = store_slices(put, crew, hash, fault);
	store_hash_end(&hash, put->hash);
	put->retries += crew_retries(crew);
	crew_close(&crew);
	if (r == 0)
		r = check_unchanged(put, fault);
	return r == 0 ? put_complete(put, fault) : r;
}

int put_file(struct put *put, struct fault *fault)
{
	uint64_t size = (uint64_t)put->st.st_size;
	put->cut = parts_of_file(size);
	if (size > parts_limit(&put->cut))
		return fault_set(
			fault, -EFBIG, NULL, "\"%s\" is larger than S3 takes", put->args->file);
	if (size > put->cut.first)
		return put_parts(put, fault);
	const struct http_body body = {.fd = put->file, .size = size};
	int r = copy_hash(put->file, 0, size, put->hash);
	if (r < 0)
		return fault_set(
			fault, r, NULL, "cannot read \"%s\": %s", put->args->file, strerror(-r));
	return put_single(put, &body, put->hash, fault);
}
