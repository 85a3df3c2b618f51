/* SPDX-License-Identifier: MIT */
#include "points.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define PATIENCE_MS 60000
#define OUTPUT_MOST (1u << 20)
#define WORDS 8

/* ---- a command ---- */

static void __attribute__((noreturn)) be_command(struct lane *lane, const char *const *words)
{
	const char *argv[WORDS] = {"upkeep"};
	char path[256];

	for (int i = 0; words[i]; i++)
		argv[i + 1] = words[i];
	snprintf(path, sizeof path, "%s/output", lane->dir);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
	int null = open("/dev/null", O_RDONLY);
	dup2(null, 0);
	dup2(fd, 1);
	dup2(fd, 2);
	close_range(3, ~0U, 0);
	snprintf(path, sizeof path, "%s/upkeep.conf", lane->dir);
	setenv("UPKEEP_SITE", path, 1);
	snprintf(path, sizeof path, "%s/state", lane->dir);
	setenv("UPKEEP_STATE_DIR", path, 1);
	snprintf(path, sizeof path, "%s/plugins", lane->dir);
	setenv("UPKEEP_PLUGIN_DIR", path, 1);
	snprintf(path, sizeof path, "%s/page", lane->dir);
	setenv(INJECT_FILE, path, 1);
	setenv("LD_PRELOAD", INJECT_BUILT, 1);
	execv(PROGRAM_BUILT, (char *const *)argv);
	_exit(127);
}

static void page_set(struct inject_page *page, const struct strike *strike)
{
	memset(page, 0, sizeof *page);
	if (!strike || !strike->at)
		return;
	page->role = strike->role;
	page->how = strike->how;
	page->victims = strike->victims;
	page->point = strike->at;
}

/* Reaps what has ended; true while something of ours is alive. */
static bool lives(pid_t command, int *ret_status)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == command)
			*ret_status = status;
	return pid == 0;
}

/* Until the command has ended, or all of it; false: too late. */
static bool wait_for_end(pid_t command, bool all, int *status)
{
	int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
	struct timespec pause = {.tv_nsec = 300000};

	while (lives(command, status) && (*status < 0 || all)) {
		if (clock_monotonic_ms() > until_ms)
			return false;
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < 2000000)
			pause.tv_nsec += 100000;
	}
	return true;
}

/* What is killed holds its locks until it is gone. */
static bool wait_for_victims(const struct inject_page *page)
{
	int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
	int status;

	for (uint32_t i = 0; page->fired && i < page->process_count && i < INJECT_PROCESSES; i++)
		while (page->victims & 1u << page->processes[i].role &&
			kill(page->processes[i].pid, 0) == 0) {
			if (clock_monotonic_ms() > until_ms)
				return false;
			lives(0, &status);
			nanosleep(&(struct timespec){.tv_nsec = 300000}, NULL);
		}
	return true;
}

static void end_everything(void)
{
	char path[64], line[64];
	int status;

	do {
		snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
		FILE *file = fopen(path, "r");
		while (file && fscanf(file, "%63s", line) == 1)
			kill((pid_t)atoi(line), SIGKILL);
		if (file)
			fclose(file);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	} while (lives(0, &status));
}

