/* SPDX-License-Identifier: MIT */
#include "postgres/databases.h"

#include "postgres/query.h"

static int visit_one(struct upkeep_ctx *ctx, const char *name, databases_visit *visit, void *arg,
	struct fault *fault)
{
	CLEANUP_CONNECTION struct connection c = {0};
	int r = connect_open(&c, ctx, name, fault);
	return r < 0 ? r : visit(&c, arg, fault);
}

static int names_read(struct upkeep_ctx *ctx, PGresult **ret, struct fault *fault)
{
	CLEANUP_CONNECTION struct connection c = {0};
	int r = connect_open(&c, ctx, NULL, fault);
	if (r < 0)
		return r;
	return query_run(&c, "listing the databases", ret, fault,
		/* -2: a DROP DATABASE has begun and not ended; nobody can connect */
		"SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate"
		" AND datconnlimit <> -2"
		" ORDER BY datname COLLATE \"C\"");
}

int databases_each(struct upkeep_ctx *ctx, const struct upkeep_strings *names,
	databases_visit *visit, void *arg, struct fault *fault)
{
	CLEANUP_RESULT PGresult *all = NULL;
	int r = 0;
	for (size_t i = 0; i < names->count && r >= 0; i++)
		r = visit_one(ctx, names->items[i], visit, arg, fault);
	if (names->count)
		return r;
	r = names_read(ctx, &all, fault);
	for (int row = 0; r >= 0 && row < PQntuples(all); row++)
		r = visit_one(ctx, query_text(all, row, 0), visit, arg, fault);
	return r;
}

int32_t databases_plan(
	struct upkeep_ctx *ctx, const struct upkeep_strings *names, databases_visit *visit)
{
	CLEANUP_FAULT struct fault fault = {0};
	int64_t count = 0;
	int r = databases_each(ctx, names, visit, &count, &fault);
	if (r < 0)
		return fault_report(ctx, r, &fault);
	return count ? UPKEEP_CHANGED : UPKEEP_UNCHANGED;
}

int32_t databases_report(struct upkeep_ctx *ctx, const struct upkeep_strings *names,
	databases_visit *visit, const char *output)
{
	CLEANUP_FAULT struct fault fault = {0};
	int64_t count = 0;
	int r = databases_each(ctx, names, visit, &count, &fault);
	if (r < 0)
		return fault_report(ctx, r, &fault);
	upkeep_output_int(ctx, output, count);
	return UPKEEP_UNCHANGED;
}
