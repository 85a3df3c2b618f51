/* SPDX-License-Identifier: MIT */
#include "backup/actions.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "backup/metadata.h"
#include "backup/seal.h"
#include "backup/source.h"
#include "backup/vault.h"
#include "support/cleanup.h"

#define SEALING 2 /* gpg programs at a time */
#define PROBLEMS_SHOWN 20
#define DAY_S 86400

struct create {
	struct upkeep_ctx *ctx;
	const struct create_args *args;
	struct keys *keys;
	struct store *store;
	struct tree tree;
	struct pack *pack;
	uint32_t pack_count; /* begun */
	struct seal_job jobs[SEALING];
	uint32_t job_packs[SEALING];
	struct manifest_pack *packs;
	struct manifest head;
	struct manifest_writer *writer;
	struct vault_item item;
	uint64_t bytes_done;
	size_t changed;
};

int32_t create_check(struct upkeep_ctx *ctx)
{
	const struct create_args *args = ctx->args;
	if (!store_name_valid(args->name) || strchr(args->name, '~') || strlen(args->name) > 100)
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL,
			"name \"%s\" may have letters, digits, dot, dash and underscore",
			args->name);
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
	upkeep_would(ctx, "move the new backup to the store's tombstones",
		"back up %u entries with %llu bytes as \"%s\"", tree.count,
		(unsigned long long)tree.bytes, args->name);
	return UPKEEP_CHANGED;
}

/* ---- packs ---- */

static int store_pack(struct create *create, size_t slot, struct fault *fault)
{
	struct manifest_pack *pack = &create->packs[create->job_packs[slot]];
	CLEANUP_FREE char *name = fault_format("%05u.pack", create->job_packs[slot]);
	CLEANUP_FD int fd = -1;
	int r = seal_finish(&create->jobs[slot], &fd, &pack->size, fault);
	if (r < 0)
		return r;
	create->item.stored += pack->size;
	return create->store->ops->put(
		create->store, create->item.id, name, fd, pack->size, pack->sha256, fault);
}

static int seal_pack(struct create *create, struct fault *fault)
{
	uint32_t number = create->pack_count - 1;
	size_t slot = number % SEALING;
	int fd = -1;
	create->packs = fault_resize(create->packs, create->pack_count, sizeof *create->packs);
	create->packs[number] = (struct manifest_pack){0};
	int r = pack_end(&create->pack, &fd, &create->packs[number].plain, fault);
	if (r == 0 && seal_busy(&create->jobs[slot]))
		r = store_pack(create, slot, fault);
	if (r < 0) {
		if (fd >= 0)
			close(fd);
		return r;
	}
	create->job_packs[slot] = number;
	return seal_start(&create->jobs[slot], create->keys, fd, fault);
}

/* A pack with room for `size` more bytes of input; an empty one has always room. */
static int make_room(struct create *create, uint64_t size, struct fault *fault)
{
	if (create->pack && pack_input(create->pack) + size > PACK_INPUT_MAX) {
		int r = seal_pack(create, fault);
		if (r < 0)
			return r;
	}
	if (create->pack)
		return 0;
	create->pack_count++;
	return pack_begin(&create->pack, fault);
}

/* ---- entries ---- */

static char type_of(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return 'f';
	case S_IFDIR:
		return 'd';
	case S_IFLNK:
		return 'l';
	case S_IFIFO:
		return 'p';
	case S_IFCHR:
		return 'c';
	case S_IFBLK:
		return 'b';
	default:
		return 0;
	}
}

static char *read_link(int fd)
{
	char *text = fault_alloc(PATH_MAX + 1);
	if (readlinkat(fd, "", text, PATH_MAX) < 0) {
		free(text);
		return NULL;
	}
	return text;
}

static void describe(const struct stat *st, struct manifest_entry *entry)
{
	entry->type = type_of(st->st_mode);
	entry->mode = st->st_mode;
	entry->uid = st->st_uid;
	entry->gid = st->st_gid;
	entry->mtime_s = st->st_mtim.tv_sec;
	entry->mtime_ns = (uint32_t)st->st_mtim.tv_nsec;
	entry->size = S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0;
}

/* In the archive paths have no slash before them. */
static void set_name(struct archive_entry *tar, const char *path)
{
	archive_entry_set_pathname(tar, path[1] ? path + 1 : ".");
}

