/* SPDX-License-Identifier: MIT */
#include "run/worker.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "run/named.h"
#include "undo/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define OUTPUT_BYTES_MAX (16u << 20) /* of all outputs of a task */

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
	return wire_send(worker->socket.fd, out, MSG_DONTWAIT);
}

static int answer_plain(struct worker *worker, int64_t result)
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
	if (wire_get_number(in, WIRE_LEVEL) != UPKEEP_WARN)
		return;
	CLEANUP_TEXT struct text text = {0};
	text_addf(&text, "%s: ", attempt->detail->name);
	text_add_visible(&text, bytes, data->size);
	CLEANUP_FREE char *clean = blank_text(&attempt->blank, text_string(&text));
	engine_warn(attempt->engine, attempt->task, clean);
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
	return json_string(value);
}

static int on_row(struct attempt *attempt, struct wire_in *in)
{
	struct engine *engine = attempt->engine;
	size_t count, types = wire_get_count(in, WIRE_TYPES);
	const char **cells = wire_get_texts(in, WIRE_CELLS, &attempt->arena, &count);

	if (count != types * 2)
		return -EBADMSG;
	json_t *object = json_object();
	for (size_t i = 0; i < types; i++) {
		CLEANUP_FREE char *clean = blank_text(&attempt->blank, cells[i * 2 + 1]);
		json_object_set_new(
			object, cells[i * 2], cell_json(clean, wire_get_item(in, WIRE_TYPES, i)));
	}
	CLEANUP_FREE char *text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	if (!text)
		return -EBADMSG;
	const char *table = wire_get_text(in, WIRE_NAME);
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

/* ---- undo records ---- */

/* For a person whose journal cannot be read. */
static int write_copy(struct attempt *attempt, const struct journal_undo *undo, uint64_t id)
{
	struct undo_copy copy = {.run_id = attempt->engine->setup->id,
		.task = attempt->detail->name,
		.action = attempt->action_name,
		.id = id,
		.undo = undo};

	return undo_copy_write(attempt->engine->setup->run_dir, &copy);
}

static char *join_files(struct attempt *attempt, struct wire_in *in)
{
	struct text text = {0};
	size_t count;
	const char **files = wire_get_texts(in, WIRE_FILES, &attempt->arena, &count);

	for (size_t i = 0; i < count; i++) {
		if (!*files[i] || strchr(files[i], '/') || strchr(files[i], '\n') ||
			strcmp(files[i], ".") == 0 || strcmp(files[i], "..") == 0) {
			text_free(&text);
			return NULL;
		}
		text_addf(&text, "%s%s", i ? "\n" : "", files[i]);
	}
	return text_take(&text);
}

static bool holds_secret(const struct attempt *attempt, const struct wire_in *in, const char *files)
{
	static const enum wire_tag tags[] = {WIRE_PAYLOAD, WIRE_NAME, WIRE_ABOUT};
	bool found = blank_finds(&attempt->blank, files, strlen(files));

	for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
		const struct wire_field *field = &in->fields[tags[i]];
		found = found ||
			(field->bytes &&
				blank_finds(
					&attempt->blank, (const char *)field->bytes, field->size));
	}
	return found;
}

