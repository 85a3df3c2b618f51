/* SPDX-License-Identifier: MIT */
#include "postgres/dump.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "postgres/about.h"
#include "postgres/programs.h"
#include "postgres/relations.h"
#include "postgres/set.h"
#include "support/cleanup.h"
#include "support/stream.h"

#define ARGS_MAX 4096
#define GATHER_US 1000

struct dump {
	struct upkeep_ctx *ctx;
	const struct dump_args *args;
	struct connection connection; /* holds the snapshot until the end */
	struct programs programs;
	struct set_writer *set;
	struct relations relations;
	struct counting counting;
	struct program program;
	char *snapshot;
	char *part; /* SET_PART_BYTES, of which `filled` are there */
	size_t filled;
	uint64_t bytes;
	int from; /* what pg_dump writes */
	bool dumped;
};

int32_t dump_check(struct upkeep_ctx *ctx)
{
	const struct dump_args *args = ctx->args;
	if (strchr(args->database, '\n') || strchr(args->database, '\r'))
		return upkeep_fail(ctx, UPKEEP_FAILED, NULL, NULL,
			"pg_dump takes no database with a line break in its name");
	return UPKEEP_UNCHANGED;
}

/* ---- what is seen ---- */

/* Before the snapshot is given away, the tables are locked: what pg_dump sees cannot be
 * rewritten under the counting. */
