/* SPDX-License-Identifier: MIT */
#include "backup/actions.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/match.h"
#include "backup/unit.h"
#include "backup/vault.h"
#include "support/cleanup.h"

struct restore {
	struct upkeep_ctx *ctx;
	const struct restore_args *args;
	struct store *store;
	struct keys *keys;
	struct manifest manifest;
	struct unit *units;
	size_t count;
	bool swapping; /* from here on staging may hold what was in place before */
};

int32_t restore_check(struct upkeep_ctx *ctx)
{
	const struct restore_args *args = ctx->args;
	for (size_t i = 0; i < args->paths.count; i++)
		for (size_t k = 0; k < args->paths.count; k++)
			if (i != k && match_below(args->paths.items[i], args->paths.items[k]))
				return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL,
					"\"%s\" lies in \"%s\"; name only one of them",
					args->paths.items[k], args->paths.items[i]);
	return UPKEEP_UNCHANGED;
}

/* A plan leaves not even a lock behind. */
static int choose_backup(struct restore *restore, bool planning, char **ret_id, struct fault *fault)
{
	const struct restore_args *args = restore->args;
	int r = vault_open_store(restore->ctx, args->store, false, &restore->store, fault);
	if (r == 0 && !planning)
		r = vault_hold(restore->ctx, restore->store, false, fault);
	if (r == 0)
		r = keys_open(&restore->keys, restore->ctx, KEYS_SECRET | KEYS_TRUST, fault);
	if (r == 0)
		r = vault_choose(
			restore->keys, restore->store, args->backup, args->name, ret_id, fault);
	return r;
}

static size_t path_count(const struct restore *restore)
{
	return restore->args->paths.count ? restore->args->paths.count
					  : restore->manifest.path_count;
}

static const char *path_at(const struct restore *restore, size_t i)
{
	return restore->args->paths.count ? restore->args->paths.items[i]
					  : restore->manifest.paths[i];
}

/* A source that lies in another one comes with it. */
static bool is_covered(const struct restore *restore, size_t index)
{
	for (size_t i = 0; i < path_count(restore); i++)
		if (i != index && match_below(path_at(restore, i), path_at(restore, index)) &&
			(strcmp(path_at(restore, i), path_at(restore, index)) != 0 || i < index))
			return true;
	return false;
}

static int extract_all(struct restore *restore, struct fault *fault)
{
	int r = 0;
	restore->units = fault_alloc((path_count(restore) + 1) * sizeof *restore->units);
	for (size_t i = 0; r == 0 && i < path_count(restore); i++) {
		if (is_covered(restore, i))
			continue;
		struct unit *unit = &restore->units[restore->count++];
		r = unit_open(unit, path_at(restore, i), restore->args->target, fault);
		if (r == 0)
			r = unit_extract(
				unit, restore->keys, restore->store, &restore->manifest, fault);
		if (r == 0 && unit->incomplete)
			upkeep_warn(restore->ctx, "%llu entries lack something, like the %s",
				(unsigned long long)unit->incomplete, unit->example);
	}
	return r;
}

static int swap_one(struct restore *restore, const struct swap *swap, struct fault *fault)
{
	char payload[UPKEEP_PAYLOAD_MAX / 2];
	size_t size;
	uint64_t id = 0;
	int r = swap_write(swap, payload, sizeof payload, &size);
	CLEANUP_FREE char *about = fault_format("exchange \"%s/%s\" back", swap->live, swap->name);
	struct upkeep_undo record = {.struct_size = sizeof record,
		.kind = "restore",
		.version = 1,
		.payload = payload,
		.payload_size = size,
		.about = about};
	if (r == 0)
		r = upkeep_undo_push(restore->ctx, &record, &id);
	if (r < 0)
		return fault_set(fault, r, NULL, "cannot write the undo record: %s", strerror(-r));
	restore->swapping = true;
	r = swap_do(swap, fault);
	if (r < 0)
		restore->ctx->host->undo_drop(restore->ctx, id);
	else
		restore->ctx->host->undo_applied(restore->ctx, id, NULL);
	return r;
}

static int swap_unit(struct restore *restore, struct unit *unit, struct fault *fault)
{
	struct swap *swaps = NULL;
	size_t count = 0;
	if (syncfs(unit->stage_fd) < 0)
		return fault_set(fault, -errno, NULL, "cannot sync \"%s\": %m", unit->stage);
	int r = unit_swaps(unit, &swaps, &count, fault);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = swap_one(restore, &swaps[i], fault);
	for (size_t i = 0; i < count; i++)
		swap_free(&swaps[i]);
	free(swaps);
	unit_drop_stage(unit, true);
	return r;
}

