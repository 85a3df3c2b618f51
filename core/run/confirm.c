/* SPDX-License-Identifier: MIT */
#include "run/engine.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"

#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <termios.h>

#define ANSWERS_MAX_BYTES (1u << 20)

/* A checklist that a person goes through on the terminal. */
struct confirm {
	struct source source; /* the terminal */
	struct attempt *attempt;
	const char *question;
	const struct value *items;
	uint32_t at;     /* the item that is asked now */
	bool introduced; /* the question was shown */
	struct text line;
};

static uint32_t item_count(const struct confirm *confirm)
{
	return confirm->items && confirm->items->kind == VALUE_LIST && confirm->items->list.count
		? confirm->items->list.count
		: 1;
}

static const char *item_text(const struct confirm *confirm)
{
	return item_count(confirm) > 1 || (confirm->items && confirm->items->list.count)
		? confirm->items->list.items[confirm->at].string
		: confirm->question;
}

static void ask(struct confirm *confirm)
{
	CLEANUP_TEXT struct text text = {0};
	const char *item = item_text(confirm);

	if (!confirm->introduced && item != confirm->question)
		text_addf(&text, "\n%s: %s\n", confirm->attempt->detail->name, confirm->question);
	confirm->introduced = true;
	text_adds(&text, "  ");
	text_add_visible(&text, item, strlen(item));
	text_adds(&text, " [yes/no] ");
	file_write(confirm->source.fd, text_string(&text), text.size);
}

static void record(const struct confirm *confirm, const char *answer)
{
	const struct attempt *attempt = confirm->attempt;

	journal_add_confirmation(attempt->engine->journal, attempt->task, item_text(confirm),
		answer, getuid(), clock_wall_ms());
}

static void succeed(struct confirm *confirm, const char *by)
{
	confirm->attempt->state = TASK_SUCCEEDED;
	attempt_output(confirm->attempt, "by", by, false);
}

/* A whole line has come. */
static void answered(struct confirm *confirm)
{
	const char *line = text_string(&confirm->line);
	bool yes = strcasecmp(line, "yes") == 0 || strcasecmp(line, "y") == 0;
	bool no = strcasecmp(line, "no") == 0 || strcasecmp(line, "n") == 0;

	if (yes || no)
		record(confirm, yes ? "yes" : "no");
	if (no) {
		attempt_fail(confirm->attempt, REASON_PERSON, NULL, "answered no: %s",
			item_text(confirm));
		return;
	}
	if (yes && ++confirm->at == item_count(confirm)) {
		CLEANUP_ERROR struct error err = {0};
		const struct user *user =
			engine_user(confirm->attempt->engine, &task_options_plain, &err);
		succeed(confirm, user ? user->name : "");
		return;
	}
	ask(confirm);
}

static void terminal_ready(struct engine *engine, struct source *source, uint32_t events)
{
	struct confirm *confirm = (struct confirm *)source;
	struct attempt *attempt = confirm->attempt;
	char bytes[256];

	(void)engine;
	(void)events;
	ssize_t n = read(source->fd, bytes, sizeof bytes);
	if (n <= 0 && errno != EAGAIN && errno != EINTR)
		attempt_fail(attempt, REASON_PERSON, NULL, "the terminal has gone");
	for (ssize_t i = 0; i < n && !attempt->message && attempt->state != TASK_SUCCEEDED; i++) {
		if (bytes[i] != '\n') {
			text_addc(&confirm->line, bytes[i]);
			continue;
		}
		answered(confirm);
		confirm->line.size = 0;
		if (confirm->line.bytes)
			confirm->line.bytes[0] = 0;
	}
	if (attempt->message || attempt->state == TASK_SUCCEEDED)
		attempt_check(attempt);
}

/* ---- recorded answers ---- */

static char *trim(char *text)
{
	text += strspn(text, " \t");
	for (size_t n = strlen(text); n && strchr(" \t\r", text[n - 1]); n--)
		text[n - 1] = 0;
	return text;
}

