/* SPDX-License-Identifier: MIT */
#include "keeper/keeper.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/vec.h"
#include "run/children.h"
#include "run/keep.h"
#include "run/secret.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>

static const int handed_on[] = {SIGINT, SIGTERM, SIGHUP};
#define HANDED_ON (sizeof handed_on / sizeof handed_on[0])

/* What is ignored by inheritance (nohup) stays ignored. */
static void watched_signals(sigset_t *set)
{
	struct sigaction old;

	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	for (size_t i = 0; i < HANDED_ON; i++)
		if (sigaction(handed_on[i], NULL, &old) < 0 || old.sa_handler != SIG_IGN)
			sigaddset(set, handed_on[i]);
}

int keeper_prepare(struct error *err)
{
	sigset_t set;

	watched_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return error_set(err, -errno, NULL, "cannot become a subreaper: %m");
	return 0;
}

struct hold {
	int key, fd;
};
struct keeper {
	const char *run_id;
	const struct run_setup *setup;
	VEC(uint32_t) spared; /* tasks */
	VEC(pid_t) guards;
	pid_t engine;
	int socket;
	struct cgroups *cgroups;
	VEC(struct hold) holds;
};

/* Nothing else of ours may stay open in it: locks, most of all. */
static void __attribute__((noreturn))
be_guard(const struct keeper *keeper, uint32_t task, int socket)
{
	enum { SOCKET = 3, RUN_DIR, FIRST };
	struct cgroups none = {.dir = -1};
	struct secrets secrets = {0};
	struct run_setup setup = *keeper->setup;
	struct run_options options = *setup.options;
	int run_dir = fcntl(setup.run_dir, F_DUPFD, FIRST + 1);

	setsid();
	prctl(PR_SET_NAME, "upkeep-guard");
	socket = fcntl(socket, F_DUPFD, FIRST + 1);
	if (socket < 0 || run_dir < 0)
		_exit(EXIT_INTERNAL);
	dup2(socket, SOCKET);
	dup2(run_dir, RUN_DIR);
	close_range(FIRST, ~0U, 0);
	for (int fd = 0; fd < SOCKET; fd++)
		close(fd);
	for (int fd = 0; fd < SOCKET; fd++)
		if (open("/dev/null", O_RDWR) != fd)
			_exit(EXIT_INTERNAL);
	fcntl(SOCKET, F_SETFD, FD_CLOEXEC);
	fcntl(RUN_DIR, F_SETFD, FD_CLOEXEC);
	options.watcher = NULL;
	setup.options = &options;
	setup.guard = true;
	setup.run_dir = RUN_DIR;
	setup.keeper_fd = -1;
	setup.cgroups = &none;
	setup.secrets = &secrets;
	guardian_main(&setup, task, SOCKET);
	_exit(EXIT_OK);
}

static void start_guard(struct keeper *keeper, uint32_t task, int socket)
{
	pid_t pid = fork();

	if (pid == 0)
		be_guard(keeper, task, socket);
	if (pid > 0)
		vec_push(&keeper->guards, pid);
}

static void listen_once(struct keeper *keeper)
{
	struct keep_message message;
	int fd, r;

	while ((r = keep_receive(keeper->socket, &message, &fd)) > 0) {
		if (message.kind == KEEP_GUARD && fd >= 0) {
			start_guard(keeper, (uint32_t)message.key, fd);
			close(fd);
			continue;
		}
		if (message.kind == KEEP_SPARE) {
			vec_push(&keeper->spared, (uint32_t)message.key);
			continue;
		}
		if (message.kind == KEEP_HOLD && fd >= 0) {
			vec_push(&keeper->holds, ((struct hold){message.key, fd}));
			continue;
		}
		for (size_t i = 0; i < keeper->holds.count; i++)
			if (keeper->holds.items[i].key == message.key) {
				close(keeper->holds.items[i].fd);
				keeper->holds.items[i] = keeper->holds.items[--keeper->holds.count];
				break;
			}
	}
	if (r < 0)
		close(TAKE_FD(keeper->socket));
}

/* Its number may go to another process, which is not to be spared. */
static void forget_guard(struct keeper *keeper, pid_t pid)
{
	for (size_t i = 0; i < keeper->guards.count; i++)
		if (keeper->guards.items[i] == pid) {
			keeper->guards.items[i] = keeper->guards.items[--keeper->guards.count];
			return;
		}
}

