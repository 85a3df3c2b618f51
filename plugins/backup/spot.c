/* SPDX-License-Identifier: MIT */
/* Some files, chosen at random, against a backup: whether it still is a copy of what there is, and
 * whether what nobody has changed is what it was. */
#include "backup/spot.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "support/cleanup.h"

#define SHOWN_MAX 1000

static const char *const kind_names[SPOT_KINDS] = {[SPOT_SAME] = "same",
	[SPOT_CHANGED] = "changed",
	[SPOT_NEW] = "new",
	[SPOT_MISSING] = "missing",
	[SPOT_UNREADABLE] = "unreadable",
	[SPOT_SILENT] = "silent"};

static int open_backup(struct spot *spot, struct fault *fault)
{
	struct upkeep_ctx *ctx = spot->ctx;
	const struct spot_args *args = ctx->args;
	CLEANUP_FREE char *id = NULL;
	int r = vault_enter(
		ctx, args->store, KEYS_SECRET | KEYS_TRUST, &spot->store, &spot->keys, fault);
	if (r == 0)
		r = vault_choose(spot->keys, spot->store, args->backup, args->name, &id, fault);
	return r < 0 ? r : vault_load(spot->keys, spot->store, id, &spot->manifest, NULL, fault);
}

static void show(
	struct spot *spot, const struct spot_file *file, enum spot_kind kind, const char *why)
{
	CLEANUP_FREE char *live =
		file->node == TREE_NONE ? NULL : tree_path(&spot->tree, file->node);
	struct upkeep_cell cells[] = {{"path", live ? live : file->entry->path, UPKEEP_STRING, 0},
		{"what", kind_names[kind], UPKEEP_STRING, 0}, {"why", why, UPKEEP_STRING, 0}};
	if (kind != SPOT_SAME && spot->sampled - spot->kinds[SPOT_SAME] <= SHOWN_MAX)
		upkeep_row(spot->ctx, "differ", cells);
	if (kind == SPOT_SILENT)
		upkeep_warn(spot->ctx, "%s: other bytes than in the backup, %s", file->entry->path,
			why);
}

static size_t sample_size(const struct spot *spot)
{
	const struct spot_args *args = spot->ctx->args;
	double wanted =
		args->files ? (double)args->files : (double)spot->count * args->sample / 100;
	size_t size = wanted >= (double)spot->count ? spot->count : (size_t)wanted;
	return size + (size < spot->count && ((double)size < wanted || size == 0));
}

static int compare_one(struct spot *spot, const struct spot_file *file, struct fault *fault)
{
	struct pollfd cancel = {.fd = spot->ctx->host->cancel_fd(spot->ctx), .events = POLLIN};
	CLEANUP_FREE char *why = NULL;
	enum spot_kind kind;
	if (poll(&cancel, 1, 0) > 0)
		return fault_set(fault, -ECANCELED, NULL, "stopped before all were compared");
	int r = spot_compare(spot, file, &kind, &why, fault);
	if (r < 0)
		return r;
	spot->sampled++;
	spot->kinds[kind]++;
	show(spot, file, kind, why);
	return 0;
}

/* Each file has the same chance; the same seed chooses the same ones of the same files. */
static int compare_sample(struct spot *spot, struct fault *fault)
{
	unsigned short state[3] = {(unsigned short)spot->seed, (unsigned short)(spot->seed >> 16),
		(unsigned short)(spot->seed >> 32)};
	size_t size = sample_size(spot);
	int r = 0;
	for (size_t i = 0; r == 0 && i < spot->count && spot->sampled < size; i++) {
		if (erand48(state) * (double)(spot->count - i) >= (double)(size - spot->sampled))
			continue;
		r = compare_one(spot, &spot->files[i], fault);
		spot->ctx->host->progress(spot->ctx, spot->sampled, size, "files");
	}
	return r;
}

static int choose_seed(struct spot *spot, struct fault *fault)
{
	const struct spot_args *args = spot->ctx->args;
	uint32_t random;
	if (getrandom(&random, sizeof random, 0) != sizeof random)
		return fault_set(fault, -errno, NULL, "cannot choose at random: %m");
	spot->seed = args->seed ? (uint64_t)args->seed : random | 1u;
	return 0;
}

