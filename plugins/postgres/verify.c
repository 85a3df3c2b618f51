/* SPDX-License-Identifier: MIT */
#include "postgres/drill.h"

#include <fcntl.h>
#include <unistd.h>

#include "postgres/load.h"
#include "support/cleanup.h"
#include "support/stream.h"

/* pg_restore --list, which reads the list at the dump's beginning and no more. */
struct listing {
	struct program program;
	struct load_feed feed;
	int list; /* a file of what it says */
};

static int start(struct listing *listing, struct programs *programs, struct fault *fault)
{
	static const char *const args[] = {"--format=custom", "--list", NULL};
	int from = -1, dir = programs->ctx->host->temp_dir(programs->ctx, NULL);
	listing->list =
		dir < 0 ? dir : openat(dir, "list", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (listing->list < 0)
		return fault_set(fault, -EIO, NULL, "cannot make a temporary file");
	int r = load_feed_open(&listing->feed, programs->ctx, &from, fault);
	if (r == 0)
		r = program_start(&listing->program, programs, "pg_restore", args, from,
			listing->list, fault);
	if (from >= 0)
		close(from);
	return r;
}

/* Lines that do not begin with a semicolon are entries. */
static int count(const struct listing *listing, size_t *ret, struct fault *fault)
{
	char bytes[65536], before = '\n';
	ssize_t n;
	*ret = 0;
	for (off_t at = 0; (n = pread(listing->list, bytes, sizeof bytes, at)) > 0; at += n)
		for (ssize_t i = 0; i < n; before = bytes[i++])
			*ret += before == '\n' && bytes[i] >= '0' && bytes[i] <= '9';
	if (n < 0)
		return fault_set(fault, -errno, NULL, "cannot read what pg_restore lists: %m");
	return *ret ? 0 : fault_set(fault, -EBADMSG, "take another backup", "the dump is empty");
}

static int list(struct load *load, struct programs *programs, size_t *ret, struct fault *fault)
{
	struct listing listing = {.feed.to = -1, .list = -1, .program = {0}};
	int r = start(&listing, programs, fault);
	if (r == 0)
		r = set_take_dump(load->set, load_feed_piece, &listing.feed, &load->bytes, fault);
	load_feed_close(&listing.feed);
	if (r == 0 && program_end(&listing.program, fault) < 0) {
		fault_prefix(fault, "the dump cannot be listed");
		r = -EBADMSG;
	}
	if (r == 0)
		r = count(&listing, ret, fault);
	program_free(&listing.program);
	if (listing.list >= 0)
		close(listing.list);
	return r;
}

static int verify(struct load *load, size_t *ret_entries, struct fault *fault)
{
	const struct verify_args *args = load->ctx->args;
	CLEANUP_PROGRAMS struct programs programs = {0};
	CLEANUP_FREE char *text = NULL;
	size_t size = 0;
	int r = load_begin(load, fault);
	if (r == 0 && *args->database && strcmp(args->database, load->about.database) != 0)
		r = fault_set(fault, -EBADMSG, "take the backup of the right database",
			"the set is of the database \"%s\", not of \"%s\"", load->about.database,
			args->database);
	if (r == 0)
		r = programs_find(
			&programs, load->ctx, load->about.client / 10000, PROGRAMS_NEAREST, fault);
	if (r == 0)
		r = list(load, &programs, ret_entries, fault);
	if (r == 0)
		r = set_take(load->set, SET_CONTENTS, &text, &size, fault);
	if (r == 0)
		r = relations_parse(&load->was, text, size, fault);
	if (r == 0)
		r = set_reader_finish(load->set, fault);
	return r < 0 ? r : stream_whole(load->ctx, fault);
}

int32_t verify_run(struct upkeep_ctx *ctx)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_LOAD struct load load = {.ctx = ctx};
	size_t entries = 0;
	int r = verify(&load, &entries, &fault);
	if (r < 0)
		return fault_report(ctx, r, &fault);
	upkeep_output_text(ctx, "database", load.about.database);
	upkeep_output_int(ctx, "bytes", (int64_t)load.bytes);
	upkeep_output_int(ctx, "entries", (int64_t)entries);
	upkeep_output_int(ctx, "tables", (int64_t)load.was.tables);
	upkeep_output_int(ctx, "rows", load.was.rows);
	return UPKEEP_UNCHANGED;
}
