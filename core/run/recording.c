/* SPDX-License-Identifier: MIT */
/* Undo records that a worker writes: checked, with guard and journal before it hears of it. */
#include "run/worker.h"

#include "base/cleanup.h"
#include "undo/copy.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define RECORDS_MAX 65536u           /* of an attempt */
#define RECORD_BYTES_MAX (64u << 20) /* of all their texts */

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

static bool is_plain_name(const char *name)
{
	return *name && !strpbrk(name, "/\n") && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static char *join_files(struct wire_in *in)
{
	struct text text = {0};
	struct arena arena = {0};
	bool sane = true;
	size_t count;
	const char **files = wire_get_texts(in, WIRE_FILES, &arena, &count);

	for (size_t i = 0; i < count && sane; i++) {
		sane = is_plain_name(files[i]);
		text_addf(&text, "%s%s", i ? "\n" : "", files[i]);
	}
	arena_free(&arena);
	if (!sane)
		text_free(&text);
	return sane ? text_take(&text) : NULL;
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

/* False: the attempt has written all that it may. */
static bool has_room(struct attempt *attempt, const struct wire_in *in)
{
	static const char full[] = "an action may write 65536 undo records, or 64 MiB of them: "
				   "no more is taken\n";
	struct action *action = attempt->action;

	for (enum wire_tag tag = 1; tag < WIRE_TAGS; tag++)
		action->record_bytes += in->fields[tag].size;
	if (++action->record_count <= RECORDS_MAX && action->record_bytes <= RECORD_BYTES_MAX)
		return true;
	if (!action->records_full)
		attempt_log(attempt, full, strlen(full), false);
	action->records_full = true;
	return false;
}

/* The guard has it first: where it does not answer, there is nothing in the journal to undo. */
static int keep_record(struct attempt *attempt, struct journal_undo *undo)
{
	struct engine *engine = attempt->engine;

	undo->id = journal_add_undo(engine->journal, undo);
	int r = attempt->guarded ? guarded_push(attempt, undo) : 0;
	if (r == 0 && attempt->kind == ATTEMPT_RUN)
		r = write_copy(attempt, undo, undo->id);
	if (r < 0) {
		journal_set_undo(engine->journal, undo->id, JOURNAL_UNDO_DROPPED, NULL);
		undo_copy_close(engine->setup->run_dir, undo->id);
		return r;
	}
	undo_records_add(&engine->memory[attempt->task].records, undo);
	return 0;
}

int recording_push(struct worker *worker, struct wire_in *in)
{
	struct attempt *attempt = worker->attempt;
	const struct wire_field *bytes = &in->fields[WIRE_PAYLOAD];

	if (attempt->action->undo_id) /* it has a question open */
		return -EBADMSG;
	if (worker->engine->options->plan_only || attempt->kind == ATTEMPT_PROBE)
		return host_answer_plain(worker, -EROFS);
	if (attempt->record)
		return -EBADMSG;
	CLEANUP_FREE char *files = join_files(in);
	if (!files || bytes->size > UPKEEP_PAYLOAD_MAX || memchr(bytes->bytes, 0, bytes->size))
		return host_answer_plain(worker, -EINVAL);
	if (holds_secret(attempt, in, files))
		return host_answer_plain(worker, -EPERM);
	if (!has_room(attempt, in))
		return host_answer_plain(worker, -EDQUOT);
	CLEANUP_FREE char *payload = strndup((const char *)bytes->bytes, bytes->size);
	struct journal_undo undo = {
		.task = attempt->task,
		.attempt = attempt->number,
		.version = (uint32_t)wire_get_number(in, WIRE_VERSION),
		.kind = wire_get_text(in, WIRE_NAME),
		.about = wire_get_text(in, WIRE_ABOUT),
		.payload = payload,
		.files = *files ? files : NULL,
		.state = JOURNAL_UNDO_PUSHED,
	};
	if (attempt->kind == ATTEMPT_UNDO) /* what a rollback changes is not undone */
		undo.state = JOURNAL_UNDO_DROPPED;
	int r = keep_record(attempt, &undo);
	if (r < 0)
		return host_answer_plain(worker, r);
	attempt->action->undo_id = undo.id;
	worker->engine->undo_waits = true;
	return 0;
}

/* What lies below a record may be undone only when it is known for good that the record is:
 * else its undo would be tried again over what lay below. */
static void go_on(struct attempt *attempt, int r)
{
	CLEANUP_ERROR struct error err = {0};

	attempt->action->between = false;
	if (r < 0)
		error_set(&err, r, NULL, "the journal cannot be written");
	else
		r = action_send(attempt, &err);
	if (r == 0)
		return;
	attempt_fail(attempt, REASON_START, err.next, "%s", error_what(&err));
	attempt->action->done = true;
	attempt_check(attempt);
}

void recording_answer(struct engine *engine, int r)
{
	engine->undo_waits = false;
	for (struct attempt *a = engine->running, *next; a; a = next) {
		next = a->next;
		if (a->action && a->action->between && !a->action->done)
			go_on(a, r);
	}
	for (size_t i = 0; i < engine->workers.count; i++) {
		struct worker *worker = engine->workers.items[i];
		struct attempt *attempt = worker->attempt;
		if (!attempt || !attempt->action->undo_id || worker->socket.fd < 0)
			continue;
		wire_begin(&engine->out, WIRE_ANSWER);
		wire_number(&engine->out, WIRE_RESULT, r);
		wire_number(&engine->out, WIRE_ID, (int64_t)attempt->action->undo_id);
		attempt->action->undo_id = 0;
		if (wire_send(worker->socket.fd, &engine->out, MSG_DONTWAIT) == -EAGAIN)
			worker_distrust(worker, DISTRUST_DEAF);
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

int recording_change(struct attempt *attempt, struct wire_in *in, enum journal_undo_state state)
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

int recording_open_dir(struct worker *worker)
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
		return host_answer_plain(worker, r);
	CLEANUP_FD int fd = host_own_dir(attempt, dir, path);
	return fd < 0 ? host_answer_plain(worker, fd) : host_answer(worker, 0, fd, NULL, NULL);
}