static void report(struct spot *spot)
{
	char texts[SPOT_KINDS + 4][24];
	const uint64_t numbers[] = {spot->live, spot->stored, spot->sampled, spot->seed};
	struct upkeep_cell cells[SPOT_KINDS + 5] = {
		{"backup", spot->manifest.id, UPKEEP_STRING, 0}};
	static const char *const names[] = {"live", "stored", "sampled", "seed"};
	for (size_t i = 0; i < SPOT_KINDS + 4; i++) {
		snprintf(texts[i], sizeof texts[i], "%llu",
			(unsigned long long)(i < 4 ? numbers[i] : spot->kinds[i - 4]));
		cells[i + 1] = (struct upkeep_cell){
			i < 4 ? names[i] : kind_names[i - 4], texts[i], UPKEEP_INT, 0};
		if (i < 4)
			upkeep_output_text(spot->ctx, names[i], texts[i]);
	}
	upkeep_row(spot->ctx, "spot", cells);
	upkeep_output_text(spot->ctx, "id", spot->manifest.id);
	upkeep_output_int(spot->ctx, "differ", (int64_t)(spot->sampled - spot->kinds[SPOT_SAME]));
	upkeep_output_int(spot->ctx, "silent", (int64_t)spot->kinds[SPOT_SILENT]);
	tree_warn(spot->ctx, &spot->tree, "");
}

static int judge(const struct spot *spot, struct fault *fault)
{
	const struct spot_args *args = spot->ctx->args;
	double more = spot->live > spot->stored ? (double)(spot->live - spot->stored)
						: (double)(spot->stored - spot->live);
	double counts = 100 * more / (double)(spot->stored ? spot->stored : 1);
	uint64_t differ = spot->sampled - spot->kinds[SPOT_SAME];
	double share = 100 * (double)differ / (double)spot->sampled;
	if (spot->kinds[SPOT_SILENT])
		return fault_set(fault, -EIO,
			"look at both: backup.read gives the stored one; then look at the disk",
			"%llu of %llu files have other bytes than in backup \"%s\", with the same "
			"size and time",
			(unsigned long long)spot->kinds[SPOT_SILENT],
			(unsigned long long)spot->sampled, spot->manifest.id);
	if (counts > args->count_tolerance)
		return fault_set(fault, -ERANGE,
			"make a new backup; `paths` and `exclude`, where given, are to be as "
			"backup.create has them",
			"there are %llu files, and %llu in backup \"%s\": %.1f %% are more than "
			"the "
			"%.1f %% of count_tolerance",
			(unsigned long long)spot->live, (unsigned long long)spot->stored,
			spot->manifest.id, counts, args->count_tolerance);
	if (share > args->data_tolerance)
		return fault_set(fault, -ERANGE, "make a new backup",
			"%llu of %llu files are not as in backup \"%s\": %.1f %% are more than the "
			"%.1f %% of data_tolerance",
			(unsigned long long)differ, (unsigned long long)spot->sampled,
			spot->manifest.id, share, args->data_tolerance);
	return 0;
}

int32_t spot_run(struct upkeep_ctx *ctx)
{
	CLEANUP_FAULT struct fault fault = {0};
	struct spot spot = {.ctx = ctx};
	int r = open_backup(&spot, &fault);
	if (r == 0)
		r = choose_seed(&spot, &fault);
	if (r == 0)
		r = spot_list(&spot, &fault);
	if (r == 0)
		r = compare_sample(&spot, &fault);
	if (r == 0) {
		report(&spot);
		r = judge(&spot, &fault);
	}
	free(spot.files);
	free(spot.by_path);
	tree_free(&spot.tree);
	manifest_free(&spot.manifest);
	keys_close(&spot.keys);
	store_close(&spot.store);
	return r < 0 ? fault_report(ctx, r, &fault) : UPKEEP_UNCHANGED;
}
