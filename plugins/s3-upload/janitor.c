/* SPDX-License-Identifier: MIT */
/* Uploads that were begun and neither completed nor aborted: unseen, and paid for. */
#include "s3-upload/actions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "s3-upload/place.h"
#include "support/cleanup.h"

struct open_upload {
	char *key, *upload;
	int64_t begun_s;
};

struct janitor {
	struct place place;
	const struct janitor_args *args;
	struct open_upload *items; /* those that are old enough */
	size_t count;
	int64_t kept, aborted;
};

static int add_upload(void *arg, const struct s3_upload *upload)
{
	struct janitor *janitor = arg;
	int64_t now_s = time(NULL) - s3_clock_ahead_s(janitor->place.s3);
	if (!upload->begun_s) {
		CLEANUP_FREE char *url = place_url(&janitor->place, upload->key);
		upkeep_warn(janitor->place.ctx,
			"the server does not say when the upload of %s (%s) began: it is left", url,
			upload->upload);
	}
	if (!upload->begun_s || (now_s - upload->begun_s) * 1000 < janitor->args->older_than_ms) {
		janitor->kept++;
		return 0;
	}
	janitor->items = fault_resize(janitor->items, janitor->count + 1, sizeof *janitor->items);
	janitor->items[janitor->count++] = (struct open_upload){fault_format("%s", upload->key),
		fault_format("%s", upload->upload), upload->begun_s};
	return 0;
}

static int find_old(struct janitor *janitor, struct upkeep_ctx *ctx, struct fault *fault)
{
	janitor->args = ctx->args;
	int r = place_open(&janitor->place, ctx, fault);
	return r < 0
		? r
		: s3_uploads(janitor->place.s3, janitor->place.prefix, add_upload, janitor, fault);
}

static void janitor_free(struct janitor *janitor)
{
	for (size_t i = 0; i < janitor->count; i++) {
		free(janitor->items[i].key);
		free(janitor->items[i].upload);
	}
	free(janitor->items);
	place_close(&janitor->place);
}

int32_t janitor_plan(struct upkeep_ctx *ctx)
{
	CLEANUP_FAULT struct fault fault = {0};
	struct janitor janitor = {0};
	int r = find_old(&janitor, ctx, &fault);
	for (size_t i = 0; r == 0 && i < janitor.count; i++) {
		CLEANUP_FREE char *url = place_url(&janitor.place, janitor.items[i].key);
		upkeep_would(
			ctx, NULL, "abort the upload of %s (%s)", url, janitor.items[i].upload);
	}
	int32_t result = janitor.count ? UPKEEP_CHANGED : UPKEEP_UNCHANGED;
	janitor_free(&janitor);
	return r < 0 ? fault_report(ctx, r, &fault) : result;
}

static void show(struct janitor *janitor, const struct open_upload *upload, const char *result)
{
	char begun[24];
	snprintf(begun, sizeof begun, "%lld", (long long)upload->begun_s);
	struct upkeep_cell cells[] = {
		{"key", upload->key + strlen(janitor->place.prefix), UPKEEP_STRING, 0},
		{"begun", begun, UPKEEP_TIME, 0}, {"upload", upload->upload, UPKEEP_STRING, 0},
		{"result", result, UPKEEP_STRING, 0}};
	upkeep_row(janitor->place.ctx, "uploads", cells);
}

/* One that cannot be aborted does not keep the others open. */
static int abort_all(struct janitor *janitor, struct fault *fault)
{
	int r = 0;
	for (size_t i = 0; r != -ECANCELED && i < janitor->count; i++) {
		CLEANUP_FAULT struct fault own = {0};
		const struct open_upload *upload = &janitor->items[i];
		int one = s3_upload_abort(janitor->place.s3, upload->key, upload->upload, &own);
		show(janitor, upload, one == 0 ? "aborted" : fault_what(&own));
		janitor->aborted += one == 0;
		if (one < 0 && (r == 0 || one == -ECANCELED))
			r = fault_set(fault, one, own.next, "%s", fault_what(&own));
	}
	return r;
}

int32_t janitor_run(struct upkeep_ctx *ctx)
{
	CLEANUP_FAULT struct fault fault = {0};
	struct janitor janitor = {0};
	int r = find_old(&janitor, ctx, &fault);
	if (r == 0)
		r = abort_all(&janitor, &fault);
	int32_t result = janitor.aborted ? UPKEEP_CHANGED : UPKEEP_UNCHANGED;
	upkeep_output_int(ctx, "aborted", janitor.aborted);
	upkeep_output_int(ctx, "kept", janitor.kept);
	janitor_free(&janitor);
	return r < 0 ? fault_report(ctx, r, &fault) : result;
}
