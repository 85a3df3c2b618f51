/* SPDX-License-Identifier: MIT */
#include "journal/tail.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* From here on it is cheaper to commit than to write further into new pages. */
#define ROWS_MAX 256
/* With less left for anybody the commits show whether there is room. */
#define ROOM_BYTES (1u << 20)

static uint64_t row_sum(const struct tail_row *row)
{
	uint64_t words[sizeof *row / sizeof(uint64_t)], sum = 14695981039346656037u;

	memcpy(words, row, sizeof words);
	for (size_t i = 1; i < sizeof words / sizeof words[0]; i++)
		sum = (sum ^ words[i]) * 1099511628211u; /* FNV-1a, by words */
	return sum;
}

static void tail_path(char path[JOURNAL_PATH_SIZE], const char *run)
{
	char dir[JOURNAL_PATH_SIZE];

	journal_run_dir(dir, run);
	snprintf(path, JOURNAL_PATH_SIZE, "%.80s/tail", dir);
}

void tail_begin(struct tail *tail, const char *run)
{
	tail_close(tail);
	snprintf(tail->run, sizeof tail->run, "%s", run);
	tail->unfit = true;
	tail->refused = tail->ended = false;
}

static bool row_fits(const struct journal_task *task)
{
	return !task->message && !task->next && !task->log && !task->log_bytes &&
		!task->log_dropped_bytes && strlen(task->name) < TAIL_NAME_SIZE &&
		strlen(task->action) < TAIL_ACTION_SIZE;
}

void tail_add(struct tail *tail, const struct journal_task *task)
{
	if (!row_fits(task) || tail->rows.count == ROWS_MAX)
		tail->unfit = true;
	if (tail->unfit)
		return;
	struct tail_row *row = vec_add(&tail->rows);
	*row = (struct tail_row){.task = task->index,
		.attempt = task->attempt,
		.state = (uint8_t)task->state,
		.reason = (uint8_t)task->reason,
		.undo = (uint8_t)task->undo,
		.changed = task->changed,
		.exit_code = task->exit_code,
		.started_ms = task->started_ms,
		.ended_ms = task->ended_ms,
		.cpu_ms = task->cpu_ms,
		.peak_memory_bytes = task->peak_memory_bytes};
	snprintf(row->name, sizeof row->name, "%s", task->name);
	snprintf(row->action, sizeof row->action, "%s", task->action);
}

void tail_unfit(struct tail *tail)
{
	tail->unfit = true;
}

static bool tail_open(struct tail *tail, int state_dir)
{
	char path[JOURNAL_PATH_SIZE];

	if (tail->fd >= 0)
		return true;
	if (tail->refused)
		return false;
	tail_path(path, tail->run);
	tail->fd = openat(state_dir, path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	tail->refused = tail->fd < 0;
	return !tail->refused;
}

/* f_bavail, also for root: what it leaves out is partly for nobody (ext4). */
static bool has_room(int fd)
{
	struct statvfs fs;

	return fstatvfs(fd, &fs) == 0 && fs.f_bavail * fs.f_frsize >= ROOM_BYTES;
}

/* On a disk that is full a row that is written over an old one would find room, but not the commit
 * that is to follow: that shows now, before anything more is started. */
bool tail_write(struct tail *tail, int state_dir)
{
	size_t count = tail->rows.count, size = count * sizeof tail->rows.items[0];

	if (!tail->unfit && !count)
		return true;
	if (tail->unfit || tail->count + count > ROWS_MAX || !tail_open(tail, state_dir) ||
		!has_room(tail->fd))
		return false;
	vec_each(&tail->rows, row)
		row->sum = row_sum(row);
	if (pwrite(tail->fd, tail->rows.items, size,
		    (off_t)(tail->count * sizeof tail->rows.items[0])) != (ssize_t)size)
		return false;
	tail->count += count;
	tail->rows.count = 0;
	return true;
}

void tail_end(struct tail *tail)
{
	tail->unfit = tail->ended = true;
}

void tail_reset(struct tail *tail, int state_dir)
{
	char path[JOURNAL_PATH_SIZE];

	tail->rows.count = tail->count = 0;
	tail->unfit = false;
	if (!tail->ended)
		return;
	tail_path(path, tail->run);
	unlinkat(state_dir, path, 0);
	tail_close(tail);
}

void tail_close(struct tail *tail)
{
	if (tail->fd >= 0)
		close(TAKE_FD(tail->fd));
	vec_free(&tail->rows);
	tail->count = 0;
}

/* By task and attempt; of one attempt its end last. */
static int row_compare(const void *a, const void *b)
{
	const struct tail_row *x = a, *y = b;

	if (x->task != y->task)
		return x->task < y->task ? -1 : 1;
	if (x->attempt != y->attempt)
		return x->attempt < y->attempt ? -1 : 1;
	return (x->ended_ms > y->ended_ms) - (x->ended_ms < y->ended_ms);
}

static bool row_holds(const struct tail_row *row)
{
	return row->sum == row_sum(row) && memchr(row->name, 0, sizeof row->name) &&
		memchr(row->action, 0, sizeof row->action);
}

void tail_read(int state_dir, const char *run, struct tail_rows *ret)
{
	char path[JOURNAL_PATH_SIZE];
	struct tail_row row;
	size_t kept = 0;

	tail_path(path, run);
	CLEANUP_FD int fd = openat(state_dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	while (fd >= 0 && ret->list.count < ROWS_MAX &&
		read(fd, &row, sizeof row) == (ssize_t)sizeof row)
		if (row_holds(&row))
			vec_push(&ret->list, row);
	if (!ret->list.count)
		return;
	qsort(ret->list.items, ret->list.count, sizeof row, row_compare);
	vec_each(&ret->list, now) {
		struct tail_row *last = kept ? &ret->list.items[kept - 1] : NULL;
		if (last && last->task == now->task && last->attempt == now->attempt)
			*last = *now;
		else
			ret->list.items[kept++] = *now;
	}
	ret->list.count = kept;
}

struct journal_task tail_task(const struct tail_row *row)
{
	return (struct journal_task){.index = row->task,
		.name = row->name,
		.action = row->action,
		.state = (enum task_state)row->state,
		.reason = (enum task_reason)row->reason,
		.undo = (enum undo_state)row->undo,
		.attempt = row->attempt,
		.started_ms = row->started_ms,
		.ended_ms = row->ended_ms,
		.exit_code = row->exit_code,
		.changed = row->changed,
		.cpu_ms = row->cpu_ms,
		.peak_memory_bytes = row->peak_memory_bytes};
}
