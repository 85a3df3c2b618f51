/* SPDX-License-Identifier: MIT */
#include "s3-upload/get.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "s3-upload/put.h"
#include "support/cleanup.h"
#include "support/stream.h"

int32_t get_check(struct upkeep_ctx *ctx)
{
	const struct get_args *args = ctx->args;
	size_t length = args->file ? strlen(args->file) : 0;
	if (length && (args->file[length - 1] == '/' || strstr(args->file, "/../")))
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL,
			"\"%s\" names no file: write its whole path", args->file);
	if (args->sha256[0] &&
		(strlen(args->sha256) != STORE_HASH_TEXT - 1 ||
			args->sha256[strspn(args->sha256, "0123456789abcdef")]))
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL,
			"sha256: \"%s\" is not 64 hexadecimal digits", args->sha256);
	return UPKEEP_UNCHANGED;
}

static int open_target(struct get *get, bool planning, struct fault *fault)
{
	bool file = get->args->file != NULL;
	int fd = planning ? -ENOENT : get->ctx->host->stream(get->ctx, UPKEEP_STREAM_OUT);
	if (file && fd >= 0)
		return fault_set(fault, -EINVAL, "leave one of them out",
			"file is set, and another task reads the stream as well");
	if (!file && fd < 0 && !planning)
		return fault_set(fault, -EINVAL, "set file, or let another task read it by from",
			"there is nowhere to put what is fetched");
	if (file && !get->args->replace && access(get->args->file, F_OK) == 0)
		return fault_set(fault, -EEXIST, "remove it, or set replace = true",
			"there is a file \"%s\"", get->args->file);
	get->stream = fd >= 0 ? stream_open_out(get->ctx, fault) : -1;
	return fd >= 0 && get->stream < 0 ? get->stream : 0;
}

static int get_open(struct get *get, struct upkeep_ctx *ctx, bool planning, struct fault *fault)
{
	*get = (struct get){.ctx = ctx, .args = ctx->args, .stream = -1};
	int r = place_open(&get->place, ctx, fault);
	if (r == 0)
		r = open_target(get, planning, fault);
	if (r < 0)
		return r;
	get->key = place_key(&get->place, get->args->key);
	r = reader_find(
		&get->place, get->key, get->args->version, &get->object, &get->source, fault);
	if (r < 0)
		return r;
	get->wanted = get->args->sha256[0] ? get->args->sha256
					   : s3_object_header(&get->object, PUT_META_HASH);
	return 0;
}

static void get_close(struct get *get)
{
	s3_object_free(&get->object);
	swap_free(&get->target);
	free(get->key);
	place_close(&get->place);
}
#define CLEANUP_GET __attribute__((cleanup(get_close)))

int get_check_hash(const struct get *get, struct fault *fault)
{
	if (!get->wanted || strcmp(get->wanted, get->hash) == 0)
		return 0;
	return fault_set(fault, -EBADMSG, NULL, "\"%s\" has the SHA-256 %s, and should have %s",
		get->key, get->hash, get->wanted);
}

/* Where bytes of a stream go. */
struct outflow {
	struct get *get;
	struct store_hash *hash;
};

static int flow(void *arg, const void *bytes, size_t size)
{
	struct outflow *outflow = arg;
	store_hash_add(outflow->hash, bytes, size);
	return stream_write(outflow->get->ctx, outflow->get->stream, bytes, size);
}

/* Its readers see the end only where this task succeeds: a hash that is wrong comes in time. */
static int get_stream(struct get *get, struct fault *fault)
{
	struct outflow outflow = {.get = get, .hash = store_hash_begin()};
	int r = reader_read(&get->place, &get->source, flow, &outflow, fault);
	store_hash_end(&outflow.hash, get->hash);
	return r == 0 ? get_check_hash(get, fault) : r;
}

static void report(struct get *get)
{
	char size[24];
	snprintf(size, sizeof size, "%llu", (unsigned long long)get->source.size);
	upkeep_output_text(get->ctx, "size", size);
	upkeep_output_text(get->ctx, "etag", get->object.etag);
	upkeep_output_text(get->ctx, "version", get->source.version ? get->source.version : "");
	upkeep_output_text(get->ctx, "sha256", get->hash);
	upkeep_output_int(get->ctx, "retries", (int64_t)get->retries + s3_retries(get->place.s3));
	if (!get->replaced)
		return;
	CLEANUP_FREE char *old = fault_format("%s/%s", get->target.stage, get->target.name);
	upkeep_output_text(get->ctx, "old", old);
}

