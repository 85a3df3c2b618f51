/* SPDX-License-Identifier: MIT */
#include "cli/load.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define POLL_US 200000

/* The output of an attempt, or of a try to undo, and how far it was printed. */
struct piece {
	uint32_t task, number;
	bool undo;
	char *name;
	off_t printed;
	bool headed;
};
struct pieces {
	VEC(struct piece) list;
	const char *only; /* a task's name; NULL: all */
	json_t *json;     /* NULL: for people */
	bool many, known, printed;
};

/* The task, a copy of it ("e[0]" of e), or one of the graph that it stands for ("e/sub"). */
static bool is_asked(const char *only, const char *name)
{
	const char *rest = text_starts(name, only) ? name + strlen(only) : "?";

	return !*rest || *rest == '[' || *rest == '/';
}

static void piece_add(
	struct pieces *pieces, const char *name, uint32_t task, uint32_t number, bool undo)
{
	vec_each(&pieces->list, piece)
		if (piece->task == task && piece->number == number && piece->undo == undo)
			return;
	struct piece *piece = vec_add(&pieces->list);
	piece->task = task;
	piece->number = number;
	piece->undo = undo;
	piece->name = base_string(name);
	pieces->many |= pieces->list.items[0].task != task;
}

static int attempt_read(void *data, const struct journal_task *task)
{
	struct pieces *pieces = data;

	if (pieces->only && !is_asked(pieces->only, task->name))
		return 0;
	pieces->known = true;
	piece_add(pieces, task->name, task->index, task->attempt, false);
	return 0;
}

/* The tasks were read before: one that is not there was not asked for. */
static int undoing_read(void *data, const struct journal_undoing *undoing)
{
	struct pieces *pieces = data;
	const char *name = NULL;

	vec_each(&pieces->list, piece)
		if (piece->task == undoing->task)
			name = piece->name;
	if (name)
		piece_add(pieces, name, undoing->task, undoing->number, true);
	return 0;
}

static void piece_path(
	const struct piece *piece, const char *state_dir, const char *id, struct text *path)
{
	char below[JOURNAL_PATH_SIZE];

	if (piece->undo)
		journal_undo_log_path(below, id, piece->task, piece->number);
	else
		journal_log_path(below, id, piece->task, piece->number);
	text_addf(path, "%s/%s", state_dir, below);
}

static void bytes_print(struct pieces *pieces, struct piece *piece, const char *bytes, size_t size)
{
	if (piece->undo && !piece->headed)
		printf("==> undo of %s, try %u <==\n", piece->name, piece->number);
	else if (pieces->many && !piece->headed)
		printf("==> %s <==\n", piece->name);
	piece->headed = pieces->printed = true;
	fwrite(bytes, 1, size, stdout);
}

static void piece_print(
	struct pieces *pieces, struct piece *piece, const char *state_dir, const char *id)
{
	CLEANUP_TEXT struct text path = {0};
	char bytes[65536];
	ssize_t size;

	piece_path(piece, state_dir, id, &path);
	CLEANUP_FD int fd = open(text_string(&path), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	while (fd >= 0 && (size = pread(fd, bytes, sizeof bytes, piece->printed)) > 0) {
		bytes_print(pieces, piece, bytes, (size_t)size);
		piece->printed += size;
	}
}

static void piece_json(
	struct pieces *pieces, const struct piece *piece, const char *state_dir, const char *id)
{
	CLEANUP_TEXT struct text path = {0};
	CLEANUP_FREE char *bytes = NULL;
	size_t size = 0;

	piece_path(piece, state_dir, id, &path);
	file_load(text_string(&path), 1u << 30, &bytes, &size, NULL);
	json_array_append_new(pieces->json,
		json_pack("{s:s, s:i, s:o, s:o}", "task", piece->name,
			piece->undo ? "undo_try" : "attempt", (int)piece->number, "file",
			json_text(text_string(&path)), "text", json_textn(bytes, size)));
}

static int state_read(void *data, const struct journal_run *run)
{
	*(bool *)data = run->state == RUN_RUNNING || run->state == RUN_ROLLING_BACK ||
		run->state == RUN_AWAITING_CONFIRMATION;
	return 0;
}

static int task_unknown(const struct cli *cli, const char *id, const char *task)
{
	CLEANUP_TEXT struct text next = {0};

	text_addf(&next, "see upkeep show %s", id);
	return cli_usage(cli, text_string(&next), "run %s has no task \"%s\"", id, task);
}

static void silent_tell(const char *task, const char *id)
{
	if (task)
		fprintf(stderr, "upkeep: task \"%s\" of run %s wrote nothing\n", task, id);
	else
		fprintf(stderr, "upkeep: no task of run %s wrote anything\n", id);
}

static int log_print(const struct cli *cli, struct journal *journal, const char *state_dir,
	const char *id, struct pieces *pieces)
{
	CLEANUP_ERROR struct error err = {0};
	bool lives = false;

	for (;;) {
		if (run_seen(journal, state_dir, id, state_read, &lives, &err) < 0 ||
			journal_tasks(journal, id, attempt_read, pieces, &err) < 0 ||
			journal_undoings(journal, id, undoing_read, pieces, &err) < 0)
			return cli_fail(cli, EXIT_JOURNAL, &err);
		vec_each(&pieces->list, piece)
			pieces->json ? piece_json(pieces, piece, state_dir, id)
				     : piece_print(pieces, piece, state_dir, id);
		fflush(stdout);
		if (!cli->options.follow || !lives || pieces->json)
			break;
		usleep(POLL_US);
	}
	if (!pieces->known && pieces->only)
		return task_unknown(cli, id, pieces->only);
	if (!pieces->json && !pieces->printed)
		silent_tell(pieces->only, id);
	return 0;
}

int command_log(struct cli *cli)
{
	CLEANUP_FREE char *state_dir = NULL;
	struct journal *journal = NULL;
	struct pieces pieces = {.only = cli->args.count > 1 ? cli->args.items[1] : NULL};
	char id[RUN_ID_SIZE];
	int code = run_load(cli, &state_dir, &journal, id);

	if (cli->options.json)
		pieces.json = json_array();
	if (!code)
		code = log_print(cli, journal, state_dir, id, &pieces);
	if (!code && pieces.json)
		cli_print_json(json_incref(pieces.json));
	json_decref(pieces.json);
	vec_each(&pieces.list, piece)
		free(piece->name);
	vec_free(&pieces.list);
	journal_close(journal);
	return code;
}