static int on_undo_push(struct worker *worker, struct wire_in *in)
{
	struct attempt *attempt = worker->attempt;
	const struct wire_field *bytes = &in->fields[WIRE_PAYLOAD];

	if (worker->engine->options->plan_only || attempt->kind == ATTEMPT_PROBE)
		return answer_plain(worker, -EROFS);
	if (attempt->record)
		return -EBADMSG;
	CLEANUP_FREE char *files = join_files(attempt, in);
	if (!files || bytes->size > UPKEEP_PAYLOAD_MAX || memchr(bytes->bytes, 0, bytes->size))
		return answer_plain(worker, -EINVAL);
	if (holds_secret(attempt, in, files))
		return answer_plain(worker, -EPERM);
	struct journal_undo undo = {
		.task = attempt->task,
		.attempt = attempt->number,
		.version = (uint32_t)wire_get_number(in, WIRE_VERSION),
		.kind = wire_get_text(in, WIRE_NAME),
		.about = wire_get_text(in, WIRE_ABOUT),
		.payload = arena_copy(&attempt->arena, (const char *)bytes->bytes, bytes->size),
		.files = *files ? files : NULL,
		.state = JOURNAL_UNDO_PUSHED,
	};
	if (attempt->kind == ATTEMPT_UNDO) /* what a rollback changes is not undone */
		undo.state = JOURNAL_UNDO_DROPPED;
	undo.id = journal_add_undo(worker->engine->journal, &undo);
	int r = write_copy(attempt, &undo, undo.id);
	if (r < 0) {
		journal_set_undo(worker->engine->journal, undo.id, JOURNAL_UNDO_DROPPED, NULL);
		undo_copy_close(worker->engine->setup->run_dir, undo.id);
		return answer_plain(worker, r);
	}
	if (attempt->guarded && (r = guarded_push(attempt, &undo)) < 0) {
		journal_set_undo(worker->engine->journal, undo.id, JOURNAL_UNDO_DROPPED, NULL);
		return answer_plain(worker, r);
	}
	undo_records_add(&worker->engine->memory[attempt->task].records, &undo);
	attempt->action->undo_id = undo.id;
	worker->engine->undo_waits = true;
	return 0;
}

void host_answer_undo(struct engine *engine)
{
	int r = engine_flush(engine, JOURNAL_SYNC);

	engine->undo_waits = false;
	for (size_t i = 0; i < engine->workers.count; i++) {
		struct worker *worker = engine->workers.items[i];
		struct attempt *attempt = worker->attempt;
		if (!attempt || !attempt->action->undo_id || worker->socket.fd < 0)
			continue;
		wire_begin(&engine->out, WIRE_ANSWER);
		wire_number(&engine->out, WIRE_RESULT, r);
		wire_number(&engine->out, WIRE_ID, (int64_t)attempt->action->undo_id);
		wire_send(worker->socket.fd, &engine->out, MSG_DONTWAIT);
		attempt->action->undo_id = 0;
	}
}

/* A worker speaks of what it wrote in this attempt, or of the record that it was given. */
static struct undo_record *own_record(const struct attempt *attempt, uint64_t id)
{
	struct undo_record *record =
		undo_records_find(attempt->engine->memory[attempt->task].records, id);

	if (attempt->record)
		return record == attempt->record ? record : NULL;
	return record && record->row.attempt == attempt->number ? record : NULL;
}

static int on_undo_state(struct attempt *attempt, struct wire_in *in, enum journal_undo_state state)
{
	struct undo_record *record = own_record(attempt, (uint64_t)wire_get_number(in, WIRE_ID));
	CLEANUP_FREE char *fingerprint = blank_text(&attempt->blank, wire_get_text(in, WIRE_TEXT));

	if (!record || (attempt->record && state != JOURNAL_UNDO_DONE))
		return -EBADMSG;
	if (attempt->kind != ATTEMPT_RUN)
		return 0; /* whether it was put back is what its answer says */
	undo_record_set(record, state, fingerprint);
	journal_set_undo(attempt->engine->journal, record->row.id, state, fingerprint);
	if (state != JOURNAL_UNDO_APPLIED)
		undo_copy_close(attempt->engine->setup->run_dir, record->row.id);
	attempt->engine->results_wait = true;
	return 0;
}

static int own_dir(struct attempt *attempt, int dir, const char *path)
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

static int on_undo_dir(struct worker *worker)
{
	struct attempt *attempt = worker->attempt;
	int dir = worker->engine->setup->run_dir;
	char path[48];

	snprintf(path, sizeof path, "undo/%u.%u", attempt->task,
		attempt->record ? attempt->record->row.attempt : attempt->number);
	int r = undo_dir_make(dir);
	if (r == 0 && mkdirat(dir, path, 0700) < 0 && errno != EEXIST)
		r = -errno;
	if (r < 0)
		return answer_plain(worker, r);
	CLEANUP_FD int fd = own_dir(attempt, dir, path);
	return fd < 0 ? answer_plain(worker, fd) : host_answer(worker, 0, fd, NULL, NULL);
}

