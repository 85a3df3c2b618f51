/* SPDX-License-Identifier: MIT */
#include "backup/create.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "support/cleanup.h"
#include "support/stream.h"

static bool name_valid(const char *name)
{
	return store_name_valid(name) && !strchr(name, '~') && strlen(name) <= 100;
}

int32_t create_check(struct upkeep_ctx *ctx)
{
	const struct create_args *args = ctx->args;
	const char *key = !name_valid(args->name)    ? "name"
		: *args->as && !name_valid(args->as) ? "as"
						     : NULL;
	if (key)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL,
			"%s \"%s\" may have letters, digits, dot, dash and underscore", key,
			*key == 'n' ? args->name : args->as);
	return UPKEEP_UNCHANGED;
}

static struct tree_options walk_options(struct upkeep_ctx *ctx, struct store *store)
{
	const struct create_args *args = ctx->args;
	struct tree_options options = {.paths = args->paths,
		.exclude = args->exclude,
		.one_file_system = args->one_file_system,
		.skip_caches = args->skip_caches,
		.cancel_fd = ctx->host->cancel_fd(ctx)};
	if (store)
		options.has_store =
			store->ops->identity(store, &options.store_dev, &options.store_ino) == 0;
	return options;
}

int32_t create_plan(struct upkeep_ctx *ctx)
{
	const struct create_args *args = ctx->args;
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_TREE struct tree tree = {0};
	CLEANUP_STORE struct store *store = NULL;
	vault_open_store(ctx, args->store, false, &store, NULL);
	struct tree_options options = walk_options(ctx, store);
	int r = tree_walk(&tree, &options, &fault);
	if (r < 0)
		return fault_report(ctx, r, &fault);
	const char *undo = "take the new backup out of sight";
	if (args->paths.count)
		upkeep_would(ctx, undo, "back up %u entries with %llu bytes as \"%s\"", tree.count,
			(unsigned long long)tree.bytes, args->name);
	else
		upkeep_would(ctx, undo, "back up what the task reads as \"%s\"", args->name);
	return UPKEEP_CHANGED;
}

/* Ids are in the order of time: of one second, by the first half of the eight digits. */
static void name_backup(struct create *create)
{
	struct utsname host;
	uint16_t random;
	char stamp[32];
	struct timespec now;
	struct tm tm;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &tm);
	if (getrandom(&random, sizeof random, 0) < 0)
		random = (uint16_t)getpid();
	unsigned fraction = (unsigned)(now.tv_nsec / (1000000000 / 65536 + 1));
	uname(&host);
	create->item.id = fault_format(
		"%s-%s-%04x%04x", stamp, create->args->name, fraction, (unsigned)random);
	create->item.name = fault_format("%s", create->args->name);
	create->item.label = fault_format("%s", create->args->label ? create->args->label : "");
	create->item.host = fault_format("%s", host.nodename);
	create->item.created_s = now.tv_sec;
	create->head = (struct manifest){.id = create->item.id,
		.name = create->item.name,
		.label = create->item.label,
		.host = create->item.host,
		.created_s = now.tv_sec,
		.paths = create->paths,
		.path_count = create->args->paths.count,
		.exclude = (char **)(uintptr_t)create->args->exclude.items,
		.exclude_count = create->args->exclude.count};
	for (size_t i = 0; i < create->args->paths.count; i++)
		create->paths[i] = (char *)(uintptr_t)create->args->paths.items[i];
	if (create->stream_path)
		create->paths[create->head.path_count++] = create->stream_path;
}

static int push_record(struct create *create, uint64_t *ret_id, struct fault *fault)
{
	char payload[1024];
	size_t size = 0;
	upkeep_kv_put(payload, sizeof payload, &size, "store", create->store->name);
	upkeep_kv_put(payload, sizeof payload, &size, "id", create->item.id);
	struct upkeep_undo record = {.struct_size = sizeof record,
		.kind = "create",
		.version = 1,
		.payload = payload,
		.payload_size = size,
		.about = "take the new backup out of sight"};
	int r = upkeep_undo_push(create->ctx, &record, ret_id);
	return r < 0 ? fault_set(fault, r, NULL, "cannot write the undo record: %s", strerror(-r))
		     : 0;
}

static void report(struct create *create)
{
	struct vault_item *item = &create->item;
	char entries[24], bytes[24], stored[24], problems[24], unchanged[24];
	snprintf(entries, sizeof entries, "%llu", (unsigned long long)item->entries);
	snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)item->bytes);
	snprintf(stored, sizeof stored, "%llu", (unsigned long long)item->stored);
	snprintf(problems, sizeof problems, "%zu", create->tree.problem_count);
	snprintf(unchanged, sizeof unchanged, "%zu", create->unchanged);
	tree_warn(create->ctx, &create->tree, ": backup.find shows them");
	upkeep_output_text(create->ctx, "id", item->id);
	upkeep_output_text(create->ctx, "entries", entries);
	upkeep_output_text(create->ctx, "bytes", bytes);
	upkeep_output_text(create->ctx, "stored", stored);
	upkeep_output_text(create->ctx, "problems", problems);
	upkeep_output_int(create->ctx, "changed", (int64_t)create->changed);
	upkeep_output_text(create->ctx, "unchanged", unchanged);
	struct upkeep_cell cells[] = {{"backup", item->id, UPKEEP_STRING, 0},
		{"name", item->name, UPKEEP_STRING, 0}, {"entries", entries, UPKEEP_INT, 0},
		{"bytes", bytes, UPKEEP_SIZE, 0}, {"stored", stored, UPKEEP_SIZE, 0},
		{"unchanged", unchanged, UPKEEP_INT, 0}, {"problems", problems, UPKEEP_INT, 0}};
	upkeep_row(create->ctx, "stored", cells);
}

