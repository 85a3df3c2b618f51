/* SPDX-License-Identifier: MIT */
/*
 * Undo records: "object", the object that becomes visible, known by the name of its putting in
 * its metadata; and "upload", the parts before that.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "s3-upload/put.h"
#include "support/cleanup.h"

#define PAYLOAD_ROOM 8192
#define VALUE_ROOM 2048

static int push(struct put *put, const char *kind, const char *about, const char *name,
	const char *value, uint64_t *ret_id, struct fault *fault)
{
	char payload[PAYLOAD_ROOM];
	size_t size = 0;
	int r = upkeep_kv_put(payload, sizeof payload, &size, "place", s3_place(put->place.s3));
	if (r == 0)
		r = upkeep_kv_put(payload, sizeof payload, &size, "key", put->key);
	if (r == 0)
		r = upkeep_kv_put(payload, sizeof payload, &size, name, value);
	if (r == 0)
		r = upkeep_kv_put(
			payload, sizeof payload, &size, "resume", put->resume ? put->resume : "");
	const struct upkeep_undo record = {.struct_size = sizeof record,
		.kind = kind,
		.version = 1,
		.payload = payload,
		.payload_size = size,
		.about = about};
	if (r == 0)
		r = upkeep_undo_push(put->ctx, &record, ret_id);
	return r < 0 ? fault_set(fault, r, NULL, "cannot write the undo record: %s", strerror(-r))
		     : 0;
}

int put_record_object(struct put *put, struct fault *fault)
{
	CLEANUP_FREE char *url = place_url(&put->place, put->key);
	CLEANUP_FREE char *about = fault_format("remove %s, of this task", url);
	return push(put, "object", about, "id", put->id, &put->object_record, fault);
}

int put_record_upload(struct put *put, struct fault *fault)
{
	CLEANUP_FREE char *url = place_url(&put->place, put->key);
	CLEANUP_FREE char *about = fault_format("abort the upload of %s", url);
	return push(put, "upload", about, "upload", put->upload, &put->upload_record, fault);
}

/* A record as undo and probe get it. */
struct note {
	struct place place;
	char *where, *key, *id, *upload, *resume;
};

static char *value_of(const struct upkeep_undo *record, const char *name)
{
	char value[VALUE_ROOM];
	if (upkeep_kv_get(record->payload, record->payload_size, name, value, sizeof value) < 0)
		return NULL;
	return fault_format("%s", value);
}

static void note_free(struct note *note)
{
	place_close(&note->place);
	free(note->where);
	free(note->key);
	free(note->id);
	free(note->upload);
	free(note->resume);
}
#define CLEANUP_NOTE __attribute__((cleanup(note_free)))

/* -ESTALE: it is not for today's settings, or nothing that can be read. */
static int note_open(struct note *note, struct upkeep_ctx *ctx, const struct upkeep_undo *record,
	struct fault *fault)
{
	*note = (struct note){.where = value_of(record, "place"),
		.key = value_of(record, "key"),
		.id = value_of(record, "id"),
		.upload = value_of(record, "upload"),
		.resume = value_of(record, "resume")};
	bool object = strcmp(record->kind, "object") == 0 && note->id;
	bool upload = strcmp(record->kind, "upload") == 0 && note->upload;
	if (record->version != 1 || !note->where || !note->key || !(object || upload))
		return fault_set(fault, -ESTALE, NULL,
			"this plugin cannot read an undo record \"%s\", version %u", record->kind,
			(unsigned)record->version);
	int r = place_open(&note->place, ctx, fault);
	if (r == 0 && strcmp(note->where, s3_place(note->place.s3)) != 0)
		return fault_set(fault, -ESTALE,
			"roll back with the settings of that time: without --settings current",
			"\"%s\" was put to %s, and the settings say %s", note->key, note->where,
			s3_place(note->place.s3));
	return r;
}

static bool is_ours(const struct note *note, const struct s3_object *object)
{
	const char *id = s3_object_header(object, PUT_META_ID);
	return id && strcmp(id, note->id) == 0;
}

/* Looking for our version among those of the key. */
struct search {
	const struct note *note;
	struct s3 *s3;
	char *version;
	struct fault *fault;
};

static int look_at_version(void *arg, const struct s3_object *object)
{
	struct search *search = arg;
	CLEANUP_OBJECT struct s3_object there = {0};
	if (object->marker || !object->version || strcmp(object->key, search->note->key) != 0)
		return 0;
	int r = s3_head(search->s3, object->key, object->version, &there, search->fault);
	if (r < 0 && r != -ENOENT)
		return r; /* it may be ours */
	if (r < 0 || !is_ours(search->note, &there))
		return 0;
	search->version = fault_format("%s", object->version);
	return 1;
}