static int add_part(struct create *create, struct source *source, struct archive_entry *tar,
	struct manifest_entry *entry, uint64_t from, uint64_t end, struct fault *fault)
{
	entry->pieces = fault_resize(entry->pieces, entry->piece_count + 1, sizeof *entry->pieces);
	struct manifest_piece *piece = &entry->pieces[entry->piece_count++];
	*piece = (struct manifest_piece){.from = from, .size = end - from};
	uint64_t tar_end = 0;
	archive_entry_sparse_clear(tar);
	archive_entry_set_size(tar, (la_int64_t)(end - from));
	source_map(source, from, end, tar);
	int r = pack_header(create->pack, tar, &piece->offset, fault);
	if (r == 0)
		r = source_write(source, from, end, create->pack, fault);
	if (r == 0)
		r = pack_finish(create->pack, &tar_end, fault);
	piece->pack = create->pack_count - 1;
	piece->length = tar_end - piece->offset;
	return r;
}

/* A file that fits lies in one pack; a larger one begins a pack and fills what it needs. */
static int add_parts(struct create *create, struct source *source, struct archive_entry *tar,
	struct manifest_entry *entry, struct fault *fault)
{
	uint64_t size = entry->size, from = 0, data = source_data_size(source);
	int r = 0;
	do {
		uint64_t end = source_part_end(source, from, PACK_INPUT_MAX);
		r = make_room(create, data < PACK_INPUT_MAX ? data + 1024 : PACK_INPUT_MAX, fault);
		if (r == 0)
			r = add_part(create, source, tar, entry, from, end, fault);
		data -= data < PACK_INPUT_MAX ? data : PACK_INPUT_MAX;
		from = end;
	} while (r == 0 && from < size);
	if (source->hash)
		store_hash_end(&source->hash, entry->sha256);
	return r;
}

/* Further names of the inode lie right behind it, in the same pack. */
static int add_links(struct create *create, uint32_t node, struct manifest_entry *head,
	struct archive_entry *tar, struct fault *fault)
{
	int r = 0;
	archive_entry_sparse_clear(tar);
	archive_entry_unset_size(tar);
	archive_entry_set_hardlink(tar, head->path + 1);
	for (uint32_t n = create->tree.nodes[node].next_link; r == 0 && n != TREE_NONE;
		n = create->tree.nodes[n].next_link) {
		CLEANUP_FREE char *path = tree_path(&create->tree, n);
		struct manifest_piece piece = {.pack = create->pack_count - 1};
		struct manifest_entry entry = *head;
		uint64_t end = 0;
		set_name(tar, path);
		r = pack_header(create->pack, tar, &piece.offset, fault);
		if (r == 0)
			r = pack_finish(create->pack, &end, fault);
		piece.length = end - piece.offset;
		entry.type = 'h';
		entry.path = path;
		entry.link = head->path;
		entry.size = 0;
		entry.pieces = &piece;
		entry.piece_count = 1;
		if (r == 0)
			r = manifest_put_entry(create->writer, &entry);
		create->item.entries++;
	}
	return r;
}

static int add_open_file(struct create *create, uint32_t node, struct source *source,
	struct manifest_entry *entry, struct fault *fault)
{
	struct archive_entry *tar = archive_entry_new();
	describe(&source->st, entry);
	metadata_read(source->fd, &source->st, tar);
	set_name(tar, entry->path);
	if (entry->type == 'l')
		archive_entry_set_symlink(tar, entry->link);
	int r = add_parts(create, source, tar, entry, fault);
	if (entry->type == 'f' && source_changed(source)) {
		entry->changed = true;
		create->changed++;
		tree_problem(&create->tree, node, "changed",
			source->short_read ? "it shrank: zeros stand for its end"
					   : "it was written to");
	}
	if (r == 0)
		r = manifest_put_entry(create->writer, entry);
	if (r == 0)
		r = add_links(create, node, entry, tar, fault);
	create->item.entries++;
	create->item.bytes += entry->size;
	archive_entry_free(tar);
	return r;
}

static int add_node(struct create *create, uint32_t node, struct fault *fault)
{
	struct source source;
	CLEANUP_FREE char *path = tree_path(&create->tree, node);
	struct manifest_entry entry = {.path = path};
	int r = source_open(&source, &create->tree, node);
	if (r == 0 && S_ISLNK(source.st.st_mode)) {
		entry.link = read_link(source.fd);
		r = entry.link ? 0 : -errno;
	}
	if (r < 0)
		tree_problem(&create->tree, node,
			r == -ENOENT || r == -ESTALE ? "vanished" : "unreadable", strerror(-r));
	else
		r = add_open_file(create, node, &source, &entry, fault);
	free(entry.link);
	free(entry.pieces);
	source_close(&source);
	return fault->what ? r : 0;
}

