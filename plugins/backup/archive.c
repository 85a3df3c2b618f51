/* SPDX-License-Identifier: MIT */
/* Files and directories become one pax tar stream: nothing of it touches the disk. */
#include "backup/actions.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/create.h"
#include "backup/metadata.h"
#include "backup/source.h"
#include "support/cleanup.h"
#include "support/stream.h"

struct archiving {
	struct upkeep_ctx *ctx;
	int out;
	struct tree tree;
	struct pack *pack;
	uint64_t entries, bytes;
	int64_t changed;
};

static int write_out(void *data, const void *bytes, size_t size)
{
	struct archiving *archiving = data;
	return stream_write(archiving->ctx, archiving->out, bytes, size);
}

/* Further names of the inode lie right behind it. */
static int add_links(struct archiving *archiving, uint32_t node, const char *head,
	struct archive_entry *tar, struct fault *fault)
{
	uint64_t at;
	int r = 0;
	archive_entry_sparse_clear(tar);
	archive_entry_unset_size(tar);
	archive_entry_set_hardlink(tar, head + 1);
	for (uint32_t n = archiving->tree.nodes[node].next_link; r == 0 && n != TREE_NONE;
		n = archiving->tree.nodes[n].next_link) {
		CLEANUP_FREE char *path = tree_path(&archiving->tree, n);
		create_set_name(tar, path);
		r = pack_header(archiving->pack, tar, &at, fault);
		if (r == 0)
			r = pack_finish(archiving->pack, &at, fault);
		archiving->entries++;
	}
	return r;
}

static int add_bytes(struct archiving *archiving, uint32_t node, struct source *source,
	struct archive_entry *tar, struct fault *fault)
{
	uint64_t size = S_ISREG(source->st.st_mode) ? (uint64_t)source->st.st_size : 0, at;
	archive_entry_set_size(tar, (la_int64_t)size);
	source_map(source, 0, size, tar);
	int r = pack_header(archiving->pack, tar, &at, fault);
	if (r == 0)
		r = source_write(source, 0, size, archiving->pack, fault);
	if (r == 0)
		r = pack_finish(archiving->pack, &at, fault);
	archiving->entries++;
	archiving->bytes += size;
	if (S_ISREG(source->st.st_mode) && source_changed(source)) {
		archiving->changed++;
		tree_problem(&archiving->tree, node, "changed", source_change(source));
	}
	return r;
}

static int add_source(struct archiving *archiving, uint32_t node, struct source *source,
	const char *path, const char *link, struct fault *fault)
{
	struct archive_entry *tar = archive_entry_new();
	metadata_read(source->fd, &source->st, tar);
	create_set_name(tar, path);
	if (link)
		archive_entry_set_symlink(tar, link);
	int r = add_bytes(archiving, node, source, tar, fault);
	if (r == 0)
		r = add_links(archiving, node, path, tar, fault);
	archive_entry_free(tar);
	return r;
}

static int add_node(struct archiving *archiving, uint32_t node, struct fault *fault)
{
	struct source source;
	CLEANUP_FREE char *path = tree_path(&archiving->tree, node);
	CLEANUP_FREE char *link = NULL;
	int r = source_open(&source, &archiving->tree, node);
	if (r == 0 && S_ISLNK(source.st.st_mode)) {
		link = source_link(&source);
		r = link ? 0 : -errno;
	}
	if (r < 0) {
		tree_unread(&archiving->tree, node, r);
		r = 0;
	} else {
		r = add_source(archiving, node, &source, path, link, fault);
	}
	source_close(&source);
	return r;
}

static int add_all(struct archiving *archiving, struct fault *fault)
{
	struct upkeep_ctx *ctx = archiving->ctx;
	const struct tree *tree = &archiving->tree;
	struct pollfd cancel = {.fd = ctx->host->cancel_fd(ctx), .events = POLLIN};
	int r = 0;
	for (uint32_t node = 0; r == 0 && node < tree->count; node++) {
		uint32_t head = tree_due(tree, node);
		if (head == TREE_NONE || !tree->nodes[head].mode)
			continue;
		ctx->host->progress(ctx, archiving->bytes, tree->bytes, "bytes");
		if (poll(&cancel, 1, 0) > 0)
			return fault_set(
				fault, -ECANCELED, NULL, "stopped before the archive was whole");
		r = add_node(archiving, head, fault);
	}
	return r;
}

static int write_archive(struct archiving *archiving, struct fault *fault)
{
	const struct archive_args *args = archiving->ctx->args;
	int level = strcmp(args->compress, "zstd") == 0 ? (int)args->level : 0;
	struct tree_options options = {.paths = args->paths,
		.exclude = args->exclude,
		.one_file_system = args->one_file_system,
		.skip_caches = args->skip_caches,
		.cancel_fd = archiving->ctx->host->cancel_fd(archiving->ctx)};
	int r = tree_walk(&archiving->tree, &options, fault);
	if (r == 0)
		r = pack_begin_to(&archiving->pack, level, write_out, archiving, fault);
	if (r == 0)
		r = add_all(archiving, fault);
	return r < 0 ? r : pack_close(&archiving->pack, fault);
}

static void report(struct archiving *archiving)
{
	struct upkeep_ctx *ctx = archiving->ctx;
	tree_warn(ctx, &archiving->tree, "");
	upkeep_output_int(ctx, "entries", (int64_t)archiving->entries);
	upkeep_output_int(ctx, "bytes", (int64_t)archiving->bytes);
	upkeep_output_int(ctx, "problems", (int64_t)archiving->tree.problem_count);
	upkeep_output_int(ctx, "changed", archiving->changed);
}

int32_t archive_run(struct upkeep_ctx *ctx)
{
	CLEANUP_FAULT struct fault fault = {0};
	struct archiving archiving = {.ctx = ctx};
	archiving.out = stream_open_out(ctx, &fault);
	int r = archiving.out < 0 ? archiving.out : write_archive(&archiving, &fault);
	if (r == 0)
		report(&archiving);
	pack_abort(&archiving.pack);
	tree_free(&archiving.tree);
	return r < 0 ? fault_report(ctx, r, &fault) : UPKEEP_UNCHANGED;
}
