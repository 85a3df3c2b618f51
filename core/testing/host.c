/* SPDX-License-Identifier: MIT */
/* The host table in memory. */
#include "testing/fake.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct upkeep_test *test_of(struct upkeep_ctx *ctx)
{
	struct upkeep_test *test = (struct upkeep_test *)ctx;

	fake_count(test);
	return test;
}

static const char *keep(struct upkeep_test *test, const char *text)
{
	return arena_string(&test->arena, text);
}

static void host_log(struct upkeep_ctx *ctx, uint32_t level, const char *text, size_t size)
{
	struct upkeep_test *test = test_of(ctx);
	char prefix[16];
	int n = snprintf(prefix, sizeof prefix, "%s", level >= UPKEEP_WARN ? "warning: " : "");

	pthread_mutex_lock(&test->lock);
	file_write(test->log_fd, prefix, (size_t)n);
	file_write(test->log_fd, text, size);
	if (size == 0 || text[size - 1] != '\n')
		file_write(test->log_fd, "\n", 1);
	test->warnings += level >= UPKEEP_WARN;
	pthread_mutex_unlock(&test->lock);
}

static void host_progress(struct upkeep_ctx *ctx, uint64_t done, uint64_t total, const char *unit)
{
	struct upkeep_test *test = test_of(ctx);

	(void)unit;
	pthread_mutex_lock(&test->lock);
	test->done = done;
	test->total = total;
	pthread_mutex_unlock(&test->lock);
}

static int32_t complain(struct upkeep_ctx *ctx, int32_t code, const char *why)
{
	host_log(ctx, UPKEEP_WARN, why, strlen(why));
	return code;
}

static int32_t host_output(struct upkeep_ctx *ctx, const char *name, const char *value)
{
	struct upkeep_test *test = test_of(ctx);
	CLEANUP_ERROR struct error err = {0};

	int r = rules_output(test->action, name, value, &err);
	if (r < 0)
		return complain(ctx, r, error_what(&err));
	*vec_add(&test->outputs) = (struct fake_pair){keep(test, name), keep(test, value)};
	return 0;
}

static int32_t host_row(struct upkeep_ctx *ctx, const char *table, const struct upkeep_cell *cells,
	size_t count, size_t cell_size)
{
	struct upkeep_test *test = test_of(ctx);

	if (!table || count > CELLS_MAX)
		return -EINVAL;
	struct fake_pair *pairs = arena_array(&test->arena, count, sizeof pairs[0]);
	for (size_t i = 0; i < count; i++) {
		struct upkeep_cell cell;
		if (rules_copy(&cell, sizeof cell, (const char *)cells + i * cell_size, cell_size,
			    CELL_1_0) < 0 ||
			!cell.name)
			return -EINVAL;
		pairs[i] = (struct fake_pair){
			keep(test, cell.name), keep(test, cell.value ? cell.value : "")};
	}
	*vec_add(&test->rows) = (struct fake_row){keep(test, table), pairs, count};
	return 0;
}

static int32_t host_fail(
	struct upkeep_ctx *ctx, int32_t result, const char *what, const char *why, const char *next)
{
	struct upkeep_test *test = test_of(ctx);

	test->what = keep(test, what);
	test->why = keep(test, why);
	test->next = keep(test, next);
	/* As in a run: in the log at once, since the plugin may not live to return. */
	const char *line = arena_printf(&test->arena, "failing: %s%s%s",
		what ? what : "no reason given", why ? ": " : "", why ? why : "");
	host_log(ctx, UPKEEP_INFO, line, strlen(line));
	return result;
}

static int32_t host_would(struct upkeep_ctx *ctx, const char *doing, const char *undoing)
{
	struct upkeep_test *test = test_of(ctx);

	if (!doing)
		return -EINVAL;
	if (test->mode == CALL_PLAN)
		*vec_add(&test->woulds) =
			(struct fake_pair){keep(test, doing), keep(test, undoing)};
	return 0;
}

static bool holds_secret(const struct upkeep_test *test, const char *bytes, size_t size)
{
	for (size_t i = 0; i < test->secrets.count; i++) {
		const char *text = test->secrets.items[i].value;
		if (text[0] && memmem(bytes, size, text, strlen(text)))
			return true;
	}
	return false;
}

