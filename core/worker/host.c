/* SPDX-License-Identifier: MIT */
#include "worker/host.h"

#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROGRESS_MS 100
#define LOG_CHUNK 65536u

#define CLEANUP_OUT __attribute__((cleanup(wire_out_free)))

static struct call *call_of(struct upkeep_ctx *ctx)
{
	return (struct call *)ctx;
}

/* Sends a question and waits for its ANSWER; other messages are put in their place. */
static int64_t ask(struct call *call, const struct wire_out *out)
{
	struct worker *worker = call->worker;

	worker_send(worker, out);
	while (worker_take(worker))
		if (worker->in.kind == WIRE_ANSWER)
			return wire_get_number(&worker->in, WIRE_RESULT);
	worker_stop(worker, 0);
}

static bool in_action(const struct call *call, enum call_mode mode)
{
	return call->start && call->mode == mode;
}

/* ---- what people see ---- */

static void host_log(struct upkeep_ctx *ctx, uint32_t level, const char *text, size_t size)
{
	struct call *call = call_of(ctx);
	CLEANUP_OUT struct wire_out out = {0};

	if (!text)
		return;
	for (size_t at = 0; at < size || at == 0; at += LOG_CHUNK) {
		wire_begin(&out, WIRE_LOG);
		wire_number(&out, WIRE_LEVEL, level > UPKEEP_WARN ? UPKEEP_WARN : level);
		wire_bytes(
			&out, WIRE_DATA, text + at, size - at < LOG_CHUNK ? size - at : LOG_CHUNK);
		worker_send(call->worker, &out);
	}
}

static void host_progress(struct upkeep_ctx *ctx, uint64_t done, uint64_t total, const char *unit)
{
	struct call *call = call_of(ctx);
	CLEANUP_OUT struct wire_out out = {0};
	int64_t now_ms = clock_monotonic_ms();

	pthread_mutex_lock(&call->lock);
	bool due = now_ms - call->progress_ms >= PROGRESS_MS || (total && done >= total);
	if (due)
		call->progress_ms = now_ms;
	pthread_mutex_unlock(&call->lock);
	if (!due)
		return;
	wire_begin(&out, WIRE_PROGRESS);
	wire_number(&out, WIRE_AMOUNT, (int64_t)done);
	wire_number(&out, WIRE_TOTAL, (int64_t)total);
	wire_text(&out, WIRE_NAME, unit ? unit : "");
	worker_send(call->worker, &out);
}

static int32_t host_output(struct upkeep_ctx *ctx, const char *name, const char *value)
{
	struct call *call = call_of(ctx);
	CLEANUP_OUT struct wire_out out = {0};
	CLEANUP_ERROR struct error err = {0};

	int r = rules_output(call->action, name, value, &err);
	if (r < 0) {
		host_log(ctx, UPKEEP_WARN, error_what(&err), strlen(error_what(&err)));
		return r;
	}
	wire_begin(&out, WIRE_OUTPUT);
	wire_text(&out, WIRE_NAME, name);
	wire_text(&out, WIRE_TEXT, value);
	worker_send(call->worker, &out);
	return 0;
}

static int32_t host_row(struct upkeep_ctx *ctx, const char *table, const struct upkeep_cell *cells,
	size_t count, size_t cell_size)
{
	CLEANUP_OUT struct wire_out out = {0};
	const char *texts[2 * CELLS_MAX];
	int64_t types[CELLS_MAX];

	if (!table || count > CELLS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		struct upkeep_cell cell;
		if (rules_copy(&cell, sizeof cell, (const char *)cells + i * cell_size, cell_size,
			    CELL_1_0) < 0 ||
			!cell.name)
			return -EINVAL;
		texts[2 * i] = cell.name;
		texts[2 * i + 1] = cell.value ? cell.value : "";
		types[i] = cell.type;
	}
	wire_begin(&out, WIRE_ROW);
	wire_text(&out, WIRE_NAME, table);
	wire_texts(&out, WIRE_CELLS, texts, 2 * count);
	wire_numbers(&out, WIRE_TYPES, types, count);
	if (out.bytes.size > WIRE_MAX)
		return -EMSGSIZE;
	worker_send(call_of(ctx)->worker, &out);
	return 0;
}

static void keep(char **place, const char *text)
{
	free(*place);
	*place = text ? strndup(text, UPKEEP_TEXT_MAX) : NULL;
}

/* For the log at once, since the plugin may not live to return. */
static void log_failure(struct upkeep_ctx *ctx, const char *what, const char *why)
{
	CLEANUP_TEXT struct text line = {0};

	text_addf(&line, "failing: %s%s%s", what ? what : "no reason given", why ? ": " : "",
		why ? why : "");
	host_log(ctx, UPKEEP_INFO, line.bytes, line.size);
}

