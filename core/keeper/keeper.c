/* SPDX-License-Identifier: MIT */
#include "keeper/keeper.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "base/vec.h"
#include "run/children.h"
#include "run/keep.h"

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
	pid_t engine;
	int socket;
	struct cgroups *cgroups;
	VEC(struct hold) holds;
};

static void listen_once(struct keeper *keeper)
{
	struct keep_message message;
	int fd, r;

	while ((r = keep_receive(keeper->socket, &message, &fd)) > 0) {
		if (message.kind == KEEP_HOLD && fd >= 0) {
			vec_push(&keeper->holds, ((struct hold){message.key, fd}));
			continue;
		}
		for (size_t i = 0; i < keeper->holds.count; i++)
			if (keeper->holds.items[i].key == message.key) {
				close(keeper->holds.items[i].fd);
				keeper->holds.items[i] =
					keeper->holds.items[--keeper->holds.count];
				break;
			}
	}
	if (r < 0)
		close(TAKE_FD(keeper->socket));
}

/* Reaps; true once the engine has ended. */
static bool reap(pid_t engine, int *ret_status)
{
	int status;
	pid_t pid;
	bool ended = false;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == engine) {
			*ret_status = status;
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
			ended = reap(keeper->engine, ret_status) || ended;
		else
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

/* Left running on purpose: in the run's cgroup "left", or marked. */
static bool is_spared(const struct cgroups *cgroups, int pid)
{
	char path[40], text[8192];
	CLEANUP_TEXT struct text left = {0};

	bool marked = cgroups->kind == CGROUP_NONE;
	snprintf(path, sizeof path, "/proc/%d/%s", pid, marked ? "environ" : "cgroup");
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
	if (n <= 0)
		return false;
	text[n] = 0;
	if (!marked) {
		text_addf(&left, "/%s/left", cgroups->name);
		return strstr(text, text_string(&left)) != NULL;
	}
	text_add(&left, "UPKEEP_LEAVES_RUNNING=1", strlen("UPKEEP_LEAVES_RUNNING=1") + 1);
	return memmem(text, (size_t)n, left.bytes, left.size) != NULL;
}

struct killing {
	const struct cgroups *cgroups;
	unsigned count;
};

static void kill_child(void *data, pid_t pid)
{
	struct killing *killing = data;

	if (is_spared(killing->cgroups, pid))
		return;
	kill(pid, SIGKILL);
	killing->count++;
}

/* Kills our children; theirs become ours.  Returns how many there were. */
static unsigned kill_children(const struct cgroups *cgroups)
{
	struct killing killing = {.cgroups = cgroups};

	children_each(kill_child, &killing);
	return killing.count;
}

static void kill_left(struct cgroups *cgroups)
{
	struct timespec pause = {.tv_nsec = 1000000};
	int status;

	for (;;) {
		cgroups_kill(cgroups);
		unsigned count = kill_children(cgroups);
		reap(0, &status);
		if (!count)
			return;
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < 100000000)
			pause.tv_nsec *= 2;
	}
}

int keeper_watch(pid_t engine, int socket, struct cgroups *cgroups)
{
	struct keeper keeper = {.engine = engine, .socket = socket, .cgroups = cgroups};

	int status = wait_for_engine(&keeper);
	kill_left(cgroups);
	if (keeper.socket >= 0)
		close(keeper.socket);
	vec_each(&keeper.holds, hold)
		close(hold->fd);
	vec_free(&keeper.holds);
	return status;
}