static void report(struct restore *restore)
{
	uint64_t total = 0, total_bytes = 0;
	for (size_t i = 0; i < restore->count; i++) {
		struct unit *unit = &restore->units[i];
		char entries[24], bytes[24];
		total += unit->entries;
		total_bytes += unit->bytes;
		snprintf(entries, sizeof entries, "%llu", (unsigned long long)unit->entries);
		snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)unit->bytes);
		bool kept = access(unit->stage, F_OK) == 0;
		struct upkeep_cell cells[] = {{"path", unit->path, UPKEEP_STRING, 0},
			{"entries", entries, UPKEEP_INT, 0}, {"bytes", bytes, UPKEEP_SIZE, 0},
			{"old", kept ? unit->stage : "", UPKEEP_STRING, 0}};
		upkeep_row(restore->ctx, "restored", cells);
		if (kept)
			upkeep_output_text(restore->ctx, "old", unit->stage);
	}
	upkeep_output_text(restore->ctx, "id", restore->manifest.id);
	upkeep_output_int(restore->ctx, "entries", (int64_t)total);
	CLEANUP_FREE char *bytes = fault_format("%llu", (unsigned long long)total_bytes);
	upkeep_output_text(restore->ctx, "bytes", bytes);
}

static void restore_free(struct restore *restore, bool failed)
{
	for (size_t i = 0; i < restore->count; i++) {
		if (failed)
			unit_drop_stage(&restore->units[i], restore->swapping);
		unit_free(&restore->units[i]);
	}
	free(restore->units);
	manifest_free(&restore->manifest);
	keys_close(&restore->keys);
	store_close(&restore->store);
}

int32_t restore_plan(struct upkeep_ctx *ctx)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_FREE char *id = NULL;
	struct restore restore = {.ctx = ctx, .args = ctx->args};
	int r = choose_backup(&restore, true, &id, &fault);
	/* an earlier task of the same run may make it, and the site's key */
	bool none = (r == -ENOENT || r == -ENOKEY) && strcmp(restore.args->backup, "latest") == 0;
	if (none)
		upkeep_would(ctx, "exchange it back",
			"restore the newest backup of \"%s\", of which there is none yet, below "
			"\"%s\"",
			restore.args->name, restore.args->target);
	r = none ? 0
		: r == 0
		? vault_load(restore.keys, restore.store, id, &restore.manifest, NULL, &fault)
		: r;
	for (size_t i = 0; r == 0 && !none && i < path_count(&restore); i++)
		upkeep_would(ctx, "exchange it back",
			"restore \"%s\" of backup \"%s\" below \"%s\"", path_at(&restore, i),
			restore.manifest.id, restore.args->target);
	restore_free(&restore, false);
	return r < 0 ? fault_report(ctx, r, &fault) : UPKEEP_CHANGED;
}

int32_t restore_run(struct upkeep_ctx *ctx)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_FREE char *id = NULL;
	struct restore restore = {.ctx = ctx, .args = ctx->args};
	int r = choose_backup(&restore, false, &id, &fault);
	if (r == 0)
		r = vault_load(restore.keys, restore.store, id, &restore.manifest, NULL, &fault);
	if (r == 0)
		r = extract_all(&restore, &fault);
	for (size_t i = 0; r == 0 && i < restore.count; i++)
		r = swap_unit(&restore, &restore.units[i], &fault);
	if (r == 0)
		report(&restore);
	restore_free(&restore, r < 0);
	return r < 0 ? fault_report(ctx, r, &fault) : UPKEEP_CHANGED;
}

int32_t restore_probe(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	CLEANUP_SWAP struct swap swap = {0};
	if (!record)
		return UPKEEP_NOT_DONE;
	if (swap_read(&swap, record->payload, record->payload_size) < 0)
		return upkeep_fail(
			ctx, UPKEEP_FAILED, NULL, NULL, "the undo record is not readable");
	int state = swap_state(&swap);
	return state < 0 ? UPKEEP_PARTLY : state ? UPKEEP_DONE : UPKEEP_NOT_DONE;
}

int32_t restore_undo(struct upkeep_ctx *ctx, const struct upkeep_undo *record)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_SWAP struct swap swap = {0};
	if (swap_read(&swap, record->payload, record->payload_size) < 0)
		return upkeep_fail(
			ctx, UPKEEP_NEEDS_PERSON, NULL, NULL, "the undo record is not readable");
	bool there = swap_state(&swap) == 1;
	int r = swap_undo(&swap, &fault);
	if (r == -ESTALE)
		return upkeep_fail(
			ctx, UPKEEP_NEEDS_PERSON, fault.next, NULL, "%s", fault_what(&fault));
	if (r < 0)
		return fault_report(ctx, r, &fault);
	ctx->host->undo_done(ctx, record->id);
	return there ? UPKEEP_CHANGED : UPKEEP_UNCHANGED;
}
