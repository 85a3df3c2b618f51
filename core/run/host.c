/* SPDX-License-Identifier: MIT */
#include "run/worker.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "run/named.h"
#include "run/temp.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#define OUTPUT_BYTES_MAX (16u << 20) /* of all outputs of a task */
#define ROW_BYTES_MAX (64u << 20)    /* of all rows of an attempt */
#define SPAWNS_MAX 65536u            /* of an attempt */
#define CHILDREN_MAX 128u            /* that run at once */
#define WARNINGS_MAX 1000u           /* of an attempt; more stand in its log alone */

/* ---- answers ---- */

int host_answer(struct worker *worker, int64_t result, int fd, const char *path,
	const struct secret_text *data)
{
	struct wire_out *out = &worker->engine->out;

	wire_begin(out, WIRE_ANSWER);
	wire_number(out, WIRE_RESULT, result);
	if (path)
		wire_text(out, WIRE_PATH, path);
	if (data)
		wire_bytes(out, WIRE_DATA, data->bytes, data->size);
	if (fd >= 0)
		wire_fd(out, fd);
	worker->engine->told_worker = true;
	int r = wire_send(worker->socket.fd, out, MSG_DONTWAIT);
	return r == -EPIPE ? 0 : r; /* its end says why */
}

int host_answer_plain(struct worker *worker, int64_t result)
{
	return host_answer(worker, result, -1, NULL, NULL);
}

/* ---- what it tells ---- */

static void on_log(struct attempt *attempt, struct wire_in *in)
{
	const struct wire_field *data = &in->fields[WIRE_DATA];
	const char *bytes = (const char *)data->bytes;

	attempt_log(attempt, bytes, data->size, false);
	if (!data->size || bytes[data->size - 1] != '\n')
		attempt_log(attempt, "\n", 1, false);
	if (wire_get_number(in, WIRE_LEVEL) != UPKEEP_WARN ||
		++attempt->action->warning_count > WARNINGS_MAX)
		return;
	CLEANUP_TEXT struct text raw = {0}, text = {0};
	text_add(&raw, bytes, data->size);
	CLEANUP_FREE char *clean = blank_text(&attempt->blank, text_string(&raw));
	text_addf(&text, "%s: ", attempt->detail->name);
	text_add_visible(&text, clean, strlen(clean));
	engine_warn(attempt->engine, attempt->task, text_string(&text));
}

static int on_output(struct attempt *attempt, struct wire_in *in)
{
	if (attempt->record || attempt_probes(attempt))
		return -EBADMSG; /* neither undo nor probe has any */

	const char *name = wire_get_text(in, WIRE_NAME), *value = wire_get_text(in, WIRE_TEXT);
	const struct upkeep_output *declared = action_output(attempt->detail->task->action, name);
	union scalar scalar;

	attempt->action->output_bytes += strlen(value) + strlen(name) + 64;
	if (!declared || attempt->action->output_bytes > OUTPUT_BYTES_MAX)
		return -EBADMSG;
	if (scalar_parse_text(declared->type & ~UPKEEP_LIST, value, &scalar, NULL) < 0)
		return -EBADMSG;
	attempt_output(attempt, name, value, declared->type & UPKEEP_LIST);
	return 0;
}

/* A cell's number is one in JSON too. */
static json_t *cell_json(const char *value, int64_t type)
{
	char *end = NULL;

	if (type == UPKEEP_BOOL)
		return json_boolean(strcmp(value, "true") == 0 || strcmp(value, "1") == 0);
	if (type == UPKEEP_INT || type == UPKEEP_SIZE || type == UPKEEP_DURATION ||
		type == UPKEEP_TIME) {
		errno = 0;
		long long number = strtoll(value, &end, 10);
		if (*value && !*end && !errno)
			return json_integer(number);
	}
	return json_text(value);
}

