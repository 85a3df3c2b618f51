/* SPDX-License-Identifier: MIT */
#include "keeper/execute.h"

#include "keeper/alive.h"
#include "keeper/keeper.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "run/children.h"
#include "run/engine.h"
#include "run/locks.h"
#include "run/named.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#define OVERLAP_PAUSE_MS 100

/* ---- what cannot work is refused before anything runs ---- */

static enum exit_code check_task(const struct plan_detail *detail, struct error *err)
{
	const struct task_options *options = detail->task->options;
	bool other = options->run_as || options->run_as_group;

	if (options->limits.processes && cgroup_limit_check(true, err) < 0) {
		error_prefix(err, "task \"%s\"", detail->name);
		return EXIT_CONFIGURATION;
	}
	if (other && geteuid() != 0) {
		error_set(err, -EPERM, "start it as root",
			"task \"%s\" has run_as%s: only root may", detail->name,
			options->run_as ? "" : "_group");
		return EXIT_NOT_PERMITTED;
	}
	return EXIT_OK;
}

enum exit_code execute_check(const struct plan *plan, struct error *err)
{
	const struct task_options *last = NULL;

	for (uint32_t i = 0; i < plan->task_count; i++) {
		const struct plan_detail *detail = &plan->details[plan->tasks[i].detail];
		if (detail->task->options == last || detail->task->options == &task_options_plain)
			continue;
		last = detail->task->options;
		enum exit_code code = check_task(detail, err);
		if (code != EXIT_OK)
			return code;
	}
	return EXIT_OK;
}

/* ---- the state directory ---- */

enum exit_code execute_refused(int r, struct error *err)
{
	bool permission = r == -EACCES || r == -EPERM;
	const char *next = permission
		? "run it as the owner of the state directory, or name another: --state-dir DIR"
		: r == -ENOSPC || r == -EDQUOT
		? "make room on the file system of the state directory"
		: r == -EROFS
		? "mount the file system of the state directory writable, or name another "
		  "directory: --state-dir DIR"
		: NULL;

	if (next && !err->next) {
		CLEANUP_FREE char *what = base_string(error_what(err));
		error_set(err, r, next, "%s", what);
	}
	return permission ? EXIT_NOT_PERMITTED : EXIT_JOURNAL;
}

/* ---- overlap ---- */

enum exit_code execute_take_graph(
	const struct plan *plan, const struct run_setup *setup, int *ret_fd, struct error *err)
{
	const struct graph *graph = plan->graph;
	struct lock_holder holder = {.run_id = setup->id,
		.graph = graph->name,
		.task = "",
		.keeper = getpid(),
		.since_ms = setup->started_ms};
	int64_t until_ms =
		graph->wait_max_ms ? clock_monotonic_ms() + graph->wait_max_ms : INT64_MAX;
	for (;;) {
		*ret_fd = lock_take(plan->site->state_dir, LOCK_GRAPH, graph->name, &holder, err);
		if (*ret_fd >= 0)
			return EXIT_OK;
		if (*ret_fd != -EWOULDBLOCK)
			return execute_refused(*ret_fd, err);
		if (graph->overlap == OVERLAP_SKIP) {
			error_set(err, -EBUSY, "upkeep locks",
				"graph \"%s\" is being run already; skipped", graph->name);
			return EXIT_OK;
		}
		if (graph->overlap == OVERLAP_FAIL || clock_monotonic_ms() >= until_ms)
			return EXIT_BUSY; /* the message says who holds it */
		nanosleep(&(struct timespec){.tv_nsec = OVERLAP_PAUSE_MS * 1000000L}, NULL);
	}
}

/* ---- parting ---- */

/* The engine's last words come by a pipe: "WHAT\0NEXT\0". */
static void __attribute__((noreturn)) be_engine(const struct run_setup *setup, int words)
{
	CLEANUP_ERROR struct error err = {0};

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	prctl(PR_SET_NAME, "upkeep-engine");
	enum exit_code code = getppid() == setup->keeper ? engine_main(setup, &err) : EXIT_INTERNAL;
	if (err.what) {
		file_write(words, err.what, strlen(err.what) + 1);
		file_write(words, err.next ? err.next : "", err.next ? strlen(err.next) + 1 : 1);
	}
	fflush(NULL);
	_exit(code);
}

static void read_words(int words, struct error *err)
{
	char text[8192];
	ssize_t n = file_read(words, text, sizeof text - 1);

	if (n <= 0)
		return;
	text[n] = 0;
	const char *next = text + strlen(text) + 1;
	error_set(err, -EIO, next < text + n && *next ? next : NULL, "%s", text);
}

static enum exit_code code_of(int status, const char *id, pid_t stuck, struct error *err)
{
	char name[PROCESS_NAME_SIZE];
	CLEANUP_TEXT struct text next = {0}, left = {0};

	if (stuck)
		text_addf(&left, "process %s cannot be killed: it is left alone",
			process_name(stuck, name));
	else
		text_adds(&left, "nothing of it is alive any more");
	if (stuck && WIFEXITED(status))
		fprintf(stderr, "upkeep: run %s: %s\n", id, text_string(&left));
	if (WIFEXITED(status))
		return (enum exit_code)WEXITSTATUS(status);
	text_addf(&next, "upkeep show %s", id);
	error_set(err, -EIO, text_string(&next), "the engine of run %s was killed by signal %d; %s",
		id, WTERMSIG(status), text_string(&left));
	return EXIT_INTERNAL;
}