/* One line, "item = yes": 1 it answers the item with yes, 0 with no, -1 neither. */
static int line_answer(char *line, const char *item)
{
	char *equals = strrchr(line, '=');

	if (*trim(line) == '#' || !equals)
		return -1;
	*equals = 0;
	if (strcmp(trim(line), item) != 0)
		return -1;
	const char *answer = trim(equals + 1);
	return strcasecmp(answer, "yes") == 0 ? 1 : strcasecmp(answer, "no") == 0 ? 0 : -1;
}

static int recorded_answer(const char *answers, const char *item)
{
	CLEANUP_FREE char *copy = base_string(answers);
	char *rest = copy, *line;
	int last = -1;

	while ((line = strsep(&rest, "\n"))) {
		int answer = line_answer(line, item);
		last = answer < 0 ? last : answer;
	}
	return last;
}

/* Goes on to the first item that the file does not answer with yes. */
static int read_answers(struct confirm *confirm, const char *path, struct error *err)
{
	CLEANUP_FREE char *answers = NULL;
	CLEANUP_TEXT struct text how = {0};

	int r = file_load(path, ANSWERS_MAX_BYTES, &answers, NULL, err);
	for (; r == 0 && confirm->at < item_count(confirm); confirm->at++) {
		int answer = recorded_answer(answers, item_text(confirm));
		if (answer < 0)
			return 0;
		how.size = 0;
		text_addf(&how, "%s (%s)", answer ? "yes" : "no", path);
		record(confirm, text_string(&how));
		if (!answer) {
			attempt_fail(confirm->attempt, REASON_PERSON, NULL, "answered no in %s: %s",
				path, item_text(confirm));
			return 0;
		}
	}
	return r;
}

static void say_yes(struct confirm *confirm)
{
	for (; confirm->at < item_count(confirm); confirm->at++)
		record(confirm, "yes (--yes)");
	succeed(confirm, "--yes");
}

/* ---- its start and end ---- */

/* Without a person: --yes, else the recorded answers. */
static int answer_alone(struct confirm *confirm, struct error *err)
{
	struct attempt *attempt = confirm->attempt;
	const struct value *path = value_get(&attempt->args, "answers");

	if (attempt->engine->options->yes) {
		say_yes(confirm);
		return 0;
	}
	int r = path ? read_answers(confirm, path->string, err) : 0;
	if (r == 0 && path && !attempt->message && confirm->at == item_count(confirm))
		succeed(confirm, path->string);
	return r;
}

static int open_terminal(struct confirm *confirm)
{
	struct attempt *attempt = confirm->attempt;

	confirm->source.fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (confirm->source.fd < 0) {
		attempt_fail(attempt, REASON_PERSON,
			"run it on a terminal, record the answers in a file (answers = FILE), or "
			"say "
			"--yes",
			"it needs a person: %s", item_text(confirm));
		return -ENOTTY;
	}
	tcflush(confirm->source.fd, TCIFLUSH); /* nobody answers before the question */
	engine_watch(attempt->engine, &confirm->source, EPOLLIN);
	ask(confirm);
	return 0;
}

int confirm_start(struct attempt *attempt, struct error *err)
{
	struct confirm *confirm = arena_new(&attempt->arena, struct confirm);
	const struct value *question = value_get(&attempt->args, "question");

	confirm->attempt = attempt;
	confirm->source = (struct source){.fd = -1, .ready = terminal_ready};
	confirm->question = question ? question->string : "Go on?";
	confirm->items = value_get(&attempt->args, "items");
	attempt->confirm = confirm;
	int r = answer_alone(confirm, err);
	if (r < 0 || attempt->message || attempt->state == TASK_SUCCEEDED)
		return r;
	return open_terminal(confirm);
}

void confirm_end(struct attempt *attempt)
{
	engine_unwatch(attempt->engine, &attempt->confirm->source);
	text_free(&attempt->confirm->line);
}