/* NULL: it is no row. */
static char *row_json(struct attempt *attempt, struct wire_in *in)
{
	struct arena arena = {0};
	size_t count, types = wire_get_count(in, WIRE_TYPES);
	const char **cells = wire_get_texts(in, WIRE_CELLS, &arena, &count);
	json_t *object = count == types * 2 ? json_object() : NULL;

	for (size_t i = 0; object && i < types; i++) {
		CLEANUP_FREE char *name = blank_text(&attempt->blank, cells[i * 2]);
		CLEANUP_FREE char *clean = blank_text(&attempt->blank, cells[i * 2 + 1]);
		json_object_set_new(
			object, name, cell_json(clean, wire_get_item(in, WIRE_TYPES, i)));
	}
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	arena_free(&arena);
	return text;
}

static int on_row(struct attempt *attempt, struct wire_in *in)
{
	struct engine *engine = attempt->engine;

	if (attempt->kind != ATTEMPT_RUN)
		return 0; /* a table is of what the task did, not of how it was put back */
	attempt->action->row_bytes += in->fields[WIRE_CELLS].size;
	if (attempt->action->row_bytes > ROW_BYTES_MAX)
		return -EBADMSG;
	CLEANUP_FREE char *text = row_json(attempt, in);
	if (!text)
		return -EBADMSG;
	CLEANUP_FREE char *table = blank_text(&attempt->blank, wire_get_text(in, WIRE_NAME));
	journal_add_row(engine->journal, attempt->task, table, text);
	engine_tell(engine,
		&(struct run_event){.kind = RUN_EVENT_ROW,
			.task = attempt->task,
			.table = table,
			.text = text});
	return 0;
}

static void on_progress(struct attempt *attempt, struct wire_in *in)
{
	CLEANUP_FREE char *unit = blank_text(&attempt->blank, wire_get_text(in, WIRE_NAME));

	engine_tell(attempt->engine,
		&(struct run_event){.kind = RUN_EVENT_PROGRESS,
			.task = attempt->task,
			.done = (uint64_t)wire_get_number(in, WIRE_AMOUNT),
			.total = (uint64_t)wire_get_number(in, WIRE_TOTAL),
			.text = unit});
}

static void on_would(struct attempt *attempt, struct wire_in *in)
{
	if (!attempt->engine->options->plan_only)
		return;
	attempt->engine->would = true;
	CLEANUP_FREE char *doing = blank_text(&attempt->blank, wire_get_text(in, WIRE_TEXT));
	CLEANUP_FREE char *undoing = blank_text(&attempt->blank, wire_get_text(in, WIRE_ABOUT));
	engine_tell(attempt->engine,
		&(struct run_event){.kind = RUN_EVENT_WOULD,
			.task = attempt->task,
			.text = doing,
			.next = undoing});
}

/* The worker refuses what holds a secret of its call. */
static int on_token(struct attempt *attempt, struct wire_in *in)
{
	const struct wire_field *data = &in->fields[WIRE_DATA];

	if (data->size > UPKEEP_PAYLOAD_MAX ||
		blank_finds(&attempt->blank, (const char *)data->bytes, data->size))
		return -EBADMSG;
	engine_tell(attempt->engine,
		&(struct run_event){.kind = RUN_EVENT_TOKEN,
			.task = attempt->task,
			.bytes = data->bytes,
			.size = data->size});
	return 0;
}

/* ---- directories ---- */

