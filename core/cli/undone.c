/* SPDX-License-Identifier: MIT */
#include "cli/undone.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "report/human.h"

#include <string.h>

static const char *record_state(enum journal_undo_state state)
{
	switch (state) {
	case JOURNAL_UNDO_PUSHED:
		return "perhaps made";
	case JOURNAL_UNDO_APPLIED:
		return "made";
	case JOURNAL_UNDO_DROPPED:
		return "not made";
	case JOURNAL_UNDO_DONE:
		return "put back";
	}
	return "?";
}

void undone_begin(struct undone *shown, const struct cli *cli, const char *id)
{
	*shown = (struct undone){
		.cli = cli, .id = id, .records = json_array(), .tries = json_array()};
	table_begin(&shown->record_table, "change|task|state|undo");
	table_begin(&shown->try_table, "undo of|>try|state|>took|>output|message");
}

void undone_name(struct undone *shown, const struct journal_task *task)
{
	while (shown->names.count <= task->index)
		vec_push(&shown->names, NULL);
	if (!shown->names.items[task->index])
		shown->names.items[task->index] = base_string(task->name);
}

const char *undone_task(const struct undone *shown, uint32_t task)
{
	const char *name = task < shown->names.count ? shown->names.items[task] : NULL;

	return name ? name : "?";
}

static int record_read(void *data, const struct journal_undo *undo)
{
	struct undone *shown = data;
	const char *task = undone_task(shown, undo->task);
	char number[24];

	json_array_append_new(shown->records,
		json_pack("{s:I, s:s, s:i, s:s, s:i, s:o, s:s, s:o}", "record",
			(json_int_t)undo->id, "task", task, "attempt", (int)undo->attempt, "kind",
			undo->kind, "version", (int)undo->version, "about", json_text(undo->about),
			"state", record_state(undo->state), "fingerprint",
			json_text(undo->fingerprint)));
	snprintf(number, sizeof number, "%llu", (unsigned long long)undo->id);
	table_add(&shown->record_table, number);
	table_add(&shown->record_table, task);
	table_add(&shown->record_table, record_state(undo->state));
	table_add(&shown->record_table, undo->about);
	return 0;
}

static const char *try_state(const struct undone *shown, enum undo_state state)
{
	return shown->interrupted && state == UNDO_UNDOING ? "interrupted" : undo_state_name(state);
}

static json_t *try_json(const struct undone *shown, const struct journal_undoing *undoing,
	int64_t duration_ms, const char *next)
{
	return json_pack("{s:s, s:i, s:s, s:I, s:I, s:I, s:i, s:o, s:o, s:s?}", "task",
		undone_task(shown, undoing->task), "try", (int)undoing->number, "state",
		try_state(shown, undoing->state), "started_ms", (json_int_t)undoing->started_ms,
		"ended_ms", (json_int_t)undoing->ended_ms, "duration_ms", (json_int_t)duration_ms,
		"exit_code", undoing->exit_code, "message", json_text(undoing->message), "next",
		json_text(next), "log", undoing->log);
}

static int try_read(void *data, const struct journal_undoing *undoing)
{
	struct undone *shown = data;
	const char *task = undone_task(shown, undoing->task);
	CLEANUP_FREE char *next = cli_next(shown->cli, undoing->next, shown->id);
	bool ended = undoing->started_ms && undoing->ended_ms;
	int64_t duration_ms = ended ? undoing->ended_ms - undoing->started_ms : 0;
	char buffer[HUMAN_SIZE];

	json_array_append_new(shown->tries, try_json(shown, undoing, duration_ms, next));
	table_add(&shown->try_table, task);
	snprintf(buffer, sizeof buffer, "%u", undoing->number);
	table_add(&shown->try_table, buffer);
	table_add(&shown->try_table, try_state(shown, undoing->state));
	table_add(&shown->try_table, ended ? human_duration(buffer, duration_ms) : NULL);
	table_add(&shown->try_table,
		undoing->log_bytes ? human_bytes(buffer, undoing->log_bytes) : NULL);
	table_add(&shown->try_table, undoing->message ? undoing->message : "");
	if (next)
		text_addf(&shown->next, "undo of %s, next: %s\n", task, next);
	return 0;
}

int undone_read(struct undone *shown, struct journal *journal, struct error *err)
{
	CLEANUP_FREE char *why = NULL;
	int r = journal_undos(journal, shown->id, record_read, shown, err);

	if (r == 0)
		r = journal_undoings(journal, shown->id, try_read, shown, err);
	if (r == 0)
		r = journal_forgotten(journal, shown->id, &why, err);
	if (r == 1)
		shown->gone = json_text(why);
	return r < 0 ? r : 0;
}

void undone_json(const struct undone *shown, json_t *run)
{
	json_object_set(run, "undo_records", shown->records);
	json_object_set(run, "undo_tries", shown->tries);
	json_object_set_new(run, "undo_gone", shown->gone ? json_incref(shown->gone) : json_null());
}

void undone_print(const struct undone *shown, struct text *out)
{
	if (json_array_size(shown->records)) {
		text_addc(out, '\n');
		table_print(&shown->record_table, out);
	}
	if (json_array_size(shown->tries)) {
		text_addc(out, '\n');
		table_print(&shown->try_table, out);
	}
	text_adds(out, text_string(&shown->next));
	if (shown->gone)
		text_addf(out, "it cannot be undone: %s\n", json_string_value(shown->gone));
}

void undone_free(struct undone *shown)
{
	vec_each(&shown->names, name)
		free(*name);
	vec_free(&shown->names);
	json_decref(shown->records);
	json_decref(shown->tries);
	json_decref(shown->gone);
	table_free(&shown->record_table);
	table_free(&shown->try_table);
	text_free(&shown->next);
}

static int undone_look(void *data, const struct journal_task *task)
{
	(void)data;
	return task->undo != UNDO_NOTHING;
}

int undone_any(struct journal *journal, const char *id, struct error *err)
{
	return journal_tasks(journal, id, undone_look, NULL, err);
}