static int check_cancel(struct create *create, struct fault *fault)
{
	struct pollfd fd = {.fd = create->ctx->host->cancel_fd(create->ctx), .events = POLLIN};
	if (poll(&fd, 1, 0) > 0)
		return fault_set(fault, -ECANCELED, NULL, "stopped before the backup was whole");
	create->ctx->host->progress(create->ctx, create->item.bytes, create->tree.bytes, "bytes");
	return 0;
}

/* The file to be added at this place of the walk.  All names of an inode are added at the
 * last of them, when the directories of all are there. */
static uint32_t head_due(const struct tree *tree, uint32_t node)
{
	const struct tree_node *n = &tree->nodes[node];
	if (n->link == TREE_NONE)
		return n->next_link == TREE_NONE ? node : TREE_NONE;
	return tree->nodes[n->link].next_link == node ? n->link : TREE_NONE;
}

static int add_all(struct create *create, struct fault *fault)
{
	int r = 0;
	for (uint32_t node = 0; r == 0 && node < create->tree.count; node++) {
		uint32_t head = head_due(&create->tree, node);
		if (head == TREE_NONE || !type_of(create->tree.nodes[head].mode))
			continue;
		if (node % 64 == 0)
			r = check_cancel(create, fault);
		if (r == 0)
			r = make_room(create, 1024, fault);
		if (r == 0)
			r = add_node(create, head, fault);
	}
	if (r == 0 && create->pack)
		r = seal_pack(create, fault);
	for (uint32_t i = 0; r == 0 && i < SEALING; i++) {
		size_t slot = (create->pack_count + i) % SEALING;
		if (seal_busy(&create->jobs[slot]))
			r = store_pack(create, slot, fault);
	}
	return r;
}

/* ---- the manifest, and with it the backup ---- */

static int end_manifest(struct create *create, int *ret_fd, struct fault *fault)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < create->tree.problem_count; i++) {
		const struct tree_problem *p = &create->tree.problems[i];
		r = manifest_put_problem(create->writer, p->path, p->kind, p->why);
	}
	for (uint32_t i = 0; r == 0 && i < create->pack_count; i++)
		r = manifest_put_pack(create->writer, &create->packs[i]);
	if (r < 0)
		return fault_set(fault, r, NULL, "cannot write the manifest: %s", strerror(-r));
	return manifest_end(&create->writer, ret_fd, fault);
}

static int put_text(struct create *create, const char *name, const char *text, struct fault *fault)
{
	char hash[STORE_HASH_TEXT];
	CLEANUP_FD int fd = seal_memory(name, fault);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return fault_set(fault, -EIO, NULL, "cannot write \"%s\" in memory", name);
	return create->store->ops->put(
		create->store, create->item.id, name, fd, strlen(text), hash, fault);
}

/* Signature first, manifest last: with it the backup begins to exist. */
static int publish(struct create *create, int plain, struct fault *fault)
{
	struct store *store = create->store;
	struct seal_job job;
	CLEANUP_FD int sealed = -1;
	CLEANUP_FD int signature = -1;
	char hash[STORE_HASH_TEXT];
	uint64_t size = 0;
	create->item.problems = create->tree.problem_count;
	int r = seal_start(&job, create->keys, plain, fault);
	if (r == 0)
		r = seal_finish(&job, &sealed, &size, fault);
	if (r < 0)
		return r;
	create->item.stored += size;
	CLEANUP_FREE char *summary = vault_summary(&create->item);
	r = keys_sign(create->keys, sealed, summary, &signature, fault);
	off_t signature_size = r == 0 ? lseek(signature, 0, SEEK_END) : 0;
	if (r == 0)
		r = store->ops->put(store, create->item.id, VAULT_SIGNATURE, signature,
			(uint64_t)signature_size, hash, fault);
	if (r == 0 && create->args->pin)
		r = put_text(create, VAULT_PIN, "pinned when it was made\n", fault);
	if (r == 0)
		r = store->ops->sync(store, create->item.id, fault);
	if (r == 0)
		r = store->ops->put(
			store, create->item.id, VAULT_MANIFEST, sealed, size, hash, fault);
	return r < 0 ? r : store->ops->sync(store, create->item.id, fault);
}