int host_own_dir(struct attempt *attempt, int dir, const char *path)
{
	CLEANUP_ERROR struct error err = {0};
	const struct user *user = engine_user(attempt->engine, attempt->options, &err);
	CLEANUP_FD int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || !user)
		return fd < 0 ? -errno : -ENOENT;
	if (user->other && fchown(fd, user->uid, user->gid) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static int on_temp_dir(struct worker *worker)
{
	struct action *action = worker->attempt->action;
	int r = action->temp_dir ? 0 : temp_dir_make(worker->engine->setup->id, &action->temp_dir);

	if (r < 0)
		return host_answer_plain(worker, r);
	if (action->temp_fd < 0) /* once: later something else may have its name */
		action->temp_fd = host_own_dir(worker->attempt, AT_FDCWD, action->temp_dir);
	return action->temp_fd < 0
		? host_answer_plain(worker, action->temp_fd)
		: host_answer(worker, 0, action->temp_fd, action->temp_dir, NULL);
}

/* ---- secrets ---- */

static bool knows_secret(const struct worker *worker, const struct secret *secret)
{
	vec_each(&worker->secrets, s)
		if (*s == secret)
			return true;
	return false;
}

static int on_secret(struct worker *worker, struct wire_in *in)
{
	struct attempt *attempt = worker->attempt;
	const struct upkeep_action *action = &attempt->detail->task->action->decl;
	const struct plugin_description *plugin = worker->instance->description;
	/* An undo has no arguments; the names of secrets are never made of references. */
	const struct value *args = attempt->record ? &attempt->detail->task->args : &attempt->args;
	const char *name = wire_get_text(in, WIRE_NAME);
	CLEANUP_ERROR struct error err = {0};
	const struct secret *secret;

	if (!named_has(action->params, action->param_count, args, name) &&
		!named_has(
			plugin->settings, plugin->setting_count, &worker->instance->settings, name))
		return host_answer_plain(worker, -EPERM);
	int r = secrets_get(&worker->engine->secrets, name, &secret, &err);
	if (r < 0) {
		attempt_log(attempt, error_what(&err), strlen(error_what(&err)), false);
		attempt_log(attempt, "\n", 1, false);
		return host_answer_plain(worker, r);
	}
	if (!knows_secret(worker, secret)) {
		blank_add(&attempt->blank, secret->text.bytes, secret->text.size);
		vec_push(&worker->secrets, secret);
	}
	return host_answer(worker, (int64_t)secret->text.size, -1, NULL, &secret->text);
}

/* ---- programs ---- */

static int log_end(struct attempt *attempt, struct error *err)
{
	if (attempt->action->log_end >= 0)
		return 0;
	return stream_open(
		attempt, &attempt->streams[STREAM_LOG], STREAM_LOG, &attempt->action->log_end, err);
}

/* What it did not name of 1 and 2 goes to the log. */
static size_t child_fds(struct attempt *attempt, struct wire_in *in, struct process_fd *fds)
{
	bool named[3] = {false};
	size_t count = 0;

	for (size_t i = 0; i < in->fd_count; i++) {
		int64_t to = wire_get_item(in, WIRE_TARGETS, i);
		fds[count++] = (struct process_fd){in->fds[i], (int)to};
		if (to < 3)
			named[to] = true;
	}
	for (int to = 1; to <= 2; to++)
		if (!named[to])
			fds[count++] = (struct process_fd){attempt->action->log_end, to};
	return count;
}

static bool targets_are_sane(struct wire_in *in)
{
	if (wire_get_count(in, WIRE_TARGETS) != in->fd_count)
		return false;
	for (size_t i = 0; i < in->fd_count; i++) {
		int64_t to = wire_get_item(in, WIRE_TARGETS, i);
		if (to < 0 || to > 60)
			return false;
		for (size_t j = 0; j < i; j++)
			if (wire_get_item(in, WIRE_TARGETS, j) == to)
				return false;
	}
	return true;
}

static bool may_spawn(struct action *action)
{
	uint32_t running = 0;

	vec_each(&action->children, child)
		running += child->end_fd >= 0;
	return ++action->spawn_count <= SPAWNS_MAX && running < CHILDREN_MAX;
}

static int spawn_child(struct worker *worker, struct wire_in *in, struct arena *arena,
	struct child *child, struct error *err)
{
	struct attempt *attempt = worker->attempt;
	struct process_fd fds[WIRE_FDS + 2];
	struct process process;
	char path[4096];
	size_t count;
	const char **argv = wire_get_texts(in, WIRE_ARGV, arena, &count);
	const char **more = wire_get_texts(in, WIRE_ENV, arena, &(size_t){0});

	if (!count || !targets_are_sane(in))
		return -EINVAL;
	if (!may_spawn(attempt->action))
		return -EAGAIN;
	snprintf(path, sizeof path, "%s", argv[0]);
	if (!strchr(argv[0], '/') ? process_find(argv[0], path, sizeof path) < 0 : *path != '/')
		return -ENOENT;
	CLEANUP_FREE char **envp = program_environment(attempt, more, err);
	int r = envp ? log_end(attempt, err) : -EINVAL;
	if (r < 0)
		return r;
	const char *cwd = wire_get_text(in, WIRE_PATH);
	size_t fd_count = child_fds(attempt, in, fds);
	r = program_launch(&(struct launch_request){.attempt = attempt,
				   .path = path,
				   .argv = (char *const *)argv,
				   .envp = envp,
				   .cwd = cwd ? cwd : attempt->cwd,
				   .fds = fds,
				   .fd_count = fd_count,
				   .cgroup = &attempt->slot->cgroup},
		&process, err);
	child->pid = process.pid;
	return r;
}

static int on_spawn(struct worker *worker, struct wire_in *in)
{
	CLEANUP_ERROR struct error err = {0};
	struct action *action = worker->attempt->action;
	struct child child = {0};
	int pipes[2];

	if (worker->engine->options->plan_only && !worker->attempt->slot->has_cgroup)
		worker->attempt->slot->cgroup = (struct cgroup)CGROUP_INIT;
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return host_answer_plain(worker, -errno);
	CLEANUP_FD int read_end = pipes[0];
	child.end_fd = pipes[1];
	struct arena arena = {0};
	int r = spawn_child(worker, in, &arena, &child, &err);
	arena_free(&arena);
	if (r < 0) {
		close(child.end_fd);
		if (err.what) {
			attempt_log(worker->attempt, err.what, strlen(err.what), false);
			attempt_log(worker->attempt, "\n", 1, false);
		}
		return host_answer_plain(worker, r);
	}
	vec_push(&action->children, child);
	return host_answer(worker, (int64_t)action->children.count, read_end, NULL, NULL);
}

static void on_kill(struct attempt *attempt, struct wire_in *in)
{
	int64_t handle = wire_get_number(in, WIRE_ID), number = wire_get_number(in, WIRE_SIGNAL);
	struct action *action = attempt->action;

	if (handle < 1 || (size_t)handle > action->children.count || number < 0 || number > 64)
		return;
	const struct child *child = &action->children.items[handle - 1];
	if (child->end_fd >= 0 && kill(-child->pid, (int)number) < 0)
		kill(child->pid, (int)number);
}

/* Of an eventfd both sides share the flags and the counter: the worker could make our write
 * wait. */
static int on_cancel_fd(struct worker *worker)
{
	struct attempt *attempt = worker->attempt;
	struct action *action = attempt->action;
	int pipes[2];

	if (action->cancel_fd < 0) {
		if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK) < 0)
			return host_answer_plain(worker, -errno);
		action->cancel_fd = pipes[0];
		action->cancel_end = pipes[1];
		if (attempt->cancelled || attempt->timed_out)
			action_cancel(attempt, false);
	}
	return host_answer(worker, 0, action->cancel_fd, NULL, NULL);
}