int upkeep_command(struct lane *lane, const struct strike *strike, struct text *output,
	const char *const *words)
{
	CLEANUP_FREE char *bytes = NULL;
	int status = -1;
	char path[256];
	size_t size;

	page_set(lane->page, strike);
	pid_t pid = fork();
	if (pid == 0)
		be_command(lane, words);
	bool survives = lane->page->victims && !(lane->page->victims & 1u << INJECT_ENGINE);
	if (!wait_for_end(pid, false, &status) || !wait_for_end(pid, survives, &status) ||
		!wait_for_victims(lane->page))
		return -1;
	snprintf(path, sizeof path, "%s/output", lane->dir);
	if (file_load(path, OUTPUT_MOST, &bytes, &size, NULL) == 0)
		text_add(output, bytes, size);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

/* ---- what must hold ---- */

struct trial {
	struct lane *lane;
	const struct point *point;
	struct text *why, output;
	struct notes left;    /* by the struck commands */
	bool fails;           /* the disk failed */
	bool may_need_person; /* and more than once, so that an undo may have failed for good */
};

static bool wrong(struct trial *trial, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static bool wrong(struct trial *trial, const char *format, ...)
{
	CLEANUP_FREE char *text = NULL;
	va_list ap;

	va_start(ap, format);
	int n = vasprintf(&text, format, ap);
	va_end(ap);
	text_addf(trial->why, "%s\n", n < 0 ? format : text);
	return false;
}

static bool is_killed(int code)
{
	return code == 256 + SIGKILL;
}

/* Lines of `now` that `other` has not, and the other way round. */
static void add_lines(struct text *text, char sign, const char *now, const char *other)
{
	for (const char *line = now + 1, *end; *line; line = end + 1) {
		end = strchr(line, '\n');
		CLEANUP_FREE char *whole = strndup(line - 1, (size_t)(end - line) + 2);
		if (!strstr(other, whole))
			text_addf(text, "%c%s", sign, whole + 1);
	}
}

/* The tree is that of the exit code. */
static bool check_tree(struct trial *trial, int code, const char *when)
{
	struct lane *lane = trial->lane;
	CLEANUP_FREE char *now = lane_look(lane);
	bool before = strcmp(now, lane->before) == 0, after = strcmp(now, lane->after) == 0;

	if (code == 0                              ? after
			: code == 10 || code == 11 ? before
						   : code == 12 && lane->scenario->pivots)
		return true;
	wrong(trial, "%s ends with %d, and the tree is that %s", when, code,
		before          ? "before"
			: after ? "after"
				: "of neither; against that before:");
	if (!before && !after) {
		add_lines(trial->why, '-', lane->before, now);
		add_lines(trial->why, '+', now, lane->before);
	}
	return false;
}

/* What the command says of the site holds already; true also where it says nothing.  Of a
 * recovery 0 may be that there was nothing to do; of a rollback it is that all is back, and 12
 * that nothing was touched. */
static bool check_said(struct trial *trial, int code, const char *when)
{
	int status;
	bool recovery = strcmp(when, "recover") == 0;

	if (code < 0)
		return wrong(trial, "%s does not end", when);
	if (!is_killed(code) && lives(0, &status))
		return wrong(trial, "something is alive after %s", when);
	if (code == 13 && !trial->may_need_person)
		return wrong(trial, "%s ends with 13", when);
	if (code == 75 && trial->fails) /* the file of a lock cannot be opened */
		return true;
	if (code == 0 && recovery)
		return true;
	if (strcmp(when, "rollback") == 0 && (code == 0 || code == 12))
		code = code == 0 ? 11 : 0;
	if (code == 0 || (code >= 10 && code <= 12))
		return check_tree(trial, code, when);
	if (code == 13 || code == 70 || code == 74 || code == 77 || is_killed(code))
		return true;
	return wrong(trial, "%s ends with %d", when, code);
}

static int command(struct trial *trial, const struct strike *strike, const char *a, const char *b)
{
	const char *const words[] = {a, b ? b : "--quiet", b ? "--quiet" : NULL, NULL};

	text_addf(&trial->output, "--- %s %s\n", a, b ? b : "");
	int code = upkeep_command(trial->lane, strike, &trial->output, words);
	text_addf(&trial->output, "--- ends with %d\n", code);
	return code;
}

static bool take_notes(struct trial *trial)
{
	bool right = notes_check(trial->lane, &trial->left, trial->why);

	notes_free(&trial->left);
	notes_read(trial->lane, &trial->left);
	return right;
}

static bool needs_person(const struct trial *trial)
{
	return trial->left.runs && trial->fails &&
		(trial->left.state == RUN_ROLLBACK_FAILED || trial->left.state == RUN_INTERRUPTED);
}

/* A person does what is left to do. */
static bool roll_back(struct trial *trial)
{
	char id[RUN_ID_SIZE];

	memcpy(id, trial->left.last_id, sizeof id);
	int code = command(trial, NULL, "rollback", id);
	if (!take_notes(trial))
		return false;
	bool partial = code == 12 && trial->lane->scenario->pivots;
	if (!partial && (code != 0 || trial->left.exit_code != 11))
		return wrong(
			trial, "rollback ends with %d, run with %d", code, trial->left.exit_code);
	return check_tree(trial, partial ? 12 : 11, "rollback");
}

/* After an undisturbed recovery. */
static bool check_settled(struct trial *trial, int code, bool was_settled, const char *when)
{
	if (!take_notes(trial))
		return false;
	if (needs_person(trial))
		return roll_back(trial);
	if (!notes_settled(&trial->left))
		return wrong(
			trial, "after %s the run is %s", when, run_state_name(trial->left.state));
	int said = trial->left.runs ? trial->left.exit_code : 11;
	if (code != (was_settled ? 0 : said))
		return wrong(trial, "%s ends with %d, the run with %d", when, code, said);
	return check_tree(trial, said, "the run");
}

static bool recover(struct trial *trial)
{
	int status;
	bool was_settled = notes_settled(&trial->left) || needs_person(trial);
	int code = command(trial, NULL, "recover", NULL);

	if (code < 0)
		return wrong(trial, "recover does not end");
	if (lives(0, &status))
		return wrong(trial, "something is alive after recover");
	return check_settled(trial, code, was_settled, "recover");
}

static bool recover_again(struct trial *trial)
{
	struct notes before = trial->left;

	int code = command(trial, NULL, "recover", NULL);
	notes_read(trial->lane, &trial->left);
	bool same = trial->left.size == before.size && trial->left.runs == before.runs &&
		trial->left.exit_code == before.exit_code;
	notes_free(&before);
	if (code != 0 || !same)
		return wrong(trial, "a second recover does something: %d", code);
	return check_tree(trial, trial->left.runs ? trial->left.exit_code : 11, "a second recover");
}

static bool run_once_more(struct trial *trial)
{
	struct lane *lane = trial->lane;
	bool after = trial->left.runs && trial->left.exit_code == 0;
	int wanted = after ? lane->again_code : lane->code;

	if (trial->left.runs && trial->left.exit_code == 12)
		return true;
	int code = command(trial, NULL, "run", "graph");
	return code == wanted || wrong(trial, "the next run ends with %d", code);
}

static bool strike_once(
	struct trial *trial, const struct strike *strike, const char *a, const char *b)
{
	int code = command(trial, strike, a, b);
	const struct inject_page *page = trial->lane->page;

	text_addf(&trial->output, "--- struck: %s\n", page->fired ? page->call : "no");
	return check_said(trial, code, a) && take_notes(trial);
}

static bool fails(const struct strike *strike)
{
	return strike->at && strike->how >= INJECT_ENOSPC;
}

static enum outcome outcome_of(const struct trial *trial, bool struck)
{
	int code = trial->left.runs ? trial->left.exit_code : 11;

	return !struck       ? OUTCOME_NOT_REACHED
		: code == 0  ? OUTCOME_AFTER
		: code == 12 ? OUTCOME_PARTIAL
			     : OUTCOME_BEFORE;
}

enum outcome point_try(
	struct lane *lane, const struct point *point, bool run_again, struct text *why)
{
	struct trial trial = {.lane = lane,
		.point = point,
		.why = why,
		.fails = fails(&point->run) || fails(&point->recover),
		.may_need_person = point->run.how == INJECT_FULL ||
			(point->recover.at && point->recover.how == INJECT_FULL)};

	lane_reset(lane);
	bool taken_back = lane->scenario->taken_back;
	bool right = !taken_back || command(&trial, NULL, "run", "graph") == lane->code;
	notes_read(lane, &trial.left);
	right = right &&
		(taken_back ? strike_once(&trial, &point->run, "rollback", "last")
			    : strike_once(&trial, &point->run, "run", "graph"));
	bool struck = lane->page->fired;
	if (right && point->recover.at)
		right = strike_once(&trial, &point->recover, "recover", NULL);
	right = right && recover(&trial) && recover_again(&trial);
	enum outcome outcome = outcome_of(&trial, struck);
	right = right && (!run_again || run_once_more(&trial));
	if (!right) {
		text_adds(why, text_string(&trial.output));
		end_everything();
	}
	text_free(&trial.output);
	notes_free(&trial.left);
	return right ? outcome : OUTCOME_WRONG;
}