/* 1: it is there, in *ret_version where the bucket has any; *ret_latest whether it is what others
 * see.  0: it is not. */
static int find_ours(
	const struct note *note, char **ret_version, bool *ret_latest, struct fault *fault)
{
	CLEANUP_OBJECT struct s3_object there = {0};
	struct search search = {.note = note, .s3 = note->place.s3, .fault = fault};
	enum s3_versioning versioning = S3_VERSIONS_NONE;
	*ret_version = NULL;
	*ret_latest = true;
	int r = s3_head(search.s3, note->key, NULL, &there, fault);
	if (r == 0 && is_ours(note, &there)) {
		*ret_version = TAKE_PTR(there.version);
		return 1;
	}
	if (r < 0 && r != -ENOENT)
		return r;
	*ret_latest = false;
	r = s3_bucket_versioning(search.s3, &versioning, fault);
	if (r == -EOPNOTSUPP || (r == 0 && versioning == S3_VERSIONS_NONE))
		return 0;
	if (r == 0)
		r = s3_list_versions(search.s3, note->key, look_at_version, &search, fault);
	*ret_version = search.version;
	return r;
}

static int32_t undo_object(struct upkeep_ctx *ctx, const struct note *note, struct fault *fault)
{
	CLEANUP_FREE char *version = NULL;
	bool latest;
	int r = find_ours(note, &version, &latest, fault);
	if (r <= 0)
		return r < 0 ? fault_report(ctx, r, fault) : UPKEEP_UNCHANGED;
	r = s3_delete(note->place.s3, note->key, version, fault);
	if (r == -EACCES)
		return upkeep_fail(ctx, UPKEEP_NEEDS_PERSON, fault->next, NULL,
			"\"%s\" cannot be removed, perhaps since it is locked: %s", note->key,
			fault_what(fault));
	return r < 0 ? fault_report(ctx, r, fault) : UPKEEP_CHANGED;
}

/* One that resume_dir remembers is for the next put of that file. */
static int32_t undo_upload(struct upkeep_ctx *ctx, const struct note *note, struct fault *fault)
{
	if (note->resume && put_resume_has(ctx->settings, note->resume, note->upload)) {
		upkeep_info(ctx, "what is stored of %s is kept to go on with", note->key);
		return UPKEEP_UNCHANGED;
	}
	int r = s3_upload_abort(note->place.s3, note->key, note->upload, fault);
	return r < 0 ? fault_report(ctx, r, fault) : UPKEEP_CHANGED;
}

int32_t put_undo(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_NOTE struct note note = {0};
	int r = note_open(&note, ctx, record, &fault);
	if (r == -ESTALE)
		return upkeep_fail(
			ctx, UPKEEP_NEEDS_PERSON, fault.next, NULL, "%s", fault_what(&fault));
	if (r < 0)
		return fault_report(ctx, r, &fault);
	int32_t result =
		note.id ? undo_object(ctx, &note, &fault) : undo_upload(ctx, &note, &fault);
	if (result >= 0)
		ctx->host->undo_done(ctx, record->id);
	return result;
}

static int32_t probe_object(struct upkeep_ctx *ctx, const struct note *note, struct fault *fault)
{
	CLEANUP_FREE char *version = NULL;
	bool latest;
	int r = find_ours(note, &version, &latest, fault);
	if (r < 0)
		return fault_report(ctx, r, fault);
	return r == 0 ? UPKEEP_NOT_DONE : latest ? UPKEEP_DONE : UPKEEP_PARTLY;
}

static int32_t probe_upload(struct upkeep_ctx *ctx, const struct note *note, struct fault *fault)
{
	struct s3_part *parts = NULL;
	size_t count = 0;
	int r = s3_upload_parts(note->place.s3, note->key, note->upload, &parts, &count, fault);
	s3_parts_free(parts, count);
	if (r < 0 && r != -ENOENT)
		return fault_report(ctx, r, fault);
	return r == 0 ? UPKEEP_DONE : UPKEEP_NOT_DONE;
}

int32_t put_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_NOTE struct note note = {0};
	if (!record)
		return UPKEEP_NOT_DONE;
	int r = note_open(&note, ctx, record, &fault);
	if (r < 0)
		return fault_report(ctx, r, &fault);
	return note.id ? probe_object(ctx, &note, &fault) : probe_upload(ctx, &note, &fault);
}