/* It travels with DONE: the last one counts. */
static int32_t host_fail(
	struct upkeep_ctx *ctx, int32_t result, const char *what, const char *why, const char *next)
{
	struct call *call = call_of(ctx);

	keep(&call->what, what);
	keep(&call->why, why);
	keep(&call->next, next);
	log_failure(ctx, call->what, call->why);
	return result;
}

static bool holds_secret(const struct call *call, const char *bytes, size_t size)
{
	for (size_t i = 0; i < call->secrets.count; i++) {
		const struct secret *secret = &call->secrets.items[i];
		if (secret->size && memmem(bytes, size, secret->text, secret->size))
			return true;
	}
	return false;
}

/* ---- planning ---- */

static int32_t host_would(struct upkeep_ctx *ctx, const char *doing, const char *undoing)
{
	struct call *call = call_of(ctx);
	CLEANUP_OUT struct wire_out out = {0};

	if (!doing)
		return -EINVAL;
	if (!in_action(call, CALL_PLAN))
		return 0;
	wire_begin(&out, WIRE_WOULD);
	wire_text(&out, WIRE_TEXT, doing);
	wire_text(&out, WIRE_ABOUT, undoing);
	if (out.bytes.size > WIRE_MAX)
		return -EMSGSIZE;
	worker_send(call->worker, &out);
	return 0;
}

static int32_t host_token_put(struct upkeep_ctx *ctx, const void *token, size_t size)
{
	struct call *call = call_of(ctx);
	CLEANUP_OUT struct wire_out out = {0};

	if (!in_action(call, CALL_PLAN) || (size && !token))
		return -EINVAL;
	if (size > UPKEEP_PAYLOAD_MAX)
		return -EMSGSIZE;
	if (size && holds_secret(call, token, size))
		return -EPERM;
	wire_begin(&out, WIRE_TOKEN);
	wire_bytes(&out, WIRE_DATA, token, size);
	worker_send(call->worker, &out);
	return 0;
}

static int64_t host_token_get(struct upkeep_ctx *ctx, const void **ret_token)
{
	struct call *call = call_of(ctx);

	if (!in_action(call, CALL_RUN) || !call->start->token)
		return -ENOENT;
	*ret_token = call->start->token;
	return (int64_t)call->start->token_size;
}

static int32_t host_argument(struct upkeep_ctx *ctx, size_t offset)
{
	return ctx->args ? arguments_state(&call_of(ctx)->arguments, offset) : -EINVAL;
}

/* ---- undo ---- */

static void put_record(struct wire_out *out, const struct upkeep_undo *record)
{
	wire_begin(out, WIRE_UNDO_PUSH);
	wire_text(out, WIRE_NAME, record->kind);
	wire_number(out, WIRE_VERSION, record->version);
	wire_bytes(out, WIRE_PAYLOAD, record->payload, record->payload_size);
	wire_texts(out, WIRE_FILES, record->files, record->file_count);
	wire_text(out, WIRE_ABOUT, record->about ? record->about : "");
}

static int32_t refuse_record(struct upkeep_ctx *ctx, int code, const char *why)
{
	host_log(ctx, UPKEEP_WARN, why, strlen(why));
	return code;
}

static int32_t host_undo_push(struct upkeep_ctx *ctx, const struct upkeep_undo *theirs,
	size_t record_size, uint64_t *ret_id)
{
	struct call *call = call_of(ctx);
	CLEANUP_OUT struct wire_out out = {0};
	CLEANUP_ERROR struct error err = {0};
	struct upkeep_undo record;

	if (!in_action(call, CALL_RUN) || !ret_id ||
		rules_copy(&record, sizeof record, theirs, record_size, UNDO_1_0) < 0)
		return -EINVAL;
	if (rules_record(&record, &err) < 0)
		return refuse_record(ctx, -EINVAL, error_what(&err));
	if (holds_secret(call, record.payload, record.payload_size))
		return refuse_record(
			ctx, -EPERM, "an undo record may not hold the text of a secret");
	if (record.file_count && call->undo_dir < 0)
		return refuse_record(ctx, -EINVAL,
			"an undo record names files, but its undo directory "
			"was never asked for");
	int r = record.file_count ? rules_sync(call->undo_dir, &record) : 0;
	if (r < 0)
		return refuse_record(ctx, r, "the files of an undo record cannot be synced");
	put_record(&out, &record);
	if (out.bytes.size > WIRE_MAX)
		return -EMSGSIZE;
	int64_t answer = ask(call, &out);
	if (answer < 0)
		return (int32_t)answer;
	*ret_id = (uint64_t)wire_get_number(&call->worker->in, WIRE_ID);
	vec_push(&call->records, *ret_id);
	return 0;
}

