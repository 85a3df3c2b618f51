/* SPDX-License-Identifier: MIT */
#include "postgres/restore.h"

#include <time.h>

#include "postgres/load.h"
#include "postgres/properties.h"
#include "postgres/roles.h"
#include "postgres/settings.h"
#include "postgres/exchange.h"
#include "support/cleanup.h"
#include "support/stream.h"

struct restore {
	struct load load;
	const struct restore_args *args;
	struct connection admin;
	struct exchange exchange;
	size_t roles_made;
};

/* ---- what is refused before anything is changed ---- */

static int refuse_name(const struct settings *settings, const char *name, struct fault *fault)
{
	if (strcmp(name, settings->database) == 0)
		return fault_set(fault, -EINVAL,
			"set database in the settings of the plugin to another one, such as "
			"template1",
			"\"%s\" is the database from which others are exchanged", name);
	if (strcmp(name, "template0") == 0 || strcmp(name, "template1") == 0 ||
		scratch_is_ours(name))
		return fault_set(
			fault, -EINVAL, "choose another name", "\"%s\" is a reserved name", name);
	return 0;
}

int32_t restore_check(struct upkeep_ctx *ctx)
{
	CLEANUP_FAULT struct fault fault = {0};
	const struct restore_args *args = ctx->args;
	int r = *args->database ? refuse_name(ctx->settings, args->database, &fault) : 0;
	return r < 0 ? fault_report(ctx, r, &fault) : UPKEEP_UNCHANGED;
}

static int need_tablespaces(struct restore *restore, struct fault *fault)
{
	CLEANUP_RESULT PGresult *result = NULL;
	const json_t *spaces = json_object_get(restore->load.about.json, "tablespaces");
	CLEANUP_FREE char *list = json_dumps(spaces ? spaces : json_null(), JSON_ENCODE_ANY);
	if (!restore->args->tablespaces || !json_is_array(spaces))
		return 0;
	int r = query_run(&restore->admin, "looking for tablespaces", &result, fault,
		"SELECT string_agg(w.name, ', ') FROM json_array_elements_text($1::json) AS w "
		"(name)"
		" WHERE w.name NOT IN (SELECT spcname FROM pg_tablespace)",
		list);
	return r < 0 || !query_text(result, 0, 0)[0]
		? r
		: fault_set(fault, -ENOENT,
			  "make them as globals.sql of the set says, or set tablespaces = false",
			  "this server has no tablespaces of these names: %s",
			  query_text(result, 0, 0));
}

static void warn_of_what_is_left(const struct restore *restore)
{
	int64_t subscriptions =
		json_integer_value(json_object_get(restore->load.about.json, "subscriptions"));
	if (subscriptions > 0)
		upkeep_warn(restore->load.ctx,
			"%lld subscriptions are not restored: they would take their changes "
			"twice; make them again by hand",
			(long long)subscriptions);
}

static int begin(struct restore *restore, struct fault *fault)
{
	struct upkeep_ctx *ctx = restore->load.ctx;
	const struct restore_args *args = restore->args;
	struct exchange *exchange = &restore->exchange;
	char old[SCRATCH_ROOM];
	int r = connect_open(&restore->admin, ctx, NULL, fault);
	if (r == 0)
		r = scratch_reap_old(&restore->admin, fault);
	if (r == 0)
		r = load_begin(&restore->load, fault);
	if (r < 0)
		return r;
	scratch_name(restore->load.name, SCRATCH_NEW);
	scratch_name(old, SCRATCH_OLD);
	exchange->live =
		fault_format("%s", *args->database ? args->database : restore->load.about.database);
	exchange->fresh = fault_format("%s", restore->load.name);
	exchange->old = fault_format("%s", old);
	exchange->terminate = args->terminate;
	exchange->keep_s = args->undo_keep_ms / 1000;
	r = refuse_name(ctx->settings, exchange->live, fault);
	if (r == 0)
		r = need_tablespaces(restore, fault);
	return r < 0 ? r : exchange_is_free(exchange, &restore->admin, fault);
}

/* ---- the new database ---- */

static int fill(struct restore *restore, struct fault *fault)
{
	const struct restore_args *args = restore->args;
	const char *options[3] = {0};
	size_t n = 0;
	CLEANUP_FREE char *role = fault_format("--role=%s", args->role);
	if (*args->role)
		options[n++] = role;
	if (!args->tablespaces)
		options[n++] = "--no-tablespaces";
	warn_of_what_is_left(restore);
	int r = args->roles
		? roles_restore(&restore->admin, &restore->load.about, &restore->roles_made, fault)
		: 0;
	return r < 0 ? r : load_restore(&restore->load, options, fault);
}

static int prove(struct restore *restore, struct fault *fault)
{
	CLEANUP_CONNECTION struct connection fresh = {0};
	int r = connect_open(&fresh, restore->load.ctx, restore->load.name, fault);
	if (r == 0)
		r = load_compare(&restore->load, &fresh, fault);
	if (r == 0 && restore->args->analyze)
		r = query_run(&fresh, "gathering statistics", NULL, fault, "ANALYZE");
	return r;
}

