/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "s3-upload/put.h"
#include "support/cleanup.h"

#define CLEANUP_HEADERS __attribute__((cleanup(put_headers_free)))

static struct s3_put options(const struct put *put, char *const *headers)
{
	struct s3_put options = {
		.if_none_match = put->condition, .headers = (const char *const *)headers};
	while (headers[options.header_count])
		options.header_count++;
	return options;
}

/* An object that is in the way may be our own, of an attempt whose answer was lost. */
static int look_who_is_there(struct put *put, int r, struct fault *fault)
{
	CLEANUP_OBJECT struct s3_object there = {0};
	if (r != -EEXIST || s3_head(put->place.s3, put->key, NULL, &there, NULL) < 0)
		return r;
	const char *id = s3_object_header(&there, PUT_META_ID);
	if (!id || strcmp(id, put->id) != 0)
		return r;
	s3_object_free(&put->object);
	put->object = there;
	there = (struct s3_object){0};
	fault_clear(fault);
	return 0;
}

static void applied(struct put *put)
{
	CLEANUP_FREE char *fingerprint = fault_format(
		"%s %s", put->object.etag, put->object.version ? put->object.version : "-");
	put->ctx->host->undo_applied(put->ctx, put->object_record, fingerprint);
}

/* Once for an object: the server compared nothing that it was told. */
static void note_sum(struct put *put, const char *sum)
{
	if (place_sums(&put->place) && !sum)
		upkeep_warn(put->ctx,
			"the server took %s and says nothing of its checksum: it keeps none",
			put->key);
}

static void note_sent(struct put *put)
{
	put->sent = true;
	put->sent_after = s3_retries(put->place.s3);
}

/* Where it was not sent, or refused at once, there is no object.  Otherwise nobody knows (what
 * was refused may have been done by an attempt before that), and the record stays. */
static void drop_record(struct put *put, int r)
{
	bool unsure = r == -EAGAIN || r == -ECANCELED || r == -EBADMSG ||
		s3_retries(put->place.s3) != put->sent_after;
	if (!put->object_record || (put->sent && unsure))
		return;
	put->ctx->host->undo_drop(put->ctx, put->object_record);
	put->object_record = 0;
}

int put_single(struct put *put, const struct http_body *body, const char *hash, struct fault *fault)
{
	CLEANUP_HEADERS char **headers = put_headers(put, PUT_META_HASH, hash);
	const struct s3_put how = options(put, headers);
	int r = put_record_object(put, fault);
	if (r < 0)
		return r;
	note_sent(put);
	r = s3_put(put->place.s3, put->key, body, hash, &how, &put->object, fault);
	if (r == 0)
		note_sum(put, s3_object_header(&put->object, S3_SUM_HEADER));
	r = look_who_is_there(put, r, fault);
	if (r < 0)
		return r;
	applied(put);
	put->size = body->size;
	put->parts = 1;
	return 0;
}

static int begin_upload(struct put *put, struct fault *fault)
{
	char cut[PARTS_TEXT];
	parts_write(&put->cut, cut);
	CLEANUP_HEADERS char **headers = put_headers(put, PUT_META_PARTS, cut);
	const struct s3_put how = options(put, headers);
	return s3_upload_begin(put->place.s3, put->key, &how, &put->upload, fault);
}

int put_begin(struct put *put, struct fault *fault)
{
	int r = put_record_object(put, fault);
	if (r == 0 && !put->upload)
		r = begin_upload(put, fault);
	if (r == 0)
		r = put_record_upload(put, fault);
	return r;
}

/* Some servers know the condition for one request alone (Ceph RGW 16): what has come meanwhile is
 * seen here. */
static int look_again(struct put *put, struct fault *fault)
{
	CLEANUP_FAULT struct fault ignored = {0};
	if (s3_head(put->place.s3, put->key, NULL, NULL, &ignored) < 0)
		return 0;
	CLEANUP_FREE char *url = place_url(&put->place, put->key);
	return fault_set(fault, -EEXIST, NULL, "%s has come into being meanwhile", url);
}

int put_complete(struct put *put, struct fault *fault)
{
	const struct s3_put how = {.if_none_match = put->condition};
	int r = put->condition ? look_again(put, fault) : 0;
	if (r < 0)
		return r;
	note_sent(put);
	r = s3_upload_complete(put->place.s3, put->key, put->upload, put->made, put->parts, &how,
		&put->object, fault);
	r = look_who_is_there(put, r, fault);
	if (r < 0)
		return r;
	applied(put);
	note_sum(put, put->made[0].sha256);
	put->ctx->host->undo_drop(put->ctx, put->upload_record);
	put->upload_record = 0;
	put_resume_forget(put);
	free(TAKE_PTR(put->upload));
	return 0;
}

void put_give_up(struct put *put, int r)
{
	CLEANUP_S3 struct s3 *s3 = NULL;
	CLEANUP_FAULT struct fault fault = {0};
	drop_record(put, r);
	if (!put->upload)
		return;
	if (r == -EAGAIN && put->resume) {
		upkeep_info(put->ctx, "what is stored of %s is kept to go on with", put->key);
		return;
	}
	r = place_tidier(&put->place, &s3, &fault);
	if (r == 0)
		r = s3_upload_abort(s3, put->key, put->upload, &fault);
	if (r < 0) {
		upkeep_warn(put->ctx, "the upload of %s is still open: %s", put->key,
			fault_what(&fault));
		return;
	}
	put_resume_forget(put);
	if (put->upload_record)
		put->ctx->host->undo_done(put->ctx, put->upload_record);
}