static void name_backup(struct create *create)
{
	struct utsname host;
	unsigned char random[4] = {0};
	char stamp[32];
	time_t now = time(NULL);
	struct tm tm;
	gmtime_r(&now, &tm);
	strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &tm);
	if (getrandom(random, sizeof random, 0) < 0)
		memcpy(random, &now, sizeof random);
	uname(&host);
	create->item.id = fault_format("%s-%s-%02x%02x%02x%02x", stamp, create->args->name,
		random[0], random[1], random[2], random[3]);
	create->item.name = fault_format("%s", create->args->name);
	create->item.label = fault_format("%s", create->args->label ? create->args->label : "");
	create->item.host = fault_format("%s", host.nodename);
	create->item.created_s = now;
	create->head = (struct manifest){.id = create->item.id,
		.name = create->item.name,
		.label = create->item.label,
		.host = create->item.host,
		.created_s = now,
		.paths = (char **)(uintptr_t)create->args->paths.items,
		.path_count = create->args->paths.count};
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
		.about = "move the new backup to the store's tombstones"};
	int r = upkeep_undo_push(create->ctx, &record, ret_id);
	return r < 0 ? fault_set(fault, r, NULL, "cannot write the undo record: %s", strerror(-r))
		     : 0;
}

static void report_problems(struct create *create)
{
	const struct tree *tree = &create->tree;
	for (size_t i = 0; i < tree->problem_count && i < PROBLEMS_SHOWN; i++)
		upkeep_warn(create->ctx, "%s: %s: %s", tree->problems[i].kind,
			tree->problems[i].path, tree->problems[i].why);
	if (tree->problem_count > PROBLEMS_SHOWN)
		upkeep_warn(create->ctx, "%zu more entries like these: backup.find shows them",
			tree->problem_count - PROBLEMS_SHOWN);
}

static void report(struct create *create)
{
	struct vault_item *item = &create->item;
	char entries[24], bytes[24], stored[24], problems[24];
	snprintf(entries, sizeof entries, "%llu", (unsigned long long)item->entries);
	snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)item->bytes);
	snprintf(stored, sizeof stored, "%llu", (unsigned long long)item->stored);
	snprintf(problems, sizeof problems, "%zu", create->tree.problem_count);
	report_problems(create);
	upkeep_output_text(create->ctx, "id", item->id);
	upkeep_output_text(create->ctx, "entries", entries);
	upkeep_output_text(create->ctx, "bytes", bytes);
	upkeep_output_text(create->ctx, "stored", stored);
	upkeep_output_text(create->ctx, "problems", problems);
	upkeep_output_int(create->ctx, "changed", (int64_t)create->changed);
	struct upkeep_cell cells[] = {{"backup", item->id, UPKEEP_STRING, 0},
		{"name", item->name, UPKEEP_STRING, 0}, {"entries", entries, UPKEEP_INT, 0},
		{"bytes", bytes, UPKEEP_SIZE, 0}, {"stored", stored, UPKEEP_SIZE, 0},
		{"problems", problems, UPKEEP_INT, 0}};
	upkeep_row(create->ctx, "stored", cells);
}

static int create_all(struct create *create, struct fault *fault)
{
	struct tree_options options = walk_options(create->ctx, create->store);
	uint64_t undo = 0;
	int plain = -1;
	name_backup(create);
	int r = tree_walk(&create->tree, &options, fault);
	if (r == 0)
		r = manifest_begin(&create->writer, &create->head, fault);
	if (r == 0)
		r = push_record(create, &undo, fault);
	if (r == 0)
		r = add_all(create, fault);
	if (r == 0)
		r = end_manifest(create, &plain, fault);
	if (r == 0)
		r = publish(create, plain, fault);
	if (r == 0)
		create->ctx->host->undo_applied(create->ctx, undo, NULL);
	return r;
}

static void create_free(struct create *create)
{
	for (size_t i = 0; i < SEALING; i++)
		if (seal_busy(&create->jobs[i]))
			seal_abort(&create->jobs[i]);
	pack_abort(&create->pack);
	manifest_abort(&create->writer);
	tree_free(&create->tree);
	keys_close(&create->keys);
	store_close(&create->store);
	free(create->packs);
	free(create->item.id);
	free(create->item.name);
	free(create->item.label);
	free(create->item.host);
}

int32_t create_run(struct upkeep_ctx *ctx)
{
	CLEANUP_FAULT struct fault fault = {0};
	struct create create = {.ctx = ctx, .args = ctx->args};
	int r = vault_open_store(ctx, create.args->store, true, &create.store, &fault);
	if (r == 0)
		r = vault_hold(ctx, create.store, false, &fault);
	if (r == 0)
		r = keys_open(&create.keys, ctx, KEYS_SECRET, &fault);
	if (r == 0)
		r = create_all(&create, &fault);
	if (r == 0)
		report(&create);
	create_free(&create);
	return r < 0 ? fault_report(ctx, r, &fault) : UPKEEP_CHANGED;
}
