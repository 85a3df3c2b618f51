/* SPDX-License-Identifier: MIT */
#include "points.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <string.h>

#define NOTES_MOST (1u << 20)
#define TASKS 16

struct reading {
	struct notes *notes;
	char names[TASKS][64];
	bool undone[TASKS]; /* its last attempt */
};

static int read_run(void *data, const struct journal_run *run)
{
	struct notes *notes = data;

	if (!notes->runs++) {
		memcpy(notes->last_id, run->id, sizeof notes->last_id);
		notes->state = run->state;
		notes->exit_code = run->exit_code;
	}
	return 0;
}

static int read_task(void *data, const struct journal_task *task)
{
	struct reading *reading = data;

	if (task->index >= TASKS)
		return 0;
	snprintf(reading->names[task->index], sizeof reading->names[0], "%s", task->name);
	reading->undone[task->index] = task->undo == UNDO_UNDONE;
	return 0;
}

static void add_ended(struct reading *reading, uint32_t task, uint64_t record)
{
	struct ended *ended = vec_add(&reading->notes->ended);

	memcpy(ended->run, reading->notes->last_id, sizeof ended->run);
	ended->record = record;
	if (task < TASKS)
		memcpy(ended->name, reading->names[task], sizeof ended->name);
}

static int read_undo(void *data, const struct journal_undo *undo)
{
	if (undo->state == JOURNAL_UNDO_DONE)
		add_ended(data, undo->task, undo->id);
	return 0;
}

/* By a program, which is not told of which attempt: after one that was put back another may have
 * begun. */
static int read_undoing(void *data, const struct journal_undoing *undoing)
{
	const struct reading *reading = data;

	if (undoing->state == UNDO_UNDONE && undoing->task < TASKS &&
		reading->undone[undoing->task])
		add_ended(data, undoing->task, 0);
	return 0;
}

static char *load_notes(const struct lane *lane, size_t *size)
{
	char path[256], *bytes = NULL;

	*size = 0;
	snprintf(path, sizeof path, "%s/notes", lane->dir);
	file_load(path, NOTES_MOST, &bytes, size, NULL);
	return bytes;
}

/* A journal that was killed while it was made says nothing of any run. */
void notes_read(const struct lane *lane, struct notes *notes)
{
	struct reading reading = {.notes = notes};
	struct journal *journal = NULL;
	char path[256];

	*notes = (struct notes){0};
	free(load_notes(lane, &notes->size));
	snprintf(path, sizeof path, "%s/state", lane->dir);
	if (journal_open_readonly(path, &journal, NULL) < 0)
		return;
	if (journal_runs(journal, "graph", 100, read_run, notes, NULL) == 0 && notes->runs) {
		journal_tasks(journal, notes->last_id, read_task, &reading, NULL);
		journal_undos(journal, notes->last_id, read_undo, &reading, NULL);
		journal_undoings(journal, notes->last_id, read_undoing, &reading, NULL);
	}
	journal_close(journal);
}

void notes_free(struct notes *notes)
{
	vec_free(&notes->ended);
}

bool notes_settled(const struct notes *notes)
{
	return !notes->runs || notes->state == RUN_SUCCEEDED || notes->state == RUN_FAILED_CLEAN ||
		notes->state == RUN_ROLLED_BACK || notes->state == RUN_FAILED_PARTIAL;
}

/* "begin RUN TASK RECORD" */
static bool line_is_right(const struct notes *before, const char *line)
{
	char run[RUN_ID_SIZE], name[64];
	unsigned long long record;

	if (sscanf(line, "begin %23s %63s %llu", run, name, &record) != 3)
		return true;
	vec_each(&before->ended, ended)
		if (strcmp(ended->run, run) == 0 && strcmp(ended->name, name) == 0 &&
			ended->record == record)
			return false;
	return true;
}

bool notes_check(const struct lane *lane, const struct notes *before, struct text *why)
{
	size_t size;
	CLEANUP_FREE char *notes = load_notes(lane, &size);

	for (char *line = notes ? notes + before->size : NULL; line && *line;) {
		char *end = strchrnul(line, '\n');
		bool last = !*end;
		*end = 0;
		if (!line_is_right(before, line)) {
			text_addf(why, "\"%s\" although its end was journaled", line);
			return false;
		}
		line = last ? end : end + 1;
	}
	return true;
}