static int32_t tell_record(
	struct upkeep_ctx *ctx, enum wire_kind kind, uint64_t id, const char *text)
{
	struct call *call = call_of(ctx);
	CLEANUP_OUT struct wire_out out = {0};
	bool known = false;

	for (size_t i = 0; i < call->records.count; i++)
		known = known || call->records.items[i] == id;
	if (!known)
		return -ENOENT;
	wire_begin(&out, kind);
	wire_number(&out, WIRE_ID, (int64_t)id);
	wire_text(&out, WIRE_TEXT, text);
	if (out.bytes.size > UPKEEP_PAYLOAD_MAX)
		return -EMSGSIZE;
	worker_send(call->worker, &out);
	return 0;
}

static int32_t host_undo_applied(struct upkeep_ctx *ctx, uint64_t id, const char *fingerprint)
{
	return tell_record(ctx, WIRE_UNDO_APPLIED, id, fingerprint);
}

static int32_t host_undo_drop(struct upkeep_ctx *ctx, uint64_t id)
{
	return tell_record(ctx, WIRE_UNDO_DROP, id, NULL);
}

static int32_t host_undo_done(struct upkeep_ctx *ctx, uint64_t id)
{
	return tell_record(ctx, WIRE_UNDO_DONE, id, NULL);
}

/* Asks for a descriptor once and keeps it for the call. */
static int32_t ask_fd(struct call *call, enum wire_kind kind, int *place)
{
	CLEANUP_OUT struct wire_out out = {0};

	if (*place >= 0)
		return *place;
	wire_begin(&out, kind);
	int64_t answer = ask(call, &out);
	if (answer < 0)
		return (int32_t)answer;
	*place = wire_take_fd(&call->worker->in, 0);
	return *place >= 0 ? *place : -EIO;
}

static int32_t host_undo_dir(struct upkeep_ctx *ctx)
{
	struct call *call = call_of(ctx);

	return call->start ? ask_fd(call, WIRE_UNDO_DIR, &call->undo_dir) : -EINVAL;
}

/* ---- streams, cancel, time ---- */

static int32_t host_stream(struct upkeep_ctx *ctx, uint32_t port)
{
	struct call *call = call_of(ctx);
	int fd = -1;

	if (in_action(call, CALL_RUN) && port == UPKEEP_STREAM_IN)
		fd = call->start->in;
	else if (in_action(call, CALL_RUN) && port == UPKEEP_STREAM_OUT)
		fd = call->start->out;
	return fd >= 0 ? fd : -ENOENT;
}

static int32_t host_upstream_whole(struct upkeep_ctx *ctx)
{
	struct call *call = call_of(ctx);
	CLEANUP_OUT struct wire_out out = {0};

	if (!in_action(call, CALL_RUN))
		return -EINVAL;
	wire_begin(&out, WIRE_WHOLE);
	return (int32_t)ask(call, &out);
}

static int32_t host_cancel_fd(struct upkeep_ctx *ctx)
{
	struct call *call = call_of(ctx);

	return call->start ? ask_fd(call, WIRE_CANCEL_FD, &call->cancel) : -EINVAL;
}

static int64_t host_deadline(struct upkeep_ctx *ctx)
{
	struct call *call = call_of(ctx);
	int64_t left_ms = call->until_ms - clock_monotonic_ms();

	return call->until_ms == INT64_MAX ? INT64_MAX : left_ms > 0 ? left_ms : 0;
}

/* ---- programs ---- */

static size_t count_texts(const char *const *texts)
{
	size_t count = 0;

	while (texts && texts[count])
		count++;
	return count;
}

static void put_fd(struct wire_out *out, int64_t *targets, size_t *count, int from, int to)
{
	if (from < 0)
		return;
	wire_fd(out, from);
	targets[(*count)++] = to;
}

