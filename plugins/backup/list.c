/* SPDX-License-Identifier: MIT */
#include "backup/actions.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/match.h"
#include "backup/seal.h"
#include "backup/vault.h"
#include "support/cleanup.h"
#include "support/moment.h"

#define FOUND_MAX 10000

static void show_item(struct upkeep_ctx *ctx, const struct vault_item *item)
{
	char created[32], verified[32], entries[24], bytes[24], stored[24], problems[24];
	moment_format(item->created_s, created);
	moment_format(item->mark.when_s, verified);
	snprintf(entries, sizeof entries, "%llu", (unsigned long long)item->entries);
	snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)item->bytes);
	snprintf(stored, sizeof stored, "%llu", (unsigned long long)item->stored);
	snprintf(problems, sizeof problems, "%llu", (unsigned long long)item->problems);
	struct upkeep_cell cells[] = {{"backup", item->id, UPKEEP_STRING, 0},
		{"name", item->name ? item->name : "", UPKEEP_STRING, 0},
		{"label", item->label ? item->label : "", UPKEEP_STRING, 0},
		{"created", created, UPKEEP_TIME, 0}, {"entries", entries, UPKEEP_INT, 0},
		{"bytes", bytes, UPKEEP_SIZE, 0}, {"stored", stored, UPKEEP_SIZE, 0},
		{"problems", problems, UPKEEP_INT, 0},
		{"pinned", item->pinned ? "true" : "false", UPKEEP_BOOL, 0},
		{"verified", verified, UPKEEP_TIME, 0},
		{"level", item->why ? "not trusted" : item->mark.result, UPKEEP_STRING, 0},
		{"verified_by", item->mark.host, UPKEEP_STRING, 0}};
	upkeep_row(ctx, "backups", cells);
	if (item->why)
		upkeep_warn(ctx, "backup \"%s\": %s", item->id, item->why);
}

int32_t list_run(struct upkeep_ctx *ctx)
{
	const struct list_args *args = ctx->args;
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_STORE struct store *store = NULL;
	CLEANUP_KEYS struct keys *keys = NULL;
	CLEANUP_ITEMS struct vault_items items = {0};
	int r = vault_enter(ctx, args->store, KEYS_TRUST, &store, &keys, &fault);
	if (r == 0)
		r = vault_list(keys, store, args->name, &items, &fault);
	if (r < 0)
		return fault_report(ctx, r, &fault);
	for (size_t i = 0; i < items.count; i++)
		show_item(ctx, &items.items[i]);
	upkeep_output_int(ctx, "count", (int64_t)items.count);
	return UPKEEP_UNCHANGED;
}

static void show_found(struct upkeep_ctx *ctx, const char *id, const struct manifest_entry *entry)
{
	char size[24], changed[32];
	const char type[] = {entry->type, 0};
	snprintf(size, sizeof size, "%llu", (unsigned long long)entry->size);
	moment_format(entry->mtime_s, changed);
	struct upkeep_cell cells[] = {{"backup", id, UPKEEP_STRING, 0},
		{"path", entry->path, UPKEEP_STRING, 0}, {"type", type, UPKEEP_STRING, 0},
		{"size", size, UPKEEP_SIZE, 0}, {"modified", changed, UPKEEP_TIME, 0},
		{"sha256", entry->sha256, UPKEEP_STRING, 0}};
	upkeep_row(ctx, "found", cells);
}

/* What was not read, or not kept still. */
static void show_problems(struct upkeep_ctx *ctx, const struct manifest *manifest)
{
	const struct find_args *args = ctx->args;
	for (size_t i = 0; i < manifest->problem_count; i++) {
		const struct manifest_problem *p = &manifest->problems[i];
		struct upkeep_cell cells[] = {{"backup", manifest->id, UPKEEP_STRING, 0},
			{"path", p->path, UPKEEP_STRING, 0}, {"problem", p->kind, UPKEEP_STRING, 0},
			{"why", p->why, UPKEEP_STRING, 0}};
		if (match_one(args->pattern, p->path))
			upkeep_row(ctx, "problems", cells);
	}
}

static int find_in(struct upkeep_ctx *ctx, struct keys *keys, struct store *store, const char *id,
	int64_t *found, struct fault *fault)
{
	const struct find_args *args = ctx->args;
	CLEANUP_MANIFEST struct manifest manifest = {0};
	int r = vault_load(keys, store, id, &manifest, NULL, fault);
	for (size_t i = 0; r == 0 && i < manifest.entry_count; i++) {
		if (!match_one(args->pattern, manifest.entries[i].path))
			continue;
		if (++*found <= FOUND_MAX)
			show_found(ctx, id, &manifest.entries[i]);
	}
	if (r == 0)
		show_problems(ctx, &manifest);
	return r;
}

int32_t find_run(struct upkeep_ctx *ctx)
{
	const struct find_args *args = ctx->args;
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_STORE struct store *store = NULL;
	CLEANUP_KEYS struct keys *keys = NULL;
	CLEANUP_ITEMS struct vault_items items = {0};
	int64_t found = 0;
	int r = vault_enter(ctx, args->store, KEYS_SECRET | KEYS_TRUST, &store, &keys, &fault);
	if (r == 0)
		r = vault_list(keys, store, args->name, &items, &fault);
	for (size_t i = 0; r == 0 && i < items.count; i++) {
		if (items.items[i].why)
			upkeep_warn(ctx, "backup \"%s\" was not searched: %s", items.items[i].id,
				items.items[i].why);
		else
			r = find_in(ctx, keys, store, items.items[i].id, &found, &fault);
	}
	if (r < 0)
		return fault_report(ctx, r, &fault);
	if (found > FOUND_MAX)
		upkeep_warn(
			ctx, "%lld more were found than are shown", (long long)(found - FOUND_MAX));
	upkeep_output_int(ctx, "count", found);
	return UPKEEP_UNCHANGED;
}