/* ---- the end of an action ---- */

static bool has_records(const struct attempt *attempt)
{
	return undo_records_live(attempt->engine->memory[attempt->task].records) != NULL;
}

bool action_may_have_changed(const struct attempt *attempt)
{
	uint8_t changes = attempt->changes;

	return changes == UPKEEP_CHANGES_UNKNOWN || changes == UPKEEP_CHANGES_IRREVERSIBLE ||
		has_records(attempt);
}

static void judge_failure(struct attempt *attempt, struct wire_in *in, int64_t result)
{
	const char *what = wire_get_text(in, WIRE_TEXT), *why = wire_get_text(in, WIRE_WHY);
	const char *next = wire_get_text(in, WIRE_NEXT);

	attempt->changed = action_may_have_changed(attempt);
	attempt->transient = result == UPKEEP_FAILED_FOR_NOW;
	attempt_fail(attempt, result == UPKEEP_NEEDS_PERSON ? REASON_PERSON : REASON_EXIT, next,
		"%s%s%s", what ? what : "failed, and did not say why", why ? ": " : "",
		why ? why : "");
}

/* 0; or 1: there is another record, for which the worker waits. */
static int take_success(struct attempt *attempt, int64_t result)
{
	attempt->state = TASK_SUCCEEDED;
	attempt->changed = result == UPKEEP_CHANGED && attempt->changes != UPKEEP_CHANGES_NONE;
	attempt->probed = (int)result;
	if (attempt->kind == ATTEMPT_RUN && !attempt_probes(attempt))
		attempt->engine->would |= result == UPKEEP_CHANGED;
	if (attempt->kind != ATTEMPT_UNDO || !attempt->record || !undoing_next_record(attempt))
		return 0;
	attempt->state = TASK_RUNNING;
	attempt->action->between = attempt->engine->undo_waits = true;
	return 1;
}