/* What is streamed comes first: who writes it waits for nobody else. */
static int add_everything(struct create *create, struct fault *fault)
{
	int r = create->stream_path ? create_add_stream(create, fault) : 0;
	if (r == 0)
		r = create_add_files(create, fault);
	if (r == 0)
		r = packer_end(&create->packer, fault);
	create->item.stored = create->packer.stored;
	return r;
}

/* What is unchanged since earlier backups. */
static int find_unchanged(struct create *create, struct fault *fault)
{
	const char *compare = create->args->compare;
	if (create->tree.count && strcmp(compare, "none") != 0)
		bases_load(&create->reuse.bases, create->keys, create->trusting, create->store,
			&create->memory, create->item.name);
	return reuse_decide(&create->reuse, &create->tree, create->store,
		strcmp(compare, "content") == 0, create->ctx->host->cancel_fd(create->ctx), fault);
}

static int begin_manifest(struct create *create, struct fault *fault)
{
	int r = manifest_begin(&create->writer, &create->head, fault);
	create->progress = (struct progress){
		.memory = &create->memory, .head = &create->head, .writer = create->writer};
	for (size_t i = 0; r == 0 && i < create->reuse.borrowed_count; i++)
		if (manifest_put_borrowed(create->writer, &create->reuse.borrowed[i]) < 0)
			r = fault_set(fault, -EIO, NULL, "cannot write the manifest");
	return r;
}

/* That it cannot be remembered costs time the next time, and nothing else. */
static void remember(struct create *create, int plain)
{
	CLEANUP_FAULT struct fault why = {0};
	int r = create->memory.store
		? 0
		: memory_open(&create->memory, create->ctx->settings, create->store, &why);
	if (r == 0)
		r = memory_keep(&create->memory, create->item.id, create->item.name, plain, &why);
	if (r < 0)
		upkeep_warn(create->ctx, "the next backup of \"%s\" cannot build upon this one: %s",
			create->item.name, fault_what(&why));
}

static int create_all(struct create *create, struct fault *fault)
{
	struct tree_options options = walk_options(create->ctx, create->store);
	uint64_t undo = 0;
	CLEANUP_FD int plain = -1;
	name_backup(create);
	create->packer.keys = create->keys;
	create->packer.store = create->store;
	create->packer.id = create->item.id;
	create->packer.progress = &create->progress;
	int r = tree_walk(&create->tree, &options, fault);
	if (r == 0)
		r = find_unchanged(create, fault);
	if (r == 0)
		r = begin_manifest(create, fault);
	if (r == 0)
		r = push_record(create, &undo, fault);
	if (r == 0)
		r = add_everything(create, fault);
	if (r == 0)
		r = create_end_manifest(create, &plain, fault);
	CLEANUP_FD int kept = plain < 0 ? -1 : fcntl(plain, F_DUPFD_CLOEXEC, 3);
	if (r == 0 && create->stream_path)
		r = stream_whole(create->ctx, fault);
	if (r == 0)
		r = create_publish(create, TAKE_FD(plain), fault);
	if (r == 0)
		create->ctx->host->undo_applied(create->ctx, undo, NULL);
	if (r == 0)
		remember(create, kept);
	return r;
}

static void create_free(struct create *create)
{
	packer_free(&create->packer);
	progress_free(&create->progress);
	reuse_free(&create->reuse);
	memory_close(&create->memory);
	manifest_abort(&create->writer);
	tree_free(&create->tree);
	keys_close(&create->keys);
	store_close(&create->store);
	free(create->paths);
	free(create->stream_path);
	free(create->item.id);
	free(create->item.name);
	free(create->item.label);
	free(create->item.host);
}

/* Who cannot check signatures can still store, all of it each time. */
static int open_keys(struct create *create, struct fault *fault)
{
	CLEANUP_FAULT struct fault why = {0};
	memory_open(&create->memory, create->ctx->settings, create->store, NULL);
	int r = keys_open(&create->keys, create->ctx, KEYS_SECRET | KEYS_TRUST, fault);
	create->trusting = r == 0;
	if (r != -ENOKEY)
		return r;
	why = *fault;
	*fault = (struct fault){0};
	keys_close(&create->keys);
	r = keys_open(&create->keys, create->ctx, KEYS_SECRET, fault);
	if (r == 0)
		upkeep_info(create->ctx, "no earlier backup is built upon: %s", fault_what(&why));
	return r;
}

int32_t create_run(struct upkeep_ctx *ctx)
{
	CLEANUP_FAULT struct fault fault = {0};
	struct create create = {.ctx = ctx, .args = ctx->args};
	int r = vault_open_store(ctx, create.args->store, true, &create.store, &fault);
	if (r == 0)
		r = vault_hold(ctx, create.store, false, &fault);
	if (r == 0)
		r = open_keys(&create, &fault);
	if (r == 0)
		r = create_find_stream(&create, &fault);
	if (r == 0)
		r = create_all(&create, &fault);
	if (r == 0)
		report(&create);
	create_free(&create);
	return r < 0 ? fault_report(ctx, r, &fault) : UPKEEP_CHANGED;
}
