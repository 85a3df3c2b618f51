/* SPDX-License-Identifier: MIT */
/* A plugin that is built against the headers of three ages: -DFROZEN (1.0), today's, and one
 * of a later minor (later.sed).  What is newer than 1.0 it asks for before use. */
#ifdef FROZEN
#include "1.0/plugin.h"
#else
#include <upkeep/plugin.h>
#endif

struct args {
	int64_t n;
	const char *text;
};
static const struct upkeep_param params[] = {
	UPKEEP_PARAM_INT(struct args, n, "a number", .min = 1, .max = 9, .preset = "3"),
	UPKEEP_PARAM_STRING(struct args, text, "a text", .preset = "text"),
};
static const struct upkeep_output outputs[] = {
	UPKEEP_OUT("first", UPKEEP_STRING, "an output"),
	UPKEEP_OUT("later", UPKEEP_STRING, "what the host has"),
};

#ifdef LATER
static const char *look(struct upkeep_ctx *ctx)
{
	if (!UPKEEP_HAS(ctx, later))
		return UPKEEP_HAS_FIELD(ctx, struct upkeep_ctx, later) ? "half" : "without";
	return ctx->host->later(ctx) == 99 && ctx->later == 99 ? "with" : "wrong";
}
#else
static const char *look(struct upkeep_ctx *ctx)
{
	return UPKEEP_HAS(ctx, temp_dir) && UPKEEP_HAS_FIELD(ctx, struct upkeep_ctx, flags)
		? "whole" : "wrong";
}
#endif

static int32_t run(struct upkeep_ctx *ctx)
{
	const struct args *args = ctx->args;
	struct upkeep_undo record = { .kind = "kind", .version = 1, .payload = "a=b\n",
		.payload_size = 4 };
	struct upkeep_cell cells[] = { { .name = "a", .value = "1", .type = UPKEEP_INT },
		{ .name = "b", .value = "2", .type = UPKEEP_INT } };
	uint64_t id;

	if (args->n != 3 || strcmp(args->text, "text") != 0)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL, "the arguments are damaged");
	if (upkeep_undo_push(ctx, &record, &id) < 0 || ctx->host->undo_applied(ctx, id, NULL) < 0 ||
		upkeep_row(ctx, "table", cells) < 0 || upkeep_output_text(ctx, "later", look(ctx)) < 0)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL, "the host refused something");
	return UPKEEP_CHANGED;
}

static int32_t undo(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	return ctx->host->undo_done(ctx, record->id) < 0 ? UPKEEP_FAILED : UPKEEP_CHANGED;
}

static const struct upkeep_action actions[] = {
	{ .name = "first", .about = "Travels", UPKEEP_PARAMS(struct args, params),
		UPKEEP_OUTPUTS(outputs), .run = run, .undo = undo },
	{ .name = "act", .about = "Travels", .changes = UPKEEP_CHANGES_RECORDED,
		UPKEEP_PARAMS(struct args, params), UPKEEP_OUTPUTS(outputs), .run = run, .undo = undo },
};

UPKEEP_PLUGIN(.name = "traveller", .version = "1.0", .about = "Travels in time",
	UPKEEP_ACTIONS(actions));
