/* SPDX-License-Identifier: MIT */
#include "backup/actions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backup/clear.h"
#include "backup/policy.h"
#include "support/cleanup.h"

#define ID_ROOM 256

struct prune {
	struct upkeep_ctx *ctx;
	const struct prune_args *args;
	struct store *store;
	struct keys *keys;
	struct vault_items items;
	struct policy_choice *choices;
	int64_t now_s, removed, freed;
};

int32_t prune_check(struct upkeep_ctx *ctx)
{
	const struct prune_args *args = ctx->args;
	if (args->keep_daily + args->keep_weekly + args->keep_monthly + args->keep_within_ms > 0)
		return UPKEEP_UNCHANGED;
	return upkeep_fail(ctx, UPKEEP_FAILED,
		"set keep_daily, keep_weekly, keep_monthly or keep_within", NULL,
		"no rule says which backups to keep");
}

static int decide(struct prune *prune, struct fault *fault)
{
	const struct prune_args *args = prune->args;
	struct policy policy = {args->keep_daily, args->keep_weekly, args->keep_monthly,
		args->min_keep, args->keep_within_ms / 1000, prune->now_s};
	int r = keys_open(&prune->keys, prune->ctx, KEYS_TRUST, fault);
	if (r == 0)
		r = vault_list(prune->keys, prune->store, args->name, &prune->items, fault);
	prune->choices = fault_alloc((prune->items.count + 1) * sizeof *prune->choices);
	if (r == 0)
		policy_decide(&policy, &prune->items, prune->choices);
	return r;
}

static void prune_free(struct prune *prune)
{
	vault_free(&prune->items);
	keys_close(&prune->keys);
	store_close(&prune->store);
	free(prune->choices);
}

static void show_choices(struct prune *prune)
{
	for (size_t i = 0; i < prune->items.count; i++) {
		const struct vault_item *item = &prune->items.items[i];
		struct upkeep_cell cells[] = {{"backup", item->id, UPKEEP_STRING, 0},
			{"choice", prune->choices[i].keep ? "keep" : "remove", UPKEEP_STRING, 0},
			{"reason", prune->choices[i].reason, UPKEEP_STRING, 0}};
		upkeep_row(prune->ctx, "retention", cells);
		if (item->why || item->created_s > prune->now_s + 300)
			upkeep_warn(prune->ctx, "backup \"%s\" is kept: %s", item->id,
				item->why ? item->why : prune->choices[i].reason);
	}
}

int32_t prune_plan(struct upkeep_ctx *ctx)
{
	CLEANUP_FAULT struct fault fault = {0};
	struct prune prune = {.ctx = ctx, .args = ctx->args, .now_s = time(NULL)};
	bool now = strcmp(prune.args->space, "now") == 0;
	int r = vault_open_store(ctx, prune.args->store, false, &prune.store, &fault);
	if (r == 0)
		r = decide(&prune, &fault);
	if (r == -ENOENT || r == -ENOKEY)
		r = 0; /* no store, or no key of the site: an earlier task may make it */
	int32_t result = UPKEEP_UNCHANGED;
	for (size_t i = 0; r == 0 && i < prune.items.count; i++) {
		if (prune.choices[i].keep)
			continue;
		upkeep_would(ctx, now ? NULL : "bring it back", "remove backup \"%s\": %s",
			prune.items.items[i].id, prune.choices[i].reason);
		result = UPKEEP_CHANGED;
	}
	prune_free(&prune);
	return r < 0 ? fault_report(ctx, r, &fault) : result;
}

static int push_record(struct prune *prune, const char *id, uint64_t *ret, struct fault *fault)
{
	char payload[1024];
	size_t size = 0;
	CLEANUP_FREE char *about = fault_format("bring backup \"%s\" back", id);
	upkeep_kv_put(payload, sizeof payload, &size, "store", prune->store->name);
	upkeep_kv_put(payload, sizeof payload, &size, "id", id);
	struct upkeep_undo record = {.struct_size = sizeof record,
		.kind = "prune",
		.version = 1,
		.payload = payload,
		.payload_size = size,
		.about = about};
	int r = upkeep_undo_push(prune->ctx, &record, ret);
	return r < 0 ? fault_set(fault, r, NULL, "cannot write the undo record: %s", strerror(-r))
		     : 0;
}

/* From here on nobody sees it; with space = "now" nobody gets it back either. */
static int remove_backup(struct prune *prune, const struct vault_item *item, struct fault *fault)
{
	bool now = strcmp(prune->args->space, "now") == 0;
	int64_t until = now ? 0 : prune->now_s + prune->args->undo_keep_ms / 1000;
	uint64_t record = 0;
	int r = now ? 0 : push_record(prune, item->id, &record, fault);
	if (r == 0)
		r = vault_bury(prune->store, item->id, until, fault);
	if (r < 0)
		return r;
	prune->removed++;
	if (!now)
		prune->ctx->host->undo_applied(prune->ctx, record, NULL);
	return 0;
}

