/* SPDX-License-Identifier: MIT */
#include "catalog/probe.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/spawn.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define ANSWER_MAX (8u << 20)
#define NOBODY 65534
#define NEXT "remove the plugin or replace it; upkeep lint plugin FILE.so tells more"

/* 0, -ETIME or -EFBIG. */
static int read_answer(int fd, int64_t until_ms, struct text *answer)
{
	char bytes[16384];

	for (;;) {
		int64_t left_ms = until_ms - clock_monotonic_ms();
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
		if (left_ms <= 0)
			return -ETIME;
		int ready = poll(&poll_fd, 1, (int)left_ms);
		if (ready < 0 && errno != EINTR)
			return -errno;
		if (ready <= 0)
			continue;
		ssize_t n = read(fd, bytes, sizeof bytes);
		if (n <= 0)
			return n < 0 ? -errno : 0;
		text_add(answer, bytes, (size_t)n);
		if (answer->size > ANSWER_MAX)
			return -EFBIG;
	}
}

static int start(const char *program, int fd, const char *name, const char *path, int out,
	struct process *ret, struct error *err)
{
	const char *const argv[] = {"upkeep", "--describe-plugin", name, path, NULL};
	const char *const envp[] = {"PATH=" PROCESS_PATH, "LC_ALL=C.UTF-8", NULL};
	const struct process_fd fds[] = {{out, 1}, {fd, 3}};
	const struct process_limit limits[] = {
		{RLIMIT_CORE, {0, 0}}, {RLIMIT_CPU, {5, 5}}, {RLIMIT_FSIZE, {0, 0}}};
	struct process_spec spec = {.path = program ? program : process_self(),
		.argv = (char *const *)(uintptr_t)argv,
		.envp = (char *const *)(uintptr_t)envp,
		.fds = fds,
		.fd_count = 2,
		.cwd = "/",
		.new_group = true,
		.parent_death_kill = true,
		.limits = limits,
		.limit_count = 3,
		.set_user = geteuid() == 0,
		.uid = NOBODY,
		.gid = NOBODY};

	return process_spawn(&spec, ret, err);
}

static int judge(int r, int status, const char *path, int64_t limit_ms, const struct text *answer,
	struct error *err)
{
	if (r == -ETIME)
		return error_set(err, -EPROTO, NEXT,
			"plugin %s did not describe itself within %lld ms: "
			"its constructors hang",
			path, (long long)limit_ms);
	if (r < 0)
		return error_set(err, -EPROTO, NEXT,
			"plugin %s: its description cannot be read: %s", path, strerror(-r));
	if (WIFSIGNALED(status))
		return error_set(err, -EPROTO, NEXT,
			"plugin %s crashed while it was loaded: signal %d "
			"(%s)",
			path, WTERMSIG(status), strsignal(WTERMSIG(status)));
	if (!answer->size)
		return error_set(err, -EPROTO, NEXT,
			"plugin %s ended the process that loaded it (exit "
			"%d)",
			path, WEXITSTATUS(status));
	return 0;
}

int probe_plugin(const char *program, int fd, const char *name, const char *path, int64_t limit_ms,
	struct text *answer, struct error *err)
{
	struct process process;
	int ends[2], status = 0;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_set(err, -errno, NULL, "cannot make a pipe: %m");
	CLEANUP_FD int in = ends[0];
	int r = start(program, fd, name, path, ends[1], &process, err);
	close(ends[1]);
	if (r < 0)
		return r;
	r = read_answer(in, clock_monotonic_ms() + limit_ms, answer);
	kill(-process.pid, SIGKILL);
	while (waitpid(process.pid, &status, 0) < 0 && errno == EINTR)
		;
	cleanup_fd(&process.pidfd);
	/* It was killed after its answer was whole: how it ended says nothing then. */
	return judge(r, answer->size ? 0 : status, path, limit_ms, answer, err);
}