static enum exit_code part(struct run_setup *setup, struct error *err)
{
	int pair[2] = {-1, -1}, words[2] = {-1, -1};

	if (keeper_prepare(err) < 0)
		return EXIT_INTERNAL;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ||
		pipe2(words, O_CLOEXEC) < 0) {
		error_set(err, -errno, NULL, "cannot make sockets and pipes: %m");
		return EXIT_INTERNAL;
	}
	setup->keeper = getpid();
	setup->keeper_fd = pair[1];
	fflush(NULL);
	pid_t engine = fork();
	if (engine == 0) {
		close(pair[0]);
		close(words[0]);
		be_engine(setup, words[1]);
	}
	secrets_free(setup->secrets);
	close(pair[1]);
	close(words[1]);
	CLEANUP_FD int listen = words[0];
	if (engine < 0) {
		error_set(err, -errno, NULL, "cannot fork: %m");
		return EXIT_INTERNAL;
	}
	pid_t stuck;
	int status = keeper_watch(engine, pair[0], setup, &stuck);
	read_words(listen, err);
	return code_of(status, setup->id, stuck, err);
}

static int open_run_dir(struct run_setup *setup, struct error *err)
{
	CLEANUP_TEXT struct text path = {0};
	char dir[JOURNAL_PATH_SIZE];

	journal_run_dir(dir, setup->id);
	text_addf(&path, "%s/%s", setup->state_dir, dir);
	int r = file_make_dirs(text_string(&path), 0700, err);
	if (r < 0)
		return r;
	setup->run_dir = open(text_string(&path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (setup->run_dir < 0)
		return error_set(err, -errno, NULL, "cannot open %s: %m", text_string(&path));
	return 0;
}

enum exit_code execute_open(struct run_setup *setup, int *ret_lock, struct error *err)
{
	int r = open_run_dir(setup, err);

	if (r < 0)
		return execute_refused(r, err);
	*ret_lock = alive_lock(setup->run_dir, &setup->rebooted, err);
	if (*ret_lock >= 0)
		return EXIT_OK;
	r = *ret_lock;
	close(TAKE_FD(setup->run_dir));
	if (r != -EWOULDBLOCK)
		return execute_refused(r, err);
	error_set(err, r, "upkeep cancel RUN, or wait for it", "run %s is alive: it is left alone",
		setup->id);
	return EXIT_BUSY;
}

enum exit_code execute_part(struct run_setup *setup, struct error *err)
{
	sigset_t before;

	error_clear(err);
	if (!setup->options->no_cgroups)
		cgroups_open(setup->cgroups, setup->id);
	sigprocmask(SIG_SETMASK, NULL, &before);
	enum exit_code code = part(setup, err);
	cgroups_remove(setup->cgroups);
	cgroups_close(setup->cgroups);
	close(TAKE_FD(setup->run_dir));
	sigprocmask(SIG_SETMASK, &before, NULL);
	return code;
}

static enum exit_code execute(struct run_setup *setup, struct error *err)
{
	CLEANUP_FD int run_lock = -1;
	enum exit_code code = execute_open(setup, &run_lock, err);

	return code == EXIT_OK ? execute_part(setup, err) : code;
}

/* A plan leaves no trace: its journal lives as long as it. */
static enum exit_code execute_plan(struct run_setup *setup, struct error *err)
{
	const char *state_dir = setup->state_dir;
	char dir[] = "/tmp/upkeep-plan-XXXXXX";

	if (!mkdtemp(dir)) {
		error_set(err, -errno, NULL, "cannot make %s: %m", dir);
		return EXIT_JOURNAL;
	}
	setup->state_dir = dir;
	enum exit_code code = execute(setup, err);
	file_remove_tree(AT_FDCWD, dir, NULL);
	setup->state_dir = state_dir;
	return code;
}

enum exit_code run_execute(
	const struct plan *plan, const struct run_options *options, struct error *err)
{
	struct cgroups cgroups = {.dir = -1};
	struct secrets secrets = {0};
	struct run_setup setup = {.plan = plan,
		.options = options,
		.cgroups = &cgroups,
		.secrets = &secrets,
		.started_ms = clock_wall_ms(),
		.state_dir = plan->site->state_dir,
		.run_dir = -1,
		.keeper_fd = -1};
	CLEANUP_FD int graph_lock = -1;

	if (options->id)
		snprintf(setup.id, sizeof setup.id, "%s", options->id);
	else
		journal_make_id(setup.id);
	if (options->plan_only)
		return execute_plan(&setup, err);
	enum exit_code code = execute_check(plan, err);
	if (code != EXIT_OK)
		return code;
	int r = file_make_dirs(plan->site->state_dir, 0700, err);
	if (r < 0)
		return execute_refused(r, err);
	code = run_stands_clear(plan, err);
	if (code != EXIT_OK)
		return code;
	code = execute_take_graph(plan, &setup, &graph_lock, err);
	if (graph_lock < 0)
		return code;
	code = run_stands_clear(plan, err); /* what it waited for may have ended badly */
	if (code != EXIT_OK)
		return code;
	named_fetch_commands(plan, &secrets);
	code = execute(&setup, err);
	secrets_free(&secrets);
	return code;
}