int32_t get_run(struct upkeep_ctx *ctx)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_GET struct get get;
	int r = get_open(&get, ctx, false, &fault);
	if (r == 0)
		r = get.stream >= 0 ? get_stream(&get, &fault) : get_file(&get, &fault);
	if (r < 0)
		return fault_report(ctx, r, &fault);
	report(&get);
	return get.stream >= 0 ? UPKEEP_UNCHANGED : UPKEEP_CHANGED;
}

int32_t get_plan(struct upkeep_ctx *ctx)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_GET struct get get;
	int r = get_open(&get, ctx, true, &fault);
	if (r < 0)
		return fault_report(ctx, r, &fault);
	if (!get.args->file)
		return UPKEEP_UNCHANGED;
	CLEANUP_FREE char *url = place_url(&get.place, get.key);
	upkeep_would(ctx, "put back what is there now", "fetch %s (%llu bytes) as \"%s\"", url,
		(unsigned long long)get.source.size, get.args->file);
	return UPKEEP_CHANGED;
}

static int32_t unreadable(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	return upkeep_fail(ctx, UPKEEP_NEEDS_PERSON, NULL, NULL,
		"this plugin cannot read an undo record \"%s\", version %u", record->kind,
		(unsigned)record->version);
}

static int32_t undo_stage(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	char stage[2 * PATH_MAX], name[2 * PATH_MAX], keep[8];
	const char *payload = record->payload;
	size_t size = record->payload_size;
	if (upkeep_kv_get(payload, size, "stage", stage, sizeof stage) < 0 ||
		upkeep_kv_get(payload, size, "name", name, sizeof name) < 0 ||
		upkeep_kv_get(payload, size, "keep", keep, sizeof keep) < 0)
		return unreadable(ctx, record);
	if (strcmp(keep, "yes") == 0) {
		upkeep_info(ctx, "what was fetched stays in \"%s\" to go on with", stage);
		return UPKEEP_UNCHANGED;
	}
	bool there = access(stage, F_OK) == 0;
	int r = get_drop_stage(stage, name);
	if (r < 0)
		return upkeep_fail(
			ctx, UPKEEP_FAILED, NULL, strerror(-r), "cannot remove \"%s\"", stage);
	return there ? UPKEEP_CHANGED : UPKEEP_UNCHANGED;
}

/* It was taken back before, and what was fetched is gone. */
static bool is_back(const struct swap *swap)
{
	struct swap now = {.live = swap->live, .stage = swap->stage, .name = swap->name};
	return swap_look(&now, NULL) == 0 && now.live_ino == swap->live_ino && now.stage_ino == 0;
}

static int32_t undo_place(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_SWAP struct swap swap = {0};
	if (swap_read(&swap, record->payload, record->payload_size) < 0)
		return unreadable(ctx, record);
	if (is_back(&swap))
		return UPKEEP_UNCHANGED;
	bool there = swap_state(&swap) == 1;
	int r = swap_undo(&swap, &fault);
	if (r == -ESTALE)
		return upkeep_fail(
			ctx, UPKEEP_NEEDS_PERSON, fault.next, NULL, "%s", fault_what(&fault));
	if (r == 0)
		r = get_drop_stage(swap.stage, swap.name);
	if (r < 0)
		return fault_report(ctx, r, &fault);
	return there ? UPKEEP_CHANGED : UPKEEP_UNCHANGED;
}

int32_t get_undo(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	int32_t result = strcmp(record->kind, "stage") == 0 ? undo_stage(ctx, record)
		: strcmp(record->kind, "place") == 0        ? undo_place(ctx, record)
							    : unreadable(ctx, record);
	if (result >= 0)
		ctx->host->undo_done(ctx, record->id);
	return result;
}

int32_t get_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	CLEANUP_SWAP struct swap swap = {0};
	char stage[2 * PATH_MAX];
	if (!record)
		return UPKEEP_NOT_DONE;
	if (strcmp(record->kind, "stage") == 0) {
		if (upkeep_kv_get(record->payload, record->payload_size, "stage", stage,
			    sizeof stage) < 0)
			return unreadable(ctx, record);
		return access(stage, F_OK) == 0 ? UPKEEP_DONE : UPKEEP_NOT_DONE;
	}
	if (swap_read(&swap, record->payload, record->payload_size) < 0)
		return unreadable(ctx, record);
	int state = is_back(&swap) ? 0 : swap_state(&swap);
	return state < 0 ? UPKEEP_PARTLY : state ? UPKEEP_DONE : UPKEEP_NOT_DONE;
}