/* ---- its place ---- */

/* The first connection may have been idle for hours. */
static int put_in_place(struct restore *restore, struct fault *fault)
{
	struct load *load = &restore->load;
	struct upkeep_ctx *ctx = load->ctx;
	struct exchange *exchange = &restore->exchange;
	CLEANUP_CONNECTION struct connection admin = {0};
	CLEANUP_FREE char *what = fault_format("was \"%s\"", exchange->live);
	uint64_t record = 0;
	int r = connect_open(&admin, ctx, NULL, fault);
	exchange->until = scratch_comment(ctx, what, (int64_t)time(NULL) + exchange->keep_s);
	/* what a session has written is counted when it ends */
	if (r == 0)
		r = exchange_settle(
			&admin, load->name, "stop what uses it, and run it again", fault);
	if (r == 0)
		r = exchange_writes(ctx, load->name, &exchange->writes, fault);
	if (r == 0)
		r = properties_restore(&admin, load->name, &load->about, fault);
	if (r == 0)
		r = exchange_look(exchange, &admin, fault);
	if (r == 0)
		r = exchange_do(exchange, &admin, &record, fault);
	if (r < 0)
		return r;
	ctx->host->undo_applied(ctx, record, exchange->writes);
	/* from here on the database is that record's */
	ctx->host->undo_drop(ctx, load->record);
	return 0;
}

static void report(const struct restore *restore)
{
	const struct load *load = &restore->load;
	struct upkeep_ctx *ctx = load->ctx;
	const struct exchange *exchange = &restore->exchange;
	upkeep_output_text(ctx, "database", exchange->live);
	upkeep_output_text(ctx, "old", exchange->live_oid[0] ? exchange->old : "");
	upkeep_output_int(ctx, "bytes", (int64_t)load->bytes);
	upkeep_output_int(ctx, "tables", (int64_t)load->is.tables);
	upkeep_output_int(ctx, "rows", load->is.rows);
	upkeep_output_int(ctx, "roles", (int64_t)restore->roles_made);
}

static int restore_all(struct restore *restore, struct fault *fault)
{
	int r = begin(restore, fault);
	if (r == 0)
		r = fill(restore, fault);
	if (r == 0)
		r = prove(restore, fault);
	if (r == 0)
		r = stream_whole(restore->load.ctx, fault);
	return r < 0 ? r : put_in_place(restore, fault);
}

int32_t restore_run(struct upkeep_ctx *ctx)
{
	CLEANUP_FAULT struct fault fault = {0};
	struct restore restore = {.load = {.ctx = ctx, .admin = &restore.admin}, .args = ctx->args};
	int r = restore_all(&restore, &fault);
	if (r == 0)
		report(&restore);
	load_free(&restore.load);
	exchange_free(&restore.exchange);
	connect_close(&restore.admin);
	return r < 0 ? fault_report(ctx, r, &fault) : UPKEEP_CHANGED;
}

int32_t restore_plan(struct upkeep_ctx *ctx)
{
	const struct restore_args *args = ctx->args;
	if (args->roles)
		upkeep_would(ctx, "drop them", "make the roles that the server lacks");
	if (*args->database)
		upkeep_would(ctx, "rename both back",
			"restore what the task reads and put it in the place of the database "
			"\"%s\"%s",
			args->database, args->terminate ? ", ending the sessions in it" : "");
	else
		upkeep_would(ctx, "rename both back",
			"restore what the task reads and put it in the place of the database of "
			"which it is%s",
			args->terminate ? ", ending the sessions in it" : "");
	return UPKEEP_CHANGED;
}

/* ---- undo ---- */

static const struct {
	const char *kind;
	int32_t (*undo)(struct upkeep_ctx *ctx, const struct upkeep_undo *record);
	int32_t (*probe)(struct upkeep_ctx *ctx, const struct upkeep_undo *record);
} kinds[] = {{"database", scratch_undo, scratch_probe}, {"role", roles_undo, roles_probe},
	{"swap", exchange_undo, exchange_probe}};

int32_t restore_undo(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	for (size_t i = 0; i < UPKEEP_COUNT(kinds); i++)
		if (strcmp(record->kind, kinds[i].kind) == 0 && record->version == 1)
			return kinds[i].undo(ctx, record);
	return upkeep_fail(ctx, UPKEEP_NEEDS_PERSON, "use the upkeep that wrote it", NULL,
		"the undo record \"%s\" of version %u is not known", record->kind, record->version);
}

int32_t restore_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	if (!record)
		return UPKEEP_NOT_DONE;
	for (size_t i = 0; i < UPKEEP_COUNT(kinds); i++)
		if (strcmp(record->kind, kinds[i].kind) == 0 && record->version == 1)
			return kinds[i].probe(ctx, record);
	return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL, "the undo record \"%s\" is not known",
		record->kind);
}