/* Reaps; true once the engine has ended. */
static bool reap(struct keeper *keeper, int *ret_status)
{
	int status;
	pid_t pid;
	bool ended = false;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		forget_guard(keeper, pid);
		if (pid != keeper->engine)
			continue;
		*ret_status = status;
		keeper->engine = 0;
		ended = true;
	}
	return ended;
}

static bool read_signals(struct keeper *keeper, int signals, int *ret_status)
{
	struct signalfd_siginfo info;
	bool ended = false;

	while (read(signals, &info, sizeof info) == sizeof info)
		if (info.ssi_signo == SIGCHLD)
			ended = reap(keeper, ret_status) || ended;
		else if (keeper->engine)
			kill(keeper->engine, (int)info.ssi_signo);
	return ended;
}

static int wait_for_engine(struct keeper *keeper)
{
	sigset_t set;
	int status = 0;
	bool ended = false;

	watched_signals(&set);
	CLEANUP_FD int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	while (!ended) {
		struct pollfd waits[] = {{.fd = signals, .events = POLLIN},
			{.fd = keeper->socket, .events = POLLIN}};
		poll(waits, 2, -1);
		if (keeper->socket >= 0 && waits[1].revents)
			listen_once(keeper);
		if (waits[0].revents)
			ended = read_signals(keeper, signals, &status);
	}
	return status;
}

/* ---- killing what is left ---- */

/* Left running on purpose: in the run's cgroup "left". */
static bool is_left(const struct cgroups *cgroups, pid_t pid)
{
	char text[8192];
	CLEANUP_TEXT struct text left = {0};

	process_read(pid, "cgroup", text, sizeof text);
	text_addf(&left, "/%s/left", cgroups->name);
	return strstr(text, text_string(&left)) != NULL;
}

/* The same without cgroups: by the marks of tasks that said so and succeeded. */
static bool is_spared(const struct keeper *keeper, pid_t pid)
{
	char mark[KEEP_MARK_SIZE];

	if (keeper->cgroups->kind != CGROUP_NONE)
		return is_left(keeper->cgroups, pid);
	vec_each(&keeper->spared, task) {
		keep_mark(mark, keeper->run_id, *task);
		if (child_has_variable(pid, mark))
			return true;
	}
	return false;
}

static bool is_guard(const struct keeper *keeper, pid_t pid)
{
	vec_each(&keeper->guards, guard)
		if (*guard == pid)
			return true;
	return false;
}

struct killing {
	const struct keeper *keeper;
	pid_t found;
};

static void kill_child(void *data, pid_t pid)
{
	struct killing *killing = data;

	if (is_guard(killing->keeper, pid) || is_spared(killing->keeper, pid))
		return;
	kill(pid, SIGKILL);
	killing->found = pid;
}

/* Kills our children; theirs become ours.  Returns one of them, 0 where there was none. */
static pid_t kill_children(const struct keeper *keeper)
{
	struct killing killing = {.keeper = keeper};

	children_each(getpid(), kill_child, &killing);
	return killing.found;
}

/* Returns one that cannot be killed; 0: nothing is left. */
static pid_t kill_left(struct keeper *keeper)
{
	int64_t until_ms = clock_monotonic_ms() + process_patience_ms();
	struct timespec pause = {.tv_nsec = 1000000};
	int status;

	for (;;) {
		cgroups_kill(keeper->cgroups);
		pid_t found = kill_children(keeper);
		reap(keeper, &status);
		if (!found || clock_monotonic_ms() > until_ms)
			return found;
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < 100000000)
			pause.tv_nsec *= 2;
	}
}

int keeper_watch(pid_t engine, int socket, const struct run_setup *setup, pid_t *ret_stuck)
{
	struct keeper keeper = {.run_id = setup->id,
		.setup = setup,
		.engine = engine,
		.socket = socket,
		.cgroups = setup->cgroups};

	int status = wait_for_engine(&keeper);
	if (keeper.socket >= 0)
		listen_once(&keeper); /* its last words */
	*ret_stuck = kill_left(&keeper);
	if (keeper.socket >= 0)
		close(keeper.socket);
	vec_each(&keeper.holds, hold)
		close(hold->fd);
	vec_free(&keeper.holds);
	vec_free(&keeper.spared);
	vec_free(&keeper.guards);
	return status;
}
