/* SPDX-License-Identifier: MIT */
#include "postgres/drill.h"

#include <string.h>

#include "postgres/load.h"
#include "postgres/roles.h"
#include "support/cleanup.h"
#include "support/stream.h"

struct drill {
	struct load load;
	struct connection admin;
};

/* ---- assertions ---- */

/* As a part of a query of ours, by a protocol that takes one statement at a time, it can be
 * nothing but a query; it runs in a transaction that writes nothing and, where we are a
 * superuser, as a role that may only read. */
static int begin_one(struct connection *scratch, struct fault *fault)
{
	int r = query_run(scratch, "beginning an assertion", NULL, fault, "BEGIN READ ONLY");
	if (r == 0 && scratch->version >= 140000)
		r = query_run(scratch, "beginning an assertion", NULL, fault,
			"SELECT set_config('role', 'pg_read_all_data', true)"
			" FROM pg_roles WHERE rolname = current_user AND rolsuper");
	return r;
}

static int ask_one(struct connection *scratch, const struct assertion *assertion, size_t i,
	PGresult **ret, struct fault *fault)
{
	CLEANUP_FREE char *what = fault_format("assertion %zu", i + 1);
	CLEANUP_FREE char *sql = fault_format("SELECT * FROM (%s\n) AS assertion", assertion->sql);
	int r = begin_one(scratch, fault);
	if (r == 0)
		r = query_run(scratch, what, ret, fault, sql);
	if (r == 0)
		r = query_run(scratch, "ending an assertion", NULL, fault, "ROLLBACK");
	return r == 0 || r == -ECANCELED ? r : -EBADMSG;
}

static int assert_one(struct connection *scratch, const struct assertion *assertion, size_t i,
	struct fault *fault)
{
	CLEANUP_RESULT PGresult *result = NULL;
	int r = ask_one(scratch, assertion, i, &result, fault);
	if (r < 0)
		return r;
	const char *is = PQntuples(result) && PQnfields(result) ? query_text(result, 0, 0) : "";
	bool right = strcmp(is, assertion->expect) == 0;
	struct upkeep_cell cells[] = {{"sql", assertion->sql, UPKEEP_STRING, 0},
		{"expect", assertion->expect, UPKEEP_STRING, 0}, {"is", is, UPKEEP_STRING, 0},
		{"right", right ? "true" : "false", UPKEEP_BOOL, 0}};
	upkeep_row(scratch->ctx, "assertions", cells);
	return right ? 0
		     : fault_set(fault, -EBADMSG,
			       "look at the data: this backup is not what it should be",
			       "assertion %zu is wrong: \"%s\" gives \"%s\", not \"%s\"", i + 1,
			       assertion->sql, is, assertion->expect);
}

static int assert_all(struct connection *scratch, struct fault *fault)
{
	const struct drill_args *args = scratch->ctx->args;
	const char *items = args->assertions.items;
	int r = 0;
	for (size_t i = 0; r == 0 && i < args->assertions.count; i++)
		r = assert_one(scratch,
			(const struct assertion *)(const void *)(items +
				i * args->assertions.stride),
			i, fault);
	return r;
}

/* ---- the drill ---- */

static int prove(struct drill *drill, struct fault *fault)
{
	CLEANUP_CONNECTION struct connection scratch = {0};
	int r = connect_open(&scratch, drill->load.ctx, drill->load.name, fault);
	if (r == 0)
		r = load_compare(&drill->load, &scratch, fault);
	return r < 0 ? r : assert_all(&scratch, fault);
}

/* Owners and rights are tried too, where the server knows the roles. */
static int try_out(struct drill *drill, struct fault *fault)
{
	static const char *const with[] = {"--no-publications", "--no-tablespaces", NULL};
	static const char *const without[] = {
		"--no-publications", "--no-tablespaces", "--no-owner", "--no-privileges", NULL};
	struct load *load = &drill->load;
	size_t missing = 0;
	int r = load_begin(load, fault);
	if (r == 0)
		r = roles_missing(&drill->admin, &load->about, &missing, fault);
	if (r == 0 && missing)
		upkeep_info(load->ctx,
			"%zu roles of the set are not on this server: owners and "
			"rights are not tried",
			missing);
	if (r == 0)
		r = load_restore(load, missing ? without : with, fault);
	if (r == 0)
		r = prove(drill, fault);
	return r < 0 ? r : stream_whole(load->ctx, fault);
}

/* Whatever has happened, cancelled or not: it goes.  Where that fails, the record is there. */
static int clear(struct drill *drill, bool cancelled, struct fault *fault)
{
	struct load *load = &drill->load;
	CLEANUP_FAULT struct fault why = {0};
	CLEANUP_CONNECTION struct connection again = {0};
	if (!load->record)
		return 0;
	int r = connect_again(&again, &drill->admin, cancelled, &why);
	if (r == 0)
		r = scratch_drop(&again, load->name, &why);
	if (r < 0)
		return fault_set(fault, r, "the next drill drops it", "\"%s\" is still there: %s",
			load->name, fault_what(&why));
	load->ctx->host->undo_done(load->ctx, load->record);
	return 0;
}

static void report(const struct drill *drill)
{
	const struct load *load = &drill->load;
	struct upkeep_ctx *ctx = load->ctx;
	upkeep_output_text(ctx, "database", load->about.database);
	upkeep_output_int(ctx, "bytes", (int64_t)load->bytes);
	upkeep_output_int(ctx, "tables", (int64_t)load->is.tables);
	upkeep_output_int(ctx, "rows", load->is.rows);
}

static int drill_all(struct drill *drill, struct fault *fault)
{
	struct load *load = &drill->load;
	CLEANUP_FAULT struct fault left = {0};
	int r = connect_open(&drill->admin, load->ctx, NULL, fault);
	if (r == 0)
		r = scratch_reap_drills(&drill->admin, fault);
	scratch_name(load->name, SCRATCH_DRILL);
	if (r == 0)
		r = scratch_hold(&drill->admin, load->name, fault);
	if (r == 0)
		r = try_out(drill, fault);
	int cleared = clear(drill, r == -ECANCELED, &left);
	if (cleared == 0)
		return r;
	upkeep_warn(load->ctx, "%s", fault_what(&left));
	return r < 0 ? r : fault_set(fault, cleared, left.next, "%s", fault_what(&left));
}

int32_t drill_run(struct upkeep_ctx *ctx)
{
	CLEANUP_FAULT struct fault fault = {0};
	struct drill drill = {.load = {.ctx = ctx, .admin = &drill.admin}};
	int r = drill_all(&drill, &fault);
	if (r == 0)
		report(&drill);
	load_free(&drill.load);
	connect_close(&drill.admin);
	return r < 0 ? fault_report(ctx, r, &fault) : UPKEEP_UNCHANGED;
}

int32_t drill_plan(struct upkeep_ctx *ctx)
{
	upkeep_would(ctx, "drop it; it is dropped at the end anyway",
		"restore what the task reads into a scratch database of a random name");
	return UPKEEP_CHANGED;
}