static int on_temp_dir(struct worker *worker)
{
	struct attempt *attempt = worker->attempt;
	char path[] = "/tmp/upkeep-XXXXXX";

	if (!attempt->action->temp_dir) {
		if (!mkdtemp(path))
			return answer_plain(worker, -errno);
		attempt->action->temp_dir = base_string(path);
	}
	CLEANUP_FD int fd = own_dir(attempt, AT_FDCWD, attempt->action->temp_dir);
	return fd < 0 ? answer_plain(worker, fd)
		      : host_answer(worker, 0, fd, attempt->action->temp_dir, NULL);
}

/* ---- secrets ---- */

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
		return answer_plain(worker, -EPERM);
	int r = secrets_get(&worker->engine->secrets, name, &secret, &err);
	if (r < 0) {
		attempt_log(attempt, error_what(&err), strlen(error_what(&err)), false);
		attempt_log(attempt, "\n", 1, false);
		return answer_plain(worker, r);
	}
	blank_add(&attempt->blank, secret->text.bytes, secret->text.size);
	vec_push(&worker->secrets, secret);
	return host_answer(worker, (int64_t)secret->text.size, -1, NULL, &secret->text);
}

/* ---- its cancel ---- */

static int on_cancel_fd(struct worker *worker)
{
	struct attempt *attempt = worker->attempt;
	struct action *action = attempt->action;
	bool stop = attempt->cancelled || attempt->timed_out;

	if (action->cancel_fd < 0)
		action->cancel_fd = eventfd(stop ? 1 : 0, EFD_CLOEXEC | EFD_NONBLOCK);
	return host_answer(worker, action->cancel_fd < 0 ? -errno : 0, action->cancel_fd, NULL, NULL);
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

/* 0; or 1: the worker is at the next record. */
static int take_success(struct attempt *attempt, int64_t result)
{
	CLEANUP_ERROR struct error err = {0};

	attempt->state = TASK_SUCCEEDED;
	attempt->changed = result == UPKEEP_CHANGED && attempt->changes != UPKEEP_CHANGES_NONE;
	attempt->probed = (int)result;
	if (attempt->kind == ATTEMPT_RUN && !attempt_probes(attempt))
		attempt->engine->would |= result == UPKEEP_CHANGED;
	if (attempt->kind != ATTEMPT_UNDO || !attempt->record || !undoing_next_record(attempt))
		return 0;
	attempt->state = TASK_RUNNING;
	if (action_send(attempt, &err) == 0)
		return 1;
	attempt_fail(attempt, REASON_START, NULL, "%s", error_what(&err));
	return 0;
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
		return on_undo_state(attempt, in, JOURNAL_UNDO_APPLIED);
	case WIRE_UNDO_DROP:
		return on_undo_state(attempt, in, JOURNAL_UNDO_DROPPED);
	case WIRE_UNDO_DONE:
		return on_undo_state(attempt, in, JOURNAL_UNDO_DONE);
	case WIRE_KILL:
		host_kill(attempt, in);
		return 0;
	case WIRE_TOKEN:
		return on_token(attempt, in);
	default:
		return 0;
	}
}

int host_message(struct worker *worker, struct wire_in *in)
{
	if (in->kind == WIRE_LOADED) {
		worker->loaded = true;
		return 0;
	}
	if (in->kind == WIRE_REFUSED) {
		on_refused(worker, in);
		return 0;
	}
	if (!worker->attempt)
		return in->kind == WIRE_LOG || in->kind == WIRE_PROGRESS ? 0 : -EBADMSG;
	switch (in->kind) {
	case WIRE_UNDO_PUSH:
		return on_undo_push(worker, in);
	case WIRE_UNDO_DIR:
		return on_undo_dir(worker);
	case WIRE_TEMP_DIR:
		return on_temp_dir(worker);
	case WIRE_SECRET:
		return on_secret(worker, in);
	case WIRE_SPAWN:
		return host_spawn(worker, in);
	case WIRE_WHOLE:
		return answer_plain(worker, 1);
	case WIRE_CANCEL_FD:
		return on_cancel_fd(worker);
	case WIRE_DONE:
		return on_done(worker, in);
	default:
		return tell(worker, in);
	}
}
