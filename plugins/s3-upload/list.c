/* SPDX-License-Identifier: MIT */
#include "s3-upload/actions.h"

#include <stdio.h>
#include <stdlib.h>

#include "s3-upload/place.h"
#include "support/cleanup.h"

#define SHOWN_MAX 10000

struct listing {
	const struct place *place;
	uint64_t count, bytes;
};

static int add_object(void *arg, const struct s3_object *object)
{
	struct listing *listing = arg;
	char size[24], modified[24];
	snprintf(size, sizeof size, "%llu", (unsigned long long)object->size);
	snprintf(modified, sizeof modified, "%lld", (long long)object->modified_s);
	struct upkeep_cell cells[] = {
		{"key", object->key + strlen(listing->place->prefix), UPKEEP_STRING, 0},
		{"size", size, UPKEEP_SIZE, 0}, {"modified", modified, UPKEEP_TIME, 0},
		{"etag", object->etag, UPKEEP_STRING, 0}};
	if (listing->count++ < SHOWN_MAX)
		upkeep_row(listing->place->ctx, "objects", cells);
	listing->bytes += object->size;
	return 0;
}

int32_t list_run(struct upkeep_ctx *ctx)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_PLACE struct place place = {0};
	const struct list_args *args = ctx->args;
	struct listing listing = {.place = &place};
	int r = place_open(&place, ctx, &fault);
	if (r < 0)
		return fault_report(ctx, r, &fault);
	CLEANUP_FREE char *prefix = place_key(&place, args->below);
	r = s3_list(place.s3, prefix, NULL, add_object, &listing, &fault);
	if (r < 0)
		return fault_report(ctx, r, &fault);
	if (listing.count > SHOWN_MAX)
		upkeep_info(ctx, "the first %d of %llu objects are shown; `below` names fewer",
			SHOWN_MAX, (unsigned long long)listing.count);
	CLEANUP_FREE char *bytes = fault_format("%llu", (unsigned long long)listing.bytes);
	upkeep_output_int(ctx, "count", (int64_t)listing.count);
	upkeep_output_text(ctx, "bytes", bytes);
	return UPKEEP_UNCHANGED;
}