static int put_spawn(struct wire_out *out, const struct upkeep_spawn *spawn)
{
	int64_t targets[WIRE_FDS];
	size_t count = 0;

	if (spawn->pass_count > WIRE_FDS - 3)
		return -E2BIG;
	wire_begin(out, WIRE_SPAWN);
	put_fd(out, targets, &count, spawn->stdin_fd, 0);
	put_fd(out, targets, &count, spawn->stdout_fd, 1);
	put_fd(out, targets, &count, spawn->stderr_fd, 2);
	for (size_t i = 0; i < spawn->pass_count; i++) {
		if (spawn->pass_from[i] < 0 || spawn->pass_to[i] < 3)
			return -EBADF;
		put_fd(out, targets, &count, spawn->pass_from[i], spawn->pass_to[i]);
	}
	wire_texts(out, WIRE_ARGV, spawn->argv, count_texts(spawn->argv));
	wire_texts(out, WIRE_ENV, spawn->env, count_texts(spawn->env));
	wire_numbers(out, WIRE_TARGETS, targets, count);
	wire_text(out, WIRE_PATH, spawn->cwd);
	return out->bytes.size > WIRE_MAX ? -E2BIG : 0;
}

static int64_t host_spawn(struct upkeep_ctx *ctx, const struct upkeep_spawn *theirs,
	size_t spawn_size, int32_t *ret_exit_fd)
{
	struct call *call = call_of(ctx);
	CLEANUP_OUT struct wire_out out = {0};
	struct upkeep_spawn spawn;

	if (rules_copy(&spawn, sizeof spawn, theirs, spawn_size, SPAWN_1_0) < 0 ||
		!count_texts(spawn.argv) || !call->start)
		return -EINVAL;
	int r = put_spawn(&out, &spawn);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < out.fd_count; i++)
		if (fcntl(out.fds[i], F_GETFD) < 0)
			return -EBADF;
	int64_t answer = ask(call, &out);
	if (answer <= 0)
		return answer < 0 ? answer : -EIO;
	struct child *child = vec_add(&call->children);
	*child = (struct child){.handle = answer, .fd = wire_take_fd(&call->worker->in, 0)};
	if (ret_exit_fd)
		*ret_exit_fd = child->fd;
	return answer;
}

static struct child *find_child(struct call *call, int64_t handle)
{
	vec_each(&call->children, child)
		if (child->handle == handle)
			return child;
	return NULL;
}

static int32_t host_spawn_wait(struct upkeep_ctx *ctx, int64_t handle)
{
	struct child *child = find_child(call_of(ctx), handle);

	if (!child)
		return -ECHILD;
	if (child->known)
		return child->status;
	ssize_t n;
	do
		n = read(child->fd, &child->status, sizeof child->status);
	while (n < 0 && errno == EINTR);
	if (n != sizeof child->status)
		return -EIO;
	child->known = true;
	return child->status;
}

static int32_t host_spawn_kill(struct upkeep_ctx *ctx, int64_t handle, int32_t signal_number)
{
	struct call *call = call_of(ctx);
	CLEANUP_OUT struct wire_out out = {0};

	if (!find_child(call, handle))
		return -ECHILD;
	if (signal_number < 0 || signal_number > SIGRTMAX)
		return -EINVAL;
	wire_begin(&out, WIRE_KILL);
	wire_number(&out, WIRE_ID, handle);
	wire_number(&out, WIRE_SIGNAL, signal_number);
	worker_send(call->worker, &out);
	return 0;
}

/* ---- secrets and a place to work ---- */

static int64_t host_secret(struct upkeep_ctx *ctx, const char *name, const char **ret_text)
{
	struct call *call = call_of(ctx);
	CLEANUP_OUT struct wire_out out = {0};

	if (!name || !ret_text)
		return -EINVAL;
	vec_each(&call->secrets, known)
		if (strcmp(known->name, name) == 0) {
			*ret_text = known->text;
			return (int64_t)known->size;
		}
	wire_begin(&out, WIRE_SECRET);
	wire_text(&out, WIRE_NAME, name);
	int64_t answer = ask(call, &out);
	if (answer < 0)
		return answer;
	const struct wire_field *data = &call->worker->in.fields[WIRE_DATA];
	struct secret *secret = vec_add(&call->secrets);
	secret->name = base_string(name);
	secret->size = data->size;
	secret->text = base_alloc(secret->size + 1);
	if (data->size)
		memcpy(secret->text, data->bytes, data->size);
	explicit_bzero(call->worker->in.buffer, WIRE_MAX);
	*ret_text = secret->text;
	return (int64_t)secret->size;
}

static int32_t host_temp_dir(struct upkeep_ctx *ctx, const char **ret_path)
{
	struct call *call = call_of(ctx);
	bool asked = call->temp_dir >= 0;

	int32_t fd = call->start ? ask_fd(call, WIRE_TEMP_DIR, &call->temp_dir) : -EINVAL;
	if (fd >= 0 && !asked)
		keep(&call->temp_path, wire_get_text(&call->worker->in, WIRE_PATH) ?: "");
	if (fd >= 0 && ret_path)
		*ret_path = call->temp_path;
	return fd;
}

const struct upkeep_host worker_host = {
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
