/* SPDX-License-Identifier: MIT */
/* A plugin that tells its secrets wherever a plugin can tell anything. */
#include <upkeep/plugin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct settings {
	const char *token;
};
struct args {
	const char *password, *other;
};
static const struct upkeep_param settings_table[] = {
	UPKEEP_PARAM_SECRET(struct settings, token, "a secret of the whole instance"),
};
static const struct upkeep_param params[] = {
	UPKEEP_PARAM_SECRET(struct args, password, "a secret of the task"),
	UPKEEP_PARAM_STRING(struct args, other, "the name of a secret, which makes it none"),
};
static const struct upkeep_output outputs[] = {
	UPKEEP_OUT("text", UPKEEP_STRING, "the secret"),
	UPKEEP_OUT("result", UPKEEP_INT, "what the host answered"),
};

/* That of its settings, of its arguments, or of its environment. */
static const char *fetch(struct upkeep_ctx *ctx)
{
	if (getenv("TELL"))
		return getenv("TELL");
	const struct settings *settings = ctx->settings;
	const struct args *args = ctx->args;
	const char *text = NULL;

	ctx->host->secret(ctx, args->password ? args->password : settings->token, &text);
	return text;
}

static int32_t run_tell(struct upkeep_ctx *ctx)
{
	const char *text = fetch(ctx);

	if (!text)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL, "there is no secret");
	printf("printed %s\n", text);
	fflush(stdout);
	upkeep_info(ctx, "logged %s", text);
	upkeep_warn(ctx, "warned of %s", text);
	ctx->host->progress(ctx, 1, 2, text);
	upkeep_output_text(ctx, "text", text);
	const struct upkeep_cell cells[] = {{"cell", text, UPKEEP_STRING, 0}};
	upkeep_row(ctx, "told", cells);
	return upkeep_fail(ctx, UPKEEP_FAILED, text, text, "failed with %s", text);
}

static int32_t plan_tell(struct upkeep_ctx *ctx)
{
	const char *text = fetch(ctx);

	upkeep_would(ctx, text, "tell %s", text ? text : "nothing");
	return UPKEEP_CHANGED;
}

static int32_t run_steal(struct upkeep_ctx *ctx)
{
	const struct args *args = ctx->args;
	const char *text = NULL;

	upkeep_output_int(ctx, "result", ctx->host->secret(ctx, args->other, &text));
	upkeep_output_text(ctx, "text", text ? text : "nothing");
	return UPKEEP_UNCHANGED;
}

/* Tries to have it kept in a record's payload, sentence and kind. */
static int32_t run_record(struct upkeep_ctx *ctx)
{
	const char *text = fetch(ctx);
	struct upkeep_undo record = {.struct_size = sizeof record,
		.kind = "thing",
		.version = 1,
		.payload = text,
		.payload_size = text ? strlen(text) : 0,
		.about = "put it back"};
	uint64_t id;
	int32_t result = upkeep_undo_push(ctx, &record, &id);

	record.payload = "a=b\n";
	record.payload_size = 4;
	record.about = text;
	if (upkeep_undo_push(ctx, &record, &id) != result)
		return UPKEEP_FAILED;
	upkeep_output_int(ctx, "result", result);
	return UPKEEP_UNCHANGED;
}

static int32_t undo_record(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	return ctx->host->undo_done(ctx, record->id) < 0 ? UPKEEP_FAILED : UPKEEP_CHANGED;
}

static const struct upkeep_action actions[] = {
	{.name = "tell",
		.about = "Tell it everywhere",
		.run = run_tell,
		.plan = plan_tell,
		.changes = UPKEEP_CHANGES_NONE,
		UPKEEP_PARAMS(struct args, params),
		UPKEEP_OUTPUTS(outputs)},
	{.name = "steal",
		.about = "Ask for another one",
		.run = run_steal,
		.changes = UPKEEP_CHANGES_NONE,
		UPKEEP_PARAMS(struct args, params),
		UPKEEP_OUTPUTS(outputs)},
	{.name = "record",
		.about = "Record it",
		.run = run_record,
		.undo = undo_record,
		.changes = UPKEEP_CHANGES_RECORDED,
		UPKEEP_PARAMS(struct args, params),
		UPKEEP_OUTPUTS(outputs)},
};

UPKEEP_PLUGIN(.name = "teller", .version = "1.0", .about = "Tells secrets",
	UPKEEP_SETTINGS(struct settings, settings_table), UPKEEP_ACTIONS(actions));