static int on_done(struct worker *worker, struct wire_in *in)
{
	struct attempt *attempt = worker->attempt;
	int64_t result = wire_get_number(in, WIRE_RESULT);
	int64_t most = attempt_probes(attempt) ? UPKEEP_PARTLY : UPKEEP_CHANGED;

	if (wire_get_number(in, WIRE_SERIAL) != worker->serial || result > most ||
		result < UPKEEP_NEEDS_PERSON)
		return -EBADMSG;
	if (result < 0)
		judge_failure(attempt, in, result);
	else if (take_success(attempt, result))
		return 0;
	attempt->action->done = true;
	attempt_check(attempt);
	return 0;
}

static void on_refused(struct worker *worker, struct wire_in *in)
{
	if (worker->attempt)
		attempt_fail(worker->attempt, REASON_START, wire_get_text(in, WIRE_NEXT), "%s",
			wire_get_text(in, WIRE_TEXT));
	else if (worker->engine->guardian)
		guardian_refused(
			worker->engine, wire_get_text(in, WIRE_TEXT), wire_get_text(in, WIRE_NEXT));
}

static int tell(struct worker *worker, struct wire_in *in)
{
	struct attempt *attempt = worker->attempt;

	switch (in->kind) {
	case WIRE_LOG:
		on_log(attempt, in);
		return 0;
	case WIRE_PROGRESS:
		on_progress(attempt, in);
		return 0;
	case WIRE_OUTPUT:
		return on_output(attempt, in);
	case WIRE_ROW:
		return on_row(attempt, in);
	case WIRE_WOULD:
		on_would(attempt, in);
		return 0;
	case WIRE_UNDO_APPLIED:
		return recording_change(attempt, in, JOURNAL_UNDO_APPLIED);
	case WIRE_UNDO_DROP:
		return recording_change(attempt, in, JOURNAL_UNDO_DROPPED);
	case WIRE_UNDO_DONE:
		return recording_change(attempt, in, JOURNAL_UNDO_DONE);
	case WIRE_KILL:
		on_kill(attempt, in);
		return 0;
	case WIRE_TOKEN:
		return on_token(attempt, in);
	default:
		return 0;
	}
}

int host_message(struct worker *worker, struct wire_in *in)
{
	if (in->kind == WIRE_LOADED || in->kind == WIRE_REFUSED) {
		if (worker->loaded)
			return -EBADMSG;
		worker->loaded = in->kind == WIRE_LOADED;
		if (!worker->loaded)
			on_refused(worker, in);
		return 0;
	}
	if (!worker->attempt)
		return in->kind == WIRE_LOG || in->kind == WIRE_PROGRESS ? 0 : -EBADMSG;
	switch (in->kind) {
	case WIRE_UNDO_PUSH:
		return recording_push(worker, in);
	case WIRE_UNDO_DIR:
		return recording_open_dir(worker);
	case WIRE_TEMP_DIR:
		return on_temp_dir(worker);
	case WIRE_SECRET:
		return on_secret(worker, in);
	case WIRE_SPAWN:
		return on_spawn(worker, in);
	case WIRE_WHOLE:
		return flow_ask(worker->attempt);
	case WIRE_CANCEL_FD:
		return on_cancel_fd(worker);
	case WIRE_DONE:
		return on_done(worker, in);
	default:
		return tell(worker, in);
	}
}