static int32_t host_token_put(struct upkeep_ctx *ctx, const void *token, size_t size)
{
	struct upkeep_test *test = test_of(ctx);

	if (test->mode != CALL_PLAN || (size && !token))
		return -EINVAL;
	if (size > UPKEEP_PAYLOAD_MAX)
		return -EMSGSIZE;
	if (size && holds_secret(test, token, size))
		return -EPERM;
	test->token = arena_copy(&test->arena, token, size);
	test->token_size = size;
	return 0;
}

static int64_t host_token_get(struct upkeep_ctx *ctx, const void **ret_token)
{
	struct upkeep_test *test = test_of(ctx);

	if (test->mode != CALL_RUN || !test->token)
		return -ENOENT;
	*ret_token = test->token;
	return (int64_t)test->token_size;
}

static int32_t host_argument(struct upkeep_ctx *ctx, size_t offset)
{
	struct upkeep_test *test = test_of(ctx);

	return ctx->args ? arguments_state(&test->decoded, offset) : -EINVAL;
}

static void keep_record(struct upkeep_test *test, const struct upkeep_undo *theirs)
{
	struct fake_record *record = vec_add(&test->records);
	const char **files = arena_array(&test->arena, theirs->file_count + 1, sizeof files[0]);

	for (size_t i = 0; i < theirs->file_count; i++)
		files[i] = keep(test, theirs->files[i]);
	record->undo = *theirs;
	record->undo.struct_size = sizeof record->undo;
	record->undo.kind = keep(test, theirs->kind);
	record->undo.payload = arena_copy(&test->arena, theirs->payload, theirs->payload_size);
	record->undo.files = files;
	record->undo.about = keep(test, theirs->about);
	record->undo.id = test->records.count;
	record->undo.fingerprint = NULL;
}

size_t upkeep_test_forge(
	struct upkeep_test *test, const char *kind, uint32_t version, const char *payload)
{
	struct upkeep_undo undo = {.kind = kind,
		.version = version,
		.payload = payload,
		.payload_size = strlen(payload)};

	keep_record(test, &undo);
	return test->records.count - 1;
}

static int32_t host_undo_push(struct upkeep_ctx *ctx, const struct upkeep_undo *theirs,
	size_t record_size, uint64_t *ret_id)
{
	struct upkeep_test *test = test_of(ctx);
	CLEANUP_ERROR struct error err = {0};
	struct upkeep_undo record;

	if (test->mode != CALL_RUN || !ret_id ||
		rules_copy(&record, sizeof record, theirs, record_size, UNDO_1_0) < 0)
		return -EINVAL;
	if (rules_record(&record, &err) < 0)
		return complain(ctx, -EINVAL, error_what(&err));
	if (holds_secret(test, record.payload, record.payload_size))
		return complain(ctx, -EPERM, "an undo record may not hold the text of a secret");
	if (record.file_count && test->undo_dir < 0)
		return complain(ctx, -EINVAL,
			"an undo record names files, but its undo directory "
			"was never asked for");
	int r = record.file_count ? rules_sync(test->undo_dir, &record) : 0;
	if (r < 0)
		return complain(ctx, r, "the files of an undo record cannot be synced");
	if (++test->pushes == test->fail_push)
		return test->fail_code;
	keep_record(test, &record);
	*ret_id = test->records.count;
	return 0;
}

static int32_t set_state(struct upkeep_ctx *ctx, uint64_t id, uint32_t state)
{
	struct upkeep_test *test = test_of(ctx);

	if (id == 0 || id > test->records.count)
		return -ENOENT;
	test->records.items[id - 1].state = state;
	return 0;
}

static int32_t host_undo_applied(struct upkeep_ctx *ctx, uint64_t id, const char *fingerprint)
{
	int32_t r = set_state(ctx, id, UPKEEP_TEST_APPLIED);

	if (r == 0) {
		struct fake_record *record = &test_of(ctx)->records.items[id - 1];
		record->fingerprint = record->undo.fingerprint = keep(test_of(ctx), fingerprint);
	}
	return r;
}