static int see(struct dump *dump, struct fault *fault)
{
	CLEANUP_RESULT PGresult *result = NULL;
	struct connection *c = &dump->connection;
	CLEANUP_FREE char *timeout = fault_format("%lldms", (long long)dump->args->lock_timeout_ms);
	int r = query_run(c, "beginning the snapshot", NULL, fault,
		"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
	if (r == 0)
		r = query_run(c, "setting the limits of the snapshot", NULL, fault,
			"SELECT set_config('lock_timeout', $1, true),"
			" set_config('row_security', 'off', true)",
			timeout);
	if (r == 0)
		r = relations_list(&dump->relations, c, fault);
	if (r == 0)
		r = relations_lock(&dump->relations, c, fault);
	if (r == 0)
		r = query_run(c, "giving the snapshot away", &result, fault,
			"SELECT pg_export_snapshot()");
	if (r == 0)
		dump->snapshot = fault_format("%s", query_text(result, 0, 0));
	return r;
}

/* ---- programs ---- */

/* All of what a program writes, up to SET_TEXT_MAX. */
static int collect(struct dump *dump, int fd, char **ret, size_t *ret_size, struct fault *fault)
{
	size_t room = 65536, size = 0, n = 1;
	char *text = fault_alloc(room);
	int r = 0;
	while (r == 0 && n > 0 && size < SET_TEXT_MAX) {
		if (size + 1 >= room)
			text = fault_resize(text, room *= 2, 1);
		r = stream_read_some(dump->ctx, fd, text + size, room - size - 1, &n, fault);
		size += r == 0 ? n : 0;
	}
	text[size] = 0;
	*ret = text;
	*ret_size = size;
	return r;
}

static int run_globals(struct dump *dump, char **ret, size_t *ret_size, struct fault *fault)
{
	CLEANUP_PROGRAM struct program program = {0};
	CLEANUP_FREE char *name = programs_dbname(dump->connection.database);
	CLEANUP_FREE char *database = fault_format("--database=%s", name);
	CLEANUP_FREE char *wait =
		fault_format("--lock-wait-timeout=%lldms", (long long)dump->args->lock_timeout_ms);
	const char *const args[] = {"--globals-only", "--no-password", wait, database,
		dump->args->role_passwords ? NULL : "--no-role-passwords", NULL};
	int ends[2];
	int r = stream_pipe(ends, fault);
	if (r < 0)
		return r;
	CLEANUP_FD int from = ends[0];
	CLEANUP_FD int to = ends[1];
	r = program_start(&program, &dump->programs, "pg_dumpall", args, -1, to, fault);
	close(TAKE_FD(to));
	if (r == 0)
		r = collect(dump, from, ret, ret_size, fault);
	if (r == 0)
		r = program_end(&program, fault);
	if (r == 0 && !strstr(*ret, SET_GLOBALS_END))
		r = fault_set(fault, -EIO, "see its messages: upkeep log last TASK",
			"what pg_dumpall wrote of the roles lacks its end");
	return r;
}

static int put_globals(struct dump *dump, struct fault *fault)
{
	CLEANUP_FREE char *text = NULL;
	size_t size = 0;
	int r = run_globals(dump, &text, &size, fault);
	return r < 0 ? r : set_put(dump->set, SET_GLOBALS, text, size, fault);
}

static int put_about(struct dump *dump, struct fault *fault)
{
	CLEANUP_FREE char *text = NULL;
	int r = about_make(&dump->connection, dump->args->role_passwords, dump->programs.version,
		&text, fault);
	return r < 0 ? r : set_put(dump->set, SET_ABOUT, text, strlen(text), fault);
}

/* In quotes every character of a pattern stands for itself, but the quote. */
static char *pattern_of(const char *option, const struct relation *relation)
{
	CLEANUP_FREE char *text =
		fault_alloc(2 * (strlen(relation->schema) + strlen(relation->name)) + 8);
	char *to = text;
	const char *const names[] = {relation->schema, relation->name};
	for (size_t i = 0; i < 2; i++) {
		*to++ = '"';
		for (const char *from = names[i]; *from; from++) {
			if (*from == '"')
				*to++ = '"';
			*to++ = *from;
		}
		to = stpcpy(to, i ? "\"" : "\".");
	}
	return fault_format("%s=%s", option, text);
}

struct arguments {
	const char *items[ARGS_MAX + 1];
	char *owned[ARGS_MAX];
	size_t count;
};

static void arguments_free(struct arguments *arguments)
{
	for (size_t i = 0; i < arguments->count; i++)
		free(arguments->owned[i]);
}

static int add_own(struct arguments *arguments, char *text, struct fault *fault)
{
	if (arguments->count == ARGS_MAX) {
		free(text);
		return fault_set(fault, -E2BIG, "exclude fewer tables",
			"more than %d tables are "
			"excluded",
			ARGS_MAX - 16);
	}
	arguments->owned[arguments->count] = text;
	arguments->items[arguments->count++] = text;
	return 0;
}

/* What is left out is left out of the list too, and a table without its data has no rows. */
static int add_excluded(struct dump *dump, struct arguments *arguments, struct fault *fault)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < dump->relations.count; i++) {
		struct relation *relation = &dump->relations.items[i];
		if (relation_fits(relation, dump->args->exclude))
			r = add_own(arguments, pattern_of("--exclude-table", relation), fault);
		else if (relation->kind == 'r' && relation_fits(relation, dump->args->exclude_data))
			r = add_own(arguments, pattern_of("--exclude-table-data", relation), fault);
	}
	relations_drop(&dump->relations, dump->args->exclude);
	return r;
}

static int add_all(struct dump *dump, struct arguments *arguments, struct fault *fault)
{
	CLEANUP_FREE char *database = programs_dbname(dump->args->database);
	char *const own[] = {fault_format("--format=custom"), fault_format("--compress=0"),
		fault_format("--no-password"), fault_format("--snapshot=%s", dump->snapshot),
		fault_format("--lock-wait-timeout=%lldms", (long long)dump->args->lock_timeout_ms),
		fault_format("--dbname=%s", database)};
	for (size_t i = 0; i < UPKEEP_COUNT(own); i++)
		add_own(arguments, own[i], fault);
	return add_excluded(dump, arguments, fault);
}

