/* SPDX-License-Identifier: MIT */
/* Real programs: each below a watcher, which writes how it ended into a pipe, so that the
 * plugin gets a descriptor as it does in a run. */
#include "testing/fake.h"

#include "base/cleanup.h"
#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SPARE 100 /* descriptors are moved above this before they take their places */

static void place(int from, int to)
{
	if (from < 0 || dup2(from, to) < 0)
		_exit(126);
}

static void __attribute__((noreturn))
execute(struct upkeep_test *test, const struct upkeep_spawn *spawn, const char *path, int report)
{
	int standard[3] = {spawn->stdin_fd, spawn->stdout_fd, spawn->stderr_fd}, passed[16];

	for (size_t i = 0; i < spawn->pass_count; i++)
		passed[i] = fcntl(spawn->pass_from[i], F_DUPFD_CLOEXEC, SPARE);
	for (int i = 0; i < 3; i++)
		standard[i] = fcntl(standard[i] >= 0 ? standard[i]
				: i                  ? test->log_fd
						     : open("/dev/null", O_RDONLY | O_CLOEXEC),
			F_DUPFD_CLOEXEC, SPARE);
	report = fcntl(report, F_DUPFD_CLOEXEC, SPARE);
	for (int i = 0; i < 3; i++)
		place(standard[i], i);
	for (size_t i = 0; i < spawn->pass_count; i++)
		place(passed[i], spawn->pass_to[i]);
	for (size_t i = 0; spawn->env && spawn->env[i]; i++)
		putenv((char *)(uintptr_t)spawn->env[i]);
	if (!spawn->cwd || chdir(spawn->cwd) == 0)
		execv(path, (char *const *)(uintptr_t)spawn->argv);
	int code = errno;
	ssize_t n = write(report, &code, sizeof code);
	(void)n;
	_exit(127);
}

static void __attribute__((noreturn)) watch(struct upkeep_test *test,
	const struct upkeep_spawn *spawn, const char *path, int start_fd, int exit_fd)
{
	pid_t pid = fork();
	int status;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setpgid(0, 0);
		execute(test, spawn, path, start_fd);
	}
	int first = -pid; /* told apart from an errno by its sign */
	bool told = write(start_fd, &first, sizeof first) == sizeof first;
	/* as in upkeep nobody but the program has what it was given: its pipes end with it */
	if (exit_fd > 3)
		close_range(3, (unsigned)exit_fd - 1, 0);
	close_range((unsigned)exit_fd + 1, ~0u, 0);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	int32_t result = WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
	told = write(exit_fd, &result, sizeof result) == sizeof result && told;
	_exit(!told);
}

static int find_program(const char *name, char path[PATH_MAX])
{
	if (!strchr(name, '/'))
		return process_find(name, path, PATH_MAX);
	if (name[0] != '/' || strlen(name) >= PATH_MAX)
		return -EINVAL;
	memcpy(path, name, strlen(name) + 1);
	return 0;
}

/* The watcher says the pid; then comes either an errno or, at the exec, the end. */
static int read_start(int fd, pid_t *ret_pid)
{
	int said, code = 0;

	while (read(fd, &said, sizeof said) == sizeof said)
		if (said < 0)
			*ret_pid = -said;
		else
			code = -said;
	return code;
}

int64_t fake_spawn(struct upkeep_test *test, const struct upkeep_spawn *spawn, int32_t *ret_fd)
{
	char path[PATH_MAX];
	int start[2], end[2];

	int r = find_program(spawn->argv[0], path);
	if (r < 0)
		return r;
	if (spawn->pass_count > 13)
		return -E2BIG;
	if (pipe2(start, O_CLOEXEC) < 0 || pipe2(end, O_CLOEXEC) < 0)
		return -errno;
	pid_t watcher = fork();
	if (watcher == 0)
		watch(test, spawn, path, start[1], end[1]);
	close(start[1]);
	close(end[1]);
	struct fake_child *child = vec_add(&test->children);
	*child = (struct fake_child){
		.handle = (int64_t)test->children.count, .watcher = watcher, .exit_fd = end[0]};
	r = read_start(start[0], &child->pid);
	close(start[0]);
	if (ret_fd)
		*ret_fd = child->exit_fd;
	return r < 0 ? r : child->handle;
}

static struct fake_child *find(struct upkeep_test *test, int64_t handle)
{
	return handle > 0 && (uint64_t)handle <= test->children.count
		? &test->children.items[handle - 1]
		: NULL;
}

int32_t fake_wait(struct upkeep_test *test, int64_t handle)
{
	struct fake_child *child = find(test, handle);

	if (!child)
		return -ECHILD;
	if (child->known)
		return child->status;
	ssize_t n;
	do
		n = read(child->exit_fd, &child->status, sizeof child->status);
	while (n < 0 && errno == EINTR);
	if (n != sizeof child->status)
		return -EIO;
	child->known = true;
	return child->status;
}

int32_t fake_kill(struct upkeep_test *test, int64_t handle, int32_t signal_number)
{
	struct fake_child *child = find(test, handle);

	if (!child)
		return -ECHILD;
	return !child->known && child->pid > 0 && kill(child->pid, signal_number) < 0 ? -errno : 0;
}

void fake_end_children(struct upkeep_test *test)
{
	vec_each(&test->children, child) {
		if (!child->known && child->pid > 0)
			kill(child->pid, SIGKILL);
		cleanup_fd(&child->exit_fd);
		while (waitpid(child->watcher, NULL, 0) < 0 && errno == EINTR)
			;
	}
	test->children.count = 0;
}
