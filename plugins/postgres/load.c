/* SPDX-License-Identifier: MIT */
#include "postgres/load.h"

#include <fcntl.h>
#include <unistd.h>

#include "support/cleanup.h"
#include "support/stream.h"

#define OPTIONS_MAX 16

/* The first version of each major of which pg_restore runs no program that a crafted archive
 * names (CVE-2026-116314). */
static const int fixed[] = {140025, 150020, 160016, 170012, 180007};

static void warn_version(struct upkeep_ctx *ctx, int version)
{
	for (size_t i = 0; i < UPKEEP_COUNT(fixed); i++)
		if (version / 10000 == fixed[i] / 10000 && version < fixed[i])
			upkeep_warn(ctx,
				"pg_restore %d.%d runs programs that a crafted dump names "
				"(CVE-2026-116314, fixed in %d.%d): update the PostgreSQL client",
				version / 10000, version % 10000, fixed[i] / 10000,
				fixed[i] % 10000);
}

int load_begin(struct load *load, struct fault *fault)
{
	CLEANUP_FREE char *text = NULL;
	size_t size = 0;
	int r = set_reader_open(&load->set, load->ctx, stream_open(load->ctx), fault);
	if (r == 0)
		r = set_take(load->set, SET_ABOUT, &text, &size, fault);
	if (r == 0)
		r = about_parse(&load->about, text, size, fault);
	return r < 0 ? r : set_take_globals(load->set, fault);
}

/* ---- pg_restore ---- */

int load_feed_open(
	struct load_feed *feed, struct upkeep_ctx *ctx, int *ret_from, struct fault *fault)
{
	int ends[2];
	int r = stream_pipe(ends, fault);
	if (r < 0)
		return r;
	*feed = (struct load_feed){ctx, ends[1]};
	*ret_from = ends[0];
	return 0;
}

int load_feed_piece(void *arg, const void *bytes, size_t size, struct fault *fault)
{
	struct load_feed *feed = arg;
	int r = feed->to < 0 ? 0 : stream_write(feed->ctx, feed->to, bytes, size);
	if (r != -EPIPE)
		return r < 0 ? stream_write_fault(r, fault) : 0;
	load_feed_close(feed);
	return 0;
}

void load_feed_close(struct load_feed *feed)
{
	if (feed->to >= 0)
		close(feed->to);
	feed->to = -1;
}

static int start_restore(struct load *load, struct programs *programs, struct program *program,
	const char *const *options, int from, struct fault *fault)
{
	CLEANUP_FREE char *database = programs_dbname(load->name);
	CLEANUP_FREE char *dbname = fault_format("--dbname=%s", database);
	const char *args[OPTIONS_MAX + 8] = {"--format=custom", "--exit-on-error", "--no-password",
		"--no-subscriptions", dbname};
	for (size_t i = 0; i < OPTIONS_MAX && options[i]; i++)
		args[5 + i] = options[i];
	return program_start(program, programs, "pg_restore", args, from, -1, fault);
}

static int run_restore(struct load *load, struct programs *programs, const char *const *options,
	struct fault *fault)
{
	CLEANUP_PROGRAM struct program program = {0};
	CLEANUP_FAULT struct fault ended = {0};
	CLEANUP_FEED struct load_feed feed = {.to = -1};
	int from = -1;
	int r = load_feed_open(&feed, load->ctx, &from, fault);
	if (r == 0)
		r = start_restore(load, programs, &program, options, from, fault);
	if (from >= 0)
		close(from);
	if (r == 0)
		r = set_take_dump(load->set, load_feed_piece, &feed, &load->bytes, fault);
	bool stopped = feed.to < 0;
	load_feed_close(&feed);
	/* indexes are built when all has been read: for hours */
	if (r == 0)
		r = program_await(&program, fault);
	if (program.handle <= 0 || r == -ECANCELED || (r < 0 && !stopped))
		return r;
	int e = program_end(&program, &ended);
	return r < 0 || e == 0
		? r
		: fault_set(fault, e, "see its messages: upkeep log last TASK",
			  "restoring \"%s\": %s", load->about.database, fault_what(&ended));
}

int load_restore(struct load *load, const char *const *options, struct fault *fault)
{
	CLEANUP_PROGRAMS struct programs programs = {0};
	int server = load->admin->version / 10000, client = load->about.client / 10000;
	int r = programs_find(
		&programs, load->ctx, server > client ? server : client, PROGRAMS_NEAREST, fault);
	if (r == 0)
		r = programs_prepare(&programs, load->name, load->admin->version, fault);
	if (r == 0)
		r = scratch_create(load->admin, load->name, &load->about, &load->record, fault);
	if (r < 0)
		return r;
	warn_version(load->ctx, programs.version);
	return run_restore(load, &programs, options, fault);
}

/* ---- proof ---- */

int load_compare(struct load *load, struct connection *restored, struct fault *fault)
{
	CLEANUP_FREE char *text = NULL;
	size_t size = 0;
	int r = set_take(load->set, SET_CONTENTS, &text, &size, fault);
	if (r == 0)
		r = relations_parse(&load->was, text, size, fault);
	if (r == 0)
		r = set_reader_finish(load->set, fault);
	if (r == 0)
		r = relations_list(&load->is, restored, fault);
	if (r == 0)
		r = relations_count(&load->is, restored, fault);
	return r < 0 ? r : relations_compare(load->ctx, &load->was, &load->is, fault);
}

void load_free(struct load *load)
{
	about_free(&load->about);
	relations_free(&load->was);
	relations_free(&load->is);
	set_reader_close(&load->set);
}