static int clear_store(struct prune *prune, struct fault *fault)
{
	struct clear clear = {.ctx = prune->ctx,
		.store = prune->store,
		.keys = prune->keys,
		.name = prune->args->name,
		.now_s = prune->now_s};
	for (size_t i = 0; i < prune->items.count; i++)
		if (prune->choices[i].keep)
			clear_need(&clear, &prune->items.items[i]);
	for (size_t i = 0; i < prune->items.count; i++)
		if (!prune->choices[i].keep)
			prune->freed += (int64_t)clear_size(&clear, prune->items.items[i].id);
	int r = clear_run(&clear, fault);
	clear_free(&clear);
	return r;
}

static int prune_all(struct prune *prune, struct fault *fault)
{
	int r = decide(prune, fault);
	if (r == 0)
		show_choices(prune);
	/* the oldest first: whatever stops it, the newest are there */
	for (size_t i = prune->items.count; r == 0 && i > 0; i--)
		if (!prune->choices[i - 1].keep)
			r = remove_backup(prune, &prune->items.items[i - 1], fault);
	return r < 0 ? r : clear_store(prune, fault);
}

int32_t prune_run(struct upkeep_ctx *ctx)
{
	CLEANUP_FAULT struct fault fault = {0};
	struct prune prune = {.ctx = ctx, .args = ctx->args, .now_s = time(NULL)};
	int r = vault_open_store(ctx, prune.args->store, false, &prune.store, &fault);
	if (r == 0)
		r = vault_hold(ctx, prune.store, true, &fault);
	if (r == 0)
		r = prune_all(&prune, &fault);
	if (r == 0) {
		upkeep_output_int(ctx, "removed", prune.removed);
		upkeep_output_int(ctx, "kept", (int64_t)prune.items.count - prune.removed);
		CLEANUP_FREE char *freed = fault_format("%lld", (long long)prune.freed);
		upkeep_output_text(ctx, "freed", freed);
	}
	int32_t result = prune.removed ? UPKEEP_CHANGED : UPKEEP_UNCHANGED;
	prune_free(&prune);
	return r < 0 ? fault_report(ctx, r, &fault) : result;
}

/* ---- undo: of prune, and of create, which are each other's opposite ---- */

static int open_record(struct upkeep_ctx *ctx, const struct upkeep_undo *record, struct store **ret,
	char id[ID_ROOM], struct fault *fault)
{
	char name[ID_ROOM];
	if (upkeep_kv_get(record->payload, record->payload_size, "store", name, ID_ROOM) < 0 ||
		upkeep_kv_get(record->payload, record->payload_size, "id", id, ID_ROOM) < 0 ||
		!store_name_valid(id)) {
		fault_set(fault, -EINVAL, NULL, "the undo record is not readable");
		return -EINVAL;
	}
	return vault_open_store(ctx, name, false, ret, fault);
}

int32_t prune_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_STORE struct store *store = NULL;
	char id[ID_ROOM];
	if (!record)
		return UPKEEP_NOT_DONE;
	int r = open_record(ctx, record, &store, id, &fault);
	if (r == 0)
		r = vault_has(store, id, &fault);
	if (r < 0)
		return fault_report(ctx, r, &fault);
	return r ? UPKEEP_NOT_DONE : UPKEEP_DONE;
}

int32_t prune_undo(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_STORE struct store *store = NULL;
	char id[ID_ROOM];
	int r = open_record(ctx, record, &store, id, &fault);
	if (r == 0)
		r = vault_hold(ctx, store, false, &fault);
	int there = r == 0 ? vault_has(store, id, &fault) : r;
	r = there == 0 ? vault_unbury(store, id, &fault) : there;
	if (r < 0)
		return fault_report(ctx, r, &fault);
	ctx->host->undo_done(ctx, record->id);
	return there ? UPKEEP_UNCHANGED : UPKEEP_CHANGED;
}

int32_t create_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_STORE struct store *store = NULL;
	char id[ID_ROOM];
	if (!record)
		return UPKEEP_NOT_DONE;
	int r = open_record(ctx, record, &store, id, &fault);
	if (r == 0)
		r = vault_has(store, id, &fault);
	if (r == 1)
		return UPKEEP_DONE;
	int begun = r == 0 ? store->ops->has(store, id, VAULT_SIGNATURE, &fault) : r;
	int whole = begun == 1 ? store->ops->has(store, id, VAULT_MANIFEST, &fault) : begun;
	if (whole < 0)
		return fault_report(ctx, whole, &fault);
	return begun && !whole ? UPKEEP_PARTLY : UPKEEP_NOT_DONE;
}

#define UNDONE_KEEP_S (7 * 86400)

int32_t create_undo(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_STORE struct store *store = NULL;
	char id[ID_ROOM];
	int r = open_record(ctx, record, &store, id, &fault);
	if (r == 0)
		r = vault_hold(ctx, store, false, &fault);
	int64_t until_s;
	int buried = r == 0 ? vault_buried(store, id, &until_s, &fault) : r;
	r = buried == 0 || buried == -EACCES
		? vault_bury(store, id, time(NULL) + UNDONE_KEEP_S, &fault)
		: buried;
	if (r < 0 && r != -ENOENT)
		return fault_report(ctx, r, &fault);
	ctx->host->undo_done(ctx, record->id);
	return r == 0 ? UPKEEP_CHANGED : UPKEEP_UNCHANGED;
}