static int start_dump(struct dump *dump, struct fault *fault)
{
	__attribute__((cleanup(arguments_free))) struct arguments arguments = {0};
	int ends[2] = {-1, -1};
	int r = add_all(dump, &arguments, fault);
	if (r == 0)
		r = stream_pipe(ends, fault);
	if (r < 0)
		return r;
	dump->from = ends[0];
	fcntl(dump->from, F_SETFL, O_NONBLOCK);
	r = program_start(
		&dump->program, &dump->programs, "pg_dump", arguments.items, -1, ends[1], fault);
	close(ends[1]);
	return r;
}

/* ---- the two together: pg_dump's bytes, and the counting ---- */

static int put_part(struct dump *dump, struct fault *fault)
{
	int r = dump->filled ? set_put_part(dump->set, dump->part, dump->filled, fault) : 0;
	dump->bytes += dump->filled;
	dump->filled = 0;
	dump->ctx->host->progress(dump->ctx, dump->bytes, 0, "bytes");
	return r;
}

/* What pg_dump has written so far; its end. */
static int take_bytes(struct dump *dump, struct fault *fault)
{
	for (;;) {
		ssize_t n =
			read(dump->from, dump->part + dump->filled, SET_PART_BYTES - dump->filled);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR
				? 0
				: fault_set(fault, -errno, NULL,
					  "cannot read what pg_dump writes: %m");
		dump->filled += (size_t)n;
		dump->dumped = n == 0;
		int r = n == 0 || dump->filled == SET_PART_BYTES ? put_part(dump, fault) : 0;
		if (r < 0 || n == 0)
			return r;
	}
}

/* A server that goes away while nothing is asked is noticed too. */
static int take_answer(struct dump *dump, struct fault *fault)
{
	struct counting *counting = &dump->counting;
	if (!counting->done)
		return counting_turn(counting, fault);
	if (PQconsumeInput(dump->connection.pg) && PQstatus(dump->connection.pg) == CONNECTION_OK)
		return 0;
	return fault_set(fault, -EAGAIN, "see the server's log",
		"the connection that holds the snapshot is gone");
}

static int turn(struct dump *dump, struct fault *fault)
{
	struct pollfd fds[] = {{.fd = dump->ctx->host->cancel_fd(dump->ctx), .events = POLLIN},
		{.fd = dump->dumped ? -1 : dump->from, .events = POLLIN},
		{.fd = PQsocket(dump->connection.pg), .events = POLLIN}};
	int r = 0;
	if (poll(fds, 3, -1) < 0)
		return errno == EINTR ? 0 : fault_set(fault, -errno, NULL, "cannot wait: %m");
	if (fds[0].revents)
		return fault_set(fault, -ECANCELED, NULL, "stopped in the middle of the dump");
	if (fds[1].revents) {
		/* pg_dump writes 4 KiB at a time: woken by each, both would do little else */
		usleep(GATHER_US);
		r = take_bytes(dump, fault);
	}
	if (r == 0 && fds[2].revents)
		r = take_answer(dump, fault);
	return r;
}

static int put_dump(struct dump *dump, struct fault *fault)
{
	struct counting *counting = &dump->counting;
	int r = start_dump(dump, fault);
	*counting = (struct counting){.relations = &dump->relations,
		.connection = &dump->connection,
		.done = !dump->args->count_rows};
	for (size_t i = 0; i < dump->relations.count; i++)
		if (relation_fits(&dump->relations.items[i], dump->args->exclude_data))
			dump->relations.items[i].rows = 0;
	dump->part = fault_alloc(SET_PART_BYTES);
	if (r == 0 && !counting->done)
		r = counting_turn(counting, fault);
	while (r == 0 && (!dump->dumped || !counting->done))
		r = turn(dump, fault);
	/* what pg_dump says is the reason why its bytes ended */
	if (dump->program.handle > 0 && (r == 0 || r == -EAGAIN) && dump->dumped) {
		int ended = program_end(&dump->program, fault);
		r = ended < 0 ? ended : r;
	}
	if (r == 0 && !dump->bytes)
		r = fault_set(fault, -EIO, NULL, "pg_dump has written nothing");
	return r;
}