static int32_t host_undo_drop(struct upkeep_ctx *ctx, uint64_t id)
{
	return set_state(ctx, id, UPKEEP_TEST_DROPPED);
}

static int32_t host_undo_done(struct upkeep_ctx *ctx, uint64_t id)
{
	return set_state(ctx, id, UPKEEP_TEST_UNDONE);
}

static int32_t host_undo_dir(struct upkeep_ctx *ctx)
{
	struct upkeep_test *test = test_of(ctx);

	return fake_dir(test, "undo", &test->undo_path, &test->undo_dir);
}

static int32_t host_temp_dir(struct upkeep_ctx *ctx, const char **ret_path)
{
	struct upkeep_test *test = test_of(ctx);
	int fd = fake_dir(test, "temp", &test->temp_path, &test->temp_dir);

	if (ret_path)
		*ret_path = test->temp_path;
	return fd;
}

static int32_t host_stream(struct upkeep_ctx *ctx, uint32_t port)
{
	struct upkeep_test *test = test_of(ctx);
	int fd = port == UPKEEP_STREAM_IN ? test->in : port == UPKEEP_STREAM_OUT ? test->out : -1;

	return test->mode == CALL_RUN && fd >= 0 ? fd : -ENOENT;
}

static int32_t host_upstream_whole(struct upkeep_ctx *ctx)
{
	struct upkeep_test *test = test_of(ctx);

	return test->mode == CALL_RUN ? test->whole : -EINVAL;
}

static int32_t host_cancel_fd(struct upkeep_ctx *ctx)
{
	return test_of(ctx)->cancel_fd;
}

static int64_t host_deadline(struct upkeep_ctx *ctx)
{
	return test_of(ctx)->left_ms;
}

static int64_t host_spawn(struct upkeep_ctx *ctx, const struct upkeep_spawn *theirs,
	size_t spawn_size, int32_t *ret_exit_fd)
{
	struct upkeep_test *test = test_of(ctx);
	struct upkeep_spawn spawn;

	if (rules_copy(&spawn, sizeof spawn, theirs, spawn_size, SPAWN_1_0) < 0 || !spawn.argv ||
		!spawn.argv[0])
		return -EINVAL;
	return fake_spawn(test, &spawn, ret_exit_fd);
}

static int32_t host_spawn_wait(struct upkeep_ctx *ctx, int64_t handle)
{
	return fake_wait(test_of(ctx), handle);
}

static int32_t host_spawn_kill(struct upkeep_ctx *ctx, int64_t handle, int32_t signal_number)
{
	return fake_kill(test_of(ctx), handle, signal_number);
}

static int64_t host_secret(struct upkeep_ctx *ctx, const char *name, const char **ret_text)
{
	struct upkeep_test *test = test_of(ctx);

	if (!name || !ret_text)
		return -EINVAL;
	vec_each(&test->secrets, secret)
		if (strcmp(secret->name, name) == 0) {
			*ret_text = secret->value;
			return (int64_t)strlen(secret->value);
		}
	return complain(ctx, -EPERM, "this secret was not named: upkeep_test_secret gives it");
}

const struct upkeep_host fake_host = {
	.struct_size = sizeof(struct upkeep_host),
	.abi_major = UPKEEP_ABI_MAJOR,
	.abi_minor = UPKEEP_ABI_MINOR,
	.log = host_log,
	.progress = host_progress,
	.output = host_output,
	.row = host_row,
	.fail = host_fail,
	.would = host_would,
	.token_put = host_token_put,
	.token_get = host_token_get,
	.argument = host_argument,
	.undo_push = host_undo_push,
	.undo_applied = host_undo_applied,
	.undo_drop = host_undo_drop,
	.undo_done = host_undo_done,
	.undo_dir = host_undo_dir,
	.stream = host_stream,
	.upstream_whole = host_upstream_whole,
	.cancel_fd = host_cancel_fd,
	.deadline = host_deadline,
	.spawn = host_spawn,
	.spawn_wait = host_spawn_wait,
	.spawn_kill = host_spawn_kill,
	.secret = host_secret,
	.temp_dir = host_temp_dir,
};