static int put_contents(struct dump *dump, struct fault *fault)
{
	CLEANUP_FREE char *text = relations_write(&dump->relations);
	return text ? set_put(dump->set, SET_CONTENTS, text, strlen(text), fault)
		    : fault_set(fault, -EIO, NULL, "the names of the tables are not UTF-8");
}

/* ---- all of it ---- */

static int dump_open(struct dump *dump, struct fault *fault)
{
	CLEANUP_FREE char *application = fault_format("upkeep dump");
	int r = connect_open(&dump->connection, dump->ctx, dump->args->database, fault);
	if (r == 0)
		r = programs_find(&dump->programs, dump->ctx, dump->connection.version / 10000,
			PROGRAMS_NEWEST, fault);
	if (r == 0)
		r = programs_prepare(&dump->programs, application, dump->connection.version, fault);
	return r;
}

static int dump_all(struct dump *dump, struct fault *fault)
{
	int fd = stream_open_out(dump->ctx, fault);
	int r = fd < 0 ? fd : dump_open(dump, fault);
	if (r == 0)
		r = see(dump, fault);
	if (r == 0)
		r = set_writer_open(&dump->set, dump->ctx, fd, fault);
	if (r == 0)
		r = put_about(dump, fault);
	if (r == 0)
		r = put_globals(dump, fault);
	if (r == 0)
		r = put_dump(dump, fault);
	if (r == 0)
		r = put_contents(dump, fault);
	return r < 0 ? r : set_writer_finish(dump->set, fault);
}

static void dump_free(struct dump *dump)
{
	program_free(&dump->program);
	programs_free(&dump->programs);
	set_writer_close(&dump->set);
	relations_free(&dump->relations);
	connect_close(&dump->connection);
	if (dump->from >= 0)
		close(dump->from);
	free(dump->snapshot);
	free(dump->part);
}

static void say_version(struct upkeep_ctx *ctx, const char *name, int version)
{
	CLEANUP_FREE char *text = fault_format("%d.%d", version / 10000, version % 10000);
	upkeep_output_text(ctx, name, text);
}

static void say(const struct dump *dump)
{
	struct upkeep_ctx *ctx = dump->ctx;
	upkeep_output_text(ctx, "database", dump->connection.database);
	upkeep_output_int(ctx, "bytes", (int64_t)dump->bytes);
	upkeep_output_int(ctx, "tables", (int64_t)dump->relations.tables);
	upkeep_output_int(ctx, "rows", dump->relations.rows);
	say_version(ctx, "server_version", dump->connection.version);
	say_version(ctx, "client_version", dump->programs.version);
}

int32_t dump_run(struct upkeep_ctx *ctx)
{
	CLEANUP_FAULT struct fault fault = {0};
	struct dump dump = {.ctx = ctx, .args = ctx->args, .from = -1, .program = {0}};
	int r = dump_all(&dump, &fault);
	if (r == 0)
		say(&dump);
	dump_free(&dump);
	return r < 0 ? fault_report(ctx, r, &fault) : UPKEEP_UNCHANGED;
}

/* Everything that can be refused is refused here already. */
int32_t dump_plan(struct upkeep_ctx *ctx)
{
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_RESULT PGresult *result = NULL;
	struct dump dump = {.ctx = ctx, .args = ctx->args, .from = -1, .program = {0}};
	int r = dump_open(&dump, &fault);
	if (r == 0)
		r = query_run(&dump.connection, "asking for the database's size", &result, &fault,
			"SELECT pg_size_pretty(pg_database_size(current_database()))");
	if (r == 0)
		upkeep_info(ctx, "database \"%s\" of %s, server %d.%d, pg_dump %d.%d",
			dump.connection.database, query_text(result, 0, 0),
			dump.connection.version / 10000, dump.connection.version % 10000,
			dump.programs.version / 10000, dump.programs.version % 10000);
	dump_free(&dump);
	return r < 0 ? fault_report(ctx, r, &fault) : UPKEEP_UNCHANGED;
}
